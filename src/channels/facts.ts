/**
 * The facts of a card: fields of the incident, what its trace says, the values that come most, where it was logged, labels and
 * owner. Takes a notification, gives names and values, cleaned, cut and in the order a person looks for them. Pure.
 */
import { exceptionOf } from '../match/exception.ts';
import type { Notification } from '../model/notification.ts';
import type { FieldValue } from '../model/record.ts';
import { number, stamp } from './figures.ts';
import { cleanLine, cut } from './text.ts';

export interface Fact {
  readonly name: string;
  readonly value: string;
}

const factsMax = 12;
const factNameMax = 60;
const factValueMax = 300;
const labelsMax = 12;
/** Values named per field in `top`. */
const topValues = 3;

/** Facts that a person looks for first, in this order; the others follow in theirs. */
const firstFacts = ['task', 'exception'];
const nextFacts = ['retries', 'limit_reached', 'task_id'];

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

/** Facts of a message about an incident. */
export function factsOf({ notification, incident, record }: Notification): Fact[] {
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

/** Facts of any message: labels and owner. */
export function ownFacts({ incident }: Pick<Notification, 'incident'>): Fact[] {
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
