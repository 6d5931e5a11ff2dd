/**
 * The lines of traces: which line goes on with a record although no header tells so, by language. Holds where in a trace the
 * stream stands; looks at the bytes of one line at a time.
 */
import type { Multiline } from '../model/config.ts';
import {
  isClosingBrace,
  isGoFrame,
  isGoTrace,
  isIndented,
  isJavaChain,
  isPythonChain,
  isPythonTrace,
} from './line-shapes.ts';
import {
  isDotnetBorder,
  isGoNote,
  isGoPanic,
  isNodePlace,
  isNodeVersion,
  isPhpFrame,
  isPhpTrace,
  isRubyError,
  isRubyFrame,
  isRustNote,
  isRustPanic,
  namesError,
} from './trace-shapes.ts';

const python = 1;
const java = 2;
const node = 4;
const go = 8;
const indent = 16;
/** Headers are looked for. */
export const headers = 32;
const ruby = 64;
const dotnet = 128;
const php = 256;
const rust = 512;

/** What is looked for under each name in the configuration. */
export const languageMasks: Readonly<Record<Extract<Multiline, string>, number>> = {
  auto: python | java | node | go | ruby | dotnet | php | rust | indent | headers,
  none: 0,
  python: python | indent,
  java: java | indent,
  node: node | indent,
  go: go | indent,
  ruby: ruby | indent,
  dotnet: dotnet | indent,
  php: php | indent,
  rust: rust | indent,
  indent,
};

/** Where a trace stands: outside; among Python's frames, behind its exception line; among Go's frames; and so on. */
export const outside = 0;
const inFrames = 1;
const afterException = 2;
const inGo = 3;
const inPhp = 4;
const rustMessage = 5;
const inRust = 6;
const inRuby = 7;
const nodePlace = 8;
const nodeEnd = 9;

export class TraceLines {
  state = outside;
  /** The open record holds a Python trace. */
  had = false;
  readonly #mask: number;

  constructor(mask: number) {
    this.#mask = mask;
  }

  /** No trace is open. */
  reset(): void {
    this.state = outside;
    this.had = false;
  }

  /** A line that begins a record: whether it begins a trace too. */
  begins(line: Buffer, from: number, to: number): void {
    const mask = this.#mask;
    if ((mask & go) !== 0 && isGoPanic(line, from, to)) this.state = inGo;
    else if ((mask & rust) !== 0 && isRustPanic(line, from, to))
      this.state = line[to - 1] === 0x3a ? rustMessage : inRust;
    else if ((mask & ruby) !== 0 && (isRubyError(line, from, to) || this.#firstOfRuby(line, from, to)))
      this.state = inRuby;
    else if ((mask & node) !== 0 && isNodePlace(line, from, to)) this.state = nodePlace;
  }

  /** Ruby's own first line is a frame: it is looked for where the source is said to be Ruby's. */
  #firstOfRuby(line: Buffer, from: number, to: number): boolean {
    return (this.#mask & headers) === 0 && isRubyFrame(line, from, to);
  }

  /** Whether a line goes on with the record before it. */
  continues(line: Buffer, from: number, to: number): boolean {
    if (isIndented(line, from)) return (this.#mask & indent) !== 0;
    if (this.#known(line, from, to)) return true;
    this.reset();
    return false;
  }

  #known(line: Buffer, from: number, to: number): boolean {
    const mask = this.#mask;
    if ((mask & python) !== 0 && this.#python(line, from, to)) return true;
    if ((mask & java) !== 0 && isJavaChain(line, from, to)) return true;
    if ((mask & go) !== 0) {
      if (isGoTrace(line, from, to)) {
        this.state = inGo;
        return true;
      }
      if (this.state === inGo && (isGoFrame(line, from, to) || isGoNote(line, from, to))) return true;
    }
    if ((mask & node) !== 0 && (isClosingBrace(line, from, to) || this.#node(line, from, to))) return true;
    if ((mask & dotnet) !== 0 && isDotnetBorder(line, from, to)) return true;
    if ((mask & php) !== 0) {
      if (isPhpTrace(line, from, to)) {
        this.state = inPhp;
        return true;
      }
      if (this.state === inPhp && isPhpFrame(line, from, to)) return true;
    }
    if (this.state === inRuby && isRubyFrame(line, from, to)) return true;
    return (mask & rust) !== 0 && this.#rust(line, from, to);
  }

  #python(line: Buffer, from: number, to: number): boolean {
    if (isPythonTrace(line, from, to)) {
      this.state = inFrames;
      this.had = true;
      return true;
    }
    if (this.state === inFrames) {
      this.state = afterException;
      return true;
    }
    return this.state === afterException && isPythonChain(line, from, to);
  }

  #node(line: Buffer, from: number, to: number): boolean {
    if (this.state === nodePlace && namesError(line, from, to)) {
      this.state = nodeEnd;
      return true;
    }
    return this.state === nodeEnd && isNodeVersion(line, from, to);
  }

  #rust(line: Buffer, from: number, to: number): boolean {
    if (this.state === rustMessage) {
      this.state = inRust;
      return true;
    }
    return this.state === inRust && isRustNote(line, from, to);
  }
}
