/**
 * Opens files and names the folders where their older generations may lie. Takes paths; gives descriptors that whoever asks must
 * close. Blocks on a local disk only, where it is quicker than to wait.
 */
import { realpathSync } from 'node:fs';
import { posix } from 'node:path';
import {
  closeQuietly,
  type DiskFault,
  faultOf,
  fstatLater,
  fstatNow,
  isFault,
  openLater,
  openNow,
  type RawPath,
} from './disk.ts';
import type { OpenFile } from './streams.ts';

/** What an open file shows. */
export function fstatOf(fd: number, remote: boolean): ReturnType<typeof fstatLater> {
  return remote ? fstatLater(fd) : Promise.resolve(fstatNow(fd));
}

/** Opens a regular file for reading, or says why not; `ENOENT` too where it is something else by now. */
export async function openFile(path: string, raw: RawPath, remote: boolean): Promise<OpenFile | DiskFault> {
  let fd: number;
  try {
    fd = remote ? await openLater(raw) : openNow(raw);
  } catch (error) {
    return faultOf(error);
  }
  const stat = await fstatOf(fd, remote);
  if (isFault(stat) || !stat.isFile()) {
    closeQuietly(fd);
    return { code: isFault(stat) ? stat.code : 'ENOENT' };
  }
  return { fd, stat, path, remote };
}

/** The folders where rotated files of a path may lie: its own, and the one of a link's target. */
export function foldersOf(path: string): string[] {
  const dirs = [posix.dirname(path)];
  try {
    const real = posix.dirname(realpathSync(path));
    if (!dirs.includes(real)) dirs.push(real);
  } catch {
    // A dangling link, or nothing there.
  }
  return dirs;
}

/** The names that rotated files of a path are named after: its own, and that of a link's target. */
export function basesOf(path: string): string[] {
  const bases = [posix.basename(path)];
  try {
    const real = posix.basename(realpathSync(path));
    if (!bases.includes(real)) bases.push(real);
  } catch {
    // A dangling link, or nothing there.
  }
  return bases;
}
