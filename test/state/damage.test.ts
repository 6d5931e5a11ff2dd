/** State files as no daemon leaves them: empty, cut, flipped, foreign, newer, older, or no files at all. */
import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Notice } from '../../src/state/notice.ts';
import { currentSchema, type Schema } from '../../src/state/schema.ts';
import { openDatabase } from '../../src/state/sqlite.ts';
import { openStore, type StateStore } from '../../src/state/store.ts';
import { copyState } from '../support/copy-state.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { tempDir } from '../support/temp-dir.ts';

interface Doc {
  readonly n: number;
  readonly text: string;
}
const docOf = (n: number): Doc => ({ n, text: `${n} `.repeat(50 + (n % 90)) });
const documents = 120;

function open(dir: string, schema?: Schema): { store: StateStore; notices: readonly Notice[] } {
  const opened = openStore({ dir, clock: new FakeClock(), ...(schema ? { schema } : {}) });
  onTestFinished(() => opened.store.close());
  return opened;
}
const codes = (notices: readonly Notice[]): readonly string[] => notices.map((notice) => notice.code);

/** A closed state with `documents` documents; `path` is its file. */
function written(): { dir: string; path: string } {
  const dir = join(tempDir(), 'state');
  const { store } = openStore({ dir, clock: new FakeClock() });
  for (let n = 0; n < documents; n++) store.table<Doc>('things').put(`k${n}`, docOf(n), n % 3 ? null : n);
  store.setMeta('config', 'good');
  store.close();
  return { dir, path: join(dir, 'tocsin.db') };
}

/** How many documents are there; each must be as it was written. */
function intact(store: StateStore): number {
  const rows = store.table<Doc>('things').scan('', 10_000);
  for (const { key, value } of rows) {
    expect(key).toBe(`k${value.n}`);
    expect(value).toEqual(docOf(value.n));
  }
  expect(store.commit()).toEqual({ ok: true });
  return rows.length;
}

describe('B6 a state file that', () => {
  const cases: readonly (readonly [string, (path: string) => void])[] = [
    ['is empty', (path) => truncateSync(path, 0)],
    ['is shorter than a header', (path) => truncateSync(path, 60)],
    [
      'is random',
      (path) => writeFileSync(path, Buffer.from(Array.from({ length: 50_000 }, (_, n) => (n * 7919) % 251))),
    ],
    ['is JSON', (path) => writeFileSync(path, 'null')],
    [
      'is large and not ours',
      (path) => {
        writeFileSync(path, 'x');
        truncateSync(path, 1024 ** 3);
      },
    ],
    [
      'is a directory',
      (path) => {
        execFileSync('rm', [path]);
        mkdirSync(path);
      },
    ],
    ['belongs to another program', (path) => rewrite(path, 'PRAGMA application_id=1')],
    ['has no version', (path) => rewrite(path, 'PRAGMA user_version=0')],
  ];
  it.each(cases)('%s is set aside and named, and a new one begins', (_, spoil) => {
    const { dir, path } = written();
    spoil(path);
    const { store, notices } = open(dir);
    expect(codes(notices)).toEqual(['E_STATE_DAMAGED']);
    expect(notices[0]?.path).toMatch(/tocsin\.db\.bad-20260105T100000Z$/);
    expect(existsSync(notices[0]?.path ?? '')).toBe(true);
    expect(intact(store)).toBe(0);
    store.table<Doc>('things').put('k1', docOf(1), null);
    store.close();
    expect(intact(open(dir).store)).toBe(1);
  });

  it('has tables of another shape is set aside, and what can be read is brought over', () => {
    const { dir, path } = written();
    rewrite(path, 'CREATE TABLE others (id INTEGER PRIMARY KEY, what TEXT)');
    const { store, notices } = open(dir);
    expect(codes(notices)).toEqual(['E_STATE_DAMAGED', 'E_STATE_DAMAGED']);
    expect(intact(store)).toBe(documents);
    expect(store.getMeta('config')).toBe('good');
  });

  it('T63 was cut anywhere opens, and what can be read is brought over', () => {
    const { dir, path } = written();
    const size = statSync(path).size;
    let kept = 0;
    for (let part = 1; part < 16; part++) {
      const copy = join(mkdtempSync(join(dir, 'cut-')), 'state');
      copyState(dir, copy);
      truncateSync(join(copy, 'tocsin.db'), Math.floor((size * part) / 16));
      const { store, notices } = openStore({ dir: copy, clock: new FakeClock() });
      expect(codes(notices)).toContain('E_STATE_DAMAGED');
      kept += intact(store);
      store.close();
    }
    expect(kept).toBeGreaterThan(documents);
  });

  it('is a link or a pipe is refused, and nothing is touched', () => {
    for (const make of [
      (path: string) => symlinkSync('/etc/passwd', path),
      (path: string) => void execFileSync('mkfifo', [path]),
    ])
      for (const name of ['tocsin.db', 'tocsin.db-wal', 'lock', 'lock.json']) {
        const dir = tempDir();
        make(join(dir, name));
        expect(() => openStore({ dir, clock: new FakeClock() })).toThrow(
          expect.objectContaining({ code: 'E_STATE_FILE_TYPE' }),
        );
        expect(readdirSync(dir)).toContain(name);
      }
  });

  it('is gone while its log is left is not mixed with the next one', () => {
    const { dir, path } = written();
    const copy = join(dir, 'copy');
    mkdirSync(copy, { mode: 0o700 });
    const { store } = open(dir);
    store.table('things').put('k0', docOf(0), null);
    store.commit();
    copyFileSync(`${path}-wal`, join(copy, 'tocsin.db-wal'));
    const opened = open(copy);
    expect(codes(opened.notices)).toEqual(['E_STATE_DAMAGED']);
    expect(intact(opened.store)).toBe(0);
  });

  it('is damaged again and again leaves three copies, not more', () => {
    const { dir, path } = written();
    for (let day = 0; day < 6; day++) {
      writeFileSync(path, 'x');
      openStore({ dir, clock: new FakeClock(Date.UTC(2026, 0, 1 + day)) }).store.close();
    }
    expect(readdirSync(dir).filter((name) => name.includes('.bad-'))).toEqual(
      [4, 5, 6].map((day) => `tocsin.db.bad-2026010${day}T000000Z`),
    );
  });
});

