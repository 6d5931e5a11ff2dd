/**
 * What to do when a file is no longer what it was: opened, renamed, replaced, truncated, copied, gone, found again after a
 * restart. Takes paths and streams one at a time (two changes at once could each make a stream of the same file), has each
 * handled by the file that knows how (`names`, `successors`, `overwritten`, `reopening`, `rests`), and leaves each inode with
 * exactly one stream and each old stream with a way to its end.
 */
import type { FileSourceConfig } from '../model/config.ts';
import type { Descriptors } from './descriptors.ts';
import { explain, faultOf, isFault, statLater, statNow } from './disk.ts';
import { openFile } from './files.ts';
import { FirstLook } from './first-look.ts';
import { type Glob, globMatches } from './glob.ts';
import { inodeName } from './identity.ts';
import type { Listing } from './listing.ts';
import { Names } from './names.ts';
import { Overwritten } from './overwritten.ts';
import { ownFiles } from './own-files.ts';
import type { PathEntry } from './paths.ts';
import { openPipe } from './pipe.ts';
import { Pump } from './pump.ts';
import { Reopening } from './reopening.ts';
import { Rests } from './rests.ts';
import type { Saved } from './saved-streams.ts';
import type { SourceDeps } from './sources.ts';
import type { Streams } from './streams.ts';
import { Successors } from './successors.ts';
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
/** A folder or a device where a file should be. */
const oddRetryMs = 1_000;
/** First wait after the system refused to open a file, and the longest. */
const refusedFirstMs = 50;
const refusedLastMs = 5_000;

export class Changes {
  readonly #with: ChangesDeps;
  #last: Promise<void> = Promise.resolve();
  readonly #waiting = new Set<PathEntry>();
  /** Paths whose rests were searched at the start. */
  resumed = 0;
  readonly #own = ownFiles();
  readonly #ownSaid = new Set<string>();
  readonly #firstLook: FirstLook;
  readonly #names: Names;
  readonly #reopening: Reopening;
  readonly #rests: Rests;
  readonly #successors: Successors;
  readonly #overwritten: Overwritten;
  readonly #unseen: UnseenGenerations;

  constructor(deps: ChangesDeps) {
    this.#with = deps;
    this.#firstLook = new FirstLook(deps);
    const leave = (tail: Tail, last: 'deliver' | 'drop'): void => this.leave(tail, last);
    this.#reopening = new Reopening({ ...deps, leave, entriesOf: (tail) => this.#names.of(tail) });
    this.#names = new Names({ ...deps, reopen: (tail) => this.#reopening.reopen(tail) });
    const unseen = new UnseenGenerations(deps);
    this.#unseen = unseen;
    this.#rests = new Rests({ ...deps, unseen });
    this.#successors = new Successors({ ...deps, names: this.#names, unseen });
    this.#overwritten = new Overwritten({ ...deps, names: this.#names, rests: this.#rests, unseen, leave });
  }

  get streams(): Streams {
    return this.#with.streams();
  }

  /** Which path leads to which stream. */
  get names(): Names {
    return this.#names;
  }

  /** Resolves when no change is under way. */
  async settled(): Promise<void> {
    for (;;) {
      const last = this.#last;
      await last;
      if (last === this.#last) return;
    }
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
      if (isFault(stat)) await this.#names.detach(entry);
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
        await this.#overwritten.renew(tail, end);
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
    this.#firstLook.forget(tail);
    tail.medium?.close();
    tail.medium = null;
    descriptors.gone(tail);
    this.streams.end(tail, gone);
    this.#names.forget(tail);
    this.#with.ended(tail);
  }

  fewerFiles(): void {
    this.#with.descriptors.shrink();
  }

  /** Before a stream reads: it is opened if it was closed to save descriptors, and looked at if it is new. */
  async ready(tail: Tail): Promise<'read' | 'nothing' | 'wait'> {
    if (tail.ended) return 'wait';
    if (tail.medium === null) await this.#reopening.reopen(tail);
    if (tail.medium === null) return 'wait';
    if (tail.role === 'live') this.#with.descriptors.used(tail);
    if (tail.fresh) await this.#firstLook.lookInto(tail);
    if (tail.wasEmpty && !tail.fresh) {
      tail.wasEmpty = false;
      void this.#beforeFirst(tail);
      return 'wait';
    }
    await this.#firstLook.checkEncoding(tail);
    if (tail.copyOf !== null) await this.#firstLook.follow(tail);
    if (tail.ignored !== null || tail.copyOf !== null || tail.fresh) return 'nothing';
    return (await this.#successors.begins(tail)) ? 'read' : 'wait';
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
      for (const path of paths) {
        await this.#rests.resume(path, byPath.get(path) ?? []);
        this.resumed++;
      }
      for (const entry of this.#with.paths.values()) {
        // It may lead elsewhere by now: a start takes its time.
        if (entry.tail !== null) entry.seenAt = entry.lookedAt;
      }
    });
  }

  /** Filled, copied and emptied since it was seen empty: what it held then is in its copies, and comes before what it holds now. */
  #beforeFirst(tail: Tail): Promise<void> {
    return this.#alone(async () => {
      await this.#with.turns.hold(tail);
      try {
        for (const { found } of this.#names.of(tail)) {
          for (const earlier of await this.#unseen.read(found.path, tail, tail.provenAt, []))
            tail.after.add(earlier);
        }
      } finally {
        this.#with.turns.release(tail);
      }
      this.#with.turns.want(tail);
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

  #stat(entry: PathEntry): ReturnType<typeof statLater> {
    return entry.found.remote ? statLater(entry.found.raw) : Promise.resolve(statNow(entry.found.raw));
  }

  async #open(entry: PathEntry): Promise<void> {
    const { path, raw, remote, literal } = entry.found;
    entry.lookedAt = this.#with.deps.clock.now();
    const stat = await this.#stat(entry);
    if (isFault(stat)) {
      if (stat.code === 'ENOENT') await this.#names.detach(entry);
      return;
    }
    if (stat.isFIFO()) {
      this.#openPipe(entry);
      return;
    }
    if (!stat.isFile()) {
      const kind = stat.isDirectory() ? explain('EISDIR') : 'it is neither a file nor a pipe';
      if (literal || !stat.isDirectory()) this.#with.problem(path, `${path}: ${kind}`);
      entry.retryAt = this.#with.deps.clock.monotonic() + oddRetryMs;
      return;
    }
    if (this.#own.has(inodeName(stat))) {
      this.#refuseOwn(entry);
      return;
    }
    const known = this.streams.byInode.get(inodeName(stat));
    if (known && !known.ended) {
      if (known !== entry.tail) await this.#names.attach(entry, known);
      return;
    }
    const before = entry.tail;
    const file = await openFile(path, raw, remote);
    if ('code' in file) {
      this.#refused(entry, file.code);
      return;
    }
    try {
      await this.#successors.open(entry, file);
    } catch (error) {
      // It was opened, and a read of it failed. Told and asked again as if it could not be opened.
      if (entry.tail === null || entry.tail === before) this.#refused(entry, faultOf(error).code);
      throw error;
    }
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
    entry.retryDelayMs = Math.min(refusedLastMs, Math.max(refusedFirstMs, entry.retryDelayMs * 2));
    entry.retryAt = this.#with.deps.clock.monotonic() + entry.retryDelayMs;
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
