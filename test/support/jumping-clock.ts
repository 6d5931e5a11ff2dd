/** The real time, which can be made to jump: for what reads real files and waits for long. */
import type { Clock } from '../../src/model/seams.ts';
import { realClock } from '../../src/system/clock.ts';

/** The real time, which can be made to jump; then all that waits is called at once. */
export function jumpingClock(): Clock & { jump(byMs: number): void } {
  let shift = 0;
  const waiting = new Set<() => void>();
  return {
    now: () => realClock.now() + shift,
    monotonic: () => realClock.monotonic() + shift,
    setTimer(delayMs, callback) {
      const once = (): void => {
        if (waiting.delete(once)) callback();
      };
      waiting.add(once);
      const timer = realClock.setTimer(delayMs, once);
      return {
        cancel: () => {
          waiting.delete(once);
          timer.cancel();
        },
      };
    },
    jump(byMs) {
      shift += byMs;
      for (const once of [...waiting]) once();
    },
  };
}
