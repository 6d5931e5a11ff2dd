/**
 * One stream: the content of one file in one generation, whatever names it has. Takes bytes from a medium in large reads,
 * the next one under way while the last is matched, and hands them to the pipeline; keeps what was not consumed. Finds by
 * itself that the bytes before its position are no longer the ones it read, and says so; what to do then is decided in
 * `file.ts`.
 */

import type { BigIntStats } from 'node:fs';
import type { StreamInfo } from '../model/record.ts';
import type { Chunk, Clock, SavedPosition, SourcePort } from '../model/seams.ts';
import { type ContentMemory, type FileId, identityRecord, inodeName } from './identity.ts';
import { type Inherited, mayBeInherited, unreadOf } from './inherited.ts';
import type { Medium } from './medium.ts';
import { headroomBytes, type ReadBuffers, readBytesMax } from './read-buffers.ts';
import { ReadPoint } from './read-point.ts';

/** Bytes of one read at least; between this and the most, what the pipeline takes in about 10 ms. */
const readBytesMin = 16 * 1024;
/**
 * Where no more than the first is expected, a read asks for the second: together with the bytes before it that is little enough for
 * `disk.ts` to read it at once, without a thread's help.
 */
const fewBytes = 8 * 1024;
const readFewBytes = 16 * 1024;
/** A `take` over this time halves the next reads, one under the other doubles them: the process stays responsive. */
const takeSlowMs = 4;
const takeFastMs = 1;
/** An open record may hold this much before the pipeline must let go of it. */
const heldBytesMax = 4 * 1024 * 1024;
/** A line that comes in parts waits so long for the next one. */
const staleMs = 5_000;

/** Stamps of a disk move in steps of up to 10 ms: two changes within one show the same. */
const changeGrainMs = 20;

const lineFeed = 10;
const nothing: Buffer = Buffer.alloc(0);

/**
 * How a turn of reading ended. `end`: nothing more for now. `more`: its share is used up. `replaced`: the bytes before the
 * position are others. `shrunk`: the file ends before the position.
 */
export type TurnEnd = 'end' | 'more' | 'replaced' | 'shrunk';

export interface TailDeps {
  readonly port: SourcePort;
  readonly clock: Clock;
  /** When a path was last seen with all that it had led to, ms of the wall clock. */
  readonly seenAt: (path: string) => number;
}
export interface TailStart {
  readonly stream: StreamInfo;
  readonly path: string;
  readonly id: FileId;
  readonly generation: number;
  /** In the file. Below zero: so many bytes of what it inherited are not consumed yet. */
  readonly offset: number;
  readonly inherited: Inherited;
  readonly memory: ContentMemory;
  /** Up to 256 bytes before the offset. */
  readonly before: Buffer;
  readonly skipLine: boolean;
  readonly remote: boolean;
}

/** What a tail is to the rest: read on as the file grows, or ended at its first end. */
export type TailRole = 'live' | 'rest';

export class Tail {
  readonly stream: StreamInfo;
  readonly path: string;
  readonly remote: boolean;
  generation: number;
  id: FileId;
  medium: Medium | null = null;
  role: TailRole = 'live';
  /** Nothing was looked at yet: it may turn out to be a copy, compressed, or a hole. */
  fresh = true;
  /** The first bytes show that this is not a log, or a copy of one that is read already: kept, never delivered. */
  copyOf: Tail | null = null;
  ignored: 'compressed' | 'utf-16' | null = null;
  /** The last line of this rest may be half of one: it is dropped if it has no end. */
  endsCut = false;
  /** Streams that must have been read to their end before this one begins. */
  readonly after = new Set<Tail>();
  /** The stream of the file that this one took the place of, until this one is about to be read. */
  predecessor: Tail | null = null;
  /** The predecessor had grown when this one was to begin, and was let read once more. Not the stream itself: they would be a chain. */
  letPredecessorRead = false;
  /** Read to the end at least once since its file lost its name. */
  caughtUp = false;
  ended = false;
  busy = false;
  wanted = false;
  /** What the file showed when it was last looked at. */
  seenSize = 0;
  seenChangeNs = 0n;
  /** It changed so lately that one more change would show the same. */
  racy = false;
  lostNameAt: number | null = null;
  /** When the bytes before the position were last known to be there, ms of the wall clock, and what the file showed then. */
  provenAt: number;
  provenChangeNs = 0n;
  /** It was seen empty: what it holds at last need not be the first that it held. */
  wasEmpty = false;
  activeAt: number;
  quietDueAt: number | null = null;
  /** Nothing came since it was quiet. */
  #stale = false;
  retryAt = 0;
  retryDelayMs = 0;
  receivedAt: number;
  readonly #point: ReadPoint;
  /** Consumed up to here, a place in the file; below zero in what was inherited. */
  offset: number;
  memory: ContentMemory;
  skipLine: boolean;
  /** What was noted last. */
  remembered: SavedPosition | null = null;
  #held: Buffer;
  #inherited: Inherited;
  #readBytes = 64 * 1024;
  readonly #port: SourcePort;
  readonly #clock: Clock;
  readonly #seenAt: TailDeps['seenAt'];
  #reader: SavedPosition['reader'] | null = null;
  #done = false;
  #headNoted = 0;

