/**
 * Finds any of many literals in bytes, passing over most of them: the search of Wu and Manber (1994). It looks at the bytes
 * where the shortest literal would end, and a table says how far the next one can begin from there. Speed does not depend
 * on the number of literals (measured: 2.2 GB/s for 20 as for 1,000 of 16 bytes, where RE2 and grep have 0.5).
 */
import { type Literal, type LiteralSet, lowerCase, nameOf } from './required-literals.ts';

/** Nothing is gained by comparing more bytes of each literal at once. */
const maxWindow = 16;
/** From this window on four bytes are looked at together, below it two. */
const wideWindow = 6;
const wideBytes = 4;
const narrowBytes = 2;
/**
 * A table has 2^bits entries. The smaller, the more of it stays beside the processor; the fuller, the shorter the leaps: so it has
 * at least so many times the entries that literals make. Two bytes have 16 bits.
 */
const tableBitsMin = 13;
const tableBitsMax = 16;
const tableRoom = 8;
/** Knuth's multiplicative hash. */
const golden = 0x9e3779b1;
/** Letters of either case fall together, so that one table serves all literals. */
const foldWide = 0x20202020;
const foldNarrow = 0x2020;

/** How seldom a byte stands in a log, roughly: what is common makes false alarms. */
function rarity(byte: number): number {
  if (byte === 0x20 || byte === 0x2e || byte === 0x3a) return 0;
  const ch = String.fromCharCode(byte).toLowerCase();
  if ('etaoinsr'.includes(ch)) return 1;
  if ('dlcumpfg0123'.includes(ch)) return 2;
  return 3;
}

interface Entry {
  readonly literal: Literal;
  /** Where in the literal its window begins. */
  readonly skip: number;
  /** Numbers of the patterns that it speaks for. */
  readonly patterns: number[];
}

export class LiteralScan {
  readonly #entries: readonly Entry[];
  readonly #window: number;
  /** How far the next window can be, by the hash of the bytes at the end of this one. */
  readonly #shifts: Uint8Array;
  /** By the same hash: 1 + the first entry whose window ends so, and behind each entry the next one. */
  readonly #heads: Uint16Array;
  readonly #nexts: Uint16Array;
  /** By the hash of the first bytes of a window: whether any window begins so. */
  readonly #begins: Uint8Array;
  readonly #step: number;
  /** What a hash is shifted by, so that it has as many bits as the tables. */
  readonly #drop: number;
  /** Some literal holds a line end. */
  readonly spansLines: boolean;

