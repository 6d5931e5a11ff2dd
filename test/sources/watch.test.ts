/** Events of the system: hints of what changed, and what happens where there are none. */
import { appendFileSync, closeSync, mkdirSync, openSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type CreateWatch, watchFolders } from '../../src/system/watch.ts';
import { tail } from '../support/tailing.ts';
import { tempDir } from '../support/temp-dir.ts';
import { waitFor } from '../support/wait-for.ts';

function watch(entries: number): {
  dir: string;
  hints: string[];
  troubles: string[];
  set: () => void;
} {
  const dir = tempDir();
  const hints: string[] = [];
  const troubles: string[] = [];
  const watching = watchFolders({
    onHint: (_dir, name) => hints.push(name ?? ''),
    onTrouble: (message) => troubles.push(message),
  });
  onTestFinished(() => watching.close());
  const set = (): void => {
    watching.set(new Map([[dir, { inode: statSync(dir, { bigint: true }).ino, entries }]]));
  };
  return { dir, hints, troubles, set };
}

/** Everything the process may open is open. */
function exhaust(): () => void {
  const open: number[] = [];
  try {
    for (;;) open.push(openSync('/dev/null', 'r'));
  } catch {
    return () => {
      for (const fd of open.splice(0)) closeSync(fd);
    };
  }
}

// The large one first: once this process has its inotify instance, one more watch needs no descriptor.
describe.each([
  ['a large folder', 1_000],
  ['a small folder', 1],
])('%s', (_name, entries) => {
  it('T46 B17 no more watches: said once, and polling goes on alone', async () => {
    const { set, troubles } = watch(entries);
    await import('chokidar');
    const free = exhaust();
    onTestFinished(free);
    set();
    await waitFor('the trouble', () => troubles.length > 0);
    free();
    set();
    expect(troubles.length).toBe(1);
    expect(troubles[0]).toMatch(/files are polled instead/);
  });

  it('tells which name changed: written, renamed, made', async () => {
    const { dir, hints, set } = watch(entries);
    writeFileSync(join(dir, 'a.log'), '');
    set();
    const hinted = async (name: string, act: () => void): Promise<void> => {
      await waitFor(`a hint of ${name}`, () => {
        act();
        return hints.includes(name);
      });
      hints.length = 0;
    };
    await hinted('a.log', () => appendFileSync(join(dir, 'a.log'), 'x'));
    await hinted('b.log', () => writeFileSync(join(dir, 'b.log'), ''));
    renameSync(join(dir, 'a.log'), join(dir, 'c.log'));
    await waitFor('both names', () => hints.includes('a.log') && hints.includes('c.log'));
  });

  it('a folder replaced by another of the same name is watched anew', async () => {
    const { dir, hints, set } = watch(entries);
    set();
    renameSync(dir, `${dir}.old`);
    onTestFinished(() => renameSync(`${dir}.old`, `${dir}.gone`));
    mkdirSync(dir);
    set();
    await waitFor('a hint', () => {
      writeFileSync(join(dir, 'new.log'), 'x');
      return hints.includes('new.log');
    });
  });
});

it('T46 a source whose watch fails at once reads by polling, with one warning', async () => {
  const dir = tempDir();
  const log = join(dir, 'app.log');
  writeFileSync(log, 'one\n');
  const refused: CreateWatch = ({ onTrouble }) => ({
    covers: () => false,
    set: () => onTrouble('file events are not available; files are polled instead'),
    close: async () => undefined,
  });
  const tailing = await tail({ paths: [log], more: { watch: refused } });
  appendFileSync(log, 'two\n');
  await tailing.gets('one', 'two');
  expect(new Set(tailing.warnings).size).toBe(1);
});
