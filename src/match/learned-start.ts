/**
 * Learns how the records of a stream begin that has a stamp of its own: `10:00:00.123 [main] ERROR ...`,
 * `21-Nov-2026 10:00:00.123 ...`, `I1121 10:00:00.1 ...`. When the first lines all begin with one shape that holds a time,
 * a line of another shape is no beginning. Where too many lines do not fit nothing is learned: then each line is a record.
 */

/** So many lines must begin alike. */
const enough = 16;
/** So many lines may have another shape meanwhile (a banner, the text of an exception). */
const maxOthers = 4;
/** The time ends within so many bytes. */
const maxShape = 40;

/** A time of day as a shape: digits are 9. */
const clock = '99:99:99';

export class LearnedStart {
  /** The shape: digits as 9, letters as a, all else as it is, and so is a capital letter. Empty as long as none was seen. */
  shape: string;
  #seen = 0;
  #others = 0;
  #classes: Uint8Array;

  /** `shape`: what was learned before. */
  constructor(shape = '') {
    this.shape = shape.slice(0, maxShape);
    this.#classes = classesOf(this.shape);
  }

  /** Looks at a line that begins a record: true when it is learned now, false when it is given up, null: not yet. */
  see(data: Buffer, from: number, to: number): boolean | null {
    if (this.shape === '') {
      this.shape = shapeOf(data, from, to);
      this.#classes = classesOf(this.shape);
    }
    if (!this.fits(data, from, to)) return ++this.#others > maxOthers ? false : null;
    return ++this.#seen >= enough ? true : null;
  }

  /** Whether a line begins with the shape. */
  fits(data: Buffer, from: number, to: number): boolean {
    const classes = this.#classes;
    if (classes.length === 0 || to - from < classes.length) return false;
    for (let i = 0; i < classes.length; i++) {
      const byte = data[from + i] as number;
      if (classOf(byte) !== classes[i] && byte !== classes[i]) return false;
    }
    return true;
  }
}

const digit = 0x39;
const letter = 0x61;

function classOf(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return digit;
  if ((byte >= 0x41 && byte <= 0x5a) || (byte >= 0x61 && byte <= 0x7a)) return letter;
  return byte;
}

function classesOf(shape: string): Uint8Array {
  return Uint8Array.from(Buffer.from(shape, 'latin1'));
}

/** The shape of a line up to the end of its first time of day; empty where there is none. */
function shapeOf(data: Buffer, from: number, to: number): string {
  const end = Math.min(to, from + maxShape);
  let shape = '';
  for (let at = from; at < end; at++) shape += String.fromCharCode(classOf(data[at] as number));
  const at = shape.indexOf(clock);
  return at < 0 ? '' : shape.slice(0, at + clock.length);
}
