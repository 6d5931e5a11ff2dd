/**
 * What senders call things, as our facts: levels as words and numbers, times as numbers and stamps. Pure; what it does not know is null.
 */
import type { FieldValue, Level } from '../model/record.ts';

export type Json = Readonly<Record<string, FieldValue>>;

export function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const levelWords: Readonly<Record<string, Level>> = {
  trace: 'trace',
  debug: 'debug',
  info: 'info',
  information: 'info',
  informational: 'info',
  notice: 'notice',
  warn: 'warning',
  warning: 'warning',
  err: 'error',
  error: 'error',
  crit: 'critical',
  critical: 'critical',
  fatal: 'critical',
  alert: 'alert',
  emerg: 'emergency',
  emergency: 'emergency',
  panic: 'emergency',
};

export function levelOfWord(word: unknown): Level | null {
  if (typeof word !== 'string') return null;
  const found = word.toLowerCase();
  return Object.hasOwn(levelWords, found) ? (levelWords[found] ?? null) : null;
}

/** Seconds, milliseconds, microseconds or nanoseconds since the epoch (which, its size tells), or a stamp with its zone. */
export function timeOf(value: unknown): number | null {
  if (typeof value === 'number') return epochMs(value);
  if (typeof value !== 'string') return null;
  if (/^\d{9,19}(\.\d+)?$/.test(value)) return epochMs(Number(value));
  if (!/(?:[Zz]|[+-]\d\d:?\d\d)$/.test(value)) return null;
  const at = Date.parse(value);
  return Number.isNaN(at) ? null : at;
}

function epochMs(value: number): number | null {
  if (!(value > 1e8 && value < 1e20)) return null;
  if (value < 1e11) return Math.floor(value * 1000);
  if (value < 1e14) return Math.floor(value);
  return value < 1e17 ? Math.floor(value / 1000) : Math.floor(value / 1e6);
}

/** The first of these that is a text and not empty. */
export function textAt(record: Json, names: readonly string[]): string | null {
  for (const name of names) {
    const value = Object.hasOwn(record, name) ? record[name] : undefined;
    if (typeof value === 'string' && value !== '') return value;
  }
  return null;
}
