/** The folder of the state: who may use it, who is kept out, who may read along; and what is forgotten in time. */
import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { SavedPosition } from '../../src/model/seams.ts';
import { mountOf, networkFileSystem } from '../../src/state/directory.ts';
import { positionKeptMs, pruneBefore } from '../../src/state/prune.ts';
import { openReadOnly } from '../../src/state/read-only.ts';
import { openStore, type StateStore } from '../../src/state/store.ts';
import { copyState } from '../support/copy-state.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { tempDir } from '../support/temp-dir.ts';

function open(dir: string): StateStore {
  const { store } = openStore({ dir, clock: new FakeClock() });
  onTestFinished(() => store.close());
  return store;
}
const withCode = (code: string): unknown => expect.objectContaining({ code });

describe('the folder', () => {
  it('B5 is made for the owner alone; without the one above it nothing is made', () => {
    const dir = tempDir();
    open(join(dir, 'state'));
    expect(statSync(join(dir, 'state')).mode & 0o777).toBe(0o700);
    expect(() => open(join(dir, 'no', 'state'))).toThrow(withCode('E_STATE_DIR'));
    expect(existsSync(join(dir, 'no'))).toBe(false);
    writeFileSync(join(dir, 'file'), '');
    expect(() => open(join(dir, 'file'))).toThrow(withCode('E_STATE_DIR'));
    expect(() => open(join(dir, 'file', 'state'))).toThrow(withCode('E_STATE_DIR'));
    expect(() => open('')).toThrow(withCode('E_STATE_DIR'));
  });

  it('B8 T64 belongs to one daemon, and is free when that one closes', () => {
    const dir = join(tempDir(), 'state');
    const first = open(dir);
    expect(() => open(dir)).toThrow(
      expect.objectContaining({
        code: 'E_STATE_LOCKED',
        message: expect.stringContaining(`pid=${process.pid}, started 2026-01-05T10:00:00.000Z`),
      }),
    );
    first.table('things').put('a', 1, null);
    expect(first.commit()).toEqual({ ok: true });
    first.close();
    expect(open(dir).table('things').get('a')).toBe(1);
  });

  it('on a network is refused, on a local disk of any kind it is not', () => {
    const none = (): null => null;
    expect(networkFileSystem(0x6969, none)).toBe('nfs');
    expect(networkFileSystem(0xff534d42 | 0, none)).toBe('cifs');
    expect(networkFileSystem(0xef53, none)).toBeNull();
    expect(networkFileSystem(0x01021994, none)).toBeNull();
    expect(networkFileSystem(0x65735546, () => 'fuse.sshfs me@host:/x')).toBe('fuse.sshfs me@host:/x');
    expect(networkFileSystem(0x65735546, () => 'fuseblk /dev/sdb1')).toBeNull();
    expect(networkFileSystem(0x65735546, none)).toBeNull();
    const table = [
      '21 1 8:1 / / rw - ext4 /dev/sda1 rw',
      '40 21 0:50 / /mnt/my\\040share rw,nosuid shared:1 - fuse.sshfs me@host:/x rw',
    ].join('\n');
    expect(mountOf(table, '/mnt/my share/state')).toBe('fuse.sshfs me@host:/x');
    expect(mountOf(table, '/mnt/my')).toBe('ext4 /dev/sda1');
  });
});

describe('a reader beside the daemon', () => {
  it('sees each commit, and can change nothing', () => {
    const dir = join(tempDir(), 'state');
    const store = open(dir);
    const table = store.table<number>('things');
    table.put('a', 1, 10);
    store.setMeta('config', 'x');
    store.commit();
    const reader = openReadOnly(dir);
    onTestFinished(() => reader.close());
    const things = reader.table<number>('things');
    expect([things.get('a'), things.count(), things.nextDue(), reader.getMeta('config')]).toEqual([
      1,
      1,
      10,
      'x',
    ]);
    table.put('a', 2, 5);
    table.put('b', 3, null);
    expect(things.get('a')).toBe(1);
    expect(store.commit()).toEqual({ ok: true });
    expect(things.scan('', 9)).toEqual([
      { key: 'a', value: 2 },
      { key: 'b', value: 3 },
    ]);
    expect(things.due(9, 9)).toEqual([{ key: 'a', value: 2, dueAt: 5 }]);
    expect(reader.table('never_made').count()).toBe(0);
    expect(() => things.put('c', 1, null)).toThrow(withCode('E_STATE_READ_ONLY'));
    expect(() => things.delete('a')).toThrow(withCode('E_STATE_READ_ONLY'));
    expect(() => reader.setMeta('a', 'b')).toThrow(withCode('E_STATE_READ_ONLY'));
  });

  it('needs no daemon, not even one that has closed well', () => {
    const dir = join(tempDir(), 'state');
    const store = open(dir);
    store.table('things').put('a', 1, null);
    store.commit();
    const crashed = join(dir, 'crashed');
    copyState(dir, crashed);
    store.close();
    for (const where of [dir, crashed]) {
      const reader = openReadOnly(where);
      expect(reader.table('things').get('a')).toBe(1);
      reader.close();
    }
  });

  it('says what is wrong where there is nothing to read, and leaves it', () => {
    const dir = tempDir();
    expect(() => openReadOnly(dir)).toThrow(withCode('E_STATE_MISSING'));
    writeFileSync(join(dir, 'tocsin.db'), 'nonsense');
    expect(() => openReadOnly(dir)).toThrow(withCode('E_STATE_DAMAGED'));
    mkdirSync(join(dir, 'x'));
    mkdirSync(join(dir, 'x', 'tocsin.db'));
    expect(() => openReadOnly(join(dir, 'x'))).toThrow();
    expect(readdirSync(dir)).toEqual(['tocsin.db', 'x']);
  });
});

describe('time', () => {
  it('B11 ten thousand positions of files long gone are pruned, those that are there stay', () => {
    const store = open(join(tempDir(), 'state'));
    const now = Date.UTC(2026, 0, 30);
    const position = (n: number): SavedPosition => ({
      key: `f${n}`,
      source: 's',
      path: `/logs/${n}`,
      offset: n,
      identity: {},
      reader: {},
      updatedAt: n < 10_000 ? 0 : now,
    });
    for (let n = 0; n < 10_050; n++) store.positions.put(`f${n}`, position(n), null);
    store.commit();
    const started = performance.now();
    let pruned = 0;
    for (let round = 0; round < 20; round++)
      pruned += pruneBefore(store.positions, {
        before: now - positionKeptMs,
        touchedAt: (value) => value.updatedAt,
        keep: (key) => key === 'f7',
      });
    expect(store.commit()).toEqual({ ok: true });
    expect(pruned).toBe(9999);
    expect(store.positions.count()).toBe(51);
    expect(performance.now() - started).toBeLessThan(5000);
  });
});
