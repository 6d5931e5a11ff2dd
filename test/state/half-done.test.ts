/** What a kill leaves between two steps on the files of the state: each next start succeeds at its first try, and loses nothing that was whole. */
import {
  copyFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { currentSchema, type Schema } from '../../src/state/schema.ts';
import { openDatabase } from '../../src/state/sqlite.ts';
import { openStore, type StateStore } from '../../src/state/store.ts';
import { copyState } from '../support/copy-state.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { tempDir } from '../support/temp-dir.ts';

interface Doc {
  readonly n: number;
}

const old = 60;
const recent = 40;

function open(dir: string, schema?: Schema): { store: StateStore; codes: readonly string[] } {
  const { store, notices } = openStore({ dir, clock: new FakeClock(), ...(schema ? { schema } : {}) });
  onTestFinished(() => store.close());
  return { store, codes: notices.map((notice) => notice.code) };
}

function put(store: StateStore, from: number, to: number): void {
  for (let n = from; n < to; n++) store.table<Doc>('things').put(`k${n}`, { n }, null);
  expect(store.commit()).toEqual({ ok: true });
}

/** A state as a kill leaves it: `old` documents in the database, `recent` ones in its log alone. */
function killed(): { dir: string; path: string } {
  const home = join(tempDir(), 'state');
  const first = openStore({ dir: home, clock: new FakeClock() }).store;
  put(first, 0, old);
  first.close();
  const { store } = open(home);
  put(store, old, old + recent);
  const dir = join(tempDir(), 'killed');
  copyState(home, dir);
  copyFileSync(join(home, 'tocsin.db-shm'), join(dir, 'tocsin.db-shm'));
  const path = join(dir, 'tocsin.db');
  expect(readFileSync(`${path}-wal`).length).toBeGreaterThan(0);
  return { dir, path };
}

const kept = (store: StateStore): number => store.table<Doc>('things').scan('', 1_000).length;

/** A database of ours in the middle of a transaction with a rollback journal, and that journal. */
function hotJournal(path: string): void {
  const draft = `${path}.draft`;
  copyFileSync(path, draft);
  const database = openDatabase(draft, { readOnly: false, busyMs: 0 });
  database.exec('PRAGMA journal_mode=DELETE; PRAGMA cache_size=1; BEGIN IMMEDIATE');
  database.exec(`INSERT INTO meta VALUES ('half', '${'x'.repeat(200_000)}')`);
  copyFileSync(`${draft}-journal`, `${path}-journal`);
  database.exec('ROLLBACK');
  database.close();
  rmSync(draft);
}

describe('A9 a start after a kill', () => {
  const cases: readonly (readonly [
    string,
    { readonly spoil: (path: string) => void; readonly kept: number; readonly says?: string },
  ])[] = [
    ['with all its files', { spoil: () => {}, kept: old + recent }],
    ['without the shared memory', { spoil: (path) => rmSync(`${path}-shm`), kept: old + recent }],
    [
      'with shared memory that is empty',
      { spoil: (path) => truncateSync(`${path}-shm`, 0), kept: old + recent },
    ],
    [
      'with shared memory of another log',
      { spoil: (path) => writeFileSync(`${path}-shm`, Buffer.alloc(32_768, 0x5a)), kept: old + recent },
    ],
    // What was in it alone is lost with it, as SQLite promises no more; what was written back is there.
    ['without the log', { spoil: (path) => rmSync(`${path}-wal`), kept: old }],
    ['with an empty log', { spoil: (path) => truncateSync(`${path}-wal`, 0), kept: old }],
    [
      'with neither log nor shared memory',
      {
        spoil: (path) => {
          rmSync(`${path}-wal`);
          rmSync(`${path}-shm`);
        },
        kept: old,
      },
    ],
    [
      'with an empty rollback journal',
      { spoil: (path) => writeFileSync(`${path}-journal`, ''), kept: old + recent },
    ],
    [
      'with a rollback journal that is none',
      { spoil: (path) => writeFileSync(`${path}-journal`, 'x'.repeat(5_000)), kept: old + recent },
    ],
    [
      'between the renames of setting it aside: its log is left',
      {
        spoil: (path) => renameSync(path, `${path}.bad-20260105T095900Z`),
        kept: 0,
        says: 'E_STATE_DAMAGED',
      },
    ],
    [
      'after setting it aside and before the new one: nothing is left',
      {
        spoil: (path) => {
          for (const end of ['', '-wal', '-shm'])
            renameSync(path + end, `${path}.bad-20260105T095900Z${end}`);
        },
        kept: 0,
      },
    ],
    [
      'in the middle of making a new one',
      {
        spoil: (path) => {
          for (const end of ['', '-wal', '-shm']) rmSync(path + end);
          writeFileSync(`${path}.new`, 'SQLite format 3\u0000 and no more');
          writeFileSync(`${path}.new-journal`, 'half a journal');
        },
        kept: 0,
      },
    ],
    [
      'in the middle of the copy before a migration',
      { spoil: (path) => writeFileSync(`${path}.v1-20260105T100000Z`, 'half a copy'), kept: old + recent },
    ],
  ];

  it.each(cases)('%s succeeds at the first try', (_, { spoil, kept: count, says }) => {
    const { dir, path } = killed();
    spoil(path);
    const { store, codes } = open(dir);
    expect(codes).toEqual(says === undefined ? [] : [says]);
    expect(kept(store)).toBe(count);
    put(store, 500, 510);
    store.close();
    const again = open(dir);
    expect(again.codes).toEqual([]);
    expect(kept(again.store)).toBe(count + 10);
  });

  it('with the rollback journal of another time succeeds, and what it brings back is whole', () => {
    const { dir, path } = killed();
    hotJournal(path);
    const { store } = open(dir);
    expect(kept(store)).toBeGreaterThanOrEqual(old);
    expect(store.getMeta('half')).toBeUndefined();
    put(store, 500, 510);
    store.close();
    expect(open(dir).codes).toEqual([]);
  });

  const next: Schema = {
    version: currentSchema.version + 1,
    migrations: [
      ...currentSchema.migrations,
      (database) => database.exec("INSERT INTO meta VALUES ('migrated', 'yes')"),
    ],
  };

  it('before the end of a migration brings it up again, once', () => {
    const { dir, path } = killed();
    // What was written of the migration stands in the log without its end: SQLite passes over it.
    const database = openDatabase(path, { readOnly: false, busyMs: 0 });
    database.exec('PRAGMA cache_size=1; BEGIN IMMEDIATE');
    database.exec(`INSERT INTO meta VALUES ('migrated', '${'half '.repeat(50_000)}')`);
    const half = join(tempDir(), 'half');
    copyState(dir, half);
    database.exec('ROLLBACK');
    database.close();
    const { store, codes } = open(half, next);
    expect(codes).toEqual(['STATE_MIGRATED']);
    expect(store.getMeta('migrated')).toBe('yes');
    expect(kept(store)).toBe(old + recent);
    store.close();
    expect(open(half, next).codes).toEqual([]);
  });

  it('after a migration and before its log was written back has it, and an older program refuses it', () => {
    const { dir, path } = killed();
    const database = openDatabase(path, { readOnly: false, busyMs: 0 });
    database.exec(`BEGIN IMMEDIATE; INSERT INTO meta VALUES ('migrated', 'yes');
      PRAGMA user_version=${next.version}; COMMIT`);
    const half = join(tempDir(), 'half');
    copyState(dir, half);
    database.close();
    expect(() => open(half)).toThrow(expect.objectContaining({ code: 'E_STATE_NEWER' }));
    const { store, codes } = open(half, next);
    expect(codes).toEqual([]);
    expect(store.getMeta('migrated')).toBe('yes');
    expect(kept(store)).toBe(old + recent);
  });

  it('with its lock and its socket left over succeeds', () => {
    const { dir } = killed();
    writeFileSync(join(dir, 'lock'), '');
    writeFileSync(join(dir, 'lock.json'), '{"pid":1');
    writeFileSync(join(dir, 'control.sock'), '');
    const { store, codes } = open(dir);
    expect(codes).toEqual([]);
    expect(kept(store)).toBe(old + recent);
    expect(readdirSync(dir).some((name) => name.includes('.bad-'))).toBe(false);
    expect(existsSync(join(dir, 'tocsin.db'))).toBe(true);
  });
});
