// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are variables of YAML, not of templates.
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { readYaml } from '../../src/config/yaml.ts';
import type { Secret } from '../../src/model/config.ts';
import { load, loaded, loadWhatRuns, places } from '../support/load-config.ts';

const pack = `rules:
  - { id: celery-task-failed, match: 'Task (?<task>\\S+) raised', by: task, tests: [{ lines: [Task a raised], expect: 1 }] }
  - { id: celery-task-rejected, contains: rejected, tests: [{ lines: [rejected], expect: 1 }] }
`;
const rulesFile = `defaults: { severity: warning, limit: none }
rules:
  - { id: mine, match: failed, tests: [{ lines: [failed], expect: 1 }] }
  - { id: loud, match: boom, severity: critical, limit: 1 in 1h, tests: [{ lines: [boom], expect: 1 }] }
`;
const reference = readFileSync(resolve(import.meta.dirname, '../fixtures/reference-config.yaml'), 'utf8');
const everything = {
  'tocsin.yaml': reference,
  'rules/a.yaml': rulesFile,
  '/usr/share/tocsin/rules/celery.yaml': pack,
};
const env = { MATTERMOST_URL: 'https://chat.example.com/hooks/abc', HOOK_SECRET: 'hunter2' };
const small =
  'sources: { w: { file: a.log } }\nrules: [{ id: a, match: failed, tests: [{ lines: [failed], expect: 1 }] }]\n';
const webhook = 'channels: { hook: { type: webhook, url: http://127.0.0.1:9/ } }\n';

describe('a whole configuration', () => {
  const parsed = load(everything, { env });
  const config = loaded(parsed);

  it('has no problems', () => {
    expect(places(parsed)).toEqual([]);
  });
  it('sources: paths become absolute, sizes bytes, durations milliseconds, text stays as written', () => {
    expect(config.sources).toMatchObject([
      {
        kind: 'file',
        name: 'worker',
        paths: ['/var/log/celery/*.log', '/srv/app/log/worker-?.log'],
        exclude: ['/var/log/celery/debug*.log'],
        format: 'celery',
        multiline: 'python',
        tz: 'Europe/Berlin',
        start: { agoMs: 600_000 },
        encoding: 'utf-8',
        maxLineBytes: 131_072,
        labels: { queue: 'default', version: '1.10' },
      },
      {
        kind: 'file',
        name: 'web',
        paths: ['/etc/tocsin/log/*.log'],
        multiline: { start: '^\\d{4}-' },
        start: 'beginning',
        tz: 'UTC',
      },
      { kind: 'stdin', name: 'pipe', format: 'plain', multiline: 'none', maxLineBytes: 262_144 },
    ]);
  });
  it('channels: own keys, defaults of the kind, secrets that do not print', () => {
    expect(config.channels).toMatchObject([
      {
        name: 'eng',
        type: 'mattermost',
        budget: [
          { count: 5, perMs: 60_000 },
          { count: 30, perMs: 3_600_000 },
        ],
        fallback: { channel: 'hook', from: 'critical' },
        minSeverity: 'warning',
        timeoutMs: 5000,
        maxAgeMs: 43_200_000,
        unusable: null,
      },
      {
        name: 'hook',
        type: 'webhook',
        budget: null,
        fallback: null,
        timeoutMs: 10_000,
        maxAgeMs: 86_400_000,
        allowPrivate: true,
      },
    ]);
    expect(`${inspect(config, { depth: 9 })}${JSON.stringify(config)}`).not.toMatch(/hooks\/abc|hunter2/);
    expect((config.channels[0]?.options['url'] as Secret).reveal()).toBe(
      'https://chat.example.com/hooks/abc',
    );
  });
  it('routes, labels, state and admin', () => {
    expect(config.routes).toMatchObject([
      { where: [{ field: 'severity' }], notify: ['hook', 'eng'], also: true },
      { where: [{ field: 'severity' }, { field: 'labels.team' }], notify: ['hook'], also: false },
      { where: [], notify: ['eng'], also: false },
    ]);
    expect(config.labels).toEqual({ env: 'production', service: 'lms', zip: '010', debug: 'no' });
    expect(config.stateDir).toBe('/etc/tocsin/state');
    expect(config.admin).toEqual({ listen: '127.0.0.1:9419', token: null });
  });
  it('rules: the main defaults, over them those of the file, over them the own keys, over all an override', () => {
    const byId = Object.fromEntries(config.rules.map((rule) => [rule.id, rule]));
    expect(Object.keys(byId)).toEqual(['celery-task-failed', 'mine', 'loud']);
    expect(byId['celery-task-failed']).toMatchObject({
      severity: [{ is: 'critical' }],
      limit: { count: 10, perMs: 60_000 },
      labels: { team: 'data' },
    });
    expect(byId['mine']).toMatchObject({ severity: [{ is: 'warning' }], limit: null });
    expect(byId['loud']).toMatchObject({
      severity: [{ is: 'critical' }],
      limit: { count: 1, perMs: 3_600_000 },
    });
  });
  it('every file that was read is kept for the last good copy, and the globs for watching', () => {
    expect([...config.files.keys()].sort()).toEqual([
      '/etc/tocsin/rules/a.yaml',
      '/etc/tocsin/tocsin.yaml',
      '/usr/share/tocsin/rules/celery.yaml',
    ]);
    expect(config.ruleGlobs).toEqual(['/etc/tocsin/rules/*.yaml']);
  });
  it('the hash changes with a text, a variable and the command line, and with nothing else', () => {
    expect(loaded(load(everything, { env })).hash).toBe(config.hash);
    expect(loaded(load(everything, { env: { ...env, OTHER: 'x' } })).hash).toBe(config.hash);
    const others = [
      load({ ...everything, 'rules/a.yaml': `${rulesFile}# x\n` }, { env }),
      load(everything, { env: { ...env, HOOK_SECRET: 'other' } }),
      load(everything, { env, extra: { files: ['x.log'] } }),
    ].map((other) => loaded(other).hash);
    expect(new Set([...others, config.hash]).size).toBe(4);
  });
});

