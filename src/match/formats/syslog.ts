/**
 * The syslog envelope around one message: RFC 5424, RFC 3164, with or without PRI, as in the files that syslog daemons write
 * and on the wire. Lanes are host, program and process. In files the daemons' octal escapes (`#012` for a line end) are
 * taken back, so that a traceback is one again; a message is a record with all its lines.
 */
import type { FieldValue } from '../../model/record.ts';
import { NextByte } from '../next-byte.ts';
import { SyslogHead } from '../syslog-head.ts';
import { levelOfSeverity, parseSyslog } from '../syslog-parse.ts';
import type { Envelope, EnvelopeContext, EnvelopeFacts, Unit } from '../unwrap.ts';

const hash = 0x23;
const space = 0x20;
const lf = 0x0a;

export interface SyslogEnvelopeOptions {
  /** Take `#ooo` back: for files. On the wire they are the sender's text. */
  readonly decode: boolean;
  /** A text without any head is a message too: on the wire everything is one. */
  readonly bare: boolean;
  /** False where senders leave structured data out (Logplex). */
  readonly structured: boolean;
}

/** A line of a syslog file. */
export const syslogFile: SyslogEnvelopeOptions = { decode: true, bare: false, structured: true };

export class SyslogLine implements Envelope {
  readonly name = 'syslog';
  readonly goesOn = true;
  readonly #options: SyslogEnvelopeOptions;
  readonly #head = new SyslogHead();
  readonly #hash = new NextByte(hash);
  readonly #lineEnd = new NextByte(lf);
  #scratch = Buffer.allocUnsafe(16 * 1024);

  constructor(options: SyslogEnvelopeOptions) {
    this.#options = options;
  }

  read(data: Buffer, unit: Unit): boolean {
    const head = this.#head;
    const { decode, bare, structured } = this.#options;
    head.read(data, unit.from, unit.to, structured);
    if (head.form === 'none' && !bare) return false;
    // Host, program and process stand one behind the other in both forms.
    unit.laneData = data;
    unit.laneFrom = head.hostTo > head.hostFrom ? head.hostFrom : head.appFrom;
    unit.laneTo = Math.max(head.hostTo, head.appTo, head.procTo, unit.laneFrom);
    unit.part = false;
    unit.text = data;
    unit.textFrom = head.messageFrom;
    unit.textTo = head.messageTo;
    unit.message = false;
    if (decode && this.#hash.isWithin(data, unit.textFrom, unit.textTo)) this.#decode(data, unit);
    // A line has no line end in it; a frame may.
    if (bare) unit.message = this.#lineEnd.isWithin(data, unit.textFrom, unit.textTo);
    return true;
  }

  #decode(data: Buffer, unit: Unit): void {
    const { textFrom, textTo } = unit;
    if (this.#scratch.length < textTo - textFrom) this.#scratch = Buffer.allocUnsafe((textTo - textFrom) * 2);
    const into = this.#scratch;
    let out = 0;
    for (let at = textFrom; at < textTo; at++) {
      const byte = data[at] as number;
      const code = byte === hash ? escapedAt(data, at, textFrom, textTo) : -1;
      if (code < 0) into[out++] = byte;
      else {
        if (code === lf) unit.message = true;
        into[out++] = code;
        at += 3;
      }
    }
    unit.text = into;
    unit.textFrom = 0;
    unit.textTo = out;
  }

  forget(): void {
    this.#hash.forget();
    this.#lineEnd.forget();
  }

  facts(data: Buffer, from: number, to: number, context: EnvelopeContext): EnvelopeFacts {
    const { envelope, time } = parseSyslog(data, from, to, {
      ...context,
      structured: this.#options.structured,
    });
    const fields: Record<string, FieldValue> = Object.create(null);
    for (const name of Object.keys(envelope) as (keyof typeof envelope)[]) {
      const value = envelope[name];
      if (value !== null) fields[name] = value;
    }
    return { time, level: levelOfSeverity(envelope.severity), fields, syslog: envelope };
  }
}

/** A control character written as `#ooo`, or -1. "issue #012 is" is prose: there a blank stands on both sides. */
function escapedAt(data: Buffer, at: number, from: number, to: number): number {
  const first = (data[at + 1] ?? 0) - 0x30;
  const second = (data[at + 2] ?? 0) - 0x30;
  const third = (data[at + 3] ?? 0) - 0x30;
  if (at + 3 >= to || first !== 0 || second < 0 || second > 3 || third < 0 || third > 7) return -1;
  if (at > from && data[at - 1] === space && data[at + 4] === space && data[at + 5] !== space) return -1;
  return second * 8 + third;
}
