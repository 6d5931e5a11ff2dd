/**
 * What to do when a file is no longer what it was: opened, renamed, replaced, truncated, copied, gone, found again after a
 * restart. Takes paths and streams one at a time (two changes at once could each make a stream of the same file), and leaves
 * each inode with exactly one stream and each old stream with a way to its end.
 */
import { realpathSync } from 'node:fs';
import { posix } from 'node:path';
import type { FileSourceConfig } from '../model/config.ts';
import type { WatchedFolder } from '../system/watch.ts';
import { copySource } from './copies.ts';
import type { Descriptors } from './descriptors.ts';
import {
  closeQuietly,
  faultOf,
  fstatLater,
  fstatNow,
  isFault,
  openLater,
  openNow,
  type RawPath,
  rawPath,
  statLater,
  statNow,
} from './disk.ts';
import { explain } from './file.ts';
import { type Glob, globMatches } from './glob.ts';
import { compareContent, headBytesMax, inodeName } from './identity.ts';
import type { FoundFolder, Listing } from './listing.ts';
import { compressionOf, FileMedium, GzipMedium, gzipHead, peekFile } from './medium.ts';
import type { PathEntry } from './paths.ts';
import { openPipe } from './pipe.ts';
import { Pump } from './pump.ts';
import { findRest, type Rest } from './rest.ts';
import { rotatedName } from './rotated.ts';
import type { SourceDeps } from './sources.ts';
import { noteSeen, type OpenFile, type Saved, type Streams } from './streams.ts';
import { isHole, type Tail, type TurnEnd } from './tail.ts';
import type { Turns } from './turns.ts';

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

/** A generation that nobody has read; `packed` is its place where it is compressed. */
interface Unseen {
  readonly file: OpenFile;
  readonly packed: RawPath | null;
  readonly name: string;
}

/** A hole at the front of a file is passed over in steps of this. */
const holeStepBytes = 1024 * 1024;
/** The clock of the disk ticks in up to 10 ms: a file may look this much older than it is. */
const clockGrainMs = 20;

export class Changes {
  readonly #with: ChangesDeps;
  #last: Promise<void> = Promise.resolve();
  readonly #waiting = new Set<PathEntry>();
  /** Real place -> path: hints come for the folder where a link leads to. */
  readonly #places = new Map<string, PathEntry>();

  constructor(deps: ChangesDeps) {
    this.#with = deps;
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
      if (tail.medium === medium) await this.#replaced(tail, end);
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
    if (tail.fresh) await this.#lookInto(tail);
    if (tail.copyOf !== null) await this.#followCopy(tail);
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
      for (const path of paths) await this.#resumePath(path, byPath.get(path) ?? []);
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

  #fstat(fd: number, remote: boolean): ReturnType<typeof fstatLater> {
    return remote ? fstatLater(fd) : Promise.resolve(fstatNow(fd));
  }

