/** What a fold names: in each of its words the incidents that matched since the one before. */
import { describe, expect, it } from 'vitest';
import { rig } from '../support/engine-rig.ts';
import { aHit, aRule, start } from '../support/make.ts';

const second = 1000;
const minute = 60_000;

const digests = (made: ReturnType<typeof rig>) =>
  made.told
    .map(({ intent }) => intent.notification)
    .filter((notification) => notification.notification.kind === 'digest');

/** One incident may speak for itself; a bad match is critical, and the pager hears of those alone. */
function graded() {
  const severity = [
    {
      when: [{ field: 'bad', operators: [{ op: 'glob' as const, patterns: ['yes'] }] }],
      is: 'critical' as const,
    },
    { when: [], is: 'warning' as const },
  ];
  const rule = aRule({ severity, limit: { count: 1, perMs: 10 * minute } });
  const routes = [{ where: [], notify: ['eng', 'pager'], also: false }];
  const made = rig([rule], { routes, severities: { eng: ['warning', 'critical'], pager: ['critical'] } });
  return { rule, made };
}

describe('a fold', () => {
  // Was: the 200 names of its first word were the only ones for as long as it lasted.
  it('F12 names in its second word what is new, however many it named in the first', () => {
    const rule = aRule();
    const made = rig([rule]);
    for (let n = 0; n < 305; n++) made.match(rule, { task: `t${n}` }, start + n);
    for (let n = 0; n < 50; n++) made.match(rule, { task: `u${n}` }, start + minute + n);
    made.match(rule, { task: 't300' }, start + 2 * minute);
    made.tickTo(start + 10 * minute);
    expect(digests(made).map((one) => one.incident.title)).toEqual([
      'task-failed: 300 more in 300 further incidents',
      'task-failed: 51 more in 51 further incidents',
    ]);
    expect(digests(made)[1]?.incidents.map((row) => row.fields['task'])).toEqual([
      ...Array.from({ length: 50 }, (_, n) => `u${n}`),
      't300',
    ]);
  });

  // Was: each word had the number of what it told as its count, which went back within one id.
  it('counts on from word to word', () => {
    const rule = aRule();
    const made = rig([rule]);
    for (let n = 0; n < 25; n++) made.match(rule, { task: `t${n}` }, start + n);
    made.match(rule, { task: 't20' }, start + minute);
    made.tickTo(start + 10 * minute);
    expect(digests(made).map(({ incident }) => [incident.count, incident.new_count])).toEqual([
      [20, 20],
      [21, 1],
    ]);
    expect(new Set(digests(made).map(({ incident }) => incident.id)).size).toBe(1);
  });

  // Was: the id was that of its first incident and the number of its word, so that of an earlier fold it began.
  it('has ids of its own, also where it begins with the incident that another one began with', () => {
    const { rule, made } = graded();
    for (let n = 0; n < 4; n++) made.match(rule, { task: `t${n}` }, start + n);
    made.tickTo(start + minute);
    for (let n = 1; n < 4; n++) made.match(rule, { task: `t${n}`, bad: 'yes' }, start + minute + n);
    made.tickTo(start + 2 * minute);
    expect(digests(made).map((one) => one.incidents.length)).toEqual([3, 3]);
    expect(new Set(digests(made).map((one) => one.notification.id)).size).toBe(2);
  });

  // Was: its incidents ended before it spoke, and it named none of them.
  it.each([
    ['removed', []],
    ['made to count differently', [aRule({ countingHash: 'h2' })]],
  ])('E22 whose rule was %s between two runs still names them', (_name, rules) => {
    const rule = aRule();
    const before = rig([rule]);
    for (let n = 0; n < 8; n++) before.match(rule, { task: `t${n}` }, start + n);
    const after = rig(rules, { store: before.store });
    after.engine.adopt(start + second);
    expect(digests(after).map((one) => one.incidents.map((row) => row.fields['task']))).toEqual([
      ['t5', 't6', 't7'],
    ]);
    expect(after.engine.stats(rule.id).firing).toBe(0);
  });

  // Was: twice, with twice its count in a digest.
  it('names an incident once that ended and began again before it spoke', () => {
    const rule = aRule();
    const made = rig([rule]);
    for (let n = 0; n < 7; n++) made.match(rule, { task: `t${n}` }, start + n);
    made.hits([aHit(rule, { task: 't6' }, 'resolve')], start + 10);
    made.match(rule, { task: 't6' }, start + 20);
    made.tickTo(start + minute);
    expect(digests(made).map((one) => one.incidents.map((row) => row.fields['task']))).toEqual([
      ['t5', 't6'],
    ]);
  });

  // Was: the first of them named it to those who had heard of it already, and its own named nothing.
  it('leaves to another one to name what that one speaks for by now', () => {
    const { rule, made } = graded();
    for (let n = 0; n < 3; n++) made.match(rule, { task: `t${n}` }, start + n);
    made.match(rule, { task: 't2', bad: 'yes' }, start + 10);
    made.tickTo(start + minute);
    const named = made.told
      .filter(({ intent }) => intent.notification.notification.kind === 'digest')
      .map(({ intent }) => [intent.channels, intent.notification.incidents.map((row) => row.fields['task'])]);
    expect(named).toEqual([
      [['eng'], ['t1']],
      [['eng', 'pager'], ['t2']],
    ]);
  });
});
