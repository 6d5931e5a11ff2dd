/**
 * Reads a stream that has no offsets to come back to: standard input, a named pipe. Takes any readable, hands its bytes to
 * the pipeline as they come, keeps what was not consumed. Its position is never saved.
 */
import type { Readable } from 'node:stream';
import type { StreamInfo } from '../model/record.ts';
import type { Chunk, Clock, SourcePort, Timer } from '../model/seams.ts';

/** Nothing came for this long: an open record is complete. */
export const quietMs = 200;
/** Bytes of one `take`: larger pieces are cut, so that timers get their turn. */
const pieceBytes = 256 * 1024;
/** Held at most for an open record; then the pipeline must let go of it. */
const heldBytesMax = 4 * 1024 * 1024;
const nothing: Buffer = Buffer.alloc(0);

export interface PumpDeps {
  readonly port: SourcePort;
  readonly clock: Clock;
  readonly stream: StreamInfo;
}

export class Pump {
  readonly #deps: PumpDeps;
  readonly #input: Readable;
  readonly #ended: Promise<void>;
  #resolve: () => void = () => undefined;
  #held: Buffer = nothing;
  #offset = 0;
  #receivedAt: number;
  #timer: Timer | null = null;
  #stopped = false;

  constructor(deps: PumpDeps, input: Readable) {
    this.#deps = deps;
    this.#input = input;
    this.#receivedAt = deps.clock.now();
    this.#ended = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  /** Begins to read. */
  start(): void {
    this.#input.on('data', (data: Buffer | string) => {
      this.#took(typeof data === 'string' ? Buffer.from(data) : data);
    });
    this.#input.on('end', () => this.#finish());
    this.#input.on('error', () => this.#finish());
    this.#input.on('close', () => this.#finish());
    // The end may have come before anybody listened.
    if (this.#input.readableEnded || this.#input.destroyed) this.#finish();
  }

  /** Resolves when the input has ended and all of it was taken. */
  ended(): Promise<void> {
    return this.#ended;
  }

  /** No further `take`; what was read is delivered first, since it can't be read again. */
  stop(): void {
    this.#input.pause();
    this.#finish();
  }

  get heldBytes(): number {
    return this.#held.length;
  }

  #took(data: Buffer): void {
    if (this.#stopped) return;
    this.#receivedAt = this.#deps.clock.now();
    for (let at = 0; at < data.length; at += pieceBytes) {
      const piece = data.subarray(at, at + pieceBytes);
      const bytes = this.#held.length === 0 ? piece : Buffer.concat([this.#held, piece]);
      this.#present(bytes, bytes.length > heldBytesMax ? 'final' : 'more');
    }
    // The bytes belong to the input and are reused by it.
    if (this.#held.length > 0) this.#held = Buffer.from(this.#held);
    this.#timer?.cancel();
    this.#timer = null;
    if (this.#held.length > 0) this.#timer = this.#deps.clock.setTimer(quietMs, () => this.#quiet());
  }

  #quiet(): void {
    this.#timer = null;
    if (!this.#stopped && this.#held.length > 0) this.#present(this.#held, 'quiet');
  }

  #finish(): void {
    if (this.#stopped) return;
    this.#timer?.cancel();
    if (this.#held.length > 0) this.#present(this.#held, 'final');
    this.#stopped = true;
    this.#resolve();
  }

  #present(data: Buffer, end: Chunk['end']): void {
    const { port, stream } = this.#deps;
    const consumed = port.take({ stream, data, offset: this.#offset, end, receivedAt: this.#receivedAt });
    this.#offset += consumed;
    this.#held = consumed >= data.length ? nothing : data.subarray(consumed);
  }
}
