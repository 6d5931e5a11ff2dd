/**
 * Windows of rules with `count`, in their table: a match goes into its window, and the window is gone when it is full. All streams
 * share the window of a key. A stream that is far behind the newest of another one (a file that is read after it, a sender that was
 * cut off) is counted in a window of its own, as on its day: only what is too late within its own stream is late.
 */
import type { CountSpec } from '../model/rule.ts';
import type { Table } from '../model/store.ts';
import type { WindowDoc } from './docs.ts';
import { fieldText } from './keys.ts';
import type { Found } from './opening.ts';
import { addToWindow } from './windows.ts';

/** A window is forgotten when no record could fill it any more: twice its length after the last one, and what may come late. */
const forgetMs = 3_600_000;

/** Adds a match to its window. Returns how many matches the full window holds, 0 while it is not full, `late` when the match is too old for it. */
export function fillWindow(table: Table<WindowDoc>, found: Found): number | 'late' {
  const { rule, record, key } = found;
  if (!rule.count) return 1;
  const full = fill(table, key, rule.count, found);
  const newest = table.get(key)?.stream ?? record.stream.key;
  if (full !== 'late' || newest === record.stream.key) return full;
  return fill(table, `${key}\u0000${record.stream.key}`, rule.count, found);
}

function fill(
  table: Table<WindowDoc>,
  key: string,
  spec: CountSpec,
  { record, fields, now }: Found,
): number | 'late' {
  const doc = table.get(key) ?? { times: [], values: spec.distinct === null ? null : [] };
  const time = record.time ?? record.receivedAt;
  const value = spec.distinct === null ? '' : fieldText(fields, spec.distinct);
  const full = addToWindow(doc, spec, time, value);
  if (full === 'late') return full;
  if (doc.times.at(-1) === time) doc.stream = record.stream.key;
  if (full > 0) table.delete(key);
  else table.put(key, doc, now + spec.withinMs * 2 + forgetMs);
  return full;
}
