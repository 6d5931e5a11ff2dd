/**
 * Reads a state that is or isn't in use, for `status` and its like: it takes no lock, changes nothing, and sees what was
 * committed last each time it is asked. Whatever would write throws E_STATE_READ_ONLY.
 */
import { join } from 'node:path';
import { TocsinError } from '../model/problem.ts';
import type { SavedPosition } from '../model/seams.ts';
import type { CommitResult, Store, Table } from '../model/store.ts';
import { permissionError } from './directory.ts';
import { errorCode, failureOf } from './failure.ts';
import { databaseName, ordinaryFile } from './file-names.ts';
import { imageOf } from './open-file.ts';
import { currentSchema, documentTables, readHeader, refuseNewer } from './schema.ts';
import { type Database, openDatabase } from './sqlite.ts';
import { type Disk, DocumentTable } from './table.ts';

/** How long a reader waits for a daemon that is just writing its log back, ms. */
const busyMs = 2000;

/**
 * Opens the state of `dir` for reading. Throws E_STATE_MISSING where there is none, E_STATE_NEWER, E_STATE_PERM,
 * E_STATE_DAMAGED (a daemon that starts sets it aside), E_STATE_IO.
 */
export function openReadOnly(dir: string): Store {
  const path = join(dir, databaseName);
  if (kindOf(path) === 'missing')
    throw new TocsinError(
      'E_STATE_MISSING',
      `${dir} holds no state: no daemon has run there yet, or it is another folder`,
    );
  try {
    const header = readHeader(path);
    if (header.kind === 'damaged')
      throw new TocsinError('E_STATE_DAMAGED', `${path} can't be read: ${header.reason}`);
    refuseNewer(path, header.version, currentSchema);
    return new ReadOnlyStore(path, connect(path));
  } catch (cause) {
    if (cause instanceof TocsinError) throw cause;
    if (errorCode(cause) === 'EACCES' || errorCode(cause) === 'EPERM') throw permissionError(path, cause);
    const failure = failureOf(cause);
    throw new TocsinError(failure.code, `${path} can't be read: ${failure.message}`, { cause });
  }
}

function kindOf(path: string): 'file' | 'missing' | 'directory' {
  try {
    return ordinaryFile(path).kind;
  } catch (cause) {
    if (errorCode(cause) === 'EACCES') throw permissionError(path, cause);
    if (errorCode(cause) === 'ENOTDIR') return 'missing';
    throw cause;
  }
}

/** Beside a daemon its shared memory is used; in a folder that may not be written the file is read as it is. */
function connect(path: string): Database {
  let database: Database | null = null;
  try {
    database = openDatabase(path, { readOnly: true, busyMs });
    database.prepare('SELECT count(*) AS tables FROM sqlite_master').get();
    return database;
  } catch (cause) {
    database?.close();
    if (errorCode(cause) !== 'SQLITE_CANTOPEN' && !errorCode(cause).startsWith('SQLITE_READONLY'))
      throw cause;
    return imageOf(path, cause);
  }
}

class ReadOnlyStore implements Store {
  readonly positions: Table<SavedPosition>;
  readonly #path: string;
  #database: Database | null;

  constructor(path: string, database: Database) {
    this.#path = path;
    this.#database = database;
    this.positions = this.table<SavedPosition>('positions');
  }

  table<T>(name: string): Table<T> {
    const fresh = (): DocumentTable<T> => new DocumentTable<T>(name, this.#disk(), 0);
    const refuse = (): never => this.#refuse();
    return {
      get: (key) => fresh().get(key),
      put: refuse,
      delete: refuse,
      due: (now, limit) => fresh().due(now, limit),
      nextDue: () => fresh().nextDue(),
      count: () => fresh().count(),
      scan: (prefix, limit) => fresh().scan(prefix, limit),
    };
  }

  dirty(): boolean {
    return false;
  }

  commit(): CommitResult {
    return { ok: true };
  }

  getMeta(key: string): string | undefined {
    const value = this.#open().prepare('SELECT value FROM meta WHERE key = ?').get(key)?.['value'];
    return typeof value === 'string' ? value : undefined;
  }

  setMeta(): void {
    this.#refuse();
  }

  close(): void {
    this.#database?.close();
    this.#database = null;
  }

  /** A document that can't be read is left out; the daemon puts it aside and says so. */
  #disk(): Disk {
    return {
      read: (table, answers, look) => {
        const database = this.#open();
        try {
          return documentTables(database).includes(table) ? look(database) : answers.absent;
        } catch (cause) {
          const failure = failureOf(cause);
          throw new TocsinError(failure.code, `${this.#path} can't be read: ${failure.message}`, { cause });
        }
      },
      onBadDocument: () => {},
      onUnsavable: () => {},
    };
  }

  #open(): Database {
    if (this.#database !== null) return this.#database;
    throw new TocsinError('E_STATE_CLOSED', `${this.#path} was closed`);
  }

  #refuse(): never {
    throw new TocsinError('E_STATE_READ_ONLY', `${this.#path} is open for reading only`);
  }
}
