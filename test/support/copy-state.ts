/** A state directory as a crash would leave it: its files copied as they lie there, without those of the lock. */
import { copyFileSync, existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';

export function copyState(from: string, to: string): void {
  mkdirSync(to, { recursive: true, mode: 0o700 });
  for (const name of ['tocsin.db', 'tocsin.db-wal'])
    if (existsSync(join(from, name))) copyFileSync(join(from, name), join(to, name));
}
