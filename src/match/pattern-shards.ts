/**
 * Many patterns tested at once, whatever RE2 thinks of their size: sets that do not compile or run out of memory go on with
 * cheaper forms, then in halves, down to single patterns, which never fail. No text is ever lost to a limit of the automaton.
 */
import { compilePattern, type PatternSet, patternSet } from './regex.ts';

interface Shard {
  readonly ids: readonly number[];
  readonly sources: readonly string[];
  /** Cheaper forms of the same, or null when these are they. */
  readonly spare: readonly string[] | null;
  readonly set: PatternSet | null;
  /** Where there is one pattern only. */
  readonly single: { test(subject: string | Buffer): boolean } | null;
}

function shardsOf(
  ids: readonly number[],
  sources: readonly string[],
  spare: readonly string[] | null,
): Shard[] {
  if (sources.length === 0) return [];
  if (sources.length === 1) {
    const compiled = compilePattern(sources[0] ?? '');
    // A pattern that can't be compiled can't say no.
    return [
      { ids, sources, spare, set: null, single: compiled.ok ? compiled.pattern : { test: () => true } },
    ];
  }
  const set = patternSet(sources);
  return set ? [{ ids, sources, spare, set, single: null }] : smaller(ids, sources, spare);
}

/** The same patterns in cheaper forms, or, where these are the cheapest, in two halves. */
function smaller(
  ids: readonly number[],
  sources: readonly string[],
  spare: readonly string[] | null,
): Shard[] {
  if (spare !== null) return shardsOf(ids, spare, null);
  const middle = sources.length >> 1;
  return [
    ...shardsOf(ids.slice(0, middle), sources.slice(0, middle), null),
    ...shardsOf(ids.slice(middle), sources.slice(middle), null),
  ];
}

/** Patterns by number. `fallbacks` counts how often RE2 gave up on a set and the set was cut in two. */
export class PatternShards {
  fallbacks = 0;
  readonly size: number;
  #shards: Shard[];

  /** `spare[i]` is a cheaper form of `sources[i]`, taken when the whole does not fit. */
  constructor(sources: readonly string[], spare: readonly string[]) {
    this.size = sources.length;
    this.#shards = shardsOf(
      sources.map((_, index) => index),
      sources,
      spare,
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
    this.#shards.splice(at, 1, ...smaller(shard.ids, shard.sources, shard.spare));
  }
}
