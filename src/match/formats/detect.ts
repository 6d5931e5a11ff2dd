/**
 * Tells from some lines in which format a stream is written. Looks at whole lines only, at few of them, and at bytes; gives
 * null where there is no whole line yet.
 */
import type { Format } from '../../model/config.ts';
import { Unit } from '../unwrap.ts';
import { CriEnvelope } from './cri.ts';
import { DockerEnvelope } from './docker.ts';
import { writeJsonText } from './json-line.ts';
import { isLogfmt } from './logfmt.ts';

/** Lines at the head of a stream's first bytes that are looked at, and of later bytes. */
export const firstLines = 64;
export const laterLines = 2;
/** Behind them one more in each of so many bytes. */
const strideBytes = 256 * 1024;
/** A longer line is not looked at. */
const maxLine = 256 * 1024;

const docker = new DockerEnvelope();
const cri = new CriEnvelope();
const unit = new Unit();
const found = { length: 0, telling: false };
let scratch = Buffer.alloc(0);

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
  return isLogfmt(data, from, to) ? 'logfmt' : 'plain';
}

/** The format of the first line that has one, `plain` where none of those looked at has, null where there is no line. */
export function formatOf(data: Buffer, final: boolean, headLines: number): Format | null {
  let at = 0;
  let lines = 0;
  let seen = false;
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
