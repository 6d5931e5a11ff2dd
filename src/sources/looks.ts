/**
 * Looks at what is behind each path and each nameless file, when it is due or when an event hints at it. Takes what the disk shows;
 * lets a stream that grew read, and hands on what is another file or gone by now. On a local disk a look is one call of the
 * system, on one that may hang it never blocks. Reads no bytes itself.
 */
import type { BigIntStats } from 'node:fs';
import type { Clock } from '../model/seams.ts';
import { type Asked, explain, fstatLater, fstatNow, isFault, statLater, statNow } from './disk.ts';
import type { Pace } from './pace.ts';
import type { OrphanEntry, PathEntry } from './paths.ts';
import type { Tail } from './tail.ts';
import type { Trust } from './trust.ts';

/** First wait after a failure of the system, and the longest. */
const retryFirstMs = 500;
const retryLastMs = 30_000;
/** Looks under way on file systems that may hang. */
const remoteLooksMax = 2;

export type Item = PathEntry | OrphanEntry;

export interface LooksDeps {
  readonly clock: Clock;
  readonly pace: Pace<Item>;
  readonly trust: Trust;
  /** There is something to read. */
  readonly want: (tail: Tail) => void;
  /** Another file, or the first one, is behind a path. */
  readonly open: (entry: PathEntry) => void;
  /** Nothing is behind a path any more. */
  readonly lost: (entry: PathEntry) => void;
  /** A path that is listed no more and led to nothing. */
  readonly drop: (entry: PathEntry) => void;
  readonly problem: (path: string, text: string | null) => void;
  /** What was there before the start is still being found. */
  readonly starting: () => boolean;
  readonly stopping: () => boolean;
}

export class Looks {
  readonly #with: LooksDeps;
  #remoteLooks = 0;
  /** Questions that the disk answered so far: while it grows, a start that takes long does not hang. */
  answered = 0;

  constructor(deps: LooksDeps) {
    this.#with = deps;
  }

  /** What is due by the clock. */
  due(now: number): void {
    for (const item of this.#with.pace.due(now)) this.#look(item, now, false);
  }

  /** An event says that something happened to it. */
  hinted(item: Item, now: number): void {
    this.#with.pace.wake(item, now);
    this.#look(item, now, true);
  }

  /** Asks at once; resolves when the answer was heard. */
  async now(entry: PathEntry): Promise<void> {
    const at = this.#with.clock.now();
    if (!entry.found.remote) {
      this.#saw(entry, statNow(entry.found.raw), at, true);
      return;
    }
    if (this.#remoteLooks >= remoteLooksMax) return;
    this.#remoteLooks++;
    entry.busy = true;
    const stat = await statLater(entry.found.raw);
    entry.busy = false;
    this.#remoteLooks--;
    if (!this.#with.stopping()) this.#saw(entry, stat, at, true);
  }

  /** The system refused something: asked again later, and later still. */
  later(item: { retryAt: number; retryDelayMs: number }): void {
    item.retryDelayMs = Math.min(retryLastMs, Math.max(retryFirstMs, item.retryDelayMs * 2));
    item.retryAt = this.#with.clock.monotonic() + item.retryDelayMs;
  }

  #look(item: Item, now: number, hinted: boolean): void {
    if (item.busy) return;
    if (item.kind === 'orphan') this.#atDescriptor(item, item.tail);
    else if (now < item.retryAt) return;
    else if (item.found.remote) void this.now(item);
    else {
      const at = this.#with.clock.now();
      this.#saw(item, statNow(item.found.raw), at, hinted);
    }
  }

  /** `at`: when it was asked, wall clock. */
  #saw(entry: PathEntry, stat: Asked<BigIntStats>, at: number, hinted: boolean): void {
    const { tail } = entry;
    const { clock, pace, trust } = this.#with;
    this.answered++;
    if (isFault(stat)) {
      this.#missed(entry, stat.code);
      return;
    }
    if (tail !== null && !tail.ended && tail.id.ino === stat.ino && tail.id.dev === stat.dev) {
      if (!this.#with.starting()) entry.seenAt = at;
      entry.retryDelayMs = 0;
      if (tail.provenChangeNs === stat.ctimeNs && Number(stat.size) === tail.seenSize) tail.provenAt = at;
      // Nothing is in it that could be missed.
      if (stat.size === 0n && tail.readPosition === 0 && tail.memory.head.length === 0) {
        tail.provenAt = at;
        tail.wasEmpty = true;
      }
      if (this.#grew(entry, tail, stat) && !hinted && trust.found(entry, stat.ctimeNs)) {
        pace.reconsider(clock.monotonic());
      }
      return;
    }
    if (entry.pump !== null && stat.isFIFO()) return;
    // What sleeps since long before the start is no activity.
    const age = this.#with.starting() ? clock.now() - Number(stat.ctimeNs / 1_000_000n) : 0;
    pace.wake(entry, clock.monotonic() - Math.max(0, age));
    this.#with.open(entry);
  }

  #missed(entry: PathEntry, code: string): void {
    const { path } = entry.found;
    entry.initial = entry.initial && code === 'EACCES';
    if (code === 'ENOENT' || code === 'ENOTDIR') {
      this.#with.problem(path, null);
      if (entry.tail !== null) {
        // A rotation may be under way: it is looked at closely until the new file is there.
        this.#with.pace.wake(entry, this.#with.clock.monotonic());
        this.#with.lost(entry);
      } else if (!entry.listed && entry.pump === null) {
        this.#with.drop(entry);
      }
      return;
    }
    this.#with.problem(path, `${path}: ${explain(code)}`);
    if (code === 'EACCES' && entry.tail !== null) this.#atDescriptor(entry, entry.tail);
    if (code !== 'EACCES') this.later(entry);
  }

  /** Lets it read if it changed. True if it is longer or shorter than it was. */
  #grew(item: Item, tail: Tail, stat: BigIntStats): boolean {
    const resized = Number(stat.size) !== tail.seenSize;
    if (!resized && stat.ctimeNs === tail.seenChangeNs) {
      // Emptied and filled to the same length within one step of the disk's clock: only its bytes tell.
      if (tail.racy) this.#with.want(tail);
      tail.saw(stat);
      return false;
    }
    tail.saw(stat);
    const now = this.#with.clock.monotonic();
    this.#with.pace.wake(item, now);
    if (now >= tail.retryAt) this.#with.want(tail);
    else tail.seenChangeNs = 0n;
    return resized;
  }

  #atDescriptor(item: Item, tail: Tail): void {
    const fd = tail.medium?.fd ?? null;
    if (fd === null) {
      // Its descriptor failed: it is searched, or left, and others may wait for that.
      if (item.kind === 'orphan' && this.#with.clock.monotonic() >= tail.retryAt) this.#with.want(tail);
      return;
    }
    if (!tail.remote) {
      const stat = fstatNow(fd);
      if (!isFault(stat)) this.#grew(item, tail, stat);
      return;
    }
    item.busy = true;
    void fstatLater(fd).then((stat) => {
      item.busy = false;
      if (!isFault(stat) && !this.#with.stopping() && !tail.ended) this.#grew(item, tail, stat);
    });
  }
}
