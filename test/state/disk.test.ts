/** A disk that is full, read-only or back again: nothing that is in memory is lost, and no restart is needed. */
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Notice } from '../../src/state/notice.ts';
import { openStore, type StateStore } from '../../src/state/store.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { canMount, smallDisk } from '../support/small-disk.ts';

function open(dir: string): { store: StateStore; notices: Notice[]; clock: FakeClock } {
  const clock = new FakeClock();
  const later: Notice[] = [];
  const { store, notices } = openStore({ dir, clock, onNotice: (notice) => later.push(notice) });
  later.unshift(...notices);
  onTestFinished(() => store.close());
  return { store, notices: later, clock };
}
const codes = (notices: readonly Notice[]): readonly string[] => notices.map((notice) => notice.code);

describe.skipIf(!canMount)('a disk', () => {
  it('B1 that is full before the first start: works from memory, says so, and is used as soon as there is room', () => {
    const disk = smallDisk();
    disk.fill();
    const { store, notices } = open(join(disk.dir, 'state'));
    expect(codes(notices)).toContain('E_STATE_DISK_FULL');
    expect(store.health().degraded?.code).toBe('E_STATE_DISK_FULL');
    const table = store.table<string>('outbox');
    table.put('a', 'told from memory', 5);
    expect(store.commit()).toMatchObject({ ok: false, code: 'E_STATE_DISK_FULL' });
    expect(table.due(10, 10)).toEqual([{ key: 'a', value: 'told from memory', dueAt: 5 }]);
    expect(table.count()).toBe(1);
    disk.free();
    expect(store.commit()).toEqual({ ok: true });
    expect(store.health().degraded).toBeNull();
    expect(codes(notices).at(-1)).toBe('STATE_RECOVERED');
    store.close();
    expect(open(join(disk.dir, 'state')).store.table('outbox').get('a')).toBe('told from memory');
  });

  it('B1 that is full before a later start: what was kept is read, and what comes is kept in memory', () => {
    const disk = smallDisk();
    const dir = join(disk.dir, 'state');
    const first = open(dir).store;
    first.table('outbox').put('old', 'from before', 1);
    first.close();
    disk.fill();
    const { store, notices } = open(dir);
    expect(codes(notices)).toContain('E_STATE_DISK_FULL');
    expect(store.table('outbox').get('old')).toBe('from before');
    store.table('outbox').put('new', 'x'.repeat(20_000), 2);
    store.table('outbox').delete('old');
    expect(store.commit()).toMatchObject({ ok: false });
    expect(
      store
        .table('outbox')
        .due(9, 9)
        .map((row) => row.key),
    ).toEqual(['new']);
    disk.free();
    expect(store.commit()).toEqual({ ok: true });
    store.table('outbox').put('third', 1, null);
    expect(store.commit()).toEqual({ ok: true });
    store.close();
    const again = open(dir);
    expect(codes(again.notices)).toEqual([]);
    expect(
      again.store
        .table('outbox')
        .scan('', 9)
        .map((row) => row.key),
    ).toEqual(['new', 'third']);
  });

  it('B2 that fills up while running: one notice, all readable, all written when there is room again', () => {
    const disk = smallDisk();
    const dir = join(disk.dir, 'state');
    const { store, notices } = open(dir);
    const table = store.table<string>('incidents', { cache: 2 });
    for (let n = 0; n < 20; n++) table.put(`k${n}`, `before ${n}`, n);
    expect(store.commit()).toEqual({ ok: true });
    disk.fill();
    for (let round = 0; round < 30; round++) {
      for (let n = 10; n < 30; n++) table.put(`k${n}`, `during ${n} ${'x'.repeat(5000)} ${round}`, n + round);
      expect(store.commit()).toMatchObject({ ok: false, code: 'E_STATE_DISK_FULL' });
    }
    table.delete('k0');
    table.delete('k29');
    expect(codes(notices)).toEqual(['E_STATE_DISK_FULL']);
    expect(table.count()).toBe(28);
    expect(table.get('k5')).toBe('before 5');
    expect(table.get('k28')).toMatch(/^during 28 .* 29$/);
    expect(table.nextDue()).toBe(1);
    expect(store.health().uncommitted).toBe(20);
    disk.free();
    expect(store.commit()).toEqual({ ok: true });
    expect(codes(notices)).toEqual(['E_STATE_DISK_FULL', 'STATE_RECOVERED']);
    store.close();
    const again = open(dir).store.table<string>('incidents');
    expect(again.count()).toBe(28);
    expect(again.get('k28')).toMatch(/^during 28 .* 29$/);
    expect(again.get('k0')).toBeUndefined();
  });

  it('B2 that stays full: trying is held back, so that it does not eat the time', () => {
    const disk = smallDisk();
    disk.fill();
    let at = 0;
    // A clock on which each look takes 100 ms.
    const slow = openStore({
      dir: join(disk.dir, 'other'),
      clock: { now: () => 0, monotonic: () => (at += 100), setTimer: () => ({ cancel: () => {} }) },
    }).store;
    onTestFinished(() => slow.close());
    slow.table('incidents').put('a', 1, null);
    expect(slow.commit()).toMatchObject({ ok: false });
    disk.free();
    expect(slow.commit()).toMatchObject({ ok: false });
    at += 5000;
    expect(slow.commit()).toEqual({ ok: true });
  });

  it('B3 that has turned read-only between two runs: what was kept is read, nothing is lost, and it is written when it may be again', () => {
    const disk = smallDisk();
    const dir = join(disk.dir, 'state');
    const { store, notices } = open(dir);
    const table = store.table<string>('incidents', { cache: 0 });
    table.put('a', 'before', null);
    store.commit();
    store.close();
    disk.remount('ro');
    const frozen = open(dir);
    expect(codes(frozen.notices)).toEqual(['E_STATE_UNLOCKED', 'E_STATE_READ_ONLY']);
    const again = frozen.store.table<string>('incidents', { cache: 0 });
    expect(again.get('a')).toBe('before');
    again.put('a', 'during', 3);
    again.put('b', 'new', 4);
    expect(frozen.store.commit()).toMatchObject({ ok: false, code: 'E_STATE_READ_ONLY' });
    expect(again.get('a')).toBe('during');
    expect(again.count()).toBe(2);
    disk.remount('rw');
    expect(frozen.store.commit()).toEqual({ ok: true });
    frozen.store.close();
    expect(open(dir).store.table('incidents').scan('', 9)).toEqual([
      { key: 'a', value: 'during' },
      { key: 'b', value: 'new' },
    ]);
    expect(codes(notices)).toEqual([]);
  });

  it('B3 T63 that is read-only and empty at the start is no reason not to start', () => {
    const disk = smallDisk();
    disk.remount('ro');
    const { store, notices } = open(join(disk.dir, 'state'));
    expect(codes(notices)).toEqual(['E_STATE_READ_ONLY']);
    store.setMeta('started', 'now');
    store.table('outbox').put('a', 1, 1);
    expect(store.commit()).toMatchObject({ ok: false, code: 'E_STATE_READ_ONLY' });
    expect(store.getMeta('started')).toBe('now');
    disk.remount('rw');
    expect(store.commit()).toEqual({ ok: true });
  });
});
