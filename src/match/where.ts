/**
 * Tests on fields: globs, comparisons, patterns, existence. Takes a look-up, gives yes or no; an absent field is the empty
 * text. Values of the log are only compared, never run or parsed as anything else.
 */
import { matchesGlob } from '../model/glob.ts';
import { type FieldValue, levels } from '../model/record.ts';
import type { FieldOperator, FieldTest } from '../model/rule.ts';
import { compilePattern, type Pattern } from './regex.ts';
import { levelOf } from './stamps.ts';

/** Compiled patterns kept; rules are few, so this is only a guard. */
const maxCompiled = 10_000;
const compiled = new Map<string, Pattern | null>();

function patternOf(text: string): Pattern | null {
  let pattern = compiled.get(text);
  if (pattern === undefined) {
    const result = compilePattern(text);
    pattern = result.ok ? result.pattern : null;
    if (compiled.size >= maxCompiled) compiled.clear();
    compiled.set(text, pattern);
  }
  return pattern;
}

/** A value as text: absent and null are empty, objects are JSON. */
export function valueText(value: FieldValue | undefined): string {
  if (value === undefined || value === null) return '';
  if (typeof value === 'string') return value;
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

function isLevelField(field: string): boolean {
  return /(?:^|\.)(?:level|severity|levelname)$/.test(field);
}

function anyGlob(patterns: readonly string[], value: FieldValue | undefined, field: string): boolean {
  const values = Array.isArray(value) ? value : [value];
  const named = isLevelField(field);
  return values.some((one: FieldValue | undefined) => {
    const text = valueText(one);
    const level = named ? levelOf(text) : null;
    return patterns.some((glob) => matchesGlob(glob, text) || (level !== null && levelOf(glob) === level));
  });
}

function numberOf(value: FieldValue | undefined): number {
  if (typeof value === 'number') return value;
  return typeof value === 'string' && value.trim() !== '' ? Number(value) : Number.NaN;
}

/** Order of two values: numbers as numbers, levels by their order, else text; null where one is absent. */
function order(value: FieldValue | undefined, other: FieldValue, field: string): number | null {
  const text = valueText(value);
  if (text === '') return null;
  if (isLevelField(field)) {
    const a = levelOf(text);
    const b = levelOf(valueText(other));
    if (b !== null) return a === null ? null : levels.indexOf(a) - levels.indexOf(b);
  }
  const a = numberOf(value);
  const b = numberOf(other);
  if (!Number.isNaN(a) && !Number.isNaN(b)) return a - b;
  // A number is asked for and the value is none: it can't be said, so no.
  if (typeof other === 'number') return null;
  const right = valueText(other);
  return text < right ? -1 : text > right ? 1 : 0;
}

function holds(operator: FieldOperator, value: FieldValue | undefined, field: string): boolean {
  switch (operator.op) {
    case 'glob':
      return anyGlob(operator.patterns, value, field);
    case 'not':
      return !anyGlob(operator.patterns, value, field);
    case 'matches': {
      const pattern = patternOf(operator.pattern);
      return pattern?.test(valueText(value)) ?? false;
    }
    case 'exists':
      return (value !== undefined && value !== null && value !== '') === operator.value;
    case 'in_file':
      return operator.values.includes(valueText(value));
    default: {
      const found = order(value, operator.value, field);
      if (found === null) return false;
      if (operator.op === 'gte') return found >= 0;
      if (operator.op === 'gt') return found > 0;
      return operator.op === 'lte' ? found <= 0 : found < 0;
    }
  }
}

/** Whether every test holds. `lookup` gives the value at a dotted path, undefined where there is none. */
export function testFields(
  tests: readonly FieldTest[],
  lookup: (path: string) => FieldValue | undefined,
): boolean {
  for (const { field, operators } of tests) {
    const value = lookup(field);
    for (const operator of operators) if (!holds(operator, value, field)) return false;
  }
  return true;
}

/** The value at a path: the whole name first, then step by step at the dots. Own properties only. */
export function lookupField(
  fields: Readonly<Record<string, FieldValue>>,
  path: string,
): FieldValue | undefined {
  if (Object.hasOwn(fields, path)) return fields[path];
  let dot = path.indexOf('.');
  while (dot > 0) {
    const head = path.slice(0, dot);
    if (Object.hasOwn(fields, head)) {
      const inner = fields[head];
      if (inner !== null && typeof inner === 'object') {
        const found = lookupField(inner as Readonly<Record<string, FieldValue>>, path.slice(dot + 1));
        if (found !== undefined) return found;
      }
    }
    dot = path.indexOf('.', dot + 1);
  }
  return undefined;
}
