/**
 * The facts of one syslog message as values: what `SyslogHead` found, read to its end. Takes the bytes of a message; gives its
 * envelope, its time, and where its text stands. A stamp that is no real time is no time, and broken structured data is text.
 */
import { type Level, levels, type SyslogEnvelope } from '../model/record.ts';
import { zonedTime } from './stamps.ts';
import { SyslogHead } from './syslog-head.ts';
import { nameEnd } from './syslog-shapes.ts';

const dayMs = 86_400_000;
/** A stamp without a year is not older than this when it comes. */
const oldestMs = 366 * dayMs;
const monthNames = 'JanFebMarAprMayJunJulAugSepOctNovDec';

export interface SyslogOptions {
  /** IANA zone for stamps without one. */
  readonly tz: string;
  /** When the message came, ms: the year of a stamp that has none. */
  readonly receivedAt: number;
  /** False where the sender leaves structured data out (Logplex). */
  readonly structured?: boolean;
}

export interface SyslogMessage {
  /** False where the bytes have no head at all: all of them are the message. */
  readonly found: boolean;
  readonly envelope: SyslogEnvelope;
  /** The stamp as milliseconds since the epoch, or null. */
  readonly time: number | null;
  /** Where the text begins and ends in the bytes. */
  readonly from: number;
  readonly to: number;
}

/** Reads the message in `data` from `start` to `end`. Never throws. */
export function parseSyslog(data: Buffer, start: number, end: number, options: SyslogOptions): SyslogMessage {
  const head = new SyslogHead();
  head.read(data, start, end, options.structured ?? true);
  const time = head.stampTo > head.stampFrom ? timeOf(data, head.stampFrom, head.stampTo, options) : null;
  const text = (from: number, to: number): string | null =>
    to > from ? data.toString('utf8', from, to) : null;
  const { pri } = head;
  return {
    found: head.form !== 'none',
    time,
    from: head.messageFrom,
    to: head.messageTo,
    envelope: {
      pri: pri < 0 ? null : pri,
      facility: pri < 0 ? null : pri >> 3,
      severity: pri < 0 ? null : pri & 7,
      version: head.version < 0 ? null : head.version,
      timestamp: time === null ? null : new Date(time).toISOString(),
      hostname: text(head.hostFrom, head.hostTo),
      appname: text(head.appFrom, head.appTo),
      procid: text(head.procFrom, head.procTo),
      msgid: text(head.idFrom, head.idTo),
      structured_data: head.dataTo > head.dataFrom ? structuredData(data, head.dataFrom, head.dataTo) : null,
    },
  };
}

/** A severity of syslog (0 emergency to 7 debug) as a level, or null where there is none. */
export function levelOfSeverity(severity: number | null): Level | null {
  return severity === null ? null : (levels[levels.length - 1 - severity] ?? null);
}

/** The time of a stamp whose shape is known; null where it is no real time. */
function timeOf(data: Buffer, from: number, to: number, options: SyslogOptions): number | null {
  const text = data.toString('latin1', from, to);
  const first = text.charCodeAt(0);
  return first >= 0x30 && first <= 0x39 ? isoTime(text, options) : oldTime(text, options);
}

const isoForm =
  /^(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:[.,](\d+))?(?:([Zz])|([+-])(\d\d):?(\d\d))?$/;

function isoTime(text: string, options: SyslogOptions): number | null {
  const found = isoForm.exec(text);
  if (!found) return null;
  const [, year, month, day, hour, minute, second, fraction, utc, sign, hours, minutes] = found;
  const wall = wallOf(
    Number(year),
    Number(month) - 1,
    Number(day),
    Number(hour),
    Number(minute),
    Number(second),
  );
  if (wall === null) return null;
  const at = wall + milliseconds(fraction);
  if (utc !== undefined) return at;
  if (sign === undefined) return zonedTime(at, options.tz);
  if (Number(hours) > 23 || Number(minutes) > 59) return null;
  const ahead = (Number(hours) * 60 + Number(minutes)) * 60_000;
  return sign === '-' ? at + ahead : at - ahead;
}

const oldForm = /^([A-Z][a-z]{2}) +(\d{1,2}) (?:(\d{4}) )?(\d\d):(\d\d):(\d\d)(?:[.,](\d+))?(?: ([A-Z]+))?$/;

function oldTime(text: string, options: SyslogOptions): number | null {
  const found = oldForm.exec(text);
  if (!found) return null;
  const [, name, day, year, hour, minute, second, fraction, zone] = found;
  const month = monthNames.indexOf(name ?? '') / 3;
  const tz = zone === 'UTC' || zone === 'GMT' ? 'UTC' : options.tz;
  const at = (full: number): number | null => {
    const wall = wallOf(full, month, Number(day), Number(hour), Number(minute), Number(second));
    return wall === null ? null : zonedTime(wall + milliseconds(fraction), tz);
  };
  if (year !== undefined) return at(Number(year));
  const { receivedAt } = options;
  const thisYear = new Date(receivedAt).getUTCFullYear();
  // The latest year in which it is not more than a day ahead; February 29 is not in all of them.
  for (const candidate of [thisYear + 1, thisYear, thisYear - 1]) {
    const time = at(candidate);
    if (time !== null && time <= receivedAt + dayMs) return time >= receivedAt - oldestMs ? time : null;
  }
  return null;
}

/** A wall clock as if it were UTC, ms; null where the calendar or the clock has no such place. */
function wallOf(
  year: number,
  month: number,
  day: number,
  hour: number,
  minute: number,
  second: number,
): number | null {
  if (month < 0 || month > 11 || day < 1 || hour > 23 || minute > 59 || second > 60) return null;
  const wall = Date.UTC(year, month, day, hour, minute, second);
  return new Date(Date.UTC(year, month, day)).getUTCDate() === day ? wall : null;
}

/** Digits behind the point as whole milliseconds: the rest is cut off. */
function milliseconds(fraction: string | undefined): number {
  return fraction === undefined ? 0 : Number(`${fraction}00`.slice(0, 3));
}

type Data = Record<string, Record<string, string | string[]>>;

/** The elements of structured data that was found whole. A name that comes again makes a list of its values. */
function structuredData(data: Buffer, from: number, to: number): Data {
  const found: Data = Object.create(null) as Data;
  let at = from;
  while (at < to) {
    const idTo = nameEnd(data, at + 1, to);
    const id = data.toString('utf8', at + 1, idTo);
    const params = found[id] ?? (Object.create(null) as Record<string, string | string[]>);
    found[id] = params;
    at = idTo;
    for (;;) {
      while (data[at] === 0x20) at++;
      if (data[at] === 0x5d) break;
      const nameTo = nameEnd(data, at, to);
      const name = data.toString('utf8', at, nameTo);
      let close = nameTo + 2;
      for (; data[close] !== 0x22; close++) if (data[close] === 0x5c) close++;
      const value = data.toString('utf8', nameTo + 2, close).replace(/\\(["\\\]])/g, '$1');
      const known = params[name];
      params[name] =
        known === undefined ? value : typeof known === 'string' ? [known, value] : [...known, value];
      at = close + 1;
    }
    at++;
  }
  return found;
}
