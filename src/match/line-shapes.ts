/**
 * What a line looks like from its first bytes: a known header, or the way a continuation of a record begins. Works on
 * bytes, since every line of every log passes here; allocates nothing.
 */

const traceback = Buffer.from('Traceback (most recent call last):');
const during = Buffer.from('During handling of the above exception');
const directCause = Buffer.from('The above exception was the direct cause');
const causedBy = Buffer.from('Caused by:');
const suppressed = Buffer.from('Suppressed:');
const goroutine = Buffer.from('goroutine ');
const createdBy = Buffer.from('created by ');

/** Whether a line begins with a word at a place. */
export function startsWith(data: Buffer, at: number, end: number, word: Buffer): boolean {
  if (end - at < word.length) return false;
  for (let i = 0; i < word.length; i++) if (data[at + i] !== word[i]) return false;
  return true;
}

/** An ASCII digit. */
export function isDigit(byte: number | undefined): boolean {
  return ((byte ?? 0) - 48) >>> 0 < 10;
}

/**
 * `[YYYY-MM-DD HH:MM:SS`, the same without bracket, with T, behind a level's name, or `Mon dd HH:MM:SS `. Looks at telling
 * bytes only.
 */
export function isHeader(data: Buffer, start: number, end: number): boolean {
  const first = data[start];
  const at = first === 0x5b ? start + 1 : start;
  if (end - at < 16) return false;
  if (data[at + 13] === 0x3a) return isStamp(data, at, end);
  // `ERROR 2026-11-21 10:00:00`
  if (isCapital(data[at + 1]) && isCapital(first)) {
    const word = wordEnd(data, at);
    const from = blanksEnd(data, word);
    if (from > word && isStamp(data, from, end)) return isLevelName(data, at, word);
  }
  return (
    data[at + 9] === 0x3a &&
    data[at + 12] === 0x3a &&
    data[at + 3] === 0x20 &&
    data[at + 6] === 0x20 &&
    isMonth(data[at]) &&
    isDigit(data[at + 5]) &&
    isDigit(data[at + 8]) &&
    isDigit(data[at + 14])
  );
}

/** `YYYY-MM-DD HH:MM:SS`, or with a T. */
function isStamp(data: Buffer, at: number, end: number): boolean {
  return (
    data[at + 13] === 0x3a &&
    data[at + 4] === 0x2d &&
    data[at + 7] === 0x2d &&
    (data[at + 10] === 0x20 || data[at + 10] === 0x54) &&
    end - at >= 19 &&
    data[at + 16] === 0x3a &&
    isDigit(data[at]) &&
    isDigit(data[at + 3]) &&
    isDigit(data[at + 12]) &&
    isDigit(data[at + 18])
  );
}

/** Names of levels that may stand before a stamp; any other word there, as in `BETWEEN 2026-11-21 10:00:00`, is text. */
const levelNames = [
  'ERROR',
  'INFO',
  'WARNING',
  'DEBUG',
  'CRITICAL',
  'WARN',
  'FATAL',
  'NOTICE',
  'TRACE',
  'SEVERE',
  'ALERT',
  'PANIC',
  'EMERGENCY',
  'EMERG',
  'CRIT',
  'ERR',
].map((name) => Buffer.from(name));
/** Longest name of a level, and blanks behind it at most. */
const maxLevelName = 9;
const maxBlanks = 8;

/** Where a word of capitals ends. */
function wordEnd(data: Buffer, start: number): number {
  let at = start;
  while (at - start <= maxLevelName && isCapital(data[at])) at++;
  return at;
}

function blanksEnd(data: Buffer, start: number): number {
  let at = start;
  while (at - start < maxBlanks && data[at] === 0x20) at++;
  return at;
}

function isLevelName(data: Buffer, start: number, end: number): boolean {
  return levelNames.some((name) => name.length === end - start && startsWith(data, start, end, name));
}

function isCapital(byte: number | undefined): boolean {
  return ((byte ?? 0) - 0x41) >>> 0 < 26;
}

/** First letters of months. */
function isMonth(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x41 && byte <= 0x53;
}

/** A line that is a JSON object: `{"` to `}`. */
export function isJsonObject(data: Buffer, start: number, end: number): boolean {
  return (
    end - start >= 2 &&
    data[start] === 0x7b &&
    (data[start + 1] === 0x22 || end - start === 2) &&
    data[end - 1] === 0x7d
  );
}

/** Begins with a space or a tab. */
export function isIndented(data: Buffer, start: number): boolean {
  return data[start] === 0x20 || data[start] === 0x09;
}

/** Python's first line of a trace, also inside an exception group. */
export function isPythonTrace(data: Buffer, start: number, end: number): boolean {
  return startsWith(data, start, end, traceback);
}

/** The sentences between chained Python traces. */
export function isPythonChain(data: Buffer, start: number, end: number): boolean {
  return startsWith(data, start, end, during) || startsWith(data, start, end, directCause);
}

/** `Caused by:`, `Suppressed:`, `... N more`. */
export function isJavaChain(data: Buffer, start: number, end: number): boolean {
  if (data[start] === 0x2e)
    return data[start + 1] === 0x2e && data[start + 2] === 0x2e && isDigit(data[start + 4]);
  return startsWith(data, start, end, causedBy) || startsWith(data, start, end, suppressed);
}

/** `goroutine N [state]:` */
export function isGoTrace(data: Buffer, start: number, end: number): boolean {
  return startsWith(data, start, end, goroutine) && isDigit(data[start + goroutine.length]);
}

/** A function line of a Go trace: `pkg.Name(...)` or `created by ...`. */
export function isGoFrame(data: Buffer, start: number, end: number): boolean {
  return data[end - 1] === 0x29 || startsWith(data, start, end, createdBy);
}

/** A lone `}`: what Node prints after the properties of an error. */
export function isClosingBrace(data: Buffer, start: number, end: number): boolean {
  return end - start === 1 && data[start] === 0x7d;
}
