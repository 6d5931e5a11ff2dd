/** What incidents keep in the state, as plain documents. A change of shape here is a new version of the state. */
import type { Cover } from '../model/intent.ts';
import type { IncidentState, RecordBody } from '../model/notification.ts';
import type { Fields, LogRecord } from '../model/record.ts';
import type { Severity } from '../model/rule.ts';

export interface IncidentDoc {
  readonly id: string;
  readonly rule: string;
  readonly countingHash: string;
  readonly fingerprint: string;
  /** Values of `by`, for people. */
  readonly by: Fields;
  /** Channels that are told; decided when it opened, widened when it grew more severe. */
  channels: readonly string[];
  state: IncidentState;
  severity: Severity;
  readonly labels: Readonly<Record<string, string>>;
  /** Of the latest match. */
  fields: Fields;
  record: RecordBody;
  /** Field -> value -> how often, bounded. */
  top: Record<string, Record<string, number>>;
  count: number;
  /** The count that was last told. */
  toldCount: number;
  /** The same, in matches for the account; always zero while a fold speaks for it. */
  untold: { opened: number; repeats: number };
  firstSeenAt: number;
  lastSeenAt: number;
  resolvedAt: number | null;
  /** Times of the engine's clock. */
  openedAt: number;
  lastMatchAt: number;
  lastToldAt: number | null;
  holdUntil: number;
  remindIndex: number;
  sequence: number;
  /** The fold that speaks for it, or null. */
  fold: string | null;
  /** Whether that fold will name it. */
  named: boolean;
  /** Its matches came too late for the window of their rule: only a fold of such ones speaks for it. */
  readonly late?: true;
  /** Its channels changed: they are told of its next match at once. */
  grown?: true;
}

/** Many new incidents of one rule, told as one. */
export interface FoldDoc {
  readonly id: string;
  readonly rule: string;
  /** Tells of matches that came too late for their window, and of nothing else. */
  readonly late?: true;
  readonly channels: readonly string[];
  readonly openedAt: number;
  lastMatchAt: number;
  nextAt: number;
  remindIndex: number;
  sequence: number;
  /** Keys of incidents that matched since it last spoke; at most `foldRowsMax`. */
  keys: string[];
  /** How many incidents it has taken in. */
  incidents: number;
  untold: { opened: number; repeats: number };
  /** What its earlier words told; its count goes on from here. Absent until the first. */
  toldCount?: number;
  severity: Severity;
}

/** Sliding window of a `count`: times in their order, and for `distinct` the value of each. */
export interface WindowDoc {
  times: number[];
  values: string[] | null;
  /** The stream that the newest one came from. */
  stream?: string;
}

/** Earlier records of one story. */
export interface StoryDoc {
  count: number;
  first: Fields;
  last: Fields;
  lastAt: number;
}

/** A match without its story, or the end of a story, while records may come that were written late. One for each story. */
export interface LateDoc {
  readonly rule: string;
  /** The record's own time, or null where it has none. */
  readonly time: number | null;
  /** Null: only the end, which takes what comes late with it. */
  readonly match: { readonly record: LogRecord; readonly fields: Fields } | null;
}

export interface RuleStats {
  matched: number;
  below: number;
  incidents: number;
  firing: number;
}

/** When incidents of a rule spoke for themselves lately. */
export interface SpokenDoc {
  times: number[];
}

export const noCover: Cover = { opened: 0, repeats: 0 };
