/**
 * A notification -> what a person on call reads: a mark, a title, one line of state, facts, the log text, context,
 * links, rows and a footer, all cleaned and still without any markup. Each channel lays these parts out in its own
 * way and may cut them further; no part is ever joined with markup here. Total: any notification gives a card.
 */
import { exceptionOf } from '../match/exception.ts';
import { formatDuration } from '../model/duration.ts';
import type { IncidentRow, Notification } from '../model/notification.ts';
import type { FieldValue } from '../model/record.ts';
import { clean, cleanLine, cut } from './text.ts';
import { webLink } from './url.ts';

export type Tone = 'critical' | 'error' | 'warning' | 'info' | 'good' | 'calm';

export interface Fact {
  readonly name: string;
  readonly value: string;
}
export interface CardLink {
  readonly title: string;
  /** Always http or https. */
  readonly url: string;
}
export interface CardRow {
  readonly tone: Tone;
  readonly title: string;
  /** `resolved, 131 new of 132`. */
  readonly note: string;
}
export interface Card {
  readonly tone: Tone;
  /** `ERROR`, `RESOLVED`, `DIGEST`, `TEST` ... */
  readonly word: string;
  readonly title: string;
  /** One line: the state, how often, since when. */
  readonly state: string;
  /** The rule's message or description where it says more than the log text; may have several lines. */
  readonly text: string;
  readonly facts: readonly Fact[];
  /** Message and traceback as logged; empty when there is no record. Not yet cut. */
  readonly log: string;
  /** Lines before the record, oldest first. */
  readonly before: readonly string[];
  readonly after: readonly string[];
  readonly rows: readonly CardRow[];
  /** Rows that a notification carries beyond those shown here. */
  readonly rowsLeft: number;
  readonly links: readonly CardLink[];
  /** Runbook in words, where it is no URL. */
  readonly steps: string;
  readonly footer: string;
}

const titleMax = 300;
const factsMax = 12;
const factNameMax = 60;
const factValueMax = 300;
const contextLines = 5;
const contextLineMax = 300;
const textMax = 1500;
const stepsMax = 600;
const rowsMax = 40;
const rowTitleMax = 160;
const linksMax = 5;
const linkTitleMax = 60;
const labelsMax = 12;
/** Values named per field in `top`. */
const topValues = 3;
/** Log text beyond this is cut by every channel anyway: cleaning it would be work for nothing. */
const logMax = 131_072;

/** Facts that a person looks for first, in this order; the others follow in theirs. */
const firstFacts = ['task', 'exception'];
const nextFacts = ['retries', 'limit_reached', 'task_id'];

/** Everything a channel may show of a notification, cleaned. */
export function cardOf(notification: Notification): Card {
  const { incident, record } = notification;
  const { kind } = notification.notification;
  // Good news is short: what broke was told when it did. Context belongs to the first message alone.
  const resolved = kind === 'resolved';
  const context = kind === 'first' ? record : null;
  const log = record === null || resolved ? '' : logText(record.message, record.trace);
  const whole = resolved ? '' : clean(incident.message.slice(0, logMax)).trim();
  const message = cut(whole, textMax);
  const description = resolved ? '' : cut(clean(incident.description ?? ''), textMax).trim();
  const told = log.startsWith(whole.slice(0, textMax)) || message === cleanLine(incident.title);
  const saysMore = message !== '' && !told;
  const runbook = webLink(incident.runbook);
  const rows = notification.incidents.slice(0, rowsMax).map(rowOf);
  return {
    tone: toneOf(notification),
    word: wordOf(notification),
    title: cut(cleanLine(incident.title), titleMax) || cleanLine(incident.rule) || '(no title)',
    state: stateOf(notification),
    text: [saysMore ? message : '', description === message ? '' : description]
      .filter((part) => part !== '')
      .join('\n\n'),
    facts: kind === 'test' || kind === 'self' ? ownFacts(notification) : factsOf(notification),
    log,
    before: contextOf(context?.before ?? [], 'last'),
    after: contextOf(context?.after ?? [], 'first'),
    rows,
    rowsLeft: Math.max(0, notification.incidents.length - rows.length),
    links: linksOf(notification, runbook),
    steps: runbook === null ? cut(clean(incident.runbook ?? ''), stepsMax).trim() : '',
    footer: footerOf(notification),
  };
}