describe('syslog', () => {
  it.each([
    ['', null],
    [', peer_limit: none', null],
    [', peer_limit: 2MiB in 1s', { bytes: 2_097_152, perMs: 1_000 }],
    [', peer_limit: 64 KiB  in 1m', { bytes: 65_536, perMs: 60_000 }],
  ])('what one address may send%s', (written, peerLimit) => {
    const parsed = load({
      'tocsin.yaml': `${small.replace('file: a.log', `syslog: { udp: '127.0.0.1:5514'${written} }`)}${webhook}`,
    });
    expect(loaded(parsed).sources).toMatchObject([{ kind: 'syslog', peerLimit }]);
  });
});

describe('without a configuration file', () => {
  it('log files and a URL are enough', () => {
    const config = loaded(
      load(
        { '/usr/share/tocsin/rules/celery.yaml': pack },
        {
          path: null,
          extra: { packs: ['celery'], files: ['worker.log', '/x/y.log'], to: ['http://127.0.0.1:8/hook'] },
        },
      ),
    );
    expect(config.sources).toMatchObject([
      { kind: 'file', name: 'files', paths: ['/etc/tocsin/worker.log', '/x/y.log'], start: 'beginning' },
    ]);
    expect(config.channels).toMatchObject([{ name: 'webhook', type: 'webhook' }]);
    expect(config.routes).toEqual([{ where: [], notify: ['webhook'], also: true }]);
    expect(config.path).toBeNull();
  });
  it('the kind of a channel is known from its URL; two of a kind have two names', () => {
    const to = [
      'https://hooks.slack.com/services/T/B/x',
      'https://chat.example.com/hooks/abcdefghijklmnopqrstuvwxyz',
      'https://a.example.com/',
      'https://b.example.com/',
    ];
    const config = loaded(
      load({ 'r.yaml': rulesFile }, { path: null, extra: { rules: ['r.yaml'], stdin: true, to } }),
    );
    expect(config.channels.map((channel) => channel.name).sort()).toEqual([
      'mattermost',
      'slack',
      'webhook',
      'webhook-2',
    ]);
    expect(config.sources).toMatchObject([{ kind: 'stdin', name: 'stdin' }]);
  });
  it('what is no URL is refused, and not shown, since it may be a secret', () => {
    const parsed = load(
      { 'r.yaml': rulesFile },
      { path: null, extra: { rules: ['r.yaml'], to: ['hunter2'] } },
    );
    expect(places(parsed)).toContain('E_VALUE 1:1');
    expect(JSON.stringify(parsed)).not.toContain('hunter2');
  });
  it('no rules, and a pack that is not there, are errors', () => {
    expect(places(load({}, { path: null, extra: { files: ['a'], print: true } }))).toEqual([
      'E_NO_RULES 1:1',
    ]);
    const parsed = load(
      { '/usr/share/tocsin/rules/celery.yaml': pack },
      { path: null, extra: { packs: ['celry'], print: true } },
    );
    expect(parsed.problems).toMatchObject([{ code: 'E_UNKNOWN_PACK', hint: 'did you mean "celery"?' }]);
  });
  it('the channels of the command line take everything besides the routes of the file', () => {
    const config = loaded(load({ 'tocsin.yaml': small + webhook }, { extra: { print: true } }));
    expect(config.routes).toEqual([
      { where: [], notify: ['console'], also: true },
      { where: [], notify: ['hook'], also: false },
    ]);
  });
});

