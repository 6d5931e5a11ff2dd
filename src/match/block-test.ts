/**
 * The test of whole blocks over a set of patterns. Patterns that cannot match without one of a few literals are looked for by
 * these; the others by automata: an alternation of short forms, which gives the place of the first match, or sets of the
 * whole patterns. Automata are built when they are first needed.
 */
import type { BlockPattern } from './block-pattern.ts';
import { tellingWeight } from './block-pattern.ts';
import { LiteralScan } from './literal-scan.ts';
import { PatternShards } from './pattern-shards.ts';
import { type BlockFinder, blockFinder } from './regex.ts';
import { chooseLiterals } from './required-literals.ts';

/** So many short patterns are faster as one alternation (measured: 1.15 times a set up to 200, useless at 1,000). */
const maxAlternation = 100;
/** So many alarms are waited for before they are judged, and so many of them may be false for each true one. */
const judgedAlarms = 256;
const falseForTrue = 8;
/** More literals than this are left to automata: their tables have 16 bits. */
const maxLiterals = 60_000;
/** Where a record holds literals of more patterns than this, a set tells which of them match. */
const fewPatterns = 16;

/** Some of the patterns, tested by automata. */
export class Automata {
  readonly #patterns: readonly BlockPattern[];
  /** Their numbers in the whole. */
  readonly #numbers: readonly number[];
  #shards: PatternShards | null = null;
  /** Undefined until it is asked for; null where sets are the better way. */
  #finder: BlockFinder | null | undefined;
  #alarms = 0;
  #hits = 0;

  constructor(patterns: readonly BlockPattern[], numbers: readonly number[]) {
    this.#patterns = patterns;
    this.#numbers = numbers;
  }

  /** How often RE2 gave up on a set. */
  get fallbacks(): number {
    return this.#shards?.fallbacks ?? 0;
  }

  /** Gives the place of the first match in a block; null where sets are the better way. */
  get finder(): BlockFinder | null {
    if (this.#finder === undefined) {
      const patterns = this.#patterns;
      const fits =
        patterns.length > 0 &&
        patterns.length <= maxAlternation &&
        (patterns.length === 1 || patterns.every((pattern) => pattern.automaton.weight >= tellingWeight));
      this.#finder = fits ? blockFinder(patterns.map(({ automaton }) => automaton.short)) : null;
    }
    return this.#finder;
  }

  /** Whether any of them matches in a block. */
  test(block: Buffer): boolean {
    return this.#sets().test(block);
  }

  /** Numbers of those that match a record. */
  match(record: Buffer): number[] {
    return this.#sets()
      .match(record)
      .map((at) => this.#numbers[at] ?? 0);
  }

  /** Tells what became of the candidates: `hits` of them were wanted by a rule. The alternation is left for good when most alarms are false. */
  judge(alarms: number, hits: number): void {
    if (!this.#finder) return;
    this.#alarms += alarms;
    this.#hits += hits;
    if (this.#alarms < judgedAlarms) return;
    if (this.#alarms > this.#hits * falseForTrue) this.#finder = null;
    this.#alarms = 0;
    this.#hits = 0;
  }

  #sets(): PatternShards {
    this.#shards ??= new PatternShards(
      this.#patterns.map(({ automaton }) => automaton.source),
      this.#patterns.map(({ automaton }) => automaton.short),
    );
    return this.#shards;
  }
}

export class BlockTest {
  /** Finds the patterns that have literals; null where none has. */
  readonly literals: LiteralScan | null;
  /** The patterns that have none; null where all have. */
  readonly rest: Automata | null;
  /** All patterns, for where literals raise too many false alarms. */
  readonly whole: Automata;

  constructor(patterns: readonly BlockPattern[]) {
    const chosen = chooseLiterals(patterns.map(({ literals }) => literals));
    const count = chosen.reduce((sum, literals) => sum + (literals?.length ?? 0), 0);
    const sets = count > maxLiterals ? chosen.map(() => null) : chosen;
    const numbers = patterns.map((_, number) => number);
    const others = numbers.filter((number) => sets[number] === null);
    this.whole = new Automata(patterns, numbers);
    this.literals = others.length < patterns.length ? new LiteralScan(sets) : null;
    this.rest =
      others.length === 0
        ? null
        : others.length === patterns.length
          ? this.whole
          : new Automata(
              patterns.filter((_, number) => sets[number] === null),
              others,
            );
  }

  /** How often RE2 gave up on a set and the set was cut in two. */
  get fallbacks(): number {
    return this.whole.fallbacks + (this.rest === null || this.rest === this.whole ? 0 : this.rest.fallbacks);
  }

  /** Whether any pattern may match in a block. */
  test(block: Buffer): boolean {
    if (this.literals !== null && this.literals.search(block, 0, block.length) !== 0) return true;
    return this.rest?.test(block) ?? false;
  }

  /** Numbers of the patterns that may match a record. */
  match(record: Buffer): number[] {
    const found = this.literals === null ? [] : this.literals.patternsIn(record);
    if (found === null || found.length > fewPatterns) return this.whole.match(record);
    return this.rest === null ? found : [...found, ...this.rest.match(record)];
  }
}
