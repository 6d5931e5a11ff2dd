/**
 * One record that some rule may want, read as far as it is asked: text, head, message, trace, fields. From it, once a rule
 * said yes, the LogRecord that leaves this room: cut, and without secrets.
 */
import type { Format } from '../model/config.ts';
import type { Fields, FieldValue, LogRecord, StreamInfo } from '../model/record.ts';
import { type Head, headFields, headOf } from './celery.ts';
import type { Captures, Subject } from './conditions.ts';
import { redact, redactValue } from './redact.ts';
import { cutText, type Parts, partsOf } from './trace.ts';
import { lookupField } from './where.ts';

export interface SubjectContext {
  readonly stream: StreamInfo;
  readonly format: Format;
  readonly tz: string;
  readonly receivedAt: number;
}

export class RecordSubject implements Subject {
  readonly raw: string;
  readonly #context: SubjectContext;
  #head: Head | null = null;
  #parts: Parts | null = null;
  #fields: Record<string, FieldValue> | null = null;
  #body: string | null = null;
  #secrets: readonly string[] = [];

  /** `raw`: the record's text, cleaned, without line ends behind it. */
  constructor(raw: string, context: SubjectContext) {
    this.raw = raw;
    this.#context = context;
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
      const length = this.head.length;
      this.#body = length === 0 ? this.raw : this.raw.slice(length);
    }
    return this.#body;
  }

  get message(): string {
    this.#parts ??= partsOf(this.body);
    return this.#parts.message;
  }

  get trace(): string {
    this.#parts ??= partsOf(this.body);
    return this.#parts.trace;
  }

  get fields(): Record<string, FieldValue> {
    this.#fields ??= headFields(this.head);
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
        if (!path.startsWith('labels.')) return undefined;
        const label = path.slice('labels.'.length);
        return Object.hasOwn(stream.labels, label) ? stream.labels[label] : undefined;
      }
    }
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
    return Object.assign(scope, this.fields, captured);
  }

  /** The record as it leaves: `place` tells where it stood. Call it before `fieldsOf`. */
  record(place: {
    readonly offset: number;
    readonly length: number;
    readonly truncated: boolean;
    readonly before: () => readonly string[];
  }): LogRecord {
    const whole = redact(this.raw);
    this.#secrets = whole.secrets;
    const clean = whole.secrets.length === 0;
    const raw = cutText(whole.text);
    const message = cutText(clean ? this.message : redact(this.message).text);
    const trace = this.trace === '' ? null : cutText(clean ? this.trace : redact(this.trace).text);
    const { head } = this;
    let before: readonly string[] | null = null;
    return {
      stream: this.#context.stream,
      offset: place.offset,
      length: place.length,
      receivedAt: this.#context.receivedAt,
      time: head.time,
      level: head.level,
      message: message.text,
      trace: trace?.text ?? null,
      raw: raw.text,
      fields: this.fields,
      truncated: place.truncated || message.cut || (trace?.cut ?? false),
      // Few records are shown: the lines before one are put together when somebody asks.
      get before() {
        before ??= place.before();
        return before;
      },
      syslog: null,
    };
  }

  /** The fields of one hit: the format's, the captures over them, secrets out. */
  fieldsOf(captured: Captures): Fields {
    const fields: Record<string, FieldValue> = Object.create(null);
    Object.assign(fields, this.fields);
    for (const name of Object.keys(captured)) {
      const value = captured[name];
      if (value === undefined) continue;
      fields[name] =
        typeof value === 'string' && this.#secrets.length > 0 ? redactValue(value, this.#secrets) : value;
    }
    return fields;
  }
}
