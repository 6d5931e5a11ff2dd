/**
 * Where the bytes of a stream come from: an open file, or a compressed copy of it that is unpacked on the way. Takes a
 * position, gives bytes. Does not know whose bytes they are.
 */
import { createReadStream } from 'node:fs';
import { createGunzip, gunzipSync, constants as zlib } from 'node:zlib';
import { closeQuietly, type RawPath, readAt, readInTurn } from './disk.ts';
import { headBytesMax, markerBytesMax } from './identity.ts';

export interface Medium {
  /** Reads into `target` from `at` on; fewer bytes than asked means the end for now. Rejects as the system does. */
  read(target: Buffer, at: number, length: number, position: number): Promise<number>;
  /** Whether bytes before the position can be read again, to see that they are still the same. */
  readonly rereads: boolean;
  /** The open file, or null. */
  readonly fd: number | null;
  close(): void;
}

export class FileMedium implements Medium {
  readonly rereads = true;
  readonly fd: number;

  constructor(fd: number) {
    this.fd = fd;
  }

  read(target: Buffer, at: number, length: number, position: number): Promise<number> {
    return readInTurn(this.fd, target, at, length, position);
  }

  close(): void {
    closeQuietly(this.fd);
  }
}

/** Up to `length` bytes of a file at a position. */
export async function peekFile(fd: number, position: number, length: number): Promise<Buffer> {
  if (length <= 0) return Buffer.alloc(0);
  const target = Buffer.allocUnsafe(length);
  const bytes = await readAt(fd, target, 0, length, Math.max(0, position));
  return target.subarray(0, bytes);
}

/** What a compressed file begins with: gzip, zstd, bzip2, xz. Such a file is never read as a log. */
export function compressionOf(head: Buffer): 'gzip' | 'other' | null {
  if (head.length < 4) return null;
  if (head[0] === 0x1f && head[1] === 0x8b) return 'gzip';
  const word = head.readUInt32BE(0);
  if (word === 0x28b52ffd || word === 0xfd377a58) return 'other';
  return head.subarray(0, 3).toString('latin1') === 'BZh' &&
    head[3] !== undefined &&
    head[3] >= 0x31 &&
    head[3] <= 0x39
    ? 'other'
    : null;
}

/** Whether a text begins with the byte order mark of UTF-16: none of its lines could be read. */
export function isUtf16(head: Buffer): boolean {
  return (head[0] === 0xff && head[1] === 0xfe) || (head[0] === 0xfe && head[1] === 0xff);
}

/** Enough of a gzip file to unpack the head of its content. */
const packedHeadBytes = 16 * 1024;

/** The first bytes of what a gzip file holds, or null when it is damaged or still being written. */
export async function gzipHead(fd: number): Promise<Buffer | null> {
  const packed = await peekFile(fd, 0, packedHeadBytes);
  try {
    return gunzipSync(packed, { finishFlush: zlib.Z_SYNC_FLUSH }).subarray(0, headBytesMax);
  } catch {
    return null;
  }
}

/** The content of a gzip file, from front to back. */
export class GzipMedium implements Medium {
  readonly rereads = false;
  readonly fd = null;
  readonly #source: ReturnType<typeof createReadStream>;
  readonly #unpack: ReturnType<typeof createGunzip>;
  readonly #parts: AsyncIterator<Buffer>;
  #part: Buffer = Buffer.alloc(0);
  #position = 0;
  #recent: Buffer = Buffer.alloc(0);

  constructor(path: RawPath) {
    this.#source = createReadStream(path);
    this.#unpack = createGunzip();
    this.#source.on('error', (error) => this.#unpack.destroy(error));
    this.#parts = this.#source.pipe(this.#unpack)[Symbol.asyncIterator]();
  }

  /** Goes on to `position` and gives the bytes before it (fewer when the content ends earlier). */
  async skipTo(position: number): Promise<{ readonly reached: boolean; readonly before: Buffer }> {
    while (this.#position < position) {
      if (this.#part.length === 0 && !(await this.#next())) return { reached: false, before: this.#recent };
      const step = this.#part.subarray(0, position - this.#position);
      this.#recent = Buffer.concat([this.#recent.subarray(-markerBytesMax), step.subarray(-markerBytesMax)]);
      this.#recent = this.#recent.subarray(-markerBytesMax);
      this.#take(step.length);
    }
    return { reached: true, before: this.#recent };
  }

  async read(target: Buffer, at: number, length: number): Promise<number> {
    let filled = 0;
    while (filled < length) {
      if (this.#part.length === 0 && !(await this.#next())) break;
      const step = this.#part.copy(target, at + filled, 0, Math.min(this.#part.length, length - filled));
      this.#take(step);
      filled += step;
    }
    return filled;
  }

  close(): void {
    this.#source.destroy();
    this.#unpack.destroy();
  }

  #take(bytes: number): void {
    this.#part = this.#part.subarray(bytes);
    this.#position += bytes;
  }

  async #next(): Promise<boolean> {
    const next = await this.#parts.next();
    if (next.done === true) return false;
    this.#part = next.value;
    return true;
  }
}
