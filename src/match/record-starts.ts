/**
 * Decides, line by line, whether a line begins a record or goes on with the open one: headers, indents, and the traces of
 * several languages. Holds what the lines before said; reads no more than the first bytes of a line.
 */
import type { Multiline } from '../model/config.ts';
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
import { compilePattern, type Pattern } from './regex.ts';

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
  ruby: indent,
  dotnet: indent,
  php: indent,
  rust: indent,
  indent,
};

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
  #hadTrace = false;
  #trace = outside;
  /** What a record that began without being asked took over. */
  #inherited: Inherited | null = null;

  constructor(multiline: Multiline) {
    this.#mask = typeof multiline === 'string' ? masks[multiline] : 0;
    // A pattern that does not compile is refused by the configuration; each line stands alone then.
    this.#start = typeof multiline === 'string' ? null : startPattern(multiline.start);
    this.alone = this.#mask === 0 && this.#start === null;
  }

  /** Forgets the open record: what comes next begins a new one. */
  close(): void {
    this.open = false;
    this.force = false;
    this.#openHeader = false;
    this.#hadTrace = false;
    this.#trace = outside;
    this.#inherited = null;
  }

  /** A trace below a header is open: what looks like a record may be a part of it. */
  get inTrace(): boolean {
    return this.open && this.#openHeader && this.#hadTrace && !this.force;
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
    this.#hadTrace = state.hadTrace;
    this.#trace = state.trace;
  }

  /** Notes that the open record was cut before this line, which goes on with its ways. */
  cut(): void {
    this.#inherited = this.#state();
  }

  #state(): Inherited {
    return { header: this.#openHeader, hadTrace: this.#hadTrace, trace: this.#trace };
  }

  /** Headers are looked for, so that `quick` may be asked. */
  get quickly(): boolean {
    return (this.#mask & headers) !== 0;
  }

  /** The lines that most logs are made of: a header outside a trace, a plain line, one more line below a header. */
  quick(data: Buffer, from: number, to: number): number {
    if (this.force) return unknown;
    const first = data[from] as number;
    if ((first === 0x5b || first === 0x32 || (first >= 0x41 && first <= 0x53)) && isHeader(data, from, to)) {
      if (this.#hadTrace) return unknown;
      this.#openHeader = true;
      this.#trace = outside;
      this.#inherited = null;
      return begins;
    }
    if (this.#openHeader && this.open) {
      return first === 0x7b || first === 0x54 || (first >= 0x30 && first <= 0x39) ? unknown : continues;
    }
    if (this.#trace !== outside || this.#hadTrace || special[first] === 1) return unknown;
    this.#openHeader = false;
    this.#inherited = null;
    return begins;
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
      if (isHeader(line, from, to)) {
        if (this.open && this.#hadTrace && this.#openHeader && !this.force) {
          const quoted = isQuoted();
          if (quoted !== false) return quoted === null ? null : false;
        }
        return this.#opened(true);
      }
      if (this.#openHeader && this.open) {
        if (this.force) return this.#forced();
        if (isJsonObject(line, from, to) && !this.#hadTrace) return this.#opened(false);
        if (isPythonTrace(line, from, to)) this.#hadTrace = true;
        return false;
      }
    }
    if (this.force) return this.#forced();
    return this.#continues(line, from, to) && this.open ? false : this.#opened(false);
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
}
