/**
 * The door to pino: what the daemon says of itself, one line each, as JSON or as text for a terminal. Messages are static
 * sentences, what varies stands in the facts. A flood of one message is cut to ten a second with the number that was held
 * back. It never throws, secrets print as `[redacted]`, and no fact can forge a line or move a cursor.
 */
import { type Logger as Pino, pino } from 'pino';
import type { Clock } from '../model/seams.ts';
import { jsonLine, textLine } from './log-text.ts';
import { createPaint } from './paint.ts';

export const logLevels = ['silent', 'error', 'warn', 'info', 'debug', 'trace'] as const;
export type LogLevel = (typeof logLevels)[number];
type SpokenLevel = Exclude<LogLevel, 'silent'>;

export type Facts = Readonly<Record<string, unknown>>;

/** error: data lost or a person must act; warn: odd, nothing lost; info: done as asked; debug: one per notification; trace: one per line. */
export interface Logger {
  error(facts: Facts, message: string): void;
  warn(facts: Facts, message: string): void;
  info(facts: Facts, message: string): void;
  debug(facts: Facts, message: string): void;
  trace(facts: Facts, message: string): void;
  /** The same log with the room's name in each line. */
  child(room: string): Logger;
}

export interface LogOptions {
  readonly level: LogLevel;
  readonly clock: Clock;
  /** Takes one line with its end. What it throws is swallowed. */
  readonly write: (text: string) => void;
  /** `text` is for a terminal. */
  readonly format: 'json' | 'text';
  /** Whether text has colours. */
  readonly colours?: boolean;
}

/** The same message may come so often in a second; the rest is counted. */
const perSecond = 10;
const windowMs = 1000;
/** Different messages watched at once; they are static, so more is a mistake, and the oldest is forgotten. */
const messagesMax = 500;

/** Makes the log. Synchronous: a line is out before the call returns. */
export function createLogger(options: LogOptions): Logger {
  const paint = createPaint({ colours: options.colours ?? false });
  const write = (line: string): void => {
    try {
      options.write(options.format === 'text' ? textLine(line, paint) : jsonLine(line));
    } catch {
      // A log that can't be written stops nobody.
    }
  };
  const root = pino(
    {
      level: options.level,
      base: null,
      timestamp: () => `,"time":"${new Date(options.clock.now()).toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { error: plainError, cause: plainError },
    },
    { write },
  );
  return wrap(root, new Throttle(options.clock));
}

function wrap(target: Pino, throttle: Throttle): Logger {
  const say =
    (level: SpokenLevel) =>
    (facts: Facts, message: string): void => {
      if (!target.isLevelEnabled(level)) return;
      const speak = (extra: Facts): void => {
        try {
          target[level]({ ...facts, ...extra }, message);
        } catch {
          target[level]({ facts: 'could not be written' }, message);
        }
      };
      throttle.pass(`${level} ${message}`, speak);
    };
  return {
    error: say('error'),
    warn: say('warn'),
    info: say('info'),
    debug: say('debug'),
    trace: say('trace'),
    child: (room) => wrap(target.child({ room }), throttle),
  };
}

interface Window {
  from: number;
  spoken: number;
  held: number;
}

/** Counts each message per second; the first that is held back sets a timer that tells how many there were. */
class Throttle {
  readonly #clock: Clock;
  readonly #windows = new Map<string, Window>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  pass(message: string, speak: (extra: Facts) => void): void {
    const now = this.#clock.monotonic();
    const window = this.#windows.get(message);
    if (window === undefined || (now - window.from >= windowMs && window.held === 0)) {
      this.#begin(message, now);
      speak({});
      return;
    }
    if (window.held === 0 && window.spoken < perSecond) {
      window.spoken += 1;
      speak({});
      return;
    }
    window.held += 1;
    if (window.held > 1) return;
    this.#clock.setTimer(Math.max(1, windowMs - (now - window.from)), () => {
      const suppressed = window.held;
      window.from = this.#clock.monotonic();
      window.spoken = 1;
      window.held = 0;
      speak({ suppressed });
    });
  }

  #begin(message: string, now: number): void {
    if (this.#windows.size >= messagesMax) {
      for (const oldest of this.#windows.keys()) {
        this.#windows.delete(oldest);
        break;
      }
    }
    this.#windows.delete(message);
    this.#windows.set(message, { from: now, spoken: 1, held: 0 });
  }
}

/** An error as facts: its words and code; the stack for those that nobody expected. */
function plainError(value: unknown): unknown {
  if (!(value instanceof Error)) return value;
  const code = 'code' in value ? value.code : undefined;
  return {
    message: value.message,
    ...(code === undefined ? { stack: value.stack } : { code }),
    ...(value.cause instanceof Error ? { cause: value.cause.message } : {}),
  };
}
