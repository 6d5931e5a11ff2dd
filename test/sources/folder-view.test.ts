/** A folder as it was at one time: names by their beginning, files by their inode. */
import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { isFault, listNow } from '../../src/sources/disk.ts';
import { FolderView } from '../../src/sources/folder-view.ts';
import { inodeName } from '../../src/sources/identity.ts';
import { Listing } from '../../src/sources/listing.ts';
import { tempDir } from '../support/temp-dir.ts';

function viewOf(dir: string): FolderView {
  const names = listNow(dir);
  if (isFault(names)) throw new Error(names.code);
  return new FolderView(dir, names, false);
}

function folderWith(...names: string[]): string {
  const dir = tempDir();
  for (const name of names) writeFileSync(join(dir, name), `${name}\n`);
  return dir;
}

it('gives every name that begins so, and no other', () => {
  const all = [
    'a.log',
    'app.log',
    'app.log.1',
    'app.log.1.gz',
    'app.log.10',
    'app-2.log',
    'apple.log',
    'b.log',
  ];
  const view = viewOf(folderWith(...all));
  for (const beginning of ['', 'a', 'app', 'app.log', 'app.log.1', 'b', 'c', 'app.log.10x'])
    expect(view.startingWith(beginning).map(({ text }) => text)).toEqual(
      all.filter((name) => name.startsWith(beginning)).sort(),
    );
  expect(viewOf(tempDir()).startingWith('a')).toEqual([]);
});

it('finds the name of a file by its inode, folders left out', async () => {
  const dir = folderWith('one.log', 'two.log');
  mkdirSync(join(dir, 'three'));
  const view = viewOf(dir);
  const inode = (name: string): string => inodeName(statSync(join(dir, name), { bigint: true }));
  expect((await view.ofInode(inode('two.log')))?.text).toBe('two.log');
  expect(await view.ofInode(inode('three'))).toBe(null);
  expect(await view.ofInode('0:0')).toBe(null);
});

it('is made anew when the folder has changed, or may have within the grain of its stamp', async () => {
  const dir = folderWith('one.log');
  const listing = new Listing([], []);
  const soon = Date.now();
  const later = soon + 60_000;
  const names = async (at: number): Promise<string[]> =>
    (await listing.view(dir, at)).names.map(({ text }) => text).sort();
  expect(await listing.view(dir, soon)).not.toBe(await listing.view(dir, soon));
  const kept = await listing.view(dir, later);
  expect(await listing.view(dir, later)).toBe(kept);
  writeFileSync(join(dir, 'two.log'), '');
  expect(await names(later)).toEqual(['one.log', 'two.log']);
  await listing.find(later + 60_000);
  expect(await listing.view(dir, later + 60_000)).not.toBe(kept);
  expect(await names(later)).toEqual(['one.log', 'two.log']);
});
