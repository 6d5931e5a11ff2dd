/**
 * The lanes of one stream, by their names, and the notes with which a later reader goes on among them: one offset can't
 * describe several open records, so each lane that has one says how far it is done. A name is cheap, so that a stream may
 * have thousands; the lane itself is there only while its text is read, and is then another's.
 */
import type { Multiline } from '../model/config.ts';
import { Lane } from './lane.ts';

/** Lanes that are kept although nothing in them is open, for the lines before their next record. */
const maxIdle = 512;
/** Names that are kept although nothing of them is open. */
const maxSlots = 8192;
/** Lanes that wait for a new name. */
const maxSpare = 1024;

/** One name. */
export interface Slot {
  readonly key: Buffer;
  readonly hash: number;
  /** Another one with the same hash. */
  next: Slot | null;
  /** Its text, while it is read. */
  lane: Lane | null;
  /** Its newest unit in the log. */
  last: number;
  /** Its units before this raw place had their effects. */
  doneBefore: number;
  /** Its newest unit that had to be read begins here. */
  wantedAt: number;
  /** Units since then. */
  since: number;
  /** Units that need not be read are left to the log, until one must be. */
  paused: boolean;
  /** How its records begin, as far as is known. */
  learned: string | null;
  /** In the list of those that are looked at after each read. */
  active: boolean;
}

/** A slot whose lane is there. */
export interface Awake extends Slot {
  lane: Lane;
}

export class Lanes {
  readonly #multiline: Multiline;
  readonly #tz: string;
  readonly #byHash = new Map<number, Slot>();
  #count = 0;
  #awake = 0;
  #last: Slot | null = null;
  readonly #spare: Lane[] = [];
  /** Those that were read since the last sweep, or wait for more. */
  active: Awake[] = [];
  /** While bytes are read again: where each lane is done, by its name; and how far the others are. */
  #doneAt = new Map<string, number>();
  #doneTo = 0;
  /** No lane was done with anything behind this. */
  #markedTo = 0;
  #owner: Buffer = Buffer.alloc(0);

  constructor(multiline: Multiline, tz: string) {
    this.#multiline = multiline;
    this.#tz = tz;
  }

  /** The slot that these bytes name. */
  of(data: Buffer, from: number, to: number): Slot {
    const last = this.#last;
    if (last !== null && isSame(last.key, data, from, to)) return last;
    let hash = 0;
    for (let at = from; at < to; at++) hash = (Math.imul(hash, 31) + (data[at] as number)) | 0;
    const first = this.#byHash.get(hash) ?? null;
    let slot = first;
    while (slot !== null && !isSame(slot.key, data, from, to)) slot = slot.next;
    if (slot === null) {
      slot = {
        key: Buffer.from(data.subarray(from, to)),
        hash,
        next: first,
        lane: null,
        last: -1,
        doneBefore: 0,
        wantedAt: -1,
        since: 0,
        paused: false,
        learned: null,
        active: false,
      };
      this.#byHash.set(hash, slot);
      this.#count++;
    }
    this.#last = slot;
    return slot;
  }

  /** The lane of a slot, which is looked at after this read. */
  wake(slot: Slot): Lane {
    let { lane } = slot;
    if (lane === null) {
      lane = this.#spare.pop() ?? new Lane(this.#multiline, this.#tz);
      if (slot.learned !== null) lane.remember(slot.learned);
      slot.lane = lane;
      this.#awake++;
    }
    if (!slot.active) {
      slot.active = true;
      this.active.push(slot as Awake);
    }
    return lane;
  }

  #release(slot: Slot): void {
    const { lane } = slot;
    if (lane === null) return;
    slot.learned = lane.learned;
    slot.lane = null;
    slot.paused = false;
    this.#awake--;
    if (this.#spare.length >= maxSpare) return;
    lane.reset();
    this.#spare.push(lane);
  }

  /** Notes the lane of a unit that had its envelope: a unit without one may go on with it. */
  owns(slot: Slot): void {
    this.#owner = slot.key;
  }

  /** The name of that lane, for the state. */
  get owner(): string {
    return this.#owner.toString('latin1');
  }

  set owner(name: string) {
    this.#owner = Buffer.from(name, 'latin1');
  }

