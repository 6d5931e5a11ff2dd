/**
 * Tells whether a byte that is rare stands within a range, for ranges that are asked about in order: the bytes between two
 * of them are searched once, and most ranges cost a comparison.
 */

export class NextByte {
  readonly #byte: number;
  #data: Buffer | null = null;
  #from = 0;
  #at = -1;

  constructor(byte: number) {
    this.#byte = byte;
  }

  /** Lets the bytes go. */
  forget(): void {
    this.#data = null;
  }

  /** Whether the byte stands in `data` from `from` to `to`. */
  isWithin(data: Buffer, from: number, to: number): boolean {
    if (data !== this.#data || from < this.#from || (this.#at >= 0 && this.#at < from)) {
      this.#data = data;
      this.#at = data.indexOf(this.#byte, from);
    }
    this.#from = from;
    return this.#at >= 0 && this.#at < to;
  }
}
