/** The account of each channel, over any sequence of what may happen: every match is in one place, and none waits for ever. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isBalanced } from '../../src/incidents/accounts.ts';
import { Engine, type EngineSettings } from '../../src/incidents/engine.ts';
import type { OutboxItem, Silence } from '../../src/model/intent.ts';
import type { Rule } from '../../src/model/rule.ts';
import { Desk } from '../../src/notify/desk.ts';
import { memoryStore } from '../../src/state/memory.ts';
import { aHit, aRecord, aRule, start } from '../support/make.ts';

const second = 1000;
const minute = 60_000;
const hour = 3_600_000;

const rising = [
  {
    when: [{ field: 'bad', operators: [{ op: 'glob' as const, patterns: ['yes'] }] }],
    is: 'critical' as const,
  },
  { when: [], is: 'warning' as const },
];

describe('the account', () => {
  it('balances after any sequence of matches, also late and graver ones, silences, recoveries, time and edits, with every message delivered or dead', () => {
    const rules = [
      aRule({ id: 'plain', severity: rising }),
      aRule({ id: 'never', remindMs: [], severity: rising }),
      aRule({ id: 'counted', by: [], count: { atLeast: 3, withinMs: minute, distinct: null } }),
      aRule({ id: 'resolving', resolve: { when: aRule().conditions, quietMs: 5 * minute } }),
      aRule({ id: 'held', holdMs: 20 * second, limit: { count: 2, perMs: minute } }),
      aRule({
        id: 'waiting',
        join: ['task'],
        collect: {
          conditions: aRule().conditions,
          withinMs: hour,
          atLeast: 1,
          until: null,
          late: { withinMs: minute, where: [] },
        },
      }),
    ];
    const step = fc.record({
      rule: fc.nat(5),
      task: fc.nat(12),
      bad: fc.boolean(),
      lateBy: fc.constantFrom(0, 0, 30 * minute, 3 * hour),
      after: fc.oneof(fc.nat(3 * second), fc.nat(20 * minute)),
      act: fc.nat(30),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const store = memoryStore();
        const budget = [{ count: 4, perMs: minute }];
        const desk = new Desk(store, [{ name: 'eng', budget }]);
        const settings = (list: readonly Rule[], channels = ['eng', 'pager']): EngineSettings => ({
          rules: list,
          routes: [{ where: [], notify: ['eng', 'pager'], also: false }],
          labels: {},
          accepts: (channel, severity) =>
            channels.includes(channel) && (channel === 'eng' || severity === 'critical'),
        });
        const engine = new Engine(
          { store, tell: (intent, at) => desk.take(intent, at), count: () => {} },
          settings(rules),
        );
        let now = start;
        const deliver = (item: OutboxItem): void => {
          if (item.order % 7 === 0) {
            engine.accounts.dead(item.channel, item.cover);
          } else engine.accounts.delivered(item.channel, item.cover);
        };
        for (const [offset, { rule: index, task, bad, lateBy, after, act }] of steps.entries()) {
          now += after;
          engine.tick(now);
          desk.tick(now);
          const rule = rules[index] as Rule;
          if (act === 0) {
            store.table<Silence>('silences').put(
              's',
              {
                id: 's',
                rule: rule.id,
                where: {},
                startsAt: now,
                endsAt: now + 10 * minute,
                comment: null,
              },
              null,
            );
            engine.reloadSilences();
          } else if (act === 1) {
            engine.swap(settings(rules.filter((one) => one !== rule)), now);
            engine.swap(settings(rules), now);
          } else if (act === 9) {
            engine.swap(settings(rules, ['eng']), now);
          } else if (act === 10) {
            engine.swap(settings(rules), now);
          } else {
            const role =
              act === 2 && rule.resolve
                ? 'resolve'
                : act < 8 && rule.collect
                  ? act < 4
                    ? 'until'
                    : 'collect'
                  : 'match';
            engine.apply(
              {
                record: aRecord({ offset, time: now - lateBy }),
                hits: [aHit(rule, { task: `t${task}`, bad: bad ? 'yes' : 'no' }, role)],
              },
              now,
            );
          }
          for (const item of desk.takeFresh()) deliver(item);
          for (const channel of ['eng', 'pager']) expect(isBalanced(engine.accounts.of(channel))).toBe(true);
        }
        for (let due = engine.nextDue(); due !== null && due < now + 200 * hour; due = engine.nextDue()) {
          engine.tick(due);
          desk.tick(due);
        }
        engine.finish(now + 200 * hour);
        desk.finish(now + 200 * hour);
        for (const item of desk.takeFresh()) deliver(item);
        for (const channel of ['eng', 'pager']) {
          const ledger = engine.accounts.of(channel);
          expect(isBalanced(ledger)).toBe(true);
          expect(ledger.pending).toBe(0);
        }
        expect(engine.accounts.of('eng').matched).toBe(
          rules.reduce((sum, rule) => sum + engine.stats(rule.id).matched, 0),
        );
      }),
      { numRuns: 300 },
    );
  });
});