function rewrite(path: string, sql: string): void {
  const database = openDatabase(path, { readOnly: false, busyMs: 0 });
  database.exec(sql);
  database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  database.close();
}

describe('bits that flip', () => {
  it('A12 in the database cost the documents they hit, and are said; none comes back wrong', () => {
    const home = written();
    const bytes = readFileSync(home.path);
    const copy = join(home.dir, 'copy');
    let seed = 12_345;
    let kept = 0;
    let silent = 0;
    for (let flip = 0; flip < 1000; flip++) {
      seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
      const at = seed % bytes.length;
      const spoiled = Buffer.from(bytes);
      spoiled[at] = (spoiled[at] ?? 0) ^ (1 << ((seed >> 8) % 8));
      const dir = join(copy, String(flip));
      mkdirSync(dir, { recursive: true, mode: 0o700 });
      writeFileSync(join(dir, 'tocsin.db'), spoiled);
      const { store, notices } = openStore({ dir, clock: new FakeClock(), temporary: true });
      const found = intact(store);
      if (found < documents && notices.length === 0)
        throw new Error(`flip at ${at} bit ${(seed >> 8) % 8}: ${found}`);
      kept += found;
      if (found < documents && notices.length === 0) silent += 1;
      store.close();
    }
    expect(silent).toBe(0);
    // A flip in a header or an inner page may cost more than one; most cost one or none.
    expect(kept / 1000).toBeGreaterThan(documents * 0.97);
  }, 60_000);

  it('A11 a log that was cut at any byte gives the commits before the cut', () => {
    const dir = join(tempDir(), 'state');
    const { store } = open(dir);
    store.table('things').put('k0', docOf(0), null);
    store.commit();
    const start = statSync(join(dir, 'tocsin.db-wal')).size;
    for (let n = 1; n < 4; n++) {
      store.table('things').put(`k${n}`, docOf(n), null);
      store.commit();
    }
    const whole = readFileSync(join(dir, 'tocsin.db-wal'));
    let last = 0;
    for (let size = 0; size <= whole.length; size += size < start || size % 4096 < 64 ? 37 : 613) {
      const copy = join(dir, `cut-${size}`);
      mkdirSync(copy, { mode: 0o700 });
      copyFileSync(join(dir, 'tocsin.db'), join(copy, 'tocsin.db'));
      writeFileSync(join(copy, 'tocsin.db-wal'), whole.subarray(0, size));
      const cut = openStore({ dir: copy, clock: new FakeClock() });
      expect(cut.notices).toEqual([]);
      const found = intact(cut.store);
      expect(found).toBeGreaterThanOrEqual(last);
      last = found;
      cut.store.close();
    }
    expect(last).toBeGreaterThanOrEqual(3);
  }, 60_000);

  it('one document that is no JSON goes to the quarantine, the rest stays', () => {
    const { dir, path } = written();
    rewrite(path, "UPDATE things SET doc = '{\"n\":' WHERE key = 'k7'");
    const { store, notices } = open(dir);
    expect(codes(notices)).toEqual(['E_STATE_DOCUMENT']);
    expect(notices[0]?.message).toContain('"k7"');
    expect(store.health().badDocuments).toBe(1);
    expect(store.table('things').get('k7')).toBeUndefined();
    store.table('things').put('k7', docOf(7), null);
    expect(intact(store)).toBe(documents);
    store.close();
    const database = openDatabase(path, { readOnly: true, busyMs: 0 });
    expect(database.prepare('SELECT origin, key, doc FROM quarantine').all()).toEqual([
      { origin: 'things', key: 'k7', doc: '{"n":' },
    ]);
    database.close();
    expect(codes(open(dir).notices)).toEqual([]);
  });

  it('while it runs: the file is set aside, what is in memory is in the new one', () => {
    const { dir, path } = written();
    const notices: Notice[] = [];
    const { store } = openStore({ dir, clock: new FakeClock(), onNotice: (notice) => notices.push(notice) });
    onTestFinished(() => store.close());
    const table = store.table<Doc>('things', { cache: 50 });
    // More than SQLite keeps of its pages, so that it has to look at the file again.
    const large = store.table<string>('large', { cache: 0 });
    for (let n = 0; n < 200; n++) large.put(`l${n}`, 'x'.repeat(40_000), null);
    store.commit();
    for (let n = 0; n < 20; n++) table.get(`k${n}`);
    const size = statSync(path).size;
    writeFileSync(path, Buffer.alloc(size, 0xff), { flag: 'r+' });
    writeFileSync(`${path}-wal`, Buffer.alloc(statSync(`${path}-wal`).size, 0xff), { flag: 'r+' });
    for (let n = 0; n < 200; n++) large.get(`l${n}`);
    table.put('k1', docOf(1), 5);
    expect(store.commit()).toEqual({ ok: true });
    expect(codes(notices)).toContain('E_STATE_DAMAGED');
    for (let n = 0; n < 20; n++) expect(table.get(`k${n}`)).toEqual(docOf(n));
    store.close();
    expect(intact(open(dir).store)).toBeGreaterThanOrEqual(20);
  });
});

