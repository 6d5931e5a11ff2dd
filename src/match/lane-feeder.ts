/**
 * Takes the units of a stream to their lanes, where records are found. A unit whose raw bytes hold nothing that a rule wants
 * is only logged; when one of its lane does, the units before it follow into the lane, as many as its record and its context
 * may need. So most of a stream is cut and named, and not read. Offsets are those of the raw bytes.
 */
import type { Chunk, SavedPosition } from '../model/seams.ts';
import type { Batch } from './batches.ts';
import { markLength } from './clean.ts';
import { isLogfmt } from './formats/logfmt.ts';
import { interleaveBytes, type Lane, laneQuietMs } from './lane.ts';
import { contextOf, historyOf, maxHistory } from './lane-history.ts';
import { type Awake, Lanes, type Slot } from './lanes.ts';
import { addPayload } from './payload.ts';
import type { RawSearch } from './raw-search.ts';
import type { ReadCounts, ReaderOptions } from './reader.ts';
import { cutUnit, joinedUnit, messageUnit, textUnit } from './unit-kinds.ts';
import { type LoggedUnit, UnitLog } from './unit-log.ts';
import { Unit, type Wrapping } from './unwrap.ts';

type FeederOptions = Pick<ReaderOptions, 'multiline' | 'tz' | 'maxLineBytes'>;

/** So many units without anything wanted, and a lane is left to the log again. */
const pauseUnits = 64;
const nothing: Buffer = Buffer.alloc(0);
/** Used within one call; the readers of all streams share it. */
const walk = new Float64Array(maxHistory);

export class LaneFeeder {
  readonly #options: FeederOptions;
  readonly #wrapping: Wrapping;
  readonly #lanes: Lanes;
  readonly #unit = new Unit();
  readonly #log = new UnitLog();
  /** The chunk: its bytes, where it begins, when it came. */
  #data: Buffer = nothing;
  #view: Uint8Array = nothing;
  #offset = 0;
  #receivedAt = 0;
  /** Null: every unit is read. */
  #search: RawSearch | null = null;
  /** Rules want lines behind their records: lanes that were woken stay so. */
  #behind = false;
  /** Raw bytes before this were unwrapped. -1: nothing was. */
  #scanned = -1;
  /** Ends of reads and their times, as long as what came then may wait for its next line. */
  readonly #reads: { readonly from: number; readonly at: number }[] = [];
  #notes: { readonly lanes: string; readonly ahead: number; readonly owned: boolean } | null = null;

  constructor(options: FeederOptions, wrapping: Wrapping, saved: SavedPosition['reader'] | null) {
    this.#options = options;
    this.#wrapping = wrapping;
    this.#lanes = new Lanes(options.multiline, options.tz);
    wrapping.framing.midUnit = saved?.['midUnit'] === true;
    this.#take(saved);
  }

