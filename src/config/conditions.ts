/**
 * The forms of "what to look for": patterns, literals, tests on fields, exclusions. The same words hold in a rule, in
 * `except`, `collect`, `preceded_by` and `resolve`. Patterns are compiled for checking only; what comes out is plain data.
 */
import type { Conditions, TextCondition, TextScope } from '../model/rule.ts';
import { fieldTests } from './field-tests.ts';
import { type Keys, key, object, type ReadKeys, required, writesOneOf } from './objects.ts';
import { oneOf, text } from './scalars.ts';
import { forms, list, map, oneOrMany, type Shape } from './shape.ts';
import { type CheckedText, literal, pattern } from './texts.ts';

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

const exclusionText = map(pattern(), (test) => exclusion({ match: { mode: 'any', tests: [test] } }));
/** An exclusion without a condition would leave everything out. */
const exclusionMap = map(object(exclusionKeys, { what: 'an exclusion' }), (found, node, reading) =>
  writesOneOf(node, ['match', 'contains', 'where', 'from'], Object.keys(exclusionKeys))
    ? exclusion(found)
    : reading.error(
        'E_MISSING_KEY',
        node,
        'an exclusion says nothing to look for, so it would leave out everything',
        'add `match:`, `contains:`, `where:` or `from:`',
      ),
);

/** Exclusions look at the message alone unless `in` says else: tracebacks are full of words like "retry". */
function exclusion(found: ReadKeys<typeof exclusionKeys>): Conditions {
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

/** The keys that choose records; `from`, `in` and `except` only narrow what these choose. */
export const lookingKeys: readonly string[] = ['match', 'contains', 'where'];

/** Fields that the patterns give. */
export function groupsOf(found: ConditionValues): readonly string[] {
  return (found.match?.tests ?? []).flatMap((test) => test.groups);
}

/** A map of conditions with further keys, or a pattern alone. Something to look for is needed. */
export function conditionsShape<K extends Keys>(what: string, more: K): Shape<ConditionValues & ReadKeys<K>> {
  const keys = { ...conditionKeys, ...more };
  const inMap = map(object(keys, { what }), (found, node, reading) => {
    const values = found as unknown as ConditionValues & ReadKeys<K>;
    if (writesOneOf(node, lookingKeys, Object.keys(keys))) return values;
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
