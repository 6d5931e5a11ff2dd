/**
 * The keys of a rule, with their forms: section by section what to look for, how many or how long, who is told, what it
 * looks like, and the rule's own tests. Reads a mapping to checked values; `rules/parse-rule.ts` makes the Rule of them.
 */

import type { FieldValue } from '../model/record.ts';
import { severities } from '../model/rule.ts';
import { conditionKeys, conditionsShape } from './conditions.ts';
import { fieldKey, fieldTests } from './field-tests.ts';
import { quoteShort } from './nodes.ts';
import { type Keys, key, object, type ReadKeys, required } from './objects.ts';
import { duration, integer, name, oneOf, rate, text } from './scalars.ts';
import { forms, list, located, map, oneOrMany, record, type Shape, word } from './shape.ts';
import { template } from './texts.ts';

/** Keys of the language that later versions have. To take them silently would be a lie. */
export const laterRuleKeys = [
  'search',
  'absent',
  'spike',
  'ratio',
  'new',
  'change',
  'aggregate',
  'not_followed_by',
  'steps',
  'active',
  'mute',
  'muted_by',
  'trial',
  'keep',
  'fingerprint',
] as const;

/** Ids are part of metrics, silences and ids of messages. */
const idShape = name(
  'the id of a rule',
  /^[A-Za-z0-9][A-Za-z0-9_./-]{0,127}$/,
  'letters, digits, - _ . and /, at most 128 of them, such as celery-task-failed',
);
const fieldName = name('the name of a field', fieldKey.pattern, fieldKey.expects);
export const labelKey = {
  expects: 'the name of a label: letters, digits, _ . -',
  pattern: /^[A-Za-z_][\w.-]{0,63}$/,
};
export const channelName = name(
  'the name of a channel',
  /^[A-Za-z0-9][\w.-]{0,63}$/,
  'letters, digits, - _ and .',
);
const severityName = oneOf(severities);

export const labels = record(labelKey, text({ expects: 'a text', max: 1024, allowEmpty: true }), {
  expects: 'a map of labels, such as { team: data }',
  max: 64,
});

const severityForm = forms('a severity, or a list of { when, is }', {
  scalar: severityName,
  list: list(
    object(
      {
        when: key(fieldTests, 'Tests on fields; without them the case always holds.'),
        is: required(severityName, 'The severity then.'),
      },
      { what: 'a case of severity' },
    ),
    { min: 1, max: 50 },
  ),
});

const linkShape = object(
  {
    title: required(template('a text (Liquid template)'), 'What the link says.'),
    url: required(template('a URL (Liquid template)'), 'Where it goes.'),
  },
  { what: 'a link' },
);

const countShape = forms('a rate such as 5 in 10m, or a map with at_least and within', {
  scalar: map(rate(), ({ count, perMs }) => ({ at_least: count, within: perMs })),
  map: object(
    {
      at_least: required(integer(1, 1_000_000), 'How many.'),
      within: required(duration(), 'In how long.'),
      distinct: key(located(fieldName), 'Count distinct values of this field.'),
    },
    { what: 'a count' },
  ),
});

/** How long a story is remembered where the rule doesn't say: longer than the back-off of most retries. */
export const collectWithinDefault = 86_400_000;

/** A longer wait is no matter of the order in which processes write, and would only make alerts late. */
export const lateMax = 60_000;
const lateTime = map(duration(), (value, node, reading) =>
  value <= lateMax
    ? value
    : reading.error(
        'E_DURATION',
        node,
        'nothing may wait for longer than 1m here',
        'write 1s, or a little more',
      ),
);
const lateForm = forms('a duration such as 1s, or { within, where }', {
  scalar: map(lateTime, (within) => ({ within, where: undefined })),
  map: object(
    {
      within: required(lateTime, 'How long to wait, at most 1m.'),
      where: key(fieldTests, 'Tests on the fields of the match; without them every match may wait.'),
    },
    { what: 'late' },
  ),
});

const collectShape = conditionsShape('collect', {
  within: key(duration(), 'How long an earlier record is remembered; 24h by default.'),
  until: key(conditionsShape('until', {}), 'What clears the story.'),
  late: key(
    lateForm,
    'A match without any earlier record waits so long for ones that were written late: 1s, or { within, where }.',
  ),
});
const precededShape = map(
  conditionsShape('preceded_by', {
    within: key(duration(), 'How long before.'),
    at_least: key(integer(1, 1_000_000), 'How many must have come; 1 by default.'),
  }),
  (value, node, reading) =>
    (value as { within?: number }).within !== undefined
      ? value
      : node.kind === 'map' && node.entries.some((entry) => entry.key === 'within')
        ? undefined
        : reading.error(
            'E_MISSING_KEY',
            node,
            'preceded_by needs the key "within"',
            'say how long before: { match: ..., within: 10m }',
          ),
);

const resolveForm = {
  ...conditionKeys,
  quiet: key(duration(), 'Resolved after so long without a match.'),
};
/** Keys of `resolve` that later versions have. */
export const laterResolveKeys = ['below'] as const;
const resolveShape = object(resolveForm, { what: 'resolve', later: laterResolveKeys });
export const resolveKeys: readonly string[] = Object.keys(resolveForm);

const remindForm = word('never', [] as number[], oneOrMany(duration(), { min: 1 }));

const contextShape = object(
  {
    before: key(integer(0, 100), 'Lines before the record; 5 by default.'),
    after: key(integer(0, 100), 'Lines after the record; none by default.'),
  },
  { what: 'context' },
);

