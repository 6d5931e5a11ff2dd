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
  const text = JSON.stringify(counting, (key, value: unknown) => (key === 'origin' ? undefined : value));
  return hash('sha256', text).slice(0, 16);
}
