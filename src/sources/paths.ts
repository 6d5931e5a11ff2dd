/**
 * One configured or found path and what lies behind it now. A path is not a file: the file behind it changes at each
 * rotation, and several paths may lead to one file.
 */
import type { FoundFile } from './listing.ts';
import type { Paced } from './pace.ts';
import type { Pump } from './pump.ts';
import type { Tail } from './tail.ts';

export interface PathEntry extends Paced {
  readonly kind: 'path';
  readonly found: FoundFile;
  /** Still found by the globs. */
  listed: boolean;
  /** It was there before the very first start and was not opened yet: the configured start counts for it. */
  initial: boolean;
  tail: Tail | null;
  /** What it led to before, while that may still be read. */
  previous: Tail | null;
  /** A link, or below one: what it leads to may change where no event tells of it. */
  linked: boolean;
  /** Where it led to when that was last asked: another place is no rotation. Null where nobody knows. */
  place: string | null;
  /** A named pipe is read as a stream of its own. */
  pump: Pump | null;
  /** Being opened or asked about. */
  busy: boolean;
  /**
   * When it was last seen to lead to its tail, ms of the wall clock; 0 before. A generation born later was not seen yet. It is
   * saved with the position, and not moved on before all that came between is known.
   */
  seenAt: number;
  /** When it was asked what is behind it, the last time it was opened; what came later was not seen by that. Wall clock, ms. */
  lookedAt: number;
  /** Not asked before, monotonic ms: after a failure. */
  retryAt: number;
  retryDelayMs: number;
  activeAt: number;
}

/** A file without a name: renamed away or removed, kept while something may still be written to it. */
export interface OrphanEntry extends Paced {
  readonly kind: 'orphan';
  readonly tail: Tail;
  busy: boolean;
  activeAt: number;
}

export function newPath(found: FoundFile, initial: boolean, now: number): PathEntry {
  return {
    kind: 'path',
    found,
    listed: true,
    initial,
    tail: null,
    previous: null,
    linked: true,
    place: null,
    pump: null,
    busy: false,
    seenAt: 0,
    lookedAt: 0,
    retryAt: 0,
    retryDelayMs: 0,
    activeAt: now,
  };
}
