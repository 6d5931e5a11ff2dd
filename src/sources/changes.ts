/**
 * What to do when a file is no longer what it was: opened, renamed, replaced, truncated, copied, gone, found again after a
 * restart. Takes paths and streams one at a time (two changes at once could each make a stream of the same file), and leaves
 * each inode with exactly one stream and each old stream with a way to its end.
 */
import { realpathSync } from 'node:fs';
import { posix } from 'node:path';
import type { FileSourceConfig } from '../model/config.ts';
import type { WatchedFolder } from '../system/watch.ts';
import type { Descriptors } from './descriptors.ts';
import {
  closeQuietly,
  explain,
  faultOf,
  fstatLater,
  isFault,
  type RawPath,
  rawPath,
  statLater,
  statNow,
} from './disk.ts';
import { foldersOf, openFile } from './files.ts';
import { FirstLook } from './first-look.ts';
import { type Glob, globMatches } from './glob.ts';
import { compareContent, inodeName } from './identity.ts';
import type { FoundFolder, Listing } from './listing.ts';
import { FileMedium, peekFile } from './medium.ts';
import { ownFiles } from './own-files.ts';
import type { PathEntry } from './paths.ts';
import { openPipe } from './pipe.ts';
import { Pump } from './pump.ts';
import { Rests } from './rests.ts';
import type { SourceDeps } from './sources.ts';
import { noteSeen, type OpenFile, type Saved, type Streams } from './streams.ts';
import type { Tail, TurnEnd } from './tail.ts';
import type { Turns } from './turns.ts';
import { UnseenGenerations } from './unseen.ts';

export interface ChangesDeps {
  readonly config: FileSourceConfig;
  readonly globs: readonly Glob[];
  readonly deps: SourceDeps;
  readonly listing: Listing;
  readonly paths: ReadonlyMap<string, PathEntry>;
  readonly turns: Turns;
  readonly descriptors: Descriptors;
  readonly streams: () => Streams;
  readonly orphan: (tail: Tail) => void;
  readonly named: (tail: Tail) => void;
  readonly problem: (path: string, text: string | null) => void;
  readonly ended: (tail: Tail) => void;
  /** Everything is read to its present end, then it is over. */
  readonly draining: () => boolean;
  /** What was there before the start is still being found. */
  readonly starting: () => boolean;
}

/** A name that leads to our own output is looked at again after this: it may be another file by then. */
const ownRetryMs = 10_000;

export class Changes {
  readonly #with: ChangesDeps;
  #last: Promise<void> = Promise.resolve();
  readonly #waiting = new Set<PathEntry>();
  /** Real place -> path: hints come for the folder where a link leads to. */
  readonly #places = new Map<string, PathEntry>();

  readonly #own = ownFiles();
  readonly #ownSaid = new Set<string>();
  readonly #firstLook: FirstLook;
  readonly #unseen: UnseenGenerations;
  readonly #rests: Rests;

  constructor(deps: ChangesDeps) {
    this.#with = deps;
    this.#firstLook = new FirstLook(deps);
    this.#unseen = new UnseenGenerations(deps);
    this.#rests = new Rests({ ...deps, unseen: this.#unseen });
  }

  get streams(): Streams {
    return this.#with.streams();
  }

  /** Resolves when no change is under way. */
  async settled(): Promise<void> {
    for (;;) {
      const last = this.#last;
      await last;
      if (last === this.#last) return;
    }
  }

  byPlace(path: string): PathEntry | undefined {
    return this.#with.paths.get(path) ?? this.#places.get(path);
  }

  /** The folders to watch: those of the globs, and those where links lead. */
  watched(folders: ReadonlyMap<string, FoundFolder>): ReadonlyMap<string, WatchedFolder> {
    const all = new Map<string, WatchedFolder>(folders);
    for (const place of this.#places.keys()) {
      const dir = posix.dirname(place);
      if (!all.has(dir)) all.set(dir, { inode: 0n, entries: 0 });
    }
    return all;
  }

  /** Another file, or the first one, is behind a path. */
  open(entry: PathEntry): void {
    if (this.#waiting.has(entry)) return;
    this.#waiting.add(entry);
    entry.busy = true;
    void this.#alone(async () => {
      this.#waiting.delete(entry);
      try {
        await this.#open(entry);
      } finally {
        entry.busy = false;
      }
    });
  }

