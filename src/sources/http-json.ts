/**
 * JSON bodies: one object, an array, one object a line. Cuts them on bytes, since what an application wrote is handed on as it wrote it;
 * each record is looked at alone, so that a large body does not become a larger tree.
 */
import { type Batch, BatchWriter, type Refusal } from './http-batch.ts';
import { isObject } from './http-facts.ts';
import { isOtlp, readOtlp } from './http-otlp.ts';
import { isPapertrail, readPapertrail } from './http-papertrail.ts';
import { isShipped, writeShipped } from './http-shipped.ts';

const lineFeed = 0x0a;
const quote = 0x22;
const backslash = 0x5c;
/** A deeper one is nobody's log. */
const depthMax = 256;

/** The whole of a body as JSON. `lenient`: what is no JSON may be lines of text. */
export function readJson(body: Buffer, lenient: boolean): Batch | Refusal | null {
  const start = skipBlanks(body, 0);
  const first = body[start];
  if (first === 0x5b) return readArray(body, start) ?? (lenient ? null : notJson(body));
  if (first !== 0x7b) return lenient ? null : notJson(body);
  const end = endOfValue(body, start);
  if (end < 0) return lenient ? null : notJson(body);
  // More behind the first object: one object a line.
  if (skipBlanks(body, end) < body.length) return readObjects(body, start, lenient);
  const value = parse(body, start, end);
  if (!isObject(value)) return lenient ? null : notJson(body);
  if (isOtlp(value)) return readOtlp(value);
  if (isPapertrail(value)) return readPapertrail(value);
  const writer = new BatchWriter();
  if (isShipped(value)) writeShipped(writer, value, null);
  else writer.bytes(body, start, end);
  return writer.finish();
}

/** One object a line. The first one tells what they are. */
function readObjects(body: Buffer, start: number, lenient: boolean): Batch | Refusal | null {
  const lineEnd = body.indexOf(lineFeed, start);
  const firstEnd = endOfValue(body, start);
  const value = parse(body, start, firstEnd);
  if (!isObject(value)) return lenient ? null : notJson(body);
  // Objects without line feeds between them (Fluent Bit's json_stream), or over several lines.
  const objects = lineEnd < 0 || lineEnd < firstEnd || skipBlanks(body, firstEnd) < lineEnd;
  const writer = new BatchWriter();
  let unparsed = 0;
  for (let at = start; at < body.length; ) {
    at = skipBlanks(body, at);
    if (at >= body.length) break;
    let end = objects && body[at] === 0x7b ? endOfValue(body, at) : -1;
    if (end < 0) end = endOfLine(body, at);
    const isJson = body[at] === 0x7b && body[lastOf(body, at, end)] === 0x7d;
    if (!isJson) unparsed++;
    const one = isJson && isShipped(value) ? parse(body, at, end) : null;
    if (isObject(one) && isShipped(one)) writeShipped(writer, one, null);
    else writer.bytes(body, at, end);
    at = end;
  }
  return writer.finish({ unparsed });
}

function readArray(body: Buffer, start: number): Batch | null {
  const writer = new BatchWriter();
  let unparsed = 0;
  let at = skipBlanks(body, start + 1);
  while (at < body.length && body[at] !== 0x5d) {
    const end = endOfValue(body, at);
    if (end < 0) return null;
    const value = parse(body, at, end);
    if (value === undefined) return null;
    if (isObject(value) && isShipped(value)) writeShipped(writer, value, null);
    else if (typeof value === 'string') {
      const text = Buffer.from(value);
      writer.bytes(text, 0, text.length);
    } else {
      if (!isObject(value)) unparsed++;
      writer.bytes(body, at, end);
    }
    at = skipBlanks(body, end);
    if (body[at] === 0x2c) at = skipBlanks(body, at + 1);
    else if (body[at] !== 0x5d) return null;
  }
  if (at >= body.length || skipBlanks(body, at + 1) < body.length) return null;
  return writer.finish({ unparsed });
}

/** Why a body is no JSON, as its sender should read it. */
function notJson(body: Buffer): Refusal {
  let reason = 'it is not whole';
  try {
    JSON.parse(body.toString('utf8'));
    reason = 'expected objects, an array of them, or one a line';
  } catch (error) {
    if (error instanceof Error) reason = error.message.replace(/, ".*$|in JSON$/s, '').slice(0, 160);
  }
  return { status: 400, message: `the body is not JSON as its Content-Type says: ${reason}` };
}

function parse(body: Buffer, from: number, to: number): unknown {
  try {
    return JSON.parse(body.toString('utf8', from, to));
  } catch {
    return undefined;
  }
}

export function skipBlanks(body: Buffer, from: number): number {
  let at = from;
  if (at === 0 && body[0] === 0xef && body[1] === 0xbb && body[2] === 0xbf) at = 3;
  for (let byte = body[at]; byte === 0x20 || byte === lineFeed || byte === 0x0d || byte === 0x09; )
    byte = body[++at];
  return at;
}

function endOfLine(body: Buffer, from: number): number {
  const end = body.indexOf(lineFeed, from);
  return end < 0 ? body.length : end;
}

/** The last byte of a line that is no blank. */
function lastOf(body: Buffer, from: number, end: number): number {
  let at = end - 1;
  while (at > from && (body[at] === 0x0d || body[at] === 0x20)) at--;
  return at;
}

/** Where the JSON value that begins at `from` ends, or -1 where it does not. Its inside is not checked. */
function endOfValue(body: Buffer, from: number): number {
  const first = body[from];
  if (first === quote) return endOfText(body, from);
  if (first !== 0x7b && first !== 0x5b) {
    let at = from;
    while (at < body.length && !',]} \n\r\t'.includes(String.fromCharCode(body[at] as number))) at++;
    return at > from ? at : -1;
  }
  let depth = 0;
  for (let at = from; at < body.length; at++) {
    const byte = body[at];
    if (byte === quote) {
      at = endOfText(body, at) - 1;
      if (at < 0) return -1;
    } else if (byte === 0x7b || byte === 0x5b) {
      if (++depth > depthMax) return -1;
    } else if ((byte === 0x7d || byte === 0x5d) && --depth === 0) return at + 1;
  }
  return -1;
}

function endOfText(body: Buffer, from: number): number {
  for (let at = body.indexOf(quote, from + 1); at >= 0; at = body.indexOf(quote, at + 1)) {
    let escapes = 0;
    while (body[at - 1 - escapes] === backslash) escapes++;
    if (escapes % 2 === 0) return at + 1;
  }
  return -1;
}
