/**
 * The lines before a record, from the same stream and, where headers tell a process, from the same process. Holds a small
 * tail of the bytes that went before; gives lines cleaned, redacted and cut.
 */
import type { Format } from '../model/config.ts';
import { processOf, tellsApart } from './celery.ts';
import { cleanText } from './clean.ts';
import { redact } from './redact.ts';

/** Bytes before a record in which its context is looked for. */
const windowBytes = 8 * 1024;
/** Records closer than this share a window: it is read for so many bytes more. */
const sharedBytes = 16 * 1024;
/** Characters of one line. */
const maxLine = 2048;

/** Whether only the lines of the record's own process are wanted. */
function isApart(process: string | null, format: Format): boolean {
  return format !== 'plain' && tellsApart(process);
}

/** Lines of context at the end of a text; `process` is that of the record behind it. Oldest first. */
function linesBefore(text: string, process: string | null, count: number, format: Format): string[] {
  const one = isApart(process, format);
  const found: string[] = [];
  // Lines without a header belong to the header before them: they wait until it is seen.
  let waiting: string[] = [];
  let end = text.endsWith('\n') ? text.length - 1 : text.length;
  while (end > 0 && found.length < count) {
    const start = text.lastIndexOf('\n', end - 1) + 1;
    const line = text.slice(start, end);
    end = start - 1;
    if (line === '') continue;
    if (!one) {
      found.push(line);
      continue;
    }
    waiting.push(line);
    const own = processOf(line);
    if (own === null) continue;
    if (own === process) found.push(...waiting);
    waiting = [];
  }
  return found.slice(0, count).reverse().map(shownLine);
}

function shownLine(line: string): string {
  const text = redact(line.length > maxLine * 2 ? line.slice(0, maxLine * 2) : line).text;
  const cut = text.length > maxLine ? `${text.slice(0, maxLine).toWellFormed()}…` : text;
  // A copy, so that a kept line does not keep the whole window.
  return Buffer.from(cut).toString();
}

/** The lines of `data` from `from` to `to`, at most `count` of them, without blank ones. */
export function linesAfter(data: Buffer, from: number, to: number, count: number): string[] {
  const text = cleanText(data, from, Math.min(to, from + windowBytes));
  const lines = text.split('\n').filter((line) => line !== '');
  return lines.slice(0, count).map(shownLine);
}

/** The text of a lane, for the lines around its records. */
interface LaneText {
  readonly text: Buffer;
  readonly used: number;
  readonly recordAt: Int32Array;
  readonly json: boolean;
}

/** Bytes of a lane's text in which context is looked for. */
const laneWindow = 4 * 1024;

function isObject(line: string): boolean {
  return line.startsWith('{') && line.endsWith('}');
}

/** Gives a way to ask, later, for the lines before a lane's record. The bytes are taken now. */
export function contextBefore(
  lane: LaneText,
  record: number,
  process: string | null,
  count: number,
  format: Format,
): () => readonly string[] {
  const to = lane.recordAt[record] ?? 0;
  if (count === 0 || to === 0) return () => [];
  const from = Math.max(0, to - laneWindow);
  const bytes = Buffer.from(lane.text.subarray(from, to));
  const { json } = lane;
  return () => {
    const start = from > 0 ? bytes.indexOf(0x0a) + 1 : 0;
    let text = cleanText(bytes, start, bytes.length);
    // The message of a JSON line stands behind it, and is what a person wants to see.
    if (json)
      text = text
        .split('\n')
        .filter((line) => !isObject(line))
        .join('\n');
    return linesBefore(text, process, count, format);
  };
}

/** The lines of a lane behind a record. */
export function linesBehind(lane: LaneText, record: number, count: number): () => readonly string[] {
  if (count === 0) return () => [];
  const lines = linesAfter(lane.text, lane.recordAt[record + 1] ?? 0, lane.used, count * (lane.json ? 3 : 1));
  return () => (lane.json ? lines.filter((line) => !isObject(line)) : lines).slice(0, count);
}

/** What cleaning takes out: a line of nothing else is empty then. */
const uncleanCharacters = /[\0\r\x1b]/;

/** Where the last `count` lines before `to` begin that are not empty, or `from` where they reach back so far or can't be told. */
function lastLines(text: string, from: number, to: number, count: number): number {
  let at = to;
  for (let lines = 0; lines < count; ) {
    const start = at < 2 ? 0 : text.lastIndexOf('\n', at - 2) + 1;
    if (start <= from) return from;
    if (at - 1 > start) lines++;
    at = start;
  }
  return uncleanCharacters.test(text.slice(at, to)) ? from : at;
}

