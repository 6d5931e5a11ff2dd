/**
 * Hands whole lines of a stream to the pipeline, where the place to go on from is not an offset but something that the lines
 * themselves say: a cursor, a time. Takes lines as they come and keeps those that were not consumed; with what was consumed goes the
 * place behind it, and both are committed together. Reads nothing itself.
 */
import type { StreamInfo } from '../model/record.ts';
import type { Chunk, Clock, SavedPosition, SourcePort, Timer } from '../model/seams.ts';
import { quietMs } from './pump.ts';

/** Bytes of one `take`: larger pieces are cut, so that timers get their turn. */
const pieceBytes = 256 * 1024;
/** Held at most for an open record; then the pipeline must let go of it. */
const heldBytesMax = 4 * 1024 * 1024;
const nothing: Buffer = Buffer.alloc(0);

export type Place = SavedPosition['identity'];

export interface CursorFeedDeps {
  readonly port: SourcePort;
  readonly clock: Clock;
  readonly stream: StreamInfo;
  /** The place behind these lines, which were consumed. */
  readonly placeAfter: (lines: Buffer) => Place;
}

export class CursorFeed {
  readonly #deps: CursorFeedDeps;
  #held: Buffer = nothing;
  #offset: number;
  #receivedAt = 0;
  #timer: Timer | null = null;
  #stopped = false;

  /** Goes on at the saved offset of its stream. */
  constructor(deps: CursorFeedDeps) {
    this.#deps = deps;
    this.#offset = deps.port.position(deps.stream.key)?.offset ?? 0;
  }

  /** Bytes that were taken and are not consumed. */
  get heldBytes(): number {
    return this.#held.length;
  }

  /** Takes whole lines. */
  push(lines: Buffer): void {
    if (this.#stopped || lines.length === 0) return;
    this.#receivedAt = this.#deps.clock.now();
    for (let at = 0; at < lines.length; at += pieceBytes) {
      const piece = lines.subarray(at, at + pieceBytes);
      const data = this.#held.length === 0 ? piece : Buffer.concat([this.#held, piece]);
      this.#present(data, data.length > heldBytesMax ? 'final' : 'more');
    }
    // The bytes belong to whoever read them.
    if (this.#held.length > 0) this.#held = Buffer.from(this.#held);
    this.#timer?.cancel();
    this.#timer = null;
    if (this.#held.length > 0) this.#timer = this.#deps.clock.setTimer(quietMs, () => this.#quiet());
  }

  /** Nothing will ever come: what is open is complete. */
  finish(): void {
    if (this.#stopped) return;
    if (this.#held.length > 0) this.#present(this.#held, 'final');
    this.stop();
  }

  /** No further `take`; what is open will be read again. */
  stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.#stopped = true;
  }

  #quiet(): void {
    this.#timer = null;
    if (!this.#stopped && this.#held.length > 0) this.#present(this.#held, 'quiet');
  }

  #present(data: Buffer, end: Chunk['end']): void {
    const { port, stream, placeAfter } = this.#deps;
    const receivedAt = this.#receivedAt;
    const consumed = port.take({ stream, data, offset: this.#offset, end, receivedAt });
    this.#offset += consumed;
    this.#held = consumed >= data.length ? nothing : data.subarray(consumed);
    if (consumed === 0) return;
    port.remember({
      key: stream.key,
      source: stream.source,
      path: '',
      offset: this.#offset,
      identity: placeAfter(data.subarray(0, consumed)),
      reader: {},
      updatedAt: receivedAt,
    });
  }
}
