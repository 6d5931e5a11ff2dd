/**
 * Bodies of a Heroku Logplex drain: syslog messages, each behind the count of its bytes, perhaps without anything between them. Cuts them;
 * what they say is read by `match/`. What Logplex says it dropped itself is looked for, since those lines are lost.
 */
import type { Batch } from './http-batch.ts';

const space = 0x20;
const lineFeed = 0x0a;
/** Digits of a count. */
const digitsMax = 9;
const lossWords = Buffer.from('Error L10 (output buffer overflow)');
/** Numbers that were looked up in one body. */
const lossesMax = 100;

export interface LogplexBatch {
  readonly batch: Batch;
  /** Messages that Logplex dropped before they came here, as it says. */
  readonly lost: number;
}

/** `announced`: `Logplex-Msg-Count`, or null. A count that does not fit is counted, and all that parsed is taken. */
export function readLogplex(body: Buffer, announced: number | null): LogplexBatch {
  const data = Buffer.allocUnsafe(body.length + 1);
  const ends: number[] = [];
  let used = 0;
  let odd = 0;
  const add = (from: number, to: number): void => {
    used += body.copy(data, used, from, to);
    if (data[used - 1] !== lineFeed) data[used++] = lineFeed;
    ends.push(used);
  };
  for (let at = 0; at < body.length; ) {
    if (isBlank(body[at])) {
      at++;
      continue;
    }
    const counted = countAt(body, at);
    if (counted !== null && counted.to <= body.length) {
      if (counted.to > counted.from) add(counted.from, counted.to);
      at = counted.to;
      continue;
    }
    // No count, or one that reaches over the end: text up to the end of its line.
    odd++;
    const from = counted?.from ?? at;
    const end = body.indexOf(lineFeed, from);
    at = end < 0 ? body.length : end + 1;
    add(from, at);
  }
  const mismatch = announced !== null && announced !== ends.length ? 1 : 0;
  const batch: Batch = {
    envelope: 'logplex',
    data: data.subarray(0, used),
    frames: Int32Array.from(ends),
    records: ends.length,
    counts: { logplex_count_mismatch: mismatch, logplex_uncounted: odd },
  };
  return { batch, lost: lostIn(body) };
}

function countAt(body: Buffer, at: number): { readonly from: number; readonly to: number } | null {
  let length = 0;
  let digits = 0;
  for (; digits < digitsMax; digits++) {
    const digit = (body[at + digits] ?? 0) - 0x30;
    if (digit < 0 || digit > 9) break;
    length = length * 10 + digit;
  }
  const from = at + digits + 1;
  if (digits === 0 || body[from - 1] !== space || body[from] !== 0x3c) return null;
  return { from, to: from + length };
}

function isBlank(byte: number | undefined): boolean {
  return byte === lineFeed || byte === 0x0d || byte === 0 || byte === space;
}

function lostIn(body: Buffer): number {
  let lost = 0;
  let at = body.indexOf(lossWords);
  for (let turns = 0; at >= 0 && turns < lossesMax; turns++) {
    const text = body.toString('latin1', at + lossWords.length, at + lossWords.length + 80);
    lost += Number(/^:? (\d{1,9}) messages? dropped/.exec(text)?.[1] ?? 0);
    at = body.indexOf(lossWords, at + 1);
  }
  return lost;
}
