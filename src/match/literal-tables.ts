/**
 * The tables of the search for literals (Wu and Manber, 1994): from the bytes at the end of a window they tell how far the next
 * one can be that holds any literal, and which literals end so.
 */
import { type Literal, type LiteralSet, nameOf } from './required-literals.ts';

/** Nothing is gained by comparing more bytes of each literal at once. */
const maxWindow = 24;
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

/** One literal that is looked for. */
export interface Entry {
  readonly literal: Literal;
  /** Where in the literal its window begins. */
  readonly skip: number;
  /** Numbers of the patterns that it speaks for. */
  readonly patterns: number[];
}

export interface LiteralTables {
  readonly entries: readonly Entry[];
  /** Bytes of a window. */
  readonly window: number;
  /** Bytes that are hashed together. */
  readonly step: number;
  /** What a hash is shifted by, so that it has as many bits as the tables. */
  readonly drop: number;
  /** How far the next window can be, by the hash of the bytes at the end of this one. */
  readonly shifts: Uint8Array;
  /** By the hash of the first bytes of a window: whether any window begins so. */
  readonly begins: Uint8Array;
  /** By the first hash: 1 + the first entry whose window ends so, and for each entry, from 1 on, the next one. */
  readonly heads: Uint16Array;
  readonly nexts: Uint16Array;
}

/** `sets[i]` are the literals of pattern `i`, null for a pattern that has none. At most 65,535 literals count. */
export function literalTables(sets: readonly (LiteralSet | null)[]): LiteralTables {
  const found = entriesOf(sets);
  const window = found.reduce((least, { literal }) => Math.min(least, literal.bytes.length), maxWindow);
  const step = window >= wideWindow ? wideBytes : narrowBytes;
  const entries = found.map(({ literal, patterns }) => ({
    literal,
    skip: rarestWindow(literal.bytes, window, step),
    patterns,
  }));
  const bits = step === wideBytes ? tableBits(entries.length * window) : tableBitsMax;
  const size = 1 << bits;
  const drop = 32 - bits;
  const shifts = new Uint8Array(size).fill(window - step + 1);
  const begins = new Uint8Array(size);
  const heads = new Uint16Array(size);
  const nexts = new Uint16Array(entries.length + 1);
  const last = window - step;
  entries.forEach(({ literal: { bytes }, skip }, index) => {
    const hash = (at: number): number =>
      step === wideBytes
        ? Math.imul(bytes.readInt32LE(skip + at) | foldWide, golden) >>> drop
        : bytes.readUInt16LE(skip + at) | foldNarrow;
    for (let at = 0; at <= last; at++) shifts[hash(at)] = Math.min(shifts[hash(at)] ?? 0, last - at);
    nexts[index + 1] = heads[hash(last)] ?? 0;
    heads[hash(last)] = index + 1;
    begins[hash(0)] = 1;
  });
  return { entries, window, step, drop, shifts, begins, heads, nexts };
}

function tableBits(entries: number): number {
  const needed = Math.ceil(Math.log2(Math.max(1, entries * tableRoom)));
  return Math.min(tableBitsMax, Math.max(tableBitsMin, needed));
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