  /** `sets[i]` are the literals of pattern `i`, null for a pattern that has none. At most 65,535 literals count. */
  constructor(sets: readonly (LiteralSet | null)[]) {
    const entries = entriesOf(sets);
    this.spansLines = entries.some(({ literal }) => literal.bytes.includes(0x0a));
    const shortest = entries.reduce((least, { literal }) => Math.min(least, literal.bytes.length), maxWindow);
    this.#window = shortest;
    this.#step = shortest >= wideWindow ? wideBytes : narrowBytes;
    this.#entries = entries.map(({ literal, patterns }) => ({
      literal,
      skip: rarestWindow(literal.bytes, shortest, this.#step),
      patterns,
    }));
    const bits = this.#step === wideBytes ? tableBits(entries.length * shortest) : tableBitsMax;
    this.#drop = 32 - bits;
    this.#shifts = new Uint8Array(1 << bits);
    this.#heads = new Uint16Array(1 << bits);
    this.#begins = new Uint8Array(1 << bits);
    this.#nexts = new Uint16Array(this.#entries.length + 1);
    this.#shifts.fill(shortest - this.#step + 1);
    this.#entries.forEach((entry, index) => {
      this.#enter(entry, index);
    });
  }

  #enter(entry: Entry, index: number): void {
    const { bytes } = entry.literal;
    const last = this.#window - this.#step;
    for (let at = 0; at <= last; at++) {
      const hash = this.#hash(bytes, entry.skip + at);
      this.#shifts[hash] = Math.min(this.#shifts[hash] ?? 0, last - at);
    }
    const end = this.#hash(bytes, entry.skip + last);
    this.#nexts[index + 1] = this.#heads[end] ?? 0;
    this.#heads[end] = index + 1;
    this.#begins[this.#hash(bytes, entry.skip)] = 1;
  }

  #hash(bytes: Buffer, at: number): number {
    return this.#step === wideBytes
      ? Math.imul(bytes.readInt32LE(at) | foldWide, golden) >>> this.#drop
      : bytes.readUInt16LE(at) | foldNarrow;
  }

  /** Where the first literal begins that lies whole between `from` and `to`, or -1. `view` is over the bytes of `data`. */
  find(data: Buffer, view: DataView, from: number, to: number): number {
    return this.#step === wideBytes
      ? this.#findWide(data, view, from, to, null)
      : this.#findNarrow(data, view, from, to, null);
  }

  /** Numbers of the patterns of which a literal lies between `from` and `to`, each once, in no order. */
  patternsIn(data: Buffer): number[] {
    const found = new Set<number>();
    const view = viewOf(data);
    if (this.#step === wideBytes) this.#findWide(data, view, 0, data.length, found);
    else this.#findNarrow(data, view, 0, data.length, found);
    return [...found];
  }

  #findWide(data: Buffer, view: DataView, from: number, to: number, all: Set<number> | null): number {
    const shifts = this.#shifts;
    const begins = this.#begins;
    const drop = this.#drop;
    const span = this.#window - wideBytes;
    const last = to - wideBytes;
    for (let at = from + span; at <= last; ) {
      const hash = Math.imul(view.getInt32(at, true) | foldWide, golden) >>> drop;
      const shift = shifts[hash] as number;
      if (shift !== 0) {
        at += shift;
        continue;
      }
      const head = Math.imul(view.getInt32(at - span, true) | foldWide, golden) >>> drop;
      if (begins[head] === 1) {
        const found = this.#compare(data, hash, at - span, from, to, all);
        if (found >= 0) return found;
      }
      at++;
    }
    return -1;
  }

  #findNarrow(data: Buffer, view: DataView, from: number, to: number, all: Set<number> | null): number {
    const shifts = this.#shifts;
    const begins = this.#begins;
    const span = this.#window - narrowBytes;
    const last = to - narrowBytes;
    for (let at = from + span; at <= last; ) {
      const hash = view.getUint16(at, true) | foldNarrow;
      const shift = shifts[hash] as number;
      if (shift !== 0) {
        at += shift;
        continue;
      }
      if (begins[view.getUint16(at - span, true) | foldNarrow] === 1) {
        const found = this.#compare(data, hash, at - span, from, to, all);
        if (found >= 0) return found;
      }
      at++;
    }
    return -1;
  }

  /** Compares the literals whose window ends as this one does. With `all` it goes on behind each that is found. */
  #compare(
    data: Buffer,
    hash: number,
    window: number,
    from: number,
    to: number,
    all: Set<number> | null,
  ): number {
    for (let next = this.#heads[hash] as number; next !== 0; next = this.#nexts[next] as number) {
      const entry = this.#entries[next - 1] as Entry;
      const start = window - entry.skip;
      if (start < from || start + entry.literal.bytes.length > to || !holds(data, start, entry.literal))
        continue;
      if (all === null) return start;
      for (const pattern of entry.patterns) all.add(pattern);
    }
    return -1;
  }
}

function tableBits(entries: number): number {
  const needed = Math.ceil(Math.log2(Math.max(1, entries * tableRoom)));
  return Math.min(tableBitsMax, Math.max(tableBitsMin, needed));
}

/** What `find` reads bytes through: made once for many searches in the same bytes. */
export function viewOf(data: Buffer): DataView {
  return new DataView(data.buffer, data.byteOffset, data.length);
}

function holds(data: Buffer, start: number, literal: Literal): boolean {
  const { bytes, fold } = literal;
  for (let i = 0; i < bytes.length; i++) {
    const byte = data[start + i] as number;
    if (byte !== bytes[i] && !(fold && lowerCase(byte) === bytes[i])) return false;
  }
  return true;
}

/** Each literal once, with all patterns that it speaks for. */
function entriesOf(sets: readonly (LiteralSet | null)[]): Omit<Entry, 'skip'>[] {
  const known = new Map<string, Omit<Entry, 'skip'>>();
  sets.forEach((literals, pattern) => {
    for (const literal of literals ?? []) {
      const name = nameOf(literal);
      const same = known.get(name);
      if (same) same.patterns.push(pattern);
      else known.set(name, { literal, patterns: [pattern] });
    }
  });
  return [...known.values()];
}

/** Where in a literal the window is best: its ends are what alarms are raised by. */
function rarestWindow(bytes: Buffer, window: number, step: number): number {
  let best = 0;
  let bestScore = -1;
  for (let at = 0; at + window <= bytes.length; at++) {
    let score = 0;
    for (let i = 0; i < step; i++) {
      score += rarity(bytes[at + i] ?? 0) + 2 * rarity(bytes[at + window - 1 - i] ?? 0);
    }
    if (score > bestScore) {
      best = at;
      bestScore = score;
    }
  }
  return best;
}
