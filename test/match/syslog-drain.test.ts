import { describe, expect, it } from 'vitest';
import { SyslogEnvelope, SyslogUnits } from '../../src/match/formats/syslog-drain.ts';
import { Unit } from '../../src/match/unwrap.ts';

const limit = 1_000;

function laneOf(unit: Unit): string {
  return unit.laneData.toString('latin1', unit.laneFrom, unit.laneTo);
}

describe('syslog as an envelope of a connection', () => {
  it('a line without a head goes on where the last message was, although its bytes are gone', () => {
    const framing = new SyslogUnits({ framing: 'auto', maxFrameBytes: limit });
    const envelope = new SyslogEnvelope(limit);
    const unit = new Unit();
    const room = Buffer.from('<13>Jan  5 10:00:00 web1 worker[1234]: Traceback (most recent call last):\n');
    expect(framing.next(room, 0, unit, { final: false, frames: null })).toBe(true);
    expect(envelope.read(room, unit)).toBe(true);
    const lane = laneOf(unit);
    expect(lane).toBe('web1 worker[1234');
    room.fill('z');
    const later = Buffer.from('  File "shop.py", line 7, in pay\n');
    framing.next(later, 0, unit, { final: false, frames: null });
    expect(envelope.read(later, unit)).toBe(true);
    expect(unit.bare).toBe(true);
    expect(laneOf(unit)).toBe(lane);
  });

  it('a counted message and a datagram are a message of several lines only where a line end is in them', () => {
    const framing = new SyslogUnits({ framing: 'auto', maxFrameBytes: limit });
    const envelope = new SyslogEnvelope(limit);
    const unit = new Unit();
    const texts = ['<13>app: one line\n', '<13>app: two\nlines', '<13>app: one more', '<13>app: a\nb\nc\n'];
    const seen: boolean[] = [];
    const data = Buffer.from(texts.map((text) => `${text.length} ${text}`).join(''));
    for (let at = 0; framing.next(data, at, unit, { final: false, frames: null }); at = unit.next) {
      expect(envelope.read(data, unit)).toBe(true);
      seen.push(unit.message);
    }
    expect(seen).toEqual([false, true, false, true]);
    const packed = Buffer.from(texts.join(''));
    let end = 0;
    const frames = Int32Array.from(texts, (text) => (end += text.length));
    const datagrams: boolean[] = [];
    for (let at = 0; framing.next(packed, at, unit, { final: false, frames }); at = unit.next) {
      expect(envelope.read(packed, unit)).toBe(true);
      datagrams.push(unit.message);
    }
    expect(datagrams).toEqual([false, true, false, true]);
  });
});
