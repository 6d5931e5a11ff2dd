/** Runs the tests that rules carry themselves, on the real reader and the real engine. Gives what failed and why; sends nothing. */

import { type CompiledRules, compileRules } from '../match/compile.ts';
import { lookupField } from '../match/where.ts';
import type { OutboxItem } from '../model/intent.ts';
import type { Origin } from '../model/problem.ts';
import type { FieldValue } from '../model/record.ts';
import type { Rule, RuleTest } from '../model/rule.ts';
import type { Clock } from '../model/seams.ts';
import type { Store } from '../model/store.ts';
import { memoryStore } from '../state/memory.ts';
import { defaultReading, Offline } from './offline.ts';

export interface RuleTestResult {
  readonly rule: string;
  readonly test: string;
  readonly origin: Origin;
  /** What was expected and what came instead; empty when it passed. */
  readonly failures: readonly string[];
}

export interface RuleTestDeps {
  /** An empty store for each test; closed when the test is over. */
  readonly store: () => Store;
  readonly clock: Clock;
}

/** All tests of all rules, in their order. A test knows only its own rule. */
export function runRuleTests(rules: readonly Rule[], deps: RuleTestDeps): RuleTestResult[] {
  return rules.flatMap((rule) => {
    if (rule.tests.length === 0) return [];
    // Budgets and limits hold messages back; a test asks what the rule finds.
    const alone = { ...rule, limit: null, notify: ['test'], conditions: { ...rule.conditions, from: null } };
    const compiled = compileRules([alone]);
    return rule.tests.map((test) => runOne(alone, compiled, test, deps));
  });
}

function runOne(rule: Rule, compiled: CompiledRules, test: RuleTest, deps: RuleTestDeps): RuleTestResult {
  const store = deps.store();
  const told: OutboxItem[] = [];
  const clock =
    test.at === null
      ? deps.clock
      : {
          ...deps.clock,
          now: () => test.at ?? 0,
          monotonic: deps.clock.monotonic,
          setTimer: deps.clock.setTimer,
        };
  try {
    const offline = new Offline({
      rules: [rule],
      compiled,
      routes: [],
      channels: [{ name: 'test', budget: null, minSeverity: null }],
      labels: {},
      store,
      clock,
      message: (item) => told.push(item),
    });
    const text = Buffer.from(`${test.lines.join('\n')}\n`);
    const take = offline.stream(
      { source: 'test', key: 'test', path: null, host: null, labels: {} },
      defaultReading,
    );
    take(text, 0, 'final');
    offline.finish();
    const stats = offline.engine.stats(rule.id);
    return { rule: rule.id, test: test.name, origin: test.origin, failures: compare(test, stats, told) };
  } finally {
    store.close();
  }
}

function compare(
  test: RuleTest,
  stats: { readonly matched: number; readonly incidents: number },
  told: readonly OutboxItem[],
): string[] {
  const { expect } = test;
  const failures: string[] = [];
  const wrong = (what: string, wanted: unknown, got: unknown): void => {
    failures.push(`${what}: expected ${JSON.stringify(wanted)}, got ${JSON.stringify(got)}`);
  };
  if (expect.incidents !== null && stats.incidents !== expect.incidents)
    wrong('incidents', expect.incidents, stats.incidents);
  if (expect.matches !== null && stats.matched !== expect.matches)
    wrong('matches', expect.matches, stats.matched);
  const bodies = told.map((item) => item.notification.incident);
  const wantsBody = expect.fields !== null || expect.severity !== null || expect.title !== null;
  if (wantsBody && bodies.length === 0)
    failures.push('nothing was told, so there are no fields, no severity and no title');
  const last = bodies.at(-1);
  if (!last) return failures;
  for (const [name, wanted] of Object.entries(expect.fields ?? {})) {
    const got = lookupField(last.fields, name);
    if (!sameValue(wanted, got)) wrong(`field ${name}`, wanted, got ?? null);
  }
  if (expect.severity !== null && last.severity !== expect.severity)
    wrong('severity', expect.severity, last.severity);
  if (expect.title !== null && last.title !== expect.title) wrong('title', expect.title, last.title);
  return failures;
}

/** A number written in YAML equals the text that a pattern captured. */
function sameValue(wanted: FieldValue, got: FieldValue | undefined): boolean {
  if (got === undefined || got === null) return wanted === null || wanted === '';
  return typeof got === 'object'
    ? JSON.stringify(got) === JSON.stringify(wanted)
    : String(got) === String(wanted);
}

/** An empty store in memory for each rule test. */
export function testDeps(options: { readonly clock: Clock }): RuleTestDeps {
  return { store: memoryStore, clock: options.clock };
}
