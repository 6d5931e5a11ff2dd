/**
 * Finds the files that globs mean, now and again. Takes compiled globs, gives paths and the folders that decide about them.
 * A folder is listed again only when its own time stamp moved (or might have, within the clock's grain); a full listing
 * every few seconds catches file systems whose folder stamps lie.
 */
import type { BigIntStats } from 'node:fs';
import { posix } from 'node:path';
import {
  type Asked,
  isFault,
  listLater,
  listNow,
  type Mount,
  mountOf,
  type Name,
  namesLater,
  namesNow,
  type RawPath,
  rawPath,
  statLater,
  statNow,
} from './disk.ts';
import { FolderView } from './folder-view.ts';
import { type Glob, globMatches, type Segment, segmentMatches } from './glob.ts';

export interface FoundFile {
  readonly path: string;
  readonly raw: RawPath;
  readonly dir: string;
  /** Named as it is in the configuration, not found by a wild card: its absence and its oddities are worth a word. */
  readonly literal: boolean;
  readonly remote: boolean;
}
export interface FoundFolder {
  readonly inode: bigint;
  readonly entries: number;
}
export interface Found {
  readonly files: ReadonlyMap<string, FoundFile>;
  readonly folders: ReadonlyMap<string, FoundFolder>;
}

interface Cached {
  readonly stamp: bigint;
  readonly inode: bigint;
  readonly names: readonly Name[];
  readonly listedAtMs: number;
  /** The folder changed so shortly before it was listed that a second change could carry the same stamp. */
  readonly racy: boolean;
}

/** A view of a folder, and the stamps that prove that it still holds. */
interface Viewed {
  readonly stamp: bigint;
  readonly inode: bigint;
  readonly view: FolderView;
  wantedAtMs: number;
}

/** A file system may stamp only in whole seconds or in ticks of 4-10 ms: a younger stamp proves nothing. */
const grainMs = 2_100;
const fullListingMs = 10_000;
/** A view that nobody wanted for so long is let go: of 10,000 names it is megabytes. */
const viewKeptMs = 10_000;
/** `**` goes no deeper; a loop of bind mounts would not end otherwise. */
const depthMax = 32;
/** Folders that one glob may reach; beyond, the rest is not searched. */
const foldersMax = 20_000;

export class Listing {
  readonly #globs: readonly Glob[];
  readonly #exclude: readonly Glob[];
  readonly #cache = new Map<string, Cached>();
  readonly #mounts = new Map<string, Mount>();
  readonly #stale = new Set<string>();
  /** Folders that were looked for and were not there. */
  readonly #missing = new Set<string>();
  readonly #views = new Map<string, Viewed>();
  #last: Found | null = null;

  constructor(globs: readonly Glob[], exclude: readonly Glob[]) {
    this.#globs = globs;
    this.#exclude = exclude;
  }

  /** A hint that something in a folder changed: it is listed anew next time whatever its stamp says. */
  touch(dir: string): void {
    this.#stale.add(dir);
  }

