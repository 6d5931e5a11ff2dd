/** Time moved by hand: timers fire in their order, promises settle after each. Nothing global is patched. */
import type { Clock, Timer } from '../../src/model/seams.ts';

interface Waiting {
  readonly at: number;
  readonly callback: () => void;
}

export class FakeClock implements Clock {
  #now: number;
  #monotonic = 0;
  #waiting: Waiting[] = [];

  constructor(start = Date.UTC(2026, 0, 5, 10, 0, 0)) {
    this.#now = start;
  }

  now(): number {
    return this.#now;
  }

  monotonic(): number {
    return this.#monotonic;
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    const entry = { at: this.#monotonic + delayMs, callback };
    this.#waiting.push(entry);
    return {
      cancel: () => {
        this.#waiting = this.#waiting.filter((other) => other !== entry);
      },
    };
  }

  /** Sets the wall clock alone, as a person or NTP does; timers do not feel it. */
  jump(toMs: number): void {
    this.#now = toMs;
  }

  /** Moves time forward where nobody waits for a timer. */
  skip(ms: number): void {
    this.#move(ms);
  }

  /** Moves time forward; each timer fires at its own due time. */
  async advance(ms: number): Promise<void> {
    const end = this.#monotonic + ms;
    for (;;) {
      const next = this.#waiting.filter((entry) => entry.at <= end).sort((a, b) => a.at - b.at)[0];
      if (!next) break;
      this.#waiting = this.#waiting.filter((entry) => entry !== next);
      this.#move(next.at - this.#monotonic);
      next.callback();
      await settle();
    }
    this.#move(end - this.#monotonic);
    await settle();
  }

  #move(ms: number): void {
    this.#now += ms;
    this.#monotonic += ms;
  }
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
}
