/**
 * Tests on fields, as `where` has them and routes too: a text with `*`, a list, or a map of operators. Catches what would
 * compare as a text and never hold: an operator inside the text, a level that is not there.
 */

import { type FieldValue, levels } from '../model/record.ts';
import type { FieldOperator, FieldTest } from '../model/rule.ts';
import { didYouMean } from './nearest.ts';
import { quoteShort, type YamlNode } from './nodes.ts';
import { type Keys, key, object, type ReadKeys } from './objects.ts';
import type { Reading } from './reading.ts';
import { flag, text } from './scalars.ts';
import { forms, map, oneOrMany, record, type Shape } from './shape.ts';
import { pattern } from './texts.ts';
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
export const fieldTests: Shape<FieldTest[]> = map(
  record(fieldKey, operators, { expects: 'a map of fields and their tests, such as { task: mail.* }' }),
  (found, node, reading) => {
    if (node.kind === 'map' && node.entries.length === 0)
      return reading.error(
        'E_VALUE',
        node,
        'no field is tested here, so this holds for everything',
        'name a field and its value, such as { task: mail.* }, or take the key out',
      );
    const tests: FieldTest[] = [];
    for (const [field, { value, entry }] of found) {
      checkLevels(field, value, entry.value, reading);
      tests.push({ field, operators: value });
    }
    return tests;
  },
);

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
