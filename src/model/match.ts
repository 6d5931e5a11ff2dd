/** The words between matching and incidents: which rules wanted a record, in which role, with which fields. */
import type { Fields, LogRecord } from './record.ts';
import type { Rule } from './rule.ts';

/** What a record is to a rule. One record may have several roles for one rule; they come in this order. */
export type MatchRole = 'until' | 'match' | 'collect' | 'preceded_by' | 'resolve';

export interface RuleHit {
  readonly rule: Rule;
  readonly role: MatchRole;
  /** Fields of the format, named groups, and (for `match`) computed fields that need no story. */
  readonly fields: Fields;
}

/** One record and every rule that wants it. Never without hits. */
export interface RecordMatch {
  readonly record: LogRecord;
  readonly hits: readonly RuleHit[];
}
