/**
 * The store's hold on its disk: the lock, the connection, and what is done when either fails. A full, read-only or failing
 * disk leaves the store in memory and is tried again; a damaged database is set aside while running. It knows tables by
 * name only and holds no documents.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { TocsinError } from '../model/problem.ts';
import type { Clock } from '../model/seams.ts';
import { permissionError, prepareDirectory } from './directory.ts';
import { type FailureCode, failureOf } from './failure.ts';
import { databaseName } from './file-names.ts';
import { type Lock, lockDirectory } from './lock.ts';
import type { Notice } from './notice.ts';
import { type Opened, type OpenFileOptions, openFile, rescue } from './open-file.ts';
import { documentTables, type Schema } from './schema.ts';
import type { Database } from './sqlite.ts';

/** A database that is damaged again within this time is on a dying disk: it is not set aside over and over, ms. */
const rescueEveryMs = 60_000;
/** While the disk fails, at most this share of the time goes into trying: wait = last attempt * this, up to the cap, ms. */
const retryFactor = 10;
const retryCapMs = 5000;

/** Why nothing is written at the moment. */
export interface Sickness {
  /** A `FailureCode`, or the code of a TocsinError (another daemon took the directory meanwhile). */
  readonly code: string;
  readonly message: string;
}

export interface AttachmentOptions {
  readonly dir: string;
  readonly clock: Clock;
  readonly temporary: boolean;
  readonly schema: Schema;
  readonly notice: (notice: Notice) => void;
  /** The connection is another one now. `empty`: its rows are not those of before (set aside, or attached late). */
  readonly onChange: (rows: 'same' | 'empty') => void;
}

export class Attachment {
  readonly #options: AttachmentOptions;
  #dir: string;
  #lock: Lock | null = null;
  #saidUnlocked = false;
  #opened: Opened | null = null;
  #tables = new Set<string>();
  #sickness: Sickness | null = null;
  #reopen = false;
  #retryAt = Number.NEGATIVE_INFINITY;
  #rescuedAt = Number.NEGATIVE_INFINITY;

  constructor(options: AttachmentOptions) {
    this.#options = options;
    this.#dir = options.dir;
  }

