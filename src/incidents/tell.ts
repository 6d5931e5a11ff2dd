/**
 * An incident or a fold -> the notification that tells it. Renders the rule's templates; never throws,
 * since a bad template must not cost the alert. Everything is frozen here: what leaves later is what was true now.
 */
import { parseTemplate, type Template } from '../match/template.ts';
import type { Intent } from '../model/intent.ts';
import {
  type IncidentBody,
  type IncidentRow,
  type Notification,
  type NotificationKind,
  type RecordBody,
  rowsText,
  wordBody,
} from '../model/notification.ts';
import type { LogRecord } from '../model/record.ts';
import type { Rule } from '../model/rule.ts';
import type { FoldDoc, IncidentDoc } from './docs.ts';
import { digest } from './keys.ts';

/** A message is kept to this many characters; the rest is cut and flagged. */
const messageMax = 65_536;
const titleMax = 300;
/** Values told of one field in `top`. */
const topValues = 5;

export function iso(ms: number): string {
  // A stamp from a log may lie outside what a Date can hold; the border stands for it.
  return new Date(Math.max(-8.64e15, Math.min(8.64e15, ms))).toISOString();
}

/** The record as it is kept with an incident and told. */
export function recordBody(record: LogRecord, context: Rule['context']): RecordBody {
  const long = record.message.length > messageMax;
  return {
    source: record.stream.source,
    path: record.stream.path,
    host: record.stream.host,
    time: record.time === null ? null : iso(record.time),
    received_at: iso(record.receivedAt),
    level: record.level,
    message: long ? record.message.slice(0, messageMax).toWellFormed() : record.message,
    trace: record.trace,
    truncated: record.truncated || long,
    offset: record.offset,
    before: context.before > 0 ? record.before.slice(-context.before) : [],
    after: context.after > 0 ? record.after.slice(0, context.after) : [],
    syslog: record.syslog,
  };
}

/** Parsed templates by their text. Rules are few and their texts stay; `clear` on reload. */
export class Templates {
  readonly #byText = new Map<string, Template | null>();

  /** Renders, or gives the text as it is when it is no template. */
  render(text: string, scope: Record<string, unknown>): string {
    if (!text.includes('{{') && !text.includes('{%')) return text;
    let template = this.#byText.get(text);
    if (template === undefined) {
      const parsed = parseTemplate(text);
      template = parsed.ok ? parsed.template : null;
      this.#byText.set(text, template);
    }
    return template ? template.render(scope) : text;
  }

  clear(): void {
    this.#byText.clear();
  }
}

export interface TellFacts {
  readonly rule: Rule;
  readonly labels: Readonly<Record<string, string>>;
  readonly templates: Templates;
  readonly now: number;
}

/** What templates of titles and messages see: the fields, and facts of the incident. */
function scopeOf(doc: IncidentDoc, facts: TellFacts): Record<string, unknown> {
  return {
    ...doc.fields,
    rule: doc.rule,
    severity: doc.severity,
    state: doc.state,
    count: doc.count,
    new_count: doc.count - doc.toldCount,
    labels: facts.labels,
    message: doc.record.message,
    trace: doc.record.trace ?? '',
    level: doc.record.level ?? '',
    source: doc.record.source,
    path: doc.record.path ?? '',
    host: doc.record.host ?? '',
  };
}

function titleOf(doc: IncidentDoc, facts: TellFacts, scope: Record<string, unknown>): string {
  const firstLine = doc.record.message.split('\n', 1)[0] ?? '';
  const text =
    facts.rule.title === null ? `${doc.rule}: ${firstLine}` : facts.templates.render(facts.rule.title, scope);
  const line = text.replace(/\s+/g, ' ').trim();
  return line.length > titleMax ? `${line.slice(0, titleMax - 1).toWellFormed()}…` : line;
}

/** A log line never chooses where a link leads: every value in it is percent-encoded. */
function linkScope(scope: Record<string, unknown>): Record<string, unknown> {
  const safe: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(scope)) {
    if (value !== null && typeof value === 'object') safe[name] = linkScope(value as Record<string, unknown>);
    else safe[name] = encodeURIComponent(String(value ?? '').toWellFormed());
  }
  return safe;
}