const anyText: Shape<FieldValue> = map(
  text({ expects: 'a text', environment: 'as-written', allowEmpty: true }),
  (value): FieldValue => value,
);
const expectShape = forms('none, a number of incidents, or a map such as { incidents: 1 }', {
  scalar: map(text({ expects: 'none or a number of incidents' }), (value, node, reading) => {
    if (value === 'none') return { incidents: 0 };
    if (/^\d{1,6}$/.test(value)) return { incidents: Number(value) };
    return reading.error(
      'E_VALUE',
      node,
      `expected none or a number of incidents, found ${quoteShort(value)}`,
      'write `expect: none`, `expect: 1`, or a map such as { incidents: 1, fields: { task: mail.send } }',
    );
  }),
  map: object(
    {
      incidents: key(integer(0, 1_000_000), 'How many incidents.'),
      matches: key(integer(0, 1_000_000), 'How many matches.'),
      fields: key(
        record(
          fieldKey,
          forms('a text or a list', {
            scalar: anyText,
            list: map(list(anyText), (value): FieldValue => value),
          }),
          { expects: 'a map of fields and their values' },
        ),
        'Fields of the last match.',
      ),
      severity: key(severityName, 'Severity of the last match.'),
      title: key(text({ environment: 'as-written' }), 'Title of the last incident.'),
    },
    { what: 'expect' },
  ),
});

/** Lines of one test. A block of text loses the line break at its end; a list is one line each. */
const testLines = forms('a block of lines, or a list of them', {
  scalar: map(text({ expects: 'lines', environment: 'as-written', max: 128 * 1024 }), (value) =>
    value.replace(/\n$/, '').split('\n'),
  ),
  list: map(list(text({ environment: 'as-written', allowEmpty: true }), { min: 1, max: 10_000 }), (lines) =>
    lines.flatMap((line) => line.replace(/\n$/, '').split('\n')),
  ),
});

const timeShape = map(text({ expects: 'a time such as 2026-01-05T10:00:00Z' }), (value, node, reading) => {
  const ms = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/.test(value)
    ? Date.parse(value)
    : Number.NaN;
  if (!Number.isNaN(ms)) return ms;
  return reading.error(
    'E_VALUE',
    node,
    `expected a time such as 2026-01-05T10:00:00Z, found ${quoteShort(value)}`,
    'write date, T, time and zone',
  );
});

const testShape = located(
  object(
    {
      name: key(text({ max: 200 }), 'What the test shows.'),
      lines: required(testLines, 'Lines of the log, as they come.'),
      expect: required(
        expectShape,
        'none, a number of incidents, or { incidents, matches, fields, severity, title }.',
      ),
      at: key(timeShape, 'When the first line arrives, for lines without a stamp.'),
    },
    { what: 'a test' },
  ),
);

/** Every key of a rule. */
export const ruleKeys = {
  id: required(idShape, 'Identity of the rule: its state, silences, metrics and tests hang on it.'),
  title: key(
    template('a title (Liquid template)'),
    'What the message is headed with; default: the id and the first line of the message.',
  ),
  description: key(text({ max: 4096 }), 'What the rule is for.'),
  message: key(
    template('a text (Liquid template)', 16 * 1024),
    'The text of the message; default: the message of the record.',
  ),
  severity: key(severityForm, 'info, warning, error (default) or critical; or a list of { when, is }.'),
  labels: key(labels, 'Labels in every message of the rule.'),
  owner: key(text({ max: 200 }), 'Who looks after it.'),
  runbook: key(text({ max: 16 * 1024 }), 'What to do: a URL, or Markdown.'),
  links: key(list(linkShape, { max: 20 }), 'Links in the message.'),
  ...conditionKeys,
  fields: key(
    record(fieldKey, template('a template (Liquid)'), { expects: 'a map of fields and their templates' }),
    'Computed fields: name -> template.',
  ),
  collect: key(collectShape, 'Earlier records of the same story, if any.'),
  preceded_by: key(precededShape, 'Records that must have come before.'),
  join: key(
    oneOrMany(located(fieldName), { min: 1 }),
    'Fields that tie the records of one story together; default: by.',
  ),
  by: key(
    oneOrMany(located(fieldName)),
    'One incident per value of these; [] is one for the whole rule. Default: the fingerprint.',
  ),
  count: key(countShape, 'How many in how long: 5 in 10m, or { at_least, within, distinct }.'),
  hold: key(duration('zero'), 'Wait before the first message.'),
  remind: key(remindForm, 'When to tell what came since; default [5m, 1h, 4h, 24h], or never.'),
  resolve: key(resolveShape, 'What ends an incident: { match: ... } and/or { quiet: 15m }.'),
  limit: key(
    word('none', null, rate()),
    'How many new incidents may speak for themselves; default 5 in 1m, or none.',
  ),
  context: key(contextShape, 'Lines around the record in the message.'),
  notify: key(oneOrMany(located(channelName)), 'Channels told besides what the routes say.'),
  tests: key(
    list(testShape, { max: 500 }),
    'Tests of the rule, run by `test`, by `check` and before each reload.',
  ),
} satisfies Keys;

export type RuleValues = ReadKeys<typeof ruleKeys>;
export type TestValues = NonNullable<RuleValues['tests']>[number];

/** A rule. */
export const ruleShape = object(ruleKeys, { what: 'a rule', later: laterRuleKeys });

const { id: _id, tests: _tests, ...defaultKeys } = ruleKeys;
/** `defaults:` of the main file or of a rules file: any key of a rule but its identity and its tests. */
export const defaultsShape = object(defaultKeys, { what: 'defaults', later: laterRuleKeys });
/** `override:` of a pack's rule: any key but its identity. */
const { id: _again, ...overrideKeys } = ruleKeys;
export const overridable: readonly string[] = Object.keys(overrideKeys);
export const overrideShape = object(overrideKeys, { what: 'an override', later: laterRuleKeys });
