/**
 * The fields of one record, of whatever a sender wrote into an object: so many names, so many characters, so deep, so that nothing
 * grows without a limit. Takes an object, gives a copy; what is beyond the limits is cut, left out or shown as `…`. Knows no keys.
 */
import type { FieldValue } from '../../model/record.ts';

/** Fields of one record: so many names, so many characters in all, so deep. What is beyond is left out or kept as text. */
const maxNames = 100;
const maxCharacters = 16_384;
const maxValue = 2_048;
const maxDepth = 6;

/** The fields of an object within the limits. Without prototypes, so that no key means more than its value. */
export function fieldsOf(
  object: Record<string, unknown>,
  without: ReadonlySet<string | undefined> = new Set(),
): Record<string, FieldValue> {
  const budget = { names: maxNames, characters: maxCharacters };
  const fields: Record<string, FieldValue> = Object.create(null);
  for (const key of Object.keys(object)) {
    if (without.has(key)) continue;
    if (budget.names-- <= 0) break;
    const value = bounded(object[key], 1, budget);
    if (value !== undefined) fields[key.slice(0, maxValue)] = value;
  }
  return fields;
}

function bounded(
  value: unknown,
  depth: number,
  budget: { names: number; characters: number },
): FieldValue | undefined {
  if (value === null || typeof value === 'boolean' || typeof value === 'number') return value;
  if (typeof value === 'string') {
    const room = Math.min(maxValue, Math.max(0, budget.characters));
    budget.characters -= Math.min(value.length, room);
    return value.length > room ? `${value.slice(0, room).toWellFormed()}…` : value;
  }
  if (typeof value !== 'object' || depth >= maxDepth) return depth >= maxDepth ? '…' : undefined;
  if (Array.isArray(value)) {
    const list: FieldValue[] = [];
    for (const one of value) {
      if (budget.names-- <= 0) break;
      list.push(bounded(one, depth + 1, budget) ?? null);
    }
    return list;
  }
  const nested: Record<string, FieldValue> = Object.create(null);
  for (const key of Object.keys(value)) {
    if (budget.names-- <= 0) break;
    const one = bounded((value as Record<string, unknown>)[key], depth + 1, budget);
    if (one !== undefined) nested[key.slice(0, maxValue)] = one;
  }
  return nested;
}
