/**
 * The payload of Papertrail's web hook: events of a saved search, or, with "only send counts", how many there were. Pure.
 */
import type { FieldValue } from '../model/record.ts';
import { type Batch, BatchWriter } from './http-batch.ts';
import { isObject, type Json, levelOfWord, textAt, timeOf } from './http-facts.ts';

const eventKeys = ['hostname', 'program', 'severity', 'facility', 'source_name', 'source_ip', 'id'];

export function isPapertrail(body: Json): boolean {
  return isObject(body['saved_search']) && (Array.isArray(body['events']) || Array.isArray(body['counts']));
}

export function readPapertrail(body: Json): Batch {
  const writer = new BatchWriter();
  const search = isObject(body['saved_search']) ? body['saved_search'] : {};
  const about: Record<string, FieldValue> = {};
  for (const [from, to] of [
    ['name', 'saved_search'],
    ['query', 'query'],
    ['html_search_url', 'search_url'],
  ] as const) {
    const value = search[from];
    if (typeof value === 'string') about[to] = value;
  }
  const list = (value: FieldValue | undefined): readonly Json[] =>
    Array.isArray(value) ? value.filter(isObject) : [];
  for (const event of list(body['events'])) {
    const fields: Record<string, FieldValue> = { ...about };
    for (const name of eventKeys) if (event[name] !== undefined) fields[name] = event[name];
    const level = levelOfWord(event['severity']);
    const lane = `${textAt(event, ['hostname', 'source_name']) ?? ''} ${textAt(event, ['program']) ?? ''}`;
    writer.record(
      { time: timeOf(event['received_at']), level, fields },
      lane,
      textAt(event, ['message']) ?? '',
    );
  }
  for (const one of list(body['counts'])) {
    const series = isObject(one['timeseries']) ? one['timeseries'] : {};
    let count = 0;
    let last: number | null = null;
    for (const [at, many] of Object.entries(series)) {
      count += Number(many) || 0;
      last = Math.max(last ?? 0, timeOf(at) ?? 0) || last;
    }
    const source = textAt(one, ['source_name']) ?? 'unknown';
    const fields = { ...about, source_name: source, count };
    const name = String(about['saved_search'] ?? '');
    writer.record(
      { time: last, level: null, fields },
      source,
      `${source}: ${count} events match the saved search "${name}"`,
    );
  }
  const cut = body['reached_record_limit'] === true || body['reached_time_limit'] === true;
  return writer.finish(cut ? { papertrail_cut: 1 } : {});
}
