/**
 * The LogRecord that leaves this room: cut, and without secrets. Of a thousand matches few are shown, so most of it is
 * worked out when it is asked for. It holds text only, never the bytes of a chunk.
 */
import type { Fields, Level, LogRecord, StreamInfo, SyslogEnvelope } from '../model/record.ts';
import { addHeadFields, addStreamFields } from './celery.ts';
import type { Head } from './head.ts';
import { type Redaction, redact } from './redact.ts';
import { cutText, partsOfHead } from './trace.ts';
import type { EnvelopeFacts } from './unwrap.ts';

/** Where a record stood in its stream. */
export interface RecordPlace {
  readonly offset: number;
  readonly length: number;
  /** The line or the record was longer than its limit. */
  readonly truncated: boolean;
  /** The lines before it; asked at most once. */
  readonly before: () => readonly string[];
  /** The lines behind it; asked at most once. */
  readonly after: () => readonly string[];
}

interface Shown {
  readonly message: string;
  readonly trace: string | null;
  readonly raw: string;
  readonly cut: boolean;
}

export class MatchedRecord implements LogRecord {
  readonly stream: StreamInfo;
  readonly offset: number;
  readonly length: number;
  readonly receivedAt: number;
  readonly time: number | null;
  readonly level: Level | null;
  readonly syslog: SyslogEnvelope | null;
  readonly #raw: string;
  readonly #head: Head;
  readonly #redaction: Redaction;
  readonly #place: RecordPlace;
  #shown: Shown | null = null;
  #fields: Fields | null = null;
  #before: readonly string[] | null = null;
  #after: readonly string[] | null = null;

  constructor(
    raw: string,
    head: Head,
    redaction: Redaction,
    context: {
      readonly stream: StreamInfo;
      readonly receivedAt: number;
      readonly envelope?: EnvelopeFacts | null;
    },
    place: RecordPlace,
  ) {
    this.stream = context.stream;
    this.receivedAt = context.receivedAt;
    this.offset = place.offset;
    this.length = place.length;
    this.time = head.time;
    this.level = head.level;
    this.syslog = context.envelope?.syslog ?? null;
    this.#raw = raw;
    this.#head = head;
    this.#redaction = redaction;
    this.#place = place;
  }

  get message(): string {
    return this.#show().message;
  }

  get trace(): string | null {
    return this.#show().trace;
  }

  get raw(): string {
    return this.#show().raw;
  }

  get truncated(): boolean {
    return this.#place.truncated || this.#show().cut;
  }

  get fields(): Fields {
    this.#fields ??= addStreamFields(addHeadFields(Object.create(null), this.#head), this.stream);
    return this.#fields;
  }

  get before(): readonly string[] {
    this.#before ??= this.#place.before();
    return this.#before;
  }

  get after(): readonly string[] {
    this.#after ??= this.#place.after();
    return this.#after;
  }

  #show(): Shown {
    if (this.#shown === null) {
      // A message that is not a piece of the raw text was not looked at yet.
      const clean = this.#redaction.secrets.length === 0 && this.#head.message === null;
      const parts = partsOfHead(this.#head, this.#raw);
      const message = cutText(clean ? parts.message : redact(parts.message).text);
      const trace = parts.trace === '' ? null : cutText(clean ? parts.trace : redact(parts.trace).text);
      this.#shown = {
        message: message.text,
        trace: trace?.text ?? null,
        raw: cutText(this.#redaction.text).text,
        cut: message.cut || (trace?.cut ?? false),
      };
    }
    return this.#shown;
  }
}
