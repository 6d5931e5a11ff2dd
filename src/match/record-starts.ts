/**
 * Decides, line by line, whether a line begins a record or goes on with the open one: headers, indents, and the traces of
 * several languages. Holds what the lines before said; reads no more than the first bytes of a line.
 */
import type { Multiline } from '../model/config.ts';
import { LearnedStart } from './learned-start.ts';
import { isHeader, isJsonObject, isPythonTrace } from './line-shapes.ts';
import { compilePattern, type Pattern } from './regex.ts';
import { headers, languageMasks, outside, TraceLines } from './trace-lines.ts';

/** First bytes of lines that may continue a record without being in a trace. */
const special = new Uint8Array(256);
for (const ch of ' \tTDCS.g}0123456789') special[ch.charCodeAt(0)] = 1;
/** And of those that may only with a second byte: `panic`, `fatal`, `thread`, `--- End`. */
const secondByte = new Uint8Array(256);
for (const [first, second] of ['pa', 'fa', 'th', '--'].map((word) => [
  word.charCodeAt(0),
  word.charCodeAt(1),
]))
  secondByte[first as number] = second as number;

/** Whether a line can't be told to begin a record from its first bytes alone. */
export function isDoubtful(data: Buffer, from: number): boolean {
  const first = data[from] as number;
  return special[first] === 1 || (secondByte[first] !== 0 && secondByte[first] === data[from + 1]);
}

/** State that the lines of a record can't tell, since it was begun by a cut. */
export interface Inherited {
  readonly header: boolean;
  readonly hadTrace: boolean;
  readonly trace: number;
}

/** The commonest headers that `isHeader` knows. */
const headerStarts = ['[9999-99-99 99:99:99', '9999-99-99 99:99:99', '9999-99-99T99:99:99'].map(
  (shape) => new LearnedStart(shape),
);

/** What a quick look says of a line. */
export const unknown = 0;
export const begins = 1;
export const continues = 2;

/** The last pattern: the lanes of a stream share one. */
let lastStart: { readonly text: string; readonly pattern: Pattern | null } | null = null;

function startPattern(text: string): Pattern | null {
  if (lastStart?.text !== text) {
    const compiled = compilePattern(text);
    lastStart = { text, pattern: compiled.ok ? compiled.pattern : null };
  }
  return lastStart.pattern;
}

export class RecordStarts {
  /** Each line is a record: nothing can follow it. */
  readonly alone: boolean;
  /** A record is open. */
  open = false;
  /** The next line begins a record whatever it looks like: the one before was cut. */
  force = false;
  readonly #mask: number;
  readonly #start: Pattern | null;
  #openHeader = false;
  readonly #trace: TraceLines;
  /** Learns how records of this stream begin; null once it is known or given up. */
  #learning: LearnedStart | null;
  #learned: LearnedStart | null = null;
  /** What a record that began without being asked took over. */
  #inherited: Inherited | null = null;

  constructor(multiline: Multiline) {
    this.#mask = typeof multiline === 'string' ? languageMasks[multiline] : 0;
    this.#trace = new TraceLines(this.#mask);
    this.#learning = (this.#mask & headers) === 0 ? null : new LearnedStart();
    // A pattern that does not compile is refused by the configuration; each line stands alone then.
    this.#start = typeof multiline === 'string' ? null : startPattern(multiline.start);
    this.alone = this.#mask === 0 && this.#start === null;
  }

  /** Forgets the open record: what comes next begins a new one. */
  close(): void {
    this.open = false;
    this.force = false;
    this.#openHeader = false;
    this.#trace.reset();
    this.#inherited = null;
  }

  /** A trace below a header is open: what looks like a record may be a part of it. */
  get inTrace(): boolean {
    return this.open && this.#openHeader && this.#trace.had && !this.force;
  }

  /** How records begin, as far as the stream taught it: a text for the state, or null. */
  get learned(): string | null {
    return this.#learned?.shape ?? null;
  }