function topOf(doc: IncidentDoc): IncidentBody['top'] {
  const top: Record<string, [string, number][]> = {};
  for (const [field, values] of Object.entries(doc.top)) {
    const sorted = Object.entries(values).sort((a, b) => b[1] - a[1]);
    // A field in which every match differs (an id) says nothing as a list.
    if (sorted.length > 1 && (sorted[0]?.[1] ?? 0) <= 1) continue;
    top[field] = sorted.slice(0, topValues);
  }
  return top;
}

export function incidentBody(doc: IncidentDoc, facts: TellFacts): IncidentBody {
  const { rule } = facts;
  const scope = scopeOf(doc, facts);
  const links = rule.links.length === 0 ? [] : linksOf(rule, facts.templates, scope);
  return {
    id: doc.id,
    fingerprint: doc.fingerprint,
    state: doc.state,
    rule: doc.rule,
    title: titleOf(doc, facts, scope),
    message: rule.message === null ? doc.record.message : facts.templates.render(rule.message, scope),
    severity: doc.severity,
    labels: facts.labels,
    fields: doc.fields,
    count: doc.count,
    new_count: doc.count - doc.toldCount,
    first_seen_at: iso(doc.firstSeenAt),
    last_seen_at: iso(doc.lastSeenAt),
    resolved_at: doc.resolvedAt === null ? null : iso(doc.resolvedAt),
    top: topOf(doc),
    description: rule.description,
    runbook: rule.runbook,
    owner: rule.owner,
    links,
  };
}

function linksOf(rule: Rule, templates: Templates, scope: Record<string, unknown>): IncidentBody['links'] {
  const encoded = linkScope(scope);
  return rule.links.map((link) => ({
    title: templates.render(link.title, scope),
    url: templates.render(link.url, encoded),
  }));
}

export function rowOf(body: IncidentBody): IncidentRow {
  const { id, rule, title, severity, state, count, new_count, labels, fields } = body;
  return { id, rule, title, severity, state, count, new_count, labels, fields };
}

/** The message about one incident. Raises its sequence: the id hangs on it. */
export function tellIncident(doc: IncidentDoc, kind: NotificationKind, facts: TellFacts): Intent {
  doc.sequence++;
  const body = incidentBody(doc, facts);
  return {
    channels: doc.channels,
    notification: envelope(
      digest([doc.id, String(doc.sequence)]),
      kind,
      doc.sequence,
      facts.now,
      body,
      doc.record,
      [],
    ),
    row: rowOf(body),
    cover: { ...doc.untold },
    rule: doc.rule,
    severity: doc.severity,
  };
}

/** The one message about many incidents of a rule. */
export function tellFold(fold: FoldDoc, rows: readonly IncidentRow[], facts: TellFacts): Intent {
  fold.sequence++;
  const { description, runbook, owner } = facts.rule;
  const untold = fold.untold.opened + fold.untold.repeats;
  fold.toldCount = (fold.toldCount ?? 0) + untold;
  const word = wordBody({
    id: fold.id,
    rule: fold.rule,
    title: foldTitle(fold, rows.length),
    message: rowsText(rows),
    severity: fold.severity,
    labels: facts.labels,
    count: fold.toldCount,
    first_seen_at: iso(fold.openedAt),
    last_seen_at: iso(fold.lastMatchAt),
    description,
    runbook,
    owner,
  });
  const body = { ...word, new_count: untold };
  return {
    channels: fold.channels,
    notification: envelope(
      digest(['fold', fold.id, String(fold.sequence)]),
      'digest',
      fold.sequence,
      facts.now,
      body,
      null,
      rows,
    ),
    row: rowOf(body),
    cover: { ...fold.untold },
    rule: fold.rule,
    severity: fold.severity,
  };
}

function foldTitle({ rule, late, untold }: FoldDoc, named: number): string {
  const matches = untold.opened + untold.repeats;
  // Not all of them have a row.
  const incidents = Math.max(named, untold.opened);
  const among = `${incidents} ${late ? '' : 'further '}${incidents === 1 ? 'incident' : 'incidents'}`;
  return late
    ? `${rule}: caught up with ${matches} in ${among}, written over an hour late`
    : `${rule}: ${matches} more in ${among}`;
}

export function envelope(
  id: string,
  kind: NotificationKind,
  sequence: number,
  now: number,
  incident: IncidentBody,
  record: RecordBody | null,
  incidents: readonly IncidentRow[],
): Notification {
  return {
    version: '1',
    notification: { id, kind, sequence, sent_at: iso(now), attempt: 0 },
    incident,
    record,
    incidents,
  };
}
