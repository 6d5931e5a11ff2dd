/**
 * The test of whole blocks over a set of patterns, in the faster of two ways: an alternation of short forms, which gives the
 * place of the first match, or sets of the whole patterns. The first is left for good when most of its alarms are false.
 */
import type { BlockPattern } from './block-pattern.ts';
import { tellingWeight } from './block-pattern.ts';
import { PatternShards } from './pattern-shards.ts';
import { type BlockFinder, blockFinder } from './regex.ts';

/** So many short patterns are faster as one alternation (measured: 1.15 times a set up to 200, useless at 1,000). */
const maxAlternation = 100;
/** So many alarms are waited for before they are judged, and so many of them may be false for each true one. */
const judgedAlarms = 256;
const falseForTrue = 8;

export class BlockTest {
  readonly shards: PatternShards;
  #finder: BlockFinder | null;
  #alarms = 0;
  #hits = 0;

  constructor(patterns: readonly BlockPattern[]) {
    this.shards = new PatternShards(
      patterns.map((pattern) => pattern.source),
      patterns.map((pattern) => pattern.short),
    );
    const fits =
      patterns.length > 0 &&
      patterns.length <= maxAlternation &&
      (patterns.length === 1 || patterns.every((pattern) => pattern.weight >= tellingWeight));
    this.#finder = fits ? blockFinder(patterns.map((pattern) => pattern.short)) : null;
  }

  /** Gives the place of the first match in a block; null where sets are the better way. */
  get finder(): BlockFinder | null {
    return this.#finder;
  }

  /** Whether any pattern matches in a block. */
  test(block: Buffer): boolean {
    return this.shards.test(block);
  }

  /** Numbers of the patterns that match a record. */
  match(record: Buffer | string): number[] {
    return this.shards.match(record);
  }

  /** Tells what became of the candidates: `hits` of them were wanted by a rule. */
  judge(alarms: number, hits: number): void {
    if (this.#finder === null) return;
    this.#alarms += alarms;
    this.#hits += hits;
    if (this.#alarms < judgedAlarms) return;
    if (this.#alarms > this.#hits * falseForTrue) this.#finder = null;
    this.#alarms = 0;
    this.#hits = 0;
  }
}
