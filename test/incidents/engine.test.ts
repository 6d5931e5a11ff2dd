import { describe, expect, it } from 'vitest';
import { isBalanced } from '../../src/incidents/accounts.ts';
import type { Silence } from '../../src/model/intent.ts';
import { memoryStore } from '../../src/state/memory.ts';
import { rig } from '../support/engine-rig.ts';
import { aHit, aRecord, aRule, start } from '../support/make.ts';

const second = 1000;
const minute = 60_000;
const hour = 3_600_000;

describe('one incident per value of `by`', () => {
  it('speaks at the first match at once, and counts the repeats', () => {
    const rule = aRule();
    const { match, kinds, engine } = rig([rule]);
    for (let n = 0; n < 10; n++) match(rule, { task: 'a' }, start + n * second);
    match(rule, { task: 'b' }, start + 10 * second);
    expect(kinds()).toEqual(['first:1', 'first:1']);
    expect(engine.stats(rule.id)).toMatchObject({ matched: 11, incidents: 2, firing: 2 });
  });

  it('tells what came since ever more rarely, and nothing when nothing came', () => {
    const rule = aRule();
    const { match, told, tickTo } = rig([rule]);
    for (let n = 0; n < 5 * 60; n++) match(rule, { task: 'a' }, start + n * minute);
    tickTo(start + 48 * hour);
    expect(told.map(({ at }) => (at - start) / minute)).toEqual([0, 5, 65, 305]);
    expect(told.at(-1)?.intent.notification.incident).toMatchObject({
      count: 300,
      new_count: 235,
      state: 'firing',
    });
  });

  it('never lets the count go back within an id, and derives the same ids again', () => {
    const rule = aRule();
    const run = () => {
      const one = rig([rule]);
      for (let n = 0; n < 400; n++) one.match(rule, { task: `t${n % 3}` }, start + n * minute);
      one.tickTo(start + 100 * hour);
      return one.told.map(({ intent }) => ({
        id: intent.notification.notification.id,
        incident: intent.row.id,
        count: intent.row.count,
      }));
    };
    const first = run();
    expect(run()).toEqual(first);
    expect(new Set(first.map((one) => one.id)).size).toBe(first.length);
    for (const [index, one] of first.entries()) {
      const earlier = first.slice(0, index).filter((other) => other.incident === one.incident);
      expect(earlier.every((other) => other.count <= one.count)).toBe(true);
    }
  });

  it('is quiet after 15 minutes, and a match long after opens a new one that speaks at once', () => {
    const rule = aRule();
    const { match, kinds, tickTo, told } = rig([rule]);
    match(rule, { task: 'a' }, start);
    tickTo(start + 26 * hour);
    match(rule, { task: 'a' }, start + 26 * hour);
    expect(kinds()).toEqual(['first:1', 'first:1']);
    expect(told[0]?.intent.row.id).not.toBe(told[1]?.intent.row.id);
  });

  it('waits for `hold` before its first word, which then counts what came meanwhile', () => {
    const rule = aRule({ holdMs: 30 * second });
    const { match, told, tickTo } = rig([rule]);
    for (let n = 0; n < 5; n++) match(rule, { task: 'a' }, start + n * second);
    expect(told).toEqual([]);
    tickTo(start + minute);
    expect(told.map(({ at, intent }) => [at - start, intent.row.count, intent.cover])).toEqual([
      [30 * second, 5, { opened: 1, repeats: 4 }],
    ]);
  });

  it('A5 keeps the end of `hold` and what it counted over a restart', () => {
    const rule = aRule({ holdMs: 30 * second });
    const store = memoryStore();
    const early = rig([rule], { store });
    for (let n = 0; n < 7; n++) early.match(rule, { task: 'a' }, start + n * second);
    const { engine, told, tickTo, kinds } = rig([rule], { store, offset: 7 });
    engine.adopt(start + 20 * second);
    tickTo(start + 29 * second);
    expect([...early.kinds(), ...kinds()]).toEqual([]);
    tickTo(start + 90 * second);
    expect(kinds()).toEqual(['first:7']);
    expect(told[0]?.at).toBe(start + 30 * second);
  });

  it('with `remind: never` says one word and counts the rest at once', () => {
    const rule = aRule({ remindMs: [] });
    const { match, kinds, engine, tickTo } = rig([rule]);
    for (let n = 0; n < 50; n++) match(rule, { task: 'a' }, start + n * second);
    tickTo(start + 72 * hour);
    expect(kinds()).toEqual(['first:1']);
    expect(engine.accounts.of('eng')).toMatchObject({ matched: 50, counted: 49, pending: 1 });
  });

  it('without `by` is keyed by the automatic fingerprint: numbers and ids do not make new ones', () => {
    const rule = aRule({ by: null });
    const { match, told } = rig([rule]);
    match(rule, {}, start, { message: 'user 17 not found in shard 3' });
    match(rule, {}, start, { message: 'user 99 not found in shard 4' });
    match(rule, {}, start, { message: 'disk is full' });
    expect(told).toHaveLength(2);
    expect(told[0]?.intent.notification.incident.fingerprint).toMatch(/^v1:[0-9a-f]{16}$/);
  });

  it('F13 keeps keys apart that only look alike when glued together', () => {
    const rule = aRule({ by: ['a', 'b'], limit: null });
    const { match, told } = rig([rule]);
    match(rule, { a: 'a|b', b: 'c' }, start);
    match(rule, { a: 'a', b: 'b|c' }, start);
    match(rule, { a: 'x'.repeat(70_000), b: '1' }, start);
    match(rule, { a: 'x'.repeat(70_000), b: '2' }, start);
    expect(told).toHaveLength(4);
  });
});

