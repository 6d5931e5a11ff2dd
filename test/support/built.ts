/** Modules of the program in a process of their own, for what a test can't survive. `npm test` builds them first. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';

/** The URL of a module of its own, like `state/store.js`. */
export function built(path: string): string {
  const url = new URL(`../../build/${path}`, import.meta.url);
  if (!existsSync(fileURLToPath(url)))
    throw new Error(`build/${path} is missing: run \`npm run build:modules\` first`);
  return url.href;
}

export interface Ended {
  readonly code: number | null;
  readonly signal: string | null;
  readonly output: string;
}
export interface BuiltProcess {
  readonly child: ChildProcess;
  /** What it printed so far, both streams. */
  output(): string;
  readonly ended: Promise<Ended>;
}

/** Runs a module's text in a new Node. Killed when the test is over. */
export function runModule(
  text: string,
  options: { readonly env?: Record<string, string>; readonly shell?: string } = {},
): BuiltProcess {
  const node = [process.execPath, '--input-type=module', '-e', text];
  const [command = '', ...args] =
    options.shell === undefined ? node : ['bash', '-c', `${options.shell}; exec "$0" "$@"`, ...node];
  const child = spawn(command, args, {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, ...options.env },
  });
  let output = '';
  child.stdout?.on('data', (part: Buffer) => (output += part.toString()));
  child.stderr?.on('data', (part: Buffer) => (output += part.toString()));
  onTestFinished(() => void child.kill('SIGKILL'));
  const ended = new Promise<Ended>((resolve) => {
    child.on('close', (code, signal) => resolve({ code, signal, output }));
  });
  return { child, output: () => output, ended };
}
