/**
 * OTLP/HTTP logs in their JSON encoding: resources, scopes and records as one record each, with all their attributes as fields. Pure.
 */
import type { FieldValue, Level } from '../model/record.ts';
import { type Batch, BatchWriter } from './http-batch.ts';
import { isObject, type Json, levelOfWord, textAt, timeOf } from './http-facts.ts';

/** Attributes that tell one producer from another. */
const laneKeys = [
  'service.name',
  'service.instance.id',
  'host.name',
  'k8s.namespace.name',
  'k8s.pod.name',
  'k8s.container.name',
  'container.id',
  'process.pid',
];
const lineKeys = ['log.file.path', 'log.file.name', 'log.iostream'];
/** Values of values: deeper ones are left out. */
const depthMax = 6;

/** Levels by severityNumber: 1-4 trace, 5-8 debug, 9-12 info, 13-16 warn, 17-20 error, 21-24 fatal. */
const levelOfFour: readonly Level[] = ['trace', 'debug', 'info', 'warning', 'error', 'critical'];

export function isOtlp(body: Json): boolean {
  return Array.isArray(body['resourceLogs']);
}

export function readOtlp(body: Json): Batch {
  const writer = new BatchWriter();
  let rejected = 0;
  for (const resourceLogs of objects(body['resourceLogs'])) {
    const resource = isObject(resourceLogs['resource']) ? resourceLogs['resource'] : {};
    const ofResource = attributes(resource['attributes']);
    const base = laneKeys.map((name) => textAt(ofResource, [name]) ?? '').join(' ');
    for (const scopeLogs of objects(
      resourceLogs['scopeLogs'] ?? resourceLogs['instrumentationLibraryLogs'],
    )) {
      const scope = isObject(scopeLogs['scope']) ? scopeLogs['scope'] : {};
      const ofScope: Record<string, FieldValue> = { ...ofResource, ...attributes(scope['attributes']) };
      if (typeof scope['name'] === 'string' && scope['name'] !== '') ofScope['logger'] = scope['name'];
      const records = scopeLogs['logRecords'];
      for (const record of Array.isArray(records) ? records : []) {
        if (isObject(record)) writeRecord(writer, record, ofScope, base);
        else rejected++;
      }
    }
  }
  return writer.finish({ otlp_rejected: rejected });
}

function writeRecord(writer: BatchWriter, record: Json, above: Json, base: string): void {
  const own = attributes(record['attributes']);
  const fields: Record<string, FieldValue> = { ...above, ...own };
  // It is the record's trace, and needn't be there twice.
  delete fields['exception.stacktrace'];
  for (const [name, field] of [
    ['traceId', 'trace_id'],
    ['spanId', 'span_id'],
    ['eventName', 'event_name'],
    ['severityText', 'severity_text'],
  ] as const) {
    const value = record[name];
    if (typeof value === 'string' && value !== '') fields[field] = value;
  }
  const number = Number(record['severityNumber']);
  const level =
    number >= 1 && number <= 24
      ? (levelOfFour[Math.floor((number - 1) / 4)] ?? null)
      : levelOfWord(record['severityText']);
  const time = timeOf(record['timeUnixNano']) ?? timeOf(record['observedTimeUnixNano']);
  const lane = `${base} ${lineKeys.map((name) => textAt(fields, [name]) ?? '').join(' ')}`;
  writer.record({ time, level, fields }, lane, textOf(record, own));
}

/** The body, and behind it the trace that an SDK says as an attribute. */
function textOf(record: Json, own: Json): string {
  const body = record['body'] === undefined ? null : anyValue(record['body'], 0);
  const trace = textAt(own, ['exception.stacktrace']);
  const what = [textAt(own, ['exception.type']), textAt(own, ['exception.message'])]
    .filter(Boolean)
    .join(': ');
  const said =
    typeof body === 'string' ? body : body === null || body === undefined ? '' : JSON.stringify(body);
  const text = said === '' ? what : said;
  if (trace === null || text.includes(trace)) return text;
  return text === '' ? trace : `${text}\n${trace}`;
}

function objects(value: FieldValue | undefined): readonly Json[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}

function attributes(value: FieldValue | undefined): Record<string, FieldValue> {
  const found: Record<string, FieldValue> = {};
  for (const one of objects(value)) {
    const { key } = one;
    const own = typeof key === 'string' ? anyValue(one['value'], 0) : undefined;
    if (typeof key === 'string' && own !== undefined) found[key] = own;
  }
  return found;
}

/** An `AnyValue` as what it means. Whole numbers come as text, since they may have 64 bits. */
function anyValue(value: FieldValue | undefined, depth: number): FieldValue | undefined {
  if (!isObject(value) || depth > depthMax) return undefined;
  const { stringValue, boolValue, intValue, doubleValue, arrayValue, kvlistValue, bytesValue } = value;
  if (typeof stringValue === 'string') return stringValue;
  if (typeof boolValue === 'boolean') return boolValue;
  if (typeof intValue === 'number' || typeof intValue === 'string')
    return Number.isSafeInteger(Number(intValue)) ? Number(intValue) : String(intValue);
  if (typeof doubleValue === 'number' || typeof doubleValue === 'string') return doubleValue;
  if (isObject(arrayValue))
    return objects(arrayValue['values']).map((one) => anyValue(one, depth + 1) ?? null);
  if (isObject(kvlistValue)) {
    const map: Record<string, FieldValue> = {};
    for (const one of objects(kvlistValue['values'])) {
      const own = anyValue(one['value'], depth + 1);
      if (typeof one['key'] === 'string' && own !== undefined) map[one['key']] = own;
    }
    return map;
  }
  return typeof bytesValue === 'string' ? bytesValue : undefined;
}
