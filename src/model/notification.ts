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
