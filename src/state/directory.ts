/**
 * The state directory itself: that it is there, ours, private, and on a local disk. It makes it where it is missing and
 * explains in one error why it can't be used. It looks at no database.
 */
import { accessSync, constants, mkdirSync, readFileSync, realpathSync, statfsSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { TocsinError } from '../model/problem.ts';
import { errorCode } from './failure.ts';

const privateMode = 0o700;

// Magic numbers of statfs(2), as in linux/magic.h. Their locks or their shared memory can't be trusted by WAL.
const networkTypes: ReadonlyMap<number, string> = new Map([
  [0x6969, 'nfs'],
  [0x517b, 'smb'],
  [0xff534d42, 'cifs'],
  [0xfe534d42, 'smb2'],
  [0x01021997, '9p'],
  [0x5346414f, 'afs'],
  [0x73757245, 'coda'],
  [0x564c, 'ncp'],
  [0x00c36400, 'ceph'],
  [0x0bd00bd0, 'lustre'],
  [0x19830326, 'beegfs'],
  [0x47504653, 'gpfs'],
  [0x01161970, 'gfs2'],
  [0x7461636f, 'ocfs2'],
]);
const fuseType = 0x65735546;
/** FUSE carries local and remote ones alike; the mount table tells them apart by these words. */
const networkFuse =
  /sshfs|s3|goofys|gcsfuse|blobfuse|rclone|gluster|ceph|davfs|curlftpfs|juicefs|nfs|smb|cifs|hdfs|moosefs|seaweed/i;

/**
 * Makes sure `dir` can hold the state; gives its real path. Throws E_STATE_DIR (no parent, not a directory), E_STATE_PERM
 * (with path, uid, mode), E_STATE_NETWORK_FS. A full or read-only disk throws what Node says: the caller may go on in memory.
 */
export function prepareDirectory(dir: string): string {
  const path = resolve(dir);
  try {
    const found = statSync(path, { throwIfNoEntry: false });
    if (found === undefined) mkdirSync(path, { mode: privateMode });
    else if (!found.isDirectory())
      throw new TocsinError('E_STATE_DIR', `${path} is not a directory. Give \`state: { dir: ... }\` one`);
    checkAccess(path);
  } catch (cause) {
    if (cause instanceof TocsinError) throw cause;
    throw directoryError(path, cause);
  }
  const real = realpathSync(path);
  refuseNetwork(real);
  return real;
}

/** Whether we may work there. A read-only disk is no matter of permissions: its state is read and kept in memory. */
function checkAccess(path: string): void {
  try {
    accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (cause) {
    if (errorCode(cause) !== 'EROFS') throw cause;
  }
}

function directoryError(path: string, cause: unknown): unknown {
  const code = errorCode(cause);
  if (code === 'ENOENT')
    return new TocsinError(
      'E_STATE_DIR',
      `the folder above ${path} is missing: ${dirname(path)}. Make it, or change \`state: { dir: ... }\``,
      { cause },
    );
  if (code === 'ENOTDIR' || code === 'ELOOP' || code === 'EEXIST')
    return new TocsinError(
      'E_STATE_DIR',
      `${path} can't be a directory (${code}). Change \`state: { dir: ... }\``,
      {
        cause,
      },
    );
  if (code === 'EACCES' || code === 'EPERM') return permissionError(path, cause);
  return cause;
}

/** Who may not do what with which mode, and the line that mends it. */
export function permissionError(path: string, cause: unknown): TocsinError {
  const uid = process.geteuid?.() ?? -1;
  const seen = nearest(path);
  return new TocsinError(
    'E_STATE_PERM',
    `${path} can't be used: ${errorCode(cause)} path=${seen.path} uid=${uid} owner=${seen.owner} mode=${seen.mode}. ` +
      `Run \`chown ${uid} ${seen.path}\` (the state needs read and write), or change \`state: { dir: ... }\``,
    { cause },
  );
}

/** The path, or the first one above it that can be looked at. */
function nearest(path: string): { path: string; owner: string; mode: string } {
  for (let at = path; ; at = dirname(at)) {
    try {
      const found = statSync(at);
      return { path: at, owner: String(found.uid), mode: (found.mode & 0o7777).toString(8).padStart(4, '0') };
    } catch {
      if (dirname(at) === at) return { path: at, owner: 'unknown', mode: 'unknown' };
    }
  }
}

function refuseNetwork(path: string): void {
  const name = networkFileSystem(statfsSync(path).type, () => fuseSubtype(path));
  if (name === null) return;
  throw new TocsinError(
    'E_STATE_NETWORK_FS',
    `${path} is on a network file system (${name}), where locks can't be relied on. Put \`state: { dir: ... }\` on a local disk`,
  );
}

/** The name of a network file system by its statfs type (and, for FUSE, the word of the mount table), or null for a local one. */
export function networkFileSystem(type: number, fuse: () => string | null): string | null {
  // 32-bit magics with the top bit set may arrive negative.
  const magic = type >>> 0;
  const name = networkTypes.get(magic);
  if (name !== undefined) return name;
  if (magic !== fuseType) return null;
  const subtype = fuse();
  return subtype !== null && networkFuse.test(subtype) ? subtype : null;
}

/** Type and origin of the mount that holds `path`, like `fuse.sshfs host:/x`, or null. */
function fuseSubtype(path: string): string | null {
  try {
    return mountOf(readFileSync('/proc/self/mountinfo', 'utf8'), path);
  } catch {
    return null;
  }
}

/** Reads a mount table (proc(5), mountinfo): type and origin of the last, longest mount above `path`. */
export function mountOf(mountinfo: string, path: string): string | null {
  let best: { point: string; text: string } | null = null;
  for (const line of mountinfo.split('\n')) {
    const [left, right] = line.split(' - ');
    const point = left
      ?.split(' ')[4]
      ?.replace(/\\(\d{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
    if (point === undefined || right === undefined) continue;
    const holds = path === point || path.startsWith(point.endsWith('/') ? point : `${point}/`);
    if (!holds || (best !== null && point.length < best.point.length)) continue;
    best = { point, text: right.split(' ').slice(0, 2).join(' ') };
  }
  return best?.text ?? null;
}
