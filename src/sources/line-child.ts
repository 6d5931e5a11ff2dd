/**
 * Runs a program once and gives what it prints, in whole lines. Takes its name and arguments, gives lines as they come, and at the
 * end how it ended, with the last words it had for standard error. Restarts nothing, and understands none of the lines.
 */
import { type ChildProcess, spawn } from 'node:child_process';

/** A longer line is passed over: a journal may hold whole core dumps. */
export const childLineMax = 16 * 1024 * 1024;
/** Characters of standard error that are kept. */
const wordsMax = 2_000;
const lineFeed = 10;

export interface ChildEnd {
  /** `ENOENT`, `EACCES`, ...: it could not be started. */
  readonly failure: string | null;
  readonly code: number | null;
  readonly signal: string | null;
  /** The end of what it said on standard error. */
  readonly words: string;
}

export interface LineChildEvents {
  /** Whole lines; the bytes are valid during the call only. */
  readonly lines: (lines: Buffer) => void;
  /** A line on standard error. */
  readonly said: (line: string) => void;
  /** A line was longer than the limit. */
  readonly oversized: () => void;
}

export class LineChild {
  readonly #child: ChildProcess;
  readonly #events: LineChildEvents;
  readonly ended: Promise<ChildEnd>;
  #parts: Buffer[] = [];
  #partBytes = 0;
  #skipping = false;
  #words = '';

  constructor(program: string, args: readonly string[], events: LineChildEvents) {
    this.#events = events;
    this.#child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child.stdout?.on('data', (data: Buffer) => this.#took(data));
    this.#child.stderr?.on('data', (data: Buffer) => this.#complained(data.toString('utf8')));
    this.ended = new Promise((resolve) => {
      this.#child.on('error', (error: NodeJS.ErrnoException) => {
        resolve({ failure: error.code ?? error.message, code: null, signal: null, words: this.#words });
      });
      this.#child.on('close', (code, signal) =>
        resolve({ failure: null, code, signal, words: this.#words.trim() }),
      );
    });
  }

  /** Ends it, and gives nothing more. */
  async stop(): Promise<void> {
    this.#skipping = true;
    this.#child.stdout?.removeAllListeners('data');
    this.#child.stdout?.destroy();
    this.#child.kill('SIGTERM');
    await this.ended;
  }

  #took(data: Buffer): void {
    let from = 0;
    if (this.#skipping) {
      from = data.indexOf(lineFeed) + 1;
      if (from === 0) return;
      this.#skipping = false;
    }
    const end = data.lastIndexOf(lineFeed) + 1;
    if (end > from) {
      const lines = data.subarray(from, end);
      const whole = this.#partBytes === 0 ? lines : Buffer.concat([...this.#parts, lines]);
      this.#parts = [];
      this.#partBytes = 0;
      this.#events.lines(whole);
      from = end;
    }
    if (from >= data.length) return;
    this.#parts.push(Buffer.from(data.subarray(from)));
    this.#partBytes += data.length - from;
    if (this.#partBytes <= childLineMax) return;
    this.#parts = [];
    this.#partBytes = 0;
    this.#skipping = true;
    this.#events.oversized();
  }

  #complained(text: string): void {
    this.#words = `${this.#words}${text}`.slice(-wordsMax);
    for (const line of text.split('\n')) if (line.trim() !== '') this.#events.said(line.trim());
  }
}
