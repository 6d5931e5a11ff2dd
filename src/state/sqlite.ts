/**
 * The door to better-sqlite3: run, get, all, exec, close, and nothing that `node:sqlite` has not got as well, so that the
 * state can move there by rewriting this file. Transactions are written by hand by whoever needs one. It opens no file
 * before it is asked to, and loads the native module then; a missing one becomes one clear error.
 */
import { createRequire } from 'node:module';
import type BetterSqlite from 'better-sqlite3';
import { TocsinError } from '../model/problem.ts';

export type SqlValue = string | number | Buffer | null;
export type Row = Readonly<Record<string, SqlValue>>;

export interface Statement {
  /** Runs it; how many rows it changed. */
  run(...values: SqlValue[]): number;
  get(...values: SqlValue[]): Row | undefined;
  all(...values: SqlValue[]): readonly Row[];
}

/** One connection. Every call throws what SQLite says (an Error with a `code` like `SQLITE_FULL`). */
export interface Database {
  exec(sql: string): void;
  prepare(sql: string): Statement;
  /** SQLite ends a transaction itself after some errors; only then is a ROLLBACK needed when this is true. */
  inTransaction(): boolean;
  close(): void;
}

export interface OpenOptions {
  readonly readOnly: boolean;
  /** How long to wait for another connection's lock, ms. */
  readonly busyMs: number;
}

/** Opens the database at `path`, which must exist unless it may be written. Throws what SQLite says, or E_STATE_DRIVER. */
export function openDatabase(path: string, options: OpenOptions): Database {
  return wrap(
    connect(path, { readonly: options.readOnly, fileMustExist: options.readOnly, timeout: options.busyMs }),
  );
}

/** A database that has to be read into memory (a read-only disk, a damaged file) is read up to this size. */
export const imageBytesMax = 64 * 1024 * 1024;

/** Makes the bytes of a WAL database fit for memory: bytes 18 and 19 say "WAL", which is not to be had there. Changes them in place. */
export function withoutLog(bytes: Buffer): Buffer {
  bytes[18] = 1;
  bytes[19] = 1;
  return bytes;
}

/** Opens the bytes of a database file in memory. Nothing is ever written back. */
export function openImage(bytes: Buffer): Database {
  return wrap(connect(bytes, {}));
}

/**
 * All connections and their statements, closed ones too. From Node 24.19 on the process aborts when the garbage collector frees one of
 * better-sqlite3 12 (its C++ class removes a hook of an environment that is not at hand then), and version 13 does not load in Node 20.
 * They are few: statements are made once for each text.
 */
const kept: { readonly database: BetterSqlite.Database; readonly statements: Map<string, Statement> }[] = [];

function wrap(database: BetterSqlite.Database): Database {
  const statements = new Map<string, Statement>();
  kept.push({ database, statements });
  return {
    exec: (sql) => {
      database.exec(sql);
    },
    prepare: (sql) => {
      const known = statements.get(sql);
      if (known !== undefined) return known;
      const native = database.prepare<SqlValue[], Row>(sql);
      const statement: Statement = {
        run: (...values) => native.run(...values).changes,
        get: (...values) => native.get(...values),
        all: (...values) => native.all(...values),
      };
      statements.set(sql, statement);
      return statement;
    },
    inTransaction: () => database.inTransaction,
    close: () => {
      database.close();
    },
  };
}

function connect(file: string | Buffer, options: BetterSqlite.Options): BetterSqlite.Database {
  try {
    const Driver = createRequire(import.meta.url)('better-sqlite3') as typeof BetterSqlite;
    return new Driver(file, options);
  } catch (cause) {
    if (!isMissingDriver(cause)) throw cause;
    throw new TocsinError(
      'E_STATE_DRIVER',
      `the native module of better-sqlite3 can't be loaded by Node ${process.version} (${firstLine(cause)}). ` +
        'Run `npm rebuild better-sqlite3`; where npm blocks install scripts, install with ' +
        '`npm install --allow-scripts=re2,better-sqlite3`',
      { cause },
    );
  }
}

function isMissingDriver(cause: unknown): boolean {
  if (!(cause instanceof Error)) return false;
  const code = 'code' in cause ? cause.code : undefined;
  return (
    code === 'MODULE_NOT_FOUND' ||
    code === 'ERR_DLOPEN_FAILED' ||
    cause.message.startsWith('Could not locate the bindings file')
  );
}

function firstLine(cause: unknown): string {
  return (cause instanceof Error ? cause.message : String(cause)).split('\n', 1)[0] ?? '';
}