describe('every rule leads somewhere', () => {
  it('no channel at all is told once, not for every rule', () => {
    const parsed = load({
      'tocsin.yaml': 'sources: { w: { file: a } }\nrules: [a.yaml]\n',
      'a.yaml': rulesFile,
    });
    expect(parsed.problems).toMatchObject([{ code: 'E_NO_DESTINATION', scope: null }]);
  });
  it('a broken channel is told where it stands, not again for every rule', () => {
    expect(places(load({ 'tocsin.yaml': `${small}channels: { a: { type: slakc } }\n` }))).toEqual([
      'E_VALUE 3:24',
    ]);
  });
  const two = 'channels: { a: { type: console }, b: { type: console } }\n';
  it('one channel and no routes: it takes everything', () => {
    expect(loaded(load({ 'tocsin.yaml': small + webhook })).routes).toEqual([
      { where: [], notify: ['hook'], also: false },
    ]);
  });
  it.each([
    ['no channel at all', small],
    ['two channels and no routes', small + two],
    [
      'a route for other severities only',
      `${small}${two}routes: [{ where: { severity: critical }, notify: a }]\n`,
    ],
    ['a route that looks at a field', `${small}${two}routes: [{ where: { task: 'a*' }, notify: a }]\n`],
  ])('%s is an error', (_name, text) => {
    expect(places(load({ 'tocsin.yaml': text }))).toEqual(['E_NO_DESTINATION 2:15']);
  });
  it.each([
    ['its severity', 'routes: [{ where: { severity: { gte: warning } }, notify: a }]'],
    ['its id', "routes: [{ where: { rule: ['x', 'a*'] }, notify: a }]"],
    [
      'its label',
      'defaults: { labels: { team: data } }\nroutes: [{ where: { labels.team: data }, notify: a }]',
    ],
    [
      'all severities between them',
      'routes: [{ where: { severity: critical }, notify: a }, { where: { severity: { not: critical } }, notify: b }]',
    ],
    ['its own notify', 'defaults: { notify: b }'],
  ])('a route that surely takes the rule by %s is enough', (_name, text) => {
    expect(places(load({ 'tocsin.yaml': `${small}${two}${text}\n` }))).toEqual([]);
  });
});

