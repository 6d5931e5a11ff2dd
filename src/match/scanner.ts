/**
 * Finds the records of a block that some rule may want, without looking at the others. Whole stripes of bytes are searched
 * for literals or tested by automata; a stripe with colours, carriage returns, NUL or invalid UTF-8 is cleaned before it is
 * tested. It errs only by naming a record that no rule wants.
 */
import type { Automata, BlockTest } from './block-test.ts';
import { cleanText } from './clean.ts';
import type { CompiledRules } from './compile.ts';
import type { LiteralScan } from './literal-scan.ts';

/** A stripe is tested whole. Small enough that halving after a hit costs little, large enough to hide the call. */
const stripeBytes = 16 * 1024;
/** Where a search gives the place, a stripe need not be halved and may be larger. */
const finderStripeBytes = 64 * 1024;
/** A stripe of so few records is not tested: each record is. */
const fewRecords = 2;

/** A false alarm of a literal costs as much as an automaton takes for so many bytes. */
const falseAlarmBytes = 2048;
/** False alarms are borne for so many bytes; then automata are asked for so many before literals are tried again. */
const patienceBytes = 1024 * 1024;
const banishedBytes = 32 * 1024 * 1024;

export interface ScanCounts {
  slowBlocks: number;
  /** Records in a block with invalid UTF-8. */
  invalidBlocks: number;
}

/** What is remembered of a stream between blocks. */
export interface ScanState {
  /** Hits are dense: testing whole stripes is wasted work. */
  dense: boolean;
  /** Bytes that literals have won or, below zero, that automata are still to be asked for. */
  credit: number;
}

export const freshScan = (): ScanState => ({ dense: false, credit: patienceBytes });

/** Records of one block. */
export interface Block {
  readonly data: Buffer;
  /** Offsets of `count` records and, behind them, the end of the last. */
  readonly starts: Int32Array;
  readonly count: number;
  /** Where the text of the first byte's line begins (after a byte order mark). */
  readonly textStart: number;
  /** Whether bytes are text already: nothing that `cleanText` would change. */
  readonly isText: (from: number, to: number) => boolean;
}

/** Calls `candidate` for each record that may match, in order; it tells whether a rule wanted it. */
export function scanRecords(
  rules: CompiledRules,
  block: Block,
  state: ScanState,
  counts: ScanCounts,
  candidate: (record: number, clean: boolean) => boolean,
): void {
  const { starts, count } = block;
  let from = 0;
  while (from < count) {
    const literals = state.credit > 0 ? rules.test.literals : null;
    const target = literals || rules.test.whole.finder ? finderStripeBytes : stripeBytes;
    const begin = beginOf(block, from);
    let to = from + 1;
    while (to < count && (starts[to + 1] ?? 0) - begin <= target) to++;
    const end = starts[to] ?? 0;
    const clean = block.isText(begin, end);
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
      if (!clean) halve(rules.test, block, from, to, true, counted);
      else if (literals) byLiterals(literals, rules.test.rest, block, from, to, counted);
      else byAutomata(rules.test.whole, block, from, to, counted);
      if (literals) judge(state, end - begin, hits - wanted);
      else {
        state.credit = Math.min(state.credit + end - begin, 0) || patienceBytes;
        rules.test.whole.judge(hits, wanted);
      }
      state.dense = wanted * 3 > to - from && to - from > fewRecords;
    }
    from = to;
  }
}

/** False alarms use up what quiet bytes won. */
function judge(state: ScanState, bytes: number, falseAlarms: number): void {
  state.credit = Math.min(patienceBytes, state.credit + bytes) - falseAlarms * falseAlarmBytes;
  if (state.credit <= 0) state.credit = -banishedBytes;
}

function beginOf(block: Block, record: number): number {
  return Math.max(block.starts[record] ?? 0, block.textStart);
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

function byAutomata(
  automata: Automata,
  block: Block,
  from: number,
  to: number,
  candidate: (record: number) => void,
): void {
  const { finder } = automata;
  if (!finder) {
    halve(automata, block, from, to, false, candidate);
    return;
  }
  const { data } = block;
  search(block, from, to, candidate, (begin, end) => {
    const at = finder.find(begin === 0 && end === data.length ? data : data.subarray(begin, end));
    return at < 0 ? -1 : begin + at;
  });
}

function byLiterals(
  literals: LiteralScan,
  rest: Automata | null,
  block: Block,
  from: number,
  to: number,
  candidate: (record: number) => void,
): void {
  if (rest === null) {
    byHits(literals, block, from, to, candidate);
    return;
  }
  const found = new Set<number>();
  const note = (record: number): void => {
    found.add(record);
  };
  byAutomata(rest, block, from, to, note);
  byHits(literals, block, from, to, note);
  for (const record of [...found].sort((a, b) => a - b)) candidate(record);
}

/** Records that hold a literal. One that reaches over the border of two records is no match: whichever of them is looked at, it costs only time. */
function byHits(
  literals: LiteralScan,
  block: Block,
  from: number,
  to: number,
  candidate: (record: number) => void,
): void {
  const { starts, data } = block;
  const count = literals.search(data, beginOf(block, from), starts[to] ?? 0);
  if (count < 0) {
    for (let record = from; record < to; record++) candidate(record);
    return;
  }
  const { hits } = literals;
  let record = from;
  for (let hit = 0; hit < count; hit++) {
    const at = hits[hit] as number;
    if (at < (starts[record] ?? 0)) continue;
    while (record + 1 < to && (starts[record + 1] ?? 0) <= at) record++;
    candidate(record++);
    if (record === to) return;
  }
}

/** `find` tells where between two places something matches, or -1. */
function search(
  block: Block,
  from: number,
  to: number,
  candidate: (record: number) => void,
  find: (begin: number, end: number) => number,
): void {
  const { starts } = block;
  const end = starts[to] ?? 0;
  let record = from;
  let hits = 0;
  while (record < to) {
    const at = find(beginOf(block, record), end);
    if (at < 0) return;
    // A match may begin in one record and end in another: the record that holds its beginning is looked at, and the
    // search goes on at the next one, so that nothing that begins later is passed over.
    while (record + 1 < to && (starts[record + 1] ?? 0) <= at) record++;
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
  test: Pick<BlockTest, 'test'>,
  block: Block,
  from: number,
  to: number,
  slow: boolean,
  candidate: (record: number) => void,
): void {
  const begin = beginOf(block, from);
  const end = block.starts[to] ?? 0;
  const bytes = slow ? Buffer.from(cleanText(block.data, begin, end)) : block.data.subarray(begin, end);
  if (!test.test(bytes)) return;
  if (to - from === 1) {
    candidate(from);
    return;
  }
  const middle = (from + to) >> 1;
  halve(test, block, from, middle, slow, candidate);
  halve(test, block, middle, to, slow, candidate);
}
