/**
 * One stream of bytes that can't be read again: of a connection, or of one sender of datagrams. Takes bytes as they come, hands
 * them to the pipeline, keeps what it did not consume. Its offsets count from the beginning of the stream, and no position outlives it.
 */
import type { StreamInfo } from '../model/record.ts';
import type { Chunk, Clock, SourcePort } from '../model/seams.ts';

/** Held at most for one stream, however long a message may be: then the pipeline must let go of it. */
const heldBytesMax = 32 * 1024 * 1024;
/** A stream that has so many bytes at hand is busy, and gets a room of so many. */
const roomFrom = 96 * 1024;
const roomBytes = 384 * 1024;
const nothing: Buffer = Buffer.alloc(0);
const noFrames = new Int32Array(0);

export class Feed {
  readonly stream: StreamInfo;
  readonly #port: SourcePort;
  readonly #clock: Clock;
  #held: Buffer = nothing;
  /** Pieces that are not given yet: they go together. */
  #pieces: Buffer[] = [];
  #pieceBytes = 0;
  #frames: Int32Array = noFrames;
  /** Where a busy stream's bytes are put one behind the other; what is held is at the end of what is used. */
  #room: Buffer = nothing;
  #roomUsed = 0;
  #offset = 0;
  #ended = false;
  /** Bytes came since it was last quiet. */
  waits = false;
  /** Whether bytes of it are at hand that wait to be read: then it is not quiet. Null where nothing ever waits. */
  unread: (() => boolean) | null = null;
  /** When bytes came last, on the clock that never goes back, ms. */
  lastAt: number;
  #receivedAt: number;

  constructor(deps: { readonly port: SourcePort; readonly clock: Clock }, stream: StreamInfo) {
    this.#port = deps.port;
    this.#clock = deps.clock;
    this.stream = stream;
    this.lastAt = deps.clock.monotonic();
    this.#receivedAt = deps.clock.now();
  }

  get heldBytes(): number {
    return this.#held.length + this.#pieceBytes;
  }

  /** Bytes that were added and not given yet. */
  get addedBytes(): number {
    return this.#pieceBytes;
  }

  /** Bytes taken by the pipeline so far. */
  get taken(): number {
    return this.#offset;
  }

  /** The next bytes, which are kept until `flush`, or until anything else is asked of the stream. */
  add(data: Buffer): void {
    if (this.#ended) return;
    this.#pieces.push(data);
    this.#pieceBytes += data.length;
    this.lastAt = this.#clock.monotonic();
    this.waits = true;
  }

  /** Gives what was added. */
  flush(): void {
    if (this.#pieces.length === 0) return;
    const pieces = this.#pieces;
    this.#pieces = [];
    this.#pieceBytes = 0;
    this.#give(pieces, null, 'more');
  }

  /**
   * The next bytes; they may be used again by the caller once this returns. `frames`: where each message in them ends. `quiet`: what is
   * open is complete with them.
   */
  give(data: Buffer, frames: Int32Array | null, end: 'more' | 'quiet' = 'more'): void {
    this.#give([data], frames, end);
  }

  #give(pieces: readonly Buffer[], frames: Int32Array | null, end: 'more' | 'quiet'): void {
    if (this.#ended) return;
    this.#receivedAt = this.#clock.now();
    this.lastAt = this.#clock.monotonic();
    this.waits = end === 'more';
    const held = this.#held.length;
    const [only = nothing] = pieces;
    const bytes = held === 0 && pieces.length === 1 ? only : this.#joined(pieces);
    const all = frames === null ? null : joined(this.#frames, frames, held);
    this.#present(bytes, bytes.length > heldBytesMax ? 'final' : end, all);
    if (this.#held.length > 0 && bytes === only) this.#held = Buffer.from(this.#held);
  }

  /** What is held, with pieces behind it. A busy stream has a room for that, so that not all of it is moved and made anew each time. */
  #joined(pieces: readonly Buffer[]): Buffer {
    const held = this.#held;
    let length = held.length;
    for (const piece of pieces) length += piece.length;
    let from = this.#roomUsed - held.length;
    if (held.buffer !== this.#room.buffer || length > this.#room.length) {
      if (length < roomFrom) return Buffer.concat([held, ...pieces], length);
      this.#room = Buffer.allocUnsafeSlow(Math.max(roomBytes, length * 2));
      this.#room.set(held);
      from = 0;
    } else if (from + length > this.#room.length) {
      this.#room.copyWithin(0, from, this.#roomUsed);
      from = 0;
    }
    let at = from + held.length;
    for (const piece of pieces) {
      this.#room.set(piece, at);
      at += piece.length;
    }
    this.#roomUsed = at;
    return this.#room.subarray(from, at);
  }

  /** Nothing came for a while: what is open is complete, but for an unfinished message. */
  quiet(): void {
    this.flush();
    this.waits = false;
    if (!this.#ended) this.#present(this.#held, 'quiet', this.#frames);
  }

  /** Nothing will come: all is complete. May be called twice. */
  end(): void {
    if (this.#ended) return;
    this.flush();
    this.#present(this.#held, 'final', this.#frames);
    this.#ended = true;
    this.waits = false;
    this.#port.forget(this.stream.key);
  }

  #present(data: Buffer, end: Chunk['end'], frames: Int32Array | null): void {
    const framed = frames !== null && frames.length > 0;
    const consumed = this.#port.take({
      stream: this.stream,
      data,
      offset: this.#offset,
      end,
      receivedAt: this.#receivedAt,
      ...(framed ? { frames } : {}),
    });
    this.#offset += consumed;
    this.#held = consumed >= data.length ? nothing : data.subarray(consumed);
    if (this.#held.length === 0) this.#room = nothing;
    this.#frames = framed && this.#held.length > 0 ? behind(frames, consumed) : noFrames;
  }
}

function joined(held: Int32Array, more: Int32Array, shift: number): Int32Array {
  if (shift === 0) return more;
  const all = new Int32Array(held.length + more.length);
  all.set(held);
  for (let at = 0; at < more.length; at++) all[held.length + at] = (more[at] ?? 0) + shift;
  return all;
}

function behind(frames: Int32Array, consumed: number): Int32Array {
  return frames.filter((end) => end > consumed).map((end) => end - consumed);
}
