/**
 * Cuts a stream into lines: at line feeds, with carriage returns before them and runs of NUL at their heads left out. A line
 * over the limit gives its head; the rest of it is passed over.
 */
import { wholeCharacters } from '../clean.ts';
import type { Framing, FramingHow, Unit } from '../unwrap.ts';

export class LineFraming implements Framing {
  midUnit = false;
  readonly #maxLine: number;

  /** `maxLine`: bytes of a line that are kept. */
  constructor(maxLine: number) {
    this.#maxLine = maxLine;
  }

  next(data: Buffer, at: number, unit: Unit, how: FramingHow): boolean {
    let start = at;
    if (this.midUnit) {
      const end = data.indexOf(0x0a, start);
      if (end < 0) {
        // Nothing of the line is kept: its bytes are done with as they come.
        if (start === data.length) return false;
        if (how.final) this.midUnit = false;
        return this.#empty(unit, start, data.length);
      }
      this.midUnit = false;
      return this.#empty(unit, start, end + 1);
    }
    if (start >= data.length) return false;
    while (start < data.length && data[start] === 0) start++;
    unit.from = start;
    unit.cut = false;
    let end = data.indexOf(0x0a, start);
    unit.next = end + 1;
    if (end < 0) {
      if (data.length - start > this.#maxLine) {
        this.midUnit = true;
      } else if (!how.final) return false;
      end = data.length;
      unit.next = end;
    }
    if (end - start > this.#maxLine) {
      unit.cut = true;
      unit.to = wholeCharacters(data, start, start + this.#maxLine);
      return true;
    }
    while (end > start && data[end - 1] === 0x0d) end--;
    unit.to = end;
    return true;
  }

  /** Bytes that are no unit's: a unit without text. */
  #empty(unit: Unit, from: number, next: number): boolean {
    unit.from = from;
    unit.to = from;
    unit.next = next;
    unit.cut = false;
    return true;
  }
}
