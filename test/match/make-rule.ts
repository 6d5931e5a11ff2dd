/** Rules and streams for tests of matching: everything that is not said is empty. */
import type { StreamInfo } from '../../src/model/record.ts';
import type { Conditions, Rule, TextCondition, TextScope } from '../../src/model/rule.ts';

export const origin = { file: 'test.yaml', line: 1, column: 1, length: 1 };

export const stream: StreamInfo = {
  source: 'worker',
  key: 'k1',
  path: '/var/log/worker.log',
  host: null,
  labels: { env: 'test' },
};

export function text(
  tests: readonly (string | { readonly literal: string })[],
  options: { readonly mode?: 'any' | 'all'; readonly scope?: TextScope } = {},
): TextCondition {
  return {
    mode: options.mode ?? 'any',
    scope: options.scope ?? 'record',
    tests: tests.map((one) =>
      typeof one === 'string'
        ? { kind: 'regex', text: one, origin }
        : { kind: 'literal', text: one.literal, origin },
    ),
  };
}

export function conditions(part: Partial<Conditions>): Conditions {
  return { text: [], where: [], except: [], from: null, ...part };
}

export function rule(id: string, match: Conditions | string, more: Partial<Rule> = {}): Rule {
  return {
    id,
    title: null,
    description: null,
    message: null,
    severity: [{ when: [], is: 'error' }],
    labels: {},
    owner: null,
    runbook: null,
    links: [],
    conditions: typeof match === 'string' ? conditions({ text: [text([match])] }) : match,
    whereStory: [],
    fields: [],
    collect: null,
    precededBy: null,
    join: [],
    by: null,
    count: null,
    holdMs: 0,
    remindMs: [],
    resolve: null,
    limit: null,
    context: { before: 5, after: 0 },
    notify: [],
    tests: [],
    countingHash: '',
    origin,
    ...more,
  };
}