  /** Whether a folder may hang; a guess (yes) until it was asked once. */
  remote(dir: string): boolean {
    return (this.#mounts.get(dir) ?? 'remote') === 'remote';
  }

  /** Whether the file system of a folder tells of each change in it. */
  announces(dir: string): boolean {
    return this.#mounts.get(dir) === 'plain';
  }

  /** Whether a folder is looked for that is not there. */
  get lacksFolder(): boolean {
    return this.#missing.size > 0;
  }

  /** Everything that the globs mean now. `nowMs` is the wall clock, since it is held against stamps of the disk. */
  async find(nowMs: number): Promise<Found> {
    for (const [dir, { wantedAtMs }] of this.#views)
      if (Math.abs(nowMs - wantedAtMs) > viewKeptMs) this.#views.delete(dir);
    if (this.#last !== null && (await this.#unchanged(nowMs))) return this.#last;
    this.#missing.clear();
    const files = new Map<string, FoundFile>();
    const folders = new Map<string, FoundFolder>();
    for (const glob of this.#globs) {
      // A name that exists as it is written wins over its meaning as a glob.
      if (glob.magic && !(await this.#exists(glob.pattern))) {
        for (const segments of glob.alternatives) {
          await this.#walk({ nowMs, files, folders }, '/', segments, 0);
        }
      } else {
        await this.#literal({ nowMs, files, folders }, glob.pattern);
      }
    }
    for (const path of files.keys()) {
      if (this.#exclude.some((glob) => globMatches(glob, path))) files.delete(path);
    }
    for (const dir of this.#cache.keys()) if (!folders.has(dir)) this.#cache.delete(dir);
    this.#last = { files, folders };
    return this.#last;
  }

  /** Whether no folder that decides about the answer has changed: then the answer is the last one, the same object. */
  async #unchanged(nowMs: number): Promise<boolean> {
    if (this.#stale.size > 0) return false;
    for (const [dir, cached] of this.#cache) {
      if (!this.#stillAsStamped(cached, dir, await this.#stat(dir))) return false;
      if (isRecent(cached, nowMs)) continue;
      if (!(await this.#sameNames(dir, cached))) return false;
      this.#cache.set(dir, { ...cached, listedAtMs: nowMs });
    }
    for (const dir of this.#missing) if (!isFault(await this.#stat(dir))) return false;
    for (const glob of this.#globs) if (!glob.magic && this.#lostFolder(glob.pattern)) return false;
    return true;
  }

  #lostFolder(pattern: string): boolean {
    const dir = posix.dirname(posix.normalize(pattern));
    // Its inode tells the watch that it was replaced.
    if (this.remote(dir)) return false;
    const stat = statNow(dir);
    return isFault(stat)
      ? (this.#last?.folders.has(dir) ?? false)
      : this.#last?.folders.get(dir)?.inode !== stat.ino;
  }

  #fresh(cached: Cached, dir: string, stat: Asked<BigIntStats>, nowMs: number): boolean {
    return this.#stillAsStamped(cached, dir, stat) && isRecent(cached, nowMs);
  }

  /** Whether neither its stamp nor an event says that a folder changed. */
  #stillAsStamped(cached: Cached, dir: string, stat: Asked<BigIntStats>): boolean {
    return (
      !isFault(stat) &&
      !cached.racy &&
      cached.stamp === stat.mtimeNs &&
      cached.inode === stat.ino &&
      !this.#stale.has(dir)
    );
  }

  /** Whether a folder holds what it held. The names alone are asked: of 5,000 files all the rest is megabytes for nothing. */
  async #sameNames(dir: string, { names }: Cached): Promise<boolean> {
    const now = (await this.#isRemote(dir)) ? await namesLater(dir) : namesNow(dir);
    if (isFault(now) || now.length !== names.length) return false;
    // Names of different bytes can read the same where they are not UTF-8.
    return names.every(({ text, raw }, at) => text === now[at] && typeof raw === 'string');
  }

  async #stat(dir: string): Promise<Asked<BigIntStats>> {
    return (await this.#isRemote(dir)) ? statLater(dir) : statNow(dir);
  }

  /** The names in one folder at `nowMs`, wall clock. What its stamp proves to be unchanged is not listed again. */
  async view(dir: string, nowMs: number): Promise<FolderView> {
    const remote = await this.#isRemote(dir);
    const stat = await this.#stat(dir);
    const known = this.#views.get(dir);
    if (known !== undefined && !isFault(stat) && known.stamp === stat.mtimeNs && known.inode === stat.ino) {
      known.wantedAtMs = nowMs;
      return known.view;
    }
    const names = remote ? await listLater(dir) : listNow(dir);
    const view = new FolderView(dir, isFault(names) ? [] : names, remote);
    this.#views.delete(dir);
    if (!isFault(stat) && !isFault(names) && !isRacy(stat, nowMs))
      this.#views.set(dir, { stamp: stat.mtimeNs, inode: stat.ino, view, wantedAtMs: nowMs });
    return view;
  }

  async #literal(walk: Walk, pattern: string): Promise<void> {
    const path = posix.normalize(pattern);
    const dir = posix.dirname(path);
    const remote = await this.#isRemote(dir);
    walk.files.set(path, { path, raw: path, dir, literal: true, remote });
    const stat = remote ? await statLater(dir) : statNow(dir);
    if (!isFault(stat) && !walk.folders.has(dir)) walk.folders.set(dir, { inode: stat.ino, entries: 0 });
  }

  async #walk(walk: Walk, dir: string, segments: readonly Segment[], at: number): Promise<void> {
    const segment = segments[at];
    if (segment === undefined || walk.folders.size > foldersMax) return;
    const last = at === segments.length - 1;
    if (segment.kind === 'literal' && !last) {
      await this.#walk(walk, posix.join(dir, segment.text), segments, at + 1);
      return;
    }
    const names = await this.#list(walk, dir);
    if (names === null) return;
    if (segment.kind === 'deep') await this.#deep(walk, dir, segments, at, names, 0);
    else await this.#step(walk, dir, segments, at, names);
  }

  async #step(
    walk: Walk,
    dir: string,
    segments: readonly Segment[],
    at: number,
    names: readonly Name[],
  ): Promise<void> {
    const segment = segments[at];
    if (segment === undefined) return;
    const last = at === segments.length - 1;
    for (const name of names) {
      if (!segmentMatches(segment, name.text)) continue;
      if (!last) {
        if (name.kind === 'folder' || name.kind === 'link') {
          await this.#walk(walk, posix.join(dir, name.text), segments, at + 1);
        }
      } else if (name.kind !== 'folder') {
        const path = posix.join(dir, name.text);
        const remote = this.remote(dir);
        if (!walk.files.has(path)) {
          walk.files.set(path, { path, raw: rawPath(dir, name.raw), dir, literal: false, remote });
        }
      }
    }
  }

  async #deep(
    walk: Walk,
    dir: string,
    segments: readonly Segment[],
    at: number,
    names: readonly Name[],
    depth: number,
  ): Promise<void> {
    // A `**` at the end means every file below.
    const rest: readonly Segment[] = at === segments.length - 1 ? [{ kind: 'deep' }] : segments.slice(at + 1);
    if (at === segments.length - 1) await this.#step(walk, dir, rest, 0, names);
    else await this.#walk(walk, dir, rest, 0);
    if (depth >= depthMax || walk.folders.size > foldersMax) return;
    for (const name of names) {
      // Links are not followed below `**`: they can lead in circles.
      if (name.kind !== 'folder' || name.text.startsWith('.')) continue;
      const below = posix.join(dir, name.text);
      const inner = await this.#list(walk, below);
      if (inner !== null) await this.#deep(walk, below, segments, at, inner, depth + 1);
    }
  }

  async #list(walk: Walk, dir: string): Promise<readonly Name[] | null> {
    const remote = await this.#isRemote(dir);
    const stat = remote ? await statLater(dir) : statNow(dir);
    if (isFault(stat)) {
      this.#mounts.delete(dir);
      this.#missing.add(dir);
      return null;
    }
    const cached = this.#cache.get(dir);
    if (cached !== undefined && this.#fresh(cached, dir, stat, walk.nowMs)) {
      walk.folders.set(dir, { inode: stat.ino, entries: cached.names.length });
      return cached.names;
    }
    this.#stale.delete(dir);
    const names: Asked<Name[]> = remote ? await listLater(dir) : listNow(dir);
    if (isFault(names)) return null;
    const racy = isRacy(stat, walk.nowMs);
    this.#cache.set(dir, { stamp: stat.mtimeNs, inode: stat.ino, names, listedAtMs: walk.nowMs, racy });
    walk.folders.set(dir, { inode: stat.ino, entries: names.length });
    return names;
  }

  async #exists(path: string): Promise<boolean> {
    const stat = (await this.#isRemote(posix.dirname(path))) ? await statLater(path) : statNow(path);
    return !isFault(stat);
  }

  async #isRemote(dir: string): Promise<boolean> {
    const known = this.#mounts.get(dir);
    if (known !== undefined) return known === 'remote';
    const mount = await mountOf(dir);
    // A folder that is not there yet is asked again when it is: it counts as remote until then.
    if (mount !== 'remote' || !isFault(await statLater(dir))) this.#mounts.set(dir, mount);
    return mount === 'remote';
  }
}

/** A second change could carry the same stamp. */
function isRacy(stat: BigIntStats, nowMs: number): boolean {
  return Math.abs(nowMs - Number(stat.mtimeNs / 1_000_000n)) < grainMs;
}

/** A clock that was set back proves nothing. */
function isRecent({ listedAtMs }: Cached, nowMs: number): boolean {
  return nowMs - listedAtMs < fullListingMs && nowMs >= listedAtMs;
}

interface Walk {
  readonly nowMs: number;
  readonly files: Map<string, FoundFile>;
  readonly folders: Map<string, FoundFolder>;
}
