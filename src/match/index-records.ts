/**
 * The index pass: finds where records begin, in one loop over the lines of a block. Every byte of every log passes here, so
 * it looks only for line feeds and at the first bytes of lines. It remembers where an open record stands, so that one which
 * is presented again with more bytes behind it is not read from its start again. It knows nothing of rules.
 */
import type { Multiline } from '../model/config.ts';
import { cleanText, wholeCharacters } from './clean.ts';
import {
  isClosingBrace,
  isGoFrame,
  isGoTrace,
  isHeader,
  isIndented,
  isJavaChain,
  isJsonObject,
  isPythonChain,
  isPythonTrace,
} from './line-shapes.ts';
import type { Pattern } from './regex.ts';
import { compilePattern } from './regex.ts';
import { stampOf } from './stamps.ts';

/** A record of many lines is cut here; what follows begins a new one. */
export const maxRecordBytes = 1024 * 1024;
/** A header inside an open trace whose time is so far from its record's may be a quotation. */
const strangeTimeMs = 3_600_000;
/** So many bytes and headers after it are asked whether it is one. */
const witnessBytes = 64 * 1024;
const witnessHeaders = 8;

const python = 1;
const java = 2;
const node = 4;
const go = 8;
const indent = 16;
const headers = 32;
const masks = {
  auto: python | java | node | go | indent | headers,
  none: 0,
  python: python | indent,
  java: java | indent,
  node: node | indent,
  go: go | indent,
  indent,
};

/** A run of so many NULs at the head of a line is a hole in the file and ends the record before it. */
const holeBytes = 4096;

/** First bytes of lines that may continue a record without being in a trace. */
const special = new Uint8Array(256);
for (const ch of ' \tTDCS.g}0123456789') special[ch.charCodeAt(0)] = 1;

/** Where a trace stands: outside, among Python's frames, after its exception line, among Go's frames. */
const outside = 0;
const inFrames = 1;
const afterException = 2;
const inGo = 3;

/** State that the lines of a record can't tell, since it was begun by a cut. */
export interface Inherited {
  readonly header: boolean;
  readonly hadTrace: boolean;
  readonly trace: number;
}

export interface IndexOptions {
  readonly multiline: Multiline;
  readonly tz: string;
  readonly maxLineBytes: number;
}

/** Record starts of one block. Arrays are reused: read them before the next call. */
export class RecordIndex {
  /** Offsets of record starts; `starts[count]` is where the last one ends. */
  starts = new Int32Array(4096);
  count = 0;
  /** Records that were cut: index -> where their text ends. */
  readonly cuts = new Map<number, number>();
  /** Lines before this were read; the rest is an unfinished line. */
  scanned = 0;
  /** The unfinished line was over the limit: its head is taken, the rest is to be skipped up to its end. */
  midLine = false;

  readonly #mask: number;
  readonly #start: Pattern | null;
  /** Each line is a record. */
  readonly #alone: boolean;
  readonly #options: IndexOptions;
  #open = false;
  #openHeader = false;
  #hadTrace = false;
  #trace = outside;
  #forceStart = false;
  /** What a record that began without being asked (after a cut) took over. */
  #inherited: Inherited | null = null;

  constructor(options: IndexOptions) {
    this.#options = options;
    this.#mask = typeof options.multiline === 'string' ? masks[options.multiline] : 0;
    this.#start = null;
    if (typeof options.multiline !== 'string') {
      const compiled = compilePattern(options.multiline.start);
      // A pattern that does not compile is refused by the configuration; each line stands alone then.
      if (compiled.ok) this.#start = compiled.pattern;
    }
    this.#alone = this.#mask === 0 && this.#start === null;
  }

  /** Forgets the open record: what comes next begins a new one. */
  close(): void {
    this.#open = false;
    this.#openHeader = false;
    this.#hadTrace = false;
    this.#trace = outside;
    this.#forceStart = false;
    this.#inherited = null;
    this.count = 0;
    this.cuts.clear();
    this.scanned = 0;
  }

  /** Records that are complete although more bytes may come: all but the open one. A cut one is complete. */
  get complete(): number {
    return this.#open && !this.#forceStart ? this.count - 1 : this.count;
  }

  /** What must be kept to read on from the end of the complete records, or null where nothing must. */
  get inherited(): Inherited | null {
    return this.#forceStart ? this.#state() : this.#inherited;
  }

  /** Goes on where `inherited` was taken. */
  inherit(state: Inherited): void {
    this.#open = true;
    this.#openHeader = state.header;
    this.#hadTrace = state.hadTrace;
    this.#trace = state.trace;
    this.#forceStart = true;
  }

  #state(): Inherited {
    return { header: this.#openHeader, hadTrace: this.#hadTrace, trace: this.#trace };
  }

