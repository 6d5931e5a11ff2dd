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
 * Calls `candidate` for each record that may match, in order; it tells whether a rule wanted it. `starts` holds the offsets of `count` records and, behind
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
  candidate: (record: number, clean: boolean) => boolean,
): void {
  let from = 0;
  while (from < count) {
    const finder = rules.test.finder;
    const target = finder ? finderStripeBytes : stripeBytes;
    const begin = Math.max(starts[from] ?? 0, textStart);
    let to = from + 1;
    while (to < count && (starts[to + 1] ?? 0) - begin <= target) to++;
    const stripe = data.subarray(begin, starts[to] ?? 0);
    const clean = isClean(stripe);
    if (!clean) counts.slowBlocks++;
    if (rules.every.length > 0 || state.dense) {
      state.dense = eachRecord(rules, from, to, clean, candidate);
    } else if (rules.tested) {
      let hits = 0;
      let wanted = 0;
      const counted = (record: number): void => {
        hits++;
        if (candidate(record, clean)) wanted++;
      };
      if (!clean) halve(rules, data, starts, from, to, textStart, true, counted);
      else if (finder) find(finder, data, starts, from, to, textStart, counted);
      else halve(rules, data, starts, from, to, textStart, false, counted);
      rules.test.judge(hits, wanted);
      state.dense = wanted * 3 > to - from && to - from > fewRecords;
    }
    from = to;
  }
}

/** Every record is a candidate; tells whether hits are still dense. */
function eachRecord(
  rules: CompiledRules,
  from: number,
  to: number,
  clean: boolean,
  candidate: (record: number, clean: boolean) => boolean,
): boolean {
  let wanted = 0;
  for (let record = from; record < to; record++) if (candidate(record, clean)) wanted++;
  return rules.every.length === 0 && wanted * 4 > to - from;
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
  if (!rules.test.test(block)) return;
  if (to - from === 1) {
    candidate(from);
    return;
  }
  const middle = (from + to) >> 1;
  halve(rules, data, starts, from, middle, textStart, slow, candidate);
  halve(rules, data, starts, middle, to, textStart, slow, candidate);
}