describe('recovery', () => {
  it('is told once, with the count and its time', () => {
    const rule = aRule({ resolve: { when: aRule().conditions, quietMs: null } });
    const { match, hits, told, kinds } = rig([rule]);
    match(rule, { task: 'a' }, start);
    match(rule, { task: 'a' }, start + second);
    hits([aHit(rule, { task: 'a' }, 'resolve')], start + minute);
    hits([aHit(rule, { task: 'a' }, 'resolve')], start + 2 * minute);
    expect(kinds()).toEqual(['first:1', 'resolved:2']);
    expect(told.at(-1)?.intent.notification.incident).toMatchObject({
      state: 'resolved',
      resolved_at: new Date(start + minute).toISOString(),
    });
  });

  it('ends only the incidents that its fields name; without them all of the rule', () => {
    const rule = aRule({ by: ['host', 'disk'], resolve: { when: aRule().conditions, quietMs: null } });
    const { match, hits, kinds } = rig([rule]);
    for (const host of ['a', 'b']) for (const disk of ['1', '2']) match(rule, { host, disk }, start);
    hits([aHit(rule, { host: 'a' }, 'resolve')], start + second);
    expect(kinds().filter((kind) => kind.startsWith('resolved'))).toHaveLength(2);
    hits([aHit(rule, {}, 'resolve')], start + 2 * second);
    expect(kinds().filter((kind) => kind.startsWith('resolved'))).toHaveLength(4);
  });

  it('comes by itself with `resolve: { quiet }`', () => {
    const rule = aRule({ resolve: { when: null, quietMs: 10 * minute } });
    const { match, told, tickTo } = rig([rule]);
    match(rule, { task: 'a' }, start);
    tickTo(start + hour);
    expect(told.map(({ intent, at }) => [intent.notification.notification.kind, at - start])).toEqual([
      ['first', 0],
      ['resolved', 10 * minute],
    ]);
  });
});

describe('counts and stories', () => {
  it('A6 fires at the match that fills the window, and counts what filled it', () => {
    const rule = aRule({ by: [], count: { atLeast: 5, withinMs: 10 * minute, distinct: null } });
    const { match, kinds, engine } = rig([rule]);
    for (let n = 0; n < 4; n++) match(rule, {}, start + n * minute);
    expect(engine.stats(rule.id)).toMatchObject({ matched: 0, below: 4 });
    match(rule, {}, start + 4 * minute);
    match(rule, {}, start + 4 * minute + 1);
    expect(kinds()).toEqual(['first:5']);
    expect(engine.stats(rule.id)).toMatchObject({ matched: 6, below: 0 });
    expect(isBalanced(engine.accounts.of('eng'))).toBe(true);
  });

  it('F16 joins a story by its field, counts it, and forgets it when it is told', () => {
    const story = { conditions: aRule().conditions, withinMs: 24 * hour, atLeast: 1, until: null };
    const rule = aRule({
      collect: story,
      join: ['task_id'],
      limit: null,
      fields: [{ name: 'retries', template: '{{ collected.count }}' }],
    });
    const { match, hits, told } = rig([rule]);
    for (let n = 0; n < 3; n++)
      hits([aHit(rule, { task: 'a', task_id: 'x' }, 'collect')], start + n * second);
    hits([aHit(rule, { task: 'a', task_id: 'other' }, 'collect')], start);
    match(rule, { task: 'a', task_id: 'x' }, start + minute);
    match(rule, { task: 'b', task_id: 'x' }, start + 2 * minute);
    expect(told.map(({ intent }) => intent.row.fields['retries'])).toEqual(['3', '0']);
    expect(told[0]?.intent.row.fields['collected']).toMatchObject({ count: 3, first: { task_id: 'x' } });
  });

  it('lets `until` clear a story', () => {
    const story = {
      conditions: aRule().conditions,
      withinMs: 24 * hour,
      atLeast: 1,
      until: aRule().conditions,
    };
    const rule = aRule({
      collect: story,
      join: ['task_id'],
      fields: [{ name: 'retries', template: '{{ collected.count }}' }],
    });
    const { match, hits, told } = rig([rule]);
    hits([aHit(rule, { task_id: 'x' }, 'collect')], start);
    hits([aHit(rule, { task_id: 'x' }, 'until')], start + second);
    match(rule, { task: 'a', task_id: 'x' }, start + minute);
    expect(told[0]?.intent.row.fields['retries']).toBe('0');
  });

  it('wants what must have come before', () => {
    const before = { conditions: aRule().conditions, withinMs: hour, atLeast: 2, until: null };
    const rule = aRule({ precededBy: before, join: ['user'], by: ['user'] });
    const { match, hits, told, engine } = rig([rule]);
    match(rule, { user: 'a' }, start);
    hits([aHit(rule, { user: 'a' }, 'preceded_by')], start + second);
    hits([aHit(rule, { user: 'a' }, 'preceded_by')], start + 2 * second);
    match(rule, { user: 'b' }, start + 3 * second);
    match(rule, { user: 'a' }, start + 3 * second);
    match(rule, { user: 'a' }, start + 3 * hour);
    expect(told).toHaveLength(1);
    expect(engine.stats(rule.id).below).toBe(3);
  });
});