  /** The slot for a unit without an envelope: that of the unit before it. */
  ofOrphan(): Slot {
    return this.of(this.#owner, 0, this.#owner.length);
  }

  /** Whether a unit that begins at `raw` had its effects already. */
  isDone(slot: Slot, raw: number): boolean {
    if (raw < slot.doneBefore) return true;
    if (raw >= this.#doneTo) return false;
    const own = this.#doneAt.get(slot.key.toString('latin1'));
    return own === undefined || raw < own;
  }

  /** So few names that of each the lines before its next record are kept. */
  get few(): boolean {
    return this.#count <= maxIdle;
  }

  /** All names. */
  slots(): Slot[] {
    const all: Slot[] = [];
    for (const first of this.#byHash.values())
      for (let slot: Slot | null = first; slot !== null; slot = slot.next) all.push(slot);
    return all;
  }

  /** Drops what is done with. Call it when all that is complete was told; nothing before `oldest` is in the log. */
  sweep(oldest: number, consumed: number): void {
    const waiting: Awake[] = [];
    const done: Awake[] = [];
    for (const slot of this.active) {
      slot.lane.compact();
      if (slot.lane.waits || slot.lane.inherited !== null) waiting.push(slot);
      else {
        slot.active = false;
        done.push(slot);
      }
    }
    this.active = waiting;
    if (this.#awake > maxIdle) {
      // The oldest of them are not in the list: they had nothing to say this time.
      const idle = this.#awake - waiting.length > done.length ? this.slots() : done;
      for (const slot of idle) if (!slot.active) this.#release(slot);
    }
    if (this.#count > maxSlots) this.#forget(oldest, consumed);
  }

  /** Gives room back that a burst needed. */
  trim(): void {
    this.#spare.length = 0;
    for (const { lane } of this.slots()) lane?.trim();
  }

  /** Forgets names of which nothing is open. */
  #forget(oldest: number, consumed: number): void {
    const kept = this.slots().filter(
      (slot) => slot.lane !== null || slot.last >= oldest || slot.doneBefore > consumed,
    );
    this.#byHash.clear();
    this.#last = null;
    this.#count = kept.length;
    for (const slot of kept) {
      slot.next = this.#byHash.get(slot.hash) ?? null;
      this.#byHash.set(slot.hash, slot);
    }
  }

  /** Forgets everything. */
  clear(): void {
    this.#byHash.clear();
    this.#last = null;
    this.active = [];
    this.#count = 0;
    this.#awake = 0;
    this.#spare.length = 0;
    this.#doneAt.clear();
    this.#doneTo = this.#markedTo = 0;
    this.#owner = Buffer.alloc(0);
  }

  /** Units before this place had their effects in an earlier run, but for those of lanes that say otherwise. */
  get doneTo(): number {
    return this.#doneTo;
  }

  /**
   * Notes for a later reader: how far lanes are done, counted from `offset`; empty where nothing is to be said. `all`: lanes that do not
   * wait are named too where they are done with units behind `offset`, since those will come again.
   */
  notes(offset: number, all: boolean): string {
    const notes: unknown[] = [];
    for (const slot of all || this.#markedTo > offset ? this.slots() : this.active) {
      const { lane } = slot;
      const name = slot.key.toString('latin1');
      const inherited = lane?.inherited ?? null;
      // A lane that was not done as far as the others must go on to say so.
      const own = this.#doneTo > offset ? (this.#doneAt.get(name) ?? -1) : -1;
      const done = lane?.waits === true ? lane.waitsAt : Math.max(slot.doneBefore, own);
      const says = lane?.waits === true || slot.doneBefore > offset || own >= 0;
      if (!says && inherited === null) continue;
      const mark = says ? Math.max(0, done - offset) : null;
      notes.push(inherited === null ? [name, mark] : [name, mark, inherited]);
    }
    return notes.length === 0 ? '' : JSON.stringify(notes);
  }

  /**
   * Goes on where `notes` were taken; `offset` is the same as then, and everything before `doneTo` was read. `owned`: whose a unit without
   * an envelope is at the offset is known.
   */
  resume(notes: string, offset: number, doneTo: number, owned: boolean): void {
    this.#doneTo = doneTo;
    this.#markedTo = doneTo;
    let list: unknown;
    try {
      list = notes === '' ? [] : JSON.parse(notes);
    } catch {
      return;
    }
    if (!Array.isArray(list)) return;
    for (const one of list) {
      const [name, done, inherited] = one as [
        string,
        number | null,
        Parameters<Lane['inherit']>[0] | undefined,
      ];
      const key = Buffer.from(name, 'latin1');
      if (done !== null) {
        const mark = offset + done;
        this.#doneAt.set(name, mark);
        this.of(key, 0, key.length).doneBefore = mark;
        this.#markedTo = Math.max(this.#markedTo, mark);
      }
      // Where no envelope stands at the offset, the lane that waits there is the one it goes on with.
      if (done === 0 && !owned) this.owner = name;
      if (inherited !== undefined) this.wake(this.of(key, 0, key.length)).inherit(inherited);
    }
  }
}

function isSame(key: Buffer, data: Buffer, from: number, to: number): boolean {
  const length = key.length;
  if (to - from !== length) return false;
  for (let i = 0; i < length; i++) if (key[i] !== data[from + i]) return false;
  return true;
}
