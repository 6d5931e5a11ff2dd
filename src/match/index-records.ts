/**
 * The index pass: finds where records begin, in one loop over the lines of a block. Every byte of every log passes here, so
 * it looks only for line feeds and at the first bytes of lines. It remembers where an open record stands, so that one which
 * is presented again with more bytes behind it is not read from its start again. It knows nothing of rules.
 */
import type { Multiline } from '../model/config.ts';
import { alikeStarts, type PushStarts } from './alike-starts.ts';
import { cleanText, wholeCharacters } from './clean.ts';
import { NextByte } from './next-byte.ts';
import { isQuotedHeader } from './quoted-header.ts';
import { begins, continues, type Inherited, RecordStarts } from './record-starts.ts';
import { resized } from './unit-log.ts';

/** A record of many lines is cut here; what follows begins a new one. */
export const maxRecordBytes = 1024 * 1024;
/** A run of so many NULs at the head of a line is a hole in the file and ends the record before it. */
const holeBytes = 4096;

/** After so many lines that began a record each, more of their shape are looked for. */
const enoughAlike = 4;
/** Where there are none, so many lines go by before it is tried again. */
const notAlike = 60;
/** Behind which so many bytes must stand. */
const fewBytes = 2048;

/** Room for record starts at first; it doubles. Each stream has its own, and thousands of them are quiet. */
const startsAtFirst = 64;

export interface IndexOptions {
  readonly multiline: Multiline;
  readonly tz: string;
  readonly maxLineBytes: number;
}

/** How a block is to be read. */
export interface IndexRead {
  /** An unfinished last line counts as finished. */
  readonly final: boolean;
  /** More bytes may come, so that a doubtful header may be left for later. */
  readonly waiting: boolean;
  readonly receivedAt: number;
}

/** Record starts of one block. Arrays are reused: read them before the next call. */
export class RecordIndex {
  /** Offsets of record starts; `starts[count]` is where the last one ends. */
  starts = new Int32Array(startsAtFirst);
  count = 0;
  /** Records that were cut: index -> where their text ends. */
  readonly cuts = new Map<number, number>();
  /** Lines before this were read; the rest is an unfinished line. */
  scanned = 0;
  /** The unfinished line was over the limit: its head is taken, the rest is to be skipped up to its end. */
  midLine = false;

  readonly #options: IndexOptions;
  readonly #lines: RecordStarts;
  readonly #colour = new NextByte(0x1b);
  readonly #nul = new NextByte(0);
  /** Bytes that are known to be printable ASCII, tabs and line ends: from, to, from, to, in order. */
  readonly #plain: number[] = [];

  constructor(options: IndexOptions) {
    this.#options = options;
    this.#lines = new RecordStarts(options.multiline);
  }

  /** Forgets the open record: what comes next begins a new one. */
  close(): void {
    this.#lines.close();
    this.count = 0;
    this.cuts.clear();
    this.scanned = 0;
  }

  /** Records that are complete although more bytes may come: all but the open one. A cut one is complete. */
  get complete(): number {
    return this.#lines.open && !this.#lines.force ? this.count - 1 : this.count;
  }

  /** What must be kept to read on from the end of the complete records, or null where nothing must. */
  get inherited(): Inherited | null {
    return this.#lines.inherited;
  }

  /** How records begin, as far as the stream taught it, or null. */
  get learned(): string | null {
    return this.#lines.learned;
  }

  /** Takes up what was learned in an earlier run. */
  remember(shape: string): void {
    this.#lines.remember(shape);
  }

  /** Goes on where `inherited` was taken. */
  inherit(state: Inherited): void {
    this.#lines.inherit(state);
  }

  /**
   * Moves what is remembered of the open record to the front of the next block. `kept`: the bytes from its start that were
   * read already.
   */
  resume(kept: number): void {
    this.starts[0] = 0;
    this.count = this.#lines.open && !this.#lines.force ? 1 : 0;
    this.cuts.clear();
    this.scanned = kept;
  }

