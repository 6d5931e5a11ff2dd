/**
 * Calls the work of the daemon again and again: when something is due, and about once a second. Takes the clock, when the next thing is
 * due, and the work; knows nothing of what it is.
 */
import type { Clock, Timer } from '../model/seams.ts';

/** The longest time between two looks at what is due. */
const longestMs = 1_000;
const shortestMs = 5;

export class Ticker {
  readonly #clock: Clock;
  readonly #dueAt: () => number;
  readonly #work: () => void;
  #timer: Timer | null = null;

  /** `dueAt`: ms of the wall clock, or infinity. */
  constructor(clock: Clock, dueAt: () => number, work: () => void) {
    this.#clock = clock;
    this.#dueAt = dueAt;
    this.#work = work;
  }

  start(): void {
    const wait = Math.max(shortestMs, Math.min(longestMs, this.#dueAt() - this.#clock.now()));
    this.#timer = this.#clock.setTimer(wait, () => {
      this.#work();
      this.start();
    });
  }

  stop(): void {
    this.#timer?.cancel();
  }
}
