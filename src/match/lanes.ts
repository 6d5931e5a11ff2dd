/**
 * The lanes of one stream, by their names, and the notes with which a later reader goes on among them: one offset can't
 * describe several open records, so each lane that has one says how far it is done. Lanes without one are thrown away when
 * there are many.
 */
import type { Multiline } from '../model/config.ts';
import { Lane } from './lane.ts';

/** Lanes that are kept although nothing in them is open, for the lines before their next record. */
const maxIdle = 512;

export class Lanes {
  readonly #multiline: Multiline;
  readonly #tz: string;
  readonly #byHash = new Map<number, Lane[]>();
  #count = 0;
  #last: Lane | null = null;
  /** Lanes that were written to since the last sweep, or wait for more. */
  active: Lane[] = [];
  /** While bytes are read again: where each lane is done, by its name; and how far the others are. */
  #doneAt = new Map<string, number>();
  #doneTo = 0;
  #owner: Buffer = Buffer.alloc(0);

  constructor(multiline: Multiline, tz: string) {
    this.#multiline = multiline;
    this.#tz = tz;
  }

  /** The lane that these bytes name. */
  of(data: Buffer, from: number, to: number): Lane {
    const last = this.#last;
    if (last !== null && isSame(last.key, data, from, to)) return last;
    let hash = 0;
    for (let at = from; at < to; at++) hash = (Math.imul(hash, 31) + (data[at] as number)) | 0;
    let bucket = this.#byHash.get(hash);
    if (bucket === undefined) {
      bucket = [];
      this.#byHash.set(hash, bucket);
    }
    let lane = bucket.find((one) => isSame(one.key, data, from, to));
    if (lane === undefined) {
      lane = new Lane(Buffer.from(data.subarray(from, to)), this.#multiline, this.#tz);
      bucket.push(lane);
      this.#count++;
    }
    this.#last = lane;
    if (!lane.active) {
      lane.active = true;
      this.active.push(lane);
    }
    return lane;
  }

  /** Notes the lane of a unit that had its envelope: a unit without one may go on with it. */
  owns(lane: Lane): void {
    this.#owner = lane.key;
  }

  /** The name of that lane, for the state. */
  get owner(): string {
    return this.#owner.toString('latin1');
  }

  set owner(name: string) {
    this.#owner = Buffer.from(name, 'latin1');
  }

  /** The lane for a unit without an envelope: that of the unit before it. */
  ofOrphan(): Lane {
    return this.of(this.#owner, 0, this.#owner.length);
  }

  /** Whether a lane's unit that begins at `raw` had its effects in an earlier run. */
  isDone(lane: Lane, raw: number): boolean {
    if (raw >= this.#doneTo) return false;
    const own = this.#doneAt.get(lane.key.toString('latin1'));
    return own === undefined || raw < own;
  }

  /** Drops what is done with. Call it when all that is complete was told. */
  sweep(): void {
    const waiting: Lane[] = [];
    for (const lane of this.active) {
      lane.compact();
      if (lane.waits || lane.inherited !== null) waiting.push(lane);
      else lane.active = false;
    }
    this.active = waiting;
    if (this.#last !== null && !this.#last.active) this.#last = null;
    if (this.#count - waiting.length <= maxIdle) return;
    this.#byHash.clear();
    this.#last = null;
    this.#count = 0;
    for (const lane of waiting) this.#keep(lane);
  }

  #keep(lane: Lane): void {
    let hash = 0;
    for (const byte of lane.key) hash = (Math.imul(hash, 31) + byte) | 0;
    const bucket = this.#byHash.get(hash);
    if (bucket) bucket.push(lane);
    else this.#byHash.set(hash, [lane]);
    this.#count++;
  }

  /** Forgets everything. */
  clear(): void {
    this.#byHash.clear();
    this.#last = null;
    this.active = [];
    this.#count = 0;
    this.#doneAt.clear();
    this.#doneTo = 0;
    this.#owner = Buffer.alloc(0);
  }

  /** Notes for a later reader: how far each waiting lane is done, counted from `offset`; empty where none waits. */
  notes(offset: number): string {
    const notes: unknown[] = [];
    for (const lane of this.active) {
      const { inherited } = lane;
      if (!lane.waits && inherited === null) continue;
      const done = lane.waits ? lane.waitsAt - offset : null;
      notes.push(
        inherited === null
          ? [lane.key.toString('latin1'), done]
          : [lane.key.toString('latin1'), done, inherited],
      );
    }
    return notes.length === 0 ? '' : JSON.stringify(notes);
  }

  /** Goes on where `notes` were taken; `offset` is the same as then, and everything before `doneTo` was read. */
  resume(notes: string, offset: number, doneTo: number): void {
    this.#doneTo = doneTo;
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
      if (done !== null) this.#doneAt.set(name, offset + done);
      // Where no envelope stands at the offset, the lane that waits there is the one it goes on with.
      if (done === 0) this.owner = name;
      if (inherited === undefined) continue;
      const key = Buffer.from(name, 'latin1');
      this.of(key, 0, key.length).inherit(inherited);
    }
  }
}

function isSame(key: Buffer, data: Buffer, from: number, to: number): boolean {
  const length = key.length;
  if (to - from !== length) return false;
  for (let i = 0; i < length; i++) if (key[i] !== data[from + i]) return false;
  return true;
}
