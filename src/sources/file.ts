/**
 * The source `file`: makes globs look like perpetual streams of bytes, though the files beneath may be renamed, copied,
 * truncated, replaced or gone. Takes a configuration and a port; has files found (`discovery.ts`) and looked at (`looks.ts`)
 * often or rarely (`pace.ts`), and lets their streams read in turns. Relies on polling; events only make it quicker. What to do
 * when a file is no longer what it was is decided in `changes.ts`.
 */
import { posix } from 'node:path';
import type { FileSourceConfig } from '../model/config.ts';
import type { Source, Timer } from '../model/seams.ts';
import { type FolderWatch, watchNothing } from '../system/watch.ts';
import { Changes } from './changes.ts';
import { Descriptors, openFilesAllowed } from './descriptors.ts';
import { Discovery } from './discovery.ts';
import { explain, faultOf } from './disk.ts';
import { compileGlob } from './glob.ts';
import { Listing } from './listing.ts';
import { type Item, Looks } from './looks.ts';
import { Nameless } from './nameless.ts';
import { Pace } from './pace.ts';
import type { PathEntry } from './paths.ts';
import { quietMs } from './pump.ts';
import type { SourceDeps } from './sources.ts';
import { Standing } from './standing.ts';
import { Streams } from './streams.ts';
import type { Tail, TurnEnd } from './tail.ts';
import { Trust } from './trust.ts';
import { Turns } from './turns.ts';

/** Files are looked for at once when a hint comes, but not more often than this in a storm of hints. */
const hintEveryMs = 2;
/** The streams whose quiet time is over are gone through at most so often. */
const quietLookMs = 15;

export class FileSource implements Source {
  readonly name: string;
  readonly #deps: SourceDeps;
  readonly #paths = new Map<string, PathEntry>();
  readonly #trust: Trust;
  readonly #pace: Pace<Item>;
  readonly #nameless: Nameless;
  readonly #standing: Standing;
  readonly #turns: Turns;
  readonly #changes: Changes;
  readonly #looks: Looks;
  readonly #discovery: Discovery;
  readonly #watch: FolderWatch;
  readonly #quiet = new Set<Tail>();
  readonly #hinted = new Set<Item>();
  #streams: Streams | null = null;
  #started: Promise<void> | null = null;
  #timer: Timer | null = null;
  /** When the next tick is due, monotonic ms. */
  #tickAt = 0;
  #hintTimer: Timer | null = null;
  #first = true;
  #draining = false;
  #stopping = false;

