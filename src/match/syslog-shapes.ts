/**
 * The shapes of the parts of a syslog head: stamps in the old form and in ISO's, structured data. Takes bytes and places; gives
 * where a part ends, or -1. Whether a stamp is a real time is not asked here.
 */

const space = 0x20;
const colon = 0x3a;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const quote = 0x22;
const backslash = 0x5c;
const dash = 0x2d;
/** IDs of structured data that may stand without parameters and without an `@`: RFC 5424, section 7. */
const ownDataNames: ReadonlySet<string> = new Set(['timeQuality', 'origin', 'meta']);
const months: ReadonlySet<number> = new Set(
  'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'
    .split(' ')
    .map((name) => (name.charCodeAt(0) << 16) | (name.charCodeAt(1) << 8) | name.charCodeAt(2)),
);

export function isDigit(code: number | undefined): boolean {
  return code !== undefined && code >= 0x30 && code <= 0x39;
}

/** Bytes of ASCII as text. */
export function latin(data: Uint8Array, from: number, to: number): string {
  let text = '';
  for (let at = from; at < to; at++) text += String.fromCharCode(data[at] ?? 0);
  return text;
}

/** A stamp, or one behind the mark of a clock that is not set (`*`, `.`). */
export function isStampStart(data: Uint8Array, start: number, to: number): boolean {
  const at = data[start] === 0x2a || data[start] === 0x2e ? start + 1 : start;
  return stampEnd(data, at, to) >= 0;
}

/** `2026-11-21T`, whatever the numbers are. */
export function isIsoDate(data: Uint8Array, at: number, to: number): boolean {
  return (
    at + 11 <= to &&
    isDigit(data[at]) &&
    isDigit(data[at + 3]) &&
    data[at + 4] === dash &&
    isDigit(data[at + 6]) &&
    data[at + 7] === dash &&
    isDigit(data[at + 9]) &&
    ((data[at + 10] ?? 0) | 0x20) === 0x74
  );
}

/** The end of a stamp in syslog's old form or in ISO's, or -1. Only its shape is looked at. */
export function stampEnd(data: Uint8Array, start: number, to: number): number {
  if (isIsoDate(data, start, to)) return isoEnd(data, start, to);
  if (start + 15 > to) return -1;
  const name = ((data[start] ?? 0) << 16) | ((data[start + 1] ?? 0) << 8) | (data[start + 2] ?? 0);
  if (!months.has(name) || data[start + 3] !== space) return -1;
  let at = start + 4;
  if (data[at] === space) at++;
  if (!isDigit(data[at])) return -1;
  at++;
  if (isDigit(data[at])) at++;
  if (data[at] !== space) return -1;
  at++;
  if (isDigit(data[at + 2]) && isDigit(data[at + 3]) && data[at + 4] === space) at += 5;
  at = clockEnd(data, at);
  return at < 0 || at > to ? -1 : zoneEnd(data, at, to);
}

/** `UTC` and the like behind a stamp; another name of a zone only where Cisco writes it, before `: %`. */
function zoneEnd(data: Uint8Array, at: number, to: number): number {
  if (data[at] !== space) return at;
  const end = at + 4;
  if (end > to) return at;
  if ((data[end] === space || data[end] === colon) && isUtc(data, at + 1)) return end;
  let close = at + 1;
  while (close < at + 6 && (data[close] ?? 0) >= 0x41 && (data[close] ?? 0) <= 0x5a) close++;
  const cisco = data[close] === colon && data[close + 1] === space && data[close + 2] === 0x25;
  return cisco && close > at + 2 ? close : at;
}

/** `hh:mm:ss` with a fraction or without, or -1. */
function clockEnd(data: Uint8Array, start: number): number {
  if (
    !(isDigit(data[start]) && isDigit(data[start + 1]) && data[start + 2] === colon) ||
    !(isDigit(data[start + 3]) && isDigit(data[start + 4]) && data[start + 5] === colon) ||
    !(isDigit(data[start + 6]) && isDigit(data[start + 7]))
  )
    return -1;
  let at = start + 8;
  if ((data[at] === 0x2e || data[at] === 0x2c) && isDigit(data[at + 1])) {
    at++;
    while (isDigit(data[at])) at++;
  }
  return at;
}

function isoEnd(data: Uint8Array, start: number, to: number): number {
  let at = clockEnd(data, start + 11);
  if (at < 0) return -1;
  const mark = data[at] ?? 0;
  if ((mark | 0x20) === 0x7a) at++;
  else if ((mark === 0x2b || mark === dash) && isDigit(data[at + 1]) && isDigit(data[at + 2])) {
    at += 3;
    if (data[at] === colon) at++;
    if (!isDigit(data[at]) || !isDigit(data[at + 1])) return -1;
    at += 2;
  }
  return at > to ? -1 : at;
}

/** `[id name="value" ...]`, one or more: the end, or -1 where it is not whole. */
export function dataEnd(data: Uint8Array, start: number, to: number): number {
  let at = start;
  while (at < to && data[at] === openBracket) {
    const idFrom = at + 1;
    at = nameEnd(data, idFrom, to);
    if (at === idFrom) return -1;
    const idTo = at;
    let params = 0;
    for (;;) {
      while (data[at] === space) at++;
      if (at >= to) return -1;
      if (data[at] === closeBracket) break;
      const nameFrom = at;
      at = nameEnd(data, nameFrom, to);
      if (at === nameFrom || nameFrom === idTo || data[at] !== 0x3d || data[at + 1] !== quote) return -1;
      for (at += 2; at < to && data[at] !== quote; at++) if (data[at] === backslash) at++;
      if (at >= to) return -1;
      at++;
      params++;
    }
    // `[notice] text`, where the sender left the data out.
    if (params === 0) {
      const id = latin(data, idFrom, idTo);
      if (!id.includes('@') && !ownDataNames.has(id)) return -1;
    }
    at++;
  }
  return at;
}

/** The end of a name of structured data. */
export function nameEnd(data: Uint8Array, start: number, to: number): number {
  let at = start;
  for (; at < to; at++) {
    const code = data[at] ?? 0;
    if (code <= space || code >= 0x7f || code === 0x3d || code === closeBracket || code === quote) break;
  }
  return at;
}

/** `UTC` or `GMT`. */
function isUtc(data: Uint8Array, at: number): boolean {
  const name = ((data[at] ?? 0) << 16) | ((data[at + 1] ?? 0) << 8) | (data[at + 2] ?? 0);
  return name === 0x555443 || name === 0x474d54;
}
