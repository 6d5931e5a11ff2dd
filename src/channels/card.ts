/**
 * A notification -> what a person on call reads: a mark, a title, one line of state, facts, the log text, context,
 * links, rows and a footer, all cleaned and still without any markup. Each channel lays these parts out in its own
 * way and may cut them further; no part is ever joined with markup here. Total: any notification gives a card.
 */
import { formatDuration } from '../model/duration.ts';
import type { IncidentRow, Notification } from '../model/notification.ts';
import { type Fact, factsOf, ownFacts } from './facts.ts';
import { number, stamp } from './figures.ts';
import { clean, cleanLine, cut } from './text.ts';
import { webLink } from './url.ts';

export type Tone = 'critical' | 'error' | 'warning' | 'info' | 'good' | 'calm';

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
const contextLines = 5;
const contextLineMax = 300;
const textMax = 1500;
const stepsMax = 600;
const rowsMax = 40;
const rowTitleMax = 160;
const linksMax = 5;
const linkTitleMax = 60;

/** Log text beyond this is cut by every channel anyway: cleaning it would be work for nothing. */
const logMax = 131_072;

/** Everything a channel may show of a notification, cleaned. */
export function cardOf(notification: Notification): Card {
  const { incident, record } = notification;
  const { kind } = notification.notification;
  // Good news is short: what broke was told when it did. Context belongs to the first message alone.
  const resolved = kind === 'resolved';
  const context = kind === 'first' ? record : null;
  const log = record === null || resolved ? '' : logText(record.message, record.trace);
  // The message of a digest is its rows once more.
  const listed = kind === 'digest' && notification.incidents.length > 0;
  const whole = resolved || listed ? '' : clean(incident.message.slice(0, logMax)).trim();
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
    steps: runbook === null && !resolved ? cut(clean(incident.runbook ?? ''), stepsMax).trim() : '',
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
      const fresh = incident.new_count < count ? `${number(incident.new_count)} new of ` : '';
      return `${rows}${fresh}${number(count)} ${plural('match', count)} ${since}`;
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

function times(count: number): string {
  return count === 1 ? 'once' : `${number(count)} times`;
}

function plural(word: string, count: number): string {
  if (count === 1) return word;
  return word === 'match' ? 'matches' : `${word}s`;
}
