/** A mount that hangs and fails on demand, as a network's does, where the machine lets a test make one (Linux, root, /dev/fuse). */
import { execFileSync, spawn } from 'node:child_process';
import { accessSync, constants, mkdirSync, readFileSync } from 'node:fs';
import { constants as system } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { canMount } from './small-disk.ts';
import { tempDir } from './temp-dir.ts';
import { waitFor } from './wait-for.ts';

/** Whether `hangingDisk` works here. */
export const canHang: boolean = (() => {
  try {
    accessSync('/dev/fuse', constants.R_OK | constants.W_OK);
    return canMount && readFileSync('/proc/filesystems', 'latin1').includes('\tfuse\n');
  } catch {
    return false;
  }
})();

export interface HangingDisk {
  /** Where the files are mounted. */
  readonly dir: string;
  /** The same files on the local disk: for the test to write to. */
  readonly behind: string;
  /** No question is answered until `go`. */
  hang(): Promise<void>;
  go(): Promise<void>;
  /** Every read fails. */
  fail(code: 'EIO' | 'ESTALE'): Promise<void>;
  heal(): Promise<void>;
  /** Reads that failed so far. */
  failures(): number;
}

export async function hangingDisk(): Promise<HangingDisk> {
  const root = tempDir();
  const behind = join(root, 'behind');
  const dir = join(root, 'mounted');
  mkdirSync(behind);
  mkdirSync(dir);
  const server = spawn(
    process.execPath,
    [fileURLToPath(new URL('fuse-server.mjs', import.meta.url)), behind, dir],
    {
      stdio: ['pipe', 'pipe', 'pipe'],
    },
  );
  let said = '';
  server.stdout.on('data', (part: Buffer) => (said += part.toString()));
  server.stderr.on('data', (part: Buffer) => (said += part.toString()));
  onTestFinished(async () => {
    execFileSync('umount', ['-l', '-f', dir], { stdio: 'ignore' });
    server.kill('SIGKILL');
    await waitFor('the mount to end', () => server.exitCode !== null || server.signalCode !== null);
  });
  const tell = async (command: string): Promise<void> => {
    const before = said.length;
    server.stdin.write(`${command}\n`);
    await waitFor(`"${command}" to be done`, () => said.indexOf(command, before) >= 0);
  };
  await waitFor(`the mount, which said: ${said}`, () => said.includes('mounted'));
  return {
    dir,
    behind,
    hang: () => tell('hang'),
    go: () => tell('go'),
    fail: (code) => tell(`fail ${system.errno[code]}`),
    heal: () => tell('heal'),
    failures: () => said.split('refused\n').length - 1,
  };
}