describe('variables', () => {
  it('E16 what a variable holds is never read as YAML', () => {
    const text = `${small}${webhook}labels: { a: '\${X}', b: "\${X}", c: '$\${X}', d: '\${Y:-z}' }\n`;
    const evil = '}\nchannels: { evil: { type: console } }\n# "\'';
    const config = loaded(load({ 'tocsin.yaml': text }, { env: { X: evil } }));
    expect(config.labels).toEqual({ a: evil, b: evil, c: '${X}', d: 'z' });
    expect(config.channels.map((channel) => channel.name)).toEqual(['hook']);
  });
  it('E16 an unset one sets its channel aside, with its place; elsewhere it is an error', () => {
    const text = `${small}channels: { hook: { type: webhook, url: '\${URL}' }, out: { type: console } }\nroutes: [{ notify: [hook, out] }]\n`;
    const parsed = load({ 'tocsin.yaml': text });
    expect(parsed.ok).toBe(true);
    expect(parsed.problems).toMatchObject([
      {
        code: 'E_ENV_UNSET',
        level: 'error',
        origin: { line: 3, column: 41 },
        scope: { kind: 'channel', name: 'hook' },
      },
    ]);
    expect(loaded(parsed).channels[0]?.unusable).toBe('${URL} is not set in the environment');
    const elsewhere = load({ 'tocsin.yaml': `${small}${webhook}labels: { a: '\${X}' }\n` });
    expect(elsewhere).toMatchObject({ ok: false, problems: [{ code: 'E_ENV_UNSET', scope: null }] });
  });
  it('a variable that is set to nothing counts as unset, unless a default is given', () => {
    const text = `${small}channels: { out: { type: console }, hook: { type: webhook, url: '\${URL}' } }\nroutes: [{ notify: [out, hook] }]\nlabels: { a: '\${URL:-}' }\n`;
    const parsed = load({ 'tocsin.yaml': text }, { env: { URL: '' } });
    expect(parsed).toMatchObject({
      ok: true,
      problems: [{ code: 'E_ENV_UNSET', message: '${URL} is empty in the environment' }],
    });
    expect(loaded(parsed).labels).toEqual({ a: '' });
  });
  it('patterns and test lines are taken as they were written', () => {
    const text =
      "sources: { w: { file: a } }\nrules: [{ id: a, match: 'x\\${HOME}', tests: [{ lines: ['x${HOME}'], expect: 1 }] }]\n";
    const rule = loaded(load({ 'tocsin.yaml': text + webhook })).rules[0];
    expect(rule?.conditions.text[0]?.tests[0]?.text).toBe('x\\${HOME}');
    expect(rule?.tests[0]?.lines).toEqual(['x${HOME}']);
  });
  it('a secret put into the wrong place is not repeated in a problem', () => {
    const parsed = load(
      { 'tocsin.yaml': `${small}channels: { hook: { type: webhook, url: '\${URL}' } }\n` },
      { env: { URL: 'hunter2' } },
    );
    expect(parsed.ok).toBe(false);
    expect(JSON.stringify(parsed.problems)).not.toContain('hunter2');
  });
});

describe('what is left of a broken configuration', () => {
  const broken = `sources: { w: { file: a.log }, x: { format: auto } }
rules:
  - { id: good, match: failed, tests: [{ lines: [failed], expect: 1 }] }
  - { id: bad, match: '(', tests: [{ lines: [failed], expect: 1 }] }
channels: { ok: { type: console }, bad: { type: webhook } }
routes: [{ where: { severity: critical }, notify: bad }]
`;
  it('broken rules and sources are left out, broken channels are unusable, and everything still leads somewhere', () => {
    expect(load({ 'tocsin.yaml': broken }).ok).toBe(false);
    const parsed = loadWhatRuns({ 'tocsin.yaml': broken });
    const config = loaded(parsed);
    expect(config.rules.map((rule) => rule.id)).toEqual(['good']);
    expect(config.sources.map((source) => source.name)).toEqual(['w']);
    expect(config.channels.map((channel) => [channel.name, channel.unusable === null])).toEqual([
      ['ok', true],
      ['bad', false],
    ]);
    expect(config.routes.at(-1)).toEqual({ where: [], notify: ['ok'], also: false });
    expect(parsed.problems.map((problem) => problem.scope)).toEqual([
      { kind: 'source', name: 'x' },
      { kind: 'rule', name: 'good' },
      { kind: 'rule', name: 'bad' },
      { kind: 'channel', name: 'bad' },
    ]);
  });
  it('a broken default breaks no rule; a broken rules file leaves the others', () => {
    const text =
      'sources: { w: { file: a.log } }\nrules: [a.yaml, b.yaml]\ndefaults: { limit: five }\nchannels: { out: { type: console } }\n';
    const config = loaded(
      loadWhatRuns({ 'tocsin.yaml': text, 'a.yaml': 'rules:\n\t- x', 'b.yaml': rulesFile }),
    );
    expect(config.rules.map((rule) => rule.id)).toEqual(['mine', 'loud']);
  });
  it('nothing that can run is said so', () => {
    for (const text of ['', 'a: [', 'sources: {}\n', small, `${webhook}sources: { w: { file: a } }\n`]) {
      expect(loadWhatRuns({ 'tocsin.yaml': text }).ok).toBe(false);
    }
  });
});

