/**
 * What a state database looks like from outside its documents: who made it, which version, which tables; how a new one is
 * made and an older one brought up. A newer one is recognised from its first bytes, without SQLite opening it.
 */
import { closeSync, constants, copyFileSync, openSync, readSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { TocsinError } from '../model/problem.ts';
import { createTableSql } from './document.ts';
import { stampOf, syncDirectory } from './file-names.ts';
import { type Database, openDatabase } from './sqlite.ts';

/** "tocs": SQLite's `application_id`, so that `file` and we know whose it is. */
export const applicationId = 0x746f6373;

/** How version `from` becomes `from + 1`. Runs inside a transaction. */
export type Migration = (database: Database) => void;

/** The version this program writes, and the way to it: `migrations[n]` turns version n + 1 into n + 2. */
export interface Schema {
  readonly version: number;
  readonly migrations: readonly Migration[];
}

export const currentSchema: Schema = { version: 1, migrations: [] };

/** Tables that hold no documents. */
export const ownTables: ReadonlySet<string> = new Set(['meta', 'quarantine']);

const createSql = `
CREATE TABLE meta (key TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE quarantine (origin TEXT NOT NULL, key, due, doc, sum, reason TEXT NOT NULL, at INTEGER NOT NULL);
`;
const privateMode = 0o600;

// https://www.sqlite.org/fileformat.html#the_database_header
const headerBytes = 100;
const magic = 'SQLite format 3\u0000';
const userVersionAt = 60;
const applicationIdAt = 68;

export type Header =
  | { readonly kind: 'ours'; readonly version: number }
  | { readonly kind: 'damaged'; readonly reason: string };

/**
 * Reads who made a database from its header. Never blocks and follows no link. Call it only while this process has no
 * connection to the file: closing a descriptor frees SQLite's locks (POSIX).
 */
export function readHeader(path: string): Header {
  const handle = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  const header = Buffer.alloc(headerBytes);
  let length: number;
  try {
    length = readSync(handle, header, 0, headerBytes, 0);
  } finally {
    closeSync(handle);
  }
  if (length === 0) return { kind: 'damaged', reason: 'it is empty' };
  if (length < headerBytes || header.toString('latin1', 0, magic.length) !== magic)
    return { kind: 'damaged', reason: 'it is not a SQLite database' };
  if (header.readUInt32BE(applicationIdAt) !== applicationId)
    return { kind: 'damaged', reason: 'another program made it' };
  const version = header.readUInt32BE(userVersionAt);
  return version === 0 ? { kind: 'damaged', reason: 'it has no version' } : { kind: 'ours', version };
}

/** Throws E_STATE_NEWER where a newer program made the state. */
export function refuseNewer(path: string, version: number, schema: Schema): void {
  if (version <= schema.version) return;
  throw new TocsinError(
    'E_STATE_NEWER',
    `${path} was written by a newer version (format ${version}, this one knows ${schema.version}). ` +
      'Use that version, or move the file away to begin with an empty state; nothing was changed',
  );
}

/** Makes an empty state database: complete under another name first, so that none is ever half made. Throws what the disk says. */
export function createDatabaseFile(path: string, schema: Schema): void {
  const draft = `${path}.new`;
  rmSync(draft, { recursive: true, force: true });
  rmSync(`${draft}-journal`, { recursive: true, force: true });
  // SQLite gives its companion files the mode of this one.
  closeSync(openSync(draft, 'wx', privateMode));
  const database = openDatabase(draft, { readOnly: false, busyMs: 0 });
  try {
    database.exec('PRAGMA journal_mode=DELETE; PRAGMA synchronous=FULL;');
    database.exec(`BEGIN IMMEDIATE; ${createSql}
      PRAGMA application_id=${applicationId}; PRAGMA user_version=${schema.version}; COMMIT`);
  } finally {
    database.close();
  }
  renameSync(draft, path);
  syncDirectory(dirname(path));
}

/** Brings an older database up to `schema`, one version at a time, all in one transaction. Gives the path of the copy made before. */
export function migrate(
  database: Database,
  options: { readonly path: string; readonly from: number; readonly schema: Schema; readonly now: number },
): string {
  const backup = `${options.path}.v${options.from}-${stampOf(options.now)}`;
  // First all of the WAL into the file, then the file alone is the whole state.
  database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  copyFileSync(options.path, backup);
  database.exec('BEGIN IMMEDIATE');
  try {
    for (let version = options.from; version < options.schema.version; version++)
      options.schema.migrations[version - 1]?.(database);
    database.exec(`PRAGMA user_version=${options.schema.version}; COMMIT`);
  } catch (cause) {
    if (database.inTransaction()) database.exec('ROLLBACK');
    throw cause;
  }
  // The version has to be in the header, where an older program looks for it.
  database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  return backup;
}

/** Names of the tables of documents. */
export function documentTables(database: Database): readonly string[] {
  return database
    .prepare(
      "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name",
    )
    .all()
    .map((row) => String(row['name']))
    .filter((name) => !ownTables.has(name));
}

/**
 * Why the shape is not ours, or null. The text of each table is compared whole, so that a name with a flipped bit does not
 * pass for an empty table and a strange one.
 */
export function shapeProblem(database: Database): string | null {
  const expected = new Map<string, string>();
  const names = new Set<string>();
  for (const text of createSql.split('\n')) expectStatement(expected, text);
  for (const name of documentTables(database)) {
    names.add(name);
    for (const text of createTableSql(name).split(';')) expectStatement(expected, text);
  }
  const rows = database
    .prepare("SELECT name, tbl_name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\'")
    .all();
  for (const { name, tbl_name: table, sql } of rows) {
    if (expected.get(String(name)) !== sql) return `${name} is not made as it should be`;
    if (table !== name && !names.has(String(table))) return `${name} belongs to ${table}, which is not there`;
    expected.delete(String(name));
  }
  const [missing] = expected.keys();
  return missing === undefined ? null : `${missing} is missing`;
}

/** `CREATE TABLE IF NOT EXISTS "x" ...` -> x, with the text as SQLite keeps it. */
function expectStatement(expected: Map<string, string>, text: string): void {
  const sql = text.trim().replace(/;$/, '').replace(' IF NOT EXISTS', '');
  const name = /^CREATE (?:TABLE|INDEX) "?(\w+)"?/.exec(sql)?.[1];
  if (name !== undefined) expected.set(name, sql);
}
