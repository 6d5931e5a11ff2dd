/**
 * The names in a state directory, and what is done to them as files: looked at without being opened, and set aside as
 * `.bad-<stamp>` with their companions. Knows nothing of what is inside.
 */
import {
  closeSync,
  fsyncSync,
  lstatSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  type Stats,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { TocsinError } from '../model/problem.ts';

export const databaseName = 'tocsin.db';
/** What SQLite keeps beside a database. The order is that of renaming: without its database a `-wal` is never replayed. */
const companions = ['', '-wal', '-shm', '-journal'] as const;
/** Damaged files kept; older ones are removed, so that a sick disk is not filled with them. */
const badKept = 3;

/** What stands at `path`. A link, pipe, socket or device is refused with E_STATE_FILE_TYPE: following one may harm or block. */
export function ordinaryFile(
  path: string,
): { readonly kind: 'file'; readonly stats: Stats } | { readonly kind: 'missing' | 'directory' } {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return { kind: 'missing' };
  if (stats.isFile()) return { kind: 'file', stats };
  if (stats.isDirectory()) return { kind: 'directory' };
  const what = stats.isSymbolicLink() ? 'a symbolic link' : stats.isFIFO() ? 'a named pipe' : 'not a file';
  throw new TocsinError(
    'E_STATE_FILE_TYPE',
    `${path} is ${what}, and the state follows none. Remove it, or change \`state: { dir: ... }\`; nothing was changed`,
  );
}

/** Renames a database and its companions to `<name>.bad-<stamp>`; gives the new path. Throws what the file system says. */
export function setAside(path: string, now: number): string {
  const dir = dirname(path);
  const stamp = stampOf(now);
  let target = `${path}.bad-${stamp}`;
  for (let copy = 2; lstatSync(target, { throwIfNoEntry: false }) !== undefined; copy++)
    target = `${path}.bad-${stamp}-${copy}`;
  for (const companion of companions) {
    if (lstatSync(path + companion, { throwIfNoEntry: false }) === undefined) continue;
    renameSync(path + companion, target + companion);
  }
  syncDirectory(dir);
  removeOldBad(dir, basename(path));
  return target;
}

/** A `-wal` without its database would be replayed into the next one: it goes aside first. Gives its new path, or null. */
export function setAsideOrphans(path: string, now: number): string | null {
  const there = companions.some(
    (companion) => companion !== '' && lstatSync(path + companion, { throwIfNoEntry: false }) !== undefined,
  );
  return there ? setAside(path, now) : null;
}

/** Milliseconds -> `20260105T100000Z`: sorts by time, fit for a file name. */
export function stampOf(now: number): string {
  return `${new Date(now).toISOString().slice(0, 19).replace(/[-:]/g, '')}Z`;
}

/** Makes renames in `dir` durable. */
export function syncDirectory(dir: string): void {
  const handle = openSync(dir, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

function removeOldBad(dir: string, name: string): void {
  const stamps = new Set<string>();
  const bad = readdirSync(dir).filter((file) => file.startsWith(`${name}.bad-`));
  for (const file of bad) stamps.add(file.replace(/-(wal|shm|journal)$/, ''));
  const old = [...stamps].sort().slice(0, -badKept);
  for (const file of bad) {
    if (old.includes(file.replace(/-(wal|shm|journal)$/, '')))
      rmSync(join(dir, file), { recursive: true, force: true });
  }
}
