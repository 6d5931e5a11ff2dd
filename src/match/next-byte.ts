/**
 * Tells whether a byte that is rare stands within a range, for ranges that are asked about in order: the bytes between two
 * of them are searched once, a few KiB ahead, and most ranges cost a comparison.
 */

/** So far ahead of a range is searched. */
const aheadBytes = 8 * 1024;

export class NextByte {
  readonly #byte: number;
  #data: Buffer | null = null;
  #from = 0;
  /** Where the byte is next; -1: not before `known`. */
  #at = -1;
  #known = 0;

  constructor(byte: number) {
    this.#byte = byte;
  }

  /** Lets the bytes go. */
  forget(): void {
    this.#data = null;
  }

  /** Whether the byte stands in `data` from `from` to `to`. */
  isWithin(data: Buffer, from: number, to: number): boolean {
    if (data !== this.#data || from < this.#from) {
      this.#data = data;
      this.#known = from;
      this.#at = -1;
    } else if (this.#at < from) this.#at = -1;
    this.#from = from;
    if (this.#at < 0 && this.#known < to) this.#search(data, Math.max(this.#known, from), to);
    return this.#at >= 0 && this.#at < to;
  }

  #search(data: Buffer, from: number, to: number): void {
    const end = Math.min(data.length, Math.max(to, from + aheadBytes));
    const found = data.subarray(from, end).indexOf(this.#byte);
    this.#at = found < 0 ? -1 : from + found;
    this.#known = found < 0 ? end : from + found + 1;
  }
}
