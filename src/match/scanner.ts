/**
 * Finds the records of a block that some rule may want, without looking at the others. Whole stripes of bytes are tested;
 * a stripe with colours, carriage returns, NUL or invalid UTF-8 is cleaned before it is tested. It errs only by naming a
 * record that no rule wants.
 */
import { cleanText, isClean } from './clean.ts';
import type { CompiledRules } from './compile.ts';

/** A stripe is tested whole. Small enough that halving after a hit costs little, large enough to hide the call. */
const stripeBytes = 16 * 1024;
/** Where an alternation gives the place, a stripe need not be halved and may be larger. */
const finderStripeBytes = 64 * 1024;
/** A stripe of so few records is not tested: each record is. */
const fewRecords = 2;

export interface ScanCounts {
  slowBlocks: number;
  /** Records in a block with invalid UTF-8. */
  invalidBlocks: number;
}

/** Remembers between blocks whether hits are dense: then testing whole stripes is wasted work. */
export interface ScanState {
  dense: boolean;
}

/**
 * Calls `candidate` for each record that may match, in order. `starts` holds the offsets of `count` records and, behind
 * them, the end of the last. `textStart` is where the text of the first byte's line begins (after a byte order mark).
 */
export function scanRecords(
  rules: CompiledRules,
  data: Buffer,
  starts: Int32Array,
  count: number,
  textStart: number,
  state: ScanState,
  counts: ScanCounts,
  candidate: (record: number, clean: boolean) => void,
): void {
  const target = rules.finder ? finderStripeBytes : stripeBytes;
  let from = 0;
  while (from < count) {
    const begin = Math.max(starts[from] ?? 0, textStart);
    let to = from + 1;
    while (to < count && (starts[to + 1] ?? 0) - begin <= target) to++;
    const stripe = data.subarray(begin, starts[to] ?? 0);
    const clean = isClean(stripe);
    if (!clean) counts.slowBlocks++;
    if (rules.every.length > 0 || state.dense) {
      const hits = eachRecord(rules, data, starts, from, to, clean, candidate);
      state.dense = hits;
    } else if (rules.tested) {
      let hits = 0;
      const counted = (record: number): void => {
        hits++;
        candidate(record, clean);
      };
      if (!clean) halve(rules, data, starts, from, to, textStart, true, counted);
      else if (rules.finder) find(rules.finder, data, starts, from, to, textStart, counted);
      else halve(rules, data, starts, from, to, textStart, false, counted);
      state.dense = hits * 3 > to - from && to - from > fewRecords;
    }
    from = to;
  }
}

/** Every record is a candidate; tells whether hits are likely to stay dense (tested again now and then). */
function eachRecord(
  rules: CompiledRules,
  data: Buffer,
  starts: Int32Array,
  from: number,
  to: number,
  clean: boolean,
  candidate: (record: number, clean: boolean) => void,
): boolean {
  for (let record = from; record < to; record++) candidate(record, clean);
  if (rules.every.length > 0) return false;
  // Sample: still dense while the middle record's neighbourhood matches.
  const middle = (from + to) >> 1;
  return rules.shards.test(data.subarray(starts[middle] ?? 0, starts[Math.min(to, middle + 3)] ?? 0));
}

function find(
  finder: { find(block: Buffer): number },
  data: Buffer,
  starts: Int32Array,
  from: number,
  to: number,
  textStart: number,
  candidate: (record: number) => void,
): void {
  const end = starts[to] ?? 0;
  let record = from;
  let hits = 0;
  while (record < to) {
    const begin = Math.max(starts[record] ?? 0, textStart);
    const at = finder.find(begin === 0 && end === data.length ? data : data.subarray(begin, end));
    if (at < 0) return;
    // A match may begin in one record and end in another: the record that holds its beginning is looked at, and the
    // search goes on at the next one, so that nothing that begins later is passed over.
    while (record + 1 < to && (starts[record + 1] ?? 0) <= begin + at) record++;
    candidate(record++);
    hits++;
    if (hits > 16 && hits * 2 > record - from) {
      while (record < to) candidate(record++);
    }
  }
}

/**
 * Halves a range of records while it matches. Ranges are cut between records only, so a record that matches does so in
 * its half too; a hit in the whole but in neither half reaches over the border of two records and is none.
 */
function halve(
  rules: CompiledRules,
  data: Buffer,
  starts: Int32Array,
  from: number,
  to: number,
  textStart: number,
  slow: boolean,
  candidate: (record: number) => void,
): void {
  const begin = Math.max(starts[from] ?? 0, textStart);
  const end = starts[to] ?? 0;
  const block = slow ? Buffer.from(cleanText(data, begin, end)) : data.subarray(begin, end);
  if (!rules.shards.test(block)) return;
  if (to - from === 1) {
    candidate(from);
    return;
  }
  const middle = (from + to) >> 1;
  halve(rules, data, starts, from, middle, textStart, slow, candidate);
  halve(rules, data, starts, middle, to, textStart, slow, candidate);
}