  /** Nothing is behind a path any more. */
  lost(entry: PathEntry): void {
    if (this.#waiting.has(entry)) return;
    this.#waiting.add(entry);
    void this.#alone(async () => {
      this.#waiting.delete(entry);
      const stat = await this.#stat(entry);
      if (isFault(stat)) await this.#detach(entry);
    });
  }

  /** The bytes before a stream's position are no longer the ones it read. */
  replaced(tail: Tail, end: TurnEnd): Promise<void> {
    const { medium } = tail;
    return this.#alone(async () => {
      // Two looks may have found the same.
      if (tail.medium !== medium) return;
      // Until it is decided where its bytes come from, it must not read.
      await this.#with.turns.hold(tail);
      try {
        await this.#replaced(tail, end);
      } finally {
        this.#with.turns.release(tail);
      }
    });
  }

  /** The stream is read to its end and nothing more will come. */
  leave(tail: Tail, last: 'deliver' | 'drop'): void {
    if (tail.ended) return;
    const { config, deps, descriptors } = this.#with;
    // With `drain` the file is still there and its position counts for the next run.
    const gone = !this.#with.draining() || tail.role === 'rest';
    const dropped = tail.finish(last, gone);
    if (dropped > 0) deps.port.count(config.name, 'fragment_dropped', 1);
    tail.caughtUp = true;
    tail.medium?.close();
    tail.medium = null;
    descriptors.gone(tail);
    this.streams.end(tail);
    if (gone) deps.port.forget(tail.stream.key);
    for (const entry of this.#with.paths.values()) {
      if (entry.tail === tail) entry.tail = null;
      if (entry.previous === tail) entry.previous = null;
    }
    this.#with.ended(tail);
  }

  fewerFiles(): void {
    this.#with.descriptors.shrink();
  }

  /** Before a stream reads: it is opened if it was closed to save descriptors, and looked at if it is new. */
  async ready(tail: Tail): Promise<'read' | 'nothing' | 'wait'> {
    if (tail.ended) return 'wait';
    if (tail.medium === null) await this.#reopen(tail);
    if (tail.medium === null) return 'wait';
    if (tail.role === 'live') this.#with.descriptors.used(tail);
    if (tail.fresh) await this.#firstLook.lookInto(tail);
    if (tail.copyOf !== null) await this.#firstLook.follow(tail);
    return tail.ignored !== null || tail.copyOf !== null || tail.fresh ? 'nothing' : 'read';
  }

  /**
   * After a restart: what was saved and is not at its path any more is searched in its folder, and read before the live
   * file, the oldest first.
   */
  async resumeRests(): Promise<void> {
    await this.#alone(async () => {
      const byPath = new Map<string, Saved[]>();
      for (const saved of this.streams.unclaimed()) {
        const { path } = saved.position;
        if (!this.#with.globs.some((glob) => globMatches(glob, path))) continue;
        byPath.set(path, [...(byPath.get(path) ?? []), saved]);
      }
      const paths = new Set([...byPath.keys(), ...this.#with.paths.keys()]);
      for (const path of paths) await this.#rests.resume(path, byPath.get(path) ?? []);
      for (const entry of this.#with.paths.values()) {
        if (entry.tail !== null) entry.seenAt = this.#with.deps.clock.now();
      }
    });
  }

  #alone(act: () => Promise<void>): Promise<void> {
    const next = this.#last.then(act);
    // One change that fails (the disk goes away in the middle) must not stop those behind it.
    this.#last = next.catch((error: unknown) => {
      if (!(error instanceof Error && 'syscall' in error)) throw error;
    });
    return this.#last;
  }

  #entriesOf(tail: Tail): PathEntry[] {
    return [...this.#with.paths.values()].filter((entry) => entry.tail === tail);
  }

  #stat(entry: PathEntry): ReturnType<typeof statLater> {
    return entry.found.remote ? statLater(entry.found.raw) : Promise.resolve(statNow(entry.found.raw));
  }

  async #open(entry: PathEntry): Promise<void> {
    const { path, raw, remote, literal } = entry.found;
    const stat = await this.#stat(entry);
    if (isFault(stat)) {
      if (stat.code === 'ENOENT') await this.#detach(entry);
      return;
    }
    if (stat.isFIFO()) {
      this.#openPipe(entry);
      return;
    }
    if (!stat.isFile()) {
      const kind = stat.isDirectory() ? explain('EISDIR') : 'it is neither a file nor a pipe';
      if (literal || !stat.isDirectory()) this.#with.problem(path, `${path}: ${kind}`);
      entry.retryAt = this.#with.deps.clock.monotonic() + 1_000;
      return;
    }
    if (this.#own.has(inodeName(stat))) {
      this.#refuseOwn(entry);
      return;
    }
    const known = this.streams.byInode.get(inodeName(stat));
    if (known && !known.ended) {
      if (known !== entry.tail) await this.#attach(entry, known);
      return;
    }
    const file = await openFile(path, raw, remote);
    if ('code' in file) {
      this.#refused(entry, file.code);
      return;
    }
    this.#with.problem(path, null);
    await this.#openNew(entry, file);
  }

  /** What this program prints is not read: each alert in it would be the next alert. */
  #refuseOwn(entry: PathEntry): void {
    const { path } = entry.found;
    if (!this.#ownSaid.has(path))
      this.#with.deps.warn?.(`${path} is what this program prints into; it is not read`);
    this.#ownSaid.add(path);
    entry.retryAt = this.#with.deps.clock.monotonic() + ownRetryMs;
  }

  #refused(entry: PathEntry, code: string): void {
    const { path } = entry.found;
    if (code === 'ENOENT') return;
    if (code === 'EMFILE' || code === 'ENFILE') {
      this.fewerFiles();
      return;
    }
    this.#with.problem(path, `${path}: ${explain(code)}`);
    entry.retryDelayMs = Math.min(5_000, Math.max(50, entry.retryDelayMs * 2));
    entry.retryAt = this.#with.deps.clock.monotonic() + entry.retryDelayMs;
  }

  async #openNew(entry: PathEntry, file: OpenFile): Promise<void> {
    const old = entry.tail ?? entry.previous;
    const inode = inodeName(file.stat);
    // The path may have changed once more while it was being opened.
    const raced = this.streams.byInode.get(inode);
    if (raced && !raced.ended) {
      closeQuietly(file.fd);
      if (raced !== entry.tail) await this.#attach(entry, raced);
      return;
    }
    if (old !== null && (await this.#goesOnIn(old, file))) {
      await this.#moveOver(entry, old, file);
      return;
    }
    const tail = await this.streams.open(file, { initial: entry.initial, atPath: old === null });
    // The time it was seen stays the old one until everything between is known, and noted: a crash may come any time.
    const { seenAt } = entry;
    await this.#with.turns.hold(tail);
    try {
      await this.#point(entry, tail);
      entry.initial = false;
      if (seenAt > 0 && !this.#with.starting()) {
        await this.#between(entry, tail, old, seenAt);
        entry.seenAt = this.#with.deps.clock.now();
      }
    } finally {
      this.#with.turns.release(tail);
    }
    this.#with.turns.want(tail);
  }

  /** The path leads to this stream from now on. */
  async #attach(entry: PathEntry, tail: Tail): Promise<void> {
    await this.#point(entry, tail);
    if (!this.#with.starting()) entry.seenAt = this.#with.deps.clock.now();
  }

  async #point(entry: PathEntry, tail: Tail): Promise<void> {
    if (entry.tail !== tail) await this.#detach(entry);
    entry.tail = tail;
    entry.previous = null;
    entry.retryDelayMs = 0;
    this.#with.named(tail);
    this.#notePlace(entry);
  }

  async #detach(entry: PathEntry): Promise<void> {
    const old = entry.tail;
    entry.tail = null;
    if (old !== null) entry.previous = old;
    if (old === null || old.ended || this.#entriesOf(old).length > 0) return;
    // What was written up to now, and what is still written to it, comes before anything of its successor.
    old.caughtUp = false;
    if (old.medium === null) await this.#reopen(old);
    if (old.ended) return;
    this.#with.orphan(old);
    this.#with.turns.want(old);
  }

  #notePlace(entry: PathEntry): void {
    if (entry.found.remote) return;
    try {
      const place = realpathSync(entry.found.path);
      if (place === entry.found.path) return;
      this.#places.set(place, entry);
      if (entry.tail !== null) this.streams.named(entry.tail, posix.basename(place));
    } catch {
      // Gone again: the next look tells.
    }
  }

  /** An editor's save: another file with the same content up to our offset. */
  async #goesOnIn(old: Tail, file: OpenFile): Promise<boolean> {
    if (old.ended || old.offset === 0 || old.copyOf !== null || old.ignored !== null) return false;
    const facts = old.memory.facts(old.offset);
    if (facts.markerLength === 0) return false;
    const verdict = await compareContent(facts, Number(file.stat.size), (at, length) =>
      peekFile(file.fd, at, length),
    );
    return verdict === 'same';
  }

  async #moveOver(entry: PathEntry, old: Tail, file: OpenFile): Promise<void> {
    const { turns } = this.#with;
    await turns.hold(old);
    try {
      await this.#swap(entry, old, file);
    } finally {
      turns.release(old);
    }
    turns.want(old);
  }

  async #swap(entry: PathEntry, old: Tail, file: OpenFile): Promise<void> {
    const from = old.inode;
    const left = old.medium;
    const oldId = old.id;
    old.moveTo(new FileMedium(file.fd), {
      dev: file.stat.dev,
      ino: file.stat.ino,
      birthNs: file.stat.birthtimeNs,
    });
    this.streams.moved(old, from);
    noteSeen(old, file.stat);
    entry.tail = old;
    entry.previous = null;
    this.#with.named(old);
    entry.seenAt = this.#with.deps.clock.now();
    this.#notePlace(entry);
    this.#with.descriptors.used(old);
    if (left !== null && left.fd !== null) await this.#keepBehind(old, left.fd, oldId.ino);
  }

  /** Somebody may still write to the old file: what comes after our position there is read too. */
  async #keepBehind(old: Tail, fd: number, ino: bigint): Promise<void> {
    const stat = await fstatLater(fd);
    if (isFault(stat) || stat.ino !== ino) {
      closeQuietly(fd);
      return;
    }
    const file = { fd, stat, path: old.path, remote: old.remote };
    const behind = await this.streams.leaveBehind(file, Math.min(Number(stat.size), old.readPosition));
    behind.caughtUp = true;
    this.#with.orphan(behind);
    this.#with.turns.want(behind);
  }

  /** The new file waits until its predecessors are read; generations that came and went unseen are among them. */
  async #between(entry: PathEntry, tail: Tail, old: Tail | null, seenAt: number): Promise<void> {
    const before = old === null || old.ended ? [] : [old];
    for (const earlier of before) tail.after.add(earlier);
    const last = await this.#unseen.read(entry.found.path, tail, seenAt, before);
    for (const earlier of last) tail.after.add(earlier);
  }

  async #replaced(tail: Tail, end: TurnEnd): Promise<void> {
    const { medium } = tail;
    if (tail.ended || medium === null || medium.fd === null) return;
    const { config, deps, turns } = this.#with;
    if (tail.role === 'rest') {
      // The copy itself is gone from under us.
      deps.port.count(config.name, 'vanished', 1);
      this.leave(tail, 'drop');
      return;
    }
    const stat = await fstatLater(medium.fd);
    if (isFault(stat)) return;
    deps.port.count(config.name, 'truncated', 1);
    const size = Number(stat.size);
    const facts = tail.memory.facts(tail.offset);
    const rest = await this.#rests.find(tail, facts);
    const fd = medium.fd;
    const peek = (at: number, length: number): Promise<Buffer> => peekFile(fd, at, length);
    // The beginning of the same content, and no copy beside it: the file was cut, not begun anew.
    const cut =
      end === 'shrunk' &&
      rest === null &&
      size > 0 &&
      (await compareContent(facts, size, peek)) === 'shorter';
    tail.medium = null;
    const file = { fd, stat, path: tail.path, remote: tail.remote };
    const next = await this.streams.renew(file, cut ? 'end' : 'beginning');
    this.#handOver(tail, next);
    if (rest === null) {
      this.leave(tail, 'drop');
    } else {
      if (rest.size === null || rest.size > tail.offset)
        deps.port.count(config.name, 'copytruncate_recovered', 1);
      tail.continueIn(rest.medium, rest.before);
      tail.endsCut = true;
      next.after.add(tail);
      turns.want(tail);
    }
    turns.want(next);
  }

  /** The paths and the place among the nameless go to the next generation of the same file. */
  #handOver(tail: Tail, next: Tail): void {
    this.#with.descriptors.gone(tail);
    this.#with.descriptors.used(next);
    const entries = this.#entriesOf(tail);
    for (const entry of entries) entry.tail = next;
    if (entries.length === 0) this.#with.orphan(next);
    if (tail.lostNameAt !== null) this.#with.named(tail);
    for (const other of this.streams.all) if (other.after.has(tail)) other.after.add(next);
  }

  async #reopen(tail: Tail): Promise<void> {
    const { deps, config, descriptors } = this.#with;
    const places: [string, RawPath][] = this.#entriesOf(tail).map((e) => [e.found.path, e.found.raw]);
    for (const dir of foldersOf(tail.path)) {
      // Only where the names it had lead elsewhere by now.
      if (await this.#reopenAt(tail, places.splice(0))) return;
      const remote = this.#with.listing.remote(dir);
      for (const name of await this.#with.listing.names(dir)) {
        if (name.kind !== 'file') continue;
        const raw = rawPath(dir, name.raw);
        const stat = remote ? await statLater(raw) : statNow(raw);
        if (
          !isFault(stat) &&
          inodeName(stat) === tail.inode &&
          (await this.#reopenAt(tail, [[tail.path, raw]]))
        ) {
          return;
        }
      }
    }
    if (this.#entriesOf(tail).length > 0 && tail.retryDelayMs < 10_000) {
      tail.retryDelayMs = Math.max(100, tail.retryDelayMs * 2);
      tail.retryAt = deps.clock.monotonic() + tail.retryDelayMs;
      tail.seenChangeNs = 0n;
      return;
    }
    if (this.#entriesOf(tail).length === 0 && tail.seenSize > tail.offset) {
      deps.port.count(config.name, 'vanished', 1);
    }
    descriptors.gone(tail);
    this.leave(tail, 'drop');
  }

  async #reopenAt(tail: Tail, places: readonly (readonly [string, RawPath])[]): Promise<boolean> {
    for (const [path, raw] of places) {
      const file = await openFile(path, raw, tail.remote);
      if ('code' in file) {
        if (file.code === 'EMFILE' || file.code === 'ENFILE') this.fewerFiles();
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

  #openPipe(entry: PathEntry): void {
    if (entry.pump !== null) return;
    const { config, deps } = this.#with;
    const { path, raw } = entry.found;
    try {
      const input = openPipe(raw, this.#with.draining() ? 'to-its-end' : 'for-ever');
      if (input === null) return;
      // A pipe has no position to come back to: each opening is a stream of its own.
      const key = `pipe:${path}:${deps.clock.now()}`;
      const stream = { source: config.name, key, path, host: null, labels: config.labels };
      const pump = new Pump({ port: deps.port, clock: deps.clock, stream }, input);
      entry.pump = pump;
      pump.start();
      void pump.ended().then(() => {
        input.destroy();
        entry.pump = null;
      });
      this.#with.problem(path, null);
    } catch (error) {
      this.#refused(entry, faultOf(error).code);
    }
  }
}
