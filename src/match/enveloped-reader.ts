/**
 * Reads one stream whose lines come in an envelope or have fields of their own: bytes in, the records that rules want out,
 * as `reader.ts` does for plain streams. Units are unwrapped into lanes, each lane finds its records, and what is complete
 * is searched together. Offsets are those of the raw bytes; the bytes behind the oldest open record are presented again,
 * and are not read twice. It never looks at the clock and does no I/O.
 */
import type { RecordMatch, RuleHit } from '../model/match.ts';
import type { Chunk, SavedPosition } from '../model/seams.ts';
import { type Batch, gather } from './batches.ts';
import { cleanText, isClean } from './clean.ts';
import type { CompiledRules } from './compile.ts';
import { comesFrom } from './conditions.ts';
import { contextBefore, linesBehind } from './context-lines.ts';
import { hitsOf } from './hits.ts';
import type { Lane } from './lane.ts';
import { LaneFeeder } from './lane-feeder.ts';
import { readPayload } from './payload.ts';
import { type RawSearch, rawSearchFor } from './raw-search.ts';
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
import { textUnit } from './unit-kinds.ts';
import { type EnvelopeFacts, Unit, type Wrapping } from './unwrap.ts';

export class EnvelopedReader implements Reader {
  readonly #options: ReaderOptions;
  readonly #wrapping: Wrapping;
  readonly #feeder: LaneFeeder;
  readonly #unit = new Unit();
  #scan: ScanState = freshScan();
  #expected = -1;
  #rules: CompiledRules | null = null;
  #search: RawSearch | null = null;
  #allowed: readonly boolean[] = [];
  #fallbacksSeen = 0;

  /** `saved`: what `saved()` gave at the offset where reading goes on, or null. */
  constructor(options: ReaderOptions, wrapping: Wrapping, saved: SavedPosition['reader'] | null) {
    this.#options = options;
    this.#wrapping = wrapping;
    this.#feeder = new LaneFeeder(options, wrapping, saved);
  }

  get handsOver(): boolean {
    return this.#wrapping.envelope?.rotatesAnywhere === true;
  }

  saved(): SavedPosition['reader'] {
    return this.#feeder.saved(this.#expected);
  }

  read(rules: CompiledRules, chunk: Chunk): ReadResult {
    const feeder = this.#feeder;
    this.#use(rules);
    const counts = noCounts();
    const { data, offset } = chunk;
    if (this.#expected >= 0 && offset !== this.#expected) feeder.startOver();
    feeder.feed(chunk, this.#search, rules.after > 0, counts);
    const batches = feeder.complete(chunk, rules.after, data.length > fullBytes);
    const matches = this.#matches(rules, chunk, batches, counts);
    let records = 0;
    for (const batch of batches) {
      records += batch.to - batch.from;
      for (let at = batch.from; at < batch.to; at++) if (batch.lane.isCut(at)) counts.truncatedLines++;
    }
    const newestTime = this.#newestTime(chunk, batches);
    for (const batch of batches) batch.lane.told = batch.to;
    const { needed, passed } = feeder.settle(chunk);
    this.#unit.forget();
    if (chunk.end === 'final') feeder.startOver();
    this.#expected = chunk.end === 'final' ? offset + data.length : needed;
    return { consumed: this.#expected - offset, records: records + passed, newestTime, matches, counts };
  }

  #use(rules: CompiledRules): void {
    if (this.#rules === rules) return;
    if (this.#rules !== null) this.#feeder.reread(this.#expected);
    this.#rules = rules;
    this.#search = rawSearchFor(rules);
    this.#allowed = rules.entries.map((entry) => comesFrom(entry.conditions.from, this.#options.stream));
    this.#scan = freshScan();
    this.#fallbacksSeen = rules.test.fallbacks;
  }

  #matches(rules: CompiledRules, chunk: Chunk, batches: readonly Batch[], counts: ReadCounts): RecordMatch[] {
    const matches: RecordMatch[] = [];
    if (batches.length === 0 || rules.entries.length === 0) return matches;
    const gathered = gather(batches);
    const scanCounts = { slowBlocks: 0, invalidBlocks: 0 };
    const { data } = gathered;
    const isText = (from: number, to: number): boolean => isClean(data.subarray(from, to));
    scanRecords(rules, { ...gathered, textStart: 0, isText }, this.#scan, scanCounts, (record) => {
      const [lane, own] = gathered.of(record);
      const match = this.#look(rules, chunk, lane, own);
      if (match !== null) matches.push(match);
      return match !== null;
    });
    if (batches.length > 1) matches.sort((a, b) => a.record.offset - b.record.offset);
    counts.slowBlocks += scanCounts.slowBlocks;
    counts.invalidUtf8 += scanCounts.invalidBlocks;
    counts.setFallbacks += rules.test.fallbacks - this.#fallbacksSeen;
    this.#fallbacksSeen = rules.test.fallbacks;
    return matches;
  }

  #subject(chunk: Chunk, lane: Lane, record: number): RecordSubject {
    const start = lane.recordAt[record] ?? 0;
    let end = lane.recordAt[record + 1] ?? 0;
    while (end > start && lane.text[end - 1] === 0x0a) end--;
    const text = cleanText(lane.text, start, end);
    const { offset } = chunk;
    const from = lane.rawOf(record) - offset;
    return this.#subjectOf(chunk, text, lane.kindOf(record), from, lane.firstEndOf(record) - offset);
  }

  /** A text of a kind; its first unit's bytes are those of the chunk from `from` to `to`. */
  #subjectOf(chunk: Chunk, text: string, kind: number, from: number, to: number): RecordSubject {
    const { format, tz } = this.#options;
    const { receivedAt } = chunk;
    const envelope = this.#facts(chunk, from, to);
    const { raw, head } = readPayload(text, kind, format, tz, receivedAt);
    const context = { ...this.#options, receivedAt, envelope };
    if (envelope === null) return new RecordSubject(raw, null, context, head);
    return new RecordSubject(raw, null, context, {
      ...head,
      time: head.zoned ? head.time : (envelope.time ?? head.time),
      level: head.level ?? envelope.level,
      fields: head.fields === null ? envelope.fields : { ...envelope.fields, ...head.fields },
    });
  }

  /** What the envelope of a unit says; null where it has none. */
  #facts(chunk: Chunk, from: number, to: number): EnvelopeFacts | null {
    const { envelope } = this.#wrapping;
    if (envelope === null) return null;
    const { data } = chunk;
    const unit = this.#unit;
    unit.from = from;
    unit.to = to;
    // Found before: nothing is learned from it a second time.
    unit.message = true;
    if (!envelope.read(data, unit)) return null;
    const { tz } = this.#options;
    return envelope.facts(data, from, to, { tz, receivedAt: chunk.receivedAt });
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

  /** The time of the record that reaches furthest, or of the line behind it that was passed over. */
  #newestTime(chunk: Chunk, batches: readonly Batch[]): number | null {
    let last: Batch | null = null;
    for (const batch of batches)
      if (last === null || batch.lane.rawOf(batch.to - 1) > last.lane.rawOf(last.to - 1)) last = batch;
    const { newest } = this.#feeder;
    if (newest !== null && (last === null || last.lane.rawOf(last.to - 1) < newest.raw)) {
      const { data, offset } = chunk;
      const text = cleanText(data, newest.textFrom - offset, newest.textTo - offset);
      return this.#subjectOf(chunk, text, textUnit, newest.raw - offset, newest.to - offset).head.time;
    }
    return last === null ? null : this.#subject(chunk, last.lane, last.to - 1).head.time;
  }
}
