/**
 * A rule's mapping to a Rule: the one maker of rules, so every Rule in memory is a valid one. Reads the keys by the
 * schema, fills in what was left out, and looks across keys: fields that no pattern gives, stories that nothing ties
 * together. Does not know channels, sources or other rules; whoever puts the configuration together checks those.
 */
import { type ConditionValues, conditionsOf, lookingKeys, looksForSomething } from '../config/conditions.ts';
import { entryOf, originOf, type YamlMap, type YamlNode } from '../config/nodes.ts';
import { writesOneOf } from '../config/objects.ts';
import type { Reading } from '../config/reading.ts';
import {
  collectWithinDefault,
  laterResolveKeys,
  type RuleValues,
  resolveKeys,
  ruleKeys,
  ruleShape,
  type TestValues,
} from '../config/rule-schema.ts';
import type {
  Conditions,
  FieldTest,
  LateSpec,
  ResolveSpec,
  Rule,
  RuleTest,
  SeverityCase,
  StorySpec,
} from '../model/rule.ts';
import { countingHash } from './counting-hash.ts';
import { checkFields } from './known-fields.ts';

/** After 5 minutes, 1 hour, 4 hours, then daily. */
const remindDefault: readonly number[] = [300_000, 3_600_000, 14_400_000, 86_400_000];
const limitDefault = { count: 5, perMs: 60_000 };
const contextDefault = { before: 5, after: 0 };

/** The Rule, or null where any error was reported. Warnings alone don't break it. */
export function parseRule(mapping: YamlMap, reading: Reading): Rule | null {
  const errorsBefore = reading.errors;
  const values = ruleShape.read(mapping, reading);
  if (values === undefined) return null;
  checkLooks(mapping, reading);
  const by = byOf(values);
  const join = joinOf(mapping, values, by, reading);
  checkFields(mapping, values, { by, join }, reading);
  if (!entryOf(mapping, 'tests') || values.tests?.length === 0) {
    reading.warn(
      'W_NO_TESTS',
      idNode(mapping),
      `the rule "${values.id ?? ''}" has no tests`,
      'add `tests:` with lines that must ring and lines that must not',
    );
  }
  if (reading.errors > errorsBefore || values.id === undefined) return null;
  return build(mapping, values.id, values, by, join);
}

function idNode(mapping: YamlMap): YamlNode {
  return entryOf(mapping, 'id')?.value ?? mapping;
}

function build(
  mapping: YamlMap,
  id: string,
  values: RuleValues,
  by: readonly string[] | null,
  join: readonly string[],
): Rule {
  const { conditions, whereStory } = splitStory(conditionsOf(values), values.fields);
  const { collect, preceded_by: preceded } = values;
  const counting = {
    conditions,
    whereStory,
    fields: [...(values.fields ?? [])].map(([name, { value }]) => ({ name, template: value.value })),
    collect: collect
      ? storyOf(collect, {
          withinMs: collect.within ?? collectWithinDefault,
          atLeast: 1,
          until: collect.until,
          late: lateOf(collect),
        })
      : null,
    precededBy: preceded
      ? storyOf(preceded, {
          withinMs: preceded.within ?? 0,
          atLeast: preceded.at_least ?? 1,
          until: undefined,
          late: undefined,
        })
      : null,
    join,
    by,
    count: values.count
      ? {
          atLeast: values.count.at_least ?? 1,
          withinMs: values.count.within ?? 0,
          distinct: 'distinct' in values.count ? (values.count.distinct?.value ?? null) : null,
        }
      : null,
  };
  return {
    id,
    title: values.title?.value ?? null,
    description: values.description ?? null,
    message: values.message?.value ?? null,
    severity: severityOf(values),
    labels: Object.fromEntries([...(values.labels ?? [])].map(([name, { value }]) => [name, value])),
    owner: values.owner ?? null,
    runbook: values.runbook ?? null,
    links: (values.links ?? []).map((link) => ({
      title: link.title?.value ?? '',
      url: link.url?.value ?? '',
    })),
    ...counting,
    holdMs: values.hold ?? 0,
    remindMs: values.remind ?? remindDefault,
    resolve: resolveOf(values),
    limit: values.limit === undefined ? limitDefault : values.limit,
    context: { ...contextDefault, ...values.context },
    notify: (values.notify ?? []).map((channel) => channel.value),
    tests: (values.tests ?? []).map((test, index) => testOf(test, index)),
    countingHash: countingHash(counting),
    origin: originOf(idNode(mapping)),
  };
}

