/**
 * Tells from some lines in which format a stream is written. Looks at whole lines only, at few of them, and at bytes; gives
 * null where there is no whole line yet.
 */
import type { Format } from '../../model/config.ts';
import { SyslogHead } from '../syslog-head.ts';
import { Unit } from '../unwrap.ts';
import { CriEnvelope } from './cri.ts';
import { DockerEnvelope } from './docker.ts';
import { writeJsonText } from './json-text.ts';
import { isLogfmt } from './logfmt.ts';
import { barOf } from './prefix.ts';

/** Lines at the head of a stream's first bytes that are looked at, and of later bytes. */
export const firstLines = 64;
export const laterLines = 3;
/** Behind them one more in each of so many bytes. */
const strideBytes = 256 * 1024;
/** So many lines in a row must have their bar in the same column. */
const prefixLines = 3;
/** A longer line is not looked at. */
const maxLine = 256 * 1024;

const docker = new DockerEnvelope();
const cri = new CriEnvelope();
const head = new SyslogHead();
const unit = new Unit();
const found = { length: 0, telling: false };
let scratch = Buffer.alloc(0);

/**
 * A line of a syslog file: with a PRI all that a head can have, else a stamp, a host and a program. A stamp that ends with
 * `Z` is none that a syslog daemon writes (rsyslog and syslog-ng write an offset): that is a program's own log.
 */
function isSyslog(data: Buffer, from: number, to: number): boolean {
  const first = data[from] as number;
  if (first !== 0x3c && (first < 0x30 || first > 0x39) && (first < 0x41 || first > 0x53)) return false;
  head.read(data, from, to);
  if (head.form === '5424') return true;
  if (head.pri < 0 && data[head.stampTo - 1] === 0x5a) return false;
  return head.form === '3164' && (head.appTo > head.appFrom || head.pri >= 0);
}

/** The format of one line; `plain` where it is no other. */
function formatOfLine(data: Buffer, from: number, to: number): Format {
  unit.from = from;
  unit.to = to;
  const first = data[from];
  if (first === 0x7b) {
    if (docker.read(data, unit)) return 'docker';
    if (scratch.length < (to - from) * 2 + 16) scratch = Buffer.allocUnsafe((to - from) * 2 + 16);
    return writeJsonText(data, from, to, scratch, 0, found) && found.telling ? 'json' : 'plain';
  }
  if (cri.read(data, unit)) return 'cri';
  if (isSyslog(data, from, to)) return 'syslog';
  return isLogfmt(data, from, to) ? 'logfmt' : 'plain';
}

/** One bar is a bar; so many in one column are the prefixes of a process manager. */
function samePrefix(
  data: Buffer,
  from: number,
  to: number,
  bars: { column: number; lines: number },
): boolean {
  const bar = barOf(data, from, to);
  if (bar < 0 || bar - from !== bars.column) bars.lines = 0;
  bars.column = bar < 0 ? -1 : bar - from;
  return bar >= 0 && ++bars.lines >= prefixLines;
}

/** The format of the first line that has one, `plain` where none of those looked at has, null where there is no line. */
export function formatOf(data: Buffer, final: boolean, headLines: number): Format | null {
  let at = 0;
  let lines = 0;
  let seen = false;
  const bars = { column: -1, lines: 0 };
  while (at < data.length) {
    let end = data.indexOf(0x0a, at);
    if (end < 0) {
      if (!final) break;
      end = data.length;
    }
    let to = end;
    while (to > at && data[to - 1] === 0x0d) to--;
    if (to > at && to - at <= maxLine) {
      seen = true;
      const format = formatOfLine(data, at, to);
      if (format !== 'plain') return format;
      if (samePrefix(data, at, to, bars)) return 'prefix';
    }
    at = end + 1;
    if (++lines >= headLines) {
      const next = data.indexOf(0x0a, at + strideBytes);
      if (next < 0) break;
      at = next + 1;
    }
  }
  return seen ? 'plain' : null;
}