describe('storms', () => {
  it('F12 lets five speak and folds the rest into one message that names them', () => {
    const rule = aRule();
    const { match, told, kinds, tickTo } = rig([rule]);
    for (let n = 0; n < 50; n++) match(rule, { task: `t${n}` }, start + n);
    tickTo(start + minute);
    expect(kinds().filter((kind) => kind.startsWith('first'))).toHaveLength(5);
    const fold = told.filter(({ intent }) => intent.notification.notification.kind === 'digest');
    expect(fold).toHaveLength(1);
    expect(fold[0]?.intent.notification.incidents.map((row) => row.fields['task'])).toEqual(
      Array.from({ length: 45 }, (_, n) => `t${n + 5}`),
    );
    expect(fold[0]?.intent.cover).toEqual({ opened: 45, repeats: 0 });
  });

  it('keeps what was folded in the fold until it ends, and then lets it speak for itself', () => {
    const rule = aRule();
    const { match, told, tickTo } = rig([rule]);
    for (let n = 0; n < 6; n++) match(rule, { task: `t${n}` }, start + n);
    for (let n = 1; n < 10; n++) match(rule, { task: 't5' }, start + n * minute);
    const spoken = told.length;
    tickTo(start + 26 * hour);
    match(rule, { task: 't5' }, start + 26 * hour);
    expect(told.slice(0, spoken).filter(({ intent }) => intent.row.fields['task'] === 't5')).toEqual([]);
    expect(told.at(-1)?.intent.notification.notification.kind).toBe('first');
  });

  it('F11 makes two messages of a million repeats, with the exact count', () => {
    const rule = aRule();
    const { match, engine, kinds } = rig([rule]);
    for (let n = 0; n < 100_000; n++) match(rule, { task: 'a' }, start + Math.floor(n / 1000));
    engine.finish(start + minute);
    expect(kinds()).toEqual(['first:1', 'summary:100000']);
  });

  it('holds no more than its limit of open incidents, and loses no match of those beyond', () => {
    const rule = aRule();
    const { match, engine } = rig([rule]);
    for (let n = 0; n < 10_500; n++) match(rule, { task: `t${n}` }, start + n);
    expect(engine.stats(rule.id)).toMatchObject({ matched: 10_500, firing: 10_001 });
    engine.finish(start + hour);
    expect(engine.accounts.of('eng')).toMatchObject({ matched: 10_500, pending: 10_500 });
  });
});

