/**
 * Says when the units of a lane are read and when they are left to the log. It wakes a lane for a unit that is wanted, with
 * as many of those before it as its record and its context may need; it leaves a lane to the log again when nothing was
 * wanted for long; and it forgets what no lane can need any more. Which unit is wanted it is told by `lane-feeder.ts`.
 */
import type { Chunk } from '../model/seams.ts';
import { interleaveBytes, type Lane, laneQuietMs } from './lane.ts';
import { contextUnits, historyOf, maxHistory } from './lane-history.ts';
import type { Lanes, Slot } from './lanes.ts';
import { textUnit } from './unit-kinds.ts';
import { UnitLog } from './unit-log.ts';
import type { Unit } from './unwrap.ts';

/** So many units without anything wanted, and a lane is left to the log again. */
const pauseUnits = 64;
const nothing: Buffer = Buffer.alloc(0);
/** Used within one call; the readers of all streams share it. */
const walk = new Float64Array(maxHistory);

export class LaneWaker {
  readonly log = new UnitLog();
  readonly #lanes: Lanes;
  /** The chunk: its bytes, where it begins, when it came. */
  #data: Buffer = nothing;
  #view: Uint8Array = nothing;
  #offset = 0;
  #receivedAt = 0;
  /** Every unit is read. */
  #all = false;
  /** Rules want lines behind their records: lanes that were woken stay so. */
  #behind = false;
  /** Ends of reads and their times, as long as what came then may wait for its next line. */
  readonly #reads: { readonly from: number; readonly at: number }[] = [];

  constructor(lanes: Lanes) {
    this.#lanes = lanes;
  }

  /**
   * Goes on with a chunk: `view` shows its bytes, those from `from` on are new. `all`: every unit is wanted. `behind`: the lines behind
   * a record are wanted too.
   */
  begin(chunk: Chunk, view: Uint8Array, from: number, all: boolean, behind: boolean): void {
    this.#data = chunk.data;
    this.#view = view;
    this.#offset = chunk.offset;
    this.#receivedAt = chunk.receivedAt;
    this.#all = all;
    this.#behind = behind;
    this.#reads.push({ from: chunk.offset + from, at: chunk.receivedAt });
  }

  /** Forgets everything, but for the lanes. */
  startOver(): void {
    this.log.dropBefore(this.log.end);
    this.#reads.length = 0;
  }

  /** A unit of a slot that need not be read; its text ends at `textTo`. */
  leave(slot: Slot, unit: Unit, textTo: number): void {
    const offset = this.#offset;
    const { from, to, next, textFrom } = unit;
    const logged = this.log.add(
      slot,
      offset + from,
      offset + to,
      offset + next,
      offset + textFrom,
      offset + textTo,
    );
    if (slot.lane === null || slot.paused) return;
    this.#lanes.wake(slot);
    this.#follow(slot.lane, logged);
    if (++slot.since >= pauseUnits) this.#pause(slot);
  }

  /** The lane of a slot whose next unit, at `raw`, must be read: the units before it are there. */
  wake(slot: Slot, raw: number): Lane {
    const lane = slot.lane === null || slot.paused ? this.#rouse(slot, raw) : this.#lanes.wake(slot);
    slot.wantedAt = raw;
    slot.since = 0;
    // What has other bytes than the stream's can't follow later: what is before it can't either.
    slot.last = -1;
    return lane;
  }

  /** A lane that was not read: the units before `raw` follow. */
  #rouse(slot: Slot, raw: number): Lane {
    const had = slot.lane !== null;
    const lane = this.#lanes.wake(slot);
    slot.paused = false;
    const bytes = { log: this.log, data: this.#data, offset: this.#offset };
    const count = historyOf(bytes, slot, lane, raw, had, walk);
    if (!had) this.#lead(slot, lane, count);
    for (let at = count - 1; at >= 0; at--) {
      const logged = walk[at] as number;
      if (!this.log.isFed(logged)) this.#follow(lane, logged);
    }
    return lane;
  }