  /** Takes up what was learned in an earlier run. */
  remember(shape: string): void {
    if ((this.#mask & headers) === 0) return;
    this.#learned = new LearnedStart(shape);
    this.#learning = null;
  }

  /** What must be kept to read on from the end of the complete records, or null where nothing must. */
  get inherited(): Inherited | null {
    return this.force && !this.alone ? this.#state() : this.#inherited;
  }

  /** Goes on where `inherited` was taken. */
  inherit(state: Inherited): void {
    this.open = true;
    this.force = true;
    this.#openHeader = state.header;
    this.#trace.had = state.hadTrace;
    this.#trace.state = state.trace;
  }

  /** Notes that the open record was cut before this line, which goes on with its ways. */
  cut(): void {
    this.#inherited = this.#state();
  }

  #state(): Inherited {
    return { header: this.#openHeader, hadTrace: this.#trace.had, trace: this.#trace.state };
  }

  /** Headers are looked for, so that `quick` may be asked. */
  get quickly(): boolean {
    return (this.#mask & headers) !== 0;
  }

  /** The lines that most logs are made of: a header outside a trace, a plain line, one more line below a header. */
  quick(data: Buffer, from: number, to: number): number {
    if (this.force) return unknown;
    const first = data[from] as number;
    const trace = this.#trace;
    if (
      ((first === 0x5b || first === 0x32 || (first >= 0x41 && first <= 0x57)) && isHeader(data, from, to)) ||
      this.#learned?.fits(data, from, to)
    ) {
      if (trace.had) return unknown;
      this.#openHeader = true;
      trace.state = outside;
      this.#inherited = null;
      return begins;
    }
    if (this.#openHeader && this.open) {
      return first === 0x7b || first === 0x54 || (first >= 0x30 && first <= 0x39) ? unknown : continues;
    }
    if (trace.state !== outside || trace.had || isDoubtful(data, from)) return unknown;
    // `Name (text):` of Rails and `/srv/app.js:12` of Node may be the first lines of a trace.
    const last = data[to - 1] as number;
    if ((last === 0x3a && data[to - 2] === 0x29) || (first === 0x2f && last <= 0x39)) return unknown;
    this.#openHeader = false;
    this.#inherited = null;
    if (this.#learning !== null) this.#learn(data, from, to);
    return begins;
  }

  /** One more line that begins a record and has no known header. */
  #learn(data: Buffer, from: number, to: number): void {
    const verdict = this.#learning?.see(data, from, to);
    if (verdict === undefined || verdict === null) return;
    this.#learned = verdict ? this.#learning : null;
    this.#learning = null;
  }

  /**
   * The shape of a line that began a record, where whatever begins so is a header, and the lines behind it that do begin records
   * too; null where that can't be said.
   */
  alike(data: Buffer, from: number, to: number): string | null {
    if (this.force || this.#trace.had || !this.#openHeader) return null;
    const learned = this.#learned;
    if (learned?.fits(data, from, to)) return learned.shape;
    return headerStarts.find((start) => start.fits(data, from, to))?.shape ?? null;
  }

  /** Lines that are alike were found behind one of which `alike` gave the shape. */
  begunAlike(): void {
    this.open = true;
    this.#trace.state = outside;
    this.#inherited = null;
  }

  /** Whether a line begins a record whatever stands before it, but for a header that a trace quotes. */
  surely(line: Buffer, from: number, to: number): boolean {
    if (this.alone) return true;
    if (this.#start !== null) return this.#start.test(line.subarray(from, to));
    return (this.#mask & headers) !== 0 && this.#isHeader(line, from, to);
  }

  #isHeader(line: Buffer, from: number, to: number): boolean {
    return isHeader(line, from, to) || (this.#learned?.fits(line, from, to) ?? false);
  }

  /**
   * Whether a line, without its end, begins a record. `isQuoted` is asked about a header inside an open trace; where it
   * can't tell yet (null), neither can this.
   */
  asks(line: Buffer, from: number, to: number, isQuoted: () => boolean | null): boolean | null {
    if (this.alone) return true;
    if (this.#start !== null) {
      const forced = this.force;
      this.force = false;
      return this.#start.test(line.subarray(from, to)) || forced;
    }
    if ((this.#mask & headers) !== 0) {
      if (this.#isHeader(line, from, to)) {
        if (this.open && this.#trace.had && this.#openHeader && !this.force) {
          const quoted = isQuoted();
          if (quoted !== false) return quoted === null ? null : false;
        }
        return this.#opened(true);
      }
      if (this.#openHeader && this.open) {
        if (this.force) return this.#forced();
        if (isJsonObject(line, from, to) && !this.#trace.had) return this.#opened(false);
        if (isPythonTrace(line, from, to)) this.#trace.had = true;
        return false;
      }
    }
    if (this.force) return this.#forced();
    const goesOn = this.#trace.continues(line, from, to);
    if (goesOn && this.open) return false;
    if (!goesOn) this.#trace.begins(line, from, to);
    if (this.#learning !== null) this.#learn(line, from, to);
    return this.#opened(false);
  }

  /** After a cut the next line begins a record, but the stream's ways are not forgotten. */
  #forced(): true {
    this.#inherited = this.#state();
    this.force = false;
    return true;
  }

  #opened(header: boolean): true {
    this.#openHeader = header;
    this.force = false;
    this.#inherited = null;
    if (header) this.#trace.reset();
    return true;
  }
}
