/**
 * The few questions that a tailer asks the disk. On a local file system they are asked at once, which costs 2 us instead of
 * 25; on a network one (it can hang for minutes) they are asked without blocking the process. Knows nothing of streams.
 */
import {
  type BigIntStats,
  closeSync,
  constants,
  type Dirent,
  fstat,
  fstatSync,
  open,
  openSync,
  read,
  readdirSync,
  readSync,
  statSync,
} from 'node:fs';
import { readdir, stat, statfs } from 'node:fs/promises';
import { constants as system } from 'node:os';
import { askRemote } from './remote.ts';

/** How a file is named to the system: bytes where the name is not UTF-8. */
export type RawPath = string | Buffer;

/** A refusal of the system: `ENOENT`, `EACCES`, ... */
export interface DiskFault {
  readonly code: string;
}
export type Asked<T> = T | DiskFault;

export function isFault<T extends object>(answer: T | DiskFault): answer is DiskFault {
  return 'code' in answer && typeof answer.code === 'string';
}

/** File systems that answer over a network or from another process: linux/magic.h. */
const remoteTypes = new Set([
  0x6969, // nfs
  0x517b, // smb
  0xfe534d42, // smb2
  0xff534d42, // cifs
  0x65735546, // fuse
  0x00c36400, // ceph
  0x01021997, // 9p
  0x5346414f, // afs
  0x0187, // autofs
  0x0bd00bd0, // lustre
]);
/** File systems that answer at once, but may be changed from behind without an event. */
const silentTypes = new Set([
  0x794c7630, // overlayfs
  0x786f4256, // vboxsf
  0xf15f, // ecryptfs
]);

/**
 * How a file system behaves. `plain`: answers at once and tells of each change. `silent`: answers at once, tells of some
 * changes only. `remote`: it may hang, and its events do not count.
 */
export type Mount = 'plain' | 'silent' | 'remote';

/** The kind of file system a folder lies on. An unknown one counts as remote: slower, and always right. */
export async function mountOf(dir: string): Promise<Mount> {
  try {
    const { type } = await askRemote(() => statfs(dir));
    return remoteTypes.has(type) ? 'remote' : silentTypes.has(type) ? 'silent' : 'plain';
  } catch {
    return 'remote';
  }
}

/** Follows links. */
export function statNow(path: RawPath): Asked<BigIntStats> {
  try {
    return statSync(path, { bigint: true, throwIfNoEntry: false }) ?? { code: 'ENOENT' };
  } catch (error) {
    return faultOf(error);
  }
}

export async function statLater(path: RawPath): Promise<Asked<BigIntStats>> {
  try {
    return await askRemote(() => stat(path, { bigint: true }));
  } catch (error) {
    return faultOf(error);
  }
}

export function fstatNow(fd: number): Asked<BigIntStats> {
  try {
    return fstatSync(fd, { bigint: true });
  } catch (error) {
    return faultOf(error);
  }
}

export function fstatLater(fd: number): Promise<Asked<BigIntStats>> {
  return askFile(
    fd,
    () =>
      new Promise((resolve) => {
        fstat(fd, { bigint: true }, (error, stats) => resolve(error ? faultOf(error) : stats));
      }),
  );
}

// Without O_NONBLOCK the open of a pipe that nobody writes to would block a thread for ever.
const readFlags = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY;

/** Descriptors of files on mounts that may hang. */
const remoteFiles = new Set<number>();

/** Opens for reading and never blocks, not even on a pipe. Throws as the system does. */
export function openNow(path: RawPath): number {
  return openSync(path, readFlags);
}

/** As `openNow` on a mount that may hang; so may whatever is asked of the descriptor from then on. */
export function openLater(path: RawPath): Promise<number> {
  return askRemote(
    () =>
      new Promise((resolve, reject) => {
        open(path, readFlags, (error, fd) => {
          if (error) reject(error);
          else resolve(fd);
          if (!error) remoteFiles.add(fd);
        });
      }),
  );
}

function askFile<T>(fd: number, ask: () => Promise<T>): Promise<T> {
  return remoteFiles.has(fd) ? askRemote(ask) : ask();
}

export function closeQuietly(fd: number): void {
  remoteFiles.delete(fd);
  try {
    closeSync(fd);
  } catch {
    // EIO of a dead mount at close: nothing was written through it.
  }
}

/**
 * So much of a local file is read at once: what was just written is in memory still, and to have a thread ask for it costs ten times
 * the reading.
 */
const readNowBytesMax = 32 * 1024;

function isReadNow(fd: number, length: number): boolean {
  return length <= readNowBytesMax && !remoteFiles.has(fd);
}

