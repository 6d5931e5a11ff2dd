/** What a match says when it opens an incident. Pure: the same match gives the same incident, and so the same id. */
import { lookupField } from '../match/where.ts';
import type { Fields, FieldValue, LogRecord } from '../model/record.ts';
import type { Rule, Severity } from '../model/rule.ts';
import type { IncidentDoc } from './docs.ts';
import { digest } from './keys.ts';
import { recordBody } from './tell.ts';

/** A match with its key, before it is known whether an incident is open. */
export interface Found {
  readonly key: string;
  /** Texts of the `by` fields, or the automatic fingerprint where there is no `by`. */
  readonly values: readonly string[];
  readonly rule: Rule;
  readonly record: LogRecord;
  readonly fields: Fields;
  /** Time of the engine, ms. */
  readonly now: number;
}

export interface Opening extends Found {
  readonly severity: Severity;
  readonly labels: Readonly<Record<string, string>>;
  readonly channels: readonly string[];
  /** Too late for the window of its rule. */
  readonly late: boolean;
}

/** A new incident, without a match in it yet. */
export function openIncident({
  rule,
  record,
  fields,
  now,
  key,
  values,
  severity,
  labels,
  channels,
  late,
}: Opening): IncidentDoc {
  const at = record.time ?? record.receivedAt;
  const by: Record<string, FieldValue> = {};
  for (const name of rule.by ?? []) by[name] = lookupField(fields, name) ?? null;
  return {
    id: digest([rule.id, key, record.stream.key, String(record.offset)]),
    rule: rule.id,
    countingHash: rule.countingHash,
    fingerprint: rule.by === null ? (values[0] ?? '') : `v1:${digest([rule.id, ...values])}`,
    by,
    labels,
    channels,
    state: 'firing',
    severity,
    fields,
    record: recordBody(record, rule.context),
    top: {},
    count: 0,
    toldCount: 0,
    untold: { opened: 0, repeats: 0 },
    firstSeenAt: at,
    lastSeenAt: at,
    resolvedAt: null,
    openedAt: now,
    lastMatchAt: now,
    lastToldAt: null,
    holdUntil: now + rule.holdMs,
    remindIndex: 0,
    sequence: 0,
    fold: null,
    named: false,
    ...(late ? { late: true } : {}),
  };
}
