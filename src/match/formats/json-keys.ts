/**
 * The keys by which the known loggers say message, trace, level, time and logger in JSON, best first. Gives the role of a
 * key, from bytes or from text; the two roads must agree, so both read these lists and nothing else.
 */

export const messageRole = 0;
export const traceRole = 1;
export const levelRole = 2;
export const timeRole = 3;
export const loggerRole = 4;

/** pino, winston, logrus, zap, Python's and Django's, Serilog (CLEF and plain), structlog, ECS, GELF, journald, Cloud Logging. */
const keysOfRole: readonly (readonly string[])[] = [
  [
    'message',
    'msg',
    '@m',
    'event',
    'RenderedMessage',
    'rendered_message',
    'MESSAGE',
    'Message',
    'short_message',
    'textPayload',
    'body',
    'text',
    '@mt',
    'MessageTemplate',
    'errorMessage',
  ],
  [
    'exc_info',
    'exception',
    'traceback',
    'stack_trace',
    'stacktrace',
    'stackTrace',
    'stack',
    'exc_text',
    'Exception',
    '@x',
    'error.stack_trace',
    'error.stack',
    'err',
    'error',
    'thrown',
    'exc',
    'errorVerbose',
  ],
  [
    'level',
    'levelname',
    'severity',
    'log.level',
    'lvl',
    '@l',
    'Level',
    'loglevel',
    'levelno',
    'PRIORITY',
    'priority',
  ],
  [
    'time',
    'timestamp',
    '@timestamp',
    'ts',
    '@t',
    'asctime',
    'Timestamp',
    'datetime',
    'date',
    't',
    'created',
    '__REALTIME_TIMESTAMP',
  ],
  [
    'logger',
    'logger_name',
    'loggerName',
    'log.logger',
    'SourceContext',
    'category',
    'name',
    'module',
    'component',
  ],
];

/** A key's role and its rank in it: 0 is best. */
export interface KeyRole {
  readonly role: number;
  readonly rank: number;
}

interface KnownKey extends KeyRole {
  readonly word: Buffer;
}

const byText = new Map<string, KeyRole>();
/** By length and first byte, so that most keys are known to be none at one look. */
const slots: (KnownKey[] | undefined)[] = new Array(32 * 128).fill(undefined);

for (const [role, keys] of keysOfRole.entries()) {
  for (const [rank, key] of keys.entries()) {
    byText.set(key, { role, rank });
    const word = Buffer.from(key);
    const slot = word.length * 128 + (word[0] ?? 0);
    const known = slots[slot] ?? [];
    known.push({ role, rank, word });
    slots[slot] = known;
  }
}

/** The role of a key as text, or null. */
export function roleOfKey(key: string): KeyRole | null {
  return byText.get(key) ?? null;
}

/** The role of a key as bytes, or null. */
export function roleOfBytes(data: Buffer, from: number, to: number): KeyRole | null {
  const length = to - from;
  const first = data[from] as number;
  if (length === 0 || length >= 32 || first >= 128) return null;
  const known = slots[length * 128 + first];
  if (known === undefined) return null;
  for (const one of known) {
    let i = 1;
    while (i < length && data[from + i] === one.word[i]) i++;
    if (i >= length) return one;
  }
  return null;
}