  /** What was told before is there for the lines before a record only. */
  #lead(slot: Slot, lane: Lane, count: number): void {
    const { log } = this;
    let some = false;
    for (let at = count - 1; at >= 0; at--) {
      const logged = walk[at] as number;
      if (!log.isFed(logged) && log.rawOf(logged) >= slot.doneBefore) continue;
      this.#follow(lane, logged);
      some = true;
    }
    if (some) this.#passOver(lane);
  }

  /** All that a lane has is there for the lines before its next record. */
  #passOver(lane: Lane): void {
    lane.index({ closing: true, receivedAt: this.#receivedAt });
    lane.told = lane.records;
  }

  /** A logged unit goes to its lane. */
  #follow(lane: Lane, logged: number): void {
    const { log } = this;
    log.setFed(logged, true);
    lane.lastAt = this.#receivedAt;
    const { units } = lane;
    units.open(log.rawOf(logged), log.toOf(logged));
    units.isOver = false;
    units.append(this.#view, log.textFromOf(logged) - this.#offset, log.textToOf(logged) - this.#offset);
    units.close(log.nextOf(logged), textUnit);
  }

  /** Nothing was wanted of a lane for long: what follows is left to the log, and so is its open record. */
  #pause(slot: Slot): void {
    const { lane } = slot;
    slot.since = 0;
    if (lane === null || lane.units.part || this.#behind) return;
    lane.index({ closing: false, receivedAt: this.#receivedAt });
    this.rests(slot, lane);
  }

  /** All records of a lane are complete: what comes next is left to the log. */
  closed(slot: Slot, lane: Lane): void {
    slot.paused = !this.#all && !lane.units.part && lane.inherited === null;
  }

  /** Leaves a lane to the log, and its open record where nothing in that is wanted; gives whether it could. Call it after `index`. */
  rests(slot: Slot, lane: Lane): boolean {
    if (!this.#isGivenBack(slot, lane)) return false;
    slot.paused = true;
    return true;
  }

  #isGivenBack(slot: Slot, lane: Lane): boolean {
    if (this.#all || this.#behind || lane.units.part || lane.inherited !== null) return false;
    if (!lane.decided) return false;
    const { log } = this;
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

  /**
   * Forgets the units that no record to come can need; all before `scanned` were read. Gives the raw place of the oldest that
   * is left, `scanned` where none is, and how many were passed over for good, each a record of its own.
   */
  settle(more: boolean, scanned: number): { readonly needed: number; readonly passed: number } {
    const { log } = this;
    const first = log.firstFrom(more ? Math.min(this.#openFrom(scanned), scanned) : scanned);
    const needed = first < log.end ? log.rawOf(first) : scanned;
    this.#keepContext(first);
    const passed = log.dropBefore(first);
    if (!more) {
      // Nothing is open: gives back what a burst needed.
      this.#reads.length = 0;
      log.trim();
    }
    this.#data = nothing;
    this.#view = nothing;
    return { needed, passed };
  }

  /** Units behind this place may be a part of a record that is still to come. */
  #openFrom(scanned: number): number {
    const reads = this.#reads;
    while (reads.length > 1 && this.#receivedAt - (reads[0]?.at ?? 0) >= laneQuietMs) reads.shift();
    const [oldest] = reads;
    const from = oldest === undefined || this.#receivedAt - oldest.at >= laneQuietMs ? scanned : oldest.from;
    return Math.max(from, scanned - interleaveBytes);
  }

  /** Of what leaves the log a lane keeps the last lines, for its next record. */
  #keepContext(first: number): void {
    const { log } = this;
    if (first === log.base || !this.#lanes.few) return;
    for (const slot of this.#lanes.slots()) {
      let at = slot.last;
      while (at >= first) at = log.beforeOf(at);
      if (at < log.base || log.isFed(at) || (slot.lane !== null && !slot.paused)) continue;
      let count = 0;
      for (; at >= log.base && count < contextUnits && !log.isFed(at); at = log.beforeOf(at))
        walk[count++] = at;
      const lane = this.#lanes.wake(slot);
      slot.paused = true;
      while (count > 0) {
        const logged = walk[--count] as number;
        this.#follow(lane, logged);
        log.setFed(logged, false);
      }
      this.#passOver(lane);
    }
  }
}
