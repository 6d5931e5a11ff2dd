/**
 * Reads the time at the head of a log line: ISO and its relatives, Celery's and Python's form, syslog's. Gives
 * milliseconds since the epoch, or null where there is none; a stamp that is no real time is none. The clock is never
 * read: a year that a stamp leaves out comes from the time of arrival.
 */
import { type Level, levels } from '../model/record.ts';

const monthNames = 'JanFebMarAprMayJunJulAugSepOctNovDec';
const hourMs = 3_600_000;
/** Offsets remembered per zone; a day of logs needs 24. */
const maxOffsets = 4096;

const formats = new Map<string, Intl.DateTimeFormat>();
const offsets = new Map<string, Map<number, number>>();

/** Milliseconds that `zone` is ahead of UTC at an instant; 0 for a zone that is not known. */
function offsetAt(zone: string, instant: number): number {
  let cache = offsets.get(zone);
  if (!cache) {
    cache = new Map();
    offsets.set(zone, cache);
  }
  // Zones change their offset at quarters of an hour at the finest.
  const slot = Math.floor(instant / 900_000);
  const known = cache.get(slot);
  if (known !== undefined) return known;
  if (cache.size >= maxOffsets) cache.clear();
  let format = formats.get(zone);
  if (!format) {
    try {
      format = new Intl.DateTimeFormat('en-US', {
        timeZone: zone,
        hourCycle: 'h23',
        year: 'numeric',
        month: 'numeric',
        day: 'numeric',
        hour: 'numeric',
        minute: 'numeric',
        second: 'numeric',
      });
    } catch {
      format = new Intl.DateTimeFormat('en-US', { timeZone: 'UTC' });
    }
    formats.set(zone, format);
  }
  const at = slot * 900_000;
  const part: Record<string, number> = {};
  for (const { type, value } of format.formatToParts(at)) part[type] = Number(value);
  const local = Date.UTC(
    part['year'] ?? 1970,
    (part['month'] ?? 1) - 1,
    part['day'] ?? 1,
    part['hour'] ?? 0,
    part['minute'] ?? 0,
    part['second'] ?? 0,
  );
  const offset = part['hour'] === undefined ? 0 : local - at;
  cache.set(slot, offset);
  return offset;
}

/**
 * A wall-clock time in an IANA zone (given as if it were UTC, ms) -> the instant, ms. A time that occurs twice is the
 * first of the two; one that does not exist is moved forwards by the gap.
 */
export function zonedTime(wallMs: number, zone: string): number {
  if (zone === 'UTC') return wallMs;
  const before = offsetAt(zone, wallMs - 24 * hourMs);
  const after = offsetAt(zone, wallMs + 24 * hourMs);
  if (before === after) {
    const near = offsetAt(zone, wallMs - before);
    if (near === before) return wallMs - before;
  }
  // Near a change: the earlier instant whose wall clock is the one written.
  const first = wallMs - Math.max(before, after);
  const second = wallMs - Math.min(before, after);
  if (first + offsetAt(zone, first) === wallMs) return first;
  if (second + offsetAt(zone, second) === wallMs) return second;
  return wallMs - before;
}

function digits(text: string, at: number, count: number): number {
  let value = 0;
  for (let i = at; i < at + count; i++) {
    const digit = text.charCodeAt(i) - 48;
    if (!(digit >= 0 && digit <= 9)) return Number.NaN;
    value = value * 10 + digit;
  }
  return value;
}

/** Lines of one second come together: the last clock that was read. */
let lastClock = '\0';
let lastWall = Number.NaN;

/** `YYYY-MM-DD HH:MM:SS` at a place -> that wall clock as if it were UTC, ms; NaN where it is not one. 19 characters. */
export function wallClock(text: string, at: number): number {
  if (text.startsWith(lastClock, at)) return lastWall;
  if (text.charCodeAt(at + 4) !== 45 || text.charCodeAt(at + 7) !== 45 || text.charCodeAt(at + 13) !== 58) {
    return Number.NaN;
  }
  if (text.charCodeAt(at + 16) !== 58) return Number.NaN;
  const month = digits(text, at + 5, 2);
  const day = digits(text, at + 8, 2);
  const hour = digits(text, at + 11, 2);
  const minute = digits(text, at + 14, 2);
  const second = digits(text, at + 17, 2);
  if (!(month >= 1 && month <= 12 && day >= 1 && day <= 31 && hour <= 23 && minute <= 59 && second <= 60)) {
    return Number.NaN;
  }
  lastClock = text.slice(at, at + 19);
  lastWall = Date.UTC(digits(text, at, 4), month - 1, day, hour, minute, second);
  return lastWall;
}

export interface Stamp {
  /** Milliseconds since the epoch. */
  readonly time: number;
  /** Where the text after the stamp begins. */
  readonly end: number;
  /** The stamp says its own zone. */
  readonly zoned: boolean;
}

