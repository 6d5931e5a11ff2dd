/**
 * What is told: exactly the body that a `webhook` channel posts. Every other channel renders from this.
 * Absent values are null; times are UTC ISO with milliseconds.
 */
import type { FieldValue, SyslogEnvelope } from './record.ts';
import type { Severity } from './rule.ts';

export type NotificationKind = 'first' | 'summary' | 'resolved' | 'digest' | 'test' | 'self';
export type IncidentState = 'firing' | 'quiet' | 'resolved';

export interface IncidentRow {
  readonly id: string;
  readonly rule: string;
  readonly title: string;
  readonly severity: Severity;
  readonly state: IncidentState;
  readonly count: number;
  readonly new_count: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly fields: Readonly<Record<string, FieldValue>>;
}

export interface IncidentBody {
  readonly id: string;
  readonly fingerprint: string;
  readonly state: IncidentState;
  readonly rule: string;
  readonly title: string;
  readonly message: string;
  readonly severity: Severity;
  readonly labels: Readonly<Record<string, string>>;
  readonly fields: Readonly<Record<string, FieldValue>>;
  readonly count: number;
  readonly new_count: number;
  readonly first_seen_at: string;
  readonly last_seen_at: string;
  readonly resolved_at: string | null;
  readonly top: Readonly<Record<string, readonly (readonly [string, number])[]>>;
  readonly description: string | null;
  readonly runbook: string | null;
  readonly owner: string | null;
  readonly links: readonly { readonly title: string; readonly url: string }[];
}

export interface RecordBody {
  readonly source: string;
  readonly path: string | null;
  readonly host: string | null;
  readonly time: string | null;
  readonly received_at: string;
  readonly level: string | null;
  readonly message: string;
  readonly trace: string | null;
  readonly truncated: boolean;
  readonly offset: number;
  readonly before: readonly string[];
  readonly after: readonly string[];
  readonly syslog: SyslogEnvelope | null;
}

export interface Notification {
  readonly version: '1';
  readonly notification: {
    readonly id: string;
    readonly kind: NotificationKind;
    readonly sequence: number;
    readonly sent_at: string;
    readonly attempt: number;
  };
  /** Of a digest: what it is about as a whole (its title names it). Never null. */
  readonly incident: IncidentBody;
  /** Null for digest, test and self. */
  readonly record: RecordBody | null;
  /** Rows of a digest or a fold; empty else. */
  readonly incidents: readonly IncidentRow[];
}

/** What a body that is not about one incident must say; the rest of it is absent. */
export type WordFacts = Pick<
  IncidentBody,
  'id' | 'rule' | 'title' | 'message' | 'severity' | 'labels' | 'count' | 'first_seen_at' | 'last_seen_at'
> &
  Partial<
    Pick<
      IncidentBody,
      'fingerprint' | 'state' | 'resolved_at' | 'fields' | 'description' | 'runbook' | 'owner'
    >
  >;

/** The body of a digest, a fold, a test or a word of the daemon itself: all of its count is new. */
export function wordBody(facts: WordFacts): IncidentBody {
  return {
    id: facts.id,
    fingerprint: facts.fingerprint ?? `v1:${facts.id}`,
    state: facts.state ?? 'firing',
    rule: facts.rule,
    title: facts.title,
    message: facts.message,
    severity: facts.severity,
    labels: facts.labels,
    fields: facts.fields ?? {},
    count: facts.count,
    new_count: facts.count,
    first_seen_at: facts.first_seen_at,
    last_seen_at: facts.last_seen_at,
    resolved_at: facts.resolved_at ?? null,
    top: {},
    description: facts.description ?? null,
    runbook: facts.runbook ?? null,
    owner: facts.owner ?? null,
    links: [],
  };
}

/** The text of a message that stands for several incidents. */
export function rowsText(rows: readonly IncidentRow[]): string {
  return rows.map((row) => `${row.count} x ${row.title}`).join('\n');
}
