/**
 * logfmt lines, `level=error ts=2026-11-21T02:28:13Z msg="could not reach \"db\"" attempt=3`, as logrus, go-kit, slog and
 * Heroku's router write them. Told from prose by a key that such loggers begin their lines with.
 */
import type { FieldValue } from '../../model/record.ts';
import { unescapeJson } from './json-cursor.ts';
import { type JsonRecord, recordOf } from './json-line.ts';

/** First keys of a line that make it logfmt. */
const firstKeys = [
  'time',
  'ts',
  'level',
  'lvl',
  't',
  'msg',
  'at',
  'timestamp',
  'caller',
  'severity',
  'logger',
].map((key) => Buffer.from(`${key}=`));
const longestKey = 10;
const messageKeys = [Buffer.from('msg="'), Buffer.from('message="')];
/** Pairs of one line that are read. */
const maxPairs = 100;

/** Whether a line begins as logfmt. */
export function isLogfmt(data: Buffer, from: number, to: number): boolean {
  const first = data[from] as number;
  // a c l m s t
  if (first < 0x61 || first > 0x74) return false;
  const end = Math.min(to, from + longestKey);
  let equals = from + 1;
  while (equals < end && data[equals] !== 0x3d) {
    const byte = data[equals] as number;
    if (byte < 0x61 || byte > 0x7a) return false;
    equals++;
  }
  if (equals >= end) return false;
  return (
    firstKeys.some((key) => key.length === equals - from + 1 && isAt(data, from, key)) &&
    hasPair(data, equals, to)
  );
}

function isAt(data: Buffer, at: number, word: Buffer): boolean {
  for (let i = 0; i < word.length; i++) if (data[at + i] !== word[i]) return false;
  return true;
}

/** Whether one more pair follows: a single `t=5` is no log line. */
function hasPair(data: Buffer, from: number, to: number): boolean {
  const next = data.indexOf(0x3d, from + 1);
  return next > 0 && next < to;
}

/** Writes the message, unescaped, where it is quoted; gives its length, 0 where the line itself is enough. */
export function writeLogfmtText(data: Buffer, from: number, to: number, into: Buffer, start: number): number {
  for (const key of messageKeys) {
    let at = from;
    for (;;) {
      at = data.indexOf(key, at);
      if (at < 0 || at >= to) break;
      if (at > from && data[at - 1] !== 0x20) {
        at++;
        continue;
      }
      const open = at + key.length;
      let close = open;
      while (close < to && data[close] !== 0x22) close += data[close] === 0x5c ? 2 : 1;
      return unescapeJson(data, open, Math.min(close, to), into, start) - start;
    }
  }
  return 0;
}

const pair = /([^\s="]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s"]*))/y;

/** The values of a line, or null where it has no pairs. */
export function parseLogfmt(line: string, tz: string, receivedAt: number): JsonRecord | null {
  const values: Record<string, FieldValue> = Object.create(null);
  let at = 0;
  let count = 0;
  while (at < line.length && count < maxPairs) {
    pair.lastIndex = at;
    const found = pair.exec(line);
    if (found === null) {
      // A word without a value, or text: it is passed over.
      const blank = line.indexOf(' ', at + 1);
      if (blank < 0) break;
      at = blank + 1;
      continue;
    }
    const [whole, key = '', quoted, bare = ''] = found;
    values[key] ??= quoted === undefined ? plainValue(bare) : unquoted(quoted);
    count++;
    at += whole.length;
    while (line.charCodeAt(at) === 32) at++;
  }
  return count === 0 ? null : recordOf(values, line, tz, receivedAt);
}

function plainValue(text: string): FieldValue {
  return /^-?(?:0|[1-9]\d{0,14})(?:\.\d{1,15})?$/.test(text) ? Number(text) : text;
}

function unquoted(text: string): string {
  if (!text.includes('\\')) return text;
  const bytes = Buffer.from(text);
  const into = Buffer.allocUnsafe(bytes.length);
  return into.toString('utf8', 0, unescapeJson(bytes, 0, bytes.length, into, 0));
}
