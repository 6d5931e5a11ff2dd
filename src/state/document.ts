/**
 * One document as a row: its key, its JSON, and a checksum over key, due time and text, so that a flipped bit is seen even
 * where the JSON still parses. SQL of a table of documents lives here too. It knows nothing of what the documents mean.
 */
import { crc32 } from 'node:zlib';
import type { Database, Row, Statement } from './sqlite.ts';

/** Rows fetched at a time while looking past uncommitted documents. */
const pageRows = 64;

/** A key may not be longer: it is in two indexes. Longer ones are a mistake of ours, not of a log. */
const keyCharactersMax = 4096;

export type Decoded =
  | { readonly ok: true; readonly value: unknown; readonly dueAt: number | null }
  | { readonly ok: false; readonly reason: string };

interface WellFormed {
  isWellFormed(): boolean;
  toWellFormed(): string;
}

/** SQLite keeps keys as UTF-8, where a lone surrogate has no place: it becomes U+FFFD here, so that both sides agree. Throws a RangeError for a key over the limit. */
export function checkedKey(key: string): string {
  // In Node 20, not yet in the library of es2023.
  const text = key as string & WellFormed;
  if (key.length > keyCharactersMax)
    throw new RangeError(`a key of ${key.length} characters (at most ${keyCharactersMax}): hash it`);
  return text.isWellFormed() ? key : text.toWellFormed();
}

/** JSON of a value, or why there is none (a cycle, a BigInt, undefined). */
export function encodeDocument(value: unknown): { readonly text: string } | { readonly reason: string } {
  try {
    const text: string | undefined = JSON.stringify(value);
    return text === undefined ? { reason: 'it has no JSON form' } : { text };
  } catch (cause) {
    return { reason: cause instanceof Error ? cause.message : String(cause) };
  }
}

/** The checksum kept beside a document. */
export function documentSum(key: string, dueAt: number | null, text: string): number {
  return crc32(text, crc32(`${key}\u0000${dueAt ?? ''}\u0000`));
}

/** Reads a row of `key, due, doc, sum`; never throws. */
export function decodeDocument(row: Row): Decoded {
  const { key, due, doc, sum } = row as { key: unknown; due: unknown; doc: unknown; sum: unknown };
  if (typeof key !== 'string' || typeof doc !== 'string' || (due !== null && typeof due !== 'number'))
    return { ok: false, reason: 'a column has the wrong type' };
  if (documentSum(key, due, doc) !== sum) return { ok: false, reason: 'its checksum is wrong' };
  try {
    return { ok: true, value: JSON.parse(doc), dueAt: due };
  } catch (cause) {
    return { ok: false, reason: cause instanceof Error ? cause.message : String(cause) };
  }
}

/** What makes a table of documents; part of the schema, version 1. */
export function createTableSql(name: string): string {
  return (
    `CREATE TABLE IF NOT EXISTS "${name}" (key TEXT PRIMARY KEY NOT NULL, due INTEGER, doc TEXT NOT NULL, sum INTEGER NOT NULL);` +
    `CREATE INDEX IF NOT EXISTS "${name}_due" ON "${name}" (due, key) WHERE due IS NOT NULL;`
  );
}

/** The statements of one table on one connection. */
export interface TableStatements {
  readonly get: Statement;
  readonly exists: Statement;
  readonly count: Statement;
  readonly update: Statement;
  readonly insert: Statement;
  readonly remove: Statement;
  readonly quarantine: Statement;
  /** Due rows after (due, key) and not after a time: `due, due, key, until`. */
  readonly due: Statement;
  readonly scanFrom: Statement;
  readonly scanAfter: Statement;
}

export function prepareTable(database: Database, name: string): TableStatements {
  const table = `"${name}"`;
  return {
    get: database.prepare(`SELECT key, due, doc, sum FROM ${table} WHERE key = ?`),
    exists: database.prepare(`SELECT 1 AS found FROM ${table} WHERE key = ?`),
    count: database.prepare(`SELECT count(*) AS count FROM ${table}`),
    update: database.prepare(`UPDATE ${table} SET due = ?, doc = ?, sum = ? WHERE key = ?`),
    insert: database.prepare(
      `INSERT INTO ${table} (due, doc, sum, key) VALUES (?, ?, ?, ?) ` +
        'ON CONFLICT (key) DO UPDATE SET due = excluded.due, doc = excluded.doc, sum = excluded.sum',
    ),
    remove: database.prepare(`DELETE FROM ${table} WHERE key = ?`),
    quarantine: database.prepare(
      'INSERT INTO quarantine (origin, key, due, doc, sum, reason, at) ' +
        `SELECT '${name}', key, due, doc, sum, ?, ? FROM ${table} WHERE key = ?`,
    ),
    due: database.prepare(
      `SELECT key, due FROM ${table} WHERE due IS NOT NULL AND due <= ? AND (due, key) > (?, ?) ` +
        `ORDER BY due, key LIMIT ${pageRows}`,
    ),
    scanFrom: database.prepare(
      `SELECT key, due, doc, sum FROM ${table} WHERE key >= ? ORDER BY key LIMIT ${pageRows}`,
    ),
    scanAfter: database.prepare(
      `SELECT key, due, doc, sum FROM ${table} WHERE key > ? ORDER BY key LIMIT ${pageRows}`,
    ),
  };
}
