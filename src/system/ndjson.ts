/**
 * The door to split2: a byte stream as lines of text, or as one JSON value a line. For sockets and pipes where offsets do not
 * matter; files that are tailed have their own reader over bytes. A line over the limit ends the reading, it is never kept.
 */
import type { Readable } from 'node:stream';
import split2 from 'split2';
import { TocsinError } from '../model/problem.ts';

export interface LineOptions {
  /** Longest line, characters without its end. */
  readonly maxLength: number;
}

/**
 * Calls `onLine` for each line, without its LF or CRLF; the last one needs none. Resolves at the end of the stream, or when
 * it is closed early (an unfinished line is then dropped). Rejects with E_LINE_LENGTH, with the stream's error, or with what
 * `onLine` threw; nothing is read after that. The stream is not closed: a socket may still be answered.
 */
export function readLines(
  stream: Readable,
  onLine: (line: string) => void,
  options: LineOptions,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const lines = split2('\n', { maxLength: options.maxLength + 1 });
    let over = false;
    const finish = (settle: () => void): void => {
      if (over) return;
      over = true;
      stream.unpipe(lines);
      lines.destroy();
      settle();
    };
    const fail = (cause: unknown): void => finish(() => reject(cause));
    lines.on('data', (line: string) => {
      if (over) return;
      const text = line.endsWith('\r') ? line.slice(0, -1) : line;
      if (text.length > options.maxLength) {
        fail(tooLong(options.maxLength));
        return;
      }
      try {
        onLine(text);
      } catch (cause) {
        fail(cause);
      }
    });
    lines.on('end', () => finish(resolve));
    // split2 has one error of its own: the line that never ends.
    lines.on('error', () => fail(tooLong(options.maxLength)));
    stream.on('error', fail);
    stream.on('close', () => {
      if (!stream.readableEnded) finish(resolve);
    });
    if (stream.destroyed) finish(resolve);
    else stream.pipe(lines);
  });
}

export interface JsonLineOptions extends LineOptions {
  /** Hears of a line that is no JSON, with the reason. Empty lines are passed over. */
  readonly onBad: (line: string, reason: string) => void;
}

/** Like `readLines`, each line parsed. The value is somebody else's: look at it before you trust it. */
export function readJsonLines(
  stream: Readable,
  onValue: (value: unknown) => void,
  options: JsonLineOptions,
): Promise<void> {
  return readLines(
    stream,
    (line) => {
      if (line.trim() === '') return;
      let value: unknown;
      try {
        value = JSON.parse(line);
      } catch (cause) {
        options.onBad(line, cause instanceof Error ? cause.message : String(cause));
        return;
      }
      onValue(value);
    },
    options,
  );
}

function tooLong(maxLength: number): TocsinError {
  return new TocsinError(
    'E_LINE_LENGTH',
    `a line of more than ${maxLength} characters came; the rest is not read`,
  );
}
