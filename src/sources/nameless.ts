/**
 * Files that lost their name: renamed away or removed, kept while something may still be written to them. Takes streams whose
 * last name went; leaves each when it was read to its end and nothing came for a while, or when there are too many. Does not
 * look at the files itself: it says which ones to look at, and how often is the pace's affair.
 */
import type { Pace } from './pace.ts';
import type { OrphanEntry, PathEntry } from './paths.ts';
import type { Tail } from './tail.ts';

const rotateWaitDefaultMs = 30_000;
/** Files without a name that are kept open; beyond, the one quiet for the longest is left. */
const namelessMax = 128;

export class Nameless {
  readonly #entries = new Map<Tail, OrphanEntry>();
  readonly #pace: Pace<PathEntry | OrphanEntry>;
  readonly #waitMs: number;

  constructor(pace: Pace<PathEntry | OrphanEntry>, waitMs: number | undefined) {
    this.#pace = pace;
    this.#waitMs = waitMs ?? rotateWaitDefaultMs;
  }

  get size(): number {
    return this.#entries.size;
  }

  entries(): Iterable<OrphanEntry> {
    return this.#entries.values();
  }

  add(tail: Tail, now: number): void {
    tail.lostNameAt = now;
    const entry: OrphanEntry = { kind: 'orphan', tail, busy: false, activeAt: now };
    this.#entries.set(tail, entry);
    this.#pace.add(entry);
  }

  /** It has a name (again), or it ended. */
  remove(tail: Tail): void {
    tail.lostNameAt = null;
    const entry = this.#entries.get(tail);
    if (entry) this.#pace.remove(entry);
    this.#entries.delete(tail);
  }

  /** Those that were read to their end, and to which nothing came for a while. */
  over(now: number): Tail[] {
    const tooMany = this.#entries.size - namelessMax;
    const over: Tail[] = [];
    for (const tail of this.#entries.keys()) {
      if (!tail.caughtUp || tail.busy || tail.ended) continue;
      const since = Math.max(tail.activeAt, tail.lostNameAt ?? 0);
      if (now - since >= this.#waitMs || over.length < tooMany) over.push(tail);
    }
    return over;
  }
}
