/**
 * Reads how long a server asks us to wait, in every form that chat services use: the header as seconds or as a date,
 * and the fields of a JSON body. Gives milliseconds within bounds, or null where nothing usable is said. Pure.
 */
import type { HttpAnswer } from './http.ts';
import { jsonObject, member } from './json.ts';

/** A server may not silence a channel for longer. */
const retryAfterMaxMs = 3_600_000;
/** "At once" from a server that has just refused is not believed. */
const retryAfterMinMs = 1_000;

/** The longest wait that header or body name, ms, within the two bounds; null when there is none (our own back-off). */
export function retryAfterMs(answer: HttpAnswer, now: number): number | null {
  const { headers } = answer;
  const body = jsonObject(answer.body);
  const parameters = body === null ? undefined : member(body, 'parameters');
  const waits = [
    headerWait(headers['retry-after'], headers['date'], now),
    seconds(headers['x-ogw-ratelimit-reset']),
    seconds(body && member(body, 'retry_after')),
    seconds(body && member(body, 'retry-after')),
    milliseconds(body && member(body, 'retry_after_ms')),
    typeof parameters === 'object' && parameters !== null ? seconds(member(parameters, 'retry_after')) : null,
  ].filter((wait) => wait !== null);
  if (waits.length === 0) return null;
  return Math.min(retryAfterMaxMs, Math.max(retryAfterMinMs, Math.ceil(Math.max(...waits))));
}

function headerWait(value: string | undefined, date: string | undefined, now: number): number | null {
  if (value === undefined) return null;
  const asSeconds = seconds(value);
  if (asSeconds !== null) return asSeconds;
  const at = httpDate(value);
  if (at === null) return null;
  // The server's own clock is the better one for a date that it made.
  return Math.max(0, at - (httpDate(date ?? '') ?? now));
}

function seconds(value: unknown): number | null {
  const wait = milliseconds(value);
  return wait === null ? null : wait * 1000;
}

function milliseconds(value: unknown): number | null {
  if (typeof value === 'number') return Number.isFinite(value) && value >= 0 ? value : null;
  if (typeof value !== 'string' || !/^\s*\d{1,15}(?:\.\d{1,15})?(?:e\d{1,2})?\s*$/i.test(value)) return null;
  return Number(value);
}

const months = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];

/** The three forms of RFC 9110 section 5.6.7 -> ms since the epoch; null for anything else. */
export function httpDate(text: string): number | null {
  const found =
    /^\w{3,9},\s+(?<day>\d{1,2})[ -](?<month>[a-z]{3})[ -](?<year>\d{4}|\d{2})\s+(?<h>\d\d):(?<m>\d\d):(?<s>\d\d)\s+(?:GMT|UTC)$/i.exec(
      text.trim(),
    ) ??
    /^\w{3}\s+(?<month>[a-z]{3})\s+(?<day>\d{1,2})\s+(?<h>\d\d):(?<m>\d\d):(?<s>\d\d)\s+(?<year>\d{4})$/i.exec(
      text.trim(),
    );
  const part = found?.groups;
  if (!part) return null;
  const month = months.indexOf((part['month'] ?? '').toLowerCase());
  if (month < 0) return null;
  const written = Number(part['year']);
  const year = written >= 100 ? written : written + (written < 70 ? 2000 : 1900);
  return Date.UTC(year, month, Number(part['day']), Number(part['h']), Number(part['m']), Number(part['s']));
}
