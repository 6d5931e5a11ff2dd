/**
 * The time that incidents live by. In the daemon it is the daemon's clock; in `--once` and `backtest` it is the time of the logs,
 * which never goes back, so that an old file read today behaves as on its day.
 */
import type { Clock } from '../model/seams.ts';

export interface EngineTime {
  /** Whether this is the daemon's own clock. */
  readonly live: boolean;
  /** The time at which a record with this stamp (ms, or null) takes effect. */
  at(recordTime: number | null): number;
  /** The time now, without a record. */
  now(): number;
  /** No step may happen before this. */
  floor(): number;
}

export function liveTime(clock: Clock): EngineTime {
  // A clock set back must not hold back what is due: incidents see a time that never goes back.
  let latest = 0;
  const now = (): number => {
    latest = Math.max(latest, clock.now());
    return latest;
  };
  return { live: true, at: now, now, floor: () => latest };
}

/** A stamp further than this from the newest one before it does not move the time of the logs: it is a stray. */
const strayMs = 366 * 86_400_000;

export function logTime(clock: Clock): EngineTime {
  let latest: number | null = null;
  const now = (): number => latest ?? clock.now();
  return {
    live: false,
    at: (recordTime) => {
      if (recordTime !== null && (latest === null || (recordTime > latest && recordTime - latest < strayMs)))
        latest = recordTime;
      return now();
    },
    now,
    floor: () => latest ?? 0,
  };
}
