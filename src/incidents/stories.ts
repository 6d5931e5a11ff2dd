/** Stories: earlier records of the same thing, tied by `join`. They are shared across sources and forgotten after `within`. */
import type { RuleHit } from '../model/match.ts';
import type { Fields, FieldValue, LogRecord } from '../model/record.ts';
import type { Rule, StorySpec } from '../model/rule.ts';
import type { Table } from '../model/store.ts';
import type { StoryDoc } from './docs.ts';
import { fieldText, stateKey } from './keys.ts';
import type { Templates } from './tell.ts';

/** Stories kept at most, over all rules; the one that would be next is told about, not silently lost. */
const storiesMax = 1_000_000;

/** The story a record belongs to, or null when it lacks every field of `join`. */
export function storyKey(rule: Rule, role: 'collect' | 'preceded_by', fields: Fields): string | null {
  const values = rule.join.map((name) => fieldText(fields, name));
  if (rule.join.length > 0 && values.every((value) => value === '')) return null;
  return stateKey(rule, [role, ...values]);
}

/** Adds a record to its story. Returns false when there is no room for one more story. */
function addToStory(
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
function collected(doc: StoryDoc | undefined, spec: StorySpec, at: number): Fields {
  if (!doc || at - doc.lastAt > spec.withinMs) return { count: 0, first: null, last: null };
  return { count: doc.count, first: doc.first, last: doc.last };
}

/** The stories of all rules, in their table. */
export class StoryBook {
  readonly #table: Table<StoryDoc>;

  constructor(table: Table<StoryDoc>) {
    this.#table = table;
  }

  /** The record that clears a story came. */
  forget(hit: RuleHit): void {
    const key = storyKey(hit.rule, 'collect', hit.fields);
    if (key !== null) this.#table.delete(key);
  }

  /** Forgets a story by its key. */
  drop(key: string): void {
    this.#table.delete(key);
  }

  /** Adds an earlier record to its story. False when there was no room for it. */
  remember({ rule, role, fields }: RuleHit, record: LogRecord, now: number): boolean {
    if (role !== 'collect' && role !== 'preceded_by') return true;
    const spec = role === 'collect' ? rule.collect : rule.precededBy;
    const key = storyKey(rule, role, fields);
    if (!spec || key === null) return true;
    return addToStory(this.#table, key, spec, { record, fields, now });
  }

  /** Whether what must have come before a match did. */
  preceded({ rule, fields }: RuleHit, record: LogRecord): boolean {
    if (!rule.precededBy) return true;
    const before = this.#collected(storyKey(rule, 'preceded_by', fields), rule.precededBy, record);
    return Number(before['count']) >= rule.precededBy.atLeast;
  }

  /** Whether no earlier record of this story is known. */
  isEmpty(key: string, spec: StorySpec, record: LogRecord): boolean {
    return this.#collected(key, spec, record)['count'] === 0;
  }

  #collected(key: string | null, spec: StorySpec, record: LogRecord): Fields {
    const doc = key === null ? undefined : this.#table.get(key);
    return collected(doc, spec, record.time ?? record.receivedAt);
  }

  /** Fields of a match with its story in them and the computed ones that wanted it. Ends the story. */
  fields(hit: RuleHit, record: LogRecord, templates: Templates): Fields {
    const { rule } = hit;
    if (!rule.collect) return hit.fields;
    const key = storyKey(rule, 'collect', hit.fields);
    const story = this.#collected(key, rule.collect, record);
    // The match is the end of its story: the same id may be sent again, and begins a new one.
    if (key !== null) this.#table.delete(key);
    const fields: Record<string, FieldValue> = { ...hit.fields, collected: story as FieldValue };
    const scope: Record<string, unknown> = {
      ...fields,
      message: record.message,
      trace: record.trace ?? '',
      level: record.level ?? '',
      source: record.stream.source,
    };
    for (const { name, template } of rule.fields) {
      fields[name] = templates.render(template, scope).trim();
      scope[name] = fields[name];
    }
    return fields;
  }
}
