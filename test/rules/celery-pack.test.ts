/**
 * The pack `celery` as it ships: it loads without a complaint, its own tests pass on the real engine, and short real
 * excerpts of worker logs give exactly the failures that are known to be in them.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { defaultReading, Offline } from '../../src/daemon/offline.ts';
import { runRuleTests } from '../../src/daemon/rule-tests.ts';
import type { IncidentBody } from '../../src/model/notification.ts';
import type { Rule } from '../../src/model/rule.ts';
import { memoryStore } from '../../src/state/memory.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { loadRules, valueOf as orFail } from '../support/load-config.ts';

const packPath = fileURLToPath(new URL('../../rules/celery.yaml', import.meta.url));
const fixture = (name: string): Buffer => readFileSync(new URL(`../fixtures/${name}`, import.meta.url));
const parsed = loadRules(readFileSync(packPath, 'utf8'));
const rules = orFail(parsed);

interface Expected {
  readonly failed: number;
  readonly exhausted: number;
  readonly workers_lost: number;
  readonly failures: readonly Readonly<Record<string, string>>[];
}
const expected: Readonly<Record<string, Expected>> = JSON.parse(
  fixture('celery/expect.json').toString('utf8'),
);

/** Every message the rules would send for a log, each match in a message of its own. */
function told(log: Buffer, chosen: readonly Rule[]): IncidentBody[] {
  const bodies: IncidentBody[] = [];
  const offline = new Offline({
    rules: chosen,
    routes: [],
    channels: [{ name: 'console', budget: null, minSeverity: null }],
    labels: {},
    store: memoryStore(),
    clock: new FakeClock(Date.UTC(2026, 10, 21, 3)),
    message: (item) => {
      if (item.notification.incident) bodies.push(item.notification.incident);
    },
  });
  offline.stream({ source: 'worker', key: 'worker', path: null, host: null, labels: {} }, defaultReading)(
    log,
    0,
    'final',
  );
  offline.finish();
  return bodies;
}

/** The same rules, with one incident for each failure and no limit, so that each failure's own fields are told. */
const oneByOne = rules
  .filter((rule) => rule.labels['outcome'] === 'failed')
  .map((rule) => ({
    ...rule,
    by: ['task', 'task_id', 'exception', 'time', 'retries', 'job'],
    limit: null,
    notify: ['console'],
  }));

describe('the pack celery', () => {
  it('loads without errors and without warnings', () => {
    expect(parsed.problems.map((problem) => `${problem.origin.line}: ${problem.message}`)).toEqual([]);
  });

  it('gives every rule a description, a runbook, labels, and lines that must and must not match', () => {
    for (const rule of rules) {
      const silent = rule.tests.filter((test) => test.expect.incidents === 0);
      const ringing = rule.tests.filter((test) => (test.expect.incidents ?? 0) > 0);
      expect([rule.id, ringing.length >= 3], rule.id).toEqual([rule.id, true]);
      expect(
        silent.reduce((sum, test) => sum + test.lines.length, 0),
        rule.id,
      ).toBeGreaterThanOrEqual(3);
      expect(
        [rule.description, rule.runbook, rule.labels['outcome'], rule.title].includes(null),
        rule.id,
      ).toBe(false);
    }
  });

  it('passes its own tests', () => {
    const results = runRuleTests(rules, { store: memoryStore, clock: new FakeClock() });
    expect(results.length).toBeGreaterThan(60);
    expect(
      results
        .filter((result) => result.failures.length > 0)
        .map((result) => [result.rule, result.test, ...result.failures]),
    ).toEqual([]);
  });

  for (const [log, truth] of Object.entries(expected)) {
    it(`tells each final failure of ${log} once, with its fields`, () => {
      const bodies = told(fixture(`celery/${log}`), oneByOne);
      const lost = bodies.filter((body) => body.rule === 'celery-worker-lost');
      const named = bodies
        .filter((body) => body.rule !== 'celery-worker-lost')
        .map(({ rule, fields }) => ({
          rule,
          task: String(fields['task']),
          task_id: String(fields['task_id']),
          exception: String(fields['exception']),
          retries: String(fields['retries']),
          limit_reached: String(fields['limit_reached']),
        }))
        .sort((a, b) => (`${a.task} ${a.task_id}` < `${b.task} ${b.task_id}` ? -1 : 1));
      expect(named).toEqual(truth.failures);
      expect(lost.length).toBe(truth.workers_lost);
      expect(bodies.length).toBe(truth.failed);
    });
  }

  it('the log of the demo holds three silent retries and one failure', () => {
    const bodies = told(
      fixture('demo/celery-demo.log'),
      rules.map((rule) => ({ ...rule, notify: ['console'] })),
    );
    expect(bodies.map((body) => [body.rule, body.fields['retries'], body.title])).toEqual([
      [
        'celery-task-failed-after-final-retry',
        '3',
        'Celery task annosrv.tasks.email.send failed after 3 retries: ConnectionResetError',
      ],
    ]);
  });
});
