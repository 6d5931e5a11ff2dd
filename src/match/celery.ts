/**
 * Reads the head of a record: Celery's and Celery-like headers `[time: LEVEL/Process] `, else what other programs write, else
 * a general stamp and level. Gives the facts and where the message begins; only a head whose form is known is taken off it.
 */
import type { Format } from '../model/config.ts';
import type { FieldValue, StreamInfo } from '../model/record.ts';
import { pythonHead } from './formats/python-heads.ts';
import { textHead } from './formats/text-heads.ts';
import { type Head, noHead } from './head.ts';
import { levelNear, levelOf, stampOf, wallClock, zonedTime } from './stamps.ts';

/** Characters of a level's and of a process's name at most. */
const maxLevel = 12;
const maxProcess = 120;

/** Places of `: LEVEL/Process]` behind a stamp: the slash and the bracket; null where the text is not so. */
function namesAt(text: string, at: number): { readonly slash: number; readonly close: number } | null {
  if (text.charCodeAt(at) !== 58 || text.charCodeAt(at + 1) !== 32) return null;
  let slash = at + 2;
  while (slash - at - 2 <= maxLevel && isLetter(text.charCodeAt(slash))) slash++;
  if (slash - at < 5 || slash - at - 2 > maxLevel || text.charCodeAt(slash) !== 47) return null;
  let close = slash + 1;
  for (; close - slash - 1 <= maxProcess; close++) {
    const code = text.charCodeAt(close);
    if (code === 93) return close > slash + 1 ? { slash, close } : null;
    if (code === 10 || Number.isNaN(code)) return null;
  }
  return null;
}

function isLetter(code: number): boolean {
  return (code >= 65 && code <= 90) || (code >= 97 && code <= 122);
}

/** `[YYYY-MM-DD HH:MM:SS,mmm: LEVEL/Process] ` at the head of a text, or null. */
export function celeryHead(text: string, zone: string): Head | null {
  if (text.charCodeAt(0) !== 91 || text.charCodeAt(20) !== 44) return null;
  const ms = Number(text.slice(21, 24));
  if (!(ms >= 0)) return null;
  const names = namesAt(text, 24);
  if (names === null) return null;
  const wall = wallClock(text, 1);
  if (Number.isNaN(wall)) return null;
  return {
    ...noHead,
    length: names.close + (text.charCodeAt(names.close + 1) === 32 ? 2 : 1),
    time: zonedTime(wall + ms, zone),
    level: levelOf(text.slice(26, names.slash)),
    process: text.slice(names.slash + 1, names.close),
  };
}

/** Facts of a record's head under a format; `text` is the record without colours. */
export function headOf(text: string, format: Format, zone: string, receivedAt: number): Head {
  if (format !== 'plain') {
    const head = celeryHead(text, zone) ?? pythonHead(text, zone, receivedAt);
    if (head) return head;
  }
  const stamp = stampOf(text, zone, receivedAt);
  if (stamp) return { ...noHead, time: stamp.time, zoned: stamp.zoned, level: levelNear(text, stamp.end) };
  return textHead(text, format, zone, receivedAt) ?? noHead;
}

/** Puts the fields that a head gives where no value stands yet; gives the same object. */
export function addHeadFields(fields: Record<string, FieldValue>, head: Head): Record<string, FieldValue> {
  if (head.time !== null && fields['time'] === undefined) fields['time'] = isoTime(head.time);
  if (head.level !== null && fields['level'] === undefined) fields['level'] = head.level;
  if (head.fields !== null) {
    for (const name of Object.keys(head.fields)) fields[name] ??= head.fields[name] as FieldValue;
  }
  if (head.process !== null && fields['process'] === undefined) fields['process'] = head.process;
  return fields;
}

/** Puts the facts of a stream below those of a record. */
export function addStreamFields(
  fields: Record<string, FieldValue>,
  stream: StreamInfo,
): Record<string, FieldValue> {
  if (stream.fields === undefined) return fields;
  for (const name of Object.keys(stream.fields)) fields[name] ??= stream.fields[name] as FieldValue;
  return fields;
}

/** Lines of one second come together: the text of a time up to its seconds is kept. */
let lastSecond = Number.NaN;
let lastText = '';

function isoTime(time: number): string {
  const second = Math.floor(time / 1000);
  if (second !== lastSecond) {
    lastText = new Date(second * 1000).toISOString().slice(0, -4);
    lastSecond = second;
  }
  return `${lastText}${String(time - second * 1000).padStart(3, '0')}Z`;
}

/** The process of a line with Celery's header, or null: cheaper than all of the header. */
export function processOf(line: string): string | null {
  if (line.charCodeAt(0) !== 91 || line.charCodeAt(20) !== 44) return null;
  const names = namesAt(line, 24);
  return names === null ? null : line.slice(names.slash + 1, names.close);
}

/** Whether a process name tells lines of one task run apart: the main process (and its threads) mixes many. */
export function tellsApart(process: string | null): process is string {
  return process !== null && process !== 'MainProcess';
}
