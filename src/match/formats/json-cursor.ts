/**
 * Walks over the members of one JSON object in bytes, without making values of them: where a key stands, where its value
 * does. Nested values are passed over as a whole. Depth is counted, not called, so nothing hostile can use up the stack.
 * It is lenient within values: a text that it accepts may still be refused by `JSON.parse`.
 */

const quote = 0x22;
const backslash = 0x5c;
const nothing: Buffer = Buffer.alloc(0);

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d;
}

export class JsonCursor {
  keyFrom = 0;
  keyTo = 0;
  /** Of a string without its quotes; of all else the bytes of it. */
  valueFrom = 0;
  valueTo = 0;
  isString = false;
  isObject = false;
  /** The string holds escapes. */
  escaped = false;
  /** Where the first of them is. */
  escapeAt = 0;
  /** The object was read to its closing brace, and nothing stands behind it. */
  ended = false;
  #data: Buffer = nothing;
  #at = 0;
  #end = 0;
  #first = true;

  /** Takes the object at the head of the bytes; false where none begins there. */
  begin(data: Buffer, from: number, to: number): boolean {
    let end = to;
    while (end > from && isSpace(data[end - 1])) end--;
    this.#data = data;
    this.#at = from;
    this.#end = end;
    this.#first = true;
    this.ended = false;
    this.#space();
    if (data[this.#at] !== 0x7b || data[end - 1] !== 0x7d) return false;
    this.#at++;
    return true;
  }

  /** Lets the bytes go. */
  forget(): void {
    this.#data = nothing;
  }

  /** Goes to the next member; false at the end, or where the text is none. */
  next(): boolean {
    const data = this.#data;
    this.#space();
    const first = data[this.#at];
    if (first === 0x7d) {
      this.ended = this.#at + 1 === this.#end;
      return false;
    }
    if (!this.#first) {
      if (first !== 0x2c) return false;
      this.#at++;
      this.#space();
    }
    this.#first = false;
    if (data[this.#at] !== quote) return false;
    this.keyFrom = this.#at + 1;
    const keyEnd = this.#string(this.keyFrom);
    if (keyEnd < 0) return false;
    this.keyTo = keyEnd;
    this.#at = keyEnd + 1;
    this.#space();
    if (data[this.#at] !== 0x3a) return false;
    this.#at++;
    this.#space();
    return this.#value();
  }

  /** Whether the key is this word. */
  keyIs(word: Buffer): boolean {
    const length = this.keyTo - this.keyFrom;
    if (length !== word.length) return false;
    const data = this.#data;
    for (let i = 0; i < length; i++) if (data[this.keyFrom + i] !== word[i]) return false;
    return true;
  }

  #space(): void {
    while (this.#at < this.#end && isSpace(this.#data[this.#at])) this.#at++;
  }

  /** From behind an opening quote to the closing one; -1 where there is none. */
  #string(from: number): number {
    const data = this.#data;
    this.escaped = false;
    for (let at = from; at < this.#end; at++) {
      const byte = data[at];
      if (byte === quote) return at;
      if (byte === backslash) {
        if (!this.escaped) this.escapeAt = at;
        this.escaped = true;
        at++;
      }
    }
    return -1;
  }

  #value(): boolean {
    const data = this.#data;
    const first = data[this.#at];
    this.isString = first === quote;
    this.isObject = first === 0x7b;
    if (this.isString) {
      this.valueFrom = this.#at + 1;
      this.valueTo = this.#string(this.valueFrom);
      this.#at = this.valueTo + 1;
      return this.valueTo >= 0;
    }
    this.valueFrom = this.#at;
    if (first === 0x7b || first === 0x5b) return this.#nested();
    while (this.#at < this.#end) {
      const byte = data[this.#at];
      if (byte === 0x2c || byte === 0x7d || isSpace(byte)) break;
      this.#at++;
    }
    this.valueTo = this.#at;
    return this.valueTo > this.valueFrom;
  }

  /** Passes over an object or a list. */
  #nested(): boolean {
    const data = this.#data;
    let depth = 0;
    for (let at = this.#at; at < this.#end; at++) {
      const byte = data[at];
      if (byte === quote) {
        at = this.#string(at + 1);
        if (at < 0) return false;
      } else if (byte === 0x7b || byte === 0x5b) depth++;
      else if (byte === 0x7d || byte === 0x5d) {
        depth--;
        if (depth === 0) {
          this.#at = at + 1;
          this.valueTo = this.#at;
          return true;
        }
      }
    }
    return false;
  }
}

function hexDigit(byte: number | undefined): number {
  if (byte === undefined) return -1;
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}

/** Four hexadecimal digits -> their number, or -1. */
function hexOf(data: Buffer, at: number, end: number): number {
  if (at + 4 > end) return -1;
  let value = 0;
  for (let i = 0; i < 4; i++) {
    const digit = hexDigit(data[at + i]);
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}

const plainEscapes = new Uint8Array(256);
for (const [letter, byte] of [
  ['n', 10],
  ['t', 9],
  ['r', 13],
  ['b', 8],
  ['f', 12],
  ['"', 34],
  ['/', 47],
  ['\\', 92],
] as const)
  plainEscapes[letter.charCodeAt(0)] = byte;

/**
 * The text of a JSON string as UTF-8, from bytes between its quotes. `into` must have room for as many bytes as are read;
 * gives where the text ends in it. `firstEscape`: before it
 * there is none. Half a surrogate pair becomes U+FFFD; an escape that is none stays as it is.
 */
export function unescapeJson(
  data: Buffer,
  from: number,
  to: number,
  into: Buffer,
  start: number,
  firstEscape = from,
): number {
  let out = start + data.copy(into, start, from, firstEscape);
  for (let at = firstEscape; at < to; at++) {
    const byte = data[at] as number;
    if (byte !== backslash || at + 1 >= to) {
      into[out++] = byte;
      continue;
    }
    const letter = data[at + 1] as number;
    const plain = plainEscapes[letter] as number;
    if (plain !== 0) {
      into[out++] = plain;
      at++;
      continue;
    }
    let code = letter === 0x75 ? hexOf(data, at + 2, to) : -1;
    if (code < 0) {
      into[out++] = byte;
      continue;
    }
    at += 5;
    if (code >= 0xd800 && code < 0xdc00 && data[at + 1] === backslash && data[at + 2] === 0x75) {
      const low = hexOf(data, at + 3, to);
      if (low >= 0xdc00 && low < 0xe000) {
        code = 0x10000 + (code - 0xd800) * 0x400 + (low - 0xdc00);
        at += 6;
      }
    }
    if (code >= 0xd800 && code < 0xe000) code = 0xfffd;
    out = writeUtf8(code, into, out);
  }
  return out;
}

function writeUtf8(code: number, into: Buffer, start: number): number {
  let out = start;
  if (code < 0x80) into[out++] = code;
  else if (code < 0x800) {
    into[out++] = 0xc0 | (code >> 6);
    into[out++] = 0x80 | (code & 0x3f);
  } else {
    if (code < 0x10000) into[out++] = 0xe0 | (code >> 12);
    else {
      into[out++] = 0xf0 | (code >> 18);
      into[out++] = 0x80 | ((code >> 12) & 0x3f);
    }
    into[out++] = 0x80 | ((code >> 6) & 0x3f);
    into[out++] = 0x80 | (code & 0x3f);
  }
  return out;
}
