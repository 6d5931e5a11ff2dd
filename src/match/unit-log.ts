/**
 * The units of a stream that may still be needed, by their places in the raw bytes: which lane each belongs to, where its
 * text stands, and which unit of that lane came before. Holds numbers only; the bytes are those of the chunk. Units have
 * numbers that only grow.
 */
import type { Slot } from './lanes.ts';

const firstSize = 256;

/** A unit by its places in the stream. */
export interface LoggedUnit {
  readonly raw: number;
  readonly to: number;
  readonly textFrom: number;
  readonly textTo: number;
}

export class UnitLog {
  /** The number of the oldest unit that is there, and of the next one. */
  base = 0;
  end = 0;
  #raw = new Float64Array(firstSize);
  /** Counted from `raw`. */
  #to = new Int32Array(firstSize);
  #next = new Int32Array(firstSize);
  #textFrom = new Int32Array(firstSize);
  #textTo = new Int32Array(firstSize);
  #before = new Float64Array(firstSize);
  #fed = new Uint8Array(firstSize);
  #slots: (Slot | null)[] = [];

  /** Adds a unit behind the newest of its slot. All places are offsets of the stream. */
  add(slot: Slot, raw: number, to: number, next: number, textFrom: number, textTo: number): number {
    const at = this.end - this.base;
    if (at === this.#raw.length) this.#resize(at * 2);
    this.#raw[at] = raw;
    this.#to[at] = to - raw;
    this.#next[at] = next - raw;
    this.#textFrom[at] = textFrom - raw;
    this.#textTo[at] = textTo - raw;
    this.#before[at] = slot.last;
    this.#fed[at] = 0;
    this.#slots[at] = slot;
    slot.last = this.end;
    return this.end++;
  }

  rawOf(unit: number): number {
    return this.#raw[unit - this.base] as number;
  }

  /** Where its bytes end. */
  toOf(unit: number): number {
    const at = unit - this.base;
    return (this.#raw[at] as number) + (this.#to[at] as number);
  }

  /** Where the unit behind it begins. */
  nextOf(unit: number): number {
    const at = unit - this.base;
    return (this.#raw[at] as number) + (this.#next[at] as number);
  }

  textFromOf(unit: number): number {
    const at = unit - this.base;
    return (this.#raw[at] as number) + (this.#textFrom[at] as number);
  }

  textToOf(unit: number): number {
    const at = unit - this.base;
    return (this.#raw[at] as number) + (this.#textTo[at] as number);
  }

  unit(unit: number): LoggedUnit {
    return {
      raw: this.rawOf(unit),
      to: this.toOf(unit),
      textFrom: this.textFromOf(unit),
      textTo: this.textToOf(unit),
    };
  }

  /** The newest unit, or null. */
  get newest(): LoggedUnit | null {
    return this.end === this.base ? null : this.unit(this.end - 1);
  }

  /** The unit of the same lane before this one; less than `base` where there is none. */
  beforeOf(unit: number): number {
    return this.#before[unit - this.base] as number;
  }

  slotOf(unit: number): Slot | null {
    return this.#slots[unit - this.base] ?? null;
  }

  isFed(unit: number): boolean {
    return this.#fed[unit - this.base] === 1;
  }

  /** Notes whether its lane has the unit's text. */
  setFed(unit: number, fed: boolean): void {
    this.#fed[unit - this.base] = fed ? 1 : 0;
  }

  /** The first unit that begins at `raw` or behind it; `end` where there is none. */
  firstFrom(raw: number): number {
    let low = 0;
    let high = this.end - this.base;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#raw[middle] as number) < raw) low = middle + 1;
      else high = middle;
    }
    return this.base + low;
  }

  /** Forgets the units before one; gives how many of them hold text that no lane was given. */
  dropBefore(unit: number): number {
    const count = Math.max(0, unit - this.base);
    let unfed = 0;
    for (let at = 0; at < count; at++)
      if (this.#fed[at] === 0 && (this.#textTo[at] as number) > (this.#textFrom[at] as number)) unfed++;
    const length = this.end - this.base;
    for (const array of [
      this.#raw,
      this.#to,
      this.#next,
      this.#textFrom,
      this.#textTo,
      this.#before,
      this.#fed,
    ])
      array.copyWithin(0, count, length);
    this.#slots.splice(0, count);
    this.base += count;
    return unfed;
  }

  /** Gives room back that a burst needed. */
  trim(): void {
    const size = Math.max(firstSize, (this.end - this.base) * 2);
    if (this.#raw.length >= size * 2) this.#resize(size);
  }

  #resize(size: number): void {
    this.#raw = resized(this.#raw, size);
    this.#to = resized(this.#to, size);
    this.#next = resized(this.#next, size);
    this.#textFrom = resized(this.#textFrom, size);
    this.#textTo = resized(this.#textTo, size);
    this.#before = resized(this.#before, size);
    this.#fed = resized(this.#fed, size);
  }
}

/** The same numbers with room for so many. */
export function resized<T extends Int32Array | Float64Array | Uint8Array>(array: T, size: number): T {
  const other = new (array.constructor as new (length: number) => T)(size);
  other.set(size < array.length ? array.subarray(0, size) : array);
  return other;
}
