/**
 * Lets the streams read in turns: each gets a fair share, so that a busy file does not starve a quiet one. Takes streams that
 * have something to read; runs few at a time, fewer still on one device, since one that hangs must not hold up the others.
 */
import { ReadBuffers } from './read-buffers.ts';
import type { Tail, TurnEnd } from './tail.ts';

/** Bytes of one turn while others wait, and while nobody does: within a turn the next read is under way during a match. */
const shareBytes = 1024 * 1024;
const aloneBytes = 64 * 1024 * 1024;
/** Turns at once on one device, and in all: libuv has four threads. */
const deviceTurnsMax = 1;
const turnsMax = 3;

export interface TurnHandlers {
  /** Makes the stream ready to read: opened, looked at. `nothing`: it is at its end. `wait`: it can't be read now. */
  readonly ready: (tail: Tail) => Promise<'read' | 'nothing' | 'wait'>;
  readonly ended: (tail: Tail, end: TurnEnd) => Promise<void> | void;
  readonly failed: (tail: Tail, error: unknown) => void;
}

export class Turns {
  readonly #handlers: TurnHandlers;
  /** By device, since one device at its limit must not have all its streams passed over at each step. */
  readonly #queues = new Map<bigint, Set<Tail>>();
  readonly #running = new Map<bigint, number>();
  readonly #spare: ReadBuffers[] = [];
  readonly #held = new Set<Tail>();
  /** Those that wait for the end of others. */
  readonly #blocked = new Set<Tail>();
  #active = 0;
  #stopped = false;
  #idle: (() => void)[] = [];

  constructor(handlers: TurnHandlers) {
    this.#handlers = handlers;
  }

  /** There is, or may be, something to read. */
  want(tail: Tail): void {
    if (tail.ended || this.#stopped) return;
    if (tail.busy) {
      tail.wanted = true;
      return;
    }
    if (isBlocked(tail)) {
      this.#blocked.add(tail);
      return;
    }
    this.#enqueue(tail);
    this.#next();
  }

  /** A stream came to its end: those that waited may be next. */
  unblock(): void {
    const blocked = [...this.#blocked];
    this.#blocked.clear();
    for (const tail of blocked) this.want(tail);
  }

  /** No turn of this stream runs, and none begins before `release`. */
  async hold(tail: Tail): Promise<void> {
    this.#held.add(tail);
    while (tail.busy) await this.#change();
  }

  /** Whether somebody decides about it: until `release` its position must not move, not by what it holds either. */
  holds(tail: Tail): boolean {
    return this.#held.has(tail);
  }

  release(tail: Tail): void {
    this.#held.delete(tail);
    this.#next();
  }

  /** Resolves when nothing is waiting and nothing runs. */
  async quiet(): Promise<void> {
    while (this.#active > 0 || this.#queues.size > 0) await this.#change();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#queues.clear();
    while (this.#active > 0) await this.#change();
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  #enqueue(tail: Tail): void {
    const queue = this.#queues.get(tail.id.dev) ?? new Set();
    this.#queues.set(tail.id.dev, queue.add(tail));
  }

  #next(): void {
    if (this.#stopped) return;
    for (const [dev, queue] of this.#queues) {
      for (const tail of queue) {
        if (this.#active >= turnsMax) return;
        if ((this.#running.get(dev) ?? 0) >= deviceTurnsMax) break;
        if (tail.busy || this.#held.has(tail)) continue;
        queue.delete(tail);
        if (isBlocked(tail)) this.#blocked.add(tail);
        else void this.#run(tail, dev);
      }
      if (queue.size === 0 && this.#queues.get(dev) === queue) this.#queues.delete(dev);
    }
  }

  async #run(tail: Tail, dev: bigint): Promise<void> {
    const buffers = this.#spare.pop() ?? new ReadBuffers();
    this.#active++;
    this.#running.set(dev, (this.#running.get(dev) ?? 0) + 1);
    tail.busy = true;
    tail.wanted = false;
    let end: TurnEnd | null = null;
    try {
      const ready = await this.#handlers.ready(tail);
      if (ready === 'nothing') end = 'end';
      if (ready === 'read') {
        end = await tail.turn(buffers, (bytes) => this.#goesOn(tail, bytes));
      }
    } catch (error) {
      if (!isSystemError(error)) throw error;
      this.#handlers.failed(tail, error);
    } finally {
      tail.busy = false;
      this.#active--;
      this.#running.set(dev, (this.#running.get(dev) ?? 1) - 1);
      this.#spare.push(buffers);
    }
    if (end === 'more') this.#enqueue(tail);
    else if (end !== null && !this.#stopped) await this.#handlers.ended(tail, end);
    if (tail.wanted) this.want(tail);
    this.#wakeWaiting();
    this.#next();
  }

  #goesOn(tail: Tail, bytes: number): boolean {
    if (this.#stopped || this.#held.has(tail)) return false;
    return bytes < (this.#queues.size > 0 ? shareBytes : aloneBytes);
  }

  #wakeWaiting(): void {
    const waiting = this.#idle;
    this.#idle = [];
    for (const resolve of waiting) resolve();
  }
}

/** Whether a stream that comes before this one still has something unread. */
function isBlocked(tail: Tail): boolean {
  for (const before of tail.after) {
    if (before.caughtUp || before.ended) tail.after.delete(before);
  }
  return tail.after.size > 0;
}

/** What the system refuses comes with a code and a call; anything else is a fault of ours and must be seen. */
function isSystemError(error: unknown): boolean {
  return (
    error instanceof Error &&
    'code' in error &&
    typeof error.code === 'string' &&
    !error.code.startsWith('ERR_')
  );
}
