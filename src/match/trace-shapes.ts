/**
 * What the lines of traces look like in languages whose traces stand without an indent in part: Go, Ruby, .NET, PHP, Rust,
 * Node's uncaught errors. As `line-shapes.ts` it works on the bytes of a line and allocates nothing.
 */
import { isDigit, startsWith } from './line-shapes.ts';

const endOfStack = Buffer.from('--- End of ');
const stackTrace = Buffer.from('Stack trace:');
const phpNext = Buffer.from('Next ');
const stackBacktrace = Buffer.from('stack backtrace:');
const noteOfRust = Buffer.from('note: ');
const panicOfGo = Buffer.from('panic: ');
const fatalOfGo = Buffer.from('fatal error: ');
const signalOfGo = Buffer.from('[signal ');
const exitOfGo = Buffer.from('exit status ');
const threadOfRust = Buffer.from("thread '");
const panicked = Buffer.from("' panicked at ");
const versionOfNode = Buffer.from('Node.js v');

/** .NET: `--- End of inner exception stack trace ---`, also without an indent. */
export function isDotnetBorder(data: Buffer, start: number, end: number): boolean {
  return startsWith(data, start, end, endOfStack);
}

/** PHP: `Stack trace:`; the frames below it are `#0 ...`. */
export function isPhpTrace(data: Buffer, start: number, end: number): boolean {
  return startsWith(data, start, end, stackTrace);
}

/** A line of a PHP trace: a frame, or the exception that the one above was the cause of. */
export function isPhpFrame(data: Buffer, start: number, end: number): boolean {
  return (data[start] === 0x23 && isDigit(data[start + 1])) || startsWith(data, start, end, phpNext);
}

/** The first line of a Go panic. */
export function isGoPanic(data: Buffer, start: number, end: number): boolean {
  return startsWith(data, start, end, panicOfGo) || startsWith(data, start, end, fatalOfGo);
}

/** What stands between a panic and its goroutines, and behind them. */
export function isGoNote(data: Buffer, start: number, end: number): boolean {
  return startsWith(data, start, end, signalOfGo) || startsWith(data, start, end, exitOfGo);
}

/** `thread 'main' panicked at src/main.rs:2:5:` */
export function isRustPanic(data: Buffer, start: number, end: number): boolean {
  return startsWith(data, start, end, threadOfRust) && placeOf(data, start, end, panicked) >= 0;
}

/** Where a word stands within a line, or -1: `indexOf` would search the rest of the block. */
function placeOf(data: Buffer, start: number, end: number, word: Buffer): number {
  for (let at = start; at + word.length <= end; at++)
    if (data[at] === word[0] && startsWith(data, at, end, word)) return at;
  return -1;
}

/** `note: run with ...`, `stack backtrace:` */
export function isRustNote(data: Buffer, start: number, end: number): boolean {
  return startsWith(data, start, end, noteOfRust) || startsWith(data, start, end, stackBacktrace);
}

/** Rails' exception line, `Name (text):`; frames without an indent may follow. */
export function isRubyError(data: Buffer, start: number, end: number): boolean {
  const first = data[start] as number;
  return (
    end - start > 5 && data[end - 1] === 0x3a && data[end - 2] === 0x29 && first >= 0x41 && first <= 0x5a
  );
}

/** `app/models/x.rb:12:in 'save'` */
export function isRubyFrame(data: Buffer, start: number, end: number): boolean {
  return inWordAt(data, start, end) >= 0;
}

const inQuote = Buffer.from(':in ');

/** Where `:12:in '` stands in a line, or -1. */
function inWordAt(data: Buffer, start: number, end: number): number {
  const at = placeOf(data, start, end, inQuote);
  if (at < 0 || !isDigit(data[at - 1])) return -1;
  const mark = data[at + 4];
  return mark === 0x27 || mark === 0x60 ? at : -1;
}

/** Node: `/srv/app.js:12`, above the line that failed. */
export function isNodePlace(data: Buffer, start: number, end: number): boolean {
  if (!isDigit(data[end - 1]) || (data[start] !== 0x2f && data[start] !== 0x66)) return false;
  let at = end - 1;
  while (at > start && isDigit(data[at])) at--;
  return data[at] === 0x3a && (data[at - 1] === 0x73 || data[at - 2] === 0x6a || data[at - 2] === 0x74);
}

/** What Node prints last. */
export function isNodeVersion(data: Buffer, start: number, end: number): boolean {
  return startsWith(data, start, end, versionOfNode);
}

const errorWord = Buffer.from('Error');

/** A line that names an error: what Node prints below the place. */
export function namesError(data: Buffer, start: number, end: number): boolean {
  return placeOf(data, start, Math.min(end, start + 120), errorWord) >= 0;
}