describe('references', () => {
  it('E7 an id that is there twice, across files, says where the first one is', () => {
    const parsed = load({
      'tocsin.yaml': `${small}${webhook}`.replace('rules: [', 'rules: [b.yaml, '),
      'b.yaml': rulesFile.replace('mine', 'a'),
    });
    expect(parsed.problems).toMatchObject([
      { code: 'E_DUPLICATE_ID', message: 'the id "a" is taken by the rule at /etc/tocsin/b.yaml:3' },
    ]);
  });
  it('E6 channels, sources, packs and rules of packs that are not there', () => {
    const text = `sources: { worker: { file: a } }
packs: { celery: { disable: [celery-task-faild], override: { nope: { limit: none } } }, linux: }
rules: [{ id: a, match: x, from: [work, 'w*', queue=a], notify: [egn], tests: [] }]
channels: { eng: { type: console, fallback: { channel: eng } } }
`;
    const parsed = load({ 'tocsin.yaml': text, '/usr/share/tocsin/rules/celery.yaml': pack });
    expect(places(parsed)).toEqual([
      'E_UNKNOWN_RULE 2:30',
      'E_UNKNOWN_RULE 2:62',
      'E_UNKNOWN_PACK 2:89',
      'W_NO_TESTS 3:15',
      'E_UNKNOWN_SOURCE 3:35',
      'E_UNKNOWN_CHANNEL 3:66',
      'E_VALUE 4:56',
    ]);
  });
  it('E20 a key with a look-alike letter or blank in it says which character that is', () => {
    const parsed = load({
      'tocsin.yaml': `${small}${webhook}l\u0430bels: { a: b }\nadmin\u00a0: { listen: '127.0.0.1:1' }\n`,
    });
    expect(parsed.problems).toMatchObject([
      { message: expect.stringContaining('with the character U+0430 in it'), hint: 'did you mean "labels"?' },
      { message: expect.stringContaining('with the character U+00A0 in it'), hint: 'did you mean "admin"?' },
    ]);
  });
  it('a name under exclude means it in every folder, a path is relative to the file', () => {
    const text = `${small}${webhook}`.replace(
      'file: a.log',
      "file: /var/*.log, exclude: ['*.debug.log', old/*.log]",
    );
    expect(loaded(load({ 'tocsin.yaml': text })).sources).toMatchObject([
      { exclude: ['*.debug.log', '/etc/tocsin/old/*.log'] },
    ]);
  });
  it('two sources on one file are a warning', () => {
    const text = `${small}${webhook}`.replace(
      'w: { file: a.log }',
      'w: { file: a.log }, v: { file: [b.log, ./a.log] }',
    );
    expect(places(load({ 'tocsin.yaml': text }))).toEqual(['W_SAME_FILE 1:32']);
    const globbed = (glob: string) =>
      `${small}${webhook}`.replace('w: { file: a.log }', `w: { file: a.log }, v: { file: ${glob} }`);
    expect(places(load({ 'tocsin.yaml': globbed("'*.log'") }))).toEqual(['W_SAME_FILE 1:12']);
    expect(places(load({ 'tocsin.yaml': globbed("'*.log', exclude: a.log") }))).toEqual([]);
    expect(places(load({ 'tocsin.yaml': globbed("'b*.log'") }))).toEqual([]);
    expect(places(load({ 'tocsin.yaml': globbed("'[z-a].log'") }))).toEqual([]);
  });
  it('G10 syslog for everybody who reaches the machine is a warning; for this machine, for names and for certificates it is none', () => {
    const warned = (syslog: string) =>
      places(
        load({
          'tocsin.yaml': `${small}${webhook}`.replace('w: { file: a.log }', `w: { syslog: ${syslog} }`),
        }),
      );
    for (const open of [
      "'0.0.0.0:5514'",
      "':5514'",
      "{ tcp: '[::]:5514' }",
      '{ udp: 10.1.2.3:514, unix: log }',
    ])
      expect(warned(open)).toEqual(['W_OPEN_ADDRESS 1:12']);
    const tls = 'listen: 0.0.0.0:6514, cert: a, key: b';
    expect(warned(`{ tls: { ${tls} } }`)).toEqual(['W_OPEN_ADDRESS 1:12']);
    for (const closed of [
      '127.0.0.1:5514',
      'localhost:5514',
      "'[::1]:5514'",
      '{ unix: log }',
      '{ udp: 0.0.0.0:5514, allow_from: 10.0.0.0/8 }',
      `{ tls: { ${tls}, ca: c } }`,
    ])
      expect(warned(closed)).toEqual([]);
    // An address is never made up: who names only a port is asked which one is meant.
    expect(warned('5514')).toEqual(['E_VALUE 1:25']);
  });
  it('a glob that no file matches is a warning, a path an error', () => {
    const text = `${small}${webhook}`.replace('rules: [', 'rules: [x/*.yaml, ').replace('x/*', 'x/*');
    expect(places(load({ 'tocsin.yaml': text }))).toEqual(['W_NO_FILES 2:9']);
    expect(places(load({ 'tocsin.yaml': text.replace('x/*.yaml', 'x.yaml') }))).toEqual([
      'E_FILE_MISSING 2:9',
    ]);
  });
});