  /**
   * Moves what is remembered of the open record to the front of the next block. `kept`: the bytes from its start that were
   * read already.
   */
  resume(kept: number): void {
    this.starts[0] = 0;
    this.count = this.#open && !this.#forceStart ? 1 : 0;
    this.cuts.clear();
    this.scanned = kept;
  }

  /**
   * Reads the lines of `data` from `scanned` on. `final`: an unfinished last line counts as finished. `waiting`: more bytes
   * may come, so a doubtful header may be left for later. Text begins at `textStart` (after a byte order mark).
   */
  read(
    data: Buffer,
    textStart: number,
    options: { final: boolean; waiting: boolean; receivedAt: number },
  ): void {
    const length = data.length;
    const maxLine = this.#options.maxLineBytes;
    let at = this.scanned;
    let colour = data.indexOf(0x1b, at);
    let nul = data.indexOf(0, at);
    const plain = this.#alone;
    const quick = (this.#mask & headers) !== 0;
    while (at < length) {
      let from = at === 0 ? textStart : at;
      if (nul >= 0 && nul < from) nul = data.indexOf(0, from);
      if (colour >= 0 && colour < from) colour = data.indexOf(0x1b, from);
      if (nul === from) {
        // A hole that a truncation left: its bytes belong to no line.
        while (data[from] === 0) from++;
        if (from - at >= holeBytes) this.#forceStart = this.#open;
        if (from === length) {
          if (options.final || from - at >= holeBytes) at = length;
          break;
        }
        nul = data.indexOf(0, from);
      }
      let end = data.indexOf(0x0a, from);
      let next = end + 1;
      if (end < 0) {
        if (length - from > maxLine) {
          this.#addLong(data, from, from + maxLine);
          this.midLine = true;
          at = length;
          break;
        }
        if (!options.final) break;
        end = length;
        next = length;
      }
      if (end - from > maxLine) {
        this.#addLong(data, from, from + maxLine);
        at = next;
        continue;
      }
      const odd = (colour >= 0 && colour < end) || (nul >= 0 && nul < end);
      if (odd) {
        const line = Buffer.from(cleanText(data, from, end));
        if (line.length > 0) {
          const verdict = plain ? true : this.#begins(line, 0, line.length, data, next, from, options);
          if (verdict === null) break;
          this.#add(verdict, from, next);
        }
      } else {
        let to = end;
        while (to > from && data[to - 1] === 0x0d) to--;
        if (to > from) {
          if (quick && this.#quick(data, from, to, next)) {
            at = next;
            continue;
          }
          const verdict = plain ? true : this.#begins(data, from, to, data, next, from, options);
          if (verdict === null) break;
          this.#add(verdict, from, next);
        }
      }
      at = next;
    }
    this.scanned = at;
    this.starts[this.count] = at;
  }

  /** The two lines that most logs are made of: a header outside a trace, and a continuation of a record with a header. */
  #quick(data: Buffer, from: number, to: number, next: number): boolean {
    if (this.#forceStart) return false;
    const first = data[from] as number;
    if ((first === 0x5b || first === 0x32 || (first >= 0x41 && first <= 0x53)) && isHeader(data, from, to)) {
      if (this.#hadTrace) return false;
      this.#openHeader = true;
      this.#trace = outside;
      this.#inherited = null;
      this.#push(from);
      return true;
    }
    if (this.#openHeader && this.#open) {
      if (first === 0x7b || first === 0x54 || (first >= 0x30 && first <= 0x39)) return false;
      return next - (this.starts[this.count - 1] ?? 0) <= maxRecordBytes;
    }
    if (this.#trace !== outside || this.#hadTrace || special[first] === 1) return false;
    this.#openHeader = false;
    this.#inherited = null;
    this.#push(from);
    return true;
  }

  #add(begins: boolean, at: number, next: number): void {
    if (!begins && this.#open) {
      if (next - (this.starts[this.count - 1] ?? 0) <= maxRecordBytes) return;
      this.#inherited = this.#state();
    }
    this.#push(at);
  }

  #push(at: number): void {
    if (this.count + 2 > this.starts.length) {
      const larger = new Int32Array(this.starts.length * 2);
      larger.set(this.starts);
      this.starts = larger;
    }
    this.starts[this.count++] = at;
    // Where each line stands alone nothing can follow it: it is complete at its end.
    this.#open = !this.#alone;
  }

  /** A line over the limit: its head ends the open record if it belongs to it, else is a record; the next line begins anew. */
  #addLong(data: Buffer, at: number, cut: number): void {
    const line = Buffer.from(cleanText(data, at, cut));
    const begins =
      this.#mask === 0 && this.#start === null
        ? true
        : this.#begins(line, 0, line.length, data, data.length, at, { waiting: false, receivedAt: 0 });
    this.#add(begins !== false, at, cut);
    this.cuts.set(this.count - 1, wholeCharacters(data, at, cut));
    this.#forceStart = true;
  }

