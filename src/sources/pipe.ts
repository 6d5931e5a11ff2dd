/**
 * Opens a named pipe for reading without waiting for a writer, and survives the writers that come and go. Gives a readable
 * that ends when it is destroyed (or, where writing to the pipe is not allowed, with its last writer).
 */
import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import type { RawPath } from './disk.ts';

const readFlags = constants.O_RDONLY | constants.O_NONBLOCK;

/** Throws as the system does; `null` when it is not a pipe any more. */
export function openPipe(path: RawPath, how: 'for-ever' | 'to-its-end'): Readable | null {
  // Open for both, it always has a writer: no end comes between one writer and the next.
  const fd = how === 'for-ever' ? openBoth(path) : openSync(path, readFlags);
  if (!fstatSync(fd).isFIFO()) {
    closeSync(fd);
    return null;
  }
  return new Socket({ fd, readable: true, writable: false });
}

function openBoth(path: RawPath): number {
  try {
    return openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  } catch {
    // Not allowed to write to it: then it ends with its last writer, and is opened again.
    return openSync(path, readFlags);
  }
}
