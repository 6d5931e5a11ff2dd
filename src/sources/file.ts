/**
 * The source `file`: makes globs look like perpetual streams of bytes, though the files beneath may be renamed, copied,
 * truncated, replaced or gone. Takes a configuration and a port; finds files, looks at them often or rarely, and lets their
 * streams read in turns. Relies on polling; events only make it quicker. What to do when a file is no longer what it was is
 * decided in `changes.ts`.
 */
import type { BigIntStats } from 'node:fs';
import { posix } from 'node:path';
import type { FileSourceConfig } from '../model/config.ts';
import type { Source, Timer } from '../model/seams.ts';
import { type FolderWatch, watchNothing } from '../system/watch.ts';
import { Changes } from './changes.ts';
import { Descriptors, openFilesAllowed } from './descriptors.ts';
import { type Asked, explain, fstatLater, fstatNow, isFault, statLater, statNow } from './disk.ts';
import { compileGlob } from './glob.ts';
import { type Found, Listing } from './listing.ts';
import { Pace } from './pace.ts';
import { newPath, type OrphanEntry, type PathEntry } from './paths.ts';
import { quietMs } from './pump.ts';
import type { SourceDeps } from './sources.ts';
import { noteSeen, Streams } from './streams.ts';
import type { Tail, TurnEnd } from './tail.ts';
import { Turns } from './turns.ts';

/** New files and folders are looked for this often, or more rarely where that takes long: at most 2 % of the time. */
const discoverEveryMs = 100;
const discoverShare = 50;
/** Files are looked for at once when a hint comes, but not more often than this in a storm of hints. */
const hintEveryMs = 2;
/** A hint of a new name makes the next look for files come sooner, but not sooner than this, or 10 % of the time. */
const hintDiscoverEveryMs = 5;
const hintDiscoverShare = 10;
const rotateWaitDefaultMs = 30_000;
/** Files without a name that are kept open; beyond, the one quiet for the longest is left. */
const orphansMax = 128;
/** First wait after a failure of the system, and the longest. */
const retryFirstMs = 500;
const retryLastMs = 30_000;
/** Looks under way on file systems that may hang. */
const remoteLooksMax = 2;

export class FileSource implements Source {
  readonly name: string;
  readonly #deps: SourceDeps;
  readonly #listing: Listing;
  readonly #paths = new Map<string, PathEntry>();
  readonly #orphans = new Map<Tail, OrphanEntry>();
  readonly #pace = new Pace<PathEntry | OrphanEntry>();
  readonly #turns: Turns;
  readonly #changes: Changes;
  readonly #watch: FolderWatch;
  readonly #rotateWaitMs: number;
  readonly #quiet = new Set<Tail>();
  readonly #hinted = new Set<PathEntry | OrphanEntry>();
  readonly #problems = new Map<string, string>();
  #said = '';
  #streams: Streams | null = null;
  #started: Promise<void> | null = null;
  #timer: Timer | null = null;
  #hintTimer: Timer | null = null;
  #discoverAt = 0;
  /** Not before, however many hints come. */
  #discoverFrom = 0;
  #discovering: Promise<void> | null = null;
  #remoteLooks = 0;
  #found: Found | null = null;
  #first = true;
  #draining = false;
  #stopping = false;

