/**
 * The forms of "what to look for": patterns, literals, tests on fields, exclusions. The same words hold in a rule, in
 * `except`, `collect`, `preceded_by`, `resolve` and in routes. Patterns are compiled for checking only; what comes out is
 * plain data.
 */
import type { FieldValue } from '../model/record.ts';
import { levels } from '../model/record.ts';
import type {
  Conditions,
  FieldOperator,
  FieldTest,
  TextCondition,
  TextScope,
  TextTest,
} from '../model/rule.ts';
import { didYouMean } from './nearest.ts';
import { offsetInScalar, originOf, quoteShort, type YamlNode, type YamlScalar } from './nodes.ts';
import type { Reading } from './reading.ts';
import {
  flag,
  forms,
  type Keys,
  key,
  list,
  map,
  object,
  oneOf,
  oneOrMany,
  type ReadKeys,
  record,
  required,
  type Shape,
  text,
} from './shape.ts';

/** Longer patterns are no patterns but lists: `in_file` holds those. */
const patternMax = 16 * 1024;

/** A checked pattern or literal. */
export interface CheckedText extends TextTest {
  readonly groups: readonly string[];
}

/** An RE2 pattern as it was written: nothing is put into it. */
export function pattern(on: 'record' | 'field' = 'record'): Shape<CheckedText> {
  const shape = text({
    expects: 'a pattern (RE2)',
    max: patternMax,
    environment: 'as-written',
    allowEmpty: true,
    schema: { type: 'string', format: 'regex' },
  });
  return map(shape, (value, node, reading) => {
    if (node.kind !== 'scalar') return undefined;
    if (value === '') {
      return reading.error(
        'E_REGEX',
        node,
        'an empty pattern matches every record',
        'write what to look for',
      );
    }
    const checked = reading.deps.language.checkPattern(value);
    if (!checked.ok) {
      const said = { message: checked.message, hint: checked.hint };
      return reading.errorInside('E_REGEX', node, placeOfComplaint(node, value, checked.message), said);
    }
    if (checked.matchesEverything && on === 'record') {
      reading.warn(
        'W_MATCHES_ALL',
        node,
        `the pattern ${quoteShort(value)} matches every record`,
        'write what to look for, or test fields with `where`',
      );
    }
    return { kind: 'regex', text: value, origin: originOf(node), groups: checked.groups };
  });
}