describe('who is told', () => {
  it('a line can not lead its match away with fields named like rule, severity, source or a label', () => {
    const rule = aRule({ labels: { team: 'data' }, severity: [{ when: [], is: 'error' }] });
    const { source } = aRecord().stream;
    const glob = (field: string, pattern: string) => ({
      field,
      operators: [{ op: 'glob' as const, patterns: [pattern] }],
    });
    const where = [
      glob('rule', rule.id),
      glob('severity', 'error'),
      glob('source', source),
      glob('labels.team', 'data'),
      glob('labels.env', 'test'),
    ];
    const { match, told, store, engine } = rig([rule], { routes: [{ where, notify: ['eng'], also: false }] });
    const silence: Silence = {
      id: 's',
      rule: null,
      where: { 'labels.env': 'staging' },
      startsAt: start,
      endsAt: start + hour,
      comment: null,
    };
    store.table<Silence>('silences').put('s', silence, null);
    engine.reloadSilences();
    const forged = { rule: 'other', severity: 3, source: 'x', labels: { team: 'x', env: 'staging' } };
    match(rule, { task: 'a', ...forged, 'labels.team': 'x' }, start);
    expect(told.flatMap(({ intent }) => intent.channels)).toEqual(['eng']);
  });

  it('takes the first route that holds, goes on where it says so, and adds what the rule names', () => {
    const rule = aRule({
      notify: ['extra'],
      severity: [
        { when: [{ field: 'task', operators: [{ op: 'glob', patterns: ['billing.*'] }] }], is: 'critical' },
        { when: [], is: 'error' },
      ],
    });
    const routes = [
      {
        where: [{ field: 'severity', operators: [{ op: 'glob' as const, patterns: ['critical'] }] }],
        notify: ['pager'],
        also: true,
      },
      { where: [], notify: ['eng'], also: false },
      { where: [], notify: ['never'], also: false },
    ];
    const { match, told } = rig([rule], { routes });
    match(rule, { task: 'billing.pay' }, start);
    match(rule, { task: 'mail.send' }, start);
    expect(told.map(({ intent }) => intent.channels)).toEqual([
      ['pager', 'eng', 'extra'],
      ['eng', 'extra'],
    ]);
    expect(told.map(({ intent }) => intent.severity)).toEqual(['critical', 'error']);
  });

  it('tells those who want only the grave when an incident grows grave', () => {
    const rule = aRule({
      by: [],
      severity: [
        { when: [{ field: 'task', operators: [{ op: 'glob', patterns: ['billing'] }] }], is: 'critical' },
        { when: [], is: 'warning' },
      ],
    });
    const routes = [{ where: [], notify: ['eng', 'pager'], also: false }];
    const { match, engine, told } = rig([rule], {
      routes,
      severities: { eng: ['warning', 'critical'], pager: ['critical'] },
    });
    match(rule, { task: 'mail' }, start);
    match(rule, { task: 'billing' }, start + second);
    engine.finish(start + minute);
    expect(told.map(({ intent }) => intent.channels)).toEqual([['eng'], ['eng', 'pager']]);
  });

  it('A7 is silent while a silence holds, and speaks when it is over', () => {
    const rule = aRule();
    const store = memoryStore();
    const { match, told, engine } = rig([rule], { store });
    const silence: Silence = {
      id: 's',
      rule: null,
      where: { task: 'mail.*' },
      startsAt: start,
      endsAt: start + 10 * minute,
      comment: null,
    };
    store.table<Silence>('silences').put('s', silence, null);
    engine.reloadSilences();
    match(rule, { task: 'mail.send' }, start + second);
    match(rule, { task: 'other' }, start + second);
    expect(told.map(({ intent }) => intent.row.fields['task'])).toEqual(['other']);
    match(rule, { task: 'mail.send' }, start + 10 * minute);
    expect(told.map(({ intent }) => `${intent.row.fields['task']}:${intent.row.count}`)).toEqual([
      'other:1',
      'mail.send:2',
    ]);
    expect(engine.accounts.of('eng')).toMatchObject({ matched: 3, silenced: 1, pending: 2 });
  });
});

describe('a new set of rules', () => {
  it('E19 keeps the state of a rule whose counting is unchanged, whatever its texts', () => {
    const rule = aRule();
    const { match, swap, kinds } = rig([rule]);
    match(rule, { task: 'a' }, start);
    const renamed = aRule({ title: 'another title', severity: [{ when: [], is: 'critical' }] });
    swap([renamed], start + second);
    match(renamed, { task: 'a' }, start + 2 * second);
    expect(kinds()).toEqual(['first:1']);
  });

  it('E22 ends the incidents of a removed rule with that reason', () => {
    const rule = aRule();
    const { match, swap, told } = rig([rule]);
    match(rule, { task: 'a' }, start);
    swap([], start + second);
    expect(told.at(-1)?.intent.notification.notification.kind).toBe('resolved');
    expect(told.at(-1)?.intent.row.fields['ended']).toBe('the rule was removed');
  });

  it('begins anew where the counting changed', () => {
    const rule = aRule();
    const { match, swap, kinds } = rig([rule]);
    match(rule, { task: 'a' }, start);
    const other = aRule({ countingHash: 'h2' });
    swap([other], start + second);
    match(other, { task: 'a' }, start + 2 * second);
    expect(kinds()).toEqual(['first:1', 'resolved:1', 'first:1']);
  });
});