describe('B7 a state of', () => {
  it('T63 a newer version is refused, and stays as it was byte for byte', () => {
    const { dir, path } = written();
    rewrite(path, 'PRAGMA user_version=99');
    const before = readFileSync(path);
    expect(() => openStore({ dir, clock: new FakeClock() })).toThrow(
      expect.objectContaining({ code: 'E_STATE_NEWER' }),
    );
    expect(readFileSync(path).equals(before)).toBe(true);
    expect(readdirSync(dir).filter((name) => name.includes('bad'))).toEqual([]);
    // And the directory is not locked by the attempt.
    rewrite(path, 'PRAGMA user_version=1');
    expect(intact(open(dir).store)).toBe(documents);
  });

  const next: Schema = {
    version: currentSchema.version + 1,
    migrations: [
      ...currentSchema.migrations,
      (database) => database.exec("INSERT INTO meta VALUES ('migrated', 'yes')"),
    ],
  };

  it('an older version is brought up, with a copy of the old one', () => {
    const { dir } = written();
    const { store, notices } = open(dir, next);
    expect(codes(notices)).toEqual(['STATE_MIGRATED']);
    expect(store.getMeta('migrated')).toBe('yes');
    expect(intact(store)).toBe(documents);
    store.close();
    expect(codes(open(dir, next).notices)).toEqual([]);
    const home = join(dir, 'old');
    mkdirSync(home, { mode: 0o700 });
    copyFileSync(notices[0]?.path ?? '', join(home, 'tocsin.db'));
    const old = open(home);
    expect(old.notices).toEqual([]);
    expect(old.store.getMeta('migrated')).toBeUndefined();
    expect(intact(old.store)).toBe(documents);
  });

  it('an older version that can not be brought up stays as it is', () => {
    const { dir } = written();
    const broken: Schema = {
      version: 2,
      migrations: [(database) => database.exec('INSERT INTO meta VALUES (1, 2); NONSENSE')],
    };
    expect(() => openStore({ dir, clock: new FakeClock(), schema: broken }).store.close()).not.toThrow();
    const { store, notices } = open(dir);
    expect(notices).toEqual([]);
    expect(intact(store)).toBe(documents);
  });
});
