/**
 * Opens the state database whatever it finds: nothing, a healthy file, an older or newer one, a damaged one, a full or
 * read-only disk. It gives a connection with notices of what it had to do, or throws where only a person can decide.
 * Documents it does not read, except to rescue them from a damaged file.
 */
import { accessSync, chmodSync, constants, readFileSync } from 'node:fs';
import { TocsinError } from '../model/problem.ts';
import { permissionError } from './directory.ts';
import { documentSum } from './document.ts';
import { errorCode, failureOf } from './failure.ts';
import { ordinaryFile, setAside, setAsideOrphans } from './file-names.ts';
import type { Notice } from './notice.ts';
import { salvage } from './salvage.ts';
import {
  createDatabaseFile,
  documentTables,
  migrate,
  readHeader,
  refuseNewer,
  type Schema,
  shapeProblem,
} from './schema.ts';
import { type Database, imageBytesMax, openDatabase, openImage, withoutLog } from './sqlite.ts';

/** A reader (`status`) may hold a checkpoint back this long, no longer. */
const busyMs = 500;
/** Page cache, KiB. Hot documents are cached as objects; this is for index pages. */
const pageCacheKib = 2048;
/** Pages of 4 KiB after which the WAL is written back, and the size it shrinks to after a big commit. */
const walPages = 1000;
const walBytesKept = 8 * 1024 * 1024;
/** Up to this size all of a database is checked at start (about 0.1 s); a larger one is checked where it is read. */
export const verifyBytesMax = 16 * 1024 * 1024;

export interface Opened {
  readonly database: Database;
  /** `normal`; `alone`: opened without shared memory (full disk), no reader may join; `image`: a copy in memory, not writable. */
  readonly mode: 'normal' | 'alone' | 'image';
}

export interface OpenFileOptions {
  readonly path: string;
  readonly schema: Schema;
  readonly now: number;
  /** `full` waits for the disk at each commit; `off` for a temporary state. */
  readonly synchronous: 'full' | 'off';
  readonly notice: (notice: Notice) => void;
}

/** Opens or makes the database. Throws E_STATE_NEWER, E_STATE_FILE_TYPE, E_STATE_PERM, or what a sick disk says. */
export function openFile(options: OpenFileOptions): Opened {
  const { path, now, notice } = options;
  const found = ordinaryFile(path);
  for (const companion of ['-wal', '-shm', '-journal']) {
    if (ordinaryFile(path + companion).kind === 'directory')
      putAside(options, `${path}${companion} is a directory`);
  }
  if (found.kind === 'directory') putAside(options, 'it is a directory');
  if (found.kind !== 'file') return createAndConnect(options);

  const header = headerOf(path);
  if (header.kind === 'damaged') {
    putAside(options, header.reason);
    return createAndConnect(options);
  }
  refuseNewer(path, header.version, options.schema);
  let opened: Opened;
  try {
    opened = connect(options);
  } catch (cause) {
    const failure = failureOf(cause);
    if (failure.code !== 'E_STATE_DAMAGED') throw cause;
    return rescue(options, failure.message);
  }
  const { database } = opened;
  try {
    const version = Number(database.prepare('PRAGMA user_version').get()?.['user_version'] ?? 0);
    refuseNewer(path, version, options.schema);
    if (version < options.schema.version && opened.mode !== 'image') {
      const backup = migrate(database, { path, from: version, schema: options.schema, now });
      const message = `${path} was brought from format ${version} to ${options.schema.version}; the old one is ${backup}`;
      notice({ code: 'STATE_MIGRATED', level: 'info', message, path: backup });
    }
    const problem = damage(database, found.stats.size);
    if (problem === null) return opened;
    database.close();
    return rescue(options, problem);
  } catch (cause) {
    database.close();
    if (!(cause instanceof TocsinError) && failureOf(cause).code === 'E_STATE_DAMAGED')
      return rescue(options, failureOf(cause).message);
    throw cause;
  }
}

/** Sets a damaged database aside, makes a new one and brings over what can still be read. */
export function rescue(options: OpenFileOptions, reason: string): Opened {
  const bad = putAside(options, reason);
  const opened = createAndConnect(options);
  const saved = salvage(bad, opened.database);
  if (saved.kept + saved.lost > 0) {
    const message = `${saved.kept} documents were brought over from ${bad}; at least ${saved.lost} could not be read`;
    options.notice({ code: 'E_STATE_DAMAGED', level: 'warning', message, path: bad });
  }
  return opened;
}

