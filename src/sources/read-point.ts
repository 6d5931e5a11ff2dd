/**
 * Where the next read of a stream begins, and the bytes before it. Each read begins a little before that place, so that it shows whether
 * the same bytes are still there. Takes a medium and a buffer; tells what became of the bytes before. Hands nothing on.
 */
import { markerBytesMax } from './identity.ts';
import type { Medium } from './medium.ts';
import { headroomBytes } from './read-buffers.ts';

/** Where a stream is taken up in its middle, so much before it is read again: the first records want the lines before them. */
const leadBytes = 8 * 1024;

/** A read that is under way. */
export interface Asked {
  readonly bytes: Promise<number>;
  readonly overlap: number;
  readonly length: number;
}

export class ReadPoint {
  #position: number;
  #recent: Buffer;
  /** The bytes before the first read were shown. */
  #led = false;

  /** `before`: the bytes before the position, 256 of them at most. */
  constructor(position: number, before: Buffer) {
    this.#position = position;
    this.#recent = lastOf(before);
  }

  get position(): number {
    return this.#position;
  }

  /** The bytes before the position. */
  get before(): Buffer {
    return this.#recent;
  }

  move(position: number, before: Buffer): void {
    this.#position = position;
    this.#recent = lastOf(before);
  }

  /** Asks for `length` bytes, which come to stand behind the headroom of the buffer. */
  ask(medium: Medium, buffer: Buffer, length: number): Asked {
    const back = this.#led ? this.#recent.length : Math.min(leadBytes, this.#position);
    const overlap = medium.rereads ? Math.max(back, this.#recent.length) : 0;
    const bytes = medium.read(buffer, headroomBytes - overlap, overlap + length, this.#position - overlap);
    // Awaited one round later; until then a failure must not count as unhandled.
    bytes.catch(() => undefined);
    return { bytes, overlap, length };
  }

  /** What became of the bytes before the position; `head`: those of the file's beginning that were seen already. */
  check(buffer: Buffer, got: number, overlap: number, head: Buffer): 'replaced' | 'shrunk' | null {
    if (overlap > 0)
      return got < overlap ? 'shrunk' : same(this.#recent, buffer, headroomBytes - this.#recent.length);
    // At the very beginning nothing is before it, but the head may have been seen already.
    if (this.#position > 0) return null;
    return got < head.length ? 'shrunk' : same(head, buffer, headroomBytes);
  }

  /** The bytes before the first read, for who wants lines before a record; null from the second read on. */
  lead(buffer: Buffer, overlap: number): Buffer | null {
    if (this.#led) return null;
    this.#led = true;
    return buffer.subarray(headroomBytes - overlap, headroomBytes);
  }

  /** So many bytes behind the headroom were read. */
  advance(buffer: Buffer, fresh: number): void {
    this.#position += fresh;
    const end = headroomBytes + fresh;
    if (fresh >= markerBytesMax) {
      this.#recent = Buffer.from(buffer.subarray(end - markerBytesMax, end));
      return;
    }
    const old = this.#recent.subarray(Math.max(0, this.#recent.length + fresh - markerBytesMax));
    this.#recent = Buffer.concat([old, buffer.subarray(headroomBytes, end)]);
  }
}

function lastOf(before: Buffer): Buffer {
  return Buffer.from(before.subarray(Math.max(0, before.length - markerBytesMax)));
}

function same(bytes: Buffer, buffer: Buffer, from: number): 'replaced' | null {
  return bytes.compare(buffer, from, from + bytes.length) === 0 ? null : 'replaced';
}
