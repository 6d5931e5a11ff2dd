/**
 * Reads the head of a record: Celery's and Celery-like headers `[time: LEVEL/Process] `, else a general stamp and level.
 * Gives the facts and where the message begins. Only a Celery header is taken off the message.
 */
import type { Format } from '../model/config.ts';
import type { FieldValue, Level } from '../model/record.ts';
import { levelNear, levelOf, stampOf, wallClock, zonedTime } from './stamps.ts';

export interface Head {
  /** Characters of the header that the format takes off; 0 where there is none. */
  readonly length: number;
  readonly time: number | null;
  readonly level: Level | null;
  /** Celery's process name, or null. */
  readonly process: string | null;
}

const noHead: Head = { length: 0, time: null, level: null, process: null };
/** A header is looked for in so many characters; process names are short. */
const maxHeader = 256;

const afterStamp = /^: ([A-Za-z]{3,12})\/([^\]\n]{1,120})\] ?/;

/** `[YYYY-MM-DD HH:MM:SS,mmm: LEVEL/Process] ` at the head of a text, or null. */
export function celeryHead(text: string, zone: string): Head | null {
  if (text.charCodeAt(0) !== 91 || text.charCodeAt(20) !== 44) return null;
  const wall = wallClock(text, 1);
  const ms = Number(text.slice(21, 24));
  if (Number.isNaN(wall) || !(ms >= 0)) return null;
  const found = afterStamp.exec(text.slice(24, 24 + maxHeader));
  if (!found) return null;
  return {
    length: 24 + found[0].length,
    time: zonedTime(wall + ms, zone),
    level: levelOf(found[1] ?? ''),
    process: found[2] ?? null,
  };
}

/** Facts of a record's head under a format; `text` is the record without colours. */
export function headOf(text: string, format: Format, zone: string, receivedAt: number): Head {
  if (format !== 'plain') {
    const head = celeryHead(text, zone);
    if (head) return head;
  }
  const stamp = stampOf(text, zone, receivedAt);
  if (stamp) return { length: 0, time: stamp.time, level: levelNear(text, stamp.end), process: null };
  return noHead;
}

/** Fields that a head gives. Without prototype; made anew for each record. */
export function headFields(head: Head): Record<string, FieldValue> {
  const fields: Record<string, FieldValue> = Object.create(null);
  if (head.time !== null) fields['time'] = new Date(head.time).toISOString();
  if (head.level !== null) fields['level'] = head.level;
  if (head.process !== null) fields['process'] = head.process;
  return fields;
}

/** Whether a process name tells lines of one task run apart: the main process (and its threads) mixes many. */
export function tellsApart(process: string | null): process is string {
  return process !== null && process !== 'MainProcess';
}
