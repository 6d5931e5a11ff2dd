/**
 * Which path leads to which stream. Takes a path and the stream of what was found behind it; keeps, for each stream, whether any
 * path still leads to it, and for each link where it leads, since that is where events come from. A stream that lost its last
 * name is kept as a nameless one. Opens nothing itself.
 */
import { realpathSync } from 'node:fs';
import { posix } from 'node:path';
import type { Clock } from '../model/seams.ts';
import type { WatchedFolder } from '../system/watch.ts';
import type { FoundFolder } from './listing.ts';
import type { PathEntry } from './paths.ts';
import type { Streams } from './streams.ts';
import type { Tail } from './tail.ts';
import type { Turns } from './turns.ts';

export interface NamesDeps {
  readonly deps: { readonly clock: Clock };
  readonly paths: ReadonlyMap<string, PathEntry>;
  readonly turns: Turns;
  readonly streams: () => Streams;
  /** A stream lost its last name. */
  readonly orphan: (tail: Tail) => void;
  /** A stream has a name. */
  readonly named: (tail: Tail) => void;
  readonly starting: () => boolean;
  /** A stream that was closed to save descriptors is opened again while it can still be found. */
  readonly reopen: (tail: Tail) => Promise<void>;
}

export class Names {
  readonly #with: NamesDeps;
  /** Real place -> path: hints come for the folder where a link leads to. */
  readonly #places = new Map<string, PathEntry>();

  constructor(deps: NamesDeps) {
    this.#with = deps;
  }

  byPlace(path: string): PathEntry | undefined {
    return this.#with.paths.get(path) ?? this.#places.get(path);
  }

  /** The folders to watch: those of the globs, and those where links lead. */
  watched(folders: ReadonlyMap<string, FoundFolder>): ReadonlyMap<string, WatchedFolder> {
    if (this.#places.size === 0) return folders;
    const all = new Map<string, WatchedFolder>(folders);
    for (const place of this.#places.keys()) {
      const dir = posix.dirname(place);
      if (!all.has(dir)) all.set(dir, { inode: 0n, entries: 0 });
    }
    return all;
  }

  /** The paths that lead to a stream. */
  of(tail: Tail): PathEntry[] {
    return [...this.#with.paths.values()].filter((entry) => entry.tail === tail);
  }

  /** A path leads to this stream from now on. */
  async attach(entry: PathEntry, tail: Tail): Promise<void> {
    await this.point(entry, tail);
    if (!this.#with.starting()) entry.seenAt = entry.lookedAt;
  }

  /** As `attach`, but what came between is still to be found out. */
  async point(entry: PathEntry, tail: Tail): Promise<void> {
    if (entry.tail !== tail) await this.detach(entry);
    entry.tail = tail;
    entry.previous = null;
    entry.retryDelayMs = 0;
    this.#with.named(tail);
    this.notePlace(entry);
  }

  /** A path leads nowhere any more. */
  async detach(entry: PathEntry): Promise<void> {
    const old = entry.tail;
    entry.tail = null;
    if (old !== null) entry.previous = old;
    if (old === null || old.ended || this.of(old).length > 0) return;
    // What was written up to now, and what is still written to it, comes before anything of its successor.
    old.caughtUp = false;
    if (old.medium === null) await this.#with.reopen(old);
    if (old.ended) return;
    this.#with.orphan(old);
    this.#with.turns.want(old);
  }

  /** A stream ended: no path leads to it, now or before. */
  forget(tail: Tail): void {
    for (const entry of this.#with.paths.values()) {
      if (entry.tail === tail) entry.tail = null;
      if (entry.previous === tail) entry.previous = null;
    }
  }

  /** Where a path leads to, if that is another place. */
  notePlace(entry: PathEntry): void {
    if (entry.found.remote) return;
    try {
      const place = realpathSync(entry.found.path);
      entry.linked = place !== entry.found.path;
      entry.place = place;
      if (!entry.linked) return;
      this.#places.set(place, entry);
      if (entry.tail !== null) this.#with.streams().named(entry.tail, posix.basename(place));
    } catch {
      // Gone again: the next look tells.
    }
  }
}
