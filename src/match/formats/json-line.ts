/**
 * Reads a log line that is a JSON object, twice: every line as bytes, for the text that is searched (the message and the
 * trace, unescaped); and the few that a rule may want as values, for fields, level and time. What `JSON.parse` refuses is
 * no JSON line. Big or deep values are kept as text, so that nothing grows without a limit.
 */
import type { Fields, FieldValue, Level } from '../../model/record.ts';
import { levelOf, stampOf } from '../stamps.ts';
import { JsonCursor, unescapeJson } from './json-cursor.ts';
import {
  type KeyRole,
  levelRole,
  loggerRole,
  messageRole,
  roleOfBytes,
  roleOfKey,
  timeRole,
  traceRole,
} from './json-keys.ts';

/** What one line holds that is searched. */
export interface JsonText {
  /** Bytes written: message, and behind a line feed the trace. 0 where the line names no message and no trace. */
  length: number;
  /** It says more than an object in somebody's text would: a message with a time, level or logger. */
  telling: boolean;
}

/** Fields of one record: so many names, so many characters in all, so deep. What is beyond is left out or kept as text. */
const maxNames = 100;
const maxCharacters = 16_384;
const maxValue = 2_048;
const maxDepth = 6;

const cursor = new JsonCursor();

/**
 * Writes the searched text of a line into `into` at `start`, which must have room for as many bytes as the line has and one
 * more. False where the bytes are no JSON object.
 */
export function writeJsonText(
  data: Buffer,
  from: number,
  to: number,
  into: Buffer,
  start: number,
  found: JsonText,
): boolean {
  if (!cursor.begin(data, from, to)) return false;
  let messageRank = 99;
  let messageFrom = 0;
  let messageTo = 0;
  let messageEscape = -1;
  let traceRank = 99;
  let traceFrom = 0;
  let traceTo = 0;
  let slowly = false;
  let sign = 0;
  while (cursor.next()) {
    const key = roleOfBytes(data, cursor.keyFrom, cursor.keyTo);
    if (key === null) continue;
    const { role, rank } = key;
    if (role === messageRole) {
      if (rank < messageRank && cursor.isString && cursor.valueTo > cursor.valueFrom) {
        messageRank = rank;
        messageFrom = cursor.valueFrom;
        messageTo = cursor.valueTo;
        messageEscape = cursor.escaped ? cursor.escapeAt : -1;
      }
    } else if (role === traceRole) {
      if (!cursor.isString) slowly ||= data[cursor.valueFrom] === 0x7b || data[cursor.valueFrom] === 0x5b;
      else if (rank < traceRank && cursor.escaped) {
        traceRank = rank;
        traceFrom = cursor.valueFrom;
        traceTo = cursor.valueTo;
      }
    } else sign++;
  }
  if (!cursor.ended) return false;
  found.telling = messageRank < 99 && sign > 0;
  if (slowly) return writeSlowly(data, from, to, into, start, found);
  let out = start;
  if (messageRank < 99) {
    if (messageEscape >= 0) out = unescapeJson(data, messageFrom, messageTo, into, out, messageEscape);
    else out += data.copy(into, out, messageFrom, messageTo);
  }
  if (traceRank < 99) {
    into[out++] = 0x0a;
    out = unescapeJson(data, traceFrom, traceTo, into, out);
  }
  found.length = out - start;
  return true;
}

/** Traces that are objects or lists: the text of them is made as it is for a record. */
function writeSlowly(
  data: Buffer,
  from: number,
  to: number,
  into: Buffer,
  start: number,
  found: JsonText,
): boolean {
  const record = parseJsonLine(data.toString('utf8', from, to), 'UTC', 0);
  if (record === null) return false;
  const text = record.trace === '' ? record.message : `${record.message}\n${record.trace}`;
  found.length = into.write(text.slice(0, to - from), start, 'utf8');
  return true;
}

