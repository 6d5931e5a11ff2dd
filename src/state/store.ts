/**
 * The store behind `model/store.ts`: tables of documents and a few free facts, made durable together by `commit`. Opening it
 * takes the directory's lock and gets past whatever the disk holds; while the disk fails, everything stays in memory and
 * goes with the next commit that succeeds. What then grows is memory: one object per key put and not yet written.
 */
import { readdirSync, rmdirSync, statSync } from 'node:fs';
import { TocsinError } from '../model/problem.ts';
import type { Clock, SavedPosition } from '../model/seams.ts';
import type { CommitResult, Store, Table } from '../model/store.ts';
import { fault } from '../system/fault.ts';
import { Attachment, type Sickness } from './attachment.ts';
import { createTableSql } from './document.ts';
import { failureOf } from './failure.ts';
import type { Notice } from './notice.ts';
import { badDocuments, verifyBytesMax } from './open-file.ts';
import { currentSchema, ownTables, type Schema } from './schema.ts';
import type { Database } from './sqlite.ts';
import { DocumentTable } from './table.ts';

/** Documents a table keeps in memory when nobody says otherwise. */
const cacheDefault = 4096;
/** Damaged documents that are looked for at start; more of them are found when they are read. */
const badAtStartMax = 1000;

export interface OpenStoreOptions {
  /** The state directory. Made (0700) where it is missing; the folder above it must be there. For none at all there is `memory.ts`. */
  readonly dir: string;
  readonly clock: Clock;
  /** Removed again by `close`, with the folders above made as well, and not waiting for the disk. Default false. */
  readonly temporary?: boolean;
  /** Hears what happens after the opening: a disk that fails or works again, a document that can't be read. */
  readonly onNotice?: (notice: Notice) => void;
  /** For tests of migrations: the version to bring the file to. */
  readonly schema?: Schema;
}

/** How the store is, for `status`, `/healthz` and `/metrics`. */
export interface StoreHealth {
  /** Why nothing is written at the moment, or null. */
  readonly degraded: Sickness | null;
  /** Documents in memory that are not on disk. */
  readonly uncommitted: number;
  /** Size of database and log, bytes. */
  readonly bytes: number;
  /** Documents that could not be read, since the start; they are in the table `quarantine`. */
  readonly badDocuments: number;
}

export interface StateStore extends Store {
  health(): StoreHealth;
}

/**
 * Opens the state of `dir`. The notices tell what had to be done (damaged state set aside, written to memory only, migrated).
 * Throws a TocsinError where only a person can help: E_STATE_LOCKED, E_STATE_NEWER, E_STATE_PERM, E_STATE_DIR,
 * E_STATE_FILE_TYPE, E_STATE_NETWORK_FS, E_STATE_DRIVER.
 */
export function openStore(options: OpenStoreOptions): { store: StateStore; notices: readonly Notice[] } {
  const notices: Notice[] = [];
  let opening = true;
  const store = new SqliteStore(options, (notice) => {
    if (opening) notices.push(notice);
    else options.onNotice?.(notice);
  });
  try {
    store.open();
  } catch (cause) {
    store.abandon();
    throw cause;
  }
  opening = false;
  return { store, notices };
}

class SqliteStore implements StateStore {
  readonly positions: Table<SavedPosition>;
  readonly #clock: Clock;
  readonly #temporary: boolean;
  readonly #say: (notice: Notice) => void;
  readonly #disk: Attachment;
  readonly #tables = new Map<string, DocumentTable<unknown>>();
  readonly #meta = new Map<string, string>();
  readonly #unsavable = new Set<string>();
  #bad = 0;
  #closed = false;

