/**
 * Records of log shippers: a line of somebody's log, and beside it where it was found. Tells them from JSON that an application wrote,
 * and packs line and facts, so that the line is read as it would be from its file: its own header, its own JSON, its part in a trace.
 */
import type { BatchWriter } from './http-batch.ts';
import { isObject, type Json, levelOfWord, textAt, timeOf } from './http-facts.ts';

/** Fluent Bit's tail input puts the line there. */
const lineKeys = ['log', 'message'] as const;
const timeKeys = ['date', '@timestamp', 'timestamp', 'time'] as const;
/** What tells one producer from another; in this order they are its name. */
const laneKeys = [
  'tag',
  'host',
  'hostname',
  'container_id',
  'container_name',
  'source_id',
  'file',
  'filename',
  'path',
  'stream',
  'pid',
];
const podKeys = ['namespace_name', 'pod_namespace', 'pod_name', 'container_name'];

/** Whether a record is a line that was shipped: Fluent Bit's and fluentd's `log`, Vector's `message` with its `source_type`. */
export function isShipped(record: Json): boolean {
  const { log, message, msg, source_type: source } = record;
  if (typeof log === 'string') return message === undefined && msg === undefined;
  return typeof message === 'string' && typeof source === 'string';
}

/** Packs a shipped line. `time`: what was said of it outside of the record. */
export function writeShipped(writer: BatchWriter, record: Json, time: number | null): void {
  const lineKey = lineKeys.find((name) => typeof record[name] === 'string') ?? 'log';
  const fields: Record<string, Json[string]> = {};
  let at = time;
  for (const [name, value] of Object.entries(record)) {
    if (name === lineKey) continue;
    const stamp = (timeKeys as readonly string[]).includes(name) ? timeOf(value) : null;
    if (stamp === null) fields[name] = value;
    else at ??= stamp;
  }
  const level = levelOfWord(record['level'] ?? record['severity'] ?? record['levelname']);
  writer.record({ time: at, level, fields }, laneOf(record), String(record[lineKey] ?? ''));
}

/** Packs any other record that came with a time of its own: its text is its JSON. */
export function writeTimed(writer: BatchWriter, record: Json, time: number | null): void {
  writer.record({ time, level: null, fields: {} }, '', JSON.stringify(record));
}

function laneOf(record: Json): string {
  const parts = laneKeys.map((name) => textAt(record, [name])).filter((part) => part !== null);
  const { kubernetes } = record;
  if (isObject(kubernetes))
    parts.push(...podKeys.map((name) => textAt(kubernetes, [name])).filter((part) => part !== null));
  return parts.join(' ');
}
