/**
 * Where a file is begun that was there before the very first start: at its beginning, at its end, or at the first record of
 * the last so many minutes before its newest one. Takes a way to peek and a way to read a line's time; gives an offset at
 * which a line begins. Reads a few windows, not the file.
 */
import type { FileSourceConfig } from '../model/config.ts';
import type { Peek } from './identity.ts';

/** Tells a line's own time in ms, or null. The line comes without its end. */
export type TimeOf = (line: Buffer) => number | null;

export interface Beginning {
  readonly offset: number;
  /** The offset lies in the middle of a line, whose rest is to be skipped. */
  readonly skipLine: boolean;
}

/** One window of the search; a time stamp must be found in it, else the search goes a window on, up to the farthest. */
const windowBytes = 64 * 1024;
const farthestBytes = 1024 * 1024;
const lineFeed = 10;

/**
 * Where to begin in a file of `size` bytes. Without time stamps "the last ten minutes" can't be known: then it is the last
 * 1 MiB, from a line's beginning.
 */
export async function findBeginning(
  start: FileSourceConfig['start'],
  size: number,
  peek: Peek,
  timeOf: TimeOf | null,
): Promise<Beginning> {
  if (start === 'beginning' || size === 0) return { offset: 0, skipLine: false };
  if (start === 'end') {
    const last = await peek(size - 1, 1);
    return { offset: size, skipLine: last[0] !== lineFeed };
  }
  const newest = timeOf === null ? null : await newestTime(size, peek, timeOf);
  if (newest === null || timeOf === null) {
    return { offset: await lineStartAfter(Math.max(0, size - farthestBytes), size, peek), skipLine: false };
  }
  return { offset: await search(newest - start.agoMs, size, peek, timeOf), skipLine: false };
}

async function newestTime(size: number, peek: Peek, timeOf: TimeOf): Promise<number | null> {
  for (let back = windowBytes; ; back += windowBytes) {
    const from = Math.max(0, size - back);
    const bytes = await peek(from, Math.min(windowBytes * 2, size - from));
    let newest: number | null = null;
    for (const { time } of timedLines(bytes, from === 0, timeOf)) {
      if (newest === null || time > newest) newest = time;
    }
    if (newest !== null) return newest;
    if (from === 0 || back >= farthestBytes) return null;
  }
}

/** Halves the file by the time of the first stamped line after the middle, then looks line by line. */
async function search(cutoff: number, size: number, peek: Peek, timeOf: TimeOf): Promise<number> {
  let low = 0;
  let high = size;
  while (high - low > windowBytes) {
    const middle = low + Math.floor((high - low) / 2);
    const found = await firstTimed(middle, high, peek, timeOf);
    if (found === null || found.time >= cutoff) high = middle;
    else low = found.at;
  }
  for (let from = low; from < size; ) {
    const bytes = await peek(from, windowBytes * 2);
    for (const { at, time } of timedLines(bytes, true, timeOf)) if (time >= cutoff) return from + at;
    const end = bytes.lastIndexOf(lineFeed) + 1;
    if (end <= 0 || from + bytes.length >= size) break;
    from += end;
  }
  return lineStartAfter(low, size, peek);
}

async function firstTimed(
  from: number,
  end: number,
  peek: Peek,
  timeOf: TimeOf,
): Promise<{ at: number; time: number } | null> {
  for (let at = from; at < end && at - from < farthestBytes; at += windowBytes) {
    const bytes = await peek(at, windowBytes * 2);
    for (const line of timedLines(bytes, at === 0, timeOf)) return { at: at + line.at, time: line.time };
  }
  return null;
}

async function lineStartAfter(from: number, size: number, peek: Peek): Promise<number> {
  if (from === 0) return 0;
  for (let at = from - 1; at < size; at += windowBytes) {
    const bytes = await peek(at, windowBytes);
    const end = bytes.indexOf(lineFeed);
    if (end >= 0) return at + end + 1;
  }
  return size;
}

function* timedLines(
  bytes: Buffer,
  wholeFirst: boolean,
  timeOf: TimeOf,
): Generator<{ readonly at: number; readonly time: number }> {
  let at = wholeFirst ? 0 : bytes.indexOf(lineFeed) + 1;
  if (at === 0 && !wholeFirst) return;
  while (at < bytes.length) {
    const end = bytes.indexOf(lineFeed, at);
    if (end < 0) return;
    const time = timeOf(bytes.subarray(at, end));
    if (time !== null) yield { at, time };
    at = end + 1;
  }
}

/** At the end of what is left of a file that was cut: the line that was cut through is not a line any more. */
export async function cutHere(size: number, peek: Peek): Promise<Beginning> {
  const last = size > 0 ? await peek(size - 1, 1) : Buffer.alloc(0);
  return { offset: size, skipLine: last.length > 0 && last[0] !== 10 };
}
