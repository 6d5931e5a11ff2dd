/** Incidents whose channels change while they are open: they grow graver, or a reload takes a channel away. */
import { describe, expect, it } from 'vitest';
import type { EngineSettings } from '../../src/incidents/engine.ts';
import { rig } from '../support/engine-rig.ts';
import { aRule, start } from '../support/make.ts';

const second = 1000;
const minute = 60_000;
const hour = 3_600_000;

const severity = [
  {
    when: [{ field: 'bad', operators: [{ op: 'glob' as const, patterns: ['yes'] }] }],
    is: 'critical' as const,
  },
  { when: [], is: 'warning' as const },
];
const routes = [{ where: [], notify: ['eng', 'pager'], also: false }];
const severities = { eng: ['warning', 'critical'], pager: ['critical'] };

function told(made: ReturnType<typeof rig>): string[] {
  return made.told.map(
    ({ intent, at }) =>
      `${at - start} ${intent.notification.notification.kind} ${intent.channels.join('+')} ${intent.cover.opened}+${intent.cover.repeats}`,
  );
}

describe('an incident that grows graver', () => {
  // Was: with the next summary, which may be a day away; with `remind: never`, not at all.
  it.each([
    ['never', []],
    ['once a day', [24 * hour]],
  ])('is told at once to who wants only the grave, with `remind` %s', (_name, remindMs) => {
    const rule = aRule({ severity, remindMs });
    const made = rig([rule], { routes, severities });
    made.match(rule, { task: 'a' }, start);
    made.match(rule, { task: 'a', bad: 'yes' }, start + second);
    made.match(rule, { task: 'a', bad: 'yes' }, start + 2 * second);
    expect(told(made)).toEqual(['0 first eng 1+0', '1000 summary eng+pager 0+1']);
  });

  // Was: the fold spoke only to those it began with, and the match was pending for the other one for ever.
  it('is told to them also when it was folded, within the limit of its rule', () => {
    const rule = aRule({ severity });
    const made = rig([rule], { routes, severities });
    for (let n = 0; n < 20; n++) made.match(rule, { task: `t${n}` }, start + n);
    const grave = start + 2 * minute;
    for (let n = 10; n < 20; n++) made.match(rule, { task: `t${n}`, bad: 'yes' }, grave + n);
    made.tickTo(grave + minute);
    const pager = made.told.filter(({ intent }) => intent.channels.includes('pager'));
    expect(pager.map(({ intent }) => intent.notification.notification.kind)).toEqual([
      ...Array.from({ length: 5 }, () => 'summary'),
      'digest',
    ]);
    expect(pager.at(-1)?.intent.notification.incidents.map((row) => row.fields['task'])).toEqual([
      't15',
      't16',
      't17',
      't18',
      't19',
    ]);
    expect(pager.reduce((sum, { intent }) => sum + intent.cover.opened + intent.cover.repeats, 0)).toBe(10);
    expect(made.engine.accounts.of('pager').matched).toBe(10);
  });

  it('waits for the end of a silence, and then speaks at once', () => {
    const rule = aRule({ severity, remindMs: [24 * hour] });
    const made = rig([rule], { routes, severities });
    made.match(rule, { task: 'a' }, start);
    const silence = { id: 's', rule: null, where: { bad: 'yes' }, startsAt: start, comment: null };
    made.store.table('silences').put('s', { ...silence, endsAt: start + minute }, null);
    made.engine.reloadSilences();
    made.match(rule, { task: 'a', bad: 'yes' }, start + second);
    expect(told(made)).toHaveLength(1);
    made.match(rule, { task: 'a', bad: 'yes' }, start + minute);
    expect(told(made).at(-1)).toBe('60000 summary eng+pager 0+1');
    expect(made.engine.accounts.of('pager')).toMatchObject({ matched: 2, silenced: 1, pending: 1 });
  });
});

describe('a channel that a reload takes away', () => {
  const settings = (channels: readonly string[], notify: string): EngineSettings => ({
    rules: [aRule()],
    routes: [{ where: [], notify: [notify], also: false }],
    labels: {},
    accepts: (channel) => channels.includes(channel),
  });

  // Was: open incidents went on to speak to the old one alone, and each word of them was a dead letter.
  it('hands its open incidents to who is routed to now, at their next match', () => {
    const rule = aRule();
    const made = rig([rule], { routes: [{ where: [], notify: ['eng'], also: false }] });
    made.match(rule, { task: 'a' }, start);
    made.match(rule, { task: 'a' }, start + second);
    made.engine.swap(settings(['team'], 'team'), start + 2 * second);
    made.match(rule, { task: 'a' }, start + 3 * second);
    expect(told(made)).toEqual(['0 first eng 1+0', '3000 summary team 0+2']);
    expect(made.engine.accounts.of('team')).toMatchObject({ matched: 2, pending: 2 });
    // The repeat that was not told to it yet is given up there.
    expect(made.engine.accounts.of('eng')).toMatchObject({ matched: 2, pending: 1, dead: 1 });
  });

  // Was: the fold went on to account for the lost channel, whose place `pending` went below nothing.
  it('takes what it was told in folds out of them, and each message has an id of its own', () => {
    const rule = aRule();
    const both = [{ where: [], notify: ['eng', 'team'], also: false }];
    const made = rig([rule], { routes: both });
    const messages = () => made.told.map(({ intent }) => intent.notification.notification.id);
    for (let n = 0; n < 12; n++) made.match(rule, { task: `t${n}` }, start + n);
    made.tickTo(start + 10 * second);
    made.engine.swap(settings(['eng'], 'eng'), start + 20 * second);
    for (let n = 0; n < 12; n++) made.match(rule, { task: `t${n}` }, start + 30 * second + n);
    made.tickTo(start + 26 * hour);
    const folds = made.told.filter(({ intent }) => intent.notification.notification.kind === 'digest');
    expect(
      folds.map(
        ({ intent }) => `${intent.channels.join('+')} ${intent.cover.opened}+${intent.cover.repeats}`,
      ),
    ).toEqual(['eng+team 7+0', 'eng 0+7']);
    for (const { intent } of made.told)
      for (const channel of intent.channels) made.engine.accounts.delivered(channel, intent.cover);
    expect(made.engine.accounts.of('team')).toMatchObject({ matched: 12, notified: 12, pending: 0 });
    expect(made.engine.accounts.of('eng')).toMatchObject({ matched: 24, pending: 0 });
    expect(new Set(messages()).size).toBe(messages().length);
  });

  it('and puts back before that match changes nothing', () => {
    const rule = aRule();
    const made = rig([rule], { routes: [{ where: [], notify: ['eng'], also: false }] });
    made.match(rule, { task: 'a' }, start);
    made.engine.swap(settings(['team'], 'team'), start + second);
    made.engine.swap(settings(['eng', 'team'], 'eng'), start + 2 * second);
    made.match(rule, { task: 'a' }, start + 3 * second);
    expect(told(made)).toEqual(['0 first eng 1+0']);
    expect(made.engine.accounts.of('eng')).toMatchObject({ matched: 2, pending: 2 });
  });

  // Was: pending for ever, and its incident open for ever.
  it('tells what was to be told when an edit makes its rule never remind', () => {
    const rule = aRule();
    const made = rig([rule]);
    for (let n = 0; n < 3; n++) made.match(rule, { task: 't' }, start + n);
    made.swap([{ ...rule, remindMs: [] }], start + 10);
    made.tickTo(start + 86_400_000);
    expect(made.kinds()).toEqual(['first:1', 'summary:3']);
    expect(made.engine.stats(rule.id).firing).toBe(0);
  });
});
