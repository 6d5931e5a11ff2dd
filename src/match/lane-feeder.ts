/**
 * Takes the units of a stream to their lanes, where records are found. A unit whose raw bytes hold nothing that a rule wants
 * is left to the log; when one of its lane does, `lane-waker.ts` has the units before it follow. So most of a stream is cut and
 * named, and not read. What a later reader needs to go on is told here too. Offsets are those of the raw bytes.
 */
import type { Chunk, SavedPosition } from '../model/seams.ts';
import type { Batch } from './batches.ts';
import { markLength } from './clean.ts';
import { isLogfmt } from './formats/logfmt.ts';
import { interleaveBytes, type Lane, laneQuietMs } from './lane.ts';
import type { LaneUnits } from './lane-units.ts';
import { LaneWaker } from './lane-waker.ts';
import { type Awake, Lanes, type Slot } from './lanes.ts';
import { addPayload } from './payload.ts';
import type { RawSearch } from './raw-search.ts';
import type { ReadCounts, ReaderOptions } from './reader.ts';
import { cutUnit, joinedUnit, messageUnit, textUnit } from './unit-kinds.ts';
import type { LoggedUnit } from './unit-log.ts';
import { Unit, type Wrapping } from './unwrap.ts';

type FeederOptions = Pick<ReaderOptions, 'multiline' | 'tz' | 'maxLineBytes'>;

const nothing: Buffer = Buffer.alloc(0);

export class LaneFeeder {
  readonly #options: FeederOptions;
  readonly #wrapping: Wrapping;
  readonly #lanes: Lanes;
  readonly #unit = new Unit();
  readonly #waker: LaneWaker;
  /** The chunk: its bytes, where it begins, when it came. */
  #data: Buffer = nothing;
  #view: Uint8Array = nothing;
  #offset = 0;
  #receivedAt = 0;
  /** Null: every unit is read. */
  #search: RawSearch | null = null;
  /** Raw bytes before this were unwrapped. -1: nothing was. */
  #scanned = -1;
  #notes: { readonly lanes: string; readonly ahead: number; readonly owned: boolean } | null = null;

  constructor(options: FeederOptions, wrapping: Wrapping, saved: SavedPosition['reader'] | null) {
    this.#options = options;
    this.#wrapping = wrapping;
    this.#lanes = new Lanes(options.multiline, options.tz);
    this.#waker = new LaneWaker(this.#lanes);
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
    const { log } = this.#waker;
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
    const { log } = this.#waker;
    if (log.end === log.base) return;
    const saved = this.saved(consumed);
    const { midUnit } = this.#wrapping.framing;
    this.startOver();
    this.#wrapping.framing.midUnit = saved['midUnit'] === true && midUnit;
    this.#take(saved);
  }