  constructor(options: OpenStoreOptions, say: (notice: Notice) => void) {
    this.#clock = options.clock;
    this.#temporary = options.temporary ?? false;
    if (options.dir === '')
      throw new TocsinError('E_STATE_DIR', 'the state directory has no name. Give `state: { dir: ... }` one');
    this.#say = say;
    this.#disk = new Attachment({
      dir: options.dir,
      clock: options.clock,
      temporary: this.#temporary,
      schema: options.schema ?? currentSchema,
      notice: say,
      onChange: (rows) => {
        for (const table of this.#tables.values()) {
          if (rows === 'empty') table.revive();
          else table.distrust();
        }
      },
    });
    this.positions = this.table<SavedPosition>('positions');
  }

  /** Attaches the disk and looks through a small database for documents that can't be read. */
  open(): void {
    this.#disk.start();
    const database = this.#disk.database();
    if (database === null || this.#bytes() > verifyBytesMax) return;
    let bad: ReturnType<typeof badDocuments>;
    try {
      bad = badDocuments(database, badAtStartMax);
    } catch (cause) {
      // Found while looking: the same road as for a reader.
      this.#disk.rescue(failureOf(cause).message);
      return;
    }
    for (const { table, key } of bad) this.table(table).get(key);
  }

  abandon(): void {
    this.#closed = true;
    this.#disk.close();
  }

  table<T>(name: string, options?: { readonly cache: number }): Table<T> {
    let table = this.#tables.get(name);
    if (table === undefined) {
      if (!/^[a-z_]+$/.test(name) || ownTables.has(name) || name.startsWith('sqlite_'))
        throw new RangeError(
          `no table may be called ${JSON.stringify(name)}: [a-z_]+, not meta or quarantine`,
        );
      table = new DocumentTable<unknown>(
        name,
        {
          read: (which, answers, look) => this.#disk.read(which, answers, look),
          onBadDocument: (which, key, reason) => this.#sayBad(which, key, reason),
          onUnsavable: (which, key, reason) => this.#sayUnsavable(which, key, reason),
        },
        cacheDefault,
      );
      this.#tables.set(name, table);
    }
    if (options !== undefined) table.resize(options.cache);
    // One name, one type: that is the caller's promise, as the port has it.
    return table as unknown as Table<T>;
  }

  dirty(): boolean {
    if (this.#meta.size > 0) return true;
    for (const table of this.#tables.values()) if (table.uncommitted() > 0) return true;
    return false;
  }

  commit(): CommitResult {
    if (this.#closed) return { ok: false, code: 'E_STATE_CLOSED', message: 'the store is closed' };
    return this.#disk.waiting() ? this.#stillSick() : this.#commitNow();
  }

  getMeta(key: string): string | undefined {
    const pending = this.#meta.get(key);
    const database = this.#disk.database();
    if (pending !== undefined || database === null) return pending;
    try {
      const value = database.prepare('SELECT value FROM meta WHERE key = ?').get(key)?.['value'];
      return typeof value === 'string' ? value : undefined;
    } catch (cause) {
      this.#disk.fail(cause, 0);
      return undefined;
    }
  }

  setMeta(key: string, value: string): void {
    this.#meta.set(key, value);
  }

  health(): StoreHealth {
    let uncommitted = 0;
    for (const table of this.#tables.values()) uncommitted += table.uncommitted();
    return {
      degraded: this.#disk.sickness(),
      uncommitted,
      bytes: this.#bytes(),
      badDocuments: this.#bad,
    };
  }

  close(): void {
    if (this.#closed) return;
    // A temporary state is removed in a moment.
    if (!this.#temporary) this.#commitNow();
    this.#closed = true;
    const dir = this.#disk.directory();
    this.#disk.close();
    if (!this.#temporary) return;
    try {
      if (readdirSync(dir).length === 0) rmdirSync(dir);
    } catch {
      // Somebody else's file is in it, or it is gone already.
    }
  }

  #commitNow(): CommitResult {
    if (!this.dirty() && this.#disk.sickness() === null) return { ok: true };
    const started = this.#clock.monotonic();
    for (let attempt = 1; ; attempt++) {
      try {
        this.#write(this.#disk.writable());
        this.#disk.succeed();
        return { ok: true };
      } catch (cause) {
        const failure = failureOf(cause);
        if (failure.code === 'E_STATE_DAMAGED' && attempt === 1 && this.#disk.rescue(failure.message))
          continue;
        // After a failed write or fsync nobody knows what reached the disk.
        if (failure.code === 'E_STATE_IO' || failure.code === 'E_STATE_DAMAGED')
          for (const table of this.#tables.values()) table.distrust();
        return { ok: false, ...this.#disk.fail(cause, this.#clock.monotonic() - started) };
      }
    }
  }

  #write(database: Database): void {
    const changes: { readonly table: DocumentTable<unknown>; readonly change: number }[] = [];
    database.exec('BEGIN IMMEDIATE');
    try {
      for (const table of this.#tables.values()) {
        if (table.uncommitted() === 0) continue;
        if (!this.#disk.hasTable(table.name)) database.exec(createTableSql(table.name));
        changes.push({ table, change: table.write(database, this.#clock.now()) });
      }
      this.#writeMeta(database);
      fault('state-before-commit');
      database.exec('COMMIT');
      fault('state-after-commit');
    } catch (cause) {
      rollBack(database);
      throw cause;
    }
    for (const { table, change } of changes) {
      table.settle(change);
      this.#disk.addTable(table.name);
    }
    this.#meta.clear();
  }

  #writeMeta(database: Database): void {
    if (this.#meta.size === 0) return;
    const insert = database.prepare('INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)');
    for (const [key, value] of this.#meta) insert.run(key, value);
  }

  #stillSick(): CommitResult {
    const sickness = this.#disk.sickness();
    return sickness === null ? { ok: true } : { ok: false, ...sickness };
  }

  #sayBad(table: string, key: string, reason: string): void {
    this.#bad += 1;
    const path = this.#disk.path();
    const message = `${path}: the document ${JSON.stringify(key)} of ${table} can't be read (${reason}); it goes to the table quarantine`;
    this.#say({ code: 'E_STATE_DOCUMENT', level: 'error', message, path });
  }

  #sayUnsavable(table: string, key: string, reason: string): void {
    const id = `${table}\u0000${key}`;
    if (this.#unsavable.has(id)) return;
    this.#unsavable.add(id);
    const path = this.#disk.path();
    const message = `the document ${JSON.stringify(key)} of ${table} can't be written (${reason}); it stays in memory only`;
    this.#say({ code: 'E_STATE_DOCUMENT', level: 'error', message, path });
  }

  #bytes(): number {
    let bytes = 0;
    for (const name of ['', '-wal'])
      bytes += statSync(this.#disk.path() + name, { throwIfNoEntry: false })?.size ?? 0;
    return bytes;
  }
}

function rollBack(database: Database): void {
  try {
    if (database.inTransaction()) database.exec('ROLLBACK');
  } catch {
    // SQLite has ended it already; the connection is opened again after such a failure.
  }
}
