/**
 * Finds record starts where one line after the other begins with the same shape, as most logs do nearly everywhere: sixteen bytes
 * at a time (`bytes/assembly/starts.ts`) instead of line by line. One memory serves all streams; it keeps a copy of the bytes that
 * it was last asked about.
 */
import { type Loops, newLoops } from './bytes/instance.ts';

/** Shapes have up to three vectors: their classes, then what does not matter. */
const vectorBytes = 48;
const classesAt = 16;
const masksAt = classesAt + vectorBytes;

/** Bytes that are copied at once, and how many of them must be left for a call to go on in the same copy. */
const copyBytes = 64 * 1024;
const leftBytes = 8 * 1024;
/** So much behind the copy is read and not looked at. */
const behindBytes = 64;
/** A shape has a time of day at least; a line has that and its end. What is told behind the places takes three words. */
const leastShape = 8;
const outWords = Math.ceil(copyBytes / (leastShape + 1)) + 3;

const shapeAt = 0;
const copyAt = 128;
const outAt = copyAt + copyBytes + behindBytes;

class AlikeStarts {
  readonly #loops: Loops = newLoops(outAt + outWords * 4);
  readonly #bytes = new Uint8Array(this.#loops.memory.buffer);
  readonly #out = new Int32Array(this.#loops.memory.buffer, outAt, outWords);
  #shape = '';
  #isPlainShape = true;
  #data: Buffer | null = null;
  #from = 0;
  #to = 0;

  /** Other bytes may stand in a buffer that was seen before. */
  forget(): void {
    this.#data = null;
  }

  /**
   * Gives to `push` where records begin from `at` on, as long as each is one whole line of up to `maxLine` bytes that begins with the
   * shape (that of `learned-start.ts`, of up to 48 bytes); gives where it stopped.
   */
  find(data: Buffer, at: number, maxLine: number, shape: string, push: PushStarts): number {
    // What a state says that is not ours may be shorter than any time of day.
    if (shape.length < leastShape || shape.length > vectorBytes) return at;
    if (shape !== this.#shape) this.#take(shape);
    const lacks = this.#to - at < leftBytes && this.#to < data.length;
    if (data !== this.#data || at < this.#from || at > this.#to || lacks) this.#copy(data, at);
    let place = at;
    for (;;) {
      const base = this.#from - copyAt;
      const count = this.#loops.recordStarts(place - base, this.#to - base, maxLine, shapeAt, base, outAt);
      const from = place;
      place = this.#out[count] as number;
      push(this.#out, count, this.#isPlainShape && this.#out[count + 2] === 0 ? from : place, place);
      const goesOn = this.#out[count + 1] === 1 && this.#to < data.length;
      // A line that is longer than the copy is left to others.
      if (!goesOn || place === this.#from) return place;
      this.#copy(data, place);
    }
  }

  #take(shape: string): void {
    this.#shape = shape;
    this.#isPlainShape = /^[\t\x20-\x7e]*$/.test(shape);
    const classes = Buffer.from(shape, 'latin1');
    this.#bytes[shapeAt] = classes.length;
    this.#bytes.set(classes, shapeAt + classesAt);
    this.#bytes.fill(0, shapeAt + masksAt, shapeAt + masksAt + classes.length);
    this.#bytes.fill(0xff, shapeAt + masksAt + classes.length, shapeAt + masksAt + vectorBytes);
  }

  #copy(data: Buffer, from: number): void {
    this.#data = data;
    this.#from = from;
    this.#to = Math.min(data.length, from + copyBytes);
    this.#bytes.set(data.subarray(from, this.#to), copyAt);
    // What lies behind is looked at together with the last bytes: it must not look like something special.
    const end = copyAt + this.#to - from;
    this.#bytes.fill(0x20, end, end + behindBytes);
  }
}

/**
 * Takes so many record starts from the front of an array; they are gone when it returns. The bytes from `plainFrom` to `plainTo`
 * are printable ASCII, tabs and line ends only.
 */
export type PushStarts = (starts: Int32Array, count: number, plainFrom: number, plainTo: number) => void;

let shared: AlikeStarts | null = null;

/** The one finder of the process. */
export function alikeStarts(): AlikeStarts {
  shared ??= new AlikeStarts();
  return shared;
}
