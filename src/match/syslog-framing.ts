/**
 * Cuts the bytes of one connection into syslog messages: counted (`57 <13>...`), ended by LF, ended by NUL, and, by itself, told apart
 * for each message. Takes pieces of any size and gives the same messages however they were cut. What is longer than the limit
 * keeps its head, and only that message suffers. It keeps no bytes: what it did not consume comes again with more behind it.
 */
import { inflateSync } from 'node:zlib';
import type { SyslogFraming } from '../model/config.ts';

/** Digits of a count. What is longer is text, and nothing is ever reserved by a count. */
const maxCountDigits = 9;
/** A compressed message may give so many times the limit of a plain one; its head is kept. */
const inflateTimes = 16;

const lf = 0x0a;
const space = 0x20;

/** What is odd about a message. */
export const frameFlags = {
  /** Longer than the limit: the head only. */
  truncated: 1,
  /** The connection ended within a counted message. */
  incomplete: 2,
  /** It came compressed, and `bytes` gives what was in it. */
  inflated: 4,
  /** It looks compressed and is not readable: given as it came. */
  unreadable: 8,
  /** It ended with its line: no line end is in it, and the next message may be more of the same text. */
  line: 16,
} as const;

/** How a message ends: nothing is decided, LF or NUL (whatever comes), NUL alone. */
type Delimiter = 'open' | 'lines' | 'nul' | 'lf';

export class SyslogFramer {
  readonly #framing: SyslogFraming;
  readonly #max: number;
  #delimiter: Delimiter;
  /** Bytes of a counted message that are over the limit and still come. */
  #skip = 0;
  /** The rest of an ended message is over the limit: all up to its end is left out. */
  #skipping = false;
  /** Bytes of the message at hand in which its end was looked for. */
  #searched = 0;
  /** Place of the next NUL in the bytes at hand; -1 for not looked up. */
  #nextNul = -1;
  /** What is compressed is given as what was in it. */
  readonly #inflates: boolean;
  #data: Buffer = Buffer.alloc(0);
  #inflated = new Map<number, Buffer>();

  /** Messages of the last `read`. */
  count = 0;
  /** Of each: where it begins and ends with its count and end mark, in the bytes of the last `read`. */
  rawFrom = new Int32Array(256);
  rawTo = new Int32Array(256);
  /** Of each: where the message itself stands, in `bytes` of it. */
  from = new Int32Array(256);
  to = new Int32Array(256);
  flags = new Uint8Array(256);

  constructor(options: {
    readonly framing: SyslogFraming;
    readonly maxFrameBytes: number;
    readonly inflates?: boolean;
  }) {
    this.#inflates = options.inflates ?? false;
    this.#framing = options.framing;
    this.#max = options.maxFrameBytes;
    this.#delimiter = options.framing === 'lf' ? 'lf' : options.framing === 'nul' ? 'nul' : 'open';
  }

  /** The bytes that a message stands in: those of the last `read`, or what a compressed one held. */
  bytes(index: number): Buffer {
    return this.#inflated.get(index) ?? this.#data;
  }

