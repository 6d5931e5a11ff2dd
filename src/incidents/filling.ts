/** Windows of rules with `count`, in their table: a match goes into its window, and the window is gone when it is full. */
import type { Table } from '../model/store.ts';
import type { WindowDoc } from './docs.ts';
import { fieldText } from './keys.ts';
import type { Found } from './opening.ts';
import { addToWindow } from './windows.ts';

/** A window is forgotten when no record could fill it any more: twice its length after the last one, and what may come late. */
const forgetMs = 3_600_000;

/** Adds a match to its window. Returns how many matches the full window holds, 0 while it is not full, `late` when the match is too old for it. */
export function fillWindow(table: Table<WindowDoc>, found: Found): number | 'late' {
  const { rule, record, fields, key, now } = found;
  if (!rule.count) return 1;
  const { distinct } = rule.count;
  const doc = table.get(key) ?? { times: [], values: distinct === null ? null : [] };
  const value = distinct === null ? '' : fieldText(fields, distinct);
  const full = addToWindow(doc, rule.count, record.time ?? record.receivedAt, value);
  if (full === 'late') return full;
  if (full > 0) table.delete(key);
  else table.put(key, doc, now + rule.count.withinMs * 2 + forgetMs);
  return full;
}
