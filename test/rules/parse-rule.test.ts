import { describe, expect, it } from 'vitest';
import { loadRule, loadRules, places } from '../support/load-config.ts';

const tests = 'tests: [{ lines: [x], expect: 1 }]';
const textOf = (keys: string) =>
  loadRule(`id: a\n${keys}\n${tests}`).conditions.text.map(({ mode, scope, tests: list }) => [
    mode,
    scope,
    list.map((test) => `${test.kind}:${test.text}`),
  ]);

describe('what to look for', () => {
  it('a text, a list (any of them), all of a list; match and contains must both hold', () => {
    expect(textOf('match: failed')).toEqual([['any', 'record', ['regex:failed']]]);
    expect(textOf('match: [a, b]')).toEqual([['any', 'record', ['regex:a', 'regex:b']]]);
    expect(textOf('match: { all: [a, b] }')).toEqual([['all', 'record', ['regex:a', 'regex:b']]]);
    expect(textOf('contains: { all: ["a.b", c] }\nmatch: d')).toEqual([
      ['any', 'record', ['regex:d']],
      ['all', 'record', ['literal:a.b', 'literal:c']],
    ]);
  });
  it('`in` says where to look; exclusions look at the message unless they say else', () => {
    const rule = loadRule(
      `id: a\nmatch: x\nin: trace\nexcept: [retry, { contains: [b, c], in: record, where: { level: debug } }]\n${tests}`,
    );
    expect(rule.conditions.text[0]?.scope).toBe('trace');
    expect(rule.conditions.except).toMatchObject([
      { text: [{ mode: 'any', scope: 'message', tests: [{ kind: 'regex', text: 'retry' }] }], where: [] },
      {
        text: [{ scope: 'record', tests: [{ kind: 'literal', text: 'b' }, { text: 'c' }] }],
        where: [{ field: 'level' }],
      },
    ]);
  });
  it('a number, a version or a word of YAML 1.1 is looked for as it was written', () => {
    expect(textOf('contains: [500, 1.10, no, 010]')).toEqual([
      ['any', 'record', ['literal:500', 'literal:1.10', 'literal:no', 'literal:010']],
    ]);
  });
  it('tests on fields: every operator', () => {
    const rule = loadRule(`id: a
where:
  task: 'billing.*'
  status: [500, 5*]
  code: { gte: 500, lt: '600', gt: 1.5, lte: 9 }
  level: { gte: warning }
  user: { not: [root, 'adm*'], exists: true, matches: '^\\w+$' }
from: [worker, 'w*', env=prod]
${tests}`);
    expect(rule.conditions.where).toMatchObject([
      { field: 'task', operators: [{ op: 'glob', patterns: ['billing.*'] }] },
      { field: 'status', operators: [{ op: 'glob', patterns: ['500', '5*'] }] },
      {
        field: 'code',
        operators: [
          { op: 'gte', value: 500 },
          { op: 'gt', value: 1.5 },
          { op: 'lte', value: 9 },
          { op: 'lt', value: '600' },
        ],
      },
      { field: 'level', operators: [{ op: 'gte', value: 'warning' }] },
      {
        field: 'user',
        operators: [
          { op: 'not', patterns: ['root', 'adm*'] },
          { op: 'matches', pattern: '^\\w+$' },
          { op: 'exists', value: true },
        ],
      },
    ]);
    expect(rule.conditions.from).toEqual(['worker', 'w*', 'env=prod']);
  });
  it('tests on the story wait for the story, and so do those on fields computed from it', () => {
    const rule = loadRule(`id: a
match: 'Task (?<id>\\w+) failed'
fields: { retries: '{{ collected.count }}', many: '{% if retries > 5 %}yes{% endif %}', size: '{{ message | size }}' }
where: { collected.count: { gte: 1 }, many: yes, size: 7, level: error }
collect: { match: 'Task (?<id>\\w+) retry', within: 1h, until: { match: 'Task (?<id>\\w+) done' } }
by: id
${tests}`);
    expect(rule.whereStory.map((test) => test.field)).toEqual(['collected.count', 'many']);
    expect(rule.conditions.where.map((test) => test.field)).toEqual(['size', 'level']);
    expect(rule.collect).toMatchObject({
      withinMs: 3_600_000,
      atLeast: 1,
      until: { text: [{ scope: 'record' }] },
    });
    expect(rule.join).toEqual(['id']);
  });
  it('a story may have late records, and what is counted stays the same where it has none', () => {
    const load = (late: string) =>
      loadRule(`id: a\nmatch: 'Task (?<id>\\w+) failed'
collect: { match: 'Task (?<id>\\w+) retry', within: 1h${late} }\nby: id\n${tests}`);
    expect(load(', late: 1s').collect?.late).toEqual({ withinMs: 1_000, where: [] });
    expect(load(', late: { within: 2s, where: { trace: x } }').collect?.late).toEqual({
      withinMs: 2_000,
      where: [{ field: 'trace', operators: [{ op: 'glob', patterns: ['x'] }] }],
    });
    expect(load('').collect).not.toHaveProperty('late');
    expect(load(', late: 1s').countingHash).not.toBe(load('').countingHash);
  });
});