/** The whole card in one line, for notifications on a phone and for the plain form. */
export function oneLine(card: Card): string {
  return `${card.word}: ${card.title}${card.state === '' ? '' : ` (${card.state})`}`;
}

function logText(message: string, trace: string | null): string {
  const whole = trace === null || trace === '' ? message : `${message}\n${trace}`;
  const bounded =
    whole.length > logMax ? `${whole.slice(0, logMax / 2)}\n\u2026\n${whole.slice(-logMax / 2)}` : whole;
  return clean(bounded).trimEnd();
}

function contextOf(lines: readonly string[], side: 'first' | 'last'): string[] {
  const near = side === 'last' ? lines.slice(-contextLines) : lines.slice(0, contextLines);
  return near.map((line) => cut(clean(line.slice(0, 4096)).replace(/\n+/g, ' '), contextLineMax).trimEnd());
}

function toneOf({ notification, incident }: Notification): Tone {
  if (notification.kind === 'resolved' || incident.state === 'resolved') return 'good';
  if (notification.kind === 'test') return 'info';
  if (incident.state === 'quiet') return 'calm';
  return incident.severity;
}

function wordOf({ notification, incident }: Notification): string {
  switch (notification.kind) {
    case 'test':
      return 'TEST';
    case 'self':
      return `TOCSIN ${incident.severity.toUpperCase()}`;
    case 'resolved':
      return 'RESOLVED';
    case 'digest':
      return `DIGEST ${incident.severity.toUpperCase()}`;
    default:
  }
  if (incident.state === 'resolved') return 'RESOLVED';
  return incident.severity.toUpperCase();
}

function stateOf({ notification, incident, incidents }: Notification): string {
  const { count } = incident;
  const since = `since ${stamp(incident.first_seen_at)}`;
  switch (notification.kind) {
    case 'test':
    case 'self':
      return stamp(notification.sent_at);
    case 'digest': {
      const rows =
        incidents.length === 0 ? '' : `${number(incidents.length)} ${plural('incident', incidents.length)}, `;
      return `${rows}${number(count)} ${plural('match', count)} ${since}`;
    }
    case 'resolved': {
      const lasted = Date.parse(incident.resolved_at ?? '') - Date.parse(incident.first_seen_at);
      const took = lasted >= 1000 ? ` after ${formatDuration(Math.floor(lasted / 1000) * 1000)}` : '';
      return `resolved ${stamp(incident.resolved_at ?? incident.last_seen_at)}${took}, seen ${times(count)} in all`;
    }
    case 'summary':
      return `${number(incident.new_count)} new, seen ${times(count)} ${since}, last ${stamp(incident.last_seen_at)}${incident.state === 'quiet' ? ', quiet now' : ''}`;
    case 'first':
      return count > 1 ? `seen ${times(count)} ${since}` : `first seen ${stamp(incident.first_seen_at)}`;
  }
}

/** Of values that come once or twice none is the one to look at. */
const telling = 3;

/** Fields that a card tells elsewhere, or that are no fact for a person. */
const unshownFields = new Set(['time', 'level', 'collected']);
/** Of a syslog envelope a person wants to know who spoke. The rest of it is in the webhook. */
const shownOfSyslog = new Set(['hostname', 'appname', 'procid']);

/** What a trace says in two lines: what it began with, and where in one's own code. */
function traceFacts(record: Notification['record']): Fact[] {
  const found = record?.trace ? exceptionOf(record.trace, record.message) : null;
  if (found === null) return [];
  return [
    { name: 'cause', value: valueText(found.cause) },
    { name: 'at', value: valueText(found.app_frame) },
  ].filter(({ value }) => value !== '');
}