  #take(saved: SavedPosition['reader'] | null): void {
    const owned = typeof saved?.['owner'] === 'string';
    if (owned) this.#lanes.owner = saved['owner'] as string;
    const lanes = saved?.['lanes'];
    const ahead = saved?.['ahead'];
    if (typeof lanes !== 'string' && typeof ahead !== 'number') return;
    this.#notes = {
      lanes: typeof lanes === 'string' ? lanes : '',
      ahead: typeof ahead === 'number' ? ahead : 0,
      owned,
    };
  }

  /** What a later reader needs that goes on at `consumed`. */
  saved(consumed: number): SavedPosition['reader'] {
    const log = this.#log;
    const lanes = this.#lanes;
    const quiet = log.end > log.base;
    // Lanes that are not named are done so far: with all that was read, or where most of it was not, with what was done before.
    const ahead = Math.max(quiet ? 0 : this.#scanned, lanes.doneTo) - consumed;
    const notes = lanes.notes(consumed, quiet);
    const behind = this.#scanned > consumed;
    const first = quiet ? log.slotOf(log.firstFrom(consumed)) : null;
    const owner = behind ? (first?.key.toString('latin1') ?? '') : lanes.owner;
    return {
      ...(owner !== '' && this.#wrapping.envelope?.goesOn ? { owner } : {}),
      ...(ahead > 0 ? { ahead } : {}),
      ...(notes === '' ? {} : { lanes: notes }),
      // Read again from before its start, a line over the limit is found to be one again.
      ...(!behind && this.#wrapping.framing.midUnit ? { midUnit: true } : {}),
    };
  }

  /** Rules that want something else come: what waits is read again for them. Call it between chunks. */
  reread(consumed: number): void {
    if (this.#log.end === this.#log.base) return;
    const saved = this.saved(consumed);
    const { midUnit } = this.#wrapping.framing;
    this.startOver();
    this.#wrapping.framing.midUnit = saved['midUnit'] === true && midUnit;
    this.#take(saved);
  }

  /** Forgets everything. */
  startOver(): void {
    this.#lanes.clear();
    this.#log.dropBefore(this.#log.end);
    this.#reads.length = 0;
    this.#scanned = -1;
    this.#wrapping.framing.midUnit = false;
  }

  /** Takes every new unit of a chunk. `search`: tells which of them must be read; null where all must. */
  feed(chunk: Chunk, search: RawSearch | null, behind: boolean, counts: ReadCounts): void {
    const { data, offset } = chunk;
    this.#data = data;
    // A plain view is cut faster than a Buffer.
    this.#view = new Uint8Array(data.buffer, data.byteOffset, data.length);
    this.#offset = offset;
    this.#receivedAt = chunk.receivedAt;
    this.#search = search;
    this.#behind = behind;
    if (this.#notes !== null) {
      const { lanes, ahead, owned } = this.#notes;
      this.#lanes.resume(lanes, offset, offset + ahead, owned);
      this.#notes = null;
    }
    let at = this.#scanned < 0 ? 0 : this.#scanned - offset;
    if (offset === 0 && at === 0) at = markLength(data);
    search?.begin(data, at);
    this.#reads.push({ from: offset + at, at: chunk.receivedAt });
    this.#units(at, chunk, counts);
    search?.end();
  }

  #units(start: number, chunk: Chunk, counts: ReadCounts): void {
    const data = this.#data;
    const lanes = this.#lanes;
    const { framing, envelope } = this.#wrapping;
    const unit = this.#unit;
    const how = { final: chunk.end === 'final', frames: chunk.frames ?? null };
    let at = start;
    while (framing.next(data, at, unit, how)) {
      if (unit.from > at && data[at] === 0) counts.nulBytes += unit.from - at;
      if (envelope === null || !envelope.read(data, unit)) {
        if (envelope !== null && unit.to > unit.from) counts.unparsed++;
        unit.isText(data);
        const orphan = envelope?.goesOn === true;
        this.#unitOf(orphan ? lanes.ofOrphan() : lanes.of(data, unit.laneFrom, unit.laneTo), counts);
      } else {
        if (unit.bare) counts.unparsed++;
        const slot = lanes.of(unit.laneData, unit.laneFrom, unit.laneTo);
        lanes.owns(slot);
        this.#unitOf(slot, counts);
      }
      at = unit.next;
    }
    this.#scanned = this.#offset + at;
  }

  #unitOf(slot: Slot, counts: ReadCounts): void {
    const unit = this.#unit;
    const raw = this.#offset + unit.from;
    if (this.#lanes.isDone(slot, raw)) return;
    let { textTo } = unit;
    if (!unit.part) while (textTo > unit.textFrom && unit.text[textTo - 1] === 0x0d) textTo--;
    if (this.#search === null) {
      this.#append(this.#lanes.wake(slot), raw, textTo, counts);
      return;
    }
    if (!this.#isQuiet(this.#search, slot, textTo)) {
      const lane = slot.lane === null || slot.paused ? this.#wake(slot, raw) : this.#lanes.wake(slot);
      slot.wantedAt = raw;
      slot.since = 0;
      // What has other bytes than the stream's can't follow later: what is before it can't either.
      slot.last = -1;
      this.#append(lane, raw, textTo, counts);
      return;
    }
    const { to, next, textFrom } = unit;
    const offset = this.#offset;
    if (this.#wrapping.envelope === null && textTo > textFrom) counts.unparsed++;
    const logged = this.#log.add(slot, raw, offset + to, offset + next, offset + textFrom, offset + textTo);
    if (slot.lane === null || slot.paused) return;
    this.#lanes.wake(slot);
    this.#follow(slot.lane, logged);
    if (++slot.since >= pauseUnits) this.#pause(slot);
  }

  /** Whether a unit need not be read: nothing in it is wanted, and its text stands in the stream as it is. */
  #isQuiet(search: RawSearch, slot: Slot, textTo: number): boolean {
    const unit = this.#unit;
    const { text, textFrom } = unit;
    if (text !== this.#data || unit.part || unit.cut || unit.message || unit.joins) return false;
    if (slot.lane?.part === true || textTo - textFrom > this.#options.maxLineBytes) return false;
    const { json, logfmt } = this.#wrapping.payloads;
    if (json && text[textFrom] === 0x7b) return false;
    if (logfmt && isLogfmt(text, textFrom, textTo)) return false;
    // Last, since it costs most.
    return !search.wants(unit.from, unit.next);
  }

  #append(lane: Lane, raw: number, textEnd: number, counts: ReadCounts): void {
    const unit = this.#unit;
    const offset = this.#offset;
    lane.lastAt = this.#receivedAt;
    if (!lane.part) {
      lane.open(raw, offset + unit.to);
      lane.isOver = unit.cut;
    }
    const { text, textFrom } = unit;
    let textTo = textEnd;
    const room = this.#options.maxLineBytes - lane.partBytes;
    if (textTo - textFrom > room) {
      textTo = textFrom + Math.max(0, room);
      lane.isOver = true;
    }
    lane.append(text === this.#data ? this.#view : text, textFrom, textTo);
    if (unit.part) lane.reach(offset + unit.next);
    else {
      const flags = (unit.message ? messageUnit : 0) | (unit.joins ? joinedUnit : 0);
      this.#end(lane, offset + (unit.cut ? unit.to : unit.next), flags, counts);
    }
  }

  /** The lane's last unit is at its end. */
  #end(lane: Lane, rawEnd: number, flags: number, counts: ReadCounts | null): void {
    const from = lane.used - lane.partBytes;
    const kind = lane.isOver ? textUnit : addPayload(lane, from, this.#wrapping.payloads);
    const { envelope } = this.#wrapping;
    if (kind === textUnit && envelope === null && lane.used > from && counts !== null) counts.unparsed++;
    lane.close(rawEnd, kind | flags | (lane.isOver ? cutUnit : 0));
  }

  /** A logged unit goes to its lane. */
  #follow(lane: Lane, logged: number): void {
    const log = this.#log;
    log.setFed(logged, true);
    lane.lastAt = this.#receivedAt;
    lane.open(log.rawOf(logged), log.toOf(logged));
    lane.isOver = false;
    lane.append(this.#view, log.textFromOf(logged) - this.#offset, log.textToOf(logged) - this.#offset);
    lane.close(log.nextOf(logged), textUnit);
  }

  /** The lane of a slot whose next unit, at `raw`, must be read: the units before it follow. */
  #wake(slot: Slot, raw: number): Lane {
    const had = slot.lane !== null;
    const lane = this.#lanes.wake(slot);
    slot.paused = false;
    const bytes = { log: this.#log, data: this.#data, offset: this.#offset };
    const count = historyOf(bytes, slot, lane, raw, had, walk);
    if (!had) this.#lead(slot, lane, count);
    for (let at = count - 1; at >= 0; at--) {
      const logged = walk[at] as number;
      if (!this.#log.isFed(logged)) this.#follow(lane, logged);
    }
    return lane;
  }

  /** What was told before is there for the lines before a record only. */
  #lead(slot: Slot, lane: Lane, count: number): void {
    const log = this.#log;
    let some = false;
    for (let at = count - 1; at >= 0; at--) {
      const logged = walk[at] as number;
      if (!log.isFed(logged) && log.rawOf(logged) >= slot.doneBefore) continue;
      this.#follow(lane, logged);
      some = true;
    }
    if (!some) return;
    lane.index({ closing: true, receivedAt: this.#receivedAt });
    lane.told = lane.records;
  }

  /** Nothing was wanted of a lane for long: what follows is left to the log, and so is its open record. */
  #pause(slot: Slot): void {
    const { lane } = slot;
    slot.since = 0;
    if (lane === null || lane.part || this.#behind) return;
    lane.index({ closing: false, receivedAt: this.#receivedAt });
    slot.paused = this.#isGivenBack(slot, lane);
  }

  /** Leaves the open record of a lane to the log, where nothing in it is wanted. Call it after `index`. */
  #isGivenBack(slot: Slot, lane: Lane): boolean {
    if (this.#search === null || this.#behind || lane.part || lane.inherited !== null) return false;
    if (!lane.decided) return false;
    const log = this.#log;
    const { openAt } = lane;
    if (openAt === null) return true;
    // Its beginning must be in the log.
    if (openAt <= slot.wantedAt) return false;
    let first = -1;
    for (let at = slot.last; at >= log.base && log.rawOf(at) >= openAt; at = log.beforeOf(at)) first = at;
    if (first < 0 || log.rawOf(first) !== openAt) return false;
    lane.giveBack();
    for (let at = slot.last; at >= first; at = log.beforeOf(at)) log.setFed(at, false);
    return true;
  }

  /** What is complete in each lane. `after`: lines behind a record that rules want. */
  complete(chunk: Chunk, after: number, full: boolean): Batch[] {
    const batches: Batch[] = [];
    for (const slot of this.#lanes.active) {
      const { lane } = slot;
      const closing = chunk.end !== 'more' || this.#isIdle(slot);
      // An unfinished unit waits for its end, but not for ever.
      const unfinished = chunk.end === 'stale' || this.#scanned - lane.rawEnd > interleaveBytes;
      if (lane.part && unfinished) lane.isOver = true;
      if (lane.part && (unfinished || chunk.end === 'final')) this.#end(lane, lane.rawEnd, 0, null);
      let complete = lane.index({ closing, receivedAt: chunk.receivedAt });
      if (closing) slot.paused = this.#search !== null && !lane.part && lane.inherited === null;
      else if (this.#isGivenBack(slot, lane)) {
        slot.paused = true;
        complete = lane.records;
      }
      const to = closing || after === 0 || full ? complete : Math.max(lane.told, complete - after);
      if (to > lane.told) batches.push({ lane, from: lane.told, to });
    }
    return batches;
  }

  /** A lane that only remembers how it was cut waits for nothing. */
  #isIdle({ lane }: Awake): boolean {
    return (
      lane.rawEnd >= 0 &&
      (this.#scanned - lane.rawEnd > interleaveBytes || this.#receivedAt - lane.lastAt >= laneQuietMs)
    );
  }

  /** The newest logged unit, for its time; null where there is none. */
  get newest(): LoggedUnit | null {
    return this.#log.newest;
  }

  /**
   * Drops what is done with; call it when all batches were told. Gives where the raw bytes begin that are still needed, and
   * how many units were passed over for good, each a record of its own.
   */
  settle(chunk: Chunk): { readonly needed: number; readonly passed: number } {
    const log = this.#log;
    let needed = this.#scanned;
    for (const slot of this.#lanes.active) {
      const { lane } = slot;
      if (lane.waits && lane.waitsAt < needed) needed = lane.waitsAt;
      slot.doneBefore = Math.max(slot.doneBefore, lane.waits ? lane.waitsAt : lane.rawEnd);
    }
    const open = chunk.end === 'more' ? Math.min(this.#openFrom(), this.#scanned) : this.#scanned;
    const first = log.firstFrom(open);
    if (first < log.end) needed = Math.min(needed, log.rawOf(first));
    this.#keepContext(first);
    const passed = log.dropBefore(first);
    this.#lanes.sweep(log.base, needed);
    if (chunk.end !== 'more') this.#trim();
    this.#data = nothing;
    this.#view = nothing;
    this.#unit.forget();
    this.#wrapping.envelope?.forget?.();
    return { needed, passed };
  }

  /** Nothing is open: gives back what a burst needed. */
  #trim(): void {
    this.#reads.length = 0;
    this.#log.trim();
    this.#lanes.trim();
  }

  /** Units behind this place may be a part of a record that is still to come. */
  #openFrom(): number {
    const reads = this.#reads;
    while (reads.length > 1 && this.#receivedAt - (reads[0]?.at ?? 0) >= laneQuietMs) reads.shift();
    const [oldest] = reads;
    const from =
      oldest === undefined || this.#receivedAt - oldest.at >= laneQuietMs ? this.#scanned : oldest.from;
    return Math.max(from, this.#scanned - interleaveBytes);
  }

  /** Of what leaves the log a lane keeps the last lines, for its next record. */
  #keepContext(first: number): void {
    const log = this.#log;
    if (first === log.base || !this.#lanes.few) return;
    for (const slot of this.#lanes.slots()) {
      let at = slot.last;
      while (at >= first) at = log.beforeOf(at);
      if (at < log.base || log.isFed(at) || (slot.lane !== null && !slot.paused)) continue;
      const lane = this.#lanes.wake(slot);
      slot.paused = true;
      const bytes = { log, data: this.#data, offset: this.#offset };
      let count = contextOf(bytes, at, lane, walk, (unit) => log.isFed(unit));
      while (count > 0) {
        const logged = walk[--count] as number;
        this.#follow(lane, logged);
        log.setFed(logged, false);
      }
      lane.index({ closing: true, receivedAt: this.#receivedAt });
      lane.told = lane.records;
    }
  }
}
