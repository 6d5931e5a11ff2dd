/** A folder of its own for a test, gone afterwards. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

export function tempDir(): string {
  const dir = mkdtempSync(join(tmpdir(), 'tocsin-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}
