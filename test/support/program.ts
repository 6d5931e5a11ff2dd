/** The built program as a person runs it: a process of its own with arguments, pipes and signals. `npm test` builds first. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { askDaemon } from '../../src/daemon/control.ts';
import type { Status } from '../../src/daemon/status.ts';

/** The path of the built program. */
export const program: string = (() => {
  const path = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
  if (!existsSync(path)) throw new Error('dist/main.js is missing: run `npm run build` first');
  return path;
})();

export interface RunOptions {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
  /** A program that runs this one, with its arguments. */
  readonly wrap?: readonly string[];
  /** Options of Node. */
  readonly node?: readonly string[];
  /** Bytes for standard input; without them it is /dev/null. */
  readonly input?: string | Buffer;
}
export interface Finished {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly ms: number;
}
export interface Running {
  readonly child: ChildProcess;
  readonly pid: number;
  stdout(): string;
  stderr(): string;
  readonly ended: Promise<Finished>;
  /** Sends the signal and waits for the end. */
  end(signal?: NodeJS.Signals): Promise<Finished>;
}

/** Starts the program. Killed when the test is over. */
export function start(args: readonly string[], options: RunOptions): Running {
  const began = performance.now();
  const whole = [...(options.wrap ?? []), process.execPath, ...(options.node ?? []), program, ...args];
  const child = spawn(whole[0] ?? '', whole.slice(1), {
    cwd: options.cwd,
    stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'], ...options.env },
  });
  let stdout = '';
  let stderr = '';
  child.stdout?.on('data', (part: Buffer) => (stdout += part.toString()));
  child.stderr?.on('data', (part: Buffer) => (stderr += part.toString()));
  child.stdin?.on('error', () => {});
  child.stdin?.end(options.input);
  const ended = new Promise<Finished>((resolve) => {
    child.on('close', (code, signal) =>
      resolve({ code, signal, stdout, stderr, ms: performance.now() - began }),
    );
  });
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  return {
    child,
    pid: child.pid ?? 0,
    stdout: () => stdout,
    stderr: () => stderr,
    ended,
    end: (signal = 'SIGTERM') => {
      child.kill(signal);
      return ended;
    },
  };
}

/** Runs the program to its end. */
export function run(args: readonly string[], options: RunOptions): Promise<Finished> {
  return start(args, options).ended;
}

export interface RunningDaemon extends Running {
  readonly dir: string;
  /** As `tocsin status --json` gives it, without a process of its own. */
  status(): Promise<Status>;
}

/** Starts a daemon on `tocsin.yaml` in the folder, and waits until it reads and listens. */
export async function startDaemon(
  dir: string,
  options: {
    readonly args?: readonly string[];
    readonly env?: Readonly<Record<string, string>>;
    readonly stateDir?: string;
    readonly wrap?: readonly string[];
    readonly node?: readonly string[];
  } = {},
): Promise<RunningDaemon> {
  const running = start(['run', ...(options.args ?? [])], {
    cwd: dir,
    ...(options.env ? { env: options.env } : {}),
    ...(options.wrap ? { wrap: options.wrap } : {}),
    ...(options.node ? { node: options.node } : {}),
  });
  const stateDir = options.stateDir ?? join(dir, '.tocsin');
  const ask = async (): Promise<Status | null> => {
    try {
      const asked = await askDaemon(stateDir, { command: 'status', args: {} });
      return asked ? (asked.data as Status) : null;
    } catch {
      return null;
    }
  };
  await until(`the daemon to be up; it said: ${running.stderr()}`, async () => {
    if (running.child.exitCode !== null)
      throw new Error(`the daemon ended with ${running.child.exitCode}: ${running.stderr()}`);
    // The last of what it says at its start comes when everything runs.
    return /^ {2}tells /m.test(running.stderr()) && (await ask()) !== null;
  });
  return {
    ...running,
    dir,
    status: async () => {
      const status = await ask();
      if (!status) throw new Error(`no daemon answers in ${stateDir}; it said: ${running.stderr()}`);
      return status;
    },
  };
}

/** Waits for a fact that must be asked for. */
export async function until<T>(
  what: string,
  look: () => Promise<T | undefined | false | null>,
  deadlineMs = 15_000,
): Promise<T> {
  const end = performance.now() + deadlineMs;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (performance.now() > end) throw new Error(`waited ${deadlineMs} ms in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
