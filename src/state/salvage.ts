/**
 * Brings documents over from a damaged database into a new one: from the front until a page can't be read, then from the
 * back. The damaged file is only read. What fails its checksum stays behind; nothing is thrown.
 */
import { createTableSql, decodeDocument } from './document.ts';
import { documentTables } from './schema.ts';
import { type Database, openDatabase, type Row } from './sqlite.ts';

/** Rows read at a time. */
const batchRows = 64;

export interface Salvaged {
  readonly kept: number;
  /** Rows that were seen and could not be used; rows on pages that can't be read are not even counted. */
  readonly lost: number;
}

/** Copies what can be read from the database at `path` into `target`. */
export function salvage(path: string, target: Database): Salvaged {
  let kept = 0;
  let lost = 0;
  let source: Database | null = null;
  try {
    source = openDatabase(path, { readOnly: true, busyMs: 0 });
    target.exec('BEGIN IMMEDIATE');
    lost += copyMeta(source, target);
    for (const name of documentTables(source)) {
      const copied = copyTable(source, target, name);
      kept += copied.kept;
      lost += copied.lost;
    }
    target.exec('COMMIT');
  } catch {
    // Not a database at all, or no room for the copy: the new state begins empty.
    if (target.inTransaction()) target.exec('ROLLBACK');
    kept = 0;
  }
  try {
    source?.close();
  } catch {
    // Nothing was written through it.
  }
  return { kept, lost };
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
      way.take(row);
      last = Number(row['row']);
    }
    if (rows.length < size) return true;
  }
}
