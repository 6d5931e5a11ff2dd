/**
 * Finds the units before one that is wanted which its record, and the lines before it, may need: back to a line that surely
 * begins a record, within limits. Takes the log of a stream, whose bytes are those of the chunk.
 */
import { interleaveBytes, type Lane } from './lane.ts';
import type { Slot } from './lanes.ts';
import { isDoubtful } from './record-starts.ts';
import type { UnitLog } from './unit-log.ts';

/** So many units are taken in any case: what a trace quotes may look like the beginning of a record. */
const minUnits = 64;
/** And so many at most. */
export const maxHistory = 1024;
/** Units before a record that are taken for the lines before it. */
export const contextUnits = 8;

/** The chunk that the log's units are in. */
export interface LoggedBytes {
  readonly log: UnitLog;
  readonly data: Buffer;
  /** The chunk's place in the stream. */
  readonly offset: number;
}

/**
 * Writes the numbers of the units of a slot before the raw place `raw` into `found`, newest first; gives how many.
 * `had`: the lane has what is marked as fed, and all before it.
 */
export function historyOf(
  bytes: LoggedBytes,
  slot: Slot,
  lane: Lane,
  raw: number,
  had: boolean,
  found: Float64Array,
): number {
  const { log, data, offset } = bytes;
  let newer = raw;
  let count = 0;
  /** The unit that begins the record is among those found. */
  let begun = false;
  let more = contextUnits;
  for (let at = slot.last; at >= log.base && count < maxHistory; at = log.beforeOf(at)) {
    if (newer - log.nextOf(at) > interleaveBytes || (had && log.isFed(at))) return count;
    newer = log.rawOf(at);
    found[count++] = at;
    if (begun && --more === 0) return count;
    begun ||= count >= minUnits && lane.surely(data, log.textFromOf(at) - offset, log.textToOf(at) - offset);
  }
  if (begun) return count;
  // No line says that it begins a record: of two that look like nothing else, the second one does.
  for (let at = minUnits; at < count; at++)
    if (isPlain(bytes, found[at - 1]) && isPlain(bytes, found[at])) return at;
  return count;
}

function isPlain({ log, data, offset }: LoggedBytes, unit: number | undefined): boolean {
  return !isDoubtful(data, log.textFromOf(unit ?? 0) - offset);
}
