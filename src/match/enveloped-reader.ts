/**
 * Reads one stream whose lines come in an envelope or have fields of their own: bytes in, the records that rules want out,
 * as `reader.ts` does for plain streams. Units are unwrapped into lanes, each lane finds its records, and what is complete
 * is searched together. Offsets are those of the raw bytes; the bytes behind the oldest open record are presented again,
 * and are not read twice. It never looks at the clock and does no I/O.
 */
import type { RecordMatch, RuleHit } from '../model/match.ts';
import type { Chunk, SavedPosition } from '../model/seams.ts';
import { cleanText, markLength } from './clean.ts';
import type { CompiledRules } from './compile.ts';
import { comesFrom } from './conditions.ts';
import { contextBefore, linesBehind } from './context-lines.ts';
import { hitsOf } from './hits.ts';
import { interleaveBytes, type Lane, laneQuietMs, textUnit } from './lane.ts';
import { Lanes } from './lanes.ts';
import { addPayload, type PayloadKinds, readPayload } from './payload.ts';
import {
  fullBytes,
  noCounts,
  type ReadCounts,
  type Reader,
  type ReaderOptions,
  type ReadResult,
} from './reader.ts';
import { freshScan, type ScanState, scanRecords } from './scanner.ts';
import { RecordSubject } from './subject.ts';
import { type Envelope, type EnvelopeFacts, type Framing, Unit } from './unwrap.ts';

/** How the units of a stream are found and unwrapped. */
export interface Wrapping {
  readonly framing: Framing;
  /** Null: lines without an envelope. */
  readonly envelope: Envelope | null;
  readonly payloads: PayloadKinds;
}

/** Records of one lane that are complete. */
interface Batch {
  readonly lane: Lane;
  readonly from: number;
  readonly to: number;
}

export class EnvelopedReader implements Reader {
  readonly #options: ReaderOptions;
  readonly #wrapping: Wrapping;
  readonly #lanes: Lanes;
  readonly #unit = new Unit();
  /** The bytes of the chunk. */
  #view: Uint8Array = new Uint8Array(0);
  #scan: ScanState = freshScan();
  /** Raw bytes before this were unwrapped. -1: nothing was. */
  #scanned = -1;
  #expected = -1;
  #consumed = 0;
  #rules: CompiledRules | null = null;
  #allowed: readonly boolean[] = [];
  #fallbacksSeen = 0;
  /** What a later chunk is needed for: notes of an earlier run. */
  #notes: { readonly lanes: string; readonly ahead: number } | null = null;

