/**
 * Docker's json-file lines: `{"log":"...\n","stream":"stderr","time":"..."}`. The keys may stand in any order and with spaces.
 * Gives the text of `log`, unescaped; a text without a line end is a part (the daemon cuts at 16 KiB). Lanes are the streams.
 */

import type { FieldValue } from '../../model/record.ts';
import { timeOf } from '../stamps.ts';
import type { Envelope, EnvelopeContext, EnvelopeFacts, Unit } from '../unwrap.ts';
import { JsonCursor, unescapeJson } from './json-cursor.ts';

const log = Buffer.from('log');
const stream = Buffer.from('stream');
const time = Buffer.from('time');
const attrs = Buffer.from('attrs');
const lowerN = 0x6e;

export class DockerEnvelope implements Envelope {
  readonly name = 'docker';
  readonly rotatesAnywhere = true;
  readonly #cursor = new JsonCursor();
  #scratch = Buffer.allocUnsafe(32 * 1024);

  read(data: Buffer, unit: Unit): boolean {
    const cursor = this.#cursor;
    let logFrom = -1;
    let logTo = -1;
    let escapeAt = -1;
    let timed = false;
    unit.laneData = data;
    unit.laneFrom = unit.laneTo = unit.from;
    if (!cursor.begin(data, unit.from, unit.to)) return false;
    while (cursor.next()) {
      if (!cursor.isString) {
        if (cursor.keyIs(attrs)) continue;
        return false;
      }
      if (cursor.keyIs(log)) {
        logFrom = cursor.valueFrom;
        logTo = cursor.valueTo;
        escapeAt = cursor.escaped ? cursor.escapeAt : -1;
      } else if (cursor.keyIs(stream)) {
        unit.laneFrom = cursor.valueFrom;
        unit.laneTo = cursor.valueTo;
      } else if (cursor.keyIs(time)) timed = true;
      else return false;
    }
    if (!cursor.ended || logFrom < 0 || !timed || unit.laneTo === unit.laneFrom) return false;
    unit.message = false;
    unit.text = data;
    unit.textFrom = logFrom;
    unit.textTo = logTo;
    if (escapeAt >= 0 && escapeAt === logTo - 2 && data[logTo - 1] === lowerN) {
      // Of most lines the line end is the only escape.
      unit.textTo = escapeAt;
      unit.part = false;
      return true;
    }
    if (escapeAt >= 0) {
      if (this.#scratch.length < logTo - logFrom) this.#scratch = Buffer.allocUnsafe((logTo - logFrom) * 2);
      unit.text = this.#scratch;
      unit.textFrom = 0;
      unit.textTo = unescapeJson(data, logFrom, logTo, this.#scratch, 0, escapeAt);
    }
    unit.part = unit.textTo === unit.textFrom || unit.text[unit.textTo - 1] !== 0x0a;
    if (!unit.part) unit.textTo--;
    // What a line holds behind a line end of its own is text of it all the same.
    return true;
  }

  forget(): void {
    this.#cursor.forget();
  }

  facts(data: Buffer, from: number, to: number, context: EnvelopeContext): EnvelopeFacts {
    const fields: Record<string, FieldValue> = Object.create(null);
    let at: number | null = null;
    try {
      const line = JSON.parse(data.toString('utf8', from, to)) as Record<string, unknown>;
      if (typeof line['stream'] === 'string') fields['stream'] = line['stream'];
      if (typeof line['time'] === 'string') at = timeOf(line['time'], context.tz, context.receivedAt);
      const extra = line['attrs'];
      if (typeof extra === 'object' && extra !== null) {
        for (const [name, value] of Object.entries(extra).slice(0, 32))
          if (typeof value === 'string') fields[name] ??= value.slice(0, 1024);
      }
    } catch {
      // The bytes were read once before, so this can't be; nothing is said then.
    }
    return { time: at, level: null, fields, syslog: null };
  }
}