  constructor(config: FileSourceConfig, deps: SourceDeps) {
    this.name = config.name;
    this.#deps = deps;
    this.#rotateWaitMs = deps.rotateWaitMs ?? rotateWaitDefaultMs;
    const globs = config.paths.map(compileGlob);
    this.#listing = new Listing(globs, config.exclude.map(compileGlob));
    const descriptors = new Descriptors(deps.openFilesMax ?? openFilesAllowed());
    this.#turns = new Turns({
      // At the start everything is found first, so that the oldest can be read first.
      ready: async (tail) => (this.#first ? 'wait' : this.#changes.ready(tail)),
      ended: (tail, end) => this.#turned(tail, end),
      failed: (tail, error) => this.#failed(tail, error),
    });
    this.#changes = new Changes({
      config,
      globs,
      deps,
      listing: this.#listing,
      paths: this.#paths,
      turns: this.#turns,
      descriptors,
      // Made at start: the positions are read from the state then.
      streams: () => {
        const seenAt = (path: string): number => this.#paths.get(path)?.seenAt || deps.clock.now();
        this.#streams ??= new Streams({ ...deps, seenAt }, config, deps.timeOf);
        return this.#streams;
      },
      orphan: (tail) => this.#orphan(tail),
      named: (tail) => this.#named(tail),
      draining: () => this.#draining,
      starting: () => this.#first,
      problem: (path, text) => this.#problem(path, text),
      ended: (tail) => this.#release(tail),
    });
    const create = deps.pollOnly === true ? watchNothing : deps.watch;
    this.#watch = create({
      onHint: (dir, name) => this.#hint(dir, name),
      onTrouble: (message) => deps.warn?.(message),
    });
  }

  start(): Promise<void> {
    this.#started ??= this.#begin().then(() => this.#tick());
    return this.#started;
  }

  async drain(): Promise<void> {
    this.#draining = true;
    this.#started ??= this.#begin();
    await this.#started;
    this.#timer?.cancel();
    for (;;) {
      await this.#discover();
      const { all } = this.#open();
      for (const tail of all) this.#turns.want(tail);
      await this.#turns.quiet();
      await this.#changes.settled();
      if (all.size === 0 || this.#stopping || [...all].every((tail) => tail.medium === null)) break;
    }
    await Promise.all([...this.#paths.values()].map((entry) => entry.pump?.ended()));
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    this.#timer?.cancel();
    this.#hintTimer?.cancel();
    await this.#watch.close();
    await this.#started?.catch(() => undefined);
    await this.#turns.stop();
    await this.#changes.settled();
    await this.#turns.stop();
    for (const entry of this.#paths.values()) entry.pump?.stop();
    for (const tail of this.#open().all) {
      tail.medium?.close();
      tail.medium = null;
    }
  }

  lagBytes(): number {
    let lag = 0;
    for (const tail of this.#streams?.all ?? []) {
      if (tail.ignored === null && tail.copyOf === null) lag += Math.max(0, tail.seenSize - tail.offset);
    }
    return lag;
  }

  #open(): Streams {
    return this.#changes.streams;
  }

  async #begin(): Promise<void> {
    this.#open();
    await this.#discover();
    await this.#changes.settled();
    await this.#changes.resumeRests();
    this.#first = false;
    for (const tail of this.#open().all) this.#turns.want(tail);
    this.#say();
  }

  /** Looks at what is due, and sets the next time. */
  #tick(): void {
    if (this.#stopping || this.#draining) return;
    const now = this.#deps.clock.monotonic();
    for (const item of this.#pace.due(now)) this.#look(item, now);
    for (const tail of this.#quiet) {
      if (tail.busy || (tail.quietDueAt !== null && tail.quietDueAt > now)) continue;
      this.#quiet.delete(tail);
      if (!tail.ended && tail.quietDueAt !== null) tail.quiet();
    }
    this.#reapOrphans(now);
    if (now >= this.#discoverAt && this.#discovering === null) {
      const began = now;
      void this.#discover().finally(() => {
        const ended = this.#deps.clock.monotonic();
        this.#discoverFrom = ended + Math.max(hintDiscoverEveryMs, (ended - began) * hintDiscoverShare);
        this.#discoverAt = ended + Math.max(discoverEveryMs, (ended - began) * discoverShare);
      });
    }
    this.#timer = this.#deps.clock.setTimer(this.#pace.delayMs(), () => this.#tick());
  }

  #hint(dir: string, name: string | null): void {
    if (this.#stopping || this.#first) return;
    if (name !== null) {
      const entry = this.#changes.byPlace(posix.join(dir, name));
      if (entry) {
        this.#hinted.add(entry);
      } else {
        this.#listing.touch(dir);
        this.#discoverAt = Math.min(this.#discoverAt, this.#discoverFrom);
        // A file that just lost its name is written to under another one.
        for (const orphan of this.#orphans.values()) this.#hinted.add(orphan);
      }
    } else {
      this.#listing.touch(dir);
      this.#discoverAt = Math.min(this.#discoverAt, this.#discoverFrom);
    }
    this.#hintTimer ??= this.#deps.clock.setTimer(hintEveryMs, () => {
      this.#hintTimer = null;
      const now = this.#deps.clock.monotonic();
      const hinted = [...this.#hinted];
      this.#hinted.clear();
      for (const item of hinted) {
        this.#pace.wake(item, now);
        this.#look(item, now);
      }
      if (now >= this.#discoverAt && !this.#stopping) {
        this.#timer?.cancel();
        this.#tick();
      }
    });
  }

  #discover(): Promise<void> {
    this.#discovering ??= this.#find().finally(() => {
      this.#discovering = null;
    });
    return this.#discovering;
  }

  async #find(): Promise<void> {
    const found = await this.#listing.find(this.#deps.clock.now());
    if (this.#stopping) return;
    this.#watch.set(found.folders.size === 0 ? new Map() : this.#changes.watched(found.folders));
    if (found === this.#found) {
      this.#say();
      return;
    }
    this.#found = found;
    this.#notice(found);
    if (this.#first) {
      // In the order of their names, so that two runs over the same files do the same.
      for (const path of [...this.#paths.keys()].sort()) {
        const entry = this.#paths.get(path);
        if (entry && !entry.busy && entry.tail === null) await this.#lookAt(entry);
      }
    }
    this.#say();
  }

  #notice(found: Found): void {
    const now = this.#deps.clock.monotonic();
    for (const [path, file] of found.files) {
      const entry = this.#paths.get(path);
      if (entry) {
        entry.listed = true;
        continue;
      }
      const added = newPath(file, this.#first && this.#deps.firstStart, now);
      added.seenAt = this.#first ? (this.#open().lastSeenAt(path) ?? 0) : 0;
      this.#paths.set(path, added);
      this.#pace.add(added);
      if (!this.#first) this.#look(added, now);
    }
    for (const [path, entry] of this.#paths) {
      if (found.files.has(path)) continue;
      entry.listed = false;
      if (entry.tail === null && entry.pump === null && !entry.busy) this.#dropPath(entry);
    }
  }

  #dropPath(entry: PathEntry): void {
    this.#paths.delete(entry.found.path);
    this.#pace.remove(entry);
    this.#problem(entry.found.path, null);
  }

  #look(item: PathEntry | OrphanEntry, now: number): void {
    if (item.busy) return;
    if (item.kind === 'orphan') this.#lookAtOrphan(item);
    else if (now < item.retryAt) return;
    else if (item.found.remote) void this.#lookAt(item);
    else this.#saw(item, statNow(item.found.raw));
  }

  /** Asks what is behind a path. On a local disk the answer is there at once, without a detour. */
  async #lookAt(entry: PathEntry): Promise<void> {
    if (!entry.found.remote) {
      this.#saw(entry, statNow(entry.found.raw));
    } else {
      if (this.#remoteLooks >= remoteLooksMax) return;
      this.#remoteLooks++;
      entry.busy = true;
      const stat = await statLater(entry.found.raw);
      entry.busy = false;
      this.#remoteLooks--;
      if (!this.#stopping) this.#saw(entry, stat);
    }
    if (this.#first) await this.#changes.settled();
  }

  #saw(entry: PathEntry, stat: Asked<BigIntStats>): void {
    const { tail } = entry;
    if (isFault(stat)) {
      this.#missed(entry, stat.code);
      return;
    }
    if (tail !== null && !tail.ended && tail.id.ino === stat.ino && tail.id.dev === stat.dev) {
      if (!this.#first) entry.seenAt = this.#deps.clock.now();
      entry.retryDelayMs = 0;
      this.#grew(entry, tail, stat);
      return;
    }
    if (entry.pump !== null && stat.isFIFO()) return;
    this.#pace.wake(entry, this.#deps.clock.monotonic());
    this.#changes.open(entry);
  }

  #missed(entry: PathEntry, code: string): void {
    const { path } = entry.found;
    entry.initial = entry.initial && code === 'EACCES';
    if (code === 'ENOENT' || code === 'ENOTDIR') {
      this.#problem(path, null);
      if (entry.tail !== null) {
        // A rotation may be under way: it is looked at closely until the new file is there.
        this.#pace.wake(entry, this.#deps.clock.monotonic());
        this.#changes.lost(entry);
      } else if (!entry.listed && entry.pump === null) {
        this.#dropPath(entry);
      }
      return;
    }
    this.#problem(path, `${path}: ${explain(code)}`);
    if (code === 'EACCES' && entry.tail !== null) this.#lookAtFd(entry, entry.tail);
    if (code !== 'EACCES') this.#later(entry);
  }

  #later(entry: { retryAt: number; retryDelayMs: number }): void {
    entry.retryDelayMs = Math.min(retryLastMs, Math.max(retryFirstMs, entry.retryDelayMs * 2));
    entry.retryAt = this.#deps.clock.monotonic() + entry.retryDelayMs;
  }

  #grew(item: PathEntry | OrphanEntry, tail: Tail, stat: BigIntStats): void {
    if (Number(stat.size) === tail.seenSize && stat.ctimeNs === tail.seenChangeNs) return;
    noteSeen(tail, stat);
    const now = this.#deps.clock.monotonic();
    this.#pace.wake(item, now);
    if (now >= tail.retryAt) this.#turns.want(tail);
    else tail.seenChangeNs = 0n;
  }

  #lookAtOrphan(orphan: OrphanEntry): void {
    this.#lookAtFd(orphan, orphan.tail);
  }

  #lookAtFd(item: PathEntry | OrphanEntry, tail: Tail): void {
    const fd = tail.medium?.fd ?? null;
    if (fd === null) return;
    if (!tail.remote) {
      const stat = fstatNow(fd);
      if (!isFault(stat)) this.#grew(item, tail, stat);
      return;
    }
    item.busy = true;
    void fstatLater(fd).then((stat) => {
      item.busy = false;
      if (!isFault(stat) && !this.#stopping && !tail.ended) this.#grew(item, tail, stat);
    });
  }

  #orphan(tail: Tail): void {
    const now = this.#deps.clock.monotonic();
    tail.lostNameAt = now;
    const orphan: OrphanEntry = { kind: 'orphan', tail, busy: false, activeAt: now };
    this.#orphans.set(tail, orphan);
    this.#pace.add(orphan);
  }

  #named(tail: Tail): void {
    tail.lostNameAt = null;
    const orphan = this.#orphans.get(tail);
    if (orphan) this.#pace.remove(orphan);
    this.#orphans.delete(tail);
  }

  /** A file without a name is left when it was read to its end and nothing came for a while. */
  #reapOrphans(now: number): void {
    const over = this.#orphans.size - orphansMax;
    let left = 0;
    for (const tail of this.#orphans.keys()) {
      if (!tail.caughtUp || tail.busy || tail.ended) continue;
      const since = Math.max(tail.activeAt, tail.lostNameAt ?? 0);
      if (now - since < this.#rotateWaitMs && left >= over) continue;
      left++;
      this.#changes.leave(tail, 'deliver');
    }
  }

  #turned(tail: Tail, end: TurnEnd): Promise<void> | void {
    if (tail.retryDelayMs > 0) {
      tail.retryDelayMs = 0;
      this.#problem(tail.path, null);
    }
    if (end === 'replaced' || end === 'shrunk') return this.#changes.replaced(tail, end);
    if (end !== 'end' || tail.ended) return;
    tail.caughtUp = true;
    if (tail.role === 'rest' || (this.#draining && !tail.wanted)) {
      this.#changes.leave(tail, tail.role === 'rest' && tail.endsCut ? 'drop' : 'deliver');
      return;
    }
    if (tail.heldBytes > 0) {
      tail.quietDueAt = tail.activeAt + quietMs;
      this.#quiet.add(tail);
    }
    this.#release(tail);
  }

  /** Streams that waited for this one may begin. */
  #release(tail: Tail): void {
    this.#orphansOf(tail);
    this.#turns.unblock();
  }

  #orphansOf(tail: Tail): void {
    if (!tail.ended) return;
    this.#quiet.delete(tail);
    this.#named(tail);
  }

  #failed(tail: Tail, error: unknown): void {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'EUNKNOWN';
    tail.medium?.close();
    tail.medium = null;
    if (code === 'EMFILE' || code === 'ENFILE') this.#changes.fewerFiles();
    if (tail.role === 'rest') {
      this.#deps.port.count(this.name, 'vanished', 1);
      this.#changes.leave(tail, 'drop');
      return;
    }
    this.#later(tail);
    tail.seenChangeNs = 0n;
    if (code !== 'EMFILE' && code !== 'ENFILE') this.#problem(tail.path, `${tail.path}: ${explain(code)}`);
    if (this.#draining) this.#changes.leave(tail, 'deliver');
  }

  #problem(path: string, text: string | null): void {
    const before = this.#problems.get(path) ?? null;
    if (before === text) return;
    if (text === null) this.#problems.delete(path);
    else {
      this.#problems.set(path, text);
      this.#deps.port.count(this.name, 'unreadable', 1);
      this.#deps.warn?.(text);
    }
    if (!this.#first) this.#say();
  }

  #say(): void {
    const [first] = this.#problems.values();
    const more = this.#problems.size - 1;
    // A file between two names (a rotation under way) is still read.
    let reads = this.#orphans.size > 0;
    for (const entry of this.#paths.values()) {
      if (reads) break;
      reads = entry.tail !== null || entry.pump !== null;
    }
    const detail =
      first !== undefined
        ? `${first}${more > 0 ? ` (and ${more} more)` : ''}`
        : reads
          ? null
          : 'no file is there yet';
    const state = first !== undefined ? 'failing' : reads ? 'ok' : 'waiting';
    const said = `${state} ${detail}`;
    if (said === this.#said) return;
    this.#said = said;
    this.#deps.port.state(this.name, state, detail);
  }
}
