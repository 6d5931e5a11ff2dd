/**
 * CRI lines of container runtimes under Kubernetes: `2026-11-21T02:28:27.989775408Z stderr F text`. `P` is a part of a line
 * that the lane's next one goes on with, `F` the end of it. Lanes are the two streams.
 */
import type { FieldValue } from '../../model/record.ts';
import { timeOf } from '../stamps.ts';
import type { Envelope, EnvelopeContext, EnvelopeFacts, Unit } from '../unwrap.ts';

/** A stamp is at least `YYYY-MM-DDTHH:MM:SSZ`, at most with nanoseconds and an offset. */
const minStamp = 20;
const maxStamp = 35;

export class CriEnvelope implements Envelope {
  readonly name = 'cri';
  readonly rotatesAnywhere = true;

  read(data: Buffer, unit: Unit): boolean {
    const { from, to } = unit;
    if (
      to - from < minStamp + 9 ||
      data[from + 10] !== 0x54 ||
      data[from + 4] !== 0x2d ||
      data[from + 13] !== 0x3a
    )
      return false;
    let at = from + minStamp - 1;
    const last = Math.min(to, from + maxStamp + 1);
    while (at < last && data[at] !== 0x20) at++;
    // ` stdout F ` or ` stderr P:tag `
    if (data[at] !== 0x20 || data[at + 1] !== 0x73 || data[at + 2] !== 0x74 || data[at + 3] !== 0x64)
      return false;
    const lane = at + 1;
    if (data[lane + 3] !== 0x6f && data[lane + 3] !== 0x65) return false;
    if (data[lane + 6] !== 0x20) return false;
    const tag = data[lane + 7];
    if (tag !== 0x46 && tag !== 0x50) return false;
    let text = lane + 8;
    // Further tags may follow by colons. A line without text may have lost its last blank.
    while (text < to && data[text] !== 0x20) text++;
    if (text > to || (text > lane + 8 && data[lane + 8] !== 0x3a && text !== to)) return false;
    unit.laneData = data;
    unit.laneFrom = lane;
    unit.laneTo = lane + 6;
    unit.part = tag === 0x50;
    unit.message = false;
    unit.text = data;
    unit.textFrom = Math.min(to, text + 1);
    unit.textTo = to;
    return true;
  }

  facts(data: Buffer, from: number, to: number, context: EnvelopeContext): EnvelopeFacts {
    const head = data.toString('latin1', from, Math.min(to, from + maxStamp + 8));
    const [stamp = '', stream = ''] = head.split(' ');
    const fields: Record<string, FieldValue> = Object.create(null);
    fields['stream'] = stream;
    return { time: timeOf(stamp, context.tz, context.receivedAt), level: null, fields, syslog: null };
  }
}
