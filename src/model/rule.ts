/**
 * The words of a rule, as plain data. `rules/` is the only maker, so every Rule in memory is a valid one.
 * No compiled pattern is in here: `match/` compiles a whole set at once.
 */
import type { Origin } from './problem.ts';
import type { FieldValue } from './record.ts';

/** Severities in their order. */
export const severities = ['info', 'warning', 'error', 'critical'] as const;
export type Severity = (typeof severities)[number];

/** Where a text condition looks. */
export type TextScope = 'record' | 'message' | 'trace';

/** A test on the text: RE2 or literal. */
export interface TextTest {
  readonly kind: 'regex' | 'literal';
  readonly text: string;
  readonly origin: Origin;
}

/** Tests on the text: `any` of a list, or `all` of them. Never empty. */
export interface TextCondition {
  readonly mode: 'any' | 'all';
  readonly tests: readonly TextTest[];
  readonly scope: TextScope;
}

/** One operator of a field test. An absent field is the empty text. */
export type FieldOperator =
  | { readonly op: 'glob'; readonly patterns: readonly string[] }
  | { readonly op: 'not'; readonly patterns: readonly string[] }
  | { readonly op: 'gte' | 'gt' | 'lte' | 'lt'; readonly value: FieldValue }
  | { readonly op: 'matches'; readonly pattern: string; readonly origin: Origin }
  | { readonly op: 'exists'; readonly value: boolean }
  | { readonly op: 'in_file'; readonly path: string; readonly values: readonly string[] };

/** All operators must hold. `field` is a dotted path; `collected.*` is tested when the story is known. */
export interface FieldTest {
  readonly field: string;
  readonly operators: readonly FieldOperator[];
}

/** What to look for: every part must hold, none of `except` may. */
export interface Conditions {
  readonly text: readonly TextCondition[];
  readonly where: readonly FieldTest[];
  /** Exclusions: one that holds says no. */
  readonly except: readonly Conditions[];
  /** Source names or globs, or `label=value`; null is every source. */
  readonly from: readonly string[] | null;
}

/** Which matches without any earlier record wait for ones that were written late. */
export interface LateSpec {
  /** How long, ms: of the engine's time for the wait, of the records' own for what belongs to it. */
  readonly withinMs: number;
  /** What must hold for a match to wait; empty is every match. */
  readonly where: readonly FieldTest[];
}

/** An earlier (or closing) record of the same story. */
export interface StorySpec {
  readonly conditions: Conditions;
  /** How long a record of the story is remembered, ms. */
  readonly withinMs: number;
  /** `preceded_by`: how many must have come. 1 for `collect`. */
  readonly atLeast: number;
  /** `collect`: what clears the story, or null. */
  readonly until: Conditions | null;
  /** `collect`: absent where no match waits. */
  readonly late?: LateSpec;
}

export interface CountSpec {
  readonly atLeast: number;
  readonly withinMs: number;
  /** Count distinct values of this field instead of matches. */
  readonly distinct: string | null;
}

/** What ends an incident. */
export interface ResolveSpec {
  readonly when: Conditions | null;
  /** Resolved after so many ms without a match, or null. */
  readonly quietMs: number | null;
}

export interface SeverityCase {
  readonly when: readonly FieldTest[];
  readonly is: Severity;
}

/** Both are Liquid templates; values in `url` are percent-encoded. */
export interface Link {
  readonly title: string;
  readonly url: string;
}

/** At most so many in so many ms. */
export interface Rate {
  readonly count: number;
  readonly perMs: number;
}

/** What a rule's own test expects. Null: not tested. */
export interface RuleTest {
  readonly name: string;
  readonly lines: readonly string[];
  readonly expect: {
    readonly incidents: number | null;
    readonly matches: number | null;
    readonly fields: Readonly<Record<string, FieldValue>> | null;
    readonly severity: Severity | null;
    readonly title: string | null;
  };
  /** Time of arrival of the first line, ms, for lines without a stamp. */
  readonly at: number | null;
  readonly origin: Origin;
}

export interface Rule {
  readonly id: string;
  /** Liquid template; null is the id and the message's first line. */
  readonly title: string | null;
  readonly description: string | null;
  /** Liquid template of the message's text; null is the record's message. */
  readonly message: string | null;
  /** First case that holds; the last one has no tests. */
  readonly severity: readonly SeverityCase[];
  readonly labels: Readonly<Record<string, string>>;
  readonly owner: string | null;
  readonly runbook: string | null;
  readonly links: readonly Link[];
  readonly conditions: Conditions;
  /** Tests on `collected.*`, taken out of the conditions: they wait for the story. */
  readonly whereStory: readonly FieldTest[];
  /** Computed fields: name -> Liquid template, in their order. */
  readonly fields: readonly { readonly name: string; readonly template: string }[];
  readonly collect: StorySpec | null;
  readonly precededBy: StorySpec | null;
  /** Fields that tie the records of one story together; empty where there is no story. */
  readonly join: readonly string[];
  /** One incident per value of these; null is the automatic fingerprint, [] one for the whole rule. */
  readonly by: readonly string[] | null;
  readonly count: CountSpec | null;
  /** Wait before the first message, ms. */
  readonly holdMs: number;
  /** When to tell what came since, ms after the last message; the last repeats. Empty: never. */
  readonly remindMs: readonly number[];
  readonly resolve: ResolveSpec | null;
  /** New incidents that may speak for themselves; null is no limit. */
  readonly limit: Rate | null;
  readonly context: { readonly before: number; readonly after: number };
  /** Channels told besides what the routes say. */
  readonly notify: readonly string[];
  readonly tests: readonly RuleTest[];
  /** Hash over all that changes what is counted: state outlives an edit that leaves it alone. */
  readonly countingHash: string;
  readonly origin: Origin;
}

/** First route whose tests hold gets the incident; `also` goes on to the next. */
export interface Route {
  /** Tests on `severity`, `rule`, `labels.*`, `source` and the fields. */
  readonly where: readonly FieldTest[];
  readonly notify: readonly string[];
  readonly also: boolean;
}
