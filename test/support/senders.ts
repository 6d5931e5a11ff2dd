/** Programs that send syslog, where they are installed: found, run, and ended when the test is over. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

/** Debian's rsyslog and syslog-ng exclude each other: one may be unpacked here, with what it needs. */
const unpacked = process.env['TOCSIN_RSYSLOG_DIR'] ?? '/tmp/tocsin-rsyslog';
const libraries = join(unpacked, 'usr/lib/x86_64-linux-gnu');

function found(command: string): string | null {
  const path = spawnSync('sh', ['-c', `command -v ${command} || ls /usr/sbin/${command}`])
    .stdout.toString()
    .trim();
  return path === '' ? null : path;
}

export const senders = {
  logger: found('logger'),
  python3: found('python3'),
  nginx: found('nginx'),
  busybox: found('busybox'),
  loggen: found('loggen'),
  'syslog-ng': found('syslog-ng'),
  rsyslogd: existsSync(join(unpacked, 'usr/sbin/rsyslogd'))
    ? join(unpacked, 'usr/sbin/rsyslogd')
    : found('rsyslogd'),
} as const;
export type Sender = keyof typeof senders;

/** What a test is called, and whether it can run: the name says why it does not. */
export function needing(
  sender: Sender,
  name: string,
  also: string | null = null,
): { name: string; skip: boolean } {
  if (senders[sender] === null) return { name: `${name} (not run: ${sender} is not installed)`, skip: true };
  return also === null ? { name, skip: false } : { name: `${name} (not run: ${also})`, skip: true };
}

/** Runs a program to its end, and gives what it said; throws when it fails. */
export function call(sender: Sender, args: readonly string[]): string {
  const done = spawnSync(senders[sender] ?? sender, args, { timeout: 20_000 });
  if (done.status !== 0)
    throw new Error(`${sender} ${args.join(' ')}: ${done.status} ${done.stderr} ${done.stdout}`);
  return `${done.stdout}${done.stderr}`;
}

/** Starts a program in the foreground. */
export function launch(sender: Sender, args: readonly string[]): ChildProcess & { said: () => string } {
  const isUnpacked = senders[sender]?.startsWith(unpacked) ?? false;
  const child = spawn(
    senders[sender] ?? sender,
    isUnpacked ? ['-M', join(libraries, 'rsyslog'), ...args] : args,
    {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...(isUnpacked ? { LD_LIBRARY_PATH: libraries } : {}) },
    },
  );
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (part: Buffer) => {
      said += part.toString();
    });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  return Object.assign(child, { said: () => said });
}