  /** `saved`: what `saved()` gave at the offset where reading goes on, or null. */
  constructor(options: ReaderOptions, wrapping: Wrapping, saved: SavedPosition['reader'] | null) {
    this.#options = options;
    this.#wrapping = wrapping;
    this.#lanes = new Lanes(options.multiline, options.tz);
    wrapping.framing.midUnit = saved?.['midUnit'] === true;
    if (typeof saved?.['owner'] === 'string') this.#lanes.owner = saved['owner'];
    const lanes = saved?.['lanes'];
    const ahead = saved?.['ahead'];
    if (typeof lanes === 'string' || typeof ahead === 'number') {
      this.#notes = {
        lanes: typeof lanes === 'string' ? lanes : '',
        ahead: typeof ahead === 'number' ? ahead : 0,
      };
    }
  }

  saved(): SavedPosition['reader'] {
    const ahead = this.#scanned - this.#consumed;
    const lanes = this.#lanes.notes(this.#consumed);
    const { owner } = this.#lanes;
    return {
      ...(ahead === 0 && owner !== '' && this.#wrapping.envelope?.goesOn ? { owner } : {}),
      ...(ahead > 0 ? { ahead } : {}),
      ...(lanes === '' ? {} : { lanes }),
      // Read again from before its start, a line over the limit is found to be one again.
      ...(ahead === 0 && this.#wrapping.framing.midUnit ? { midUnit: true } : {}),
    };
  }

  read(rules: CompiledRules, chunk: Chunk): ReadResult {
    this.#use(rules);
    const counts = noCounts();
    const { data, offset } = chunk;
    if (this.#expected >= 0 && offset !== this.#expected) this.#startOver();
    if (this.#notes !== null) {
      this.#lanes.resume(this.#notes.lanes, offset, offset + this.#notes.ahead);
      this.#notes = null;
    }
    this.#unwrap(chunk, counts);
    const batches = this.#complete(chunk);
    const matches = this.#matches(rules, chunk, batches, counts);
    let records = 0;
    for (const batch of batches) {
      records += batch.to - batch.from;
      for (let at = batch.from; at < batch.to; at++) if (batch.lane.isCut(at)) counts.truncatedLines++;
    }
    const newestTime = this.#newestTime(chunk, batches);
    for (const batch of batches) batch.lane.told = batch.to;
    this.#lanes.sweep();
    let done = this.#scanned;
    for (const lane of this.#lanes.active) if (lane.waits && lane.waitsAt < done) done = lane.waitsAt;
    this.#consumed = chunk.end === 'final' ? offset + data.length : done;
    if (chunk.end === 'final') this.#startOver();
    this.#expected = this.#consumed;
    return { consumed: this.#consumed - offset, records, newestTime, matches, counts };
  }

  #startOver(): void {
    this.#lanes.clear();
    this.#scanned = -1;
    this.#wrapping.framing.midUnit = false;
  }

  #use(rules: CompiledRules): void {
    if (this.#rules === rules) return;
    this.#rules = rules;
    this.#allowed = rules.entries.map((entry) => comesFrom(entry.conditions.from, this.#options.stream));
    this.#scan = freshScan();
    this.#fallbacksSeen = rules.test.fallbacks;
  }

  /** Every new unit of the chunk goes to its lane. */
  #unwrap(chunk: Chunk, counts: ReadCounts): void {
    const { data, offset } = chunk;
    const { framing, envelope } = this.#wrapping;
    const unit = this.#unit;
    const how = { final: chunk.end === 'final', frames: chunk.frames ?? null };
    this.#view = new Uint8Array(data.buffer, data.byteOffset, data.length);
    let at = this.#scanned < 0 ? 0 : this.#scanned - offset;
    if (offset === 0 && at === 0) at = markLength(data);
    while (framing.next(data, at, unit, how)) {
      if (unit.from > at && data[at] === 0) counts.nulBytes += unit.from - at;
      if (envelope === null || !envelope.read(data, unit)) {
        if (envelope !== null && unit.to > unit.from) counts.unparsed++;
        unit.bare = false;
        unit.laneData = data;
        unit.text = data;
        unit.textFrom = unit.from;
        unit.textTo = unit.to;
        unit.laneFrom = unit.laneTo = unit.from;
        unit.part = false;
        unit.message = false;
        const orphan = envelope?.goesOn === true;
        const lane = orphan ? this.#lanes.ofOrphan() : this.#lanes.of(data, unit.laneFrom, unit.laneTo);
        this.#append(lane, data, offset, unit, chunk.receivedAt, counts);
      } else {
        if (unit.bare) counts.unparsed++;
        const lane = this.#lanes.of(unit.laneData, unit.laneFrom, unit.laneTo);
        this.#lanes.owns(lane);
        this.#append(lane, data, offset, unit, chunk.receivedAt, counts);
      }
      at = unit.next;
    }
    this.#scanned = offset + at;
  }

  #append(
    lane: Lane,
    data: Buffer,
    offset: number,
    unit: Unit,
    receivedAt: number,
    counts: ReadCounts,
  ): void {
    if (this.#lanes.isDone(lane, offset + unit.from)) return;
    lane.lastAt = receivedAt;
    if (!lane.part) {
      lane.open(offset + unit.from, offset + unit.to);
      lane.isOver = unit.cut;
    }
    const { text, textFrom } = unit;
    let { textTo } = unit;
    if (!unit.part) while (textTo > textFrom && text[textTo - 1] === 0x0d) textTo--;
    const room = this.#options.maxLineBytes - lane.partBytes;
    if (textTo - textFrom > room) {
      textTo = textFrom + Math.max(0, room);
      lane.isOver = true;
    }
    // A plain view is cut faster than a Buffer.
    lane.append(text === data ? this.#view : text, textFrom, textTo);
    if (unit.part) lane.reach(offset + unit.next);
    else this.#end(lane, offset + (unit.cut ? unit.to : unit.next), unit.message, counts);
  }

  /** The lane's last unit is at its end. */
  #end(lane: Lane, rawEnd: number, message: boolean, counts: ReadCounts): void {
    const from = lane.used - lane.partBytes;
    const kind = lane.isOver ? textUnit : addPayload(lane, from, this.#wrapping.payloads);
    const { envelope } = this.#wrapping;
    if (kind === textUnit && envelope === null && lane.used > from) counts.unparsed++;
    lane.close(rawEnd, kind, lane.isOver, message);
  }

  /** What is complete in each lane. */
  #complete(chunk: Chunk): Batch[] {
    const batches: Batch[] = [];
    const after = this.#rules?.after ?? 0;
    const full = chunk.data.length > fullBytes;
    for (const lane of this.#lanes.active) {
      // A lane that only remembers how it was cut waits for nothing.
      const idle =
        lane.rawEnd >= 0 &&
        (this.#scanned - lane.rawEnd > interleaveBytes || chunk.receivedAt - lane.lastAt >= laneQuietMs);
      const closing = chunk.end !== 'more' || idle;
      // An unfinished unit waits for its end, but not for ever.
      if (lane.part && (chunk.end === 'final' || this.#scanned - lane.rawEnd > interleaveBytes))
        this.#end(lane, lane.rawEnd, false, noCounts());
      const complete = lane.index({ closing, receivedAt: chunk.receivedAt });
      const to = closing || after === 0 || full ? complete : Math.max(lane.told, complete - after);
      if (to > lane.told) batches.push({ lane, from: lane.told, to });
    }
    return batches;
  }

  #matches(rules: CompiledRules, chunk: Chunk, batches: readonly Batch[], counts: ReadCounts): RecordMatch[] {
    const matches: RecordMatch[] = [];
    if (batches.length === 0 || rules.entries.length === 0) return matches;
    const gathered = gather(batches);
    const scanCounts = { slowBlocks: 0, invalidBlocks: 0 };
    scanRecords(
      rules,
      gathered.data,
      gathered.starts,
      gathered.count,
      0,
      this.#scan,
      scanCounts,
      (record) => {
        const [lane, own] = gathered.of(record);
        const match = this.#look(rules, chunk, lane, own);
        if (match !== null) matches.push(match);
        return match !== null;
      },
    );
    if (batches.length > 1) matches.sort((a, b) => a.record.offset - b.record.offset);
    counts.slowBlocks += scanCounts.slowBlocks;
    counts.invalidUtf8 += scanCounts.invalidBlocks;
    counts.setFallbacks += rules.test.fallbacks - this.#fallbacksSeen;
    this.#fallbacksSeen = rules.test.fallbacks;
    return matches;
  }

  #subject(chunk: Chunk, lane: Lane, record: number): RecordSubject {
    const { format, tz } = this.#options;
    const { receivedAt } = chunk;
    const start = lane.recordAt[record] ?? 0;
    let end = lane.recordAt[record + 1] ?? 0;
    while (end > start && lane.text[end - 1] === 0x0a) end--;
    const text = cleanText(lane.text, start, end);
    const envelope = this.#facts(chunk, lane, record);
    const { raw, head } = readPayload(text, lane.kindOf(record), format, tz, receivedAt);
    const context = { ...this.#options, receivedAt, envelope };
    if (envelope === null) return new RecordSubject(raw, null, context, head);
    return new RecordSubject(raw, null, context, {
      ...head,
      time: head.zoned ? head.time : (envelope.time ?? head.time),
      level: head.level ?? envelope.level,
      fields: head.fields === null ? envelope.fields : { ...envelope.fields, ...head.fields },
    });
  }

  /** What the envelope of a record's first unit says; null where it has none. */
  #facts(chunk: Chunk, lane: Lane, record: number): EnvelopeFacts | null {
    const { envelope } = this.#wrapping;
    if (envelope === null) return null;
    const { data, offset } = chunk;
    const unit = this.#unit;
    unit.from = lane.rawOf(record) - offset;
    unit.to = lane.firstEndOf(record) - offset;
    // Found before: nothing is learned from it a second time.
    unit.message = true;
    if (!envelope.read(data, unit)) return null;
    const { tz } = this.#options;
    return envelope.facts(data, unit.from, unit.to, { tz, receivedAt: chunk.receivedAt });
  }

  #look(rules: CompiledRules, chunk: Chunk, lane: Lane, record: number): RecordMatch | null {
    const subject = this.#subject(chunk, lane, record);
    const hits = hitsOf(rules, subject, this.#allowed);
    if (hits.length === 0) return null;
    const raw = lane.rawOf(record);
    const built = subject.record({
      offset: raw,
      length: lane.rawEndOf(record) - raw,
      truncated: lane.isCut(record),
      before: contextBefore(lane, record, subject.head.process, rules.before, this.#options.format),
      after: linesBehind(lane, record, rules.after),
    });
    return {
      record: built,
      hits: hits.map(
        ({ entry, captures }): RuleHit => ({
          rule: entry.rule,
          role: entry.role,
          fields: subject.fieldsOf(captures),
        }),
      ),
    };
  }

  /** The time of the last record of the batch that reaches furthest. */
  #newestTime(chunk: Chunk, batches: readonly Batch[]): number | null {
    let last: Batch | null = null;
    for (const batch of batches)
      if (last === null || batch.lane.rawOf(batch.to - 1) > last.lane.rawOf(last.to - 1)) last = batch;
    return last === null ? null : this.#subject(chunk, last.lane, last.to - 1).head.time;
  }
}

interface Gathered {
  readonly data: Buffer;
  readonly starts: Int32Array;
  readonly count: number;
  /** The lane of a record, and its number there. */
  of(record: number): readonly [Lane, number];
}

/** The records of all batches, one behind the other: whole blocks of them are searched at once. */
function gather(batches: readonly Batch[]): Gathered {
  const [first] = batches;
  if (batches.length === 1 && first !== undefined) {
    const { lane, from, to } = first;
    return {
      data: lane.text.subarray(0, lane.recordAt[to]),
      starts: lane.recordAt.subarray(from, to + 1),
      count: to - from,
      of: (record) => [lane, from + record],
    };
  }
  let bytes = 0;
  let count = 0;
  for (const { lane, from, to } of batches) {
    bytes += (lane.recordAt[to] ?? 0) - (lane.recordAt[from] ?? 0);
    count += to - from;
  }
  const data = Buffer.allocUnsafe(bytes);
  const starts = new Int32Array(count + 1);
  const owners = new Int32Array(count);
  const firsts = new Int32Array(batches.length);
  let at = 0;
  let record = 0;
  for (const [index, { lane, from, to }] of batches.entries()) {
    const begin = lane.recordAt[from] ?? 0;
    const end = lane.recordAt[to] ?? 0;
    lane.text.copy(data, at, begin, end);
    firsts[index] = record - from;
    for (let own = from; own < to; own++) {
      owners[record] = index;
      starts[record++] = at + (lane.recordAt[own] ?? 0) - begin;
    }
    at += end - begin;
  }
  starts[record] = at;
  return {
    data,
    starts,
    count,
    of: (one) => {
      const index = owners[one] ?? 0;
      return [(batches[index] as Batch).lane, one - (firsts[index] ?? 0)];
    },
  };
}