  constructor(deps: TailDeps, start: TailStart) {
    this.#port = deps.port;
    this.#clock = deps.clock;
    this.#seenAt = deps.seenAt;
    this.stream = start.stream;
    this.path = start.path;
    this.id = start.id;
    this.generation = start.generation;
    this.offset = start.offset;
    this.#point = new ReadPoint(Math.max(0, start.offset), start.before);
    this.#inherited = start.inherited;
    this.#held = unreadOf(start.inherited, start.offset);
    this.memory = start.memory;
    this.memory.setMarker(start.before);
    this.skipLine = start.skipLine;
    this.remote = start.remote;
    this.activeAt = deps.clock.monotonic();
    this.receivedAt = deps.clock.now();
    this.provenAt = this.receivedAt;
  }

  get inode(): string {
    return inodeName(this.id);
  }

  /** What the file shows now, so that the next look knows whether anything changed. */
  saw(stat: BigIntStats): void {
    this.seenSize = Number(stat.size);
    this.seenChangeNs = stat.ctimeNs;
    this.racy = Math.abs(this.#clock.now() - Number(stat.ctimeNs / 1_000_000n)) < changeGrainMs;
  }

  /** Bytes of the file before this were read. */
  get readPosition(): number {
    return this.#point.position;
  }

  /** Bytes read and not yet consumed. */
  get heldBytes(): number {
    return this.#held.length;
  }

  get done(): boolean {
    return this.#done;
  }

  /** Notes the identity with the marker of the present offset; the store commits it together with the offset. */
  remember(): void {
    this.#headNoted = this.memory.head.length;
    this.#reader ??= this.#port.position(this.stream.key)?.reader ?? {};
    this.remembered = {
      key: this.stream.key,
      source: this.stream.source,
      path: this.path,
      offset: this.offset + this.#inherited.shift,
      identity: identityRecord(this.id, this.generation, this.memory, {
        offset: this.offset,
        inherited: this.#inherited,
        done: this.#done,
        skipLine: this.skipLine,
        seenAt: this.#seenAt(this.path),
      }),
      reader: this.#reader,
      updatedAt: this.#clock.now(),
    };
    this.#port.remember(this.remembered);
  }

  /** Moves past bytes that are known to have been taken under another key, or to be nothing. */
  skipTo(offset: number, before: Buffer): void {
    // What was noted for the reader held at the old place.
    if (offset !== this.offset) this.#reader = {};
    this.offset = offset;
    this.#point.move(Math.max(0, offset), before);
    this.#held = unreadOf(this.#inherited, offset);
    this.memory.setMarker(before);
  }

  /** What stands open at the end of the file that this one took the place of goes on here, if such lines do. */
  goOnFrom(old: Tail): void {
    const bytes = old.#held;
    // Once only: its positions count from the first byte that it inherited, and can't begin before that.
    if (this.#inherited.shift > 0 || this.readPosition > 0 || this.offset !== 0 || !mayBeInherited(bytes))
      return;
    if (!this.#port.handOver(old.stream.key, this.stream.key)) return;
    this.#inherited = { shift: bytes.length, bytes };
    this.#held = bytes;
    this.offset = -bytes.length;
    this.#reader = null;
    this.remember();
    old.skipTo(old.readPosition, old.#point.before);
    old.remember();
  }

  /** The content goes on in another file, byte for byte: what was read and not consumed stays. */
  moveTo(medium: Medium, id: FileId): void {
    this.medium = medium;
    this.id = id;
    this.remember();
  }

  /** The rest is in a copy: begins again at the offset, which the copy's reader has already reached. */
  continueIn(medium: Medium, before: Buffer): void {
    this.medium = medium;
    this.role = 'rest';
    this.caughtUp = false;
    this.skipTo(this.offset, before);
  }

  /** Reads and delivers for one turn: while `goOn` of the bytes read so far, or to the end. Rejects as the medium does. */
  async turn(buffers: ReadBuffers, goOn: (bytes: number) => boolean): Promise<TurnEnd> {
    const { medium } = this;
    if (medium === null) return 'end';
    try {
      return await this.#readOn(medium, buffers, goOn);
    } finally {
      // The buffers serve another stream next.
      if (this.#held.length > 0) this.#held = Buffer.from(this.#held);
    }
  }

  /** Nothing came for the quiet time: complete records are complete. What is held all the same is a part of a line: it waits longer. */
  quiet(): void {
    this.quietDueAt = null;
    if (!this.#held.includes(lineFeed)) return;
    this.#present(this.#held, this.#stale ? 'stale' : 'quiet');
    if (!this.#stale && this.#held.includes(lineFeed)) this.quietDueAt = this.activeAt + staleMs;
    this.#stale = this.quietDueAt !== null;
  }

  /**
   * Nothing will come any more. `drop` leaves out an unterminated last line: it is the half of one whose other half went
   * elsewhere. Returns the bytes dropped.
   */
  finish(last: 'deliver' | 'drop', gone: boolean): number {
    this.ended = true;
    this.predecessor = null;
    this.quietDueAt = null;
    let data = this.#held;
    let dropped = 0;
    if (last === 'drop') {
      const end = data.lastIndexOf(lineFeed) + 1;
      dropped = data.length - end;
      data = data.subarray(0, end);
    }
    // Also without a byte: whoever reads it lets go of what it keeps for the rest.
    if (data.length > 0 || gone) this.#present(data, 'final');
    this.#held = nothing;
    this.#done = gone;
    this.remember();
    return dropped;
  }

  async #readOn(medium: Medium, buffers: ReadBuffers, goOn: (bytes: number) => boolean): Promise<TurnEnd> {
    let index: 0 | 1 = 0;
    const few = this.seenSize - this.readPosition <= fewBytes;
    let asked = this.#point.ask(medium, buffers.at(index), few ? readFewBytes : this.#readBytes);
    let shared = 0;
    // What the file showed may be older than what is read now, never newer.
    const askedAt = this.#clock.now();
    const shown = this.seenChangeNs;
    for (;;) {
      const buffer = buffers.at(index);
      const got = await asked.bytes;
      const wrong = this.#point.check(buffer, got, asked.overlap, this.memory.head);
      if (wrong !== null) return wrong;
      this.provenAt = askedAt;
      this.provenChangeNs = shown;
      const fresh = got - asked.overlap;
      if (fresh <= 0) return 'end';
      const full = fresh === asked.length;
      const before = this.#point.lead(buffer, asked.overlap);
      // In the middle of a line that is to be skipped they are not what stands before the data.
      const lead = this.skipLine ? null : before;
      const data = this.#assemble(buffer, fresh);
      shared += fresh;
      const more = full && goOn(shared);
      index = index === 0 ? 1 : 0;
      // The next read runs in another thread while these bytes are matched in this one. What the last chunk left over
      // was moved before, since the read may overwrite where it lay.
      if (more) asked = this.#point.ask(medium, buffers.at(index), this.#readBytes);
      if (data.length > 0) this.#deliver(data, full, lead);
      if (!more) return full ? 'more' : 'end';
    }
  }

  /** The chunk to present: what was left over, and the fresh bytes behind it. */
  #assemble(buffer: Buffer, fresh: number): Buffer {
    const bytes = buffer.subarray(headroomBytes, headroomBytes + fresh);
    this.memory.growHead(bytes, this.readPosition);
    this.#point.advance(buffer, fresh);
    this.receivedAt = this.#clock.now();
    this.activeAt = this.#clock.monotonic();
    this.#stale = false;
    if (this.skipLine) return this.#dropCutLine(bytes);
    if (this.#held.length === 0) return bytes;
    if (this.#held.length > headroomBytes) return Buffer.concat([this.#held, bytes]);
    const from = headroomBytes - this.#held.length;
    this.#held.copy(buffer, from);
    return buffer.subarray(from, headroomBytes + fresh);
  }

  #deliver(data: Buffer, full: boolean, lead: Buffer | null): void {
    const began = this.#clock.monotonic();
    this.#present(data, data.length > heldBytesMax ? 'final' : 'more', { lead, behind: full });
    const tookMs = this.#clock.monotonic() - began;
    if (tookMs > takeSlowMs) this.#readBytes = Math.max(readBytesMin, this.#readBytes >> 1);
    else if (tookMs < takeFastMs && full) this.#readBytes = Math.min(readBytesMax, this.#readBytes << 1);
  }

  /** The rest of a line whose beginning was cut off is not a line. */
  #dropCutLine(bytes: Buffer): Buffer {
    const at = bytes.indexOf(lineFeed);
    const cut = at < 0 ? bytes.length : at + 1;
    this.memory.advance(bytes, cut, this.offset);
    this.offset += cut;
    this.skipLine = at < 0;
    this.#port.count(this.stream.source, 'fragment_dropped', at < 0 ? 0 : 1);
    this.remember();
    return bytes.subarray(cut);
  }

  #present(
    data: Buffer,
    end: Chunk['end'],
    { lead, behind }: { readonly lead: Buffer | null; readonly behind: boolean } = {
      lead: null,
      behind: false,
    },
  ): void {
    const { stream, offset, receivedAt } = this;
    // The pipeline may commit within `take`: what identifies the file must be known by then.
    if (this.memory.head.length > this.#headNoted) this.remember();
    const consumed = this.#port.take({
      stream,
      data,
      offset: offset + this.#inherited.shift,
      end,
      receivedAt,
      behind,
      ...(lead === null || lead.length === 0 ? {} : { before: lead }),
    });
    if (consumed > 0) {
      const before = Math.min(data.length, Math.max(0, -offset));
      if (consumed > before) this.memory.advance(data.subarray(before), consumed - before, offset + before);
      this.offset = offset + consumed;
      if (this.offset >= 0) this.#inherited = { ...this.#inherited, bytes: nothing };
      this.remember();
    }
    this.#held = consumed >= data.length ? nothing : data.subarray(consumed);
  }
}