/** RE2 ends its complaint with the part that it means: that part is found in the pattern, so the frame can point at it. */
function placeOfComplaint(node: YamlScalar, value: string, message: string): { start: number; end: number } {
  const parts = [/found "(.+)"/s, /`([^`]+)`/, /:\s(\S.*)$/s].map(
    (ending) => ending.exec(message)?.[1] ?? '',
  );
  for (const part of parts) {
    const index = part === '' ? -1 : value.indexOf(part);
    if (index >= 0)
      return { start: offsetInScalar(node, index), end: offsetInScalar(node, index + part.length) };
  }
  return { start: node.start, end: node.end };
}

/** A literal text, looked for as it is. */
export function literal(): Shape<CheckedText> {
  return map(
    text({ expects: 'a text to look for', max: patternMax, environment: 'as-written' }),
    (value, node) => ({
      kind: 'literal',
      text: value,
      origin: originOf(node),
      groups: [],
    }),
  );
}

/** A Liquid template, as it was written. */
export function template(
  expects: string,
  max = 8192,
): Shape<{ value: string; node: YamlScalar; variables: readonly string[] }> {
  return map(
    text({ expects, max, environment: 'as-written', schema: { type: 'string' } }),
    (value, node, reading) => {
      if (node.kind !== 'scalar') return undefined;
      const checked = reading.deps.language.checkTemplate(value);
      if (checked.ok) return { value, node, variables: checked.variables };
      const start = offsetInScalar(node, indexOfPlace(value, checked.line, checked.column));
      return reading.errorInside(
        'E_TEMPLATE',
        node,
        { start, end: start + 1 },
        { message: checked.message, hint: checked.hint },
      );
    },
  );
}

function indexOfPlace(value: string, line: number, column: number): number {
  let at = 0;
  for (let left = line; left > 1; left--) {
    const next = value.indexOf('\n', at);
    if (next === -1) break;
    at = next + 1;
  }
  return Math.max(0, Math.min(at + column - 1, value.length));
}

export interface TextForm {
  readonly mode: 'any' | 'all';
  readonly tests: readonly CheckedText[];
}

/** A text, a list (any of them), or `{ all: [...] }`. */
export function textForm(test: Shape<CheckedText>): Shape<TextForm> {
  const all = object(
    { all: required(list(test, { min: 1 }), 'All of these must be found.') },
    { what: 'a list that must hold as a whole' },
  );
  return forms(`${test.expects}, a list of them, or { all: [...] }`, {
    scalar: map(test, (value): TextForm => ({ mode: 'any', tests: [value] })),
    list: map(list(test, { min: 1 }), (tests): TextForm => ({ mode: 'any', tests })),
    map: map(all, (value): TextForm => ({ mode: 'all', tests: value.all ?? [] })),
  });
}

export const fieldKey = {
  expects: 'the name of a field, such as task or request.path',
  pattern: /^[^\s.][^\s]{0,199}$/,
};

/** Text with `*`, as patterns of one operator. */
const globs = oneOrMany(
  map(
    text({ allowEmpty: true, expects: 'a text (with * for anything)', max: 1024 }),
    (value, node, reading) => {
      const operator = /^(>=|<=|!=|==|[<>=~](?= ))\s*(.*)$/s.exec(value);
      if (!operator) return value;
      const instead = { '>=': 'gte', '<=': 'lte', '>': 'gt', '<': 'lt', '!=': 'not', '~': 'matches' }[
        operator[1] ?? ''
      ];
      const hint =
        instead === undefined
          ? `write the value alone: ${operator[2] ?? ''}`
          : `write { ${instead}: ${operator[2] ?? ''} }`;
      return reading.error(
        'E_VALUE',
        node,
        `${quoteShort(value)} would be compared as a text, with its ${operator[1] ?? ''}`,
        hint,
      );
    },
  ),
);

const bound: Shape<FieldValue> = map(text({ expects: 'a number, a level or a text' }), (value, node) =>
  node.kind === 'scalar' &&
  node.style === 'plain' &&
  typeof node.value === 'number' &&
  Number.isFinite(node.value)
    ? node.value
    : value,
);

const operatorKeys = {
  not: key(globs, 'None of these texts (with * for anything).'),
  gte: key(bound, 'At least this number or level.'),
  gt: key(bound, 'More than this number or level.'),
  lte: key(bound, 'At most this number or level.'),
  lt: key(bound, 'Less than this number or level.'),
  matches: key(pattern('field'), 'The field matches this pattern (RE2).'),
  exists: key(flag(), 'Whether the field is there at all.'),
  in_file: key(inFile(), 'A file with one value a line; the field is one of them.'),
} satisfies Keys;

/** Values of a list file, one a line; `#` begins a comment. */
function inFile(): Shape<{ path: string; values: readonly string[] }> {
  return map(
    text({ expects: 'the path of a file with one value a line', max: 1024 }),
    (_value, node, reading) => {
      if (node.kind !== 'scalar') return undefined;
      const file = reading.deps.files.text(node, reading);
      if (!file) return undefined;
      const values = file.text
        .split('\n')
        .map((line) => line.trim())
        .filter((line) => line !== '' && !line.startsWith('#'));
      if (values.length > 0) return { path: file.path, values };
      return reading.error(
        'E_EMPTY',
        node,
        `${quoteShort(node.text)} holds no values`,
        'put one value on each line',
      );
    },
  );
}

function operatorsOf(found: ReadKeys<typeof operatorKeys>): FieldOperator[] {
  const operators: FieldOperator[] = [];
  if (found.not) operators.push({ op: 'not', patterns: found.not });
  for (const op of ['gte', 'gt', 'lte', 'lt'] as const) {
    const value = found[op];
    if (value !== undefined) operators.push({ op, value });
  }
  if (found.matches)
    operators.push({ op: 'matches', pattern: found.matches.text, origin: found.matches.origin });
  if (found.exists !== undefined) operators.push({ op: 'exists', value: found.exists });
  if (found.in_file)
    operators.push({ op: 'in_file', path: found.in_file.path, values: found.in_file.values });
  return operators;
}

const operators: Shape<FieldOperator[]> = forms(
  'a text (with * for anything), a list, or a map such as { gte: 500 }',
  {
    scalar: map(globs, (patterns): FieldOperator[] => [{ op: 'glob', patterns }]),
    list: map(globs, (patterns): FieldOperator[] => [{ op: 'glob', patterns }]),
    map: map(object(operatorKeys, { what: 'a test on a field' }), (found, node, reading) => {
      if (node.kind === 'map' && node.entries.length > 0) return operatorsOf(found);
      return reading.error(
        'E_VALUE',
        node,
        'this test on a field is empty',
        'write a text, or a map such as { gte: 500 }',
      );
    }),
  },
);

/** Field -> test. All of them must hold. */
export const fieldTests: Shape<FieldTest[]> = map(record(fieldKey, operators), (found, _node, reading) => {
  const tests: FieldTest[] = [];
  for (const [field, { value, entry }] of found) {
    checkLevels(field, value, entry.value, reading);
    tests.push({ field, operators: value });
  }
  return tests;
});