  /** Forgets everything. */
  startOver(): void {
    this.#lanes.clear();
    this.#waker.startOver();
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
    if (this.#notes !== null) {
      const { lanes, ahead, owned } = this.#notes;
      this.#lanes.resume(lanes, offset, offset + ahead, owned);
      this.#notes = null;
    }
    let at = this.#scanned < 0 ? 0 : this.#scanned - offset;
    if (offset === 0 && at === 0) at = markLength(data);
    search?.begin(data, at);
    this.#waker.begin(chunk, this.#view, at, search === null, behind);
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
    if (this.#isQuiet(this.#search, slot, textTo)) {
      if (this.#wrapping.envelope === null && textTo > unit.textFrom) counts.unparsed++;
      this.#waker.leave(slot, unit, textTo);
    } else this.#append(this.#waker.wake(slot, raw), raw, textTo, counts);
  }

  /** Whether a unit need not be read: nothing in it is wanted, and its text stands in the stream as it is. */
  #isQuiet(search: RawSearch, slot: Slot, textTo: number): boolean {
    const unit = this.#unit;
    const { text, textFrom } = unit;
    if (text !== this.#data || unit.part || unit.cut || unit.message || unit.joins) return false;
    if (slot.lane?.units.part === true || textTo - textFrom > this.#options.maxLineBytes) return false;
    const { json, logfmt } = this.#wrapping.payloads;
    if (json && text[textFrom] === 0x7b) return false;
    if (logfmt && isLogfmt(text, textFrom, textTo)) return false;
    // Last, since it costs most.
    return !search.wants(unit.from, unit.next);
  }

  #append(lane: Lane, raw: number, textEnd: number, counts: ReadCounts): void {
    const unit = this.#unit;
    const offset = this.#offset;
    const { units } = lane;
    lane.lastAt = this.#receivedAt;
    if (!units.part) {
      units.open(raw, offset + unit.to);
      units.isOver = unit.cut;
    }
    const { text, textFrom } = unit;
    let textTo = textEnd;
    const room = this.#options.maxLineBytes - units.partBytes;
    if (textTo - textFrom > room) {
      textTo = textFrom + Math.max(0, room);
      units.isOver = true;
    }
    units.append(text === this.#data ? this.#view : text, textFrom, textTo);
    if (unit.part) units.reach(offset + unit.next);
    else {
      const flags = (unit.message ? messageUnit : 0) | (unit.joins ? joinedUnit : 0);
      this.#end(units, offset + (unit.cut ? unit.to : unit.next), flags, counts);
    }
  }

  /** The lane's last unit is at its end. */
  #end(units: LaneUnits, rawEnd: number, flags: number, counts: ReadCounts | null): void {
    const from = units.used - units.partBytes;
    const kind = units.isOver ? textUnit : addPayload(units, from, this.#wrapping.payloads);
    const { envelope } = this.#wrapping;
    if (kind === textUnit && envelope === null && units.used > from && counts !== null) counts.unparsed++;
    units.close(rawEnd, kind | flags | (units.isOver ? cutUnit : 0));
  }

  /** What is complete in each lane. `after`: lines behind a record that rules want. */
  complete(chunk: Chunk, after: number, full: boolean): Batch[] {
    const batches: Batch[] = [];
    for (const slot of this.#lanes.active) {
      const { lane } = slot;
      const closing = chunk.end !== 'more' || this.#isIdle(slot);
      // An unfinished unit waits for its end, but not for ever.
      const { units } = lane;
      const unfinished = chunk.end === 'stale' || this.#scanned - units.rawEnd > interleaveBytes;
      if (units.part && unfinished) units.isOver = true;
      if (units.part && (unfinished || chunk.end === 'final')) this.#end(units, units.rawEnd, 0, null);
      let complete = lane.index({ closing, receivedAt: chunk.receivedAt });
      if (closing) this.#waker.closed(slot, lane);
      else if (this.#waker.rests(slot, lane)) complete = lane.records;
      const to = closing || after === 0 || full ? complete : Math.max(lane.told, complete - after);
      if (to > lane.told) batches.push({ lane, from: lane.told, to });
    }
    return batches;
  }

  /** A lane that only remembers how it was cut waits for nothing. */
  #isIdle({ lane: { units, lastAt } }: Awake): boolean {
    const { rawEnd } = units;
    const far = this.#scanned - rawEnd > interleaveBytes || this.#receivedAt - lastAt >= laneQuietMs;
    return rawEnd >= 0 && far;
  }

  /** The newest logged unit, for its time; null where there is none. */
  get newest(): LoggedUnit | null {
    return this.#waker.log.newest;
  }

  /**
   * Drops what is done with; call it when all batches were told. Gives where the raw bytes begin that are still needed, and
   * how many units were passed over for good, each a record of its own.
   */
  settle(chunk: Chunk): { readonly needed: number; readonly passed: number } {
    let waits = this.#scanned;
    for (const slot of this.#lanes.active) {
      const { lane } = slot;
      if (lane.waits && lane.waitsAt < waits) waits = lane.waitsAt;
      slot.doneBefore = Math.max(slot.doneBefore, lane.waits ? lane.waitsAt : lane.units.rawEnd);
    }
    const more = chunk.end === 'more';
    const left = this.#waker.settle(more, this.#scanned);
    const needed = Math.min(waits, left.needed);
    this.#lanes.sweep(this.#waker.log.base, needed);
    if (!more) this.#lanes.trim();
    this.#data = nothing;
    this.#view = nothing;
    this.#unit.forget();
    this.#wrapping.envelope?.forget?.();
    return { needed, passed: left.passed };
  }
}
