import { describe, expect, it } from 'vitest';
import { isBalanced } from '../../src/incidents/accounts.ts';
import { waitingPerRuleMax } from '../../src/incidents/late.ts';
import type { Rule } from '../../src/model/rule.ts';
import { memoryStore } from '../../src/state/memory.ts';
import { rig } from '../support/engine-rig.ts';
import { aHit, aRule, start } from '../support/make.ts';

const second = 1000;
const hour = 3_600_000;
const fields = { task: 'a', task_id: 'x' };
const gaveUp = { trace: 'task.py, in retry' };

/** Failures whose trace ends in retry() wait a second for their retries; only those with a retry are told. */
function waitingRule(facts: Partial<Rule> = {}): Rule {
  return aRule({
    join: ['task_id'],
    limit: null,
    whereStory: [{ field: 'collected.count', operators: [{ op: 'gte', value: 1 }] }],
    fields: [{ name: 'retries', template: '{{ collected.count }}' }],
    collect: {
      conditions: aRule().conditions,
      withinMs: 24 * hour,
      atLeast: 1,
      until: null,
      late: {
        withinMs: second,
        where: [
          { field: 'trace', operators: [{ op: 'matches', pattern: 'in retry', origin: aRule().origin }] },
        ],
      },
    },
    ...facts,
  });
}
/** The same, told whether there was a retry or not. */
const tellsAll = () => waitingRule({ whereStory: [] });

function lateRig(rule: Rule, options: Parameters<typeof rig>[1] = {}) {
  const made = rig([rule], options);
  return {
    ...made,
    fail: (now: number, record = {}) => made.match(rule, fields, now, { ...gaveUp, ...record }),
    retry: (now: number, record = {}) => made.hits([aHit(rule, fields, 'collect')], now, record),
    retries: () => made.told.map(({ intent }) => intent.row.fields['retries']),
  };
}

describe('a match whose earlier records were written late', () => {
  it('waits for them, is told when the wait is over, and has the time of its own record', () => {
    const { fail, retry, tickTo, told, engine } = lateRig(waitingRule());
    fail(start);
    retry(start + 1);
    retry(start + 2);
    tickTo(start + second - 1);
    expect(told).toEqual([]);
    expect(engine.nextDue()).toBe(start + second);
    tickTo(start + second);
    expect(told.map(({ at }) => at)).toEqual([start + second]);
    expect(told[0]?.intent.row.fields).toMatchObject({ retries: '2', task_id: 'x' });
    expect(told[0]?.intent.notification.incident.first_seen_at).toBe(new Date(start).toISOString());
    expect(told[0]?.intent.notification.record).toMatchObject({ trace: gaveUp.trace });
    expect(engine.stats('task-failed')).toMatchObject({ matched: 1, below: 0, incidents: 1 });
    expect(isBalanced(engine.accounts.of('eng'))).toBe(true);
  });

  it('without any that came, is decided as if it had not waited', () => {
    const none = lateRig(waitingRule());
    none.fail(start);
    none.tickTo(start + second);
    expect(none.told).toEqual([]);
    expect(none.engine.nextDue()).toBeNull();
    const all = lateRig(tellsAll());
    all.fail(start);
    all.tickTo(start + second);
    expect(all.retries()).toEqual(['0']);
  });

  it('does not wait where an earlier record is known, where `where` does not hold, or without a story', () => {
    const known = lateRig(waitingRule());
    known.retry(start);
    known.fail(start + 1);
    expect(known.told.map(({ at }) => at)).toEqual([start + 1]);
    const other = lateRig(tellsAll());
    other.fail(start, { trace: 'task.py, in run' });
    expect(other.told.map(({ at }) => at)).toEqual([start]);
    const rule = tellsAll();
    const alone = rig([rule]);
    alone.match(rule, { task: 'a' }, start, gaveUp);
    expect(alone.told.map(({ at }) => at)).toEqual([start]);
  });

  it('takes no record of a later story, however fast a backlog is read', () => {
    const { fail, retry, retries, engine } = lateRig(waitingRule());
    fail(start + hour, { time: start });
    retry(start + hour, { time: start + second });
    retry(start + hour, { time: start + second + 1 });
    expect(retries()).toEqual(['1']);
    fail(start + hour, { time: start + 2 * second });
    expect(engine.stats('task-failed').matched).toBe(2);
  });

  it('is decided when its story ends again: each failure is told', () => {
    const { fail, retry, tickTo, retries, engine } = lateRig(tellsAll());
    fail(start);
    retry(start + 1);
    fail(start + 2);
    tickTo(start + hour);
    expect(engine.stats('task-failed').matched).toBe(2);
    expect(retries()).toEqual(['1', '0']);
  });

  it('lets a story that ends by `until` take its late records with it', () => {
    const rule = tellsAll();
    const { hits, match, told, engine } = rig([rule]);
    hits([aHit(rule, fields, 'until')], start, gaveUp);
    hits([aHit(rule, fields, 'collect')], start + 1);
    match(rule, fields, start + 5 * second, { trace: null });
    expect(told.map(({ intent }) => intent.row.fields['retries'])).toEqual(['0']);
    expect(engine.stats('task-failed').matched).toBe(1);
  });

  it('is told at once at the end of the input', () => {
    const { fail, retry, engine, retries } = lateRig(waitingRule());
    fail(start);
    retry(start + 1);
    engine.finish(start + 1);
    expect(retries()).toEqual(['1']);
    engine.finish(start + 1);
    expect(retries()).toEqual(['1']);
  });

  it('does not wait beside a thousand others: it is told at once, and that is said once', () => {
    const rule = tellsAll();
    const { match, told, odd, tickTo, engine } = rig([rule]);
    for (let n = 0; n < waitingPerRuleMax + 3; n++)
      match(rule, { task: `t${n}`, task_id: `id${n}` }, start, gaveUp);
    expect(told).toHaveLength(3);
    expect(odd).toEqual(['wait_full']);
    tickTo(start + second);
    expect(told).toHaveLength(waitingPerRuleMax + 3);
    expect(engine.nextDue()).toBeGreaterThan(start + second);
  });
});

