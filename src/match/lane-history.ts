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
/**
 * Units before a record that are taken for the lines before it, and more up to one that surely begins a record, since it may tell
 * whose lines they are; but no more than so many bytes of text.
 */
const contextUnits = 8;
const contextBytes = 4 * 1024;

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
  const { log } = bytes;
  let newer = raw;
  let count = 0;
  for (let at = slot.last; at >= log.base && count < maxHistory; at = log.beforeOf(at)) {
    if (newer - log.nextOf(at) > interleaveBytes || (had && log.isFed(at))) return count;
    newer = log.rawOf(at);
    found[count++] = at;
    if (count < minUnits || !isSure(bytes, lane, at)) continue;
    const isTooFar = (unit: number): boolean => {
      const isFar = newer - log.nextOf(unit) > interleaveBytes || (had && log.isFed(unit));
      newer = log.rawOf(unit);
      return isFar;
    };
    return count + contextOf(bytes, log.beforeOf(at), lane, found.subarray(count), isTooFar);
  }
  // No line says that it begins a record: of two that look like nothing else, the second one does.
  for (let at = minUnits; at < count; at++)
    if (isPlain(bytes, found[at - 1]) && isPlain(bytes, found[at])) return at;
  return count;
}

/**
 * Writes the numbers of units for the lines before a record into `found`, newest first, from `newest` on back; gives how many. `isEnd`
 * is asked of each and tells whether it and all before it must not be taken.
 */
export function contextOf(
  bytes: LoggedBytes,
  newest: number,
  lane: Lane,
  found: Float64Array,
  isEnd: (unit: number) => boolean,
): number {
  const { log } = bytes;
  let count = 0;
  let length = 0;
  for (let at = newest; at >= log.base && count < found.length && !isEnd(at); at = log.beforeOf(at)) {
    found[count++] = at;
    length += log.textToOf(at) - log.textFromOf(at);
    if (count >= contextUnits && (length > contextBytes || isSure(bytes, lane, at))) break;
  }
  return count;
}

/** Whether a unit begins a record whatever stands before it. */
function isSure({ log, data, offset }: LoggedBytes, lane: Lane, unit: number): boolean {
  return lane.surely(data, log.textFromOf(unit) - offset, log.textToOf(unit) - offset);
}

function isPlain({ log, data, offset }: LoggedBytes, unit: number | undefined): boolean {
  return !isDoubtful(data, log.textFromOf(unit ?? 0) - offset);
}
