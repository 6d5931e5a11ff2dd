/**
 * Finds the head of one syslog message in its bytes: RFC 5424, RFC 3164 as senders really write it, or none. Gives places, no
 * texts: it is asked for each message, the texts only for those that matched. What it can't read stays in the message: no word
 * of a sender is ever lost, and none is invented.
 */

import { dataEnd, isDigit, isIsoDate, isStampStart, latin, stampEnd } from './syslog-shapes.ts';

/** How the head is written. */
export type SyslogForm = 'none' | 'pri' | '3164' | '5424';

/** A place in the bytes: from, to. Empty where the part is missing. */
export interface Place {
  readonly from: number;
  readonly to: number;
}

const space = 0x20;
const colon = 0x3a;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const dash = 0x2d;
/** RFC 3164 allows 32 characters of a tag; programs write more. */
const maxTag = 128;
const maxPid = 64;
/** RFC 1035: the longest name of a host. */
const maxHost = 255;
/** Words before a colon that are a level, not a program. */
const levelWords: ReadonlySet<string> = new Set(
  (
    'trace debug info information notice warn warning err error crit critical fatal alert emerg emergency panic severe ' +
    'exception traceback'
  ).split(' '),
);
const maxLevelWord = 11;

/** Characters of a tag: printable, and not those of JSON, of assignments and of quoted text. */
const tagBytes = bytesOf(
  (code) => code > space && code !== 0x7f && !':[]{}"\',=<>'.includes(String.fromCharCode(code)),
);
/** Letters, digits and `_.:%-`. */
const hostBytes = bytesOf((code) => /[A-Za-z0-9_.:%-]/.test(String.fromCharCode(code)));

function bytesOf(allowed: (code: number) => boolean): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, code) => (allowed(code) ? 1 : 0));
}

/** The places of one head. One object is used for many messages: what it holds is that of the last `read`. */
export class SyslogHead {
  form: SyslogForm = 'none';
  /** 0-191, or -1 where there is none. */
  pri = -1;
  /** -1 where there is none. */
  version = -1;
  stampFrom = 0;
  stampTo = 0;
  hostFrom = 0;
  hostTo = 0;
  appFrom = 0;
  appTo = 0;
  procFrom = 0;
  procTo = 0;
  idFrom = 0;
  idTo = 0;
  dataFrom = 0;
  dataTo = 0;
  messageFrom = 0;
  messageTo = 0;

  /**
   * Reads the message in `data` from `start` to `end`. `structured: false` is for senders that leave the structured data out
   * (Logplex): then a `[` begins the text. Line ends and NULs behind the message are not part of it.
   */
  read(data: Uint8Array, start: number, end: number, structured = true): void {
    let to = end;
    while (to > start && isTrailer(data[to - 1])) to--;
    this.#nothing(start, to);
    const at = this.#readPri(data, start, to);
    if (at < 0) {
      this.#read3164(data, start, to, false);
      return;
    }
    this.form = 'pri';
    this.messageFrom = at;
    if (this.#read5424(data, at, to, structured)) return;
    this.#read3164(data, at < to && data[at] === space ? at + 1 : at, to, true);
  }

  #nothing(start: number, to: number): void {
    this.form = 'none';
    this.pri = -1;
    this.version = -1;
    this.stampFrom = this.stampTo = this.hostFrom = this.hostTo = start;
    this.appFrom = this.appTo = this.procFrom = this.procTo = start;
    this.idFrom = this.idTo = this.dataFrom = this.dataTo = start;
    this.messageFrom = start;
    this.messageTo = to;
  }

