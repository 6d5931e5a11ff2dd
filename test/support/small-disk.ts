/** A file system of its own, small enough to be filled, where the machine lets a test mount one (Linux, root). */
import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

function mount(dir: string, options: string): void {
  execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', dir], { stdio: 'ignore' });
}

/** Whether `smallDisk` works here. */
export const canMount: boolean = (() => {
  const dir = mkdtempSync(join(tmpdir(), 'tocsin-mount-'));
  try {
    mount(dir, 'size=64k');
    execFileSync('umount', [dir], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
})();

export interface SmallDisk {
  readonly dir: string;
  /** Writes until nothing more goes in. */
  fill(): void;
  /** Takes the filling away again. */
  free(): void;
  remount(mode: 'ro' | 'rw'): void;
}

export function smallDisk(size = '1m'): SmallDisk {
  const dir = mkdtempSync(join(tmpdir(), 'tocsin-disk-'));
  mount(dir, `size=${size},mode=0700`);
  onTestFinished(() => {
    execFileSync('umount', ['-l', dir], { stdio: 'ignore' });
    rmSync(dir, { recursive: true, force: true });
  });
  const filling = join(dir, 'filling');
  return {
    dir,
    fill: () => {
      const handle = openSync(filling, 'a');
      try {
        for (const block of [65_536, 4096, 1]) {
          try {
            for (;;) writeSync(handle, Buffer.alloc(block, 1));
          } catch {
            // No more of this size.
          }
        }
      } finally {
        closeSync(handle);
      }
    },
    free: () => rmSync(filling, { force: true }),
    remount: (mode) => {
      execFileSync('mount', ['-o', `remount,${mode}`, dir], { stdio: 'ignore' });
    },
  };
}
