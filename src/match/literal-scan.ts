/**
 * Finds any of many literals in bytes, passing over most of them. The tables are those of `literal-tables.ts`; the loop over the bytes
 * is compiled code (`bytes/assembly/search.ts`). Speed hardly depends on the number of literals (measured: 5 GB/s for 20 as
 * for 1,000 of 20 bytes, where RE2 and grep have 0.5).
 */
import { type Loops, newLoops, tooMany } from './bytes/instance.ts';
import { type Entry, literalTables } from './literal-tables.ts';
import { type LiteralSet, maxLiteralBytes } from './required-literals.ts';
import { resized } from './unit-log.ts';

/** Bytes that are copied and searched at once: they and the tables stay beside the processor. */
const pieceBytes = 64 * 1024;
/** A literal whose window is in a piece may begin so much before it, and end so much behind it. */
const marginBytes = maxLiteralBytes;
/** Hits in one piece that there is room for: `bytes/assembly/search.ts`. */
const hitsMax = 4 * 1024;
/** Four lanes of four words. */
const lanesBytes = 64;

export class LiteralScan {
  readonly #entries: readonly Entry[];
  readonly #loops: Loops;
  readonly #bytes: Uint8Array;
  /** Where the plan is, where bytes are copied to, and where the lanes are. */
  readonly #plan: number;
  readonly #area: number;
  readonly #lanes: number;
  readonly #found: Int32Array;
  #hits = new Int32Array(16);
  /** Some literal holds a line end. */
  readonly spansLines: boolean;

  /** `sets[i]` are the literals of pattern `i`, null for a pattern that has none. At most 65,535 literals count. */
  constructor(sets: readonly (LiteralSet | null)[]) {
    const tables = literalTables(sets);
    const { entries, window, step, drop } = tables;
    this.#entries = entries;
    this.spansLines = entries.some(({ literal }) => literal.bytes.includes(0x0a));
    const memory = new Memory();
    const shifts = memory.add(tables.shifts);
    const begins = memory.add(tables.begins);
    const heads = memory.add(tables.heads);
    const nexts = memory.add(tables.nexts);
    const words = entries.map(({ literal, skip }) => [
      memory.add(literal.bytes),
      literal.bytes.length,
      skip,
      literal.fold ? 1 : 0,
    ]);
    const list = memory.add(Uint32Array.from(words.flat()));
    this.#plan = memory.add(Uint32Array.of(shifts, begins, heads, nexts, list, drop, window, step, 0, 0, 0));
    this.#lanes = memory.room(lanesBytes);
    this.#area = memory.room(pieceBytes + 2 * marginBytes);
    const found = memory.room(hitsMax * 4);
    this.#loops = memory.make();
    const { buffer } = this.#loops.memory;
    this.#bytes = new Uint8Array(buffer);
    this.#found = new Int32Array(buffer, found, hitsMax);
  }

  /** Places of the last search, in order; what `search` did not count is left over from others. */
  get hits(): Int32Array {
    return this.#hits;
  }

  /**
   * Looks for literals that lie whole between `from` and `to`: stores in `hits` a place within each, in order, and gives how many. -1: so
   * many that they were not counted.
   */
  search(data: Uint8Array, from: number, to: number): number {
    let count = 0;
    for (let piece = from; piece < to; piece += pieceBytes) {
      const begin = Math.max(from, piece - marginBytes);
      const end = Math.min(to, piece + pieceBytes + marginBytes);
      const next = end === to ? to : piece + pieceBytes;
      const found = this.#loops.find(
        this.#plan,
        this.#area,
        this.#copy(data, begin, end),
        this.#lanes,
        this.#found.byteOffset,
      );
      if (found === tooMany) return -1;
      if (count + found > this.#hits.length) this.#hits = resized(this.#hits, 2 * (count + found));
      for (let i = 0; i < found; i++) {
        const at = begin + (this.#found[i] as number) - this.#area;
        // In the margins they are those of another piece.
        if (at >= piece && at < next) this.#hits[count++] = at;
      }
      if (end === to) break;
    }
    return count;
  }

  /** Numbers of the patterns of which a literal lies in some bytes, each once, in no order; null: so many that they were not counted. */
  patternsIn(data: Uint8Array): number[] | null {
    const numbers = new Set<number>();
    for (let piece = 0; piece < data.length; piece += pieceBytes) {
      const to = this.#copy(data, piece, Math.min(data.length, piece + pieceBytes + marginBytes));
      const { byteOffset } = this.#found;
      const found = this.#loops.numbersIn(this.#plan, this.#area, to, byteOffset, hitsMax);
      if (found === tooMany) return null;
      for (let i = 0; i < found; i++)
        for (const pattern of this.#entries[this.#found[i] as number]?.patterns ?? []) numbers.add(pattern);
    }
    return [...numbers];
  }

  /** Gives where the copy ends. */
  #copy(data: Uint8Array, from: number, to: number): number {
    this.#bytes.set(from === 0 && to === data.length ? data : data.subarray(from, to), this.#area);
    return this.#area + to - from;
  }
}

/** What is to stand in the memory of an instance, laid out before there is one. */
class Memory {
  readonly #parts: { readonly at: number; readonly bytes: Uint8Array }[] = [];
  #used = 0;

  /** Room for so many bytes; gives its address. */
  room(bytes: number): number {
    const at = this.#used;
    // Words stand at addresses that can be divided by their size.
    this.#used = (at + bytes + 7) & ~7;
    return at;
  }

  add(part: Uint8Array | Uint16Array | Uint32Array): number {
    const at = this.room(part.byteLength);
    this.#parts.push({ at, bytes: new Uint8Array(part.buffer, part.byteOffset, part.byteLength) });
    return at;
  }

  make(): Loops {
    const loops = newLoops(this.#used);
    const bytes = new Uint8Array(loops.memory.buffer);
    for (const { at, bytes: part } of this.#parts) bytes.set(part, at);
    return loops;
  }
}
