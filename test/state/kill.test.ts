/** The store in a process that is killed, limited, or has lost its native module. */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openStore } from '../../src/state/store.ts';
import { built, runModule } from '../support/built.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { tempDir } from '../support/temp-dir.ts';
import { waitFor } from '../support/wait-for.ts';

/** Two documents per commit that must move together, and a sum; `committed N` is printed after each commit. */
function counting(dir: string): string {
  return `
    import { openStore } from '${built('state/store.js')}';
    import { realClock } from '${built('system/clock.js')}';
    import { armFault } from '${built('system/fault.js')}';
    armFault(process.env.POINT);
    const { store } = openStore({ dir: ${JSON.stringify(dir)}, clock: realClock });
    const left = store.table('left'), right = store.table('right');
    for (let n = (left.get('n')?.n ?? 0) + 1; n <= 1_000_000; n++) {
      left.put('n', { n }, n);
      for (let k = 0; k < 20; k++) right.put('k' + k, { n, text: 'x'.repeat(n % 3000) }, null);
      const result = store.commit();
      if (!result.ok) console.log(result.code);
      else console.log('committed ' + n);
    }`;
}

/** The state after a crash is one moment: everything of one commit and nothing of the next. */
function look(dir: string): number {
  const { store, notices } = openStore({ dir, clock: new FakeClock() });
  try {
    expect(notices).toEqual([]);
    const n = store.table<{ n: number }>('left').get('n')?.n ?? 0;
    const rows = store.table<{ n: number; text: string }>('right').scan('', 100);
    expect(rows).toHaveLength(n === 0 ? 0 : 20);
    for (const { value } of rows) expect(value).toEqual({ n, text: 'x'.repeat(n % 3000) });
    return n;
  } finally {
    store.close();
  }
}
const lastCommitted = (output: string): number =>
  Number([...output.matchAll(/committed (\d+)\n/g)].at(-1)?.[1] ?? 0);

describe('kill -9', () => {
  it.each([
    'state-before-commit',
    'state-after-commit',
  ])('A1 at %s: all of a commit or nothing', async (point) => {
    const dir = join(tempDir(), 'state');
    for (let nth = 1; nth <= 3; nth++) {
      const before = look(dir);
      const ended = await runModule(counting(dir), { env: { POINT: `${point}:${nth}` } }).ended;
      expect(ended).toMatchObject({ signal: 'SIGKILL' });
      expect(look(dir)).toBe(before + (point === 'state-before-commit' ? nth - 1 : nth));
    }
  });

  it('A2 at any moment: nothing that was committed is missing, nothing is half there', async () => {
    const dir = join(tempDir(), 'state');
    let lastSeen = 0;
    for (let round = 0; round < 6; round++) {
      const run = runModule(counting(dir));
      const goal = lastSeen + round * 7;
      await waitFor('some commits', () => lastCommitted(run.output()) > goal);
      run.child.kill('SIGKILL');
      const { output } = await run.ended;
      lastSeen = look(dir);
      expect(lastSeen).toBeGreaterThanOrEqual(lastCommitted(output));
      // Printing lags behind by one commit at most.
      expect(lastSeen).toBeLessThanOrEqual(lastCommitted(output) + 1);
    }
  });

  it('B8 the lock is free again after a kill; before that its holder is named', async () => {
    const dir = join(tempDir(), 'state');
    const run = runModule(counting(dir));
    await waitFor('the first commit', () => lastCommitted(run.output()) > 0);
    expect(() => openStore({ dir, clock: new FakeClock() })).toThrow(
      expect.objectContaining({
        code: 'E_STATE_LOCKED',
        message: expect.stringContaining(`pid=${run.child.pid}`),
      }),
    );
    run.child.kill('SIGKILL');
    await run.ended;
    expect(look(dir)).toBeGreaterThan(0);
  });

  it('A10 three times within the start: the state is as it was', async () => {
    const dir = join(tempDir(), 'state');
    for (let round = 0; round < 3; round++) {
      const run = runModule(counting(dir));
      await waitFor('its lock', () => {
        try {
          return readFileSync(join(dir, 'lock.json'), 'utf8').includes(String(run.child.pid));
        } catch {
          return false;
        }
      });
      run.child.kill('SIGKILL');
      await run.ended;
      look(dir);
    }
  });
});