describe('faults of edits', { timeout: 60_000 }, () => {
  it('E9 every prefix of the reference configuration is refused or loads, and never throws', () => {
    for (let length = 0; length <= reference.length; length++) {
      const parsed = load({ ...everything, 'tocsin.yaml': reference.slice(0, length) }, { env });
      for (const problem of parsed.problems) expect(problem.origin.line).toBeGreaterThan(0);
      if (!parsed.ok) expect(parsed.problems.length).toBeGreaterThan(0);
    }
  });
  it('E9 every prefix of a rules file is refused or loads', () => {
    for (let length = 0; length <= rulesFile.length; length++) {
      const parsed = load({ ...everything, 'rules/a.yaml': rulesFile.slice(0, length) }, { env });
      if (length < rulesFile.indexOf('id: mine')) expect(parsed.ok).toBe(false);
    }
  });
  it('E17 each key taken out or replaced by something else gives problems with a place, never an exception', () => {
    const lines = reference.split('\n');
    for (const [index, line] of lines.entries()) {
      for (const other of [
        '',
        line.replace(/:.*/, ': [1, { a: b }]'),
        line.replace(/:.*/, ': 12'),
        line.replace(/:.*/, ':'),
        line.replace(/:.*/, ": 'x'"),
      ]) {
        const text = lines.map((same, at) => (at === index ? other : same)).join('\n');
        for (const problem of load({ ...everything, 'tocsin.yaml': text }, { env }).problems)
          expect(problem.origin.column).toBeGreaterThan(0);
      }
    }
  });
  it('a thousand rules cost ten times a hundred, and not much more than to parse their YAML', () => {
    const rule = (index: number) => `  - id: rule-${index}
    title: 'Task {{ task }} failed: {{ exception }}'
    match: 'Task (?<task>\\S+)\\[(?<task_id>[^\\]]+)\\] raised ${index}: (?<exception>\\w+)'
    except: retry
    by: [task, exception]
    tests: [{ name: one, lines: ["x"], expect: none }]
`;
    const textsOf = (files: number): Record<string, string> => {
      const texts: Record<string, string> = {
        'tocsin.yaml': `sources: { w: { file: a } }\nrules: [rules/*.yaml]\n${webhook}`,
      };
      for (let file = 0; file < files; file++) {
        const rules = Array.from({ length: 100 }, (_, index) => rule(file * 100 + index)).join('');
        texts[`rules/${file}.yaml`] = `rules:\n${rules}`;
      }
      return texts;
    };
    // Processor time, the best of a few: the machine has other things to do. On a quiet one it is 0.35 s for a thousand.
    const cost = (work: () => void): number => {
      const times = Array.from({ length: 3 }, () => {
        const before = process.cpuUsage();
        work();
        const { user, system } = process.cpuUsage(before);
        return (user + system) / 1000;
      });
      return Math.min(...times);
    };
    const thousand = textsOf(10);
    expect(loaded(load(thousand)).rules.length).toBe(1000);
    const all = cost(() => load(thousand));
    const hundred = cost(() => load(textsOf(1)));
    const parsing = cost(() => {
      for (const [path, text] of Object.entries(thousand)) readYaml(path, text);
    });
    expect(all).toBeLessThan(hundred * 20);
    expect(all).toBeLessThan(parsing * 4);
  });
});
