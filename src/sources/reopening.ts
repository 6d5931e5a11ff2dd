/**
 * Opens the file of a stream again that was closed to save descriptors, or failed. Takes the stream; finds its file by its paths,
 * or by its inode in the folders where it may have been moved to, and leaves a stream whose file is nowhere. Never opens
 * another file in its place.
 */
import type { FileSourceConfig } from '../model/config.ts';
import type { Clock, SourcePort } from '../model/seams.ts';
import type { Descriptors } from './descriptors.ts';
import { closeQuietly, isFault, type RawPath, rawPath, statLater, statNow } from './disk.ts';
import { foldersOf, openFile } from './files.ts';
import { inodeName } from './identity.ts';
import type { Listing } from './listing.ts';
import { FileMedium } from './medium.ts';
import type { PathEntry } from './paths.ts';
import type { Tail } from './tail.ts';

/** First wait before a stream with a name is searched again, and the wait from which on it is given up. */
const retryFirstMs = 100;
const retryLastMs = 10_000;

export interface ReopeningDeps {
  readonly config: FileSourceConfig;
  readonly deps: { readonly port: SourcePort; readonly clock: Clock };
  readonly listing: Listing;
  readonly descriptors: Descriptors;
  readonly entriesOf: (tail: Tail) => PathEntry[];
  readonly leave: (tail: Tail, last: 'deliver' | 'drop') => void;
}

export class Reopening {
  readonly #with: ReopeningDeps;

  constructor(deps: ReopeningDeps) {
    this.#with = deps;
  }

  /** The stream has its file again, is to be asked later, or is left. */
  async reopen(tail: Tail): Promise<void> {
    const { deps, config, descriptors, entriesOf } = this.#with;
    const places: [string, RawPath][] = entriesOf(tail).map((e) => [e.found.path, e.found.raw]);
    for (const dir of foldersOf(tail.path)) {
      // Only where the names it had lead elsewhere by now.
      if (await this.#at(tail, places.splice(0))) return;
      if (await this.#below(tail, dir)) return;
    }
    const named = entriesOf(tail).length > 0;
    if (named && tail.retryDelayMs < retryLastMs) {
      tail.retryDelayMs = Math.max(retryFirstMs, tail.retryDelayMs * 2);
      tail.retryAt = deps.clock.monotonic() + tail.retryDelayMs;
      tail.seenChangeNs = 0n;
      return;
    }
    if (!named && tail.seenSize > tail.offset) deps.port.count(config.name, 'vanished', 1);
    descriptors.gone(tail);
    this.#with.leave(tail, 'drop');
  }

  async #below(tail: Tail, dir: string): Promise<boolean> {
    const remote = this.#with.listing.remote(dir);
    for (const name of (await this.#with.listing.view(dir, this.#with.deps.clock.now())).names) {
      if (name.kind !== 'file') continue;
      const raw = rawPath(dir, name.raw);
      const stat = remote ? await statLater(raw) : statNow(raw);
      if (isFault(stat) || inodeName(stat) !== tail.inode) continue;
      if (await this.#at(tail, [[tail.path, raw]])) return true;
    }
    return false;
  }

  async #at(tail: Tail, places: readonly (readonly [string, RawPath])[]): Promise<boolean> {
    for (const [path, raw] of places) {
      const file = await openFile(path, raw, tail.remote);
      if ('code' in file) {
        if (file.code === 'EMFILE' || file.code === 'ENFILE') this.#with.descriptors.shrink();
        continue;
      }
      if (inodeName(file.stat) !== tail.inode) {
        closeQuietly(file.fd);
        continue;
      }
      tail.medium = new FileMedium(file.fd);
      this.#with.descriptors.used(tail);
      return true;
    }
    return false;
  }
}