/** A JSON line as values. */
export interface JsonRecord {
  readonly message: string;
  /** Empty where there is none. */
  readonly trace: string;
  readonly level: Level | null;
  readonly time: number | null;
  /** The time says its own zone. */
  readonly zoned: boolean;
  /** Python's name of the process, or null. */
  readonly process: string | null;
  /** All keys but those of message and trace. */
  readonly fields: Fields;
}

interface Found {
  readonly key: string;
  readonly value: unknown;
  readonly rank: number;
}

/** The values of a line, or null where it is no JSON object. `tz` is for times without a zone. */
export function parseJsonLine(line: string, tz: string, receivedAt: number): JsonRecord | null {
  let parsed: unknown;
  try {
    parsed = JSON.parse(line);
  } catch {
    return null;
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) return null;
  return recordOf(parsed as Record<string, unknown>, line, tz, receivedAt);
}

/** The parts of a record whose keys and values are known. */
export function recordOf(
  object: Record<string, unknown>,
  line: string,
  tz: string,
  receivedAt: number,
): JsonRecord {
  const best: (Found | undefined)[] = [];
  for (const key of Object.keys(object)) {
    const known = roleOfKey(key);
    if (known !== null) better(best, known, key, object[key]);
  }
  const message = best[messageRole];
  const trace = best[traceRole];
  const time = timeOfValue(best[timeRole]?.value, tz, receivedAt);
  const level = best[levelRole];
  const logger = best[loggerRole];
  const fields = fieldsOf(object, new Set([message?.key, trace?.key]));
  if (typeof logger?.value === 'string') fields['logger'] ??= logger.value;
  const process = object['processName'];
  return {
    message: typeof message?.value === 'string' ? message.value : line,
    trace: trace === undefined ? '' : traceText(trace.value),
    level: level === undefined ? null : levelOfValue(level.key, level.value),
    time: time?.time ?? null,
    zoned: time?.zoned ?? false,
    process: typeof process === 'string' ? process : null,
    fields,
  };
}

/** Keeps the best key of each role whose value can be one. */
function better(best: (Found | undefined)[], known: KeyRole, key: string, value: unknown): void {
  const { role, rank } = known;
  if (role === messageRole && typeof value !== 'string') return;
  if (role === traceRole && traceText(value) === '') return;
  if (value === null || value === '') return;
  const now = best[role];
  if (now === undefined || rank < now.rank) best[role] = { key, value, rank };
}

/** A trace as text: itself, or from an error object (`stack`, `stack_trace`, a list of frames). Empty where it is none. */
function traceText(value: unknown): string {
  if (typeof value === 'string') return value.includes('\n') ? value : '';
  if (Array.isArray(value)) return listTrace(value);
  if (typeof value !== 'object' || value === null) return '';
  const error = value as Record<string, unknown>;
  for (const key of ['stack', 'stack_trace', 'stackTrace', 'stacktrace', 'extendedStackTrace', 'traceback']) {
    const text = error[key];
    if (typeof text === 'string' && text !== '') return text;
    if (Array.isArray(text)) return `${errorHead(error)}\n${listTrace(text)}`;
  }
  return '';
}

function errorHead(error: Record<string, unknown>): string {
  const type = error['type'] ?? error['name'] ?? error['class'] ?? error['exc_type'] ?? 'Error';
  const message = error['message'] ?? error['exc_value'] ?? '';
  return message === '' ? String(type) : `${String(type)}: ${String(message)}`;
}

/** A list of lines, or of structlog's exceptions with their frames. */
function listTrace(list: readonly unknown[]): string {
  const lines: string[] = [];
  for (const one of list.slice(0, 500)) {
    if (typeof one === 'string') lines.push(one);
    if (typeof one !== 'object' || one === null) continue;
    const entry = one as Record<string, unknown>;
    if (Array.isArray(entry['frames'])) {
      lines.push('Traceback (most recent call last):');
      for (const frame of entry['frames'].slice(0, 500)) {
        const { filename, lineno, name } = frame as Record<string, unknown>;
        lines.push(`  File "${String(filename)}", line ${String(lineno)}, in ${String(name)}`);
      }
      lines.push(errorHead(entry));
    }
  }
  return lines.join('\n');
}