function checkLooks(mapping: YamlMap, reading: Reading): void {
  if (!writesOneOf(mapping, lookingKeys, Object.keys(ruleKeys))) {
    const hint = 'add `match:` with a pattern, `contains:` with a text, or `where:` with tests on fields';
    reading.error('E_MISSING_KEY', idNode(mapping), 'the rule says nothing to look for', hint);
  }
  const resolve = entryOf(mapping, 'resolve');
  const ends = [...lookingKeys, 'quiet', ...laterResolveKeys];
  if (resolve?.value.kind === 'map' && !writesOneOf(resolve.value, ends, resolveKeys)) {
    reading.error(
      'E_MISSING_KEY',
      resolve.keyNode,
      '`resolve` does not say what ends an incident',
      'write { quiet: 15m }, or { match: ... } for the record that ends it',
    );
  }
}

/** One incident for the whole rule where matches are counted; else the fingerprint tells problems apart. */
function byOf(values: RuleValues): readonly string[] | null {
  if (values.by) return values.by.map((field) => field.value);
  return values.count ? [] : null;
}

function joinOf(
  mapping: YamlMap,
  values: RuleValues,
  by: readonly string[] | null,
  reading: Reading,
): readonly string[] {
  const story = entryOf(mapping, 'collect') ?? entryOf(mapping, 'preceded_by');
  if (values.join) return values.join.map((field) => field.value);
  if (!story || entryOf(mapping, 'join')) return [];
  if (by !== null && by.length > 0) return by;
  reading.error(
    'E_JOIN',
    story.keyNode,
    `"${story.key}" needs to know what ties its records to the match: neither \`join\` nor \`by\` names a field`,
    'add `join: task_id`, a field that both patterns capture: (?<task_id>...)',
  );
  return [];
}

/** Tests on `collected.*`, and on computed fields that read it, wait until the story is known. */
function splitStory(
  conditions: Conditions,
  fields: RuleValues['fields'],
): { conditions: Conditions; whereStory: readonly FieldTest[] } {
  const waiting = new Set(['collected']);
  for (const [name, { value }] of fields ?? []) {
    if (value.variables.some((path) => waiting.has(headOf(path)))) waiting.add(name);
  }
  const waits = (test: FieldTest) => waiting.has(headOf(test.field));
  return {
    conditions: { ...conditions, where: conditions.where.filter((test) => !waits(test)) },
    whereStory: conditions.where.filter(waits),
  };
}

function headOf(path: string): string {
  return path.split('.')[0] ?? path;
}

function storyOf(
  values: ConditionValues,
  facts: {
    readonly withinMs: number;
    readonly atLeast: number;
    readonly until: ConditionValues | undefined;
    readonly late: LateSpec | undefined;
  },
): StorySpec {
  return {
    conditions: conditionsOf(values),
    withinMs: facts.withinMs,
    atLeast: facts.atLeast,
    until: facts.until ? conditionsOf(facts.until) : null,
    ...(facts.late ? { late: facts.late } : {}),
  };
}

/** Nothing waits for longer than a record is remembered. */
function lateOf({ late, within }: NonNullable<RuleValues['collect']>): LateSpec | undefined {
  if (late?.within === undefined) return undefined;
  return { withinMs: Math.min(late.within, within ?? collectWithinDefault), where: late.where ?? [] };
}

function resolveOf(values: RuleValues): ResolveSpec | null {
  const { resolve } = values;
  if (!resolve) return null;
  return { when: looksForSomething(resolve) ? conditionsOf(resolve) : null, quietMs: resolve.quiet ?? null };
}

/** The last case always has no tests, so that some case holds. */
function severityOf(values: RuleValues): readonly SeverityCase[] {
  const { severity } = values;
  if (severity === undefined) return [{ when: [], is: 'error' }];
  if (typeof severity === 'string') return [{ when: [], is: severity }];
  const cases = severity.map((one) => ({ when: one.when ?? [], is: one.is ?? 'error' }) as const);
  return cases.at(-1)?.when.length === 0 ? cases : [...cases, { when: [], is: 'error' }];
}

function testOf(test: TestValues, index: number): RuleTest {
  const { value, node } = test;
  const expect = value.expect ?? {};
  const fields =
    'fields' in expect && expect.fields
      ? Object.fromEntries([...expect.fields].map(([name, field]) => [name, field.value]))
      : null;
  return {
    name: value.name ?? `test ${index + 1}`,
    lines: value.lines ?? [],
    expect: {
      incidents: expect.incidents ?? null,
      matches: 'matches' in expect ? (expect.matches ?? null) : null,
      fields,
      severity: 'severity' in expect ? (expect.severity ?? null) : null,
      title: 'title' in expect ? (expect.title ?? null) : null,
    },
    at: value.at ?? null,
    origin: originOf(node),
  };
}
