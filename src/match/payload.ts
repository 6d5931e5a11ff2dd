/**
 * What stands inside an envelope, or on a bare line: text, a JSON object, a logfmt line. Writes what is searched of it
 * behind its own bytes, so that a rule sees the message as its sender meant it; for a record that a rule may want it gives
 * the head with fields, level and time.
 */
import type { Format } from '../model/config.ts';
import { headOf } from './celery.ts';
import { cleanString } from './clean.ts';
import { parseJsonLine } from './formats/json-line.ts';
import { writeJsonText } from './formats/json-text.ts';
import { isLogfmt, parseLogfmt, writeLogfmtText } from './formats/logfmt.ts';
import { type Head, noHead } from './head.ts';
import type { Lane } from './lane.ts';
import { doubtfulUnit, ownUnit, textUnit } from './unit-kinds.ts';

const found = { length: 0, telling: false };

/** Which payloads are looked for. */
export interface PayloadKinds {
  readonly json: boolean;
  readonly logfmt: boolean;
}

/** The payloads that a source's format allows. */
export function payloadsOf(format: Format): PayloadKinds {
  switch (format) {
    case 'plain':
    case 'celery':
    case 'access':
    case 'rails':
      return { json: false, logfmt: false };
    case 'json':
      return { json: true, logfmt: false };
    case 'logfmt':
      return { json: false, logfmt: true };
    default:
      return { json: true, logfmt: true };
  }
}

/**
 * Looks at the bytes of a lane's last unit, which begins at `from`, and writes its searched text behind them. Gives the kind
 * of the unit.
 */
export function addPayload(lane: Lane, from: number, kinds: PayloadKinds): number {
  const to = lane.used;
  const first = lane.text[from];
  if (first === 0x7b) return kinds.json ? addJson(lane, from, to) : textUnit;
  if (!kinds.logfmt || !isLogfmt(lane.text, from, to)) return textUnit;
  lane.reserve(to - from + 4);
  lane.text[lane.used] = 0x0a;
  const length = writeLogfmtText(lane.text, from, to, lane.text, lane.used + 1);
  if (length > 0) lane.used += length + 1;
  return doubtfulUnit;
}

function addJson(lane: Lane, from: number, to: number): number {
  if (lane.text[to - 1] !== 0x7d && lane.text[to - 1] !== 0x20) return textUnit;
  lane.reserve((to - from) * 2 + 16);
  const { text } = lane;
  if (!writeJsonText(text, from, to, text, to + 1, found)) return textUnit;
  // A frame may hold an object over several lines: its line ends are blanks between its members.
  for (let at = text.indexOf(0x0a, from); at >= 0 && at < to; at = text.indexOf(0x0a, at)) text[at] = 0x20;
  text[to] = 0x0a;
  if (found.length > 0) lane.used = to + 1 + found.length;
  lane.json = true;
  return found.telling ? ownUnit : doubtfulUnit;
}

/** The head of a record, as its format has it, and its text as it came. */
export function readPayload(
  text: string,
  kind: number,
  format: Format,
  tz: string,
  receivedAt: number,
): { readonly raw: string; readonly head: Head } {
  if (kind === textUnit) return { raw: text, head: headOf(text, format, tz, receivedAt) };
  const end = text.indexOf('\n');
  const line = end < 0 ? text : text.slice(0, end);
  const parsed =
    line.charCodeAt(0) === 0x7b ? parseJsonLine(line, tz, receivedAt) : parseLogfmt(line, tz, receivedAt);
  if (parsed === null) return { raw: line, head: headOf(line, format, tz, receivedAt) };
  const { message, trace, ...facts } = parsed;
  return {
    raw: line,
    head: { ...noHead, ...facts, message: cleanString(message), trace: cleanString(trace) },
  };
}
