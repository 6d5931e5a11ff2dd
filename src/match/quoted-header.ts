/**
 * Tells a header that an exception's text quotes from a real one: a trace prints such text raw, so whole forged lines can
 * stand in it. The time gives it away, and what follows is the witness. Takes bytes, gives yes, no or "not yet".
 */
import { cleanText } from './clean.ts';
import { isHeader } from './line-shapes.ts';
import { stampOf } from './stamps.ts';

/** A header inside an open trace whose time is so far from its record's may be a quotation. */
const strangeTimeMs = 3_600_000;
/** So many bytes and headers after it are asked whether it is one. */
const witnessBytes = 64 * 1024;
const witnessHeaders = 8;
/** A stamp is within so many bytes of its line's beginning. */
const stampBytes = 80;

/** Where a doubtful header stands, and in which record. */
export interface DoubtfulHeader {
  readonly data: Buffer;
  /** Where the open record begins in `data`. */
  readonly recordStart: number;
  /** The doubtful line, cleaned if it had to be, and where its text begins in it. */
  readonly line: Buffer;
  readonly from: number;
  /** Where the line after it begins in `data`. */
  readonly next: number;
}

function timeAt(data: Buffer, at: number, zone: string, receivedAt: number): number | null {
  const head = cleanText(data, at, Math.min(data.length, at + stampBytes));
  return stampOf(head, zone, receivedAt)?.time ?? null;
}

/**
 * Whether the header is text: its time is strange, and what follows goes on in the record's time. Null: more bytes may
 * come (`waiting`) and are needed to tell.
 */
export function isQuotedHeader(
  doubt: DoubtfulHeader,
  zone: string,
  options: { readonly waiting: boolean; readonly receivedAt: number },
): boolean | null {
  const { data, next } = doubt;
  const { receivedAt } = options;
  const far = (a: number, b: number): boolean => Math.abs(a - b) >= strangeTimeMs;
  const own = timeAt(data, doubt.recordStart, zone, receivedAt);
  const here = timeAt(doubt.line, doubt.from, zone, receivedAt);
  if (own === null || here === null || !far(here, own)) return false;
  const limit = Math.min(data.length, next + witnessBytes);
  let seen = 0;
  for (let at = next; at < limit && seen < witnessHeaders; ) {
    const end = data.indexOf(0x0a, at);
    if (end < 0) break;
    if (isHeader(data, at, end)) {
      const time = timeAt(data, at, zone, receivedAt);
      if (time !== null && !far(time, own) && far(time, here)) return true;
      seen++;
    }
    at = end + 1;
  }
  if (seen > 0) return false;
  if (options.waiting && data.length - next < witnessBytes) return null;
  // No witness: a time that went back is a quotation; one that went on is the next job of a quiet worker, unless the
  // record is of this very hour and the line is not.
  return here < own || (!far(receivedAt, own) && far(receivedAt, here));
}