/** Context of one stream. Data given to `begin` must stay as it is until the next `begin` or `end`. */
export class ContextLines {
  readonly #count: number;
  readonly #format: Format;
  #tail: Buffer = Buffer.alloc(0);
  #tailEnd = -1;
  /** The tail begins within a line. */
  #tailCut = false;
  #data: Buffer = Buffer.alloc(0);
  #window = '';
  #windowStart = 0;
  #windowEnd = -1;
  /** Where the record before began. */
  #lastStart = Number.NEGATIVE_INFINITY;

  constructor(format: Format, count: number) {
    this.#format = format;
    this.#count = count;
  }

  /** Takes the bytes before `offset` for what went before. They may begin within a line. */
  lead(bytes: Buffer, offset: number): void {
    this.#tail = Buffer.from(bytes.subarray(-windowBytes));
    this.#tailCut = bytes.length < offset;
    this.#tailEnd = offset;
  }

  /** New bytes at an offset of the stream. What went before is forgotten when they do not follow it. */
  begin(data: Buffer, offset: number): void {
    if (offset !== this.#tailEnd) {
      this.#tail = Buffer.alloc(0);
      this.#tailCut = false;
    }
    this.#data = data;
    this.#windowEnd = -1;
    this.#lastStart = Number.NEGATIVE_INFINITY;
  }

  /** The first `consumed` bytes are done; their last ones are kept. */
  end(offset: number, consumed: number): void {
    if (this.#count > 0 && consumed > 0) {
      const from = Math.max(0, consumed - windowBytes);
      const kept = Math.max(0, windowBytes - consumed);
      const part = this.#data.subarray(from, consumed);
      this.#tailCut ||= from > 0 || this.#tail.length > kept;
      this.#tail = kept === 0 ? Buffer.from(part) : Buffer.concat([this.#tail.subarray(-kept), part]);
    }
    this.#tailEnd = offset + consumed;
    this.#data = Buffer.alloc(0);
  }

  /** Gives a way to ask, later, for the lines before the record that begins at `start` of the data. */
  before(start: number, process: string | null): () => readonly string[] {
    const count = this.#count;
    if (count === 0) return () => [];
    const place = this.#tail.length + start;
    const format = this.#format;
    const inside =
      start <= this.#windowEnd && (this.#windowStart === 0 || place - this.#windowStart >= windowBytes);
    const lonely = start - this.#lastStart > sharedBytes;
    this.#lastStart = start;
    if (!inside) {
      const few = lonely && !isApart(process, format) ? this.#lonely(start) : null;
      if (few !== null) return () => linesBefore(cleanText(few, 0, few.length), process, count, format);
      this.#read(start, lonely ? 0 : sharedBytes);
    }
    // The window is bytes, kept as one-byte characters, so that places in it are places in the stream.
    const text = this.#window;
    const to = place - this.#windowStart;
    const from = Math.max(0, to - windowBytes);
    const cut = from > 0 || this.#windowStart > 0 || this.#tailCut;
    return () => {
      const near = isApart(process, format) ? from : lastLines(text, from, to, count);
      const bytes = Buffer.from(text.slice(near, to), 'latin1');
      const start = cut && near === from ? bytes.indexOf(0x0a) + 1 : 0;
      return linesBefore(cleanText(bytes, start, bytes.length), process, count, format);
    };
  }

  /** The few lines before a record that stands alone; null where they reach back before the data. */
  #lonely(start: number): Buffer | null {
    const data = this.#data;
    let at = start;
    for (let lines = 0; lines < this.#count; ) {
      const from = data.lastIndexOf(0x0a, at - 2) + 1;
      if (at < 2 || from === 0) return null;
      if (from < start - windowBytes) break;
      if (at - 1 > from) lines++;
      at = from;
    }
    return Buffer.from(data.subarray(at, start));
  }

  #read(start: number, ahead: number): void {
    const tail = this.#tail;
    const from = start - windowBytes;
    const end = Math.min(this.#data.length, start + ahead);
    const ownFrom = Math.max(0, from);
    const own = this.#data.toString('latin1', ownFrom, end);
    // Places count from the head of the tail, as if tail and data were one.
    this.#window = from < 0 ? tail.toString('latin1') + own : own;
    this.#windowStart = from < 0 ? 0 : tail.length + ownFrom;
    this.#windowEnd = end;
  }
}
