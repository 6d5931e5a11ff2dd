/**
 * Brings the unread rest of a stream back to it: from a copy when its file was truncated while it was read, from wherever it
 * went while nobody ran. Takes streams and saved positions; gives streams that are read before the live file, the oldest
 * first. What can't be found is counted as `vanished`.
 */
import { posix } from 'node:path';
import type { FileSourceConfig } from '../model/config.ts';
import type { Clock, SourcePort } from '../model/seams.ts';
import { foldersOf } from './files.ts';
import { type ContentFacts, inodeName, isTelling } from './identity.ts';
import type { Listing } from './listing.ts';
import type { PathEntry } from './paths.ts';
import { findRest, type Rest } from './rest.ts';
import type { Saved } from './saved-streams.ts';
import type { Streams } from './streams.ts';
import type { Tail } from './tail.ts';
import type { Turns } from './turns.ts';
import type { UnseenGenerations } from './unseen.ts';

export interface RestsDeps {
  readonly config: FileSourceConfig;
  readonly deps: { readonly port: SourcePort; readonly clock: Clock };
  readonly listing: Listing;
  readonly paths: ReadonlyMap<string, PathEntry>;
  readonly turns: Turns;
  readonly streams: () => Streams;
  readonly orphan: (tail: Tail) => void;
  readonly unseen: UnseenGenerations;
}

export class Rests {
  readonly #with: RestsDeps;

  constructor(deps: RestsDeps) {
    this.#with = deps;
  }

  async find(tail: Tail, facts: ContentFacts): Promise<Rest | null> {
    if (facts.headLength === 0) return null;
    for (const dir of foldersOf(tail.path)) {
      const view = await this.#with.listing.view(dir, this.#with.deps.clock.now());
      const taken = (inode: string): boolean => {
        const other = this.#with.streams().byInode.get(inode);
        // A file that is delivered as a stream of its own is no copy; one that was only opened may be.
        return inode === tail.inode || (other !== undefined && other.offset > 0 && other.copyOf === null);
      };
      const rest = await findRest({ path: tail.path, id: tail.id, facts }, view, taken);
      if (rest !== null) return rest;
    }
    return null;
  }

  async resume(path: string, saved: readonly Saved[]): Promise<void> {
    const { deps, config, listing, turns } = this.#with;
    const live = this.#with.paths.get(path)?.tail ?? null;
    const chain: Tail[] = [];
    let unseenSince = Number.POSITIVE_INFINITY;
    for (const one of saved) {
      // A second look: while a file is being compressed it goes away between the listing and the look at it.
      const rest = (await this.#wherever(path, one, live)) ?? (await this.#wherever(path, one, live));
      if (rest === null) {
        // It was as good as empty when it was noted: whatever became of it has no mark, and counts as never seen.
        if (!isTelling(one.identity.facts))
          unseenSince = Math.min(unseenSince, one.identity.seenAt, one.position.updatedAt);
        else deps.port.count(config.name, 'vanished', 1);
        // What it inherited is in the state, and in no file any more.
        if (one.offset < 0) this.#with.streams().endWithoutFile(one);
        deps.port.forget(one.position.key);
        continue;
      }
      const tail = this.#with.streams().resumeElsewhere(one, rest, listing.remote(posix.dirname(path)));
      for (const earlier of chain) tail.after.add(earlier);
      tail.predecessor = chain.at(-1) ?? null;
      chain.push(tail);
      this.#placeRest(tail, rest, one, live);
      turns.want(tail);
      // Its own file went on with another content, and may have been renamed since.
      if (rest.how === 'copy') unseenSince = Math.min(unseenSince, one.identity.seenAt);
    }
    const lastSeenAt = this.#with.streams().saved.lastSeenAt(path);
    // A file that is known by its content was not rotated meanwhile. An empty one proves nothing: it may have been filled,
    // copied and emptied again.
    const resumed = live !== null && live.offset > 0 && this.#with.streams().saved.has(live.stream.key);
    if (lastSeenAt !== null && !resumed) unseenSince = Math.min(unseenSince, lastSeenAt);
    if (live !== null) live.predecessor = chain.at(-1) ?? null;
    if (unseenSince !== Number.POSITIVE_INFINITY)
      chain.push(...(await this.#with.unseen.read(path, live, unseenSince, chain.slice())));
    for (const tail of chain) if (tail !== live) live?.after.add(tail);
    const entry = this.#with.paths.get(path);
    if (entry && entry.tail === null) entry.previous = chain.at(-1) ?? null;
  }

  /** Where a saved stream goes on: renamed, copied, or compressed, beside its path. */
  async #wherever(path: string, saved: Saved, live: Tail | null): Promise<Rest | null> {
    const { listing } = this.#with;
    const { id, facts } = saved.identity;
    for (const dir of foldersOf(path)) {
      const view = await listing.view(dir, this.#with.deps.clock.now());
      const taken = (inode: string): boolean =>
        inode === live?.inode || (this.#with.streams().byInode.get(inode)?.offset ?? 0) > 0;
      const rest = await findRest({ path, id, facts }, view, taken);
      if (rest !== null) return rest;
    }
    return null;
  }

  #placeRest(tail: Tail, rest: Rest, saved: Saved, live: Tail | null): void {
    const { deps, config } = this.#with;
    if (rest.how === 'renamed') {
      this.#with.streams().byInode.set(tail.inode, tail);
      this.#with.orphan(tail);
      return;
    }
    tail.role = 'rest';
    tail.endsCut = rest.how === 'copy';
    tail.fresh = false;
    const truncated = live !== null && inodeName(live.id) === inodeName(saved.identity.id);
    const unread = rest.size === null || rest.size > saved.offset;
    if (truncated && unread) deps.port.count(config.name, 'copytruncate_recovered', 1);
  }
}