describe('how many, how long, who', () => {
  it('what is left out has a safe default', () => {
    expect(loadRule(`id: a\nmatch: x\n${tests}`)).toMatchObject({
      title: null,
      message: null,
      severity: [{ when: [], is: 'error' }],
      by: null,
      join: [],
      count: null,
      holdMs: 0,
      remindMs: [300_000, 3_600_000, 14_400_000, 86_400_000],
      resolve: null,
      limit: { count: 5, perMs: 60_000 },
      context: { before: 5, after: 0 },
      notify: [],
      collect: null,
      precededBy: null,
    });
  });
  it('every key has its value', () => {
    const rule = loadRule(`id: a/b.c-d_e
match: 'x (?<ip>\\S+)'
title: 'From {{ ip }}'
description: why
message: '{{ message }}'
severity: [{ when: { ip: '10.*' }, is: critical }, { is: warning }]
labels: { team: data }
owner: me
runbook: https://wiki.example.com/x
links: [{ title: Logs, url: 'https://logs.example.com/?q={{ ip }}' }]
count: { at_least: 5, within: 10m, distinct: ip }
hold: 30s
remind: [1m, 1h30m]
resolve: { match: better, quiet: 15m }
limit: none
context: { before: 2 }
notify: console
${tests}`);
    expect(rule).toMatchObject({
      id: 'a/b.c-d_e',
      severity: [
        { when: [{ field: 'ip' }], is: 'critical' },
        { when: [], is: 'warning' },
      ],
      labels: { team: 'data' },
      links: [{ title: 'Logs', url: 'https://logs.example.com/?q={{ ip }}' }],
      count: { atLeast: 5, withinMs: 600_000, distinct: 'ip' },
      by: [],
      holdMs: 30_000,
      remindMs: [60_000, 5_400_000],
      resolve: { quietMs: 900_000, when: { text: [{ scope: 'record' }] } },
      limit: null,
      context: { before: 2, after: 0 },
      notify: ['console'],
    });
  });
  it('short forms: a rate, a word, a single value', () => {
    const rule = loadRule(
      `id: a\nmatch: '(?<t>x)'\nby: t\ncount: 3 in 1m\nremind: never\nresolve: { quiet: 5m }\nseverity: info\npreceded_by: { match: '(?<t>y)', within: 5m, at_least: 2 }\n${tests}`,
    );
    expect(rule).toMatchObject({
      by: ['t'],
      count: { atLeast: 3, withinMs: 60_000, distinct: null },
      remindMs: [],
      severity: [{ when: [], is: 'info' }],
      precededBy: { withinMs: 300_000, atLeast: 2 },
      resolve: { when: null },
    });
  });
  it('a list of severities without a last word ends in error', () => {
    expect(
      loadRule(
        `id: a\nmatch: x\nseverity: [{ when: { level: critical }, is: critical }]\n${tests}`,
      ).severity.at(-1),
    ).toEqual({ when: [], is: 'error' });
  });
});

describe('the tests of a rule', () => {
  it('lines as a block or a list, and every form of what is expected', () => {
    const rule = loadRule(`id: a
match: x
tests:
  - name: block
    lines: |
      one
        two

      three
    expect: none
  - { lines: [a, "b\\nc"], expect: 2, at: 2026-01-05T10:00:00Z }
  - { lines: a, expect: { incidents: 1, matches: 3, fields: { task: mail.send, code: 1.10, list: [a, 2] }, severity: critical, title: 'x: y' } }`);
    expect(rule.tests).toMatchObject([
      {
        name: 'block',
        lines: ['one', '  two', '', 'three'],
        expect: { incidents: 0, matches: null, fields: null },
        at: null,
      },
      { name: 'test 2', lines: ['a', 'b', 'c'], expect: { incidents: 2 }, at: Date.UTC(2026, 0, 5, 10) },
      {
        lines: ['a'],
        expect: {
          incidents: 1,
          matches: 3,
          fields: { task: 'mail.send', code: '1.10', list: ['a', '2'] },
          severity: 'critical',
          title: 'x: y',
        },
      },
    ]);
  });
});

