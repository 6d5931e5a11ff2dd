/** A wrong configuration: what `check` says of it, and that a running daemon and a restart go on with what was right. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { freePort } from '../support/free-port.ts';
import { type RunningDaemon, run, startDaemon, until } from '../support/program.ts';
import { boomRules, type Shop, shop } from '../support/shop.ts';
import { waitFor } from '../support/wait-for.ts';
import { type WebhookServer, webhookServer } from '../support/webhook-server.ts';

const wrongRules = `rules:
  - id: boom
    match: 'boom in (?=x)(?<what>\\w+)'
    by: what
    notify: #ops
    severty: error
  - id: two
    match: !x y
    notify: nosuch
`;

function place(server: WebhookServer, rest = ''): Shop {
  return shop({ channels: `hook: { type: webhook, url: '${server.url}' }`, rest });
}

function refused(daemon: RunningDaemon): Promise<unknown> {
  return until('the refusal', async () => !(await daemon.status()).config.ok);
}

async function told(server: WebhookServer, what: string): Promise<void> {
  await waitFor(`the alert of ${what}`, () =>
    server.received.some((one) => one.json.incident.title === `Boom in ${what}`),
  );
}

describe('check', () => {
  it('E3 E5 E6 prints every place, frame and hint at once, exit 2', async () => {
    const server = await webhookServer();
    const { dir, file } = place(server);
    file('rules.yaml', wrongRules);
    const { code, stdout, stderr } = await run(['check'], { cwd: dir });
    const rules = join(dir, 'rules.yaml');
    expect(code).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toContain(`${rules}:3:21: error E_REGEX rules[0].match`);
    expect(stderr).toContain('RE2 has no look-around');
    expect(stderr).toContain(`${rules}:5:13: error E_YAML_WARNING rules[0].notify`);
    expect(stderr).toContain("hint: put the value in quotes: '#ops'");
    expect(stderr).toContain(`${rules}:6:5: error E_UNKNOWN_KEY rules[0].severty`);
    expect(stderr).toContain('hint: did you mean "severity"?');
    expect(stderr).toContain('    |     ^^^^^^^');
    expect(stderr).toContain(`${rules}:8:12: error E_YAML_WARNING`);
    expect(stderr).toContain("put the value in quotes: '!x y'");
    expect(stderr).toContain(`${rules}:9:13: error E_UNKNOWN_CHANNEL rules[1].notify`);
    expect(stderr).toContain('hint: the channels are: hook');
    expect(stderr).toMatch(/^5 errors, \d warnings?$/m);
    expect(stderr).not.toContain('\u001b');
  });

  it('runs the tests of the rules that are sound, whatever else is wrong', async () => {
    const server = await webhookServer();
    const { dir, file } = place(server, 'labls: {}');
    file(
      'rules.yaml',
      `rules:
  - { id: sound, match: x, tests: [ { name: t, lines: y, expect: 1 } ] }
  - { id: broken, match: '(' }
`,
    );
    const { code, stderr } = await run(['check'], { cwd: dir });
    expect(code).toBe(2);
    expect(stderr).toContain('E_UNKNOWN_KEY labls');
    expect(stderr).toContain('E_REGEX rules[1].match');
    expect(stderr).toContain('the rule sound fails its own test "t": incidents: expected 1, got 0');
  });

  it('--json gives the same as data', async () => {
    const server = await webhookServer();
    const { dir, file } = place(server);
    file('rules.yaml', wrongRules);
    const { code, stdout } = await run(['check', '--json'], { cwd: dir });
    expect(code).toBe(2);
    const { ok, problems } = JSON.parse(stdout);
    expect(ok).toBe(false);
    const errors = problems.filter((one: { level: string }) => one.level === 'error');
    expect(errors.map((one: { code: string }) => one.code)).toEqual([
      'E_REGEX',
      'E_YAML_WARNING',
      'E_UNKNOWN_KEY',
      'E_YAML_WARNING',
      'E_UNKNOWN_CHANNEL',
    ]);
    expect(errors[0]).toEqual({
      code: 'E_REGEX',
      level: 'error',
      file: join(dir, 'rules.yaml'),
      line: 3,
      column: 21,
      path: 'rules[0].match',
      message: expect.any(String),
      hint: expect.any(String),
    });
  });

  it.each([
    ['E1 a tab', 'rules:\n\t- id: x\n', 'E_YAML_SYNTAX', 'indent with spaces'],
    ['E8 a file of comments is not zero rules', '# nothing\n', 'E_EMPTY', 'not taken for "no rules"'],
    ['E2 a key twice', 'rules: [ { id: a, match: x, match: y } ]\n', 'E_YAML_DUPLICATE_KEY', ''],
    ['E7 an id twice', 'rules: [ { id: a, match: x }, { id: a, match: y } ]\n', 'E_DUPLICATE_ID', ''],
    ['E4 a wrong duration', 'rules: [ { id: a, match: x, count: 5 } ]\n', 'E_', ''],
    [
      'a failing test of its own',
      'rules: [ { id: a, match: x, tests: [ { name: t, lines: y, expect: 1 } ] } ]\n',
      'E_RULE_TEST',
      '',
    ],
  ])('%s is refused with its code, exit 2', async (_name, text, code, words) => {
    const server = await webhookServer();
    const { dir, file } = place(server);
    file('rules.yaml', text);
    const checked = await run(['check'], { cwd: dir });
    expect(checked.stderr).toContain(code);
    expect(checked.stderr).toContain(words);
    expect(checked.code).toBe(2);
  });

  it('a good one: a line that counts, exit 0', async () => {
    const server = await webhookServer();
    const { dir } = place(server);
    const { code, stdout } = await run(['check'], { cwd: dir });
    expect(stdout).toBe('ok: 1 rule with 0 tests, 1 source, 1 channel\n');
    expect(code).toBe(0);
  });

  it('E19 --send-test tries the channels too, exit 1 when one refuses', async () => {
    const server = await webhookServer();
    server.script.push({ status: 404, body: 'no such hook' });
    const { dir } = place(server);
    const { code, stdout } = await run(['check', '--send-test'], { cwd: dir });
    expect(stdout).toContain('hook: not delivered');
    expect(stdout).toContain('answer: no such hook');
    expect(code).toBe(1);
    server.script.push({ status: 404, body: 'no such hook' });
    const asData = await run(['check', '--send-test', '--json'], { cwd: dir });
    expect(JSON.parse(asData.stdout)).toMatchObject({
      ok: true,
      send_test: [{ channel: 'hook', delivered: false, status: 404, body: 'no such hook' }],
    });
    expect(asData.code).toBe(1);
  });
});

describe('a wrong edit while the daemon runs', () => {
  it('the old rules go on, it is said in log, status, a message and /readyz; a correction is taken up', async () => {
    const server = await webhookServer();
    const port = await freePort();
    const { dir, file, write } = place(server, `admin: { listen: '127.0.0.1:${port}' }`);
    const ready = async (): Promise<{ status: number; missing: string[] }> => {
      const answer = await fetch(`http://127.0.0.1:${port}/readyz`);
      return { status: answer.status, ...((await answer.json()) as { missing: string[] }) };
    };
    const daemon = await startDaemon(dir);
    expect(await ready()).toMatchObject({ status: 200, missing: [] });
    file('rules.yaml', wrongRules);
    write('boom in kitchen');
    await refused(daemon);
    write('boom in attic');
    await told(server, 'kitchen');
    await told(server, 'attic');
    const { config } = await daemon.status();
    expect(config.origin).toBe('before');
    expect(config.problems).toContainEqual(
      expect.objectContaining({ code: 'E_REGEX', line: 3, column: 21, file: join(dir, 'rules.yaml') }),
    );
    const shown = await run(['status'], { cwd: dir });
    expect(shown.stdout).toContain('configuration refused: what was loaded before goes on');
    expect(shown.stdout).toContain(`${join(dir, 'rules.yaml')}:6 a rule has no key "severty"`);
    const self = await waitFor('the word on a channel', () =>
      server.received.find((one) => one.json.notification.kind === 'self'),
    );
    expect(self.json.incident).toMatchObject({
      rule: 'tocsin-self',
      severity: 'error',
      title: 'The configuration was refused: 5 errors',
    });
    expect(self.json.incident.message).toContain('did you mean "severity"?');
    expect(daemon.stderr()).toContain('the configuration was refused. The rules loaded at');
    expect(await ready()).toMatchObject({
      status: 503,
      missing: ['the last edit of the configuration was refused'],
    });

    file('rules.yaml', boomRules.replace('Boom in', 'Bang in'));
    await until('the correction', async () => (await daemon.status()).config.ok);
    write('boom in cellar');
    await waitFor('an alert under the new rules', () =>
      server.received.some((one) => one.json.incident.title === 'Bang in cellar'),
    );
    await waitFor('the good word', () =>
      server.received.some((one) => one.json.incident.title === 'The configuration is accepted again'),
    );
    expect(await ready()).toMatchObject({ status: 200 });
  });

  it('after a restart with the bad edit the last good rules run, and it is said', async () => {
    const server = await webhookServer();
    const { dir, file, write } = place(server);
    const first = await startDaemon(dir);
    await first.end();
    file('rules.yaml', wrongRules);
    const daemon = await startDaemon(dir);
    write('boom in kitchen');
    await told(server, 'kitchen');
    const { config } = await daemon.status();
    expect(config).toMatchObject({ ok: false, origin: 'last-good' });
    const self = server.received.find((one) => one.json.notification.kind === 'self');
    expect(self?.json.incident.message).toMatch(/^The last good configuration, of \d{4}-.*, runs\./);
    expect((await run(['status'], { cwd: dir })).stdout).toContain('refused: the last good one runs');
    file('rules.yaml', boomRules);
    await until('the correction', async () => (await daemon.status()).config.ok);
    await daemon.end();
  });

  it('without a last good copy the broken rule is left out, the rest runs, not ready, and it is alarmed', async () => {
    const server = await webhookServer();
    const { dir, file, write } = place(server);
    file('rules.yaml', `${boomRules}  - { id: broken, match: 'x(?=y)' }\n`);
    const daemon = await startDaemon(dir);
    write('boom in kitchen');
    await told(server, 'kitchen');
    expect((await daemon.status()).config).toMatchObject({ ok: false, origin: 'partial' });
    expect(Object.keys((await daemon.status()).rules)).toEqual(['boom']);
    const self = server.received.find((one) => one.json.notification.kind === 'self');
    expect(self?.json.incident.message).toContain('What is not broken runs.');
    // Was: what a start had to say was taken for a message of the last run, too, and posted twice.
    expect(
      server.received.map((one) => `${one.json.notification.kind} ${one.json.notification.attempt}`),
    ).toEqual(['self 1', 'first 1']);
    expect(daemon.stderr()).not.toContain('messages of the last run');
  });

  it('a channel whose variable is unset is set aside and told on another one; its fallback takes over', async () => {
    const server = await webhookServer();
    const { dir, write } = shop({
      channels: `pager: { type: webhook, url: '\${PAGER_URL}', fallback: { channel: hook, from: error } }
hook: { type: webhook, url: '${server.url}' }`,
      rest: 'routes: [ { notify: pager } ]',
    });
    const daemon = await startDaemon(dir);
    write('boom in kitchen');
    await told(server, 'kitchen');
    expect(server.received.map((one) => one.json.incident.title)).toContain('Channel pager is set aside');
    const status = await daemon.status();
    expect(status.channels['pager']).toMatchObject({ state: 'unusable', queued: 1 });
    expect(status.channels['pager']?.ledger.balanced).toBe(true);
    expect((await run(['check'], { cwd: dir })).code).toBe(2);
    await daemon.end();
    // With the variable set, what waited goes out.
    await startDaemon(dir, { env: { PAGER_URL: `${server.url}/pager` } });
    await waitFor('what waited', () => server.received.some((one) => one.url === '/hook/pager'));
  });

  it('run --strict refuses with 2 and the frames', async () => {
    const server = await webhookServer();
    const { dir, file } = place(server);
    file('rules.yaml', wrongRules);
    const { code, stderr } = await run(['run', '--strict'], { cwd: dir });
    expect(code).toBe(2);
    expect(stderr).toContain('E_UNKNOWN_KEY');
    file('rules.yaml', boomRules);
    writeFileSync(
      join(dir, 'tocsin.yaml'),
      readFileSync(join(dir, 'tocsin.yaml'), 'utf8').replace(
        'channels:',
        `channels:\n  other: { type: webhook, url: '\${UNSET_URL}' }`,
      ),
    );
    expect(await run(['run', '--strict'], { cwd: dir })).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('E_ENV_UNSET'),
    });
  });
});
