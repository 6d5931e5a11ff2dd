/**
 * Many patterns tested at once, whatever RE2 thinks of their size: sets that do not compile or run out of memory are cut in
 * halves, down to single patterns, which never fail. No text is ever lost to a limit of the automaton.
 */
import { blockFinder, compilePattern, type PatternSet, patternSet } from './regex.ts';

interface Shard {
  readonly ids: readonly number[];
  readonly sources: readonly string[];
  readonly set: PatternSet | null;
  /** Where there is one pattern only. */
  readonly single: { test(subject: string | Buffer): boolean } | null;
}

function shardsOf(ids: readonly number[], sources: readonly string[]): Shard[] {
  if (sources.length === 0) return [];
  if (sources.length === 1) {
    const compiled = compilePattern(sources[0] ?? '');
    // A pattern that can't be compiled can't say no.
    return [{ ids, sources, set: null, single: compiled.ok ? compiled.pattern : { test: () => true } }];
  }
  const set = patternSet(sources);
  return set ? [{ ids, sources, set, single: null }] : halves(ids, sources);
}

function halves(ids: readonly number[], sources: readonly string[]): Shard[] {
  const middle = sources.length >> 1;
  return [
    ...shardsOf(ids.slice(0, middle), sources.slice(0, middle)),
    ...shardsOf(ids.slice(middle), sources.slice(middle)),
  ];
}

/** Patterns by number. `fallbacks` counts how often RE2 gave up on a set and the set was cut in two. */
export class PatternShards {
  fallbacks = 0;
  readonly size: number;
  #shards: Shard[];

  constructor(sources: readonly string[]) {
    this.size = sources.length;
    this.#shards = shardsOf(
      sources.map((_, index) => index),
      sources,
    );
  }

  /** Whether any pattern matches. */
  test(subject: string | Buffer): boolean {
    for (let i = 0; i < this.#shards.length; ) {
      const shard = this.#shards[i] as Shard;
      try {
        if (shard.single ? shard.single.test(subject) : shard.set?.test(subject)) return true;
        i++;
      } catch {
        this.#split(i);
      }
    }
    return false;
  }

  /** Numbers of the patterns that match, in no order. */
  match(subject: string | Buffer): number[] {
    const found: number[] = [];
    for (let i = 0; i < this.#shards.length; ) {
      const shard = this.#shards[i] as Shard;
      try {
        if (shard.single) {
          if (shard.single.test(subject)) found.push(shard.ids[0] ?? 0);
        } else for (const at of shard.set?.match(subject) ?? []) found.push(shard.ids[at] ?? 0);
        i++;
      } catch {
        this.#split(i);
      }
    }
    return found;
  }

  #split(at: number): void {
    const shard = this.#shards[at] as Shard;
    this.fallbacks++;
    this.#shards.splice(at, 1, ...halves(shard.ids, shard.sources));
  }
}

/** So many short patterns are faster as one alternation (measured: 1.15 times a set up to 200, useless at 1,000). */
const maxAlternation = 100;
/** An alternation of longer sources may run its automaton out of memory without saying so. */
const maxAlternationLength = 8_000;

/** One alternation that gives the place of the first match, where that is the faster way; else null. */
export function alternationOf(sources: readonly string[]): { find(block: Buffer): number } | null {
  if (sources.length === 0 || sources.length > maxAlternation) return null;
  if (sources.reduce((sum, source) => sum + source.length, 0) > maxAlternationLength) return null;
  // Repeats in the middle multiply the states that must be kept; sets say so when that fails, an alternation does not.
  if (sources.length > 1 && sources.filter((source) => /[*+}](?!$)/.test(source)).length > 24) return null;
  return blockFinder(sources);
}
