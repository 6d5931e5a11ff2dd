/**
 * The text of a log line that is a JSON object, from its bytes: message and trace, unescaped, as rules search them. Every JSON line
 * goes this way, so no values are made of it; only a trace that is an object or a list is read as a record is. What `JSON.parse`
 * refuses deep inside a value may still be taken here.
 */
import { JsonCursor, unescapeJson } from './json-cursor.ts';
import { messageRole, roleOfBytes, traceRole } from './json-keys.ts';
import { parseJsonLine } from './json-line.ts';

/** What one line holds that is searched. */
export interface JsonText {
  /** Bytes written: message, and behind a line feed the trace. 0 where the line names no message and no trace. */
  length: number;
  /** It says more than an object in somebody's text would: a message with a time, level or logger. */
  telling: boolean;
}

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
