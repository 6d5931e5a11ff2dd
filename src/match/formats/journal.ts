/**
 * Entries of the systemd journal, one JSON object a line, as `journalctl --output=json` prints them. Gives the text of MESSAGE,
 * which is a list of byte values where it is no UTF-8. Lanes are processes, so that a traceback that was printed line by line is
 * one again. The keys may stand in any order: journalctl shuffles them.
 */
import type { FieldValue } from '../../model/record.ts';
import { levelOfSeverity } from '../syslog-parse.ts';
import type { Envelope, EnvelopeContext, EnvelopeFacts, Unit } from '../unwrap.ts';
import { JsonCursor, unescapeJson } from './json-cursor.ts';

const message = Buffer.from('MESSAGE');
const process = Buffer.from('_PID');
const identifier = Buffer.from('SYSLOG_IDENTIFIER');
const realtime = Buffer.from('__REALTIME_TIMESTAMP');

/** Fields of an entry at most, and characters of one. */
const fieldsMax = 64;
const valueMax = 1_024;
/** What the journal adds to every entry and nobody looks for in an alert. */
const dull =
  /^(?:__|MESSAGE$|PRIORITY$|SYSLOG_(?:TIMESTAMP|RAW)$|_(?:BOOT_ID|MACHINE_ID|CAP_EFFECTIVE|STREAM_ID|SELINUX_CONTEXT|AUDIT_|SOURCE_|RUNTIME_SCOPE|SYSTEMD_(?:CGROUP|INVOCATION_ID|SLICE|OWNER_UID)))/;
/** Names by which people know a field, best first: the service manager speaks of a unit in `UNIT`. */
const shortNames: readonly (readonly [string, readonly string[]])[] = [
  ['unit', ['_SYSTEMD_UNIT', '_SYSTEMD_USER_UNIT', 'UNIT', 'USER_UNIT']],
  ['identifier', ['SYSLOG_IDENTIFIER', '_COMM']],
  ['pid', ['_PID', 'SYSLOG_PID']],
  ['hostname', ['_HOSTNAME']],
];

export class JournalEnvelope implements Envelope {
  readonly name = 'journal';
  readonly #cursor = new JsonCursor();
  #scratch = Buffer.allocUnsafe(16 * 1024);

  read(data: Buffer, unit: Unit): boolean {
    const cursor = this.#cursor;
    let timed = false;
    let isProcess = false;
    unit.laneData = data;
    unit.laneFrom = unit.laneTo = unit.from;
    unit.text = data;
    unit.textFrom = unit.textTo = unit.from;
    unit.part = false;
    if (!cursor.begin(data, unit.from, unit.to)) return false;
    while (cursor.next()) {
      if (cursor.keyIs(message)) this.#text(data, unit);
      else if (cursor.keyIs(realtime)) timed = true;
      else if (cursor.isString && (cursor.keyIs(process) || (!isProcess && cursor.keyIs(identifier)))) {
        isProcess = cursor.keyIs(process);
        unit.laneFrom = cursor.valueFrom;
        unit.laneTo = cursor.valueTo;
      }
    }
    if (!cursor.ended || !timed) return false;
    unit.message = unit.text.subarray(unit.textFrom, unit.textTo).includes(0x0a);
    return true;
  }

  /** What MESSAGE says: text, a list of bytes, a list of texts (the field was given twice), or nothing. */
  #text(data: Buffer, unit: Unit): void {
    const { valueFrom, valueTo, isString, escaped } = this.#cursor;
    if (isString && !escaped) {
      unit.textFrom = valueFrom;
      unit.textTo = valueTo;
      return;
    }
    if (!isString && data[valueFrom] !== 0x5b) return;
    if (this.#scratch.length < valueTo - valueFrom)
      this.#scratch = Buffer.allocUnsafe((valueTo - valueFrom) * 2);
    unit.text = this.#scratch;
    unit.textFrom = 0;
    unit.textTo = isString
      ? unescapeJson(data, valueFrom, valueTo, this.#scratch, 0)
      : listText(data, valueFrom, valueTo, this.#scratch);
  }

  facts(data: Buffer, from: number, to: number, _context: EnvelopeContext): EnvelopeFacts {
    const fields: Record<string, FieldValue> = Object.create(null);
    let time: number | null = null;
    let severity: number | null = null;
    try {
      const entry = JSON.parse(data.toString('utf8', from, to)) as Record<string, unknown>;
      const micros = Number(entry['__REALTIME_TIMESTAMP']);
      if (Number.isFinite(micros) && micros > 0) time = Math.floor(micros / 1_000);
      const priority = textOf(entry['PRIORITY']);
      if (priority !== null && /^[0-7]$/.test(priority)) severity = Number(priority);
      for (const [name, names] of shortNames) {
        const value = names.map((one) => textOf(entry[one])).find((one) => one !== null);
        if (value !== undefined && value !== null) fields[name] = value;
      }
      let count = 0;
      for (const name of Object.keys(entry).sort()) {
        const value = dull.test(name) ? null : textOf(entry[name]);
        if (value === null || ++count > fieldsMax) continue;
        fields[name] ??= value;
      }
    } catch {
      // The bytes were read once before, so this can't be; nothing is said then.
    }
    return { time, level: levelOfSeverity(severity), fields, syslog: null };
  }
}

/** A value as text, or null: the first one where there are several, bytes as UTF-8. */
function textOf(value: unknown): string | null {
  if (typeof value === 'string') return value.slice(0, valueMax);
  if (!Array.isArray(value) || value.length === 0) return null;
  if (typeof value[0] === 'string') return value[0].slice(0, valueMax);
  if (typeof value[0] === 'number') return Buffer.from(value.slice(0, valueMax) as number[]).toString('utf8');
  return textOf(value[0]);
}

/** `[72, 105]` -> its bytes; `["a", "b"]` -> the first text. Gives the length. */
function listText(data: Buffer, from: number, to: number, into: Buffer): number {
  let at = from + 1;
  while (at < to && data[at] === 0x20) at++;
  if (data[at] === 0x22) {
    let end = at + 1;
    while (end < to && data[end] !== 0x22) end += data[end] === 0x5c ? 2 : 1;
    return unescapeJson(data, at + 1, Math.min(end, to), into, 0);
  }
  let out = 0;
  let number = -1;
  for (; at < to; at++) {
    const digit = (data[at] as number) - 0x30;
    if (digit >= 0 && digit <= 9) number = Math.max(0, number) * 10 + digit;
    else if (number >= 0) {
      into[out++] = number & 255;
      number = -1;
    }
  }
  return out;
}
