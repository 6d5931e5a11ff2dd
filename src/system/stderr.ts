/**
 * Writes text to standard error and never waits, throws or stops: who reads it may be slow, stuck or gone. What can't be
 * written at once is dropped, counted, and told with the next text that gets through.
 */
import { closeSync, constants, fstatSync, openSync, writeSync } from 'node:fs';

/** What is kept of a text that was written half; with more waiting, new texts are dropped. */
const pendingBytesMax = 64 * 1024;

/** Gives a writer to `descriptor` (2 is standard error). */
export function descriptorWriter(descriptor: number): (text: string) => void {
  const target = unblocked(descriptor);
  let rest: Buffer = Buffer.alloc(0);
  let dropped = 0;
  return (text) => {
    let bytes = Buffer.from(text);
    if (dropped > 0)
      bytes = Buffer.concat([Buffer.from(`(${dropped} log lines dropped: nobody read)\n`), bytes]);
    const all = rest.length > 0 ? Buffer.concat([rest, bytes]) : bytes;
    const written = tryWrite(target, all);
    if (written === 0 && rest.length + bytes.length > pendingBytesMax) {
      dropped += 1;
      return;
    }
    if (written < all.length && all.length - written > pendingBytesMax) {
      rest = all.subarray(written, rest.length);
      dropped += 1;
      return;
    }
    rest = all.subarray(written);
    dropped = 0;
  };
}

/** Writes what goes at once; gives how many bytes that were. A broken descriptor takes all: nobody will ever read it. */
function tryWrite(target: number, bytes: Buffer): number {
  let written = 0;
  while (written < bytes.length) {
    try {
      written += writeSync(target, bytes, written);
    } catch (cause) {
      const code = cause instanceof Error && 'code' in cause ? cause.code : '';
      if (code === 'EAGAIN' || code === 'EINTR') return written;
      return bytes.length;
    }
  }
  return written;
}

/**
 * A pipe or terminal opened once more without blocking: the flag belongs to the open file, and ours is shared with whoever
 * started us. Where that is not allowed, or it is a file or socket, the descriptor itself.
 */
function unblocked(descriptor: number): number {
  try {
    const stats = fstatSync(descriptor);
    if (!stats.isFIFO() && !stats.isCharacterDevice()) return descriptor;
    const opened = openSync(
      `/proc/self/fd/${descriptor}`,
      constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY,
    );
    if (fstatSync(opened).ino === stats.ino) return opened;
    closeSync(opened);
  } catch {
    // Not ours to open, or no /proc: then a reader that is stuck may make us wait.
  }
  return descriptor;
}
