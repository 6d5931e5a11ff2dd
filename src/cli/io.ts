/** What a command has of the outside, and the exit codes that all commands share. */
import type { Readable, Writable } from 'node:stream';
import type { Clock } from '../model/seams.ts';
import { wantsColours } from '../system/paint.ts';

/** 0 done, 1 the answer is no, 2 the input is wrong. */
export const exitCodes = { done: 0, no: 1, wrong: 2 } as const;

export interface CliIo {
  readonly version: string;
  /** This program's file, for one that starts another of its kind. */
  readonly program: string;
  /** Folder of the rule packs that ship with the program. */
  readonly packsDir: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly stdin: Readable;
  /** Whether standard input is a pipe, a file or a socket: something that a log may come from. */
  readonly hasInput: boolean;
  readonly stdout: Writable & { readonly isTTY?: boolean };
  readonly stderr: Writable & { readonly isTTY?: boolean };
  readonly clock: Clock;
  readonly random: () => number;
  /** Calls back for each such signal until the returned function is called. */
  onSignal(signal: 'SIGTERM' | 'SIGINT' | 'SIGHUP', listener: () => void): () => void;
  /** Ends the process at once: the second SIGTERM. */
  exitNow(code: number): void;
}

export function print(io: CliIo, text: string): void {
  io.stdout.write(`${text}\n`);
}

export function complain(io: CliIo, text: string): void {
  io.stderr.write(`${text}\n`);
}

/** Whether colours are wanted on this stream: a terminal, and no NO_COLOR (https://no-color.org: set and not empty). */
export function wantsColour(io: CliIo, stream: { readonly isTTY?: boolean }): boolean {
  return wantsColours({
    terminal: stream.isTTY === true && io.env['TERM'] !== 'dumb',
    noColor: io.env['NO_COLOR'],
  });
}
