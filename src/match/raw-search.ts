/**
 * Tells which units of an enveloped stream may hold text that a rule wants, from the raw bytes: a literal that each match
 * needs stands in them as it does in the text, where an envelope gives its text as it is. Asked of units in order. It errs
 * only by saying yes.
 */
import { isClean, wholeCharacters } from './clean.ts';
import type { CompiledRules } from './compile.ts';
import { type LiteralScan, viewOf } from './literal-scan.ts';

/** Bytes that are looked at together for what cleaning would change. */
const stripeBytes = 64 * 1024;

/** The search for a set of rules; null where some rule needs more than a literal within a line. */
export function rawSearchFor(rules: CompiledRules): RawSearch | null {
  const { literals, rest } = rules.test;
  if (rules.every.length > 0 || !rules.tested || rest !== null || literals === null) return null;
  return literals.spansLines ? null : new RawSearch(literals);
}

export class RawSearch {
  readonly #literals: LiteralScan;
  #data: Buffer = Buffer.alloc(0);
  #view: DataView = viewOf(this.#data);
  /** The next literal. */
  #hit = -1;
  /** Bytes before this were looked at; from `dirtyFrom` on they are to be cleaned first. */
  #lookedTo = 0;
  #dirtyFrom = 0;
  #dirtyTo = 0;

  constructor(literals: LiteralScan) {
    this.#literals = literals;
  }

  /** New bytes; units from `from` on are asked about. */
  begin(data: Buffer, from: number): void {
    this.#data = data;
    this.#view = viewOf(data);
    this.#hit = -1;
    this.#lookedTo = from;
    this.#dirtyFrom = this.#dirtyTo = from;
  }

  /** Forgets the bytes. */
  end(): void {
    this.#data = Buffer.alloc(0);
    this.#view = viewOf(this.#data);
  }

  /** Whether the bytes of a unit may hold what a rule wants. */
  wants(from: number, to: number): boolean {
    while (this.#lookedTo < to) this.#look();
    if (from < this.#dirtyTo && to > this.#dirtyFrom) return true;
    if (this.#hit < from) {
      const at = this.#literals.find(this.#data, this.#view, from, this.#data.length);
      this.#hit = at < 0 ? Number.POSITIVE_INFINITY : at;
    }
    return this.#hit < to;
  }

  #look(): void {
    const data = this.#data;
    const from = this.#lookedTo;
    let to = Math.min(data.length, from + stripeBytes);
    if (to < data.length) to = Math.max(from + 1, wholeCharacters(data, from, to));
    this.#lookedTo = to;
    if (isClean(data.subarray(from, to))) return;
    if (this.#dirtyTo < from) this.#dirtyFrom = from;
    this.#dirtyTo = to;
  }
}
