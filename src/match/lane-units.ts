/**
 * The units of one producer within an enveloped stream: their inner text, one behind the other, and of each its kind and its
 * places in the raw bytes. A unit is opened, filled, perhaps by several physical ones, and closed; units that are done with
 * are let go. It knows nothing of records: where those begin is for `lane.ts` to say.
 */
import { resized } from './unit-log.ts';

/** Text behind the last told record that is kept for the lines before the next one. */
const contextBytes = 4 * 1024;
/** Told text is thrown away once there is so much of it. */
const compactBytes = 64 * 1024;

/** Room that is there at first, and units of which the room is kept for another lane's. */
const firstText = 512;
const firstUnits = 16;
const manyUnits = 128;

/** A copy of fewer bytes is faster made one by one. */
const shortBytes = 40;

export class LaneUnits {
  text: Buffer = Buffer.allocUnsafe(firstText);
  /** Bytes of text. */
  used = 0;
  /** Units that are there, with an unfinished one. They have numbers from 0. */
  count = 0;
  /** The last unit is not at its end. */
  part = false;
  /** The unfinished unit is over the limit: what comes of it is left out. */
  isOver = false;
  /** JSON lines came here: they are left out of the lines before a record, their messages stand there. */
  json = false;
  /** Of each unit: where its text begins. These numbers are read for every line, and so without a call. */
  textAt = new Int32Array(firstUnits);
  /** Where its raw bytes begin. */
  rawAt = new Float64Array(firstUnits);
  /** Where the raw bytes of its first physical unit end, without what ends it. */
  rawTo = new Float64Array(firstUnits);
  /** Where its raw bytes end. */
  rawEnds = new Float64Array(firstUnits);
  /** Its kind and what is beside it. */
  flags = new Uint8Array(firstUnits);

  /** Begins a unit whose first physical one is at this place of the raw stream. Its text goes to `text` at `used`; then call `close`. */
  open(raw: number, rawTo: number): void {
    if (this.count + 1 >= this.textAt.length) this.#resize(this.textAt.length * 2);
    this.textAt[this.count] = this.used;
    this.rawAt[this.count] = raw;
    this.rawTo[this.count] = rawTo;
    this.flags[this.count] = 0;
    this.count++;
    this.part = true;
  }

  /** Adds bytes to the last unit. */
  append(data: Uint8Array, from: number, to: number): void {
    // Room for the line end too.
    this.reserve(to - from + 1);
    const { text } = this;
    let at = this.used;
    if (to - from > shortBytes) {
      text.set(data.subarray(from, to), at);
      at += to - from;
    } else for (let i = from; i < to; i++) text[at++] = data[i] as number;
    this.used = at;
  }

  /** Makes room for so many bytes behind the text. */
  reserve(bytes: number): void {
    if (this.used + bytes <= this.text.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.text.length * 2, this.used + bytes));
    this.text.copy(larger, 0, 0, this.used);
    this.text = larger;
  }

  /** Goes on with the last, unfinished unit up to `rawEnd`. */
  reach(rawEnd: number): void {
    this.rawEnds[this.count - 1] = rawEnd;
  }

  /** Ends the last unit: it reaches to `rawEnd`. Its text gets a line end. `flags`: its kind and what is beside it. */
  close(rawEnd: number, flags: number): void {
    const unit = this.count - 1;
    this.reserve(1);
    this.text[this.used++] = 0x0a;
    this.rawEnds[unit] = rawEnd;
    this.flags[unit] = flags;
    this.part = false;
  }

  /** Bytes that the last, unfinished unit has by now. */
  get partBytes(): number {
    return this.used - (this.textAt[this.count - 1] ?? 0);
  }

  /** Where the raw bytes of the newest unit end; -1 without one. */
  get rawEnd(): number {
    return this.count === 0 ? -1 : (this.rawEnds[this.count - 1] ?? -1);
  }

  /** Where a unit's text ends, with its line end. */
  textEndOf(unit: number): number {
    return unit + 1 < this.count ? (this.textAt[unit + 1] ?? 0) : this.used;
  }

  /** Forgets this unit and all behind it, as if they had never come. */
  dropFrom(unit: number): void {
    this.used = this.textAt[unit] ?? 0;
    this.count = unit;
  }

  /** Lets the units before this one go, and of their text what is far behind. Gives by how many bytes the text moved to the front. */
  dropBefore(unit: number): number {
    const live = unit < this.count ? (this.textAt[unit] ?? 0) : this.used;
    const shift = live > compactBytes ? live - contextBytes : 0;
    if (shift > 0) {
      this.text.copyWithin(0, shift, this.used);
      this.used -= shift;
    }
    if (unit > 0 || shift > 0) {
      const left = this.count - unit;
      // Few are left as a rule: one open record.
      for (let i = 0; i < left; i++) {
        const from = i + unit;
        this.textAt[i] = (this.textAt[from] ?? 0) - shift;
        this.rawAt[i] = this.rawAt[from] ?? 0;
        this.rawTo[i] = this.rawTo[from] ?? 0;
        this.rawEnds[i] = this.rawEnds[from] ?? 0;
        this.flags[i] = this.flags[from] ?? 0;
      }
    }
    this.count -= unit;
    return shift;
  }

  /** Gives room back that a burst needed, and unless all of it is waited for the text, but for the last of it. */
  trim(waits: boolean): void {
    const from =
      waits || this.used <= contextBytes ? 0 : this.text.indexOf(0x0a, this.used - contextBytes) + 1;
    const left = this.used - from;
    if (from > 0 || (this.text.length > compactBytes && left * 4 < this.text.length)) {
      const text = Buffer.allocUnsafe(Math.max(firstText, left));
      this.text.copy(text, 0, from, this.used);
      this.text = text;
      this.used = left;
    }
    if (this.textAt.length > manyUnits && this.count < firstUnits) this.#resize(firstUnits);
  }

  /** Forgets everything. */
  clear(): void {
    this.used = this.count = 0;
    this.part = this.isOver = this.json = false;
  }

  #resize(size: number): void {
    this.textAt = resized(this.textAt, size);
    this.rawAt = resized(this.rawAt, size);
    this.rawTo = resized(this.rawTo, size);
    this.rawEnds = resized(this.rawEnds, size);
    this.flags = resized(this.flags, size);
  }
}
