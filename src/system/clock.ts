/**
 * The real clock and the real random: the only file that reads the time or waits. Everything else is given a `Clock`,
 * so that a test can move time by hand.
 */
import type { Clock } from '../model/seams.ts';

/** The clock of this machine. Timers do not keep the process alive. */
export const realClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  setTimer(delayMs, callback) {
    // Node turns a delay over 2^31-1 into 1 ms; a wait that long is cut and whoever waits looks again.
    const timer = setTimeout(callback, Math.min(delayMs, 2_147_483_647));
    timer.unref();
    return { cancel: () => clearTimeout(timer) };
  },
};

/** A random number in [0, 1). */
export const realRandom = (): number => Math.random();

/** Resolves after `delayMs` of the given clock. */
export function delay(clock: Clock, delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    clock.setTimer(delayMs, resolve);
  });
}
