/**
 * Syslog as an envelope: messages of a connection, datagrams, lines of a file. Takes the head off and names the lane (host, program,
 * process); its facts are those of the message. A line without a head is text, and goes on where the last one of its connection was.
 */
import type { SyslogFraming } from '../../model/config.ts';
import type { FieldValue } from '../../model/record.ts';
import { frameFlags, inflate, looksCompressed, SyslogFramer } from '../syslog-framing.ts';
import { SyslogHead } from '../syslog-head.ts';
import { levelOfSeverity, parseSyslog } from '../syslog-parse.ts';
import type { Envelope, EnvelopeContext, EnvelopeFacts, Framing, FramingHow, Unit } from '../unwrap.ts';

const nothing: Buffer = Buffer.alloc(0);
const lf = 0x0a;
/** `#012`: a line feed as rsyslog writes it. */
const escapedLine = Buffer.from('#012');

/** Cuts the bytes of a connection into messages, and datagrams where the source says where they end. */
export class SyslogUnits implements Framing {
  midUnit = false;
  readonly #framer: SyslogFramer;
  readonly #max: number;
  /** The datagrams at hand, and which of them comes next. */
  #frames: ArrayLike<number> | null = null;
  #frame = 0;

  constructor(options: { readonly framing: SyslogFraming; readonly maxFrameBytes: number }) {
    this.#framer = new SyslogFramer(options);
    this.#max = options.maxFrameBytes;
  }

  next(data: Buffer, at: number, unit: Unit, how: FramingHow): boolean {
    if (at >= data.length) return false;
    if (how.frames !== null) return this.#datagram(data, at, unit, how.frames);
    const framer = this.#framer;
    let from = at;
    while (from < data.length) {
      const next = framer.step(data, from, how.final);
      if (next < 0) break;
      from = next;
      if (framer.count === 0) continue;
      unit.from = framer.from[0] ?? 0;
      unit.to = framer.to[0] ?? 0;
      unit.next = next;
      const flags = framer.flags[0] ?? 0;
      unit.cut = (flags & ~frameFlags.line) !== 0;
      unit.message = (flags & frameFlags.line) === 0;
      return true;
    }
    if (from === at) return false;
    // Nothing but what stands between messages, or the rest of one over the limit.
    unit.from = unit.to = unit.next = from;
    unit.cut = false;
    return true;
  }

  #datagram(data: Buffer, at: number, unit: Unit, frames: ArrayLike<number>): boolean {
    if (frames !== this.#frames || (frames[this.#frame - 1] ?? 0) > at) {
      this.#frames = frames;
      this.#frame = 0;
    }
    while (this.#frame < frames.length && (frames[this.#frame] ?? 0) <= at) this.#frame++;
    const end = frames[this.#frame] ?? data.length;
    unit.from = at;
    unit.next = end;
    unit.message = true;
    unit.cut = end - at > this.#max;
    unit.to = unit.cut ? at + this.#max : end;
    return true;
  }
}

export class SyslogEnvelope implements Envelope {
  readonly name = 'syslog';
  readonly #head = new SyslogHead();
  readonly #maxBytes: number;
  readonly #structured: boolean;
  readonly #joins: boolean;
  /** The lane of the last message: lines without a head are the rest of a text that its sender cut. */
  #laneData: Buffer = Buffer.alloc(256);
  #escapeData: Buffer = nothing;
  #escapeFrom = 0;
  #nextEscape = -1;
  #lineData: Buffer = nothing;
  #lineFrom = 0;
  #nextLine = -1;
  #laneTo = 0;

  /** `structured`: false where the sender leaves structured data out. `joins`: a line without a head is the last message's. */
  constructor(
    maxFrameBytes: number,
    options: { readonly structured: boolean; readonly joins?: boolean } = { structured: true },
  ) {
    this.#maxBytes = maxFrameBytes;
    this.#structured = options.structured;
    this.#joins = options.joins ?? false;
  }

