/**
 * Puts the complete records of several lanes one behind the other, so that whole blocks of them are searched at once. Takes
 * the lanes' own bytes where there is only one.
 */
import type { Lane } from './lane.ts';

/** Records of one lane that are complete. */
export interface Batch {
  readonly lane: Lane;
  readonly from: number;
  readonly to: number;
}

export interface Gathered {
  readonly data: Buffer;
  readonly starts: Int32Array;
  readonly count: number;
  /** The lane of a record, and its number there. */
  of(record: number): readonly [Lane, number];
}

/** The records of all batches, one behind the other: whole blocks of them are searched at once. */
export function gather(batches: readonly Batch[]): Gathered {
  const [first] = batches;
  if (batches.length === 1 && first !== undefined) {
    const { lane, from, to } = first;
    return {
      data: lane.text.subarray(0, lane.recordAt[to]),
      starts: lane.recordAt.subarray(from, to + 1),
      count: to - from,
      of: (record) => [lane, from + record],
    };
  }
  let bytes = 0;
  let count = 0;
  for (const { lane, from, to } of batches) {
    bytes += (lane.recordAt[to] ?? 0) - (lane.recordAt[from] ?? 0);
    count += to - from;
  }
  const data = Buffer.allocUnsafe(bytes);
  const starts = new Int32Array(count + 1);
  const owners = new Int32Array(count);
  const firsts = new Int32Array(batches.length);
  let at = 0;
  let record = 0;
  for (const [index, { lane, from, to }] of batches.entries()) {
    const begin = lane.recordAt[from] ?? 0;
    const end = lane.recordAt[to] ?? 0;
    lane.text.copy(data, at, begin, end);
    firsts[index] = record - from;
    for (let own = from; own < to; own++) {
      owners[record] = index;
      starts[record++] = at + (lane.recordAt[own] ?? 0) - begin;
    }
    at += end - begin;
  }
  starts[record] = at;
  return {
    data,
    starts,
    count,
    of: (one) => {
      const index = owners[one] ?? 0;
      return [(batches[index] as Batch).lane, one - (firsts[index] ?? 0)];
    },
  };
}