  constructor(config: FileSourceConfig, deps: SourceDeps) {
    this.name = config.name;
    this.#deps = deps;
    const globs = config.paths.map(compileGlob);
    const listing = new Listing(globs, config.exclude.map(compileGlob));
    const create = deps.pollOnly === true ? watchNothing : deps.watch;
    this.#watch = create({
      onHint: (dir, name) => this.#hint(dir, name),
      onTrouble: (message) => this.#troubled(message),
    });
    this.#trust = new Trust({
      clock: deps.clock,
      covers: (dir) => this.#watch.covers(dir),
      announces: (dir) => listing.announces(dir),
    });
    this.#pace = new Pace((item) => item.kind === 'path' && this.#trust.file(item));
    this.#nameless = new Nameless(this.#pace, deps.rotateWaitMs);
    this.#standing = new Standing(config.name, deps, () => this.#reads());
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
      listing,
      paths: this.#paths,
      turns: this.#turns,
      descriptors: new Descriptors(deps.openFilesMax ?? openFilesAllowed()),
      // Made at start: the positions are read from the state then.
      streams: () => {
        const seenAt = (path: string): number => {
          const entry = this.#paths.get(path);
          return entry?.seenAt || entry?.lookedAt || deps.clock.now();
        };
        this.#streams ??= new Streams({ ...deps, seenAt }, config, deps.timeOf);
        return this.#streams;
      },
      orphan: (tail) => this.#nameless.add(tail, deps.clock.monotonic()),
      named: (tail) => this.#nameless.remove(tail),
      draining: () => this.#draining,
      starting: () => this.#first,
      problem: (path, text) => this.#standing.problem(path, text),
      ended: (tail) => this.#release(tail),
    });
    const phase = { starting: () => this.#first, stopping: () => this.#stopping };
    const problem = (path: string, text: string | null): void => this.#standing.problem(path, text);
    this.#looks = new Looks({
      ...phase,
      clock: deps.clock,
      pace: this.#pace,
      trust: this.#trust,
      want: (tail) => this.#turns.want(tail),
      open: (entry) => this.#changes.open(entry),
      lost: (entry) => this.#changes.lost(entry),
      drop: (entry) => this.#discovery.drop(entry),
      problem,
    });
    this.#discovery = new Discovery({
      ...phase,
      deps,
      listing,
      paths: this.#paths,
      pace: this.#pace,
      looks: this.#looks,
      trust: this.#trust,
      watch: (folders) => {
        // To ask for events of a mount that hangs would block the process, and they don't count there.
        const local = new Map([...folders].filter(([dir]) => !listing.remote(dir)));
        this.#watch.set(local.size === 0 ? local : this.#changes.names.watched(local));
      },
      lastSeenAt: (path) => this.#open().saved.lastSeenAt(path),
      problem,
      // What was read to its end is let go of: that it is not open any more is no news then.
      found: () => {
        if (!this.#draining) this.#standing.say();
      },
      settled: () => this.#changes.settled(),
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
      await this.#discovery.run();
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

  startProgress(): number {
    return this.#looks.answered + this.#changes.resumed;
  }

  #open(): Streams {
    return this.#changes.streams;
  }

  async #begin(): Promise<void> {
    this.#open();
    await this.#discovery.run();
    await this.#changes.settled();
    await this.#changes.resumeRests();
    this.#first = false;
    for (const tail of this.#open().all) this.#turns.want(tail);
    this.#standing.say();
  }

  /** Looks at what is due, and sets the next time. */
  #tick(): void {
    if (this.#stopping || this.#draining) return;
    const now = this.#deps.clock.monotonic();
    this.#looks.due(now);
    for (const tail of this.#quiet) {
      if (tail.busy || this.#turns.holds(tail)) continue;
      if (tail.quietDueAt !== null && tail.quietDueAt > now) continue;
      this.#quiet.delete(tail);
      if (!tail.ended && tail.quietDueAt !== null) tail.quiet();
      if (tail.quietDueAt !== null) this.#quiet.add(tail);
    }
    for (const tail of this.#nameless.over(now)) this.#changes.leave(tail, 'deliver');
    this.#discovery.tick(now);
    const delay = this.#delayMs(now);
    this.#tickAt = now + delay;
    this.#timer = this.#deps.clock.setTimer(delay, () => this.#tick());
  }

  /** How long to wait from `now` until the next look, or until the first stream was quiet long enough. */
  #delayMs(now: number): number {
    let delay = this.#pace.delayMs();
    for (const { quietDueAt } of this.#quiet) delay = Math.min(delay, (quietDueAt ?? now) - now);
    return Math.max(quietLookMs, delay);
  }

  #hint(dir: string, name: string | null): void {
    if (this.#stopping || this.#first) return;
    if (this.#trust.hinted()) this.#pace.reconsider(this.#deps.clock.monotonic());
    const entry = name === null ? undefined : this.#changes.names.byPlace(posix.join(dir, name));
    if (entry) {
      this.#hinted.add(entry);
    } else {
      this.#discovery.hinted(dir);
      // A file that just lost its name is written to under another one.
      if (name !== null) for (const orphan of this.#nameless.entries()) this.#hinted.add(orphan);
    }
    this.#hintTimer ??= this.#deps.clock.setTimer(hintEveryMs, () => this.#heedHints());
  }

  #heedHints(): void {
    this.#hintTimer = null;
    if (this.#stopping) return;
    const now = this.#deps.clock.monotonic();
    const hinted = [...this.#hinted];
    this.#hinted.clear();
    for (const item of hinted) this.#looks.hinted(item, now);
    const delay = this.#delayMs(now);
    if (this.#discovery.due(now)) {
      this.#timer?.cancel();
      this.#tick();
    } else if (this.#tickAt > now + delay) {
      // What has just woken is looked at again soon, not when the sleepers' next slice is due.
      this.#timer?.cancel();
      this.#tickAt = now + delay;
      this.#timer = this.#deps.clock.setTimer(delay, () => this.#tick());
    }
  }

  /** No more events: everything is polled as if there had never been any. */
  #troubled(message: string): void {
    this.#deps.warn?.(message);
    this.#pace.reconsider(this.#deps.clock.monotonic());
  }

  #turned(tail: Tail, end: TurnEnd): Promise<void> | void {
    if (tail.retryDelayMs > 0) {
      tail.retryDelayMs = 0;
      this.#standing.problem(tail.path, null);
    }
    if (end === 'replaced' || end === 'shrunk') return this.#changes.replaced(tail, end);
    if (end !== 'end' || tail.ended) return;
    tail.caughtUp = true;
    if (tail.role === 'rest' || (this.#draining && !tail.wanted && !this.#isInherited(tail))) {
      this.#changes.leave(tail, tail.role === 'rest' && tail.endsCut ? 'drop' : 'deliver');
      return;
    }
    if (tail.heldBytes > 0) {
      tail.quietDueAt = tail.activeAt + quietMs;
      this.#quiet.add(tail);
    }
    this.#release(tail);
  }

  /** Whether a stream that is still to begin may go on with what this one left open. */
  #isInherited(tail: Tail): boolean {
    if (tail.heldBytes === 0) return false;
    for (const other of this.#open().all) if (other.predecessor === tail) return true;
    return false;
  }

  /** Streams that waited for this one may begin. */
  #release(tail: Tail): void {
    if (tail.ended) {
      this.#quiet.delete(tail);
      this.#nameless.remove(tail);
    }
    this.#turns.unblock();
  }

  #failed(tail: Tail, error: unknown): void {
    const { code } = faultOf(error);
    const tooMany = code === 'EMFILE' || code === 'ENFILE';
    // Of a file without a name the descriptor may be all that is left. A stale one leads nowhere.
    if (tail.lostNameAt === null || code === 'ESTALE') {
      tail.medium?.close();
      tail.medium = null;
    }
    if (tooMany) this.#changes.fewerFiles();
    if (tail.role === 'rest') {
      this.#deps.port.count(this.name, 'vanished', 1);
      this.#changes.leave(tail, 'drop');
      return;
    }
    this.#looks.later(tail);
    tail.seenChangeNs = 0n;
    if (!tooMany) this.#standing.problem(tail.path, `${tail.path}: ${explain(code)}`);
    if (this.#draining) this.#changes.leave(tail, 'deliver');
  }

  /** A file between two names (a rotation under way) is still read. */
  #reads(): boolean {
    if (this.#nameless.size > 0) return true;
    for (const entry of this.#paths.values()) if (entry.tail !== null || entry.pump !== null) return true;
    return false;
  }
}