  /** Reads the lines of `data` from `scanned` on. Text begins at `textStart` (after a byte order mark). */
  read(data: Buffer, textStart: number, how: IndexRead): void {
    const length = data.length;
    const maxLine = this.#options.maxLineBytes;
    const lines = this.#lines;
    const { quickly } = lines;
    let at = this.scanned;
    const colour = this.#colour;
    const nul = this.#nul;
    colour.forget();
    nul.forget();
    this.#plain.length = 0;
    /** Lines one behind the other that began a record. */
    let alike = 0;
    alikeStarts().forget();
    while (at < length) {
      let from = at === 0 ? textStart : at;
      if (data[from] === 0) {
        // A hole that a truncation left: its bytes belong to no line.
        while (data[from] === 0) from++;
        if (from - at >= holeBytes) lines.force = lines.open;
        if (from === length) {
          if (how.final || from - at >= holeBytes) at = length;
          break;
        }
      }
      let end = data.indexOf(0x0a, from);
      let next = end + 1;
      if (end < 0) {
        if (length - from > maxLine) {
          this.#long(data, from, from + maxLine, how.receivedAt);
          this.midLine = true;
          at = length;
          break;
        }
        if (!how.final) break;
        end = length;
        next = length;
      }
      if (end - from > maxLine) {
        this.#long(data, from, from + maxLine, how.receivedAt);
      } else if (colour.isWithin(data, from, end) || nul.isWithin(data, from, end)) {
        // Colours may stand before a header: the line is looked at as rules will see it.
        const line = Buffer.from(cleanText(data, from, end));
        if (line.length > 0 && !this.#line(line, 0, line.length, data, from, next, how)) break;
      } else {
        while (end > from && data[end - 1] === 0x0d) end--;
        if (end > from) {
          const verdict = quickly ? lines.quick(data, from, end) : 0;
          if (verdict === begins) {
            this.#push(from);
            if (++alike < enoughAlike) {
              at = next;
              continue;
            }
            at = this.#alike(data, from, end, next);
            alike = at > next ? 0 : -notAlike;
            continue;
          }
          alike = Math.min(0, alike);
          if (verdict === continues) this.#goOn(from, next);
          else if (!this.#line(data, from, end, data, from, next, how)) break;
        }
      }
      at = next;
    }
    this.scanned = at;
    this.starts[this.count] = at;
  }

  /** Whether the last read showed that bytes are text as they stand; false says nothing. */
  isPlain(from: number, to: number): boolean {
    const plain = this.#plain;
    let at = 0;
    while (at < plain.length && (plain[at + 1] as number) < to) at += 2;
    return at < plain.length && (plain[at] as number) <= from;
  }

  /** Whether there is a NUL in the bytes before `to` of those that were read last. */
  hasNul(data: Buffer, to: number): boolean {
    const plain = this.#plain;
    let from = 0;
    for (let at = 0; at < plain.length && from < to; at += 2) {
      if (data.subarray(from, Math.min(to, plain[at] as number)).includes(0)) return true;
      from = plain[at + 1] as number;
    }
    return from < to && data.subarray(from, to).includes(0);
  }

  /** A line in full; false where it can't be told yet what it is. `line` may be a cleaned copy, `at` is its place. */
  #line(
    line: Buffer,
    from: number,
    to: number,
    data: Buffer,
    at: number,
    next: number,
    how: Pick<IndexRead, 'waiting' | 'receivedAt'>,
  ): boolean {
    const recordStart = this.starts[this.count - 1] ?? 0;
    const verdict = this.#lines.asks(line, from, to, () =>
      isQuotedHeader({ data, recordStart, line, from, next }, this.#options.tz, how),
    );
    if (verdict === null) return false;
    if (verdict || !this.#lines.open) this.#push(at);
    else this.#goOn(at, next);
    return true;
  }

  /** One more line of the open record, unless that has become too long: then the line begins one with the same ways. */
  #goOn(at: number, next: number): void {
    if (next - (this.starts[this.count - 1] ?? 0) <= maxRecordBytes) return;
    this.#lines.cut();
    this.#push(at);
  }

  /** Goes on behind lines that begin a record each, as the one from `from` to `end` did; gives where it stopped. */
  #alike(data: Buffer, from: number, end: number, next: number): number {
    if (data.length - next < fewBytes) return next;
    const shape = this.#lines.alike(data, from, end);
    if (shape === null) return next;
    const at = alikeStarts().find(data, next, this.#options.maxLineBytes, shape, this.#pushAll);
    if (at > next) this.#lines.begunAlike();
    return at;
  }

  readonly #pushAll: PushStarts = (starts, count, plainFrom, plainTo) => {
    if (plainTo > plainFrom) {
      if (this.#plain.at(-1) === plainFrom) this.#plain.pop();
      else this.#plain.push(plainFrom);
      this.#plain.push(plainTo);
    }
    const needed = this.count + count + 2;
    if (needed > this.starts.length)
      this.starts = resized(this.starts, Math.max(needed, this.starts.length * 2));
    this.starts.set(count === starts.length ? starts : starts.subarray(0, count), this.count);
    this.count += count;
  };

  #push(at: number): void {
    if (this.count + 2 > this.starts.length) this.starts = resized(this.starts, this.starts.length * 2);
    this.starts[this.count++] = at;
    // Where each line stands alone nothing can follow it: it is complete at its end.
    this.#lines.open = !this.#lines.alone;
  }

  /** A line over the limit: its head ends the open record if it belongs to it, else is a record; the next line begins anew. */
  #long(data: Buffer, at: number, cut: number, receivedAt: number): void {
    const line = Buffer.from(cleanText(data, at, cut));
    this.#line(line, 0, line.length, data, at, cut, { waiting: false, receivedAt });
    this.cuts.set(this.count - 1, wholeCharacters(data, at, cut));
    this.#lines.force = true;
  }
}