describe('the counting hash', () => {
  const base = "id: a\nmatch: '(?<t>x)'\nby: t\ncount: 3 in 1m";
  const hash = (keys: string) => loadRule(`${keys}\n${tests}`).countingHash;
  it('stays when texts, severity, reminders or the place change', () => {
    for (const more of [
      'title: other',
      'severity: critical',
      'remind: never',
      'notify: console',
      'labels: { a: b }',
      'limit: none',
      '# moved\n\n\nowner: x',
    ]) {
      expect(hash(`${base}\n${more}`)).toBe(hash(base));
    }
  });
  it('changes with conditions, keys, windows, stories and computed fields', () => {
    const others = [
      base.replace('x)', 'y)'),
      base.replace('by: t', 'by: []'),
      base.replace('3 in 1m', '3 in 2m'),
      `${base}\nexcept: z`,
      `${base}\nfrom: w`.replace('from: w', "from: 'w*'"),
      `${base}\nin: message`,
      `${base}\nwhere: { level: error }`,
      `${base}\nfields: { u: '{{ t }}' }`,
      `${base}\ncollect: '(?<t>z)'`,
      `${base}\njoin: t`,
    ].map(hash);
    expect(new Set([...others, hash(base)]).size).toBe(others.length + 1);
  });
});

it('the example of a retried task: collected story, severity by field, tests with lines', () => {
  const rule = loadRule(`id: celery-task-failed-after-final-retry
title: 'Celery task {{ task }} failed after {{ collected.count }} retries: {{ exception }}'
severity:
  - { when: { task: 'billing.*' }, is: critical }
  - { is: error }
match: 'Task (?<task>.+)\\[(?<task_id>.+)\\] raised unexpected: (?<exception>\\w+)'
collect: { match: 'Task (?<task>.+)\\[(?<task_id>.+)\\] retry: Retry in', within: 24h }
join: task_id
by: [ task, exception ]
runbook: https://wiki.example.com/celery-failures
tests:
  - name: retries, then gives up
    lines: |
      [2026-01-05 10:00:00,000: INFO/ForkPoolWorker-1] Task mail.send[a1] retry: Retry in 1s: OSError('down')
      [2026-01-05 10:00:01,000: ERROR/ForkPoolWorker-1] Task mail.send[a1] raised unexpected: OSError('down')
    expect: { incidents: 1, fields: { task: mail.send } }`);
  expect(rule).toMatchObject({
    join: ['task_id'],
    by: ['task', 'exception'],
    tests: [{ lines: { length: 2 }, expect: { fields: { task: 'mail.send' } } }],
  });
});

describe('warnings', () => {
  it('fields that no pattern or format gives', () => {
    const parsed = loadRules(`rules:
  - id: a
    match: '(?<task>x)'
    by: [task, level, message, collected.count, labels.env, tsk]
    title: '{{ task }} {{ rule }} {{ severity }} {{ nothing.here }}'
    ${tests}
`);
    expect(parsed.ok).toBe(true);
    expect(places(parsed)).toEqual(['W_UNKNOWN_FIELD 4:61', 'W_UNKNOWN_FIELD 5:12']);
  });
  it('a field that is tested with `where` is known', () => {
    expect(places(loadRules(`rules: [{ id: a, where: { status: 500 }, by: status, ${tests} }]`))).toEqual([]);
  });
  it('no tests, and a pattern that matches everything', () => {
    expect(places(loadRules("rules: [{ id: a, match: '.*' }]"))).toEqual([
      'W_NO_TESTS 1:15',
      'W_MATCHES_ALL 1:25',
    ]);
  });
});

describe('E5 patterns', () => {
  it.each([
    ['lookahead', '(?!a)b'],
    ['back-reference', '(a)\\1'],
    ['unbalanced', '(a'],
    ['nested counts', '(a{1,1000}){1,1000}'],
    ['empty', ''],
    ['a pattern of 64 KiB', 'a'.repeat(65_536)],
  ])('%s is refused with a place', (_name, pattern) => {
    expect(places(loadRules(`rules: [{ id: a, match: '${pattern}', ${tests} }]`))[0]).toMatch(
      /^E_(REGEX|VALUE) 1:/,
    );
  });
  it('a list of a thousand alternatives is read', () => {
    const list = Array.from({ length: 1000 }, (_, index) => `word${index}`).join(', ');
    expect(loadRule(`id: a\nmatch: [${list}]\n${tests}`).conditions.text[0]?.tests.length).toBe(1000);
  });
});

it('E12 a rule may be called constructor, and labels may be called toString', () => {
  const rule = loadRule(`id: constructor\nmatch: x\nlabels: { toString: a, __proto__: b }\n${tests}`);
  expect(rule.id).toBe('constructor');
  expect(Object.entries(rule.labels)).toEqual([
    ['toString', 'a'],
    ['__proto__', 'b'],
  ]);
});
