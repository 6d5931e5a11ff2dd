/**
 * The end of one file that goes on in the next one: a container runtime rotates wherever its limit is reached, between two parts of a line
 * or two lines of a traceback. What was still open at the end of the old file stands before the first byte of the new one, at offsets below
 * zero, and is saved with the position of the new one, so that the old file is done with. Knows nothing of files.
 */
import type { SavedPosition } from '../model/seams.ts';

/** Bytes that a stream inherits at most: some parts of the longest line, or a long traceback. More is told where it ended. */
const inheritedBytesMax = 512 * 1024;

const lineFeed = 10;

export interface Inherited {
  /**
   * How many bytes there were. Added to a place in the file it is a place in the stream, as the pipeline and the state have it: those count
   * from the first inherited byte, and are never below zero.
   */
  readonly shift: number;
  /** Those of them that may be needed still: the last ones. */
  readonly bytes: Buffer;
}

export const noInheritance: Inherited = { shift: 0, bytes: Buffer.alloc(0) };

/** Whether these bytes can stand before a file's first one: not where their last line has no end. */
export function mayBeInherited(bytes: Buffer): boolean {
  return bytes.length <= inheritedBytesMax && bytes.at(-1) === lineFeed;
}

/** What is not consumed yet where a stream stands at `offset` of its own file. */
export function unreadOf({ bytes }: Inherited, offset: number): Buffer {
  return offset < 0 ? bytes.subarray(Math.max(0, bytes.length + offset)) : noInheritance.bytes;
}

/** As it is saved with the identity of a stream that stands at `offset`. */
export function inheritedRecord(inherited: Inherited, offset: number): Record<string, string | number> {
  if (inherited.shift === 0) return {};
  const unread = unreadOf(inherited, offset);
  return {
    inherited: inherited.shift,
    ...(unread.length > 0 ? { inheritedBytes: unread.toString('base64') } : {}),
  };
}

export function parseInherited(identity: SavedPosition['identity']): Inherited {
  const shift = Number(identity['inherited'] ?? 0);
  if (!Number.isSafeInteger(shift) || shift <= 0) return noInheritance;
  return { shift, bytes: Buffer.from(String(identity['inheritedBytes'] ?? ''), 'base64') };
}