  path(): string {
    return join(this.#dir, databaseName);
  }
  directory(): string {
    return this.#dir;
  }
  sickness(): Sickness | null {
    return this.#sickness;
  }
  database(): Database | null {
    return this.#opened?.database ?? null;
  }
  hasTable(name: string): boolean {
    return this.#tables.has(name);
  }
  addTable(name: string): void {
    this.#tables.add(name);
  }

  /** The first attach. Throws where a person must act (TocsinError); a sick disk leaves the store in memory. */
  start(): void {
    try {
      this.#attach();
    } catch (cause) {
      if (cause instanceof TocsinError) throw cause;
      if (failureOf(cause).code === 'E_STATE_PERM') throw permissionError(this.#dir, cause);
      this.fail(cause, 0);
    }
  }

  /** Whether it is too early for another attempt. */
  waiting(): boolean {
    return this.#sickness !== null && this.#options.clock.monotonic() < this.#retryAt;
  }

  /** A connection that can be written, opened again if the last one is not trusted. Throws what the disk says. */
  writable(): Database {
    if (this.#opened === null || this.#opened.mode === 'image' || this.#reopen) this.#attach();
    const opened = this.#opened;
    if (opened === null || opened.mode === 'image')
      throw new TocsinError('E_STATE_READ_ONLY', `${this.path()} can't be written; it is a copy in memory`);
    return opened.database;
  }

  /** A commit went through. */
  succeed(): void {
    const was = this.#sickness;
    this.#sickness = null;
    this.#retryAt = Number.NEGATIVE_INFINITY;
    // Opened without shared memory nobody may read beside us: back to the usual way with the next commit.
    if (this.#opened?.mode === 'alone') this.#reopen = true;
    if (was === null) return;
    const message = `${this.path()} is written again; all that waited in memory is in it`;
    this.#options.notice({ code: 'STATE_RECOVERED', level: 'info', message, path: this.path() });
  }

  /** Notes a failure (said once, and when its kind changes), and when to try again. `tookMs` is what the attempt cost. */
  fail(cause: unknown, tookMs: number): Sickness {
    const failure =
      cause instanceof TocsinError ? { code: cause.code, message: cause.message } : failureOf(cause);
    const wait = Math.min(retryCapMs, tookMs * retryFactor);
    this.#retryAt = this.#options.clock.monotonic() + wait;
    // A full disk leaves the connection sound; after anything else it is not trusted again.
    if (failure.code !== 'E_STATE_DISK_FULL' && failure.code !== 'E_STATE_BUSY') this.#reopen = true;
    if (this.#sickness?.code !== failure.code) this.#sayFailure(failure);
    this.#sickness = failure;
    return failure;
  }

  /** Sets a damaged database aside and goes on with a new one. Whether that was done. */
  rescue(reason: string): boolean {
    const { clock, onChange } = this.#options;
    if (clock.monotonic() - this.#rescuedAt < rescueEveryMs) return false;
    this.#rescuedAt = clock.monotonic();
    this.#closeDatabase();
    try {
      this.#use(rescue(this.#fileOptions(), reason));
    } catch (cause) {
      this.fail(cause, 0);
    }
    onChange('empty');
    return this.#opened !== null;
  }

  /** Runs `look` on the connection: see `Disk.read`. */
  read<R>(
    table: string,
    answers: { readonly absent: R; readonly failed: R },
    look: (database: Database) => R,
  ): R {
    const opened = this.#opened;
    if (opened === null || !this.#tables.has(table)) return answers.absent;
    try {
      return look(opened.database);
    } catch (cause) {
      const failure = failureOf(cause);
      if (failure.code !== 'E_STATE_DAMAGED' || !this.rescue(failure.message)) {
        this.fail(cause, 0);
        return answers.failed;
      }
    }
    try {
      return this.#opened !== null && this.#tables.has(table) ? look(this.#opened.database) : answers.absent;
    } catch (cause) {
      this.fail(cause, 0);
      return answers.failed;
    }
  }

  /** Closes the connection and lets the lock go; a temporary state is removed. */
  close(): void {
    this.#closeDatabase();
    if (this.#lock !== null) rmSync(join(this.#dir, 'lock.json'), { force: true });
    this.#lock?.release();
    this.#lock = null;
    if (!this.#options.temporary) return;
    for (const name of ['', '-wal', '-shm', '-journal']) rmSync(this.path() + name, { force: true });
    rmSync(join(this.#dir, 'lock'), { force: true });
  }

  #attach(): void {
    if (this.#options.temporary) mkdirSync(this.#options.dir, { recursive: true, mode: 0o700 });
    this.#dir = prepareDirectory(this.#options.dir);
    this.#takeLock();
    const first = this.#opened === null || this.#opened.mode === 'image';
    // Alone it would be in its own way; else the old one serves reads until the new one stands.
    if (this.#opened?.mode === 'alone') this.#closeDatabase();
    const before = this.#opened;
    const opened = openFile(this.#fileOptions());
    before?.database.close();
    this.#use(opened);
    this.#reopen = false;
    this.#options.onChange(first ? 'empty' : 'same');
    if (opened.mode === 'alone')
      this.fail({ code: 'SQLITE_FULL', message: 'no room for the shared memory of the log' }, 0);
    if (opened.mode === 'image')
      this.fail({ code: 'SQLITE_READONLY', message: 'it was read into memory' }, 0);
  }

  #takeLock(): void {
    if (this.#lock !== null) return;
    try {
      this.#lock = lockDirectory(this.#dir, this.#options.clock.now());
    } catch (cause) {
      if (cause instanceof TocsinError) throw cause;
      if (this.#saidUnlocked) return;
      this.#saidUnlocked = true;
      const message = `${this.#dir} can't be locked (${failureOf(cause).message}): nothing keeps a second daemon out`;
      this.#options.notice({ code: 'E_STATE_UNLOCKED', level: 'warning', message, path: this.#dir });
    }
  }

  #use(opened: Opened): void {
    this.#opened = opened;
    this.#tables = new Set(documentTables(opened.database));
  }

  #closeDatabase(): void {
    try {
      this.#opened?.database.close();
    } catch {
      // The last write-back failed; what is in the log is replayed by whoever opens it next.
    }
    this.#opened = null;
    this.#tables = new Set();
  }

  #sayFailure(failure: Sickness): void {
    const known = failure.code as FailureCode;
    const message =
      `${this.path()} can't be written: ${failure.message}. Alerts go on from memory, it is tried again; ` +
      'what is not written by then is lost if the process dies';
    this.#options.notice({ code: known, level: 'error', message, path: this.path() });
  }

  #fileOptions(): OpenFileOptions {
    return {
      path: this.path(),
      schema: this.#options.schema,
      now: this.#options.clock.now(),
      synchronous: this.#options.temporary ? 'off' : 'full',
      notice: this.#options.notice,
    };
  }
}
