/**
 * Prefixes that process managers put before each line: `worker (stderr)      | text`, as bin/logger under supervisor, docker
 * compose, foreman and honcho do. The prefix names the lane. A time before the name (foreman's) is left out of it.
 */
import type { Envelope, EnvelopeFacts, Unit } from '../unwrap.ts';

const bar = 0x7c;
const space = 0x20;
/** A prefix is no longer. */
const maxPrefix = 64;

/** Letters, digits and `_.:()@/#-` and blanks. */
const prefixBytes = Uint8Array.from({ length: 128 }, (_, code) =>
  /[A-Za-z0-9_.:()@/# -]/.test(String.fromCharCode(code)) ? 1 : 0,
);

/** Where the bar of a prefix stands in a line, or -1. */
export function barOf(data: Buffer, from: number, to: number): number {
  const end = Math.min(to, from + maxPrefix);
  for (let at = from; at < end; at++) {
    const byte = data[at] as number;
    if (byte === bar) {
      const follows = at + 1 === to || data[at + 1] === space;
      return at - from > 1 && data[at - 1] === space && data[from] !== space && follows ? at : -1;
    }
    if (byte >= 128 || prefixBytes[byte] !== 1) return -1;
  }
  return -1;
}

export class PrefixEnvelope implements Envelope {
  readonly name = 'prefix';
  readonly goesOn = true;

  read(data: Buffer, unit: Unit): boolean {
    const { from, to } = unit;
    const at = barOf(data, from, to);
    if (at < 0) return false;
    let lane = from;
    if (data[from + 2] === 0x3a && data[from + 5] === 0x3a) {
      while (lane < at && data[lane] !== space) lane++;
      while (lane < at && data[lane] === space) lane++;
    }
    unit.laneData = data;
    unit.laneFrom = lane;
    unit.laneTo = at;
    unit.part = false;
    unit.message = false;
    unit.text = data;
    unit.textFrom = Math.min(to, at + 2);
    unit.textTo = to;
    return true;
  }

  facts(data: Buffer, from: number, to: number): EnvelopeFacts {
    const at = barOf(data, from, to);
    const name = at < 0 ? '' : data.toString('latin1', from, at).replace(/^\d\d:\d\d:\d\S*\s+/, '');
    return { time: null, level: null, fields: { prefix: name.trim() }, syslog: null };
  }
}
