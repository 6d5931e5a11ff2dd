/**
 * What is on disk of one table, asked a page at a time and in order, with what it remembers of the answers until the next
 * commit. Rows that are hidden by something uncommitted are passed over where it says so; what a row holds, and what is not
 * committed, is for `table.ts` to know.
 */
import { prepareTable, type TableStatements } from './document.ts';
import { compareDue, compareKeys, type Due } from './due-heap.ts';
import type { Database, Row } from './sqlite.ts';

/** Runs `look` on the connection. Where there is no such table yet the answer is `absent`; a failure is dealt with and answered by `failed`. */
export type ReadDisk = <R>(
  table: string,
  answers: { readonly absent: R; readonly failed: R },
  look: (database: Database) => R,
) => R;

export class CommittedRows {
  readonly #table: string;
  readonly #disk: ReadDisk;
  readonly #isHidden: (key: string) => boolean;
  #statements: { readonly database: Database; readonly all: TableStatements } | null = null;
  /** Null until counted. */
  #count: number | null = null;
  /** The due rows ahead, in order: how far they were looked through since the last commit. */
  #ahead: { rows: readonly Due[]; at: number; last: boolean } | null = null;

  /** `isHidden`: whether something uncommitted stands for the row of a key. */
  constructor(table: string, disk: ReadDisk, isHidden: (key: string) => boolean) {
    this.#table = table;
    this.#disk = disk;
    this.#isHidden = isHidden;
  }

  /** The row of a key, hidden or not; null where the disk can't say. */
  get(key: string): Row | undefined | null {
    return this.#read<Row | undefined | null>(undefined, (sql) => sql.get.get(key), null);
  }

  /** Whether there is a row of a key, hidden or not. A failed look counts as yes: a deletion too many harms nobody, a row that comes back does. */
  has(key: string): boolean {
    return this.#read<boolean>(false, (sql) => sql.exists.get(key) !== undefined, true);
  }

  /** How many rows there are, hidden ones too. */
  count(): number {
    this.#count ??= this.#read<number | null>(0, (sql) => Number(sql.count.get()?.['count'] ?? 0), null);
    return this.#count ?? 0;
  }

  /** When the first row is due that is not hidden; infinity where none is. */
  nextDue(): number {
    let ahead = this.#ahead;
    for (;;) {
      if (ahead !== null) {
        for (; ahead.at < ahead.rows.length; ahead.at++) {
          const row = ahead.rows[ahead.at] as Due;
          if (!this.#isHidden(row.key)) return row.dueAt;
        }
        if (ahead.last) return Number.POSITIVE_INFINITY;
      }
      const rows: readonly Due[] = this.#duePage(ahead?.rows.at(-1) ?? null, Number.MAX_VALUE);
      ahead = { rows, at: 0, last: rows.length === 0 };
      this.#ahead = ahead;
    }
  }

  /** Rows that are due at `now` and not hidden, the earliest first. */
  due(now: number, limit: number): readonly Due[] {
    const found: Due[] = [];
    let last: Due | null = null;
    while (found.length < limit) {
      const rows: readonly Due[] = this.#duePage(last, now);
      for (const row of rows) if (!this.#isHidden(row.key) && found.length < limit) found.push(row);
      last = rows.at(-1) ?? null;
      if (last === null) break;
    }
    return found;
  }

  #duePage(after: Due | null, until: number): readonly Due[] {
    const rows = this.#read<readonly Row[]>([], (sql) =>
      sql.due.all(until, after?.dueAt ?? -Number.MAX_VALUE, after?.key ?? ''),
    );
    const page: Due[] = [];
    let last = after;
    for (const row of rows) {
      const due = { key: String(row['key']), dueAt: Number(row['due']) };
      // Out of order is a damaged index that may lead in a circle.
      if (last !== null && compareDue(due, last) <= 0) break;
      page.push(due);
      last = due;
    }
    return page;
  }

  /** Rows whose keys begin with `prefix` and are not hidden, in order. A page is read when its first row is asked for. */
  *scan(prefix: string): Generator<{ readonly key: string; readonly row: Row }, void> {
    let after: string | null = null;
    for (;;) {
      const from: string | null = after;
      const rows: readonly Row[] = this.#read<readonly Row[]>([], (sql) =>
        from === null ? sql.scanFrom.all(prefix) : sql.scanAfter.all(from),
      );
      for (const row of rows) {
        const key = String(row['key']);
        // Out of order is a damaged index that may lead in a circle.
        const behind = after !== null && compareKeys(key, after) <= 0;
        if (behind || !key.startsWith(prefix)) return;
        after = key;
        if (!this.#isHidden(key)) yield { key, row };
      }
      if (rows.length === 0) return;
    }
  }

  /** A commit is durable. `change`: how the number of rows changed; null where that is not sure. */
  settle(change: number | null): void {
    this.#ahead = null;
    if (this.#count !== null) this.#count = change === null ? null : this.#count + change;
  }

  /** What is on disk must be asked again, and perhaps on another connection. */
  distrust(): void {
    this.#count = null;
    this.#ahead = null;
    this.#statements = null;
  }

  /** The statements of the table on a connection. */
  statements(database: Database): TableStatements {
    if (this.#statements?.database !== database)
      this.#statements = { database, all: prepareTable(database, this.#table) };
    return this.#statements.all;
  }

  /** Asks the disk. A disk that can't be read answers as an empty one would, unless `failed` says otherwise. */
  #read<R>(absent: R, look: (sql: TableStatements) => R, failed: R = absent): R {
    return this.#disk(this.#table, { absent, failed }, (database) => look(this.statements(database)));
  }
}
