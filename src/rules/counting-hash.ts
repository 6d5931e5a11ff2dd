/**
 * A hash over all of a rule that changes what is counted. A reload keeps the state of a rule whose hash stays the same,
 * whatever happens to its title, severity or reminders. Places in files don't count: a rule may move.
 */
import { hash } from 'node:crypto';
import type { Rule } from '../model/rule.ts';

export type Counting = Pick<
  Rule,
  'conditions' | 'whereStory' | 'fields' | 'collect' | 'precededBy' | 'join' | 'by' | 'count'
>;

/** 16 hex digits. */
export function countingHash(counting: Counting): string {
  return hash('sha256', JSON.stringify(withoutPlaces(counting))).slice(0, 16);
}

/** A copy without `origin`. To leave it out while JSON is written takes three times as long. */
function withoutPlaces(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutPlaces);
  if (typeof value !== 'object' || value === null) return value;
  const copy: Record<string, unknown> = {};
  for (const [key, part] of Object.entries(value)) if (key !== 'origin') copy[key] = withoutPlaces(part);
  return copy;
}