function factsOf({ notification, incident, record }: Notification): Fact[] {
  const facts: Fact[] = [];
  const envelope = record?.syslog ?? {};
  const names = Object.keys(incident.fields).filter(
    (name) => !unshownFields.has(name) && (!Object.hasOwn(envelope, name) || shownOfSyslog.has(name)),
  );
  const add = (wanted: readonly string[]): void => {
    for (const name of wanted) {
      if (facts.length >= factsMax) break;
      const field = incident.fields[name];
      // The facts of a trace are told below, in words.
      const value = name === 'exception' && typeof field === 'object' ? '' : valueText(field);
      if (value !== '') facts.push({ name: cut(cleanLine(name), factNameMax) || '?', value });
    }
  };
  add(firstFacts.filter((name) => names.includes(name)));
  if (notification.kind !== 'resolved') facts.push(...traceFacts(record));
  add(nextFacts.filter((name) => names.includes(name)));
  add(names.filter((name) => !firstFacts.includes(name) && !nextFacts.includes(name)));
  for (const [name, values] of Object.entries(incident.top)) {
    // A field with one value is told already.
    if (values.length < 2 || facts.length >= factsMax + 2 || (values[0]?.[1] ?? 0) < telling) continue;
    const told = values
      .slice(0, topValues)
      .map(([value, seen]) => `${cut(cleanLine(value), 80)} ${number(seen)}\u00d7`);
    const more = values.length > topValues ? ', \u2026' : '';
    facts.push({ name: `${cut(cleanLine(name), factNameMax)} (most)`, value: `${told.join(', ')}${more}` });
  }
  if (record !== null) {
    const place = [record.host, record.path ?? record.source].filter((part) => part !== null && part !== '');
    facts.push({ name: 'where', value: cut(cleanLine(place.join(' ')), factValueMax) || '?' });
    if (record.time !== null && stamp(record.time) !== stamp(incident.first_seen_at)) {
      facts.push({ name: 'logged', value: stamp(record.time) });
    }
    if (record.truncated) facts.push({ name: 'cut', value: 'the log record was longer than shown' });
  }
  return [...facts, ...ownFacts({ incident })];
}

function ownFacts({ incident }: Pick<Notification, 'incident'>): Fact[] {
  const facts: Fact[] = [];
  const labels = Object.entries(incident.labels).slice(0, labelsMax);
  if (labels.length > 0) {
    const text = labels.map(([name, value]) => `${cleanLine(name)}=${cleanLine(value)}`).join(' ');
    facts.push({ name: 'labels', value: cut(text, factValueMax) });
  }
  if (incident.owner) facts.push({ name: 'owner', value: cut(cleanLine(incident.owner), factValueMax) });
  return facts;
}

function valueText(value: FieldValue | undefined): string {
  if (value === undefined || value === null) return '';
  const text = typeof value === 'object' ? jsonText(value) : String(value);
  return cut(cleanLine(text.slice(0, 8 * factValueMax)), factValueMax);
}

function jsonText(value: FieldValue): string {
  try {
    return JSON.stringify(value) ?? '';
  } catch {
    return '(too deep to show)';
  }
}

function rowOf(row: IncidentRow): CardRow {
  const fresh = row.new_count > 0 && row.new_count < row.count ? `${number(row.new_count)} new of ` : '';
  const state = row.state === 'firing' ? '' : `${row.state}, `;
  return {
    tone: row.state === 'resolved' ? 'good' : row.state === 'quiet' ? 'calm' : row.severity,
    title: cut(cleanLine(row.title), rowTitleMax) || cleanLine(row.rule) || '(no title)',
    note: `${state}${fresh}${number(row.count)}\u00d7`,
  };
}

function linksOf({ incident }: Notification, runbook: string | null): CardLink[] {
  const links: CardLink[] = runbook === null ? [] : [{ title: 'Runbook', url: runbook }];
  for (const link of incident.links) {
    const url = webLink(link.url);
    if (url !== null) links.push({ title: cut(cleanLine(link.title), linkTitleMax) || 'Link', url });
  }
  return links.slice(0, linksMax);
}

function footerOf({ notification, incident }: Notification): string {
  const parts =
    notification.kind === 'test' || notification.kind === 'self'
      ? [notification.id]
      : [
          `rule ${incident.rule}`,
          incident.fingerprint,
          `incident ${incident.id}`,
          `message ${notification.id}`,
        ];
  if (notification.attempt > 1) parts.push(`attempt ${notification.attempt}, may be a repeat`);
  return parts.map((part) => cut(cleanLine(part), 120)).join(' \u00b7 ');
}

/** `2026-01-05T10:00:01.123Z` -> `2026-01-05 10:00:01 UTC`; anything else stays readable. */
function stamp(iso: string): string {
  const found = /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.\d+)?Z$/.exec(iso);
  return found ? `${found[1]} ${found[2]} UTC` : cut(cleanLine(iso), 40) || '?';
}

function number(value: number): string {
  return Number.isFinite(value) ? Math.round(value).toLocaleString('en-US') : '?';
}

function times(count: number): string {
  return count === 1 ? 'once' : `${number(count)} times`;
}

function plural(word: string, count: number): string {
  if (count === 1) return word;
  return word === 'match' ? 'matches' : `${word}s`;
}
