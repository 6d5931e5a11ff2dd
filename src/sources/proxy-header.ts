/**
 * The head that a proxy may put in front of a connection (PROXY protocol, versions 1 and 2). Takes the first bytes; gives how long
 * the head is and whose connection it says it is. Whether that is believed, others decide.
 */
import { isIP } from 'node:net';

/** Version 1, section 2.1: the longest line, with its end. */
const lineMax = 107;
const signature = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');
const word = Buffer.from('PROXY ');
const line = /^PROXY (?:UNKNOWN(?: [^\r\n]*)?|TCP[46] (\S+) (\S+) (\d{1,5}) (\d{1,5}))\r?\n/;

export interface ProxyHeader {
  readonly length: number;
  /** The sender's address, or null where the proxy does not say. */
  readonly address: string | null;
}

/** The head at the very beginning of a connection; `more` while it can't be told, null where there is none. */
export function readProxyHeader(data: Buffer): ProxyHeader | 'more' | null {
  if (startsLike(data, word)) return data.length < word.length ? 'more' : firstVersion(data);
  if (startsLike(data, signature)) return data.length < 16 ? 'more' : secondVersion(data);
  return null;
}

function startsLike(data: Buffer, begin: Buffer): boolean {
  const length = Math.min(data.length, begin.length);
  return data.compare(begin, 0, length, 0, length) === 0;
}

function firstVersion(data: Buffer): ProxyHeader | 'more' | null {
  const end = data.subarray(0, lineMax).indexOf(0x0a);
  if (end < 0) return data.length < lineMax ? 'more' : null;
  const found = line.exec(data.toString('latin1', 0, end + 1));
  if (!found) return null;
  const address = found[1] ?? null;
  if (address !== null && isIP(address) === 0) return null;
  return { length: end + 1, address };
}

function secondVersion(data: Buffer): ProxyHeader | 'more' | null {
  if ((data[12] ?? 0) >> 4 !== 2) return null;
  const length = 16 + data.readUInt16BE(14);
  if (data.length < length) return length > 16 + 4096 ? null : 'more';
  const local = ((data[12] ?? 0) & 0x0f) === 0;
  const family = (data[13] ?? 0) >> 4;
  if (local) return { length, address: null };
  if (family === 1 && length >= 28) return { length, address: [...data.subarray(16, 20)].join('.') };
  if (family === 2 && length >= 52) return { length, address: groups(data.subarray(16, 32)) };
  return { length, address: null };
}

function groups(bytes: Buffer): string {
  return Array.from({ length: 8 }, (_, at) => bytes.readUInt16BE(at * 2).toString(16)).join(':');
}
