/**
 * The memory that files are read into: two buffers used in turn, so that one read is under way while the bytes of the last one are
 * matched. Before the data there is room for what was left over, which is moved there and not read again.
 */

/** Room before the data. Streams in envelopes leave 128 KiB and an unfinished line. */
export const headroomBytes = 192 * 1024;
/** Bytes of one read at most. */
export const readBytesMax = 1024 * 1024;

/** Two buffers, used in turn. Belongs to one reading stream at a time. */
export class ReadBuffers {
  readonly #buffers: [Buffer | null, Buffer | null] = [null, null];

  at(index: 0 | 1): Buffer {
    let buffer = this.#buffers[index];
    if (buffer === null) {
      buffer = Buffer.allocUnsafeSlow(headroomBytes + readBytesMax);
      this.#buffers[index] = buffer;
    }
    return buffer;
  }
}