describe('a limit on the size of files', () => {
  const canLimit = (() => {
    try {
      execFileSync('prlimit', ['--version'], { stdio: 'ignore' });
      return true;
    } catch {
      return false;
    }
  })();

  it.skipIf(!canLimit)(
    'B3 whose writes fail in the middle: it goes on from memory, and is whole again when they pass',
    async () => {
      const dir = join(tempDir(), 'state');
      const text = `
      import { openStore } from '${built('state/store.js')}';
      import { realClock } from '${built('system/clock.js')}';
      const { store, notices } = openStore({ dir: ${JSON.stringify(dir)}, clock: realClock, onNotice: (n) => console.log(n.code) });
      const table = store.table('right');
      let n = 0, last = '', firstBad = 0;
      const timer = setInterval(() => {
        n += 1;
        for (let k = 0; k < 20; k++) table.put('k' + k, { n, text: 'x'.repeat(n % 3000) }, null);
        store.table('left').put('n', { n }, null);
        const result = store.commit();
        if (!result.ok && !firstBad) { firstBad = n; console.log('bad'); }
        if (firstBad && result.ok) { console.log('good again ' + n); clearInterval(timer); store.close(); }
      }, 1);`;
      // 512-byte blocks: the log outgrows 300 KB soon.
      const run = runModule(text, { shell: 'ulimit -S -f 300' });
      await waitFor('a failing write', () => run.output().includes('bad'));
      execFileSync('prlimit', ['--pid', String(run.child.pid), '--fsize=unlimited:unlimited']);
      const ended = await run.ended;
      expect(ended.output).toMatch(/E_STATE_(IO|DISK_FULL)\n/);
      expect(ended.output).toContain('STATE_RECOVERED');
      expect(look(dir)).toBe(Number(/good again (\d+)/.exec(ended.output)?.[1]));
    },
  );
});

it('a missing native module is one clear error', async () => {
  const home = tempDir();
  cpSync(fileURLToPath(built('state/sqlite.js').replace('/state/sqlite.js', '')), join(home, 'dist'), {
    recursive: true,
  });
  writeFileSync(join(home, 'package.json'), '{"type":"module"}');
  mkdirSync(join(home, 'node_modules'));
  const text = `
    const { openDatabase } = await import(${JSON.stringify(`file://${join(home, 'dist/state/sqlite.js')}`)});
    try { openDatabase('x.db', { readOnly: false, busyMs: 0 }); } catch (error) { console.log(error.code, error.message); }`;
  const { output } = await runModule(text).ended;
  expect(output).toMatch(/^E_STATE_DRIVER .*npm rebuild better-sqlite3.*--allow-scripts=re2,better-sqlite3/);
});

it('B4 the permissions of a directory are told with path, user and mode', async ({ skip }) => {
  if (process.geteuid?.() !== 0) skip();
  const dir = tempDir();
  mkdirSync(join(dir, 'state'), { mode: 0o700 });
  const seteuid = (uid: number): void => process.seteuid?.(uid);
  onTestFinished(() => seteuid(0));
  const attempt = (): unknown => {
    seteuid(65_532);
    try {
      return openStore({ dir: join(dir, 'state'), clock: new FakeClock() });
    } catch (error) {
      return error;
    } finally {
      seteuid(0);
    }
  };
  expect(attempt()).toMatchObject({
    code: 'E_STATE_PERM',
    message: expect.stringMatching(/path=\S+ uid=65532 owner=\S+ mode=\d{4}/),
  });
});
