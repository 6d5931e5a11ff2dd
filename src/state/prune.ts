/**
 * Forgets what has not been touched for a long time, a little at a time: saved positions of files that went away, mostly.
 * It goes by what the caller says is the age of a document, reads no clock, and commits nothing.
 */
import { existsSync } from 'node:fs';
import type { SavedPosition } from '../model/seams.ts';
import type { Table } from '../model/store.ts';

/** How long a position outlives its file: long enough for a disk that is mounted again after a week off, ms. */
export const positionKeptMs = 7 * 24 * 3_600_000;
/** Documents looked at in one call: a few milliseconds. */
const looksDefault = 2000;

export interface PruneOptions<T> {
  /** Older than this goes, ms since the epoch. */
  readonly before: number;
  /** When a document was touched last, ms. */
  readonly touchedAt: (value: T) => number;
  /** Documents that stay whatever their age: the files that are there. */
  readonly keep?: (key: string, value: T) => boolean;
  /** How many are looked at; the rest is for the next call. */
  readonly limit?: number;
}

/** Deletes documents last touched before a time, in the order of their keys. Gives how many. Part of the next commit. */
export function pruneBefore<T>(table: Table<T>, options: PruneOptions<T>): number {
  let pruned = 0;
  for (const { key, value } of table.scan('', options.limit ?? looksDefault)) {
    if (options.touchedAt(value) >= options.before || options.keep?.(key, value)) continue;
    table.delete(key);
    pruned += 1;
  }
  return pruned;
}

/** Forgets positions of files that are gone for long. What is there and quiet is not gone: it would be read again from its beginning. */
export function prunePositions(positions: Table<SavedPosition>, now: number): number {
  return pruneBefore(positions, {
    before: now - positionKeptMs,
    touchedAt: (position) => position.updatedAt,
    // A source that goes on from a cursor forgets it itself.
    keep: (_key, { path, identity }) => existsSync(path) || identity['cursor'] !== undefined,
  });
}
