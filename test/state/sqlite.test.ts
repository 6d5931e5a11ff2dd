import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { built } from '../support/built.ts';
import { tempDir } from '../support/temp-dir.ts';

it('connections that nobody holds any more do no harm when memory is tidied up', async () => {
  // In a process of its own: where it goes wrong, the process is gone (Node 24.19 and later).
  const program = `
    import { openDatabase } from ${JSON.stringify(built('state/sqlite.js'))};
    for (let turn = 0; turn < 20; turn++) {
      const database = openDatabase(${JSON.stringify(join(tempDir(), 'some.db'))}, { readOnly: false, busyMs: 0 });
      database.exec('CREATE TABLE IF NOT EXISTS t (a)');
      database.prepare('INSERT INTO t VALUES (?)').run(turn);
      database.close();
    }
    setTimeout(() => {
      for (let turn = 0; turn < 60; turn++) Array.from({ length: 100_000 }, (_, at) => ({ at }));
      console.log('well');
    }, 10);`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program]);
  expect(stdout).toBe('well\n');
});
