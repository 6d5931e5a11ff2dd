/**
 * Bytes of a log -> text as rules see it: UTF-8 with U+FFFD for what is none, no terminal escapes, no carriage returns
 * before a line end, no runs of NUL at the head of a line. Works line by line, so that a block and its lines give the same.
 */
import { isUtf8 } from 'node:buffer';
import { stripAnsi } from './ansi.ts';

const escapeByte = 0x1b;
const carriageReturn = 0x0d;

/** Whether bytes are text already: nothing that `cleanText` would change. */
export function isClean(data: Buffer): boolean {
  return (
    data.indexOf(escapeByte) < 0 && data.indexOf(carriageReturn) < 0 && data.indexOf(0) < 0 && isUtf8(data)
  );
}

/** The text of some whole lines. Linear in the bytes. */
export function cleanText(data: Buffer, start: number, end: number): string {
  return cleanString(data.toString('utf8', start, end));
}

/** The same for a text that was decoded already. */
export function cleanString(dirty: string): string {
  let text = dirty;
  if (text.includes('\0')) text = text.replace(/(?<![^\n])\0+/g, '');
  text = stripAnsi(text);
  if (text.includes('\r')) text = text.replace(/(?<!\r)\r+(?=\n|$)/g, '');
  return text;
}

/** Bytes in runs of NUL at the heads of lines. */
export function leadingNuls(data: Buffer): number {
  let count = 0;
  for (let at = data.indexOf(0); at >= 0; at = data.indexOf(0, at)) {
    const heads = at === 0 || data[at - 1] === 0x0a;
    const from = at;
    while (data[at] === 0) at++;
    if (heads) count += at - from;
  }
  return count;
}

const byteOrderMark = Buffer.from([0xef, 0xbb, 0xbf]);

/** Bytes of a byte order mark at the head of a stream's first bytes: 0 or 3. */
export function markLength(data: Buffer): number {
  return data.length >= 3 && data.compare(byteOrderMark, 0, 3, 0, 3) === 0 ? 3 : 0;
}

/** `end` moved back before a UTF-8 character that was cut there, so that a cut line ends with a whole one. */
export function wholeCharacters(data: Buffer, start: number, end: number): number {
  let at = end - 1;
  while (at >= start && at > end - 4 && ((data[at] ?? 0) & 0xc0) === 0x80) at--;
  if (at < start) return end;
  const lead = data[at] ?? 0;
  const length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
  return length > 1 && at + length > end ? at : end;
}
