/**
 * Brings documents over from a damaged database into a new one: from the front until a page can't be read, then from the
 * back. The damaged file is only read. What fails its checksum stays behind; nothing is thrown.
 */
import { readFileSync, statSync } from 'node:fs';
import { createTableSql, decodeDocument } from './document.ts';
import { documentTables } from './schema.ts';
import { type Database, imageBytesMax, openDatabase, openImage, type Row, withoutLog } from './sqlite.ts';

// https://www.sqlite.org/fileformat.html#the_database_header
const pageSizeAt = 16;
const pageCountAt = 28;
/** Rows read at a time. */
const batchRows = 64;

export interface Salvaged {
  readonly kept: number;
  /** Rows that were seen and could not be used; rows on pages that can't be read are not even counted. */
  readonly lost: number;
}

/** Copies what can be read from the database at `path` into `target`. */
export function salvage(path: string, target: Database): Salvaged {
  const nothing: Salvaged = { kept: 0, lost: 0 };
  // With its log, as SQLite sees it; where that fails (a file that was cut), from its bytes alone.
  const found = copyAll(() => openDatabase(path, { readOnly: true, busyMs: 0 }), target);
  if (found !== null && found.kept > 0) return found;
  return copyAll(() => paddedImage(path), target) ?? found ?? nothing;
}

/** All tables in one transaction, or null where nothing could be opened or written. */
function copyAll(open: () => Database, target: Database): Salvaged | null {
  let source: Database | null = null;
  try {
    source = open();
    const names = documentTables(source);
    target.exec('BEGIN IMMEDIATE');
    let kept = 0;
    let lost = copyMeta(source, target);
    for (const name of names) {
      const copied = copyTable(source, target, name);
      kept += copied.kept;
      lost += copied.lost;
    }
    target.exec('COMMIT');
    return { kept, lost };
  } catch {
    // Not a database at all, or no room for the copy: the new state begins empty.
    if (target.inTransaction()) target.exec('ROLLBACK');
    return null;
  } finally {
    closeQuietly(source);
  }
}

/** The bytes of a cut file in memory, filled up with zeros to the length that its header tells. */
function paddedImage(path: string): Database {
  const size = statSync(path).size;
  if (size > imageBytesMax) throw new RangeError(`${path} is too large to be read into memory`);
  const bytes = readFileSync(path);
  const pageBytes = bytes.readUInt16BE(pageSizeAt);
  const length = Math.min(imageBytesMax, bytes.readUInt32BE(pageCountAt) * pageBytes);
  const whole = length > bytes.length ? Buffer.concat([bytes, Buffer.alloc(length - bytes.length)]) : bytes;
  return openImage(withoutLog(whole));
}

function closeQuietly(database: Database | null): void {
  try {
    database?.close();
  } catch {
    // Nothing was written through it.
  }
}

function copyMeta(source: Database, target: Database): number {
  const insert = target.prepare('INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)');
  try {
    for (const row of source.prepare('SELECT key, value FROM meta').all()) {
      const { key, value } = row;
      if (typeof key === 'string' && typeof value === 'string') insert.run(key, value);
    }
    return 0;
  } catch {
    return 1;
  }
}

function copyTable(source: Database, target: Database, name: string): Salvaged {
  if (!/^[a-z_]+$/.test(name)) return { kept: 0, lost: 0 };
  target.exec(createTableSql(name));
  const insert = target.prepare(
    `INSERT INTO "${name}" (key, due, doc, sum) VALUES (?, ?, ?, ?) ON CONFLICT (key) DO NOTHING`,
  );
  let kept = 0;
  let lost = 0;
  const take = (row: Row): void => {
    if (!decodeDocument(row).ok) lost += 1;
    else kept += insert.run(row['key'] ?? null, row['due'] ?? null, row['doc'] ?? null, row['sum'] ?? null);
  };
  const forward = walk(source, name, { order: 'ASC', take });
  if (!forward) {
    lost += 1;
    walk(source, name, { order: 'DESC', take });
  }
  return { kept, lost };
}

/** Goes through a table by rowid in one direction. Whether it came to the end. */
function walk(
  source: Database,
  name: string,
  way: { readonly order: 'ASC' | 'DESC'; readonly take: (row: Row) => void },
): boolean {
  const compare = way.order === 'ASC' ? '>' : '<';
  let last: number = way.order === 'ASC' ? -1 : Number.MAX_SAFE_INTEGER;
  for (let size = batchRows; ; ) {
    let rows: readonly Row[];
    try {
      rows = source
        .prepare(
          `SELECT rowid AS row, key, due, doc, sum FROM "${name}" WHERE rowid ${compare} ? ORDER BY rowid ${way.order} LIMIT ${size}`,
        )
        .all(last);
    } catch {
      // One by one up to the row that can't be read.
      if (size === 1) return false;
      size = 1;
      continue;
    }
    for (const row of rows) {
      const at = Number(row['row']);
      // A damaged tree may lead in a circle.
      if (way.order === 'ASC' ? at <= last : at >= last) return false;
      way.take(row);
      last = at;
    }
    if (rows.length < size) return true;
  }
}