  /**
   * Cuts the next bytes of the connection. Returns how many are done. The rest comes again, with more behind it. With `final` all
   * of it is done: what has no end is given as it is.
   */
  read(data: Buffer, final: boolean): number {
    this.#data = data;
    this.#nextNul = -1;
    this.count = 0;
    if (this.#inflated.size > 0) this.#inflated = new Map();
    let at = 0;
    while (at < data.length) {
      const next = this.#next(data, at, final);
      if (next < 0) break;
      at = next;
    }
    return final ? data.length : at;
  }

  /**
   * One step over the bytes from `at`, for who takes one message at a time: where the next step begins, or -1 when more is needed.
   * `count` is 1 where it was a message, else it was what stands between two. Steps go on where the last one ended.
   */
  step(data: Buffer, at: number, final: boolean): number {
    if (this.#data !== data) {
      this.#data = data;
      this.#nextNul = -1;
    }
    this.count = 0;
    if (this.#inflated.size > 0) this.#inflated = new Map();
    return this.#next(data, at, final);
  }

  /** One message, or a step over what is none: where the next one begins, or -1 when more is needed. */
  #next(data: Buffer, at: number, final: boolean): number {
    if (this.#skip > 0) {
      const step = Math.min(this.#skip, data.length - at);
      this.#skip -= step;
      return at + step;
    }
    if (this.#skipping) return this.#passOver(data, at);
    const first = data[at] ?? 0;
    if (first === lf || first === 0x0d || first === 0) return at + 1;
    if (this.#framing === 'auto') {
      // Cisco's ASA sends a space between an LF and the next message, now and then.
      if (first === space && data[at + 1] === 0x3c) return at + 1;
      if (first === space && at + 1 === data.length && !final) return -1;
    }
    if (first > 0x30 && first <= 0x39 && (this.#framing === 'auto' || this.#framing === 'octet')) {
      const counted = this.#counted(data, at, final);
      if (counted !== 0) return counted;
    }
    return this.#ended(data, at, final);
  }

  /** A message behind its count: where it ends, -1 when more is needed, 0 when it is no count. */
  #counted(data: Buffer, start: number, final: boolean): number {
    let at = start;
    let length = 0;
    for (; at < start + maxCountDigits; at++) {
      const digit = (data[at] ?? 0) - 0x30;
      if (digit < 0 || digit > 9) break;
      length = length * 10 + digit;
    }
    if (at >= data.length) return final ? 0 : -1;
    if (data[at] !== space) return 0;
    const from = at + 1;
    if (this.#framing === 'auto') {
      if (from >= data.length) return final ? 0 : -1;
      const begin = data[from];
      if (begin !== 0x3c && begin !== 0x7a && begin !== 0x7b) return 0;
    }
    const here = data.length - from;
    if (here >= length && length <= this.#max) {
      this.#add(start, from + length, from, from + length, 0);
      return from + length;
    }
    if (here >= this.#max && length > this.#max) {
      this.#skip = length - this.#max;
      this.#add(start, from + this.#max, from, from + this.#max, frameFlags.truncated);
      return from + this.#max;
    }
    if (!final) return -1;
    this.#add(start, data.length, from, data.length, frameFlags.incomplete);
    return data.length;
  }

  /** A message up to its end mark: where the next one begins, or -1 when more is needed. */
  #ended(data: Buffer, start: number, final: boolean): number {
    const from = Math.min(data.length, start + this.#searched);
    const end = this.#endMark(data, from);
    this.#searched = 0;
    if (end >= 0 && end - start <= this.#max) {
      if (this.#delimiter === 'open') this.#delimiter = data[end] === 0 ? 'nul' : 'lines';
      this.#add(start, end + 1, start, end, data[end] === lf ? frameFlags.line : 0);
      return end + 1;
    }
    if (data.length - start > this.#max) {
      this.#skipping = true;
      this.#add(start, start + this.#max, start, start + this.#max, frameFlags.truncated);
      return start + this.#max;
    }
    if (!final) {
      this.#searched = data.length - start;
      return -1;
    }
    this.#add(start, data.length, start, data.length, this.#delimiter === 'nul' ? 0 : frameFlags.line);
    return data.length;
  }

  /** The rest of a message over the limit. */
  #passOver(data: Buffer, at: number): number {
    const end = this.#endMark(data, at);
    if (end < 0) return data.length;
    if (this.#delimiter === 'open') this.#delimiter = data[end] === 0 ? 'nul' : 'lines';
    this.#skipping = false;
    return end + 1;
  }

  /** The next byte that ends a message, or -1. */
  #endMark(data: Buffer, from: number): number {
    if (this.#delimiter === 'lf') return data.indexOf(lf, from);
    if (this.#nextNul < from) {
      const found = data.indexOf(0, from);
      this.#nextNul = found < 0 ? data.length : found;
    }
    const nul = this.#nextNul < data.length ? this.#nextNul : -1;
    if (this.#delimiter === 'nul') return nul;
    const line = data.indexOf(lf, from);
    return line < 0 ? nul : nul < 0 ? line : Math.min(line, nul);
  }

  #add(rawFrom: number, rawTo: number, from: number, to: number, flags: number): void {
    const at = this.count++;
    if (at === this.rawFrom.length) this.#grow();
    this.rawFrom[at] = rawFrom;
    this.rawTo[at] = rawTo;
    this.from[at] = from;
    this.to[at] = to;
    this.flags[at] = flags;
    if (
      this.#inflates &&
      this.#data[from] === 0x7a &&
      (flags & ~frameFlags.line) === 0 &&
      looksCompressed(this.#data, from, to)
    ) {
      const inflated = inflate(this.#data, from, to, this.#max);
      if (inflated === null) {
        this.flags[at] = frameFlags.unreadable;
        return;
      }
      this.#inflated.set(at, inflated);
      this.from[at] = 0;
      this.to[at] = Math.min(inflated.length, this.#max);
      this.flags[at] = frameFlags.inflated | (inflated.length > this.#max ? frameFlags.truncated : 0);
    }
  }

  #grow(): void {
    const wider = (old: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> => {
      const grown = new Int32Array(old.length * 2);
      grown.set(old);
      return grown;
    };
    this.rawFrom = wider(this.rawFrom);
    this.rawTo = wider(this.rawTo);
    this.from = wider(this.from);
    this.to = wider(this.to);
    const flags = new Uint8Array(this.flags.length * 2);
    flags.set(this.flags);
    this.flags = flags;
  }
}

/** Whether a message is `z` and a stream of zlib, as rsyslog sends it. */
export function looksCompressed(data: Buffer, from: number, to: number): boolean {
  const head = ((data[from + 1] ?? 0) << 8) | (data[from + 2] ?? 0);
  // RFC 1950: method 8, a window up to 32 KiB, and a check that makes the two bytes a multiple of 31.
  return to - from > 8 && data[from] === 0x7a && (head & 0x8f00) === 0x0800 && head % 31 === 0;
}

/** What a compressed message holds, or null where it is none or gives far too much. `max`: the limit of a plain message. */
export function inflate(data: Buffer, from: number, to: number, max: number): Buffer | null {
  try {
    return inflateSync(data.subarray(from + 1, to), { maxOutputLength: max * inflateTimes });
  } catch {
    return null;
  }
}
