/**
 * Which fields a rule's records can have, as far as its text tells: named groups, computed fields, what formats find.
 * Warns of a `by`, `join`, `distinct` or template variable that none of them gives: a slip of the pen makes one
 * incident of everything. Warnings only, since a format may know more.
 */
import { groupsOf } from '../config/conditions.ts';
import { nearest } from '../config/nearest.ts';
import { entryOf, type YamlMap, type YamlNode } from '../config/nodes.ts';
import type { Reading } from '../config/reading.ts';
import type { RuleValues } from '../config/rule-schema.ts';

/** What formats and sources give to every record. */
const recordFields: ReadonlySet<string> = new Set([
  'time',
  'level',
  'process',
  'exception',
  'logger',
  'stream',
  'prefix',
  'pri',
  'facility',
  'severity',
  'version',
  'timestamp',
  'hostname',
  'appname',
  'procid',
  'msgid',
  'structured_data',
  'remote',
  'user',
  'method',
  'status',
  'bytes',
  'agent',
  'referer',
  'duration_ms',
  'request_id',
  'pid',
  'unit',
  'identifier',
  'pod',
  'namespace',
  'container',
  'container_id',
  'message',
  'trace',
  'raw',
  'source',
  'host',
  'path',
  'labels',
]);
/** What a template sees besides fields. */
const storyWords: ReadonlySet<string> = new Set(['collected']);
const templateWords: ReadonlySet<string> = new Set([
  'rule',
  'severity',
  'state',
  'count',
  'new_count',
  'collected',
]);

/** Reports W_UNKNOWN_FIELD at each place that names a field which nothing gives. */
export function checkFields(
  mapping: YamlMap,
  values: RuleValues,
  keys: { readonly by: readonly string[] | null; readonly join: readonly string[] },
  reading: Reading,
): void {
  const own = new Set([...groupsOf(values), ...(values.where ?? []).map((test) => test.field)]);
  for (const name of values.fields?.keys() ?? []) own.add(name);
  const known = [own, recordFields];
  const check = (
    field: string,
    node: YamlNode,
    among: readonly ReadonlySet<string>[],
    what: string,
  ): void => {
    const head = field.split(/[.[]/)[0] ?? field;
    if (among.some((names) => names.has(field) || names.has(head))) return;
    const near = nearest(
      head,
      among.flatMap((names) => [...names]),
    );
    const give = `capture it with (?<${head}>...), or compute it under \`fields:\`; where JSON lines bring it, say so: \`where: { ${field}: { exists: true } }\``;
    const hint = near === null ? give : `did you mean "${near}"? Else ${give}`;
    reading.warn('W_UNKNOWN_FIELD', node, `${what} "${field}", which no pattern or format gives`, hint);
  };
  const withStory = [...known, storyWords];
  for (const field of values.by ?? []) check(field.value, field.node, withStory, '`by` names the field');
  for (const field of values.join ?? []) check(field.value, field.node, known, '`join` names the field');
  const { count } = values;
  if (count && 'distinct' in count && count.distinct) {
    check(count.distinct.value, count.distinct.node, known, '`distinct` names the field');
  }
  checkStoryGroups(mapping, values, keys.join, reading);
  const words = [...known, templateWords];
  for (const [name, template] of templatesOf(values)) {
    for (const variable of template.variables) check(variable, template.node, words, `the ${name} reads`);
  }
}

type Template = { readonly node: YamlNode; readonly variables: readonly string[] };

function templatesOf(values: RuleValues): readonly (readonly [string, Template])[] {
  const templates: [string, Template][] = [];
  if (values.title) templates.push(['title', values.title]);
  if (values.message) templates.push(['message', values.message]);
  for (const link of values.links ?? []) {
    if (link.title) templates.push(['title of a link', link.title]);
    if (link.url) templates.push(['link', link.url]);
  }
  for (const [name, { value }] of values.fields ?? []) templates.push([`template of ${name}`, value]);
  return templates;
}

/** Both sides of a story must have the joining fields; a record without them belongs to no story. */
function checkStoryGroups(
  mapping: YamlMap,
  values: RuleValues,
  join: readonly string[],
  reading: Reading,
): void {
  for (const name of ['collect', 'preceded_by'] as const) {
    const story = values[name];
    const entry = entryOf(mapping, name);
    if (!story || !entry) continue;
    const has = new Set([
      ...groupsOf(story),
      ...(story.where ?? []).map((test) => test.field),
      ...recordFields,
    ]);
    for (const field of values.fields?.keys() ?? []) has.add(field);
    for (const field of join) {
      if (has.has(field.split('.')[0] ?? field)) continue;
      const message = `the records of \`${name}\` are tied to the match by "${field}", which the pattern of \`${name}\` does not give`;
      reading.warn('W_UNKNOWN_FIELD', entry.keyNode, message, `capture it there too: (?<${field}>...)`);
    }
  }
}
