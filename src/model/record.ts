/**
 * The words for what comes in: one log record with its facts. Nothing downstream of `sources/` and `match/`
 * may ask which kind of source made it.
 */

/** A value that a log line can carry: JSON, since JSON logs have nested fields. */
export type FieldValue =
  | string
  | number
  | boolean
  | null
  | readonly FieldValue[]
  | { readonly [key: string]: FieldValue };

/** Facts of a record by name: from the format, from named groups, and computed ones. Made with a null prototype. */
export type Fields = Readonly<Record<string, FieldValue>>;

/** Levels in their order; `level: { gte: warning }` compares by the index in this list. */
export const levels = [
  'trace',
  'debug',
  'info',
  'notice',
  'warning',
  'error',
  'critical',
  'alert',
  'emergency',
] as const;
export type Level = (typeof levels)[number];

/** The parts of a syslog envelope, as RFC 5424 names them. */
export interface SyslogEnvelope {
  readonly pri: number | null;
  readonly facility: number | null;
  readonly severity: number | null;
  readonly version: number | null;
  readonly timestamp: string | null;
  readonly hostname: string | null;
  readonly appname: string | null;
  readonly procid: string | null;
  readonly msgid: string | null;
  /** By element and parameter; a parameter that comes again is a list. */
  readonly structured_data: Readonly<
    Record<string, Readonly<Record<string, string | readonly string[]>>>
  > | null;
}

/** Envelopes that a source itself knows of. */
export type StreamEnvelope = 'cri' | 'journal' | 'carried' | 'logplex';

/** A stream of bytes with an identity: one file (whatever its names), one standard input, one socket peer. */
export interface StreamInfo {
  /** Name of the source in the configuration. */
  readonly source: string;
  /** Identity that survives renames and restarts; offsets hang on it, and the ids of notifications. */
  readonly key: string;
  /** The path a person knows it by, or null where there is none. */
  readonly path: string | null;
  readonly host: string | null;
  /** Labels of the source. */
  readonly labels: Readonly<Record<string, string>>;
  /** Facts that hold for all its records (container, pod): fields of each, below those that the record itself gives. */
  readonly fields?: Fields;
  /**
   * Each of its lines stands in this envelope, whatever the source's format: that one is of the text inside. `carried` (see `carried.ts`) and
   * `logplex` (syslog without structured data) are of messages: the source says where each ends, with `Chunk.frames`.
   */
  readonly envelope?: StreamEnvelope;
}

/** One log record: a header line with its traceback, or a line. Built only for records that a rule may want. */
export interface LogRecord {
  readonly stream: StreamInfo;
  /** Offset in the stream of the record's first byte. */
  readonly offset: number;
  /** Bytes of the record in the stream, line ends included. */
  readonly length: number;
  /** Milliseconds of our clock. */
  readonly receivedAt: number;
  /** The record's own time in ms since the epoch, or null where it has none. */
  readonly time: number | null;
  readonly level: Level | null;
  /** First line or lines, without the header that the format took off, without colours. */
  readonly message: string;
  /** The traceback below the message, or null. */
  readonly trace: string | null;
  /** The whole record as text (header, message, trace), without colours and NUL runs; redacted. */
  readonly raw: string;
  /** What the format found: `time`, `level`, `process`, `logger`, JSON keys ... */
  readonly fields: Fields;
  /** The head only: the line or the record was longer than its limit. */
  readonly truncated: boolean;
  /** Lines before it from the same stream (and process, where known), oldest first. */
  readonly before: readonly string[];
  /** Lines behind it, as many as a rule wants and as came before it fell quiet. */
  readonly after: readonly string[];
  readonly syslog: SyslogEnvelope | null;
}
