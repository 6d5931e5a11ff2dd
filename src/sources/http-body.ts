/**
 * Tells what a body is, from its type and its shape, and reads it to records. Bytes and headers in; a batch, or a refusal that says what to
 * send instead. What is no JSON and claims to be none is text, line by line.
 */
import { type Batch, emptyBatch, type Refusal } from './http-batch.ts';
import { readFluent } from './http-fluent.ts';
import { readJson, skipBlanks } from './http-json.ts';
import { readOtlp } from './http-otlp.ts';
import { decodeOtlp } from './http-otlp-proto.ts';

const lineFeed = 0x0a;

export type BodyKind = 'logplex' | 'msgpack' | 'json' | 'protobuf' | 'form' | 'text' | 'lines-of-json';

/** The kind of a body by its `Content-Type`, or why it is not taken. */
export function kindOfType(type: string): BodyKind | Refusal {
  const name = (type.split(';')[0] ?? '').trim().toLowerCase();
  if (name === 'application/logplex-1') return 'logplex';
  if (
    name === 'application/msgpack' ||
    name === 'application/x-msgpack' ||
    name === 'application/vnd.msgpack'
  )
    return 'msgpack';
  if (name === 'application/json') return 'json';
  if (
    /^application\/(x-)?(ndjson|jsonl|json-lines|json_lines|jsonlines|json-stream|stream\+json)$/.test(name)
  )
    return 'lines-of-json';
  if (name.endsWith('+json')) return 'json';
  if (name === 'application/x-www-form-urlencoded') return 'form';
  if (name === 'application/x-protobuf' || name === 'application/protobuf') return 'protobuf';
  if (name.startsWith('multipart/'))
    return { status: 415, message: 'multipart is not read here: send the lines themselves as the body' };
  return 'text';
}

/** The records of a body that is no Logplex one. */
export function readBody(body: Buffer, kind: Exclude<BodyKind, 'logplex'>): Batch | Refusal {
  if (kind === 'protobuf') return readProtobuf(body);
  const start = skipBlanks(body, 0);
  if (start >= body.length) return emptyBatch;
  if (kind === 'msgpack') return readFluent(body);
  if (kind === 'form') return readForm(body, start);
  if (kind === 'json') return readJson(body, false) ?? lines(body);
  return readJson(body, true) ?? lines(body);
}

/** Protobuf says nothing of itself: on this listener it is OTLP. */
function readProtobuf(body: Buffer): Batch | Refusal {
  const request = decodeOtlp(body);
  if (request === null) return { status: 400, message: 'the body is no OTLP request for logs in protobuf' };
  return readOtlp(request);
}

/** `payload=...`, as Papertrail sends its JSON. Anything else is what curl calls a form and is none. */
function readForm(body: Buffer, start: number): Batch | Refusal {
  const key = 'payload=';
  if (body.toString('latin1', start, start + key.length) !== key) return readJson(body, true) ?? lines(body);
  const payload = new URLSearchParams(body.toString('latin1', start)).get('payload') ?? '';
  const text = Buffer.from(payload);
  return readJson(text, false) ?? lines(text);
}

function lines(body: Buffer): Batch {
  const ended = body[body.length - 1] === lineFeed;
  const data = ended ? body : Buffer.concat([body, Buffer.of(lineFeed)]);
  let records = 0;
  for (let at = data.indexOf(lineFeed); at >= 0; at = data.indexOf(lineFeed, at + 1)) records++;
  return { envelope: null, data, frames: null, records, counts: {} };
}
