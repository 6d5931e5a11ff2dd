/**
 * Turns what SQLite and the file system throw into our few words for a sick disk. It decides nothing but the name: who
 * asked decides whether to retry, reopen or set aside.
 */
import type { NoticeCode } from './notice.ts';

export type FailureCode = Extract<
  NoticeCode,
  | 'E_STATE_DISK_FULL'
  | 'E_STATE_READ_ONLY'
  | 'E_STATE_IO'
  | 'E_STATE_BUSY'
  | 'E_STATE_PERM'
  | 'E_STATE_DAMAGED'
>;

export interface Failure {
  readonly code: FailureCode;
  /** The cause as it came, with its own code in front. */
  readonly message: string;
}

const byErrno: Readonly<Record<string, FailureCode>> = {
  ENOSPC: 'E_STATE_DISK_FULL',
  EDQUOT: 'E_STATE_DISK_FULL',
  EFBIG: 'E_STATE_DISK_FULL',
  EROFS: 'E_STATE_READ_ONLY',
  EACCES: 'E_STATE_PERM',
  EPERM: 'E_STATE_PERM',
};

// Longest first where one is a prefix of another. https://www.sqlite.org/rescode.html
const bySqlite: readonly (readonly [prefix: string, code: FailureCode])[] = [
  ['SQLITE_FULL', 'E_STATE_DISK_FULL'],
  // The 32 KiB of the wal-index could not be had: that is what a full disk answers to an open.
  ['SQLITE_IOERR_SHMSIZE', 'E_STATE_DISK_FULL'],
  ['SQLITE_IOERR_CORRUPTFS', 'E_STATE_DAMAGED'],
  ['SQLITE_IOERR', 'E_STATE_IO'],
  ['SQLITE_READONLY', 'E_STATE_READ_ONLY'],
  ['SQLITE_PERM', 'E_STATE_PERM'],
  ['SQLITE_AUTH', 'E_STATE_PERM'],
  ['SQLITE_CORRUPT', 'E_STATE_DAMAGED'],
  ['SQLITE_NOTADB', 'E_STATE_DAMAGED'],
  ['SQLITE_BUSY', 'E_STATE_BUSY'],
  ['SQLITE_LOCKED', 'E_STATE_BUSY'],
];

/** Names a failure. What is not known is `E_STATE_IO`: it is retried on a fresh connection, which is never wrong. */
export function failureOf(cause: unknown): Failure {
  const raw = errorCode(cause);
  const text = cause instanceof Error ? cause.message : String(cause);
  const message = raw === '' || text.startsWith(raw) ? text : `${raw}: ${text}`;
  const errno = byErrno[raw];
  if (errno !== undefined) return { code: errno, message };
  const found = bySqlite.find(([prefix]) => raw.startsWith(prefix));
  return { code: found?.[1] ?? 'E_STATE_IO', message };
}

/** The code of an error of Node or SQLite, or ''. */
export function errorCode(cause: unknown): string {
  if (typeof cause !== 'object' || cause === null || !('code' in cause)) return '';
  return typeof cause.code === 'string' ? cause.code : '';
}