/** `level: { gte: warnign }` would compare as text and never say so. */
function checkLevels(
  field: string,
  operators: readonly FieldOperator[],
  node: YamlNode,
  reading: Reading,
): void {
  if (field !== 'level') return;
  for (const operator of operators) {
    if (!('value' in operator) || operator.op === 'exists' || typeof operator.value === 'number') continue;
    const level = String(operator.value).toLowerCase();
    if ((levels as readonly string[]).includes(level) || level === 'warn') continue;
    const at =
      node.kind === 'map' ? (node.entries.find((entry) => entry.key === operator.op)?.value ?? node) : node;
    reading.error(
      'E_VALUE',
      at,
      `there is no level ${quoteShort(level)}`,
      didYouMean(level, levels, 'the levels are'),
    );
  }
}

export const fromForm = oneOrMany(
  text({ expects: 'the name of a source, a glob, or label=value', max: 256 }),
  { min: 1 },
);
export const scopeForm = oneOf(['message', 'trace', 'record'] as const);

/** Keys of an exclusion. */
const exclusionKeys = {
  match: key(textForm(pattern()), 'A pattern (RE2), a list (any of them), or { all: [...] }.'),
  contains: key(textForm(literal()), 'A literal text, a list (any of them), or { all: [...] }.'),
  where: key(fieldTests, 'Tests on fields.'),
  from: key(fromForm, 'Which sources.'),
  in: key(scopeForm, 'Where match and contains look.'),
} satisfies Keys;

const exclusionText = map(pattern(), (test, node) =>
  exclusion({ match: { mode: 'any', tests: [test] } }, node),
);
const exclusionMap = map(object(exclusionKeys, { what: 'an exclusion' }), (found, node) =>
  exclusion(found, node),
);

/** Exclusions look at the message alone unless `in` says else: tracebacks are full of words like "retry". */
function exclusion(found: ReadKeys<typeof exclusionKeys>, _node: YamlNode): Conditions {
  return conditionsOf({ ...found, in: found.in ?? 'message' });
}

const oneExclusion: Shape<Conditions> = forms('a pattern, or a map with match, contains or where', {
  scalar: exclusionText,
  map: exclusionMap,
});
const exceptForm: Shape<Conditions[]> = forms('a pattern, a list, or a map with match, contains or where', {
  scalar: map(oneExclusion, (one) => [one]),
  list: list(oneExclusion, { min: 1 }),
  map: map(oneExclusion, (one) => [one]),
});

/** Keys that say what to look for, in a rule and wherever records are chosen. */
export const conditionKeys = {
  match: key(
    textForm(pattern()),
    'A pattern (RE2), a list (any of them), or { all: [...] }. Named groups become fields.',
  ),
  contains: key(textForm(literal()), 'A literal text, a list (any of them), or { all: [...] }.'),
  where: key(
    fieldTests,
    'Tests on fields: a text with *, a list, or { not, gte, gt, lte, lt, matches, exists, in_file }.',
  ),
  except: key(
    exceptForm,
    'Exclusions, in the same forms; they look at the message alone unless `in` says otherwise.',
  ),
  from: key(fromForm, 'Which sources: names, globs, or label=value.'),
  in: key(scopeForm, 'Where match and contains look: message, trace or record (the default).'),
} satisfies Keys;

export type ConditionValues = ReadKeys<typeof conditionKeys>;

/** Plain data for the matching engine. */
export function conditionsOf(found: ConditionValues): Conditions {
  const scope: TextScope = found.in ?? 'record';
  const conditions: TextCondition[] = [];
  for (const form of [found.match, found.contains]) {
    if (!form || form.tests.length === 0) continue;
    const tests = form.tests.map(({ kind, text, origin }) => ({ kind, text, origin }));
    conditions.push({ mode: form.mode, tests, scope });
  }
  return { text: conditions, where: found.where ?? [], except: found.except ?? [], from: found.from ?? null };
}

/** Whether anything but `from` and `except` was said. */
export function looksForSomething(found: ConditionValues): boolean {
  return found.match !== undefined || found.contains !== undefined || found.where !== undefined;
}

/** Fields that the patterns give. */
export function groupsOf(found: ConditionValues): readonly string[] {
  return (found.match?.tests ?? []).flatMap((test) => test.groups);
}

/** A map of conditions with further keys, or a pattern alone. Something to look for is needed. */
export function conditionsShape<K extends Keys>(what: string, more: K): Shape<ConditionValues & ReadKeys<K>> {
  const keys = { ...conditionKeys, ...more };
  const inMap = map(object(keys, { what }), (found, node, reading) => {
    const values = found as unknown as ConditionValues & ReadKeys<K>;
    const wrote =
      node.kind === 'map' &&
      node.entries.some(({ key: written }) => ['match', 'contains', 'where'].includes(written));
    if (wrote) return values;
    return reading.error(
      'E_MISSING_KEY',
      node,
      `${what} says nothing to look for`,
      'add `match:`, `contains:` or `where:`',
    );
  });
  const short = map(textForm(pattern()), (match) => ({ match }) as unknown as ConditionValues & ReadKeys<K>);
  const expects = `a pattern, a list of them, or a map with match, contains or where`;
  return forms(expects, { scalar: short, list: short, map: inMap });
}
