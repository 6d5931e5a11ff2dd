/** Stories: earlier records of the same thing, tied by `join`. They are shared across sources and forgotten after `within`. */
import type { Fields, LogRecord } from '../model/record.ts';
import type { Rule, StorySpec } from '../model/rule.ts';
import type { Table } from '../model/store.ts';
import type { StoryDoc } from './docs.ts';
import { fieldText, stateKey } from './keys.ts';

/** Stories kept at most, over all rules; the one that would be next is told about, not silently lost. */
export const storiesMax = 1_000_000;

/** The story a record belongs to, or null when it lacks every field of `join`. */
export function storyKey(rule: Rule, role: 'collect' | 'preceded_by', fields: Fields): string | null {
  const values = rule.join.map((name) => fieldText(fields, name));
  if (rule.join.length > 0 && values.every((value) => value === '')) return null;
  return stateKey(rule, [role, ...values]);
}

/** Adds a record to its story. Returns false when there is no room for one more story. */
export function addToStory(
  table: Table<StoryDoc>,
  key: string,
  spec: StorySpec,
  told: { readonly record: LogRecord; readonly fields: Fields; readonly now: number },
): boolean {
  const at = told.record.time ?? told.record.receivedAt;
  const facts = { ...told.fields, message: told.record.message, time: new Date(at).toISOString() };
  const known = table.get(key);
  if (!known && table.count() >= storiesMax) return false;
  const doc: StoryDoc =
    known && at - known.lastAt <= spec.withinMs ? known : { count: 0, first: facts, last: facts, lastAt: at };
  doc.count++;
  doc.last = facts;
  doc.lastAt = Math.max(doc.lastAt, at);
  table.put(key, doc, told.now + spec.withinMs);
  return true;
}

/** The story as fields see it: `collected.count`, `.first`, `.last`; a story that is too old counts as none. */
export function collected(doc: StoryDoc | undefined, spec: StorySpec, at: number): Fields {
  if (!doc || at - doc.lastAt > spec.withinMs) return { count: 0, first: null, last: null };
  return { count: doc.count, first: doc.first, last: doc.last };
}
