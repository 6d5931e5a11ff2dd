/**
 * One daemon per state directory. The lock is SQLite's own on an empty database file held open, so the kernel frees it
 * however the process dies, and a stale one can't exist. Who holds it stands in a file beside it, for the message only.
 * Nothing else in this process may open the lock's file: closing any descriptor of it would free the lock (POSIX).
 */
import { accessSync, constants, lstatSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { TocsinError } from '../model/problem.ts';
import { errorCode } from './failure.ts';
import { type Database, openDatabase } from './sqlite.ts';

const lockFile = 'lock';
const holderFile = 'lock.json';
/** The holder's note is some 60 bytes. */
const holderBytesMax = 4096;

export interface Lock {
  release(): void;
}

/**
 * Takes the lock of `dir`, or throws E_STATE_LOCKED with the pid that holds it. `now` is ms, for the note. A disk that is
 * full or read-only throws what SQLite or Node say; the caller goes on without a lock and says so.
 */
export function lockDirectory(dir: string, now: number): Lock {
  const path = join(dir, lockFile);
  refuseSpecial(path);
  refuseSpecial(join(dir, holderFile));
  // On a read-only disk SQLite would open the file for reading and hold no lock at all.
  accessSync(dir, constants.W_OK);
  let database: Database | null = null;
  try {
    database = openDatabase(path, { readOnly: false, busyMs: 0 });
    // No journal file: nothing is ever written into this database.
    database.exec('PRAGMA journal_mode=MEMORY; PRAGMA locking_mode=EXCLUSIVE; BEGIN EXCLUSIVE');
  } catch (cause) {
    database?.close();
    if (errorCode(cause).startsWith('SQLITE_BUSY')) throw lockedError(dir);
    throw cause;
  }
  writeHolder(dir, now);
  return {
    release: () => {
      database?.close();
      database = null;
    },
  };
}

/** A lock file may be an ordinary file or not there; anything else is somebody's trick or mistake. */
function refuseSpecial(path: string): void {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined || found.isFile()) return;
  throw new TocsinError(
    'E_STATE_FILE_TYPE',
    `${path} is not an ordinary file. Remove it; nothing was changed`,
  );
}

function writeHolder(dir: string, now: number): void {
  const note = { pid: process.pid, startedAt: new Date(now).toISOString() };
  try {
    writeFileSync(join(dir, holderFile), `${JSON.stringify(note)}\n`, { mode: 0o600 });
  } catch {
    // The lock holds without the note: a second daemon then can't name the pid, no more.
  }
}

function lockedError(dir: string): TocsinError {
  const holder = readHolder(dir);
  const who = holder === null ? 'pid=unknown' : `pid=${holder.pid}, started ${holder.startedAt}`;
  return new TocsinError(
    'E_STATE_LOCKED',
    `${dir} belongs to a running daemon (${who}). Stop it first, or give this one its own \`state: { dir: ... }\``,
  );
}

/** Who wrote the note last: the holder, as long as the lock is held. Null where it can't be told. */
export function readHolder(dir: string): { readonly pid: number; readonly startedAt: string } | null {
  try {
    const path = join(dir, holderFile);
    if (!lstatSync(path).isFile()) return null;
    const text = readFileSync(path, 'utf8').slice(0, holderBytesMax);
    const note: unknown = JSON.parse(text);
    if (typeof note !== 'object' || note === null || !('pid' in note) || !('startedAt' in note)) return null;
    if (typeof note.pid !== 'number' || typeof note.startedAt !== 'string') return null;
    return { pid: note.pid, startedAt: note.startedAt };
  } catch {
    return null;
  }
}