describe('a match that waits, and the end of the run', () => {
  it('waits anew after a restart for what is still to be read, and is told once with the same id', () => {
    const straight = lateRig(waitingRule());
    straight.fail(start);
    straight.retry(start + 1);
    straight.tickTo(start + second);
    const store = memoryStore();
    const before = lateRig(waitingRule(), { store });
    before.fail(start);
    const after = lateRig(waitingRule(), { store, offset: 1 });
    after.engine.adopt(start + hour);
    after.retry(start + hour, { time: start + 1 });
    after.tickTo(start + hour + second);
    expect(after.retries()).toEqual(['1']);
    expect(after.told[0]?.intent.notification.notification.id).toBe(
      straight.told[0]?.intent.notification.notification.id,
    );
    const third = lateRig(waitingRule(), { store, offset: 2 });
    third.engine.adopt(start + 2 * hour);
    third.tickTo(start + 2 * hour + second);
    expect(third.told).toEqual([]);
    expect(isBalanced(third.engine.accounts.of('eng'))).toBe(true);
  });

  it('is decided by its own rule when a reload changes or removes that', () => {
    for (const next of [[], [waitingRule({ countingHash: 'h2' })]]) {
      const { fail, retry, swap, kinds, engine } = lateRig(waitingRule());
      fail(start);
      retry(start + 1);
      swap(next, start + 2);
      expect(kinds()).toEqual(['first:1', 'resolved:1']);
      expect(engine.nextDue()).toBeNull();
      expect(isBalanced(engine.accounts.of('eng'))).toBe(true);
    }
  });

  it('is decided by the rule of its id when that was changed between two runs, and counted when there is none', () => {
    const store = memoryStore();
    lateRig(tellsAll(), { store }).fail(start);
    const changed = lateRig({ ...tellsAll(), countingHash: 'h2' }, { store, offset: 1 });
    changed.engine.adopt(start + hour);
    expect(changed.kinds()).toEqual(['first:1']);
    const other = memoryStore();
    lateRig(tellsAll(), { store: other }).fail(start);
    const removed = rig([], { store: other, offset: 1 });
    removed.engine.adopt(start + hour);
    expect(removed.told).toEqual([]);
    expect(removed.odd).toEqual(['rule_gone']);
    expect(removed.engine.nextDue()).toBeNull();
  });
});
