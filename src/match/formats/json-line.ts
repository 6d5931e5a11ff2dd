/**
 * Reads a log line that is a JSON object as values, for the few lines that a rule may want: message, trace, level, time, logger and
 * fields, by the keys of the known loggers. Also makes a record of an object that came another way. What `JSON.parse` refuses is no
 * JSON line.
 */
import type { Fields, Level } from '../../model/record.ts';
import { levelOf, stampOf } from '../stamps.ts';
import { fieldsOf } from './bounded-fields.ts';
import {
  type KeyRole,
  levelRole,
  loggerRole,
  messageRole,
  roleOfKey,
  timeRole,
  traceRole,
} from './json-keys.ts';

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
function levelOfValue(key: string, value: unknown): Level | null {
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
const syslogLevels: readonly Level[] = [
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
