/**
 * The files of a configuration: the real ones, and a copy held in memory (the last good one). Refuses what is no plain
 * text file before it reads a byte of it: folders, pipes, devices, files over the limit. Gives text or a problem's facts;
 * never throws, never blocks on a pipe.
 */
import { isUtf8 } from 'node:buffer';
import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readdirSync,
  readSync,
  realpathSync,
  statSync,
} from 'node:fs';
import { sep } from 'node:path';
import type { ProblemCode } from '../model/problem.ts';
import { expandGlob, type FolderEntry } from './glob.ts';

/** A file of configuration is small: 16 MB of YAML were seen to abort the process. */
export const fileBytesMax = 256 * 1024;
/** All files of one configuration together. */
export const allBytesMax = 1024 * 1024;
export const filesMax = 500;
/** A token or a URL; what is larger is the wrong file. */
export const secretBytesMax = 64 * 1024;

export type ReadResult =
  | { readonly ok: true; readonly text: string }
  | {
      readonly ok: false;
      readonly code: ProblemCode;
      readonly message: string;
      readonly hint: string | null;
      /** The line of the file that is meant, from 1; absent where it is the file as a whole. */
      readonly line?: number;
    };

/** Where configuration is read from. Paths are absolute. */
export interface ConfigFiles {
  /** A text file. With `within`, its real path must lie below that folder (links are followed). */
  read(path: string, within?: string | null): ReadResult;
  /** The file of a secret; it is kept in no copy. */
  readSecret(path: string): ReadResult;
  /** Paths that an absolute glob stands for, sorted; at most one more than `filesMax`. A plain path stands for itself where it exists. */
  glob(pattern: string): readonly string[];
}

/** The files of this machine. */
export const diskFiles: ConfigFiles = {
  read: (path, within = null) => readFile(path, fileBytesMax, within),
  readSecret: (path) => readFile(path, secretBytesMax, null),
  glob: (pattern) => expandGlob(pattern, listFolder, filesMax + 1),
};

/** A copy held in memory, path -> text. Secrets still come from where they are. */
export function keptFiles(files: ReadonlyMap<string, string>, secrets: ConfigFiles = diskFiles): ConfigFiles {
  const folders = new Map<string, Map<string, boolean>>();
  for (const path of files.keys()) {
    const parts = path.split('/');
    for (let at = parts.length - 1; at > 0; at--) {
      const folder = parts.slice(0, at).join('/') || '/';
      const names = folders.get(folder) ?? new Map<string, boolean>();
      names.set(parts[at] ?? '', at < parts.length - 1);
      folders.set(folder, names);
    }
  }
  const list = (path: string): FolderEntry[] =>
    [...(folders.get(path) ?? [])].map(([name, folder]) => ({ name, folder }));
  return {
    read(path) {
      const text = files.get(path);
      if (text !== undefined) return { ok: true, text };
      return { ok: false, code: 'E_FILE_MISSING', message: `${path} is not in the saved copy`, hint: null };
    },
    readSecret: (path) => secrets.readSecret(path),
    glob: (pattern) => expandGlob(pattern, list, filesMax + 1),
  };
}

