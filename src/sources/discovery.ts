/**
 * Finds the files of a source again and again: often where only polling tells of a new one, more rarely where events do, at once
 * when one hints. Keeps the map of paths up to date and the folders watched; has each new path looked at. Does not open files and
 * knows nothing of their content.
 */
import type { Found, FoundFolder, Listing } from './listing.ts';
import type { Looks } from './looks.ts';
import type { Pace } from './pace.ts';
import { newPath, type OrphanEntry, type PathEntry } from './paths.ts';
import type { SourceDeps } from './sources.ts';
import type { Trust } from './trust.ts';

/** New files and folders are looked for this often, or more rarely where that takes long: at most 2 % of the time. */
const everyMs = 100;
/** Where events tell of new ones. */
const everyAnnouncedMs = 500;
const share = 50;
/** A hint of a new name makes the next look for files come sooner, but not sooner than this, or 10 % of the time. */
const hintedEveryMs = 5;
const hintedShare = 10;

export interface DiscoveryDeps {
  readonly deps: SourceDeps;
  readonly listing: Listing;
  readonly paths: Map<string, PathEntry>;
  readonly pace: Pace<PathEntry | OrphanEntry>;
  readonly looks: Looks;
  readonly trust: Trust;
  readonly watch: (folders: ReadonlyMap<string, FoundFolder>) => void;
  readonly lastSeenAt: (path: string) => number | null;
  readonly problem: (path: string, text: string | null) => void;
  /** Everything found was looked at. */
  readonly found: () => void;
  readonly settled: () => Promise<void>;
  readonly starting: () => boolean;
  readonly stopping: () => boolean;
}

export class Discovery {
  readonly #with: DiscoveryDeps;
  #at = 0;
  /** Not before, however many hints come. */
  #from = 0;
  #running: Promise<void> | null = null;
  #last: Found | null = null;
  /** The folders in which files are, or may come to be. */
  #folders: ReadonlySet<string> = new Set();

  constructor(deps: DiscoveryDeps) {
    this.#with = deps;
  }

  /** Begins if it is time, and plans the next time. */
  tick(now: number): void {
    if (now < this.#at || this.#running !== null) return;
    void this.run().finally(() => {
      const ended = this.#with.deps.clock.monotonic();
      const every = this.#announced() ? everyAnnouncedMs : everyMs;
      this.#from = ended + Math.max(hintedEveryMs, (ended - now) * hintedShare);
      this.#at = ended + Math.max(every, (ended - now) * share);
    });
  }

  /** Something came, went or moved in a folder. */
  hinted(dir: string): void {
    this.#with.listing.touch(dir);
    this.#at = Math.min(this.#at, this.#from);
  }

  due(now: number): boolean {
    return now >= this.#at;
  }

  run(): Promise<void> {
    this.#running ??= this.#find().finally(() => {
      this.#running = null;
    });
    return this.#running;
  }

  /** A path that leads to nothing and is listed no more. */
  drop(entry: PathEntry): void {
    this.#with.paths.delete(entry.found.path);
    this.#with.pace.remove(entry);
    this.#with.problem(entry.found.path, null);
  }

  #announced(): boolean {
    if (this.#with.listing.lacksFolder || this.#folders.size === 0) return false;
    for (const dir of this.#folders) if (!this.#with.trust.folder(dir)) return false;
    return true;
  }

  async #find(): Promise<void> {
    const { deps, listing, paths, looks } = this.#with;
    const found = await listing.find(deps.clock.now());
    if (this.#with.stopping()) return;
    this.#with.watch(found.folders);
    if (found !== this.#last) {
      const before = this.#last;
      this.#last = found;
      this.#folders = new Set([...found.folders.keys(), ...[...found.files.values()].map(({ dir }) => dir)]);
      this.#notice(found);
      if (before !== null) this.#lookBelowMoved(before, found);
      if (this.#with.starting()) {
        // In the order of their names, so that two runs over the same files do the same.
        for (const path of [...paths.keys()].sort()) {
          const entry = paths.get(path);
          if (!entry || entry.busy || entry.tail !== null) continue;
          await looks.now(entry);
          await this.#with.settled();
        }
      }
    }
    this.#with.found();
  }

  #notice(found: Found): void {
    const { deps, paths, pace, looks } = this.#with;
    const starting = this.#with.starting();
    const now = deps.clock.monotonic();
    for (const [path, file] of found.files) {
      const entry = paths.get(path);
      if (entry) {
        entry.listed = true;
        continue;
      }
      const added = newPath(file, starting && deps.firstStart, now);
      added.seenAt = starting ? (this.#with.lastSeenAt(path) ?? 0) : 0;
      paths.set(path, added);
      pace.add(added);
      if (!starting) looks.hinted(added, now);
    }
    for (const [path, entry] of paths) {
      if (found.files.has(path)) continue;
      entry.listed = false;
      if (entry.tail === null && entry.pump === null && !entry.busy) this.drop(entry);
    }
  }

  /** Another folder of the same name: no event told of the files in it. */
  #lookBelowMoved(before: Found, found: Found): void {
    const moved = new Set<string>();
    for (const [dir, { inode }] of before.folders) {
      if (found.folders.get(dir)?.inode !== inode) moved.add(dir);
    }
    if (moved.size === 0) return;
    const now = this.#with.deps.clock.monotonic();
    for (const entry of this.#with.paths.values()) {
      if (moved.has(entry.found.dir)) this.#with.looks.hinted(entry, now);
    }
  }
}
