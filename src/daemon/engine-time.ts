/**
 * The time that incidents live by. In the daemon it is the daemon's clock; in `--once` and `backtest` it is the time of the logs,
 * which never goes back, so that an old file read today behaves as on its day.
 */
import type { Clock } from '../model/seams.ts';

export interface EngineTime {
  /** Whether this is the daemon's own clock. */
  readonly live: boolean;
  /** For whoever waits: the daemon's clock, with a time that never goes back. */
  readonly clock: Clock;
  /** The time at which a record with this stamp (ms, or null) takes effect. */
  at(recordTime: number | null): number;
  /** The time now, without a record. */
  now(): number;
  /** No step may happen before this. */
  floor(): number;
}

/**
 * The clock, with a time that never goes back and never stands still: set back, it goes on from where it was at the pace of the
 * monotonic one; set forward, it is there at once. So nothing that is due waits for the clock to catch up.
 */
export function steadyClock(clock: Clock): Clock {
  let anchor = clock.now();
  let since = clock.monotonic();
  return {
    now: () => {
      const wall = clock.now();
      const steady = anchor + Math.floor(clock.monotonic() - since);
      if (wall <= steady) return steady;
      anchor = wall;
      since = clock.monotonic();
      return wall;
    },
    monotonic: () => clock.monotonic(),
    setTimer: (delayMs, callback) => clock.setTimer(delayMs, callback),
  };
}

export function liveTime(given: Clock): EngineTime {
  const clock = steadyClock(given);
  let latest = 0;
  const now = (): number => {
    latest = clock.now();
    return latest;
  };
  return { live: true, clock, at: now, now, floor: () => latest };
}

/** A stamp further than this from the newest one before it does not move the time of the logs: it is a stray. */
const strayMs = 366 * 86_400_000;

export function logTime(clock: Clock): EngineTime {
  let latest: number | null = null;
  const now = (): number => latest ?? clock.now();
  return {
    live: false,
    clock,
    at: (recordTime) => {
      if (recordTime !== null && (latest === null || (recordTime > latest && recordTime - latest < strayMs)))
        latest = recordTime;
      return now();
    },
    now,
    floor: () => latest ?? 0,
  };
}
