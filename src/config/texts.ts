/**
 * Patterns, literals and templates inside YAML: checked by the language that will run them, with a complaint placed at the
 * very character of the pattern. They are taken as written; the environment is never put into them.
 */
import type { TextTest } from '../model/rule.ts';
import { offsetInScalar, originOf, quoteShort, type YamlScalar } from './nodes.ts';
import { text } from './scalars.ts';
import { map, type Shape } from './shape.ts';

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

/**
 * RE2 ends its complaint with the part that it means ("invalid perl operator: (?!", perhaps in brackets): that part is looked
 * for in the pattern, so that the frame points at it.
 */
function placeOfComplaint(node: YamlScalar, value: string, message: string): { start: number; end: number } {
  const ending = /:\s(\S.*?)$/s.exec(message)?.[1] ?? '';
  for (const part of [ending, ending.replace(/\)$/, '')]) {
    const index = part === '' ? -1 : value.indexOf(part);
    if (index < 0) continue;
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
