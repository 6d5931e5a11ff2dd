/**
 * How long a source is quiet as a rule, learned from its own past. Takes the gaps between its signs of life, keeps the longest of
 * each day it was watched, gives how long it may be quiet before that is news. Pure: it is given every time, and it says nothing.
 */
/** A day, ms. */
const dayMs = 86_400_000;

/** What is kept of a source between runs. */
export interface Rhythm {
  /** When it last gave bytes, ms of the wall clock; at most a minute older than the truth. */
  readonly lastAt: number;
  /** How long it was watched while it lived, ms: from its first sign of life to its last. */
  readonly watchedMs: number;
  /** The longest gap that ended on each of the last days watched: the day, ms. */
  readonly gaps: readonly (readonly [day: number, gapMs: number])[];
}

/** Today and the seven days before: a weekend is in it on each day of the week. */
const daysKept = 8;
/** Before a whole day was watched, nothing is known of its nights. */
const firstLookMs = dayMs;
/** Before a whole week was watched, nothing is known of its weekends: from Friday noon to Monday noon must pass. */
const weekMs = 7 * dayMs;
const beforeAWeekMs = 3 * dayMs;
/** However busy it is, an hour is the least. */
const leastMs = 3_600_000;
/** Chance alone makes a gap somewhat longer than the longest of a week, but hardly twice as long. */
const factor = 2;
/** A longer gap is news in any case: it does not teach that such a gap is usual. */
const gapMax = 31 * dayMs;

export const newRhythm = (now: number): Rhythm => ({ lastAt: now, watchedMs: 0, gaps: [] });

/** It was watched for so long since the last note, and gave its last bytes `now`; `gapMs` is the longest gap of that time. */
export function noted(rhythm: Rhythm, watchedMs: number, gapMs: number, now: number): Rhythm {
  const watched = rhythm.watchedMs + watchedMs;
  const today = Math.floor(watched / dayMs);
  const longest = rhythm.gaps.find(([day]) => day === today)?.[1] ?? 0;
  const gaps = rhythm.gaps.filter(([day]) => day > today - daysKept && day !== today);
  return {
    lastAt: now,
    watchedMs: watched,
    gaps: [...gaps, [today, Math.max(longest, Math.min(gapMs, gapMax))]],
  };
}

/** The longest gap of the last days watched, ms; 0 without any. */
export function longestGapMs(rhythm: Rhythm): number {
  return rhythm.gaps.reduce((longest, [, gap]) => Math.max(longest, gap), 0);
}

/** So long it may be quiet, ms; null while too little of it is known. */
export function learnedQuietMs(rhythm: Rhythm): number | null {
  if (rhythm.watchedMs < firstLookMs) return null;
  const floor = rhythm.watchedMs < weekMs ? beforeAWeekMs : leastMs;
  return Math.max(floor, longestGapMs(rhythm) * factor);
}