  /** `<0>` to `<191>`: where it ends, or -1. */
  #readPri(data: Uint8Array, start: number, to: number): number {
    if (data[start] !== 0x3c) return -1;
    let value = 0;
    let at = start + 1;
    while (at < to && at < start + 4 && isDigit(data[at])) value = value * 10 + (data[at++] ?? 0) - 0x30;
    if (at === start + 1 || at >= to || data[at] !== 0x3e || value > 191) return -1;
    this.pri = value;
    return at + 1;
  }

  /** `V TIME HOST APP PROCID MSGID SD MSG`, with any version of one or two digits. */
  #read5424(data: Uint8Array, start: number, to: number, structured: boolean): boolean {
    let at = start;
    let version = 0;
    while (at < start + 2 && isDigit(data[at])) version = version * 10 + (data[at++] ?? 0) - 0x30;
    if (at === start || data[at] !== space) return false;
    const stampFrom = ++at;
    if (data[at] === dash && data[at + 1] === space) at++;
    else if (isIsoDate(data, at, to)) at = tokenEnd(data, at, to);
    else return false;
    const stampTo = at;
    if (at >= to) return false;
    const hostFrom = at + 1;
    const hostTo = tokenEnd(data, hostFrom, to);
    const appFrom = hostTo + 1;
    const appTo = tokenEnd(data, appFrom, to);
    const procFrom = appTo + 1;
    const procTo = tokenEnd(data, procFrom, to);
    const idFrom = procTo + 1;
    const idTo = tokenEnd(data, idFrom, to);
    // Four names, none of them empty, or it is something else.
    if (idFrom > to || hostTo === hostFrom || appTo === appFrom || procTo === procFrom || idTo <= idFrom)
      return false;
    this.form = '5424';
    this.version = version;
    this.stampFrom = stampFrom;
    this.stampTo = stampTo;
    this.hostFrom = hostFrom;
    this.hostTo = nilEnd(data, hostFrom, hostTo);
    this.appFrom = appFrom;
    this.appTo = nilEnd(data, appFrom, appTo);
    this.procFrom = procFrom;
    this.procTo = nilEnd(data, procFrom, procTo);
    this.idFrom = idFrom;
    this.idTo = nilEnd(data, idFrom, idTo);
    at = Math.min(idTo + 1, to);
    if (structured) this.#message(data, this.#readData(data, at, to), to);
    // Logplex writes one space and no template: a second one is the indent of the text.
    else this.messageFrom = at;
    return true;
  }

  /** Structured data or its NIL: where the message behind it begins. Data that is not whole is text. */
  #readData(data: Uint8Array, start: number, to: number): number {
    if (data[start] === dash && (start + 1 === to || data[start + 1] === space))
      return Math.min(start + 2, to);
    if (data[start] !== openBracket) return start;
    const end = dataEnd(data, start, to);
    if (end < 0 || (end < to && data[end] !== space)) return start;
    this.dataFrom = start;
    this.dataTo = end;
    return Math.min(end + 1, to);
  }

  /** A stamp, a host and a tag, each where it is told from text. Without a PRI all of them, or none. */
  #read3164(data: Uint8Array, start: number, to: number, pri: boolean): void {
    let at = start;
    if (pri && isDigit(data[at])) at = this.#readCisco(data, at, to);
    if (data[at] === 0x2a || data[at] === 0x2e) at++;
    const stampFrom = at;
    const stampTo = stampEnd(data, at, to);
    if (stampTo < 0) {
      if (pri) this.#readBareTag(data, start, to);
      return;
    }
    at = stampTo;
    if (data[at] === colon) at++;
    if (at < to && data[at] !== space) return;
    at = Math.min(at + 1, to);
    const known = this.hostTo > this.hostFrom;
    let tag = this.#readTag(data, at, to, true);
    if (tag < 0 && !known) {
      const hostTo = hostEnd(data, at, to);
      if (hostTo > at) {
        this.hostFrom = at;
        this.hostTo = nilEnd(data, at, hostTo);
        at = hostTo + 1;
        // Cisco's ASA: `host : %ASA-6-302013: text`.
        if (data[at] === colon && data[at + 1] === space) at += 2;
        tag = this.#readTag(data, at, to, false);
      }
    }
    if (!pri && (tag < 0 || this.hostTo === this.hostFrom)) {
      this.#nothing(start, to);
      return;
    }
    this.form = '3164';
    this.stampFrom = stampFrom;
    this.stampTo = stampTo;
    this.#message(data, tag < 0 ? at : tag, to);
  }

  /** `45: ` and `45: router1: ` before a stamp: where the stamp begins, or where it was. */
  #readCisco(data: Uint8Array, start: number, to: number): number {
    let at = start;
    while (at < start + 10 && isDigit(data[at])) at++;
    if (data[at] !== colon || data[at + 1] !== space) return start;
    at += 2;
    if (isStampStart(data, at, to)) return at;
    const hostTo = hostEnd(data, at, to);
    if (hostTo - 1 <= at || data[hostTo - 1] !== colon || !isStampStart(data, hostTo + 1, to)) return start;
    this.hostFrom = at;
    this.hostTo = hostTo - 1;
    return hostTo + 1;
  }

  /** A tag straight behind the PRI: `celery[27832]: text`. A level or the name of an exception is the text's own. */
  #readBareTag(data: Uint8Array, start: number, to: number): void {
    const at = this.#readTag(data, start, to, true);
    const hasPid = this.procTo > this.procFrom;
    if (at < 0 || (!hasPid && isOwnWord(data, this.appFrom, this.appTo))) {
      this.appTo = this.appFrom;
      this.messageFrom = start;
      return;
    }
    this.#message(data, at, to);
  }

  /** `tag:` or `tag[pid]:` with a space or the end behind it: where that is, or -1. */
  #readTag(data: Uint8Array, start: number, to: number, first: boolean): number {
    let at = start;
    const limit = Math.min(to, start + maxTag + 1);
    while (at < limit && tagBytes[data[at] ?? 0] === 1) at++;
    if (at === start || at >= to || at === limit) return -1;
    const appTo = at;
    let procTo = appTo;
    if (data[at] === openBracket) {
      procTo = at + 1;
      const end = Math.min(to, procTo + maxPid);
      while (procTo < end && data[procTo] !== closeBracket && (data[procTo] ?? 0) > space) procTo++;
      if (data[procTo] !== closeBracket) return -1;
      at = procTo + 1;
    }
    if (at >= to || data[at] !== colon) return -1;
    // `su:text` behind a host is read as a sender means it; `http://x` and `12:30` are text.
    const spaced = at + 1 >= to || data[at + 1] === space;
    if (!spaced && (first || procTo === appTo)) return -1;
    this.appFrom = start;
    this.appTo = appTo;
    this.procFrom = procTo === appTo ? appTo : appTo + 1;
    this.procTo = procTo;
    return at + 1;
  }

  /** The text: one leading space is the template's of the sender, and a BOM says UTF-8, as all is. */
  #message(data: Uint8Array, start: number, to: number): void {
    let at = start;
    if (at < to && data[at] === space) at++;
    if (at + 3 <= to && data[at] === 0xef && data[at + 1] === 0xbb && data[at + 2] === 0xbf) at += 3;
    this.messageFrom = Math.min(at, to);
  }
}