function putAside(options: OpenFileOptions, reason: string): string {
  const bad = setAside(options.path, options.now);
  options.notice({
    code: 'E_STATE_DAMAGED',
    level: 'error',
    message: `${options.path} is damaged (${reason}). It was set aside as ${bad}; a new state begins, alerts go on`,
    path: bad,
  });
  return bad;
}

function headerOf(path: string): ReturnType<typeof readHeader> {
  try {
    accessSync(path, constants.R_OK | constants.W_OK);
  } catch (cause) {
    if (errorCode(cause) === 'EACCES' || errorCode(cause) === 'EPERM') throw permissionError(path, cause);
  }
  try {
    return readHeader(path);
  } catch (cause) {
    if (errorCode(cause) === 'EACCES' || errorCode(cause) === 'EPERM') throw permissionError(path, cause);
    throw cause;
  }
}

function createAndConnect(options: OpenFileOptions): Opened {
  const orphans = setAsideOrphans(options.path, options.now);
  if (orphans !== null) {
    const message = `a log of ${options.path} was found without its database and set aside as ${orphans}`;
    options.notice({ code: 'E_STATE_DAMAGED', level: 'warning', message, path: orphans });
  }
  createDatabaseFile(options.path, options.schema);
  return connect(options);
}

/** A connection to a file that is there: the usual one, else alone (that needs no shared memory), else a copy in memory. */
function connect(options: OpenFileOptions): Opened {
  try {
    chmodSync(options.path, 0o600);
  } catch {
    // Not ours or read-only: what matters is whether it can be opened.
  }
  try {
    return { database: configured(options, ''), mode: 'normal' };
  } catch (cause) {
    const code = failureOf(cause).code;
    if (code === 'E_STATE_DAMAGED' || code === 'E_STATE_BUSY') throw cause;
    try {
      return { database: configured(options, 'PRAGMA locking_mode=EXCLUSIVE;'), mode: 'alone' };
    } catch {
      return { database: imageOf(options.path, cause), mode: 'image' };
    }
  }
}

function configured(options: OpenFileOptions, first: string): Database {
  const database = openDatabase(options.path, { readOnly: false, busyMs });
  try {
    database.exec(
      `${first} PRAGMA journal_mode=WAL; PRAGMA synchronous=${options.synchronous};` +
        `PRAGMA cache_size=-${pageCacheKib}; PRAGMA temp_store=MEMORY; PRAGMA mmap_size=0;` +
        `PRAGMA wal_autocheckpoint=${walPages}; PRAGMA journal_size_limit=${walBytesKept};`,
    );
    database.prepare('SELECT count(*) AS tables FROM sqlite_master').get();
    return database;
  } catch (cause) {
    database.close();
    throw cause;
  }
}

/** The file's own bytes without its WAL, read into memory; `why` is thrown on where that can't be done. */
export function imageOf(path: string, why: unknown): Database {
  const found = ordinaryFile(path);
  if (found.kind !== 'file' || found.stats.size > imageBytesMax) throw why;
  try {
    return openImage(withoutLog(readFileSync(path)));
  } catch {
    throw why;
  }
}

/** What is wrong with a database, or null. Every document's checksum is looked at by `read`, later; this is about the pages. */
function damage(database: Database, bytes: number): string | null {
  const shape = shapeProblem(database);
  if (shape !== null) return shape;
  if (bytes > verifyBytesMax) return null;
  const found = String(
    Object.values(database.prepare('PRAGMA integrity_check(1)').get() ?? {})[0] ?? 'no answer',
  );
  return found === 'ok' ? null : found.replace(/\s+/g, ' ');
}

/** Documents whose checksum is wrong, by table; at most `limit`. For a database small enough to be read whole. */
export function badDocuments(database: Database, limit: number): readonly { table: string; key: string }[] {
  const bad: { table: string; key: string }[] = [];
  for (const table of documentTables(database)) {
    const page = database.prepare(
      `SELECT rowid AS row, key, due, doc, sum FROM "${table}" WHERE rowid > ? ORDER BY rowid LIMIT 256`,
    );
    let last = -1;
    for (;;) {
      const rows = page.all(last);
      const end = Number(rows.at(-1)?.['row'] ?? last);
      for (const { key, due, doc, sum } of rows) {
        const good = typeof doc === 'string' && documentSum(String(key), due as number | null, doc) === sum;
        if (!good && bad.length < limit) bad.push({ table, key: String(key) });
      }
      // None left, or a damaged tree that leads in a circle.
      if (end <= last) break;
      last = end;
    }
  }
  return bad;
}
