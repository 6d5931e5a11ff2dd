/**
 * One stream: the content of one file in one generation, whatever names it has. Takes bytes from a medium in large reads,
 * the next one under way while the last is matched, and hands them to the pipeline; keeps what was not consumed. Finds by
 * itself that the bytes before its position are no longer the ones it read, and says so; what to do then is decided in
 * `file.ts`.
 */

import type { BigIntStats } from 'node:fs';
import type { StreamInfo } from '../model/record.ts';
import type { Chunk, Clock, SavedPosition, SourcePort } from '../model/seams.ts';
import { type ContentMemory, type FileId, identityRecord, inodeName, markerBytesMax } from './identity.ts';
import type { Medium } from './medium.ts';
import { headroomBytes, type ReadBuffers, readBytesMax } from './read-buffers.ts';

/** Bytes of one read at least; between this and the most, what the pipeline takes in about 10 ms. */
const readBytesMin = 32 * 1024;
/** A `take` over this time halves the next reads, one under the other doubles them: the process stays responsive. */
const takeSlowMs = 16;
const takeFastMs = 4;
/** An open record may hold this much before the pipeline must let go of it. */
const heldBytesMax = 4 * 1024 * 1024;
/** A line that comes in parts waits so long for the next one. */
const staleMs = 5_000;

/** Where a stream is taken up in its middle, so much before it is read again: the first records want the lines before them. */
const leadBytes = 8 * 1024;

/** Stamps of a disk move in steps of up to 10 ms: two changes within one show the same. */
const changeGrainMs = 20;

const lineFeed = 10;
const nothing: Buffer = Buffer.alloc(0);
const zeros = Buffer.alloc(64 * 1024);

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
  readonly offset: number;
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
  readPosition: number;
  offset: number;
  memory: ContentMemory;
  skipLine: boolean;
  /** What was noted last. */
  remembered: SavedPosition | null = null;
  #held: Buffer = nothing;
  #recent: Buffer;
  #readBytes = 64 * 1024;
  readonly #port: SourcePort;
  readonly #clock: Clock;
  readonly #seenAt: TailDeps['seenAt'];
  #reader: SavedPosition['reader'] | null = null;
  #done = false;
  /** The bytes before the position were shown. */
  #led = false;
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
    this.readPosition = start.offset;
    this.memory = start.memory;
    this.#recent = Buffer.from(start.before.subarray(Math.max(0, start.before.length - markerBytesMax)));
    this.memory.setMarker(this.#recent);
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
      offset: this.offset,
      identity: identityRecord(this.id, this.generation, this.memory, {
        offset: this.offset,
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
    this.offset = offset;
    this.readPosition = offset;
    this.#held = nothing;
    this.#recent = Buffer.from(before.subarray(Math.max(0, before.length - markerBytesMax)));
    this.memory.setMarker(this.#recent);
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
    let asked = this.#ask(medium, buffers.at(index));
    let shared = 0;
    // What the file showed may be older than what is read now, never newer.
    const askedAt = this.#clock.now();
    const shown = this.seenChangeNs;
    for (;;) {
      const buffer = buffers.at(index);
      const got = await asked.bytes;
      const wrong = this.#check(buffer, got, asked.overlap);
      if (wrong !== null) return wrong;
      this.provenAt = askedAt;
      this.provenChangeNs = shown;
      const fresh = got - asked.overlap;
      if (fresh <= 0) return 'end';
      const full = fresh === asked.length;
      // In the middle of a line that is to be skipped they are not what stands before the data.
      const lead =
        this.#led || this.skipLine ? null : buffer.subarray(headroomBytes - asked.overlap, headroomBytes);
      this.#led = true;
      const data = this.#assemble(buffer, fresh);
      shared += fresh;
      const more = full && goOn(shared);
      index = index === 0 ? 1 : 0;
      // The next read runs in another thread while these bytes are matched in this one. What the last chunk left over
      // was moved before, since the read may overwrite where it lay.
      if (more) asked = this.#ask(medium, buffers.at(index));
      if (data.length > 0) this.#deliver(data, full, lead);
      if (!more) return full ? 'more' : 'end';
    }
  }

  #ask(medium: Medium, buffer: Buffer): Asked {
    const back = this.#led ? this.#recent.length : Math.min(leadBytes, this.readPosition);
    const overlap = medium.rereads ? Math.max(back, this.#recent.length) : 0;
    const length = this.#readBytes;
    const bytes = medium.read(buffer, headroomBytes - overlap, overlap + length, this.readPosition - overlap);
    // Awaited one round later; until then a failure must not count as unhandled.
    bytes.catch(() => undefined);
    return { bytes, overlap, length };
  }

  /** Each read begins a little before the position: the same bytes must still be there. */
  #check(buffer: Buffer, got: number, overlap: number): 'replaced' | 'shrunk' | null {
    if (overlap === 0) return this.readPosition === 0 ? this.#checkHead(buffer, got) : null;
    if (got < overlap) return 'shrunk';
    const from = headroomBytes - this.#recent.length;
    return this.#recent.compare(buffer, from, headroomBytes) === 0 ? null : 'replaced';
  }

  /** At the very beginning nothing is before it, but the head may have been seen already. */
  #checkHead(buffer: Buffer, got: number): 'replaced' | 'shrunk' | null {
    const { head } = this.memory;
    if (got < head.length) return 'shrunk';
    return head.compare(buffer, headroomBytes, headroomBytes + head.length) === 0 ? null : 'replaced';
  }

  #noteRecent(buffer: Buffer, fresh: number): void {
    if (fresh >= markerBytesMax) {
      const end = headroomBytes + fresh;
      this.#recent = Buffer.from(buffer.subarray(end - markerBytesMax, end));
      return;
    }
    const old = this.#recent.subarray(Math.max(0, this.#recent.length + fresh - markerBytesMax));
    this.#recent = Buffer.concat([old, buffer.subarray(headroomBytes, headroomBytes + fresh)]);
  }

  /** The chunk to present: what was left over, and the fresh bytes behind it. */
  #assemble(buffer: Buffer, fresh: number): Buffer {
    const bytes = buffer.subarray(headroomBytes, headroomBytes + fresh);
    this.#noteRecent(buffer, fresh);
    this.memory.growHead(bytes, this.readPosition);
    this.readPosition += fresh;
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
    this.#present(data, data.length > heldBytesMax ? 'final' : 'more', lead);
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

  #present(data: Buffer, end: Chunk['end'], lead: Buffer | null = null): void {
    const { stream, offset, receivedAt } = this;
    // The pipeline may commit within `take`: what identifies the file must be known by then.
    if (this.memory.head.length > this.#headNoted) this.remember();
    const consumed = this.#port.take({
      stream,
      data,
      offset,
      end,
      receivedAt,
      ...(lead === null || lead.length === 0 ? {} : { before: lead }),
    });
    if (consumed > 0) {
      this.memory.advance(data, consumed, offset);
      this.offset = offset + consumed;
      this.remember();
    }
    this.#held = consumed >= data.length ? nothing : data.subarray(consumed);
  }
}

interface Asked {
  readonly bytes: Promise<number>;
  readonly overlap: number;
  readonly length: number;
}

/** Whether bytes are nothing but NUL: a hole. */
export function isHole(bytes: Buffer): boolean {
  for (let at = 0; at < bytes.length; at += zeros.length) {
    const part = bytes.subarray(at, at + zeros.length);
    if (part.compare(zeros, 0, part.length) !== 0) return false;
  }
  return true;
}
