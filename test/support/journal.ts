/**
 * Journals for tests. `realJournal` is one: systemd's own `systemd-journal-remote` writes the file, so that the real journalctl can
 * follow it. `standIn` puts a script of ours under the name of journalctl into a folder: for what the real one does only on a bad day.
 */
import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { tempDir } from './temp-dir.ts';

const writer = ['/lib/systemd/systemd-journal-remote', '/usr/lib/systemd/systemd-journal-remote'].find(
  (path) => existsSync(path),
);

/** Why the real programs can't be used here, or null. */
export const noRealJournal: string | null = (() => {
  if (writer === undefined) return 'systemd-journal-remote is not installed';
  try {
    execFileSync('journalctl', ['--version'], { stdio: 'ignore' });
    return null;
  } catch {
    return 'journalctl is not installed';
  }
})();

export type Entry = Readonly<Record<string, string | Buffer>>;

/** A journal in a folder of its own. */
export function realJournal(first = Date.UTC(2026, 0, 5, 10)): {
  readonly dir: string;
  write(...entries: readonly Entry[]): void;
  done(): Promise<void>;
} {
  const dir = tempDir();
  const child = spawn(writer ?? '', ['-o', join(dir, 'test.journal'), '-'], {
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  const ended = new Promise<void>((resolve) => child.on('close', () => resolve()));
  child.stdin.on('error', () => {});
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  let at = first * 1_000;
  return {
    dir,
    write(...entries) {
      for (const entry of entries) {
        at += 1_000;
        child.stdin.write(exported(entry, at));
      }
    },
    done() {
      child.stdin.end();
      return ended;
    },
  };
}

/** The journal's export format: https://systemd.io/JOURNAL_EXPORT_FORMATS */
function exported(entry: Entry, micros: number): Buffer {
  const parts: Buffer[] = [Buffer.from(`__REALTIME_TIMESTAMP=${micros}\n`)];
  for (const [name, value] of Object.entries(entry)) {
    const bytes = Buffer.from(value as string);
    if (typeof value === 'string' && !value.includes('\n')) {
      parts.push(Buffer.from(`${name}=`), bytes, Buffer.from('\n'));
      continue;
    }
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(bytes.length));
    parts.push(Buffer.from(`${name}\n`), length, bytes, Buffer.from('\n'));
  }
  return Buffer.concat([...parts, Buffer.from('\n')]);
}

/** A script under the name of journalctl, first in PATH while the test runs. It is not systemd's: each test says what it does. */
export function standIn(script: string): string {
  const dir = tempDir();
  const path = join(dir, 'journalctl');
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
  usePath(`${dir}:${process.env['PATH']}`);
  return dir;
}

export function usePath(path: string): void {
  const before = process.env['PATH'];
  process.env['PATH'] = path;
  onTestFinished(() => {
    process.env['PATH'] = before;
  });
}

/** An entry as journalctl prints it, the cursor not in front. */
export function printed(entry: Readonly<Record<string, unknown>>, number: number): string {
  return JSON.stringify({
    ...entry,
    __REALTIME_TIMESTAMP: String((Date.UTC(2026, 0, 5, 10) + number) * 1_000),
    __CURSOR: `s=1;i=${number}`,
  });
}