/** Fills `target` from `at` on with bytes of `position` on; fewer than asked is the end of the file. */
export async function readAt(
  fd: number,
  target: Buffer,
  at: number,
  length: number,
  position: number,
): Promise<number> {
  if (isReadNow(fd, length)) return readSync(fd, target, at, length, position);
  return askFile(
    fd,
    () =>
      new Promise((resolve, reject) => {
        read(fd, target, at, length, position, (error, bytes) => (error ? reject(error) : resolve(bytes)));
      }),
  );
}

/** Bytes were read in this turn of the event loop; resolves with the next one. */
let readThisTurn: Promise<void> | null = null;

/**
 * As `readAt`, one in a turn of the event loop. A read that is done at once never leaves it: without this, a file whose bytes take their
 * time to match, or many small ones, would keep deliveries, signals and timers waiting until all of it was read.
 */
export async function readInTurn(...asked: Parameters<typeof readAt>): Promise<number> {
  const [fd, , , length] = asked;
  const now = isReadNow(fd, length);
  while (now && readThisTurn !== null) await readThisTurn;
  if (now) endTurn();
  const bytes = await readAt(...asked);
  if (!now) endTurn();
  return bytes;
}

function endTurn(): void {
  readThisTurn ??= new Promise((resolve) => {
    setImmediate(() => {
      readThisTurn = null;
      resolve();
    });
  });
}

/** One name in a folder. */
export interface Name {
  readonly text: string;
  /** What to append to the folder for the system: differs from `text` where the name is not UTF-8. */
  readonly raw: RawPath;
  readonly kind: 'file' | 'folder' | 'link' | 'other';
}

export function listNow(dir: string): Asked<Name[]> {
  try {
    const names = readdirSync(dir, { withFileTypes: true });
    if (!names.some((name) => name.name.includes('\ufffd'))) return names.map(toName);
    return readdirSync(dir, { withFileTypes: true, encoding: 'buffer' }).map(bytesToName);
  } catch (error) {
    return faultOf(error);
  }
}

export async function listLater(dir: string): Promise<Asked<Name[]>> {
  try {
    const names = await askRemote(() => readdir(dir, { withFileTypes: true }));
    if (!names.some((name) => name.name.includes('\ufffd'))) return names.map(toName);
    const raw = await askRemote(() => readdir(dir, { withFileTypes: true, encoding: 'buffer' }));
    return raw.map(bytesToName);
  } catch (error) {
    return faultOf(error);
  }
}

/** The names in a folder as text, in the order of the disk, and nothing more. */
export function namesNow(dir: string): Asked<string[]> {
  try {
    return readdirSync(dir);
  } catch (error) {
    return faultOf(error);
  }
}

export async function namesLater(dir: string): Promise<Asked<string[]>> {
  try {
    return await askRemote(() => readdir(dir));
  } catch (error) {
    return faultOf(error);
  }
}

/** The whole path of a name, as the system wants it. */
export function rawPath(dir: string, name: RawPath): RawPath {
  const prefix = dir.endsWith('/') ? dir : `${dir}/`;
  return typeof name === 'string' ? prefix + name : Buffer.concat([Buffer.from(prefix), name]);
}

export function faultOf(error: unknown): DiskFault {
  // libuv has no name for what a network file system says of a file that its server has forgotten.
  if (error instanceof Error && 'errno' in error && error.errno === -system.errno.ESTALE)
    return { code: 'ESTALE' };
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return { code: typeof code === 'string' ? code : 'EUNKNOWN' };
}

function toName(entry: Dirent): Name {
  return { text: entry.name, raw: entry.name, kind: kindOf(entry) };
}

function bytesToName(entry: Dirent<Buffer>): Name {
  const text = entry.name.toString('utf8');
  const raw = Buffer.from(text, 'utf8').equals(entry.name) ? text : entry.name;
  return { text, raw, kind: kindOf(entry) };
}

function kindOf(entry: {
  isFile(): boolean;
  isDirectory(): boolean;
  isSymbolicLink(): boolean;
}): Name['kind'] {
  if (entry.isFile()) return 'file';
  if (entry.isDirectory()) return 'folder';
  return entry.isSymbolicLink() ? 'link' : 'other';
}

/** What a refusal means to a person. */
export function explain(code: string): string {
  switch (code) {
    case 'EACCES':
    case 'EPERM':
      return `not allowed to read it (${code}); it is tried again, and begins when the right is given`;
    case 'ELOOP':
      return 'a loop of symbolic links (ELOOP)';
    case 'EISDIR':
      return 'it is a folder; write a glob such as folder/*.log';
    case 'ESTALE':
    case 'EIO':
      return `the disk or the mount answers ${code}; it is tried again`;
    default:
      return `${code}; it is tried again`;
  }
}