  /**
   * Whether a line (without its end) begins a record. Null: it can't be told before more bytes are there. `next` is where
   * the following line begins in `data`, `lineAt` where this one does.
   */
  #begins(
    line: Buffer,
    from: number,
    to: number,
    data: Buffer,
    next: number,
    lineAt: number,
    options: { readonly waiting: boolean; readonly receivedAt: number },
  ): boolean | null {
    if (this.#start !== null) return this.#start.test(line.subarray(from, to)) || this.#taken();
    if ((this.#mask & headers) !== 0) {
      const header = isHeader(line, from, to);
      if (header) {
        if (this.#open && this.#hadTrace && this.#openHeader && !this.#forceStart) {
          const quoted = this.#isQuoted(line, from, data, next, lineAt, options);
          if (quoted === null) return null;
          if (quoted) return false;
        }
        return this.#opened(true);
      }
      if (this.#openHeader && this.#open) {
        if (this.#forceStart) return this.#forced();
        if (isJsonObject(line, from, to) && !this.#hadTrace) return this.#opened(false);
        if (isPythonTrace(line, from, to)) this.#hadTrace = true;
        return false;
      }
    }
    if (this.#forceStart) return this.#forced();
    return this.#continues(line, from, to) && this.#open ? false : this.#opened(false);
  }

  #taken(): boolean {
    const forced = this.#forceStart;
    this.#forceStart = false;
    return forced;
  }

  /** After a cut the next line begins a record, but the stream's ways are not forgotten. */
  #forced(): true {
    this.#inherited = this.#state();
    this.#forceStart = false;
    return true;
  }

  #opened(header: boolean): true {
    this.#openHeader = header;
    this.#forceStart = false;
    this.#inherited = null;
    if (header) {
      this.#trace = outside;
      this.#hadTrace = false;
    }
    return true;
  }

  /** The forms of continuation that need no header, by language. Moves the state of the trace. */
  #continues(line: Buffer, from: number, to: number): boolean {
    const mask = this.#mask;
    if (isIndented(line, from)) return (mask & indent) !== 0;
    if ((mask & python) !== 0) {
      if (isPythonTrace(line, from, to)) {
        this.#trace = inFrames;
        this.#hadTrace = true;
        return true;
      }
      if (this.#trace === inFrames) {
        this.#trace = afterException;
        return true;
      }
      if (this.#trace === afterException && isPythonChain(line, from, to)) return true;
    }
    if ((mask & java) !== 0 && isJavaChain(line, from, to)) return true;
    if ((mask & go) !== 0) {
      if (isGoTrace(line, from, to)) {
        this.#trace = inGo;
        return true;
      }
      if (this.#trace === inGo && isGoFrame(line, from, to)) return true;
    }
    if ((mask & node) !== 0 && isClosingBrace(line, from, to)) return true;
    this.#trace = outside;
    this.#hadTrace = false;
    return false;
  }

  /** Whether a header inside an open trace is text: its time is strange, and what follows goes on in the record's time. */
  #isQuoted(
    line: Buffer,
    from: number,
    data: Buffer,
    next: number,
    lineAt: number,
    options: { readonly waiting: boolean; readonly receivedAt: number },
  ): boolean | null {
    const recordStart = this.starts[this.count - 1] ?? 0;
    if (recordStart >= lineAt) return false;
    const own = this.#timeAt(data, recordStart, options.receivedAt);
    const here = this.#timeAt(line, from, options.receivedAt);
    if (own === null || here === null || Math.abs(here - own) < strangeTimeMs) return false;
    const limit = Math.min(data.length, next + witnessBytes);
    let seen = 0;
    for (let at = next; at < limit && seen < witnessHeaders; ) {
      const end = data.indexOf(0x0a, at);
      if (end < 0) break;
      if (isHeader(data, at, end)) {
        const time = this.#timeAt(data, at, options.receivedAt);
        if (time !== null && Math.abs(time - own) < strangeTimeMs && Math.abs(time - here) >= strangeTimeMs)
          return true;
        seen++;
      }
      at = end + 1;
    }
    if (seen > 0) return false;
    if (options.waiting && data.length - next < witnessBytes) return null;
    // No witness: a time that went back is a quotation; one that went on is the next job of a quiet worker, unless the
    // record is of this very hour and the line is not.
    if (here < own) return true;
    return (
      Math.abs(options.receivedAt - own) < strangeTimeMs &&
      Math.abs(options.receivedAt - here) >= strangeTimeMs
    );
  }

  #timeAt(data: Buffer, at: number, receivedAt: number): number | null {
    const head = cleanText(data, at, Math.min(data.length, at + 80));
    return stampOf(head, this.#options.tz, receivedAt)?.time ?? null;
  }
}
