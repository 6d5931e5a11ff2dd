/**
 * Counting in a sliding window of event time. Pure functions on a document: they take the time of a record and say whether
 * the window is full. Records may come late and out of order, up to `lateMs`; what is later still does not count.
 */
import type { CountSpec } from '../model/rule.ts';
import type { WindowDoc } from './docs.ts';

/** How late a record may come and still find its place in a window. */
export const lateMs = 3_600_000;
/** Entries kept of one window, unless it wants more to be full. */
const windowEntriesMax = 10_000;

/**
 * Adds a record's time (ms) and, for `distinct`, its value. Returns how many entries the full window holds, or 0 while it is
 * not full; `late` when the record is too old to count. Changes `doc`.
 */
export function addToWindow(doc: WindowDoc, spec: CountSpec, time: number, value: string): number | 'late' {
  const newest = doc.times.at(-1) ?? time;
  if (time < newest - lateMs - spec.withinMs) return 'late';
  if (doc.values) dropValue(doc, value, time);
  const at = upperBound(doc.times, time);
  doc.times.splice(at, 0, time);
  doc.values?.splice(at, 0, value);
  prune(doc, spec, Math.max(newest, time));
  return fullAround(doc.times, spec, time);
}

/** Of one distinct value only the newest time counts. */
function dropValue(doc: WindowDoc, value: string, time: number): void {
  const known = doc.values?.indexOf(value) ?? -1;
  if (known < 0 || (doc.times[known] ?? 0) > time) return;
  doc.times.splice(known, 1);
  doc.values?.splice(known, 1);
}

function prune(doc: WindowDoc, spec: CountSpec, newest: number): void {
  let drop = 0;
  while (drop < doc.times.length && (doc.times[drop] ?? 0) < newest - lateMs - spec.withinMs) drop++;
  // Without `distinct` a run of more than `atLeast` entries says nothing that its newest ones do not say.
  drop = Math.max(drop, doc.times.length - Math.max(windowEntriesMax, spec.atLeast));
  if (drop <= 0) return;
  doc.times.splice(0, drop);
  doc.values?.splice(0, drop);
}

/** Whether `atLeast` entries that include `time` lie within the window; returns how many do. */
function fullAround(times: readonly number[], spec: CountSpec, time: number): number {
  const last = upperBound(times, time + spec.withinMs);
  for (let end = upperBound(times, time); end <= last; end++) {
    const newest = times[end - 1] ?? time;
    const begin = upperBound(times, newest - spec.withinMs);
    if (end - begin >= spec.atLeast) return end - begin;
  }
  return 0;
}

/** Index behind the last entry that is not above `time`. */
function upperBound(times: readonly number[], time: number): number {
  let low = 0;
  let high = times.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((times[middle] ?? 0) <= time) low = middle + 1;
    else high = middle;
  }
  return low;
}