function isTrailer(code: number | undefined): boolean {
  return code === 0x0a || code === 0x0d || code === 0;
}

function tokenEnd(data: Uint8Array, start: number, to: number): number {
  let at = start;
  while (at < to && data[at] !== space) at++;
  return at;
}

/** The end of a value, or its beginning where it is `-`. */
function nilEnd(data: Uint8Array, from: number, to: number): number {
  return to - from === 1 && data[from] === dash ? from : to;
}

/** A token of a host's characters with a space behind it: its end, or -1. A level in capitals is no host. */
function hostEnd(data: Uint8Array, start: number, to: number): number {
  let at = start;
  const limit = Math.min(to, start + maxHost + 1);
  while (at < limit && hostBytes[data[at] ?? 0] === 1) at++;
  if (at === start || at >= to || data[at] !== space) return -1;
  const first = data[start] ?? 0;
  const capital = first >= 0x41 && first <= 0x5a && (data[start + 1] ?? 0) <= 0x5a;
  return capital && isLevelWord(data, start, at) ? -1 : at;
}

function isLevelWord(data: Uint8Array, from: number, to: number): boolean {
  if (to - from > maxLevelWord || to - from < 3) return false;
  return levelWords.has(latin(data, from, to).toLowerCase());
}

/** A level word, a number, or the name of an exception: `ValueError: text`. */
function isOwnWord(data: Uint8Array, from: number, to: number): boolean {
  if (isLevelWord(data, from, to)) return true;
  return /^(\d+|[A-Za-z_.]*[A-Z]\w*(Error|Exception|Warning|Failure))$/.test(latin(data, from, to));
}