function isoStamp(text: string, at: number, zone: string): Stamp | null {
  const separator = text.charCodeAt(at + 10);
  if (separator !== 32 && separator !== 84) return null;
  const wall = wallClock(text, at);
  if (Number.isNaN(wall)) return null;
  let end = at + 19;
  let fraction = 0;
  const mark = text.charCodeAt(end);
  if (mark === 44 || mark === 46) {
    let scale = 100;
    for (end++; text.charCodeAt(end) >= 48 && text.charCodeAt(end) <= 57; end++) {
      fraction += (text.charCodeAt(end) - 48) * scale;
      scale /= 10;
    }
  }
  const time = wall + Math.floor(fraction + 1e-6);
  if (text[end] === 'Z') return { time, end: end + 1, zoned: true };
  const offset = /^ ?([+-])(\d\d):?(\d\d)(?!\d)/.exec(text.slice(end, end + 8));
  if (offset) {
    const ahead = (Number(offset[2]) * 60 + Number(offset[3])) * 60_000;
    return {
      time: offset[1] === '-' ? time + ahead : time - ahead,
      end: end + offset[0].length,
      zoned: true,
    };
  }
  return { time: zonedTime(time, zone), end, zoned: false };
}

function syslogStamp(text: string, at: number, zone: string, receivedAt: number): Stamp | null {
  if (text.charCodeAt(at + 3) !== 32 || text.charCodeAt(at + 9) !== 58 || text.charCodeAt(at + 12) !== 58)
    return null;
  const month = monthNames.indexOf(text.slice(at, at + 3));
  if (month < 0 || month % 3 !== 0) return null;
  const day = Number(text.slice(at + 4, at + 6));
  const hour = digits(text, at + 7, 2);
  const minute = digits(text, at + 10, 2);
  const second = digits(text, at + 13, 2);
  if (!(day >= 1 && day <= 31 && hour <= 23 && minute <= 59 && second <= 60)) return null;
  const year = new Date(receivedAt).getUTCFullYear();
  // No year is written: the latest one that is not more than a day ahead of the arrival.
  for (const candidate of [year + 1, year, year - 1]) {
    const time = zonedTime(Date.UTC(candidate, month / 3, day, hour, minute, second), zone);
    if (time <= receivedAt + 24 * hourMs) return { time, end: at + 15, zoned: false };
  }
  return null;
}

/** The name of a level before the stamp, as Django's verbose form has it. */
const levelBefore = /^([A-Z]{3,9}) {1,8}(?=\d)/;

/** The stamp at the head of a line, in brackets or not, behind a level's name or not, or null. `zone` is for stamps without one. */
export function stampOf(text: string, zone: string, receivedAt: number): Stamp | null {
  const at = text.charCodeAt(0) === 91 ? 1 : 0;
  const first = text.charCodeAt(at);
  if (first >= 48 && first <= 57) return isoStamp(text, at, zone);
  if (first < 65 || first > 90) return null;
  const stamp = syslogStamp(text, at, zone, receivedAt);
  if (stamp !== null || at > 0) return stamp;
  const level = levelBefore.exec(text);
  return level === null || levelOf(level[1] ?? '') === null ? null : isoStamp(text, level[0].length, zone);
}

/** The time at the head of a text, ms since the epoch, or null. */
export function timeOf(text: string, zone: string, receivedAt: number): number | null {
  return stampOf(text, zone, receivedAt)?.time ?? null;
}

const levelAliases: ReadonlyMap<string, Level> = new Map([
  ...levels.map((level) => [level, level] as const),
  ['warn', 'warning'],
  ['err', 'error'],
  ['severe', 'error'],
  ['crit', 'critical'],
  ['fatal', 'critical'],
  ['panic', 'emergency'],
  ['dpanic', 'critical'],
  ['emerg', 'emergency'],
  ['information', 'info'],
  ['verbose', 'debug'],
  ['http', 'debug'],
  ['silly', 'trace'],
  ['fine', 'debug'],
  ['finer', 'trace'],
  ['finest', 'trace'],
  ['default', 'info'],
  // As Python writes them: most lines are spared a change of case.
  ...(['DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL'] as const).map(
    (word) => [word, word.toLowerCase() as Level] as const,
  ),
]);

/** A word for a level in any case -> the level, or null. */
export function levelOf(word: string): Level | null {
  return levelAliases.get(word) ?? levelAliases.get(word.toLowerCase()) ?? null;
}

const levelWord =
  /(?<![A-Za-z])(TRACE|DEBUG|INFO|NOTICE|WARN(?:ING)?|ERR(?:OR)?|CRIT(?:ICAL)?|FATAL|ALERT|EMERG(?:ENCY)?|SEVERE|PANIC)(?![A-Za-z])/;

/** The level that a line names in capitals before its stamp, which ends at `from`, or soon after it, or null. */
export function levelNear(text: string, from: number): Level | null {
  const before = levelBefore.exec(text);
  if (before !== null) return levelOf(before[1] ?? '');
  const found = levelWord.exec(text.slice(from, from + 80));
  return found ? levelOf(found[1] ?? '') : null;
}
