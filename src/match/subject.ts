/**
 * One record that some rule may want, read as far as it is asked: text, head, message, trace, fields. Once a rule said yes,
 * it gives the record and the fields that leave this room, without secrets.
 */
import type { Format } from '../model/config.ts';
import type { Fields, FieldValue, LogRecord, StreamInfo } from '../model/record.ts';
import { addHeadFields, addStreamFields, headOf } from './celery.ts';
import type { Captures, Subject } from './conditions.ts';
import { type ExceptionFacts, exceptionOf } from './exception.ts';
import type { Head } from './head.ts';
import { MatchedRecord, type RecordPlace } from './matched-record.ts';
import { type Redaction, redact, redactFields, redactValue } from './redact.ts';
import { type Parts, partsOfHead } from './trace.ts';
import type { EnvelopeFacts } from './unwrap.ts';
import { lookupField } from './where.ts';

export interface SubjectContext {
  readonly stream: StreamInfo;
  readonly format: Format;
  readonly tz: string;
  readonly receivedAt: number;
  /** What the record's envelope said, or null where it has none. */
  readonly envelope?: EnvelopeFacts | null;
}

/** Records that were looked at so far. */
let serials = 0;

export class RecordSubject implements Subject {
  readonly serial = serials++;
  readonly raw: string;
  readonly #context: SubjectContext;
  #head: Head | null = null;
  #parts: Parts | null = null;
  #fields: Record<string, FieldValue> | null = null;
  #body: string | null = null;
  #redaction: Redaction | null = null;
  #exception: ExceptionFacts | null | undefined;

  #rawBytes: Buffer | null;
  #bodyBytes: Buffer | null = null;
  #messageBytes: Buffer | null = null;
  #traceBytes: Buffer | null = null;

  /** `raw`: the record's text, cleaned, without line ends behind it; `bytes`: the same as UTF-8 where it is at hand; `head`: where it was read already. */
  constructor(raw: string, bytes: Buffer | null, context: SubjectContext, head: Head | null = null) {
    this.raw = raw;
    this.#rawBytes = bytes;
    this.#context = context;
    this.#head = head;
  }

  get stream(): StreamInfo {
    return this.#context.stream;
  }

  get head(): Head {
    this.#head ??= headOf(this.raw, this.#context.format, this.#context.tz, this.#context.receivedAt);
    return this.#head;
  }

  get body(): string {
    if (this.#body === null) {
      const { length, message, trace } = this.head;
      if (message !== null) this.#body = trace === '' ? message : `${message}\n${trace}`;
      else this.#body = length === 0 ? this.raw : this.raw.slice(length);
    }
    return this.#body;
  }

  get message(): string {
    this.#parts ??= partsOfHead(this.head, this.raw);
    return this.#parts.message;
  }

  get trace(): string {
    this.#parts ??= partsOfHead(this.head, this.raw);
    return this.#parts.trace;
  }

  get rawBytes(): Buffer {
    this.#rawBytes ??= Buffer.from(this.raw);
    return this.#rawBytes;
  }

  /** All that rules look at, in one. */
  get searchedBytes(): Buffer {
    return this.head.message === null ? this.rawBytes : Buffer.from(`${this.body}\n${this.raw}`);
  }

  get bodyBytes(): Buffer {
    if (this.#bodyBytes === null && this.head.message !== null) this.#bodyBytes = Buffer.from(this.body);
    if (this.#bodyBytes === null) {
      const header = this.head.length;
      const ascii = this.raw.length === this.rawBytes.length;
      const length = ascii ? header : Buffer.byteLength(this.raw.slice(0, header));
      this.#bodyBytes = length === 0 ? this.rawBytes : this.rawBytes.subarray(length);
    }
    return this.#bodyBytes;
  }

  get messageBytes(): Buffer {
    this.#messageBytes ??= this.message === this.body ? this.bodyBytes : Buffer.from(this.message);
    return this.#messageBytes;
  }

  get traceBytes(): Buffer {
    this.#traceBytes ??= Buffer.from(this.trace);
    return this.#traceBytes;
  }

  get fields(): Record<string, FieldValue> {
    this.#fields ??= addStreamFields(addHeadFields(Object.create(null), this.head), this.stream);
    return this.#fields;
  }

  lookup(path: string, captured: Captures): FieldValue | undefined {
    const found = lookupField(captured, path) ?? lookupField(this.fields, path);
    if (found !== undefined) return found;
    const stream = this.#context.stream;
    switch (path) {
      case 'message':
        return this.message;
      case 'trace':
        return this.trace;
      case 'raw':
        return this.raw;
      case 'level':
        return this.head.level ?? undefined;
      case 'source':
        return stream.source;
      case 'path':
        return stream.path ?? undefined;
      case 'host':
        return stream.host ?? undefined;
      default: {
        if (path === 'exception' || path.startsWith('exception.')) return this.#exceptionAt(path);
        if (!path.startsWith('labels.')) return undefined;
        const label = path.slice('labels.'.length);
        return Object.hasOwn(stream.labels, label) ? stream.labels[label] : undefined;
      }
    }
  }

  /** What the trace says, or null. */
  get exception(): ExceptionFacts | null {
    if (this.#exception === undefined)
      this.#exception = this.trace === '' ? null : exceptionOf(this.trace, this.message);
    return this.#exception;
  }

  #exceptionAt(path: string): FieldValue | undefined {
    const { exception } = this;
    if (exception === null) return undefined;
    return lookupField({ exception: exception as unknown as FieldValue }, path);
  }

  /** What templates of computed fields see. */
  scope(captured: Captures): Record<string, unknown> {
    const stream = this.#context.stream;
    const scope: Record<string, unknown> = Object.create(null);
    scope['message'] = this.message;
    scope['trace'] = this.trace;
    scope['level'] = this.head.level;
    scope['source'] = stream.source;
    scope['path'] = stream.path;
    scope['host'] = stream.host;
    scope['labels'] = stream.labels;
    Object.assign(scope, this.fields, captured);
    // Few templates ask for it, and only they pay.
    if (scope['exception'] === undefined)
      Object.defineProperty(scope, 'exception', { get: () => this.exception ?? undefined, enumerable: true });
    return scope;
  }

  /** The record as it leaves: `place` tells where it stood. Call it before `fieldsOf`. */
  record(place: RecordPlace): LogRecord {
    this.#redaction = redact(this.raw, this.rawBytes);
    const head = this.#shownHead(this.#redaction.secrets);
    return new MatchedRecord(this.raw, head, this.#redaction, this.#context, place);
  }

  /** The fields of one hit: the captures, the format's under them, secrets out. Takes the captures over. */
  fieldsOf(captured: Captures): Fields {
    const secrets = this.#redaction?.secrets ?? [];
    if (secrets.length > 0) {
      for (const name of Object.keys(captured)) {
        const value = captured[name];
        if (typeof value === 'string') captured[name] = redactValue(value, secrets);
      }
    }
    addStreamFields(addHeadFields(captured, this.#shownHead(secrets)), this.stream);
    if (captured['exception'] === undefined && this.exception !== null)
      captured['exception'] = redactFields(this.exception as unknown as FieldValue, secrets);
    return captured;
  }

  /** The head with the secrets out of its fields. */
  #shownHead(secrets: readonly string[]): Head {
    const { head } = this;
    if (head.fields === null || secrets.length === 0) return head;
    return { ...head, fields: redactFields(head.fields, secrets) as Fields };
  }
}
