/** Records that come later than a window of event time can place them: none is dropped, and they are told together. */
import { describe, expect, it } from 'vitest';
import { isBalanced } from '../../src/incidents/accounts.ts';
import { rig } from '../support/engine-rig.ts';
import { aRecord, aRule, start } from '../support/make.ts';

const second = 1000;
const minute = 60_000;
const hour = 3_600_000;

const rule = aRule({ count: { atLeast: 3, withinMs: 10 * minute, distinct: null } });
const { stream } = aRecord();
const other = { ...stream, key: 'stream-2', path: '/var/log/worker-2.log' };

const kinds = (made: ReturnType<typeof rig>): string[] =>
  made.told.map(({ intent }) => `${intent.notification.notification.kind}:${intent.row.title}`);

describe('a match of a rule with `count` that is more than an hour behind its stream', () => {
  // Was: counted as below, and so told by nobody.
  it('I5 is told with all others in one digest that names them, each match counted once', () => {
    const made = rig([rule]);
    const now = start + 8 * hour;
    made.match(rule, { task: 'a' }, now);
    made.match(rule, { task: 'b' }, now + 1);
    for (let n = 0; n < 4; n++) made.match(rule, { task: 'a' }, now + 10 + n, { time: start + n });
    for (let n = 0; n < 2; n++) made.match(rule, { task: 'b' }, now + 20 + n, { time: start + n });
    made.tickTo(now + minute);
    expect(kinds(made)).toEqual([
      'digest:task-failed: caught up with 6 in 2 incidents, written over an hour late',
    ]);
    const [{ intent } = { intent: null }] = made.told;
    expect(intent?.notification.incidents.map((row) => [row.fields['task'], row.count])).toEqual([
      ['a', 4],
      ['b', 2],
    ]);
    expect(intent?.cover).toEqual({ opened: 2, repeats: 4 });
    expect(made.engine.stats(rule.id)).toEqual({ matched: 6, below: 2, incidents: 2, firing: 0 });
    expect(made.engine.accounts.of('eng')).toMatchObject({ matched: 6, pending: 6 });
    expect(isBalanced(made.engine.accounts.of('eng'))).toBe(true);
  });

  it('I5 is told ever more rarely while such ones keep coming, with the same ids after a restart', () => {
    const run = (restart: boolean): string[] => {
      let made = rig([rule]);
      const said: string[] = [];
      const now = start + 8 * hour;
      made.match(rule, { task: 'a' }, now);
      for (let n = 0; n < 40; n++) {
        if (restart && n === 20) {
          said.push(...made.told.map(({ intent }) => intent.notification.notification.id));
          made = rig([rule], { store: made.store, offset: 21 });
          made.engine.adopt(now + n * minute);
        }
        made.match(rule, { task: 'a' }, now + n * minute, { time: start + n });
      }
      made.engine.finish(now + hour);
      return [...said, ...made.told.map(({ intent }) => intent.notification.notification.id)];
    };
    expect(run(false)).toHaveLength(3);
    expect(run(true)).toEqual(run(false));
  });

  it('does not wake the window that it is too late for, nor keep it from filling', () => {
    const made = rig([rule]);
    const now = start + 8 * hour;
    made.match(rule, { task: 'a' }, now);
    for (let n = 0; n < 3; n++) made.match(rule, { task: 'a' }, now + 1, { time: start + n });
    made.match(rule, { task: 'a' }, now + second);
    made.match(rule, { task: 'a' }, now + 2 * second);
    expect(kinds(made)).toEqual(['first:task-failed: task failed']);
    expect(made.told[0]?.intent.row.count).toBe(3);
  });

  it('in the order of its rule: removed, it is told what was not yet', () => {
    const made = rig([rule]);
    made.match(rule, { task: 'a' }, start + 8 * hour);
    made.match(rule, { task: 'a' }, start + 8 * hour, { time: start });
    made.swap([], start + 8 * hour + second);
    expect(kinds(made)).toEqual([
      'digest:task-failed: caught up with 1 in 1 incident, written over an hour late',
    ]);
    expect(made.told[0]?.intent.notification.incidents).toHaveLength(1);
  });
});

describe('an old file that is read after a newer one', () => {
  // Was: its matches were below, since the window of their key had moved on.
  it('counts as on its day', () => {
    const made = rig([rule]);
    made.match(rule, { task: 'a' }, start + 8 * hour);
    for (let n = 0; n < 3; n++)
      made.match(rule, { task: 'a' }, start + 8 * hour, { time: start + n * minute, stream: other });
    expect(kinds(made)).toEqual(['first:task-failed: task failed']);
    expect(made.told[0]?.intent.row.count).toBe(3);
  });

  it('tells nothing where it has too few, as on its day', () => {
    const made = rig([rule]);
    made.match(rule, { task: 'a' }, start + 8 * hour);
    for (let n = 0; n < 3; n++)
      made.match(rule, { task: 'a' }, start + 8 * hour, { time: start + n * 11 * minute, stream: other });
    made.engine.finish(start + 9 * hour);
    expect(kinds(made)).toEqual([]);
    expect(made.engine.stats(rule.id)).toMatchObject({ matched: 0, below: 4 });
  });
});
