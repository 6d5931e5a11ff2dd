/** The clock of the machine is set forward, back, and to a time long gone: nothing waits for longer than it was to, and nothing storms. */
import { describe, expect, it } from 'vitest';
import { liveTime } from '../../src/daemon/engine-time.ts';
import { Desk } from '../../src/notify/desk.ts';
import { memoryStore } from '../../src/state/memory.ts';
import { rig } from '../support/engine-rig.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { anIntent, aRule } from '../support/make.ts';

const second = 1_000;
const minute = 60_000;
const hour = 3_600_000;
const start = Date.UTC(2026, 0, 5, 10);
const jumps = {
  'an hour forward': hour,
  'an hour back': -hour,
  'ten years forward': 87_600 * hour,
  'to 1970': -start,
} as const;

describe('a clock that is set while it runs', () => {
  for (const [name, by] of Object.entries(jumps))
    it(`C1 ${name}, and right again: time goes on at its own pace`, () => {
      const clock = new FakeClock(start);
      const { now, clock: steady } = liveTime(clock);
      let before = now();
      const passes = (ms: number): number => {
        clock.skip(ms);
        const passed = now() - before;
        before = now();
        expect(steady.now()).toBe(before);
        return passed;
      };
      expect(passes(minute)).toBe(minute);
      clock.jump(clock.now() + by);
      expect(passes(minute)).toBe(minute + Math.max(0, by));
      clock.jump(clock.now() - by);
      expect(passes(minute)).toBe(minute);
      for (let step = 0; step < 60; step++) expect(passes(second)).toBe(second);
    });

  for (const [name, by] of Object.entries(jumps))
    it(`C1 ${name}: a hold and a reminder come when they were to, or at once, and each once`, () => {
      const clock: FakeClock = new FakeClock(start);
      const { now } = liveTime(clock);
      const rule = aRule({ holdMs: 30 * second, remindMs: [5 * minute] });
      const made = rig([rule]);
      const pass = (ms: number): void => {
        for (let at = 0; at < ms; at += second) {
          clock.skip(second);
          made.tickTo(now());
        }
      };
      made.match(rule, { task: 'a' }, now());
      clock.jump(clock.now() + by);
      pass(31 * second);
      expect(made.kinds()).toEqual(['first:1']);
      made.match(rule, { task: 'a' }, now());
      clock.jump(clock.now() - by);
      pass(5 * minute + second);
      // Set forward, the incident was over meanwhile: what comes is a new one, which has its own hold.
      expect(made.kinds()).toEqual(['first:1', by > 0 ? 'first:1' : 'summary:2']);
    });
});

describe('a clock that was ahead when the last run ended', () => {
  it('C2 a hold, a reminder and the quiet of an incident come when they were to', () => {
    const store = memoryStore();
    const held = aRule({ id: 'held', holdMs: 30 * second });
    const rule = aRule({ remindMs: [5 * minute] });
    const early = rig([rule, held], { store });
    const wrong = start + 1_000 * hour;
    early.match(rule, { task: 'a' }, wrong);
    early.match(rule, { task: 'a' }, wrong + second);
    early.match(held, { task: 'b' }, wrong + second);
    const { engine, told, tickTo, kinds } = rig([rule, held], { store, offset: 3 });
    engine.adopt(start);
    tickTo(start + 29 * second);
    expect(kinds()).toEqual([]);
    tickTo(start + 31 * second);
    expect(told.map(({ intent }) => intent.row.rule)).toEqual(['held']);
    tickTo(start + 5 * minute + second);
    expect(kinds()).toEqual(['first:1', 'summary:2']);
    tickTo(start + hour);
    expect(engine.nextDue()).toBeNull();
  });

  it('C2 a limit and a fold go on from now', () => {
    const store = memoryStore();
    const rule = aRule({ limit: { count: 1, perMs: minute } });
    const early = rig([rule], { store });
    const wrong = start + 1_000 * hour;
    for (const task of ['a', 'b', 'c']) early.match(rule, { task }, wrong);
    expect(early.kinds()).toEqual(['first:1']);
    const { engine, match, told, tickTo } = rig([rule], { store, offset: 3 });
    engine.adopt(start);
    tickTo(start + 6 * second);
    expect(told.map(({ intent }) => intent.notification.incidents.length)).toEqual([2]);
    tickTo(start + 20 * minute);
    match(rule, { task: 'd' }, start + 20 * minute);
    expect(told.at(-1)?.intent.row.fields['task']).toBe('d');
  });

  it('C2 a budget is not closed until then: what waited leaves when there is room from now on', () => {
    const store = memoryStore();
    const channels = [{ name: 'eng', budget: [{ count: 4, perMs: minute }] }];
    const wrong = start + 1_000 * hour;
    const early = new Desk(store, channels as never);
    for (let n = 0; n < 10; n++)
      early.take(anIntent({ id: `i${n}`, rule: `r${n}`, channels: ['eng'] }), wrong);
    const sent = early.takeFresh().length;
    expect(sent).toBeLessThan(5);
    const desk = new Desk(store, channels as never);
    desk.adopt(start);
    expect(desk.nextDue()).toBeLessThanOrEqual(start + minute);
    desk.tick(start + minute);
    expect(desk.takeFresh()).toHaveLength(1);
  });
});