function listFolder(path: string): FolderEntry[] {
  try {
    return readdirSync(path, { withFileTypes: true }).map((entry) => ({
      name: entry.name,
      folder: entry.isDirectory() || (entry.isSymbolicLink() && isFolder(`${path}/${entry.name}`)),
    }));
  } catch {
    // No such folder, or one that may not be read: nothing is found there, and whoever asked says so.
    return [];
  }
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

function refused(code: ProblemCode, message: string, hint: string | null, line?: number): ReadResult {
  return { ok: false, code, message, hint, ...(line === undefined ? {} : { line }) };
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  ENOTDIR: 'a part of the path is no folder',
  EACCES: 'this user may not read it',
  EPERM: 'this user may not read it',
  ELOOP: 'its links go round in a circle',
  ENAMETOOLONG: 'the path is too long',
  EMFILE: 'too many files are open',
};

const notAFile = 'name a file, or a glob such as rules/*.yaml';
const missingHints: Readonly<Record<string, string>> = {
  ENOENT: 'correct the path, or write the file',
  ENOTDIR: 'correct the path, or write the file',
  EACCES: 'give the user that runs this the right to read the file and to enter its folders',
  EPERM: 'give the user that runs this the right to read the file and to enter its folders',
};

function readFile(path: string, bytesMax: number, within: string | null): ReadResult {
  let fd: number | null = null;
  try {
    if (within !== null && !liesWithin(path, within)) {
      return refused(
        'E_PATH',
        `${path} is a link that leads out of ${within}`,
        'name the file by its absolute path, or move it',
      );
    }
    // Looked at before it is opened: to open a device can have effects. The open itself must not wait for a pipe's writer.
    const kind = kindOf(statSync(path));
    if (kind !== null) return refused('E_FILE_TYPE', `${path} is ${kind}, not a file`, notAFile);
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const facts = fstatSync(fd);
    const opened = kindOf(facts);
    if (opened !== null) return refused('E_FILE_TYPE', `${path} is ${opened}, not a file`, notAFile);
    if (facts.size > bytesMax) return tooLarge(path, facts.size, bytesMax);
    return decode(path, readAll(fd, bytesMax + 1), bytesMax);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? '';
    const why = reasons[code] ?? (error instanceof Error ? error.message : String(error));
    return refused('E_FILE_MISSING', `can't read ${path}: ${why}`, missingHints[code] ?? null);
  } finally {
    if (fd !== null) closeSync(fd);
  }
}

function liesWithin(path: string, folder: string): boolean {
  const real = realpathSync(path);
  const root = realpathSync(folder);
  return real === root || real.startsWith(root.endsWith(sep) ? root : root + sep);
}

function kindOf(facts: ReturnType<typeof statSync>): string | null {
  if (!facts || facts.isFile()) return null;
  if (facts.isDirectory()) return 'a folder';
  if (facts.isFIFO()) return 'a pipe';
  return facts.isSocket() ? 'a socket' : 'a device';
}

function tooLarge(path: string, bytes: number, bytesMax: number): ReadResult {
  return refused(
    'E_FILE_SIZE',
    `${path} has ${bytes} bytes, the most is ${bytesMax}`,
    'split it into several files',
  );
}

/** The file may grow while it is read: the cap holds for what came. */
function readAll(fd: number, cap: number): Buffer {
  const buffer = Buffer.allocUnsafe(cap);
  let length = 0;
  while (length < cap) {
    const read = readSync(fd, buffer, length, cap - length, null);
    if (read === 0) break;
    length += read;
  }
  return buffer.subarray(0, length);
}

function decode(path: string, bytes: Buffer, bytesMax: number): ReadResult {
  if (bytes.length > bytesMax) return tooLarge(path, bytes.length, bytesMax);
  if ((bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff)) {
    return refused('E_FILE_ENCODING', `${path} is UTF-16`, 'save it as UTF-8');
  }
  if (!isUtf8(bytes)) {
    const offset = firstInvalid(bytes);
    const shown = (bytes[offset] ?? 0).toString(16).padStart(2, '0');
    const line = bytes.subarray(0, offset).toString('latin1').split('\n').length;
    const message = `${path} is not UTF-8: byte 0x${shown} in line ${line}`;
    return refused('E_FILE_ENCODING', message, 'save it as UTF-8', line);
  }
  const text = bytes.toString('utf8').replace(/^\ufeff/, '');
  const nul = text.indexOf('\0');
  if (nul !== -1) {
    const line = text.slice(0, nul).split('\n').length;
    const message = `${path} holds a NUL character in line ${line}`;
    const hint = 'this is no text file, or it was not written to its end';
    return refused('E_FILE_ENCODING', message, hint, line);
  }
  return { ok: true, text };
}

/** Index of the first byte that can't belong to UTF-8: the longest valid head, found by halving. */
function firstInvalid(bytes: Buffer): number {
  let low = 0;
  let high = bytes.length;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    const head = bytes.subarray(0, middle);
    // A head may end inside a character: up to three bytes are left off.
    const valid = [0, 1, 2, 3].some(
      (cut) => isUtf8(head.subarray(0, Math.max(0, middle - cut))) && tailMayGoOn(head, cut),
    );
    if (valid) low = middle;
    else high = middle - 1;
  }
  return Math.min(low, bytes.length - 1);
}

function tailMayGoOn(head: Buffer, cut: number): boolean {
  if (cut === 0) return true;
  const lead = head[head.length - cut] ?? 0;
  const needs = lead > 0xf4 ? 0 : lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc2 ? 2 : 0;
  return needs > cut;
}
