/**
 * Keys and ids. A key says which incident, window or story a record belongs to; an id is derived from where the story began,
 * so that it is the same again after a crash that lost the last commit.
 */
import { createHash } from 'node:crypto';
import { lookupField } from '../match/where.ts';
import type { Fields } from '../model/record.ts';
import type { Rule } from '../model/rule.ts';

/** Longest key kept as it is; longer ones are hashed. */
const plainKeyMax = 200;

/** First 16 hex digits of a SHA-256 over length-prefixed parts, so that ("a|b","c") and ("a","b|c") differ. */
export function digest(parts: readonly string[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(`${part.length}:`).update(part);
  return hash.digest('hex').slice(0, 16);
}

/** Text of a field for keys and comparisons: absent is empty, objects are their JSON. */
export function fieldText(fields: Fields, name: string): string {
  const value = lookupField(fields, name);
  if (value === undefined || value === null) return '';
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

/** Everything a rule keeps begins with this: an edit that changes what is counted changes it. */
export function rulePrefix(rule: Pick<Rule, 'id' | 'countingHash'>): string {
  return `${rule.id}\u0000${rule.countingHash}\u0000`;
}

/** Key of the state a rule keeps for some field values. */
export function stateKey(rule: Rule, values: readonly string[]): string {
  let tail = '';
  for (const value of values) tail += `${value.length}:${value}`;
  return rulePrefix(rule) + (tail.length <= plainKeyMax ? tail : `#${digest(values)}`);
}