  async #openFile(
    path: string,
    raw: RawPath,
    remote: boolean,
  ): Promise<OpenFile | { readonly code: string }> {
    let fd: number;
    try {
      fd = remote ? await openLater(raw) : openNow(raw);
    } catch (error) {
      return faultOf(error);
    }
    const stat = await this.#fstat(fd, remote);
    if (isFault(stat) || !stat.isFile()) {
      closeQuietly(fd);
      return { code: isFault(stat) ? stat.code : 'ENOENT' };
    }
    return { fd, stat, path, remote };
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
    const known = this.streams.byInode.get(inodeName(stat));
    if (known && !known.ended) {
      if (known !== entry.tail) await this.#attach(entry, known);
      return;
    }
    const file = await this.#openFile(path, raw, remote);
    if ('code' in file) {
      this.#refused(entry, file.code);
      return;
    }
    this.#with.problem(path, null);
    await this.#openNew(entry, file);
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
    const { turns, descriptors } = this.#with;
    await turns.hold(old);
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
    descriptors.used(old);
    if (left !== null && left.fd !== null) await this.#keepBehind(old, left.fd, oldId.ino);
    turns.release(old);
    turns.want(old);
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
    const last = await this.#readUnseen(entry.found.path, tail, seenAt, before);
    for (const earlier of last) tail.after.add(earlier);
  }

  /** Generations of a path that were never seen under it: rotated twice between two looks, or while nobody ran. */
  async #readUnseen(
    path: string,
    live: Tail | null,
    sinceMs: number,
    before: readonly Tail[],
  ): Promise<Tail[]> {
    const chain = [...before];
    for (const candidate of await this.#unseen(path, live, sinceMs)) {
      const tail = await this.#openUnseen(candidate);
      for (const earlier of chain) tail.after.add(earlier);
      chain.push(tail);
      this.#with.turns.want(tail);
    }
    return chain;
  }

  async #openUnseen({ file, packed }: Unseen): Promise<Tail> {
    if (packed !== null) {
      closeQuietly(file.fd);
      return this.streams.openPacked(file, new GzipMedium(packed));
    }
    const tail = await this.streams.open(file, { initial: false, atPath: false });
    this.#with.orphan(tail);
    return tail;
  }

  #bases(path: string, live: Tail | null): string[] {
    const bases = new Set([posix.basename(path), ...(live ? this.streams.namesOf(live) : [])]);
    return [...bases];
  }

  async #unseen(path: string, live: Tail | null, sinceMs: number): Promise<Unseen[]> {
    const bases = this.#bases(path, live);
    const found: Unseen[] = [];
    for (const dir of this.#folders(path)) {
      const remote = this.#with.listing.remote(dir);
      const names = await this.#with.listing.names(dir);
      const present = new Set(names.map((name) => name.text));
      for (const name of names) {
        const relations = bases
          .map((base) => rotatedName(base, name.text))
          .filter((relation) => relation !== null);
        if (relations.length === 0 || name.kind !== 'file') continue;
        // While it is being compressed, both are there.
        if (name.text.endsWith('.gz') && present.has(name.text.slice(0, -3))) continue;
        const raw = rawPath(dir, name.raw);
        const stat = remote ? await statLater(raw) : statNow(raw);
        if (isFault(stat) || stat.size === 0n || !stat.isFile()) continue;
        const inode = inodeName(stat);
        if (this.streams.byInode.has(inode) || live?.inode === inode) continue;
        // Without a birth time the last change has to do, and then only a name that can't be another log's.
        const exact = relations.includes('exact');
        const changedNs = exact ? stat.mtimeNs : 0n;
        // A file that is known already may have been emptied and filled again: its birth tells nothing then.
        const byBirth = stat.birthtimeNs > 0n && !this.streams.knowsInode(inode);
        const bornNs = byBirth ? stat.birthtimeNs : changedNs;
        if (Number(bornNs / 1_000_000n) < sinceMs - clockGrainMs) continue;
        const file = await this.#openFile(path, raw, remote);
        if ('code' in file) continue;
        const unseen = await this.#examineUnseen(file, raw, name.text);
        if (unseen !== null) found.push(unseen);
        else closeQuietly(file.fd);
      }
    }
    return found.sort(byAge);
  }

  /** Null for what is no log, and for a copy of something that was read. */
  async #examineUnseen(file: OpenFile, raw: RawPath, name: string): Promise<Unseen | null> {
    const packed = compressionOf(await peekFile(file.fd, 0, 8));
    if (packed === 'other') return null;
    if (packed === 'gzip') {
      const head = await gzipHead(file.fd);
      return head === null || head.length === 0 || this.streams.knowsHead(head)
        ? null
        : { file, packed: raw, name };
    }
    const source = await copySource(file, this.streams, { name: null, self: null, head: null });
    return source === null ? { file, packed: null, name } : null;
  }

  /** The folders where rotated files of a path may lie: its own, and the one of a link's target. */
  #folders(path: string): string[] {
    const dirs = [posix.dirname(path)];
    try {
      const real = posix.dirname(realpathSync(path));
      if (!dirs.includes(real)) dirs.push(real);
    } catch {
      // A dangling link, or nothing there.
    }
    return dirs;
  }

  async #replaced(tail: Tail, end: TurnEnd): Promise<void> {
    const { medium } = tail;
    if (tail.ended || medium === null || medium.fd === null) return;
    const { config, deps, turns } = this.#with;
    await turns.hold(tail);
    const stat = await fstatLater(medium.fd);
    turns.release(tail);
    if (isFault(stat)) return;
    deps.port.count(config.name, 'truncated', 1);
    const size = Number(stat.size);
    const facts = tail.memory.facts(tail.offset);
    const rest = await this.#findRest(tail, facts);
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

  async #findRest(tail: Tail, facts: ReturnType<Tail['memory']['facts']>): Promise<Rest | null> {
    if (facts.headLength === 0) return null;
    for (const dir of this.#folders(tail.path)) {
      const folder = {
        dir,
        names: await this.#with.listing.names(dir),
        remote: this.#with.listing.remote(dir),
      };
      const exclude = new Set([tail.inode]);
      for (const [inode, other] of this.streams.byInode) {
        // A file that is delivered as a stream of its own is no copy; one that was only opened may be.
        if (other.offset > 0 && other.copyOf === null) exclude.add(inode);
      }
      const rest = await findRest({ path: tail.path, id: tail.id, facts }, folder, exclude);
      if (rest !== null) return rest;
    }
    return null;
  }

  async #reopen(tail: Tail): Promise<void> {
    const { deps, config, descriptors } = this.#with;
    const places: [string, RawPath][] = this.#entriesOf(tail).map((e) => [e.found.path, e.found.raw]);
    for (const dir of this.#folders(tail.path)) {
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
    if (tail.seenSize > tail.offset) deps.port.count(config.name, 'vanished', 1);
    descriptors.gone(tail);
    this.leave(tail, 'drop');
  }

  async #reopenAt(tail: Tail, places: readonly (readonly [string, RawPath])[]): Promise<boolean> {
    for (const [path, raw] of places) {
      const file = await this.#openFile(path, raw, tail.remote);
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

  /** The first bytes tell whether it is a log at all, a copy of one that is read already, or begins with a hole. */
  async #lookInto(tail: Tail): Promise<void> {
    const fd = tail.medium?.fd ?? null;
    if (fd === null) {
      tail.fresh = false;
      return;
    }
    const stat = await this.#fstat(fd, tail.remote);
    if (isFault(stat) || stat.size === 0n) return;
    const { config, deps } = this.#with;
    const head = await peekFile(fd, 0, headBytesMax);
    if (compressionOf(head) !== null) {
      tail.ignored = 'compressed';
      tail.fresh = false;
      deps.port.count(config.name, 'compressed_skipped', 1);
      return;
    }
    const file = { fd, stat, path: tail.path, remote: tail.remote };
    const question = { name: posix.basename(tail.path), self: tail, head };
    const source = await copySource(file, this.streams, question);
    tail.fresh = false;
    if (source !== null) {
      tail.copyOf = source.tail;
      await this.#skipCopied(tail, Number(stat.size));
      return;
    }
    if (head[0] === 0) await this.#skipHole(tail, fd, Number(stat.size));
  }

  async #skipCopied(tail: Tail, size: number): Promise<void> {
    const fd = tail.medium?.fd ?? null;
    if (fd === null) return;
    tail.memory.setHead(await peekFile(fd, 0, 1024));
    tail.skipTo(size, await peekFile(fd, Math.max(0, size - 256), Math.min(256, size)));
    tail.remember();
  }

  /** A copy that still grows is being written by `cp`; once its original is gone, what comes is its own. */
  async #followCopy(tail: Tail): Promise<void> {
    const fd = tail.medium?.fd ?? null;
    const original = tail.copyOf;
    if (fd === null || original === null) return;
    const stat = await fstatLater(fd);
    if (isFault(stat)) return;
    const size = Number(stat.size);
    if (size <= tail.offset) return;
    const file = { fd, stat, path: tail.path, remote: tail.remote };
    const source = await copySource(file, this.streams, {
      name: posix.basename(tail.path),
      self: tail,
      head: null,
    });
    tail.copyOf = source?.tail ?? null;
    if (source !== null) await this.#skipCopied(tail, size);
  }

  async #skipHole(tail: Tail, fd: number, size: number): Promise<void> {
    let at = 0;
    while (at < size && !tail.ended) {
      const bytes = await peekFile(fd, at, Math.min(holeStepBytes, size - at));
      if (bytes.length === 0) break;
      if (isHole(bytes)) {
        at += bytes.length;
        continue;
      }
      let first = 0;
      while (bytes[first] === 0) first++;
      at += first;
      break;
    }
    if (at === 0) return;
    const { config, deps } = this.#with;
    deps.port.count(config.name, 'nul_bytes', at);
    tail.memory.setHead(await peekFile(fd, 0, 1024));
    tail.skipTo(at, Buffer.alloc(Math.min(256, at)));
    tail.remember();
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

  async #resumePath(path: string, saved: readonly Saved[]): Promise<void> {
    const { deps, config, listing, turns } = this.#with;
    const live = this.#with.paths.get(path)?.tail ?? null;
    const chain: Tail[] = [];
    for (const one of saved) {
      let rest: Rest | null = null;
      for (const dir of this.#folders(path)) {
        const folder = { dir, names: await listing.names(dir), remote: listing.remote(dir) };
        const exclude = new Set(
          [...this.streams.byInode].filter(([, t]) => t.offset > 0).map(([inode]) => inode),
        );
        if (live) exclude.add(live.inode);
        rest ??= await findRest({ path, id: one.identity.id, facts: one.identity.facts }, folder, exclude);
      }
      if (rest === null) {
        deps.port.count(config.name, 'vanished', 1);
        deps.port.forget(one.position.key);
        continue;
      }
      const tail = this.streams.resumeElsewhere(one, rest, listing.remote(posix.dirname(path)));
      for (const earlier of chain) tail.after.add(earlier);
      chain.push(tail);
      this.#placeRest(tail, rest, one, live);
      turns.want(tail);
    }
    const lastSeenAt = this.streams.lastSeenAt(path);
    // A file that is known by its content was not rotated meanwhile. An empty one proves nothing: it may have been filled,
    // copied and emptied again.
    const resumed = live !== null && live.offset > 0 && this.streams.isSavedKey(live.stream.key);
    if (lastSeenAt !== null && !resumed)
      chain.push(...(await this.#readUnseen(path, live, lastSeenAt, chain.slice())));
    for (const tail of chain) if (tail !== live) live?.after.add(tail);
    const entry = this.#with.paths.get(path);
    if (entry && entry.tail === null) entry.previous = chain.at(-1) ?? null;
  }

  #placeRest(tail: Tail, rest: Rest, saved: Saved, live: Tail | null): void {
    const { deps, config } = this.#with;
    if (rest.how === 'renamed') {
      this.streams.byInode.set(tail.inode, tail);
      this.#with.orphan(tail);
      return;
    }
    tail.role = 'rest';
    tail.endsCut = rest.how === 'copy';
    tail.fresh = false;
    const truncated = live !== null && inodeName(live.id) === inodeName(saved.identity.id);
    const unread = rest.size === null || rest.size > saved.position.offset;
    if (truncated && unread) deps.port.count(config.name, 'copytruncate_recovered', 1);
  }
}

/** The oldest first: by the last write, and where the clock of the disk is too coarse, the higher number is the older. */
function byAge(a: Unseen, b: Unseen): number {
  const written = Number(a.file.stat.mtimeNs - b.file.stat.mtimeNs);
  return written !== 0 ? written : b.name.localeCompare(a.name, 'en', { numeric: true });
}
