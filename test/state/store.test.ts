/** The store over a real folder: documents, due times, order, commits; and a long random life beside a plain Map. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Table } from '../../src/model/store.ts';
import { openStore, type StateStore } from '../../src/state/store.ts';
import { copyState } from '../support/copy-state.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { tempDir } from '../support/temp-dir.ts';

function open(dir: string): StateStore {
  const { store, notices } = openStore({ dir, clock: new FakeClock() });
  expect(notices).toEqual([]);
  onTestFinished(() => store.close());
  return store;
}

describe('documents', () => {
  it('are there at once, and after a restart those that were committed', () => {
    const dir = tempDir();
    const store = open(dir);
    const table = store.table<{ n: number }>('things');
    table.put('a', { n: 1 }, null);
    expect(table.get('a')).toEqual({ n: 1 });
    expect(store.dirty()).toBe(true);
    expect(store.commit()).toEqual({ ok: true });
    expect(store.dirty()).toBe(false);
    store.close();
    store.close();
    const again = open(dir);
    expect(again.table('things').get('a')).toEqual({ n: 1 });
    expect(again.table('things').get('b')).toBeUndefined();
  });

  it('are handed out live: what is changed and put again is what the next one gets', () => {
    const table = open(tempDir()).table<{ n: number }>('things', { cache: 1 });
    table.put('a', { n: 1 }, null);
    const live = table.get('a');
    expect(live).toBe(table.get('a'));
  });

  it('stay readable when the cache is far too small for them', () => {
    const store = open(tempDir());
    const table = store.table<number>('things', { cache: 3 });
    for (let n = 0; n < 500; n++) table.put(`k${n}`, n, n % 2 ? n : null);
    for (let n = 0; n < 500; n++) expect(table.get(`k${n}`)).toBe(n);
    store.commit();
    for (let n = 0; n < 500; n++) expect(table.get(`k${n}`)).toBe(n);
    expect(table.count()).toBe(500);
    expect(table.due(1000, 1000)).toHaveLength(250);
  });

  it('may be large, and hold the names that objects are made of', () => {
    const dir = tempDir();
    const store = open(dir);
    const large = { text: 'ä'.repeat(300_000) };
    store.table('things').put('large', large, null);
    store.table('things').put('__proto__', JSON.parse('{"__proto__":{"x":1},"constructor":2}'), 5);
    store.table('things').put('a\u0000b', 'nul', null);
    store.table('things').put('', 'empty', null);
    store.table('things').put('\ud800', 'half a pair', null);
    store.close();
    const table = open(dir).table<object>('things');
    expect(table.get('large')).toEqual(large);
    expect(Object.keys(table.get('__proto__') ?? {})).toEqual(['__proto__', 'constructor']);
    expect(({} as Record<string, unknown>)['x']).toBeUndefined();
    expect(table.get('a\u0000b')).toBe('nul');
    expect(table.get('')).toBe('empty');
    expect(table.get('\ud800')).toBe('half a pair');
    expect(table.scan('', 10).map((row) => row.key)).toEqual([
      '',
      '__proto__',
      'a\u0000b',
      'large',
      '\ufffd',
    ]);
  });

  it('without a JSON form stay in memory, are said once, and hold up nobody', () => {
    const notices: string[] = [];
    const { store } = openStore({
      dir: tempDir(),
      clock: new FakeClock(),
      onNotice: (notice) => notices.push(notice.code),
    });
    onTestFinished(() => store.close());
    const round: { self?: unknown } = {};
    round.self = round;
    store.table('things').put('round', round, null);
    store.table('things').put('good', 1, null);
    expect(store.commit()).toEqual({ ok: true });
    expect(store.table('things').get('round')).toBe(round);
    expect(notices).toEqual(['E_STATE_DOCUMENT']);
  });

  it('refuse a due time that is no number, a key without end, a table with a strange name', () => {
    const store = open(tempDir());
    expect(() => store.table('things').put('a', 1, Number.NaN)).toThrow(/due time/);
    expect(() => store.table('things').put('a'.repeat(5000), 1, null)).toThrow(/hash it/);
    for (const name of ['meta', 'quarantine', 'sqlite_x', 'x"y', ''])
      expect(() => store.table(name)).toThrow(RangeError);
  });

  it('keep free facts beside them', () => {
    const dir = tempDir();
    const store = open(dir);
    expect(store.getMeta('config')).toBeUndefined();
    store.setMeta('config', 'a: 1');
    expect(store.getMeta('config')).toBe('a: 1');
    expect(store.dirty()).toBe(true);
    store.close();
    expect(open(dir).getMeta('config')).toBe('a: 1');
  });
});

describe('due times', () => {
  it('come earliest first, whether committed or not, and move with each put', () => {
    const store = open(tempDir());
    const table = store.table<string>('things');
    table.put('a', 'a', 30);
    table.put('b', 'b', 10);
    store.commit();
    table.put('c', 'c', 20);
    expect(table.nextDue()).toBe(10);
    expect(table.due(25, 10).map((row) => [row.key, row.dueAt])).toEqual([
      ['b', 10],
      ['c', 20],
    ]);
    table.put('b', 'b', 40);
    expect(table.nextDue()).toBe(20);
    table.delete('c');
    expect(table.nextDue()).toBe(30);
    table.put('a', 'a', null);
    expect(table.due(100, 10).map((row) => row.key)).toEqual(['b']);
    table.delete('b');
    expect(table.nextDue()).toBeNull();
    expect(table.due(100, 10)).toEqual([]);
  });
});

describe('files', () => {
  it('are for the owner only, and the log does not grow without end', () => {
    const dir = join(tempDir(), 'state');
    const store = open(dir);
    const table = store.table<string>('things');
    for (let round = 0; round < 60; round++) {
      for (let n = 0; n < 200; n++) table.put(`k${n}`, `${round}`.repeat(500), null);
      store.commit();
    }
    expect(statSync(dir).mode & 0o777).toBe(0o700);
    for (const name of ['tocsin.db', 'tocsin.db-wal', 'tocsin.db-shm', 'lock.json'])
      expect(statSync(join(dir, name)).mode & 0o777, name).toBe(0o600);
    expect(statSync(join(dir, 'tocsin.db-wal')).size).toBeLessThan(16 * 1024 * 1024);
  });

  it('of a temporary state are gone after it', () => {
    const dir = join(tempDir(), 'deep', 'down');
    const { store } = openStore({ dir, clock: new FakeClock(), temporary: true });
    store.table('things').put('a', 1, null);
    expect(store.commit()).toEqual({ ok: true });
    expect(readdirSync(dir)).toContain('tocsin.db');
    store.close();
    expect(existsSync(dir)).toBe(false);
  });
});

describe('a long life', () => {
  const key = fc.constantFrom('a', 'ab', 'abc', 'b', 'é', '\u{1f514}', '\uffee', '__proto__', 'toString', '');
  const due = fc.option(fc.integer({ min: 0, max: 20 }), { nil: null });
  const step = fc.oneof(
    fc.record({ do: fc.constant('put' as const), key, value: fc.jsonValue({ maxDepth: 1 }), due }),
    fc.record({ do: fc.constant('delete' as const), key }),
    fc.record({ do: fc.constant('get' as const), key }),
    fc.record({
      do: fc.constant('due' as const),
      now: fc.integer({ min: 0, max: 20 }),
      limit: fc.integer({ min: 0, max: 4 }),
    }),
    fc.record({ do: fc.constant('scan' as const), prefix: key, limit: fc.integer({ min: 0, max: 5 }) }),
    fc.record({ do: fc.constantFrom('commit', 'crash', 'count', 'next') }),
  );

  it('A13 a store that is cut off at any moment holds exactly the last commit, and answers as a Map would', () => {
    const dir = tempDir();
    let run = 0;
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.integer({ min: 0, max: 4 }), (steps, cache) => {
        run += 1;
        const life = new Life(join(dir, `run${run}`), cache);
        try {
          for (const one of steps) life.step(one);
        } finally {
          life.end();
        }
      }),
      { numRuns: 60 },
    );
  });
});

interface Step {
  readonly do: string;
  readonly key?: string;
  readonly value?: unknown;
  readonly due?: number | null;
  readonly now?: number;
  readonly limit?: number;
  readonly prefix?: string;
}

type Known = Map<string, { value: unknown; due: number | null }>;

/** One store and its model, step by step. A crash is a second store over a copy of the files, as they lie there. */
class Life {
  #dir: string;
  #copies = 0;
  readonly #cache: number;
  #store: StateStore;
  #table: Table<unknown>;
  #now: Known = new Map();
  #durable: Known = new Map();

