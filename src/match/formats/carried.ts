/**
 * Records that came with facts of their own (`model/carried.ts`), one to a message: finds the text and the lane of each in its bytes, and
 * reads the facts as values where a rule wants them. A message without facts is text. It relies on nothing that a sender wrote.
 */
import { type CarriedFacts, factsMark, laneMark, textMark } from '../../model/carried.ts';
import { levels } from '../../model/record.ts';
import type { Envelope, EnvelopeFacts, Framing, FramingHow, Unit } from '../unwrap.ts';
import { fieldsOf } from './bounded-fields.ts';

/** Cuts at the ends of messages that the source knows. */
export class FrameUnits implements Framing {
  midUnit = false;
  #frames: ArrayLike<number> | null = null;
  #next = 0;

  next(data: Buffer, at: number, unit: Unit, how: FramingHow): boolean {
    if (at >= data.length) return false;
    if (how.frames !== this.#frames) {
      this.#frames = how.frames;
      this.#next = 0;
    }
    const frames = how.frames ?? [];
    while (this.#next < frames.length && (frames[this.#next] as number) <= at) this.#next++;
    unit.from = at;
    unit.next = frames[this.#next] ?? data.length;
    unit.to = unit.next;
    while (unit.to > unit.from && isLineEnd(data[unit.to - 1])) unit.to--;
    unit.cut = false;
    unit.message = true;
    return true;
  }
}

function isLineEnd(byte: number | undefined): boolean {
  return byte === 0x0a || byte === 0x0d;
}

export class CarriedEnvelope implements Envelope {
  readonly name = 'carried';

  read(data: Buffer, unit: Unit): boolean {
    unit.part = false;
    unit.bare = false;
    unit.message = true;
    unit.laneData = unit.text = data;
    unit.laneFrom = unit.laneTo = unit.textFrom = unit.from;
    unit.textTo = unit.to;
    if (data[unit.from] !== factsMark) return true;
    const facts = data.indexOf(laneMark, unit.from);
    const lane = facts < 0 ? -1 : data.indexOf(textMark, facts);
    if (lane < 0 || lane >= unit.to) return true;
    unit.laneFrom = facts + 1;
    unit.laneTo = lane;
    unit.textFrom = lane + 1;
    return true;
  }

  facts(data: Buffer, from: number, to: number): EnvelopeFacts {
    const nothing = { time: null, level: null, fields: Object.create(null) as object as never, syslog: null };
    const end = data[from] === factsMark ? data.indexOf(laneMark, from) : -1;
    if (end < 0 || end > to) return nothing;
    try {
      const found = JSON.parse(data.toString('utf8', from + 1, end)) as Partial<CarriedFacts>;
      const { time, level, fields } = found;
      return {
        time: typeof time === 'number' && Number.isFinite(time) ? time : null,
        level: levels.find((one) => one === level) ?? null,
        fields: fieldsOf((fields ?? {}) as Record<string, unknown>),
        syslog: null,
      };
    } catch {
      // Text that only begins like such a record.
      return nothing;
    }
  }
}