  read(data: Buffer, unit: Unit): boolean {
    let text = data;
    let { from, to } = unit;
    if (data[from] === 0x7a && looksCompressed(data, from, to)) {
      const inflated = inflate(data, from, to, this.#maxBytes);
      if (inflated !== null) {
        text = inflated;
        from = 0;
        to = Math.min(inflated.length, this.#maxBytes);
      }
    }
    const head = this.#head;
    head.read(text, from, to, this.#structured);
    unit.part = false;
    unit.bare = false;
    unit.joins = false;
    unit.text = text;
    unit.textFrom = head.messageFrom;
    unit.textTo = head.messageTo;
    if (head.form === 'none') {
      if (unit.message || this.#laneTo === 0) return false;
      unit.laneData = this.#laneData;
      unit.laneFrom = 0;
      unit.laneTo = this.#laneTo;
      unit.bare = true;
      unit.joins = this.#joins;
      return true;
    }
    this.#lane(text, unit);
    const line = this.#hasEscape(text, head.messageFrom, head.messageTo)
      ? unescaped(text, head.messageFrom, head.messageTo)
      : null;
    if (line !== null) {
      unit.text = line;
      unit.textFrom = 0;
      unit.textTo = line.length;
      unit.message = true;
    } else if (unit.message && !this.#hasLineEnd(text, head.messageFrom, head.messageTo)) {
      // What has no line end in it is read as a line, which need not be read at all where no rule wants it.
      unit.message = false;
    }
    return true;
  }

  /** Whether a line end is in a message; looked up once for all messages before it. */
  #hasLineEnd(data: Buffer, from: number, to: number): boolean {
    if (data !== this.#lineData || this.#nextLine < from || from < this.#lineFrom) {
      this.#lineData = data;
      this.#lineFrom = from;
      const found = data.indexOf(lf, from);
      this.#nextLine = found < 0 ? Number.POSITIVE_INFINITY : found;
    }
    return this.#nextLine < to;
  }

  /** Whether `#012` is in a message. The next one in the bytes is looked up once for all messages before it. */
  #hasEscape(data: Buffer, from: number, to: number): boolean {
    if (data !== this.#escapeData || this.#nextEscape < from || from < this.#escapeFrom) {
      this.#escapeData = data;
      this.#escapeFrom = from;
      const found = data.indexOf(escapedLine, from);
      this.#nextEscape = found < 0 ? Number.POSITIVE_INFINITY : found;
    }
    return this.#nextEscape < to;
  }

  #lane(text: Buffer, unit: Unit): void {
    const { hostFrom, hostTo, appFrom, appTo, procTo, stampFrom } = this.#head;
    // Cisco writes the host in front of the stamp, which is another one each time.
    const from = hostTo > hostFrom && hostFrom >= stampFrom ? hostFrom : appFrom;
    const to = Math.max(hostFrom >= stampFrom ? hostTo : 0, appTo, procTo);
    unit.laneData = text;
    unit.laneFrom = from;
    unit.laneTo = Math.max(from, to);
    if (unit.message) return;
    // Its bytes are copied: those of the stream are only there for now.
    const length = unit.laneTo - unit.laneFrom;
    if (length > this.#laneData.length) this.#laneData = Buffer.allocUnsafe(length * 2);
    const lane = this.#laneData;
    for (let at = 0; at < length; at++) lane[at] = text[unit.laneFrom + at] ?? 0;
    this.#laneTo = length;
  }

  forget(): void {
    this.#escapeData = nothing;
    this.#lineData = nothing;
  }

  facts(data: Buffer, from: number, to: number, context: EnvelopeContext): EnvelopeFacts {
    let text = data;
    let [begin, end] = [from, to];
    if (data[from] === 0x7a && looksCompressed(data, from, to)) {
      text = inflate(data, from, to, this.#maxBytes) ?? data;
      if (text !== data) [begin, end] = [0, Math.min(text.length, this.#maxBytes)];
    }
    const { found, envelope, time } = parseSyslog(text, begin, end, {
      ...context,
      structured: this.#structured,
    });
    const fields: Record<string, FieldValue> = Object.create(null);
    if (!found) return { time: null, level: null, fields, syslog: null };
    for (const [name, value] of Object.entries(envelope))
      if (value !== null) fields[name] = value as FieldValue;
    return { time, level: levelOfSeverity(envelope.severity), fields, syslog: envelope };
  }
}

/**
 * A trace whose lines rsyslog has put into one (`#012`, and `#011` for a tab) with its lines back; null where it is none. Other text
 * stays as it came: whoever writes `#012` may mean it.
 */
function unescaped(data: Buffer, from: number, to: number): Buffer | null {
  let at = data.indexOf(escapedLine, from);
  if (at < 0 || at >= to) return null;
  let trace = false;
  for (; at >= 0 && at + 8 < to && !trace; at = data.indexOf(escapedLine, at + 4)) {
    const code = data[at + 4] ?? 0;
    const tab = code === 0x23 && data[at + 5] === 0x30 && data[at + 6] === 0x31 && data[at + 7] === 0x31;
    trace =
      code === 0x20 || code === 0x09 || tab || data.toString('latin1', at + 4, at + 14) === 'Traceback ';
  }
  if (!trace) return null;
  const text = data.toString('latin1', from, to).replaceAll('#012', '\n').replaceAll('#011', '\t');
  return Buffer.from(text, 'latin1');
}