  constructor(dir: string, cache: number) {
    this.#dir = dir;
    this.#cache = cache;
    this.#store = openStore({ dir, clock: new FakeClock() }).store;
    this.#table = this.#store.table('things', { cache });
  }

  end(): void {
    this.#store.close();
  }

  step(step: Step): void {
    const { key = '', value, due = null, now = 0, limit = 0, prefix = '' } = step;
    const inOrder = [...this.#now].sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    const dueRows = inOrder
      .filter(([, row]) => row.due !== null)
      .sort((a, b) => (a[1].due ?? 0) - (b[1].due ?? 0));
    switch (step.do) {
      case 'put':
        this.#table.put(key, value, due);
        this.#now.set(key, { value: value, due: due });
        break;
      case 'delete':
        this.#table.delete(key);
        this.#now.delete(key);
        break;
      case 'get':
        expect(norm(this.#table.get(key))).toEqual(norm(this.#now.get(key)?.value));
        break;
      case 'due':
        expect(this.#table.due(now, limit).map((row) => [row.key, norm(row.value), row.dueAt])).toEqual(
          dueRows
            .filter(([, row]) => (row.due ?? 0) <= now)
            .slice(0, limit)
            .map(([name, row]) => [name, norm(row.value), row.due]),
        );
        break;
      case 'scan':
        expect(this.#table.scan(prefix, limit).map((row) => [row.key, norm(row.value)])).toEqual(
          inOrder
            .filter(([name]) => name.startsWith(prefix))
            .slice(0, limit)
            .map(([name, row]) => [name, norm(row.value)]),
        );
        break;
      case 'count':
        expect(this.#table.count()).toBe(this.#now.size);
        break;
      case 'next':
        expect(this.#table.nextDue()).toBe(dueRows[0]?.[1].due ?? null);
        break;
      case 'commit':
        expect(this.#store.commit()).toEqual({ ok: true });
        this.#durable = structuredClone(this.#now);
        break;
      case 'crash':
        this.#crash();
        break;
    }
  }

  #crash(): void {
    this.#copies += 1;
    const next = `${this.#dir}-${this.#copies}`;
    copyState(this.#dir, next);
    this.#store.close();
    const opened = openStore({ dir: next, clock: new FakeClock() });
    expect(opened.notices).toEqual([]);
    this.#dir = next;
    this.#store = opened.store;
    this.#table = this.#store.table('things', { cache: this.#cache });
    this.#now = structuredClone(this.#durable);
  }
}

/** JSON has one zero. */
function norm(value: unknown): unknown {
  return value === undefined ? undefined : JSON.parse(JSON.stringify(value));
}