/** Pino's and bunyan's numbers, Python's `levelno`, syslog's severities, and every known word. */
export function levelOfValue(key: string, value: unknown): Level | null {
  if (typeof value === 'string') {
    if (/^\d$/.test(value)) return syslogLevels[Number(value)] ?? null;
    return levelOf(value.replace(/^.*\./, ''));
  }
  if (typeof value !== 'number') return null;
  if (key === 'levelno') return pythonLevels[Math.floor(value / 10)] ?? null;
  if (value < 8) return syslogLevels[value] ?? null;
  return pinoLevels[Math.floor(value / 10)] ?? null;
}

/** Levels by syslog's severity. */
export const syslogLevels: readonly Level[] = [
  'emergency',
  'alert',
  'critical',
  'error',
  'warning',
  'notice',
  'info',
  'debug',
];
const pinoLevels: readonly Level[] = ['trace', 'trace', 'debug', 'info', 'warning', 'error', 'critical'];
const pythonLevels: readonly Level[] = ['trace', 'debug', 'info', 'warning', 'error', 'critical'];

/** Seconds, milliseconds, microseconds or nanoseconds since the epoch: which, its size tells (from 1973 to 5138). */
function epochMs(value: number): number | null {
  if (!(value > 1e8 && value < 1e20)) return null;
  if (value < 1e11) return Math.floor(value * 1000);
  if (value < 1e14) return Math.floor(value);
  return value < 1e17 ? Math.floor(value / 1000) : Math.floor(value / 1e6);
}

function timeOfValue(
  value: unknown,
  tz: string,
  receivedAt: number,
): { readonly time: number; readonly zoned: boolean } | null {
  if (typeof value === 'number') {
    const time = epochMs(value);
    return time === null ? null : { time, zoned: true };
  }
  if (typeof value !== 'string') return null;
  if (/^\d{9,19}(?:\.\d+)?$/.test(value)) {
    const time = epochMs(Number(value));
    return time === null ? null : { time, zoned: true };
  }
  return stampOf(value, tz, receivedAt);
}

/** The fields of an object within the limits. Without prototypes, so that no key means more than its value. */
export function fieldsOf(
  object: Record<string, unknown>,
  without: ReadonlySet<string | undefined> = new Set(),
): Record<string, FieldValue> {
  const budget = { names: maxNames, characters: maxCharacters };
  const fields: Record<string, FieldValue> = Object.create(null);
  for (const key of Object.keys(object)) {
    if (without.has(key)) continue;
    if (budget.names-- <= 0) break;
    const value = bounded(object[key], 1, budget);
    if (value !== undefined) fields[key.slice(0, maxValue)] = value;
  }
  return fields;
}

function bounded(
  value: unknown,
  depth: number,
  budget: { names: number; characters: number },
): FieldValue | undefined {
  if (value === null || typeof value === 'boolean' || typeof value === 'number') return value;
  if (typeof value === 'string') {
    const room = Math.min(maxValue, Math.max(0, budget.characters));
    budget.characters -= Math.min(value.length, room);
    return value.length > room ? `${value.slice(0, room).toWellFormed()}…` : value;
  }
  if (typeof value !== 'object' || depth >= maxDepth) return depth >= maxDepth ? '…' : undefined;
  if (Array.isArray(value)) {
    const list: FieldValue[] = [];
    for (const one of value) {
      if (budget.names-- <= 0) break;
      list.push(bounded(one, depth + 1, budget) ?? null);
    }
    return list;
  }
  const nested: Record<string, FieldValue> = Object.create(null);
  for (const key of Object.keys(value)) {
    if (budget.names-- <= 0) break;
    const one = bounded((value as Record<string, unknown>)[key], depth + 1, budget);
    if (one !== undefined) nested[key.slice(0, maxValue)] = one;
  }
  return nested;
}
