/**
 * Tells which units of an enveloped stream may hold text that a rule wants, from the raw bytes: a literal that each match
 * needs stands in them as it does in the text, where an envelope gives its text as it is. Asked of units in order. It errs
 * only by saying yes.
 */
import { isClean, wholeCharacters } from './clean.ts';
import type { CompiledRules } from './compile.ts';
import type { LiteralScan } from './literal-scan.ts';
import { maxLiteralBytes } from './required-literals.ts';
import { resized } from './unit-log.ts';

/** Bytes that are looked at together for what cleaning would change. */
const stripeBytes = 64 * 1024;
const nothing: Buffer = Buffer.alloc(0);

/** The search for a set of rules; null where some rule needs more than a literal within a line. */
export function rawSearchFor(rules: CompiledRules): RawSearch | null {
  const { literals, rest } = rules.test;
  if (rules.every.length > 0 || !rules.tested || rest !== null || literals === null) return null;
  return literals.spansLines ? null : new RawSearch(literals);
}

export class RawSearch {
  readonly #literals: LiteralScan;
  #data: Buffer = nothing;
  /** Units before this are not asked about. */
  #begin = 0;
  /** Where literals are, in order; the first that no unit so far has passed. */
  #hits = new Int32Array(16);
  #count = 0;
  #next = 0;
  /** Bytes before this were looked at. Those from `dirtyFrom` on are to be cleaned first, or are crowded with literals. */
  #lookedTo = 0;
  #dirtyFrom = 0;
  #dirtyTo = 0;

  constructor(literals: LiteralScan) {
    this.#literals = literals;
  }

  /** New bytes; units from `from` on are asked about. */
  begin(data: Buffer, from: number): void {
    this.#data = data;
    this.#count = this.#next = 0;
    this.#begin = this.#lookedTo = from;
    this.#dirtyFrom = this.#dirtyTo = from;
  }

  /** Forgets the bytes. */
  end(): void {
    this.#data = nothing;
  }

  /** Whether the bytes of a unit may hold what a rule wants. */
  wants(from: number, to: number): boolean {
    while (this.#lookedTo < to) this.#look();
    if (from < this.#dirtyTo && to > this.#dirtyFrom) return true;
    while (this.#next < this.#count && (this.#hits[this.#next] as number) < from) this.#next++;
    return this.#next < this.#count && (this.#hits[this.#next] as number) < to;
  }

  #look(): void {
    const data = this.#data;
    const from = this.#lookedTo;
    let to = Math.min(data.length, from + stripeBytes);
    if (to < data.length) to = Math.max(from + 1, wholeCharacters(data, from, to));
    this.#lookedTo = to;
    if (isClean(data.subarray(from, to)) && this.#find(from, to)) return;
    if (this.#dirtyTo < from) this.#dirtyFrom = from;
    this.#dirtyTo = to;
  }

  /** Notes the literals of a stripe, with those that begin before it; false: there are too many. */
  #find(from: number, to: number): boolean {
    const count = this.#literals.search(this.#data, Math.max(this.#begin, from - maxLiteralBytes), to);
    if (count < 0) return false;
    if (this.#count + count > this.#hits.length) this.#hits = resized(this.#hits, 2 * (this.#count + count));
    const { hits } = this.#literals;
    let last = this.#count === 0 ? -1 : (this.#hits[this.#count - 1] as number);
    for (let i = 0; i < count; i++) {
      const at = hits[i] as number;
      // What is not behind the last one was found with the stripe before, or is a part of a unit that holds the last one too.
      if (at <= last) continue;
      last = at;
      this.#hits[this.#count++] = at;
    }
    return true;
  }
}
