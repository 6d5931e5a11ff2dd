/**
 * Whether the events of the system can be relied upon for a file, so that it is polled rarely while it sleeps. Takes what is
 * known of its folder and what was noticed: a storm of events (the system's queue may have run over) and changes that no
 * event told of (memory maps, some mounts). Doubts are forgotten after a while; with any of them a file is polled as if there
 * were no events at all.
 */
import type { Clock } from '../model/seams.ts';
import type { PathEntry } from './paths.ts';

/** Hints within a second from which on some may have been lost: the system's queue holds 16,384 where nobody lowered it. */
const stormHints = 2_000;
const stormDoubtMs = 30_000;
/** A change this old that no event told of is proof that they do not come. */
export const unannouncedMs = 1_000;
const folderDoubtMs = 10 * 60_000;

export interface TrustDeps {
  readonly clock: Clock;
  /** Events of this folder come, as far as is known. */
  readonly covers: (dir: string) => boolean;
  /** The folder lies on a file system that tells of every change. */
  readonly announces: (dir: string) => boolean;
}

export class Trust {
  readonly #with: TrustDeps;
  readonly #doubtedFolders = new Map<string, number>();
  #doubtAllUntil = 0;
  #hintsFrom = 0;
  #hints = 0;

  constructor(deps: TrustDeps) {
    this.#with = deps;
  }

  /** Whether a change in this folder will be told. */
  folder(dir: string): boolean {
    const now = this.#with.clock.monotonic();
    if (now < this.#doubtAllUntil || !this.#with.announces(dir) || !this.#with.covers(dir)) return false;
    const until = this.#doubtedFolders.get(dir);
    if (until === undefined) return true;
    if (now < until) return false;
    this.#doubtedFolders.delete(dir);
    return true;
  }

  /** Whether a change of this file will be told. Never through a link: its folders may be moved without an event here. */
  file(entry: PathEntry): boolean {
    return entry.tail !== null && !entry.linked && !entry.found.remote && this.folder(entry.found.dir);
  }

  /** An event came. True if it was one too many: from now on nothing is trusted for a while. */
  hinted(): boolean {
    const now = this.#with.clock.monotonic();
    if (now - this.#hintsFrom >= 1_000) {
      this.#hintsFrom = now;
      this.#hints = 0;
    }
    if (++this.#hints < stormHints) return false;
    const news = now >= this.#doubtAllUntil;
    this.#doubtAllUntil = now + stormDoubtMs;
    return news;
  }

  /** A poll found a change of `changedNs` (wall clock) in a file whose events were trusted. True if that is news. */
  found(entry: PathEntry, changedNs: bigint): boolean {
    const { clock } = this.#with;
    if (clock.now() - Number(changedNs / 1_000_000n) < unannouncedMs || !this.file(entry)) return false;
    this.#doubtedFolders.set(entry.found.dir, clock.monotonic() + folderDoubtMs);
    return true;
  }
}
