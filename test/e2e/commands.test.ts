/** Every other command, as a person calls it: what it prints, what it gives as data, and its exit code. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { run, startDaemon, until } from '../support/program.ts';
import { shop } from '../support/shop.ts';
import { tempDir } from '../support/temp-dir.ts';
import { waitFor } from '../support/wait-for.ts';
import { type WebhookServer, webhookServer } from '../support/webhook-server.ts';

const celeryLog = fileURLToPath(new URL('../fixtures/demo/celery-demo.log', import.meta.url));

function hook(server: WebhookServer, more = ''): string {
  return `hook: { type: webhook, url: '${server.url}'${more} }`;
}

describe('send-test', () => {
  it('D19 prints status and body of a refusal as they came, exit 1; and of a success, exit 0', async () => {
    const server = await webhookServer();
    const { dir } = shop({ channels: hook(server) });
    server.script.push({ status: 403, body: '{"error":"token\nrevoked"}' });
    const refused = await run(['send-test', 'hook'], { cwd: dir });
    expect(refused.stdout).toMatch(/^hook: not delivered: 127\.0\.0\.1:\d+ answered 403, status 403\n/);
    expect(refused.stdout).toContain('  answer: {"error":"token\n          revoked"}\n');
    expect(refused.code).toBe(1);
    const { code, stdout } = await run(['send-test'], { cwd: dir });
    expect(stdout).toBe('hook: delivered, status 200\n  answer: ok\n');
    expect(code).toBe(0);
    expect(server.received[1]?.json.notification.kind).toBe('test');
    expect(server.received[1]?.json.incident.title).toBe('Tocsin test message for hook');
  });

  it('D19 goes through the running daemon, on the road of its alerts', async () => {
    const server = await webhookServer();
    const { dir } = shop({ channels: hook(server), rest: 'labels: { env: test }' });
    await startDaemon(dir);
    const good = await run(['send-test', 'hook'], { cwd: dir });
    expect(good.stdout).toBe('hook: delivered, status 200 (sent by the running daemon)\n  answer: ok\n');
    server.script.push({ status: 500, body: 'out of order' });
    const bad = await run(['send-test', 'hook', '--json'], { cwd: dir });
    expect(JSON.parse(bad.stdout)).toEqual([
      {
        delivered: false,
        status: 500,
        body: 'out of order',
        detail: expect.any(String),
        channel: 'hook',
        road: 'daemon',
      },
    ]);
    expect(bad.code).toBe(1);
    expect(server.received[0]?.json.incident.labels).toEqual({ env: 'test' });
  });

  it('an address by --to, an unknown channel (2), none at all (2)', async () => {
    const server = await webhookServer();
    const { dir } = shop({ channels: hook(server) });
    expect(await run(['send-test', '--to', server.url], { cwd: tempDir() })).toMatchObject({ code: 0 });
    const unknown = await run(['send-test', 'nosuch'], { cwd: dir });
    expect(unknown.stderr).toBe('there is no channel "nosuch"; there are: hook\n');
    expect(unknown.code).toBe(2);
    expect((await run(['send-test'], { cwd: tempDir() })).code).toBe(2);
  });

  it('D19 a server that never answers is told within 15 s, exit 1', async () => {
    const server = await webhookServer();
    server.fallback = { act: 'hang' };
    const { dir } = shop({ channels: hook(server, ', timeout: 2s') });
    const { code, stdout, ms } = await run(['send-test', 'hook'], { cwd: dir });
    expect(stdout).toMatch(/not delivered: .*no complete answer within the timeout/);
    expect(code).toBe(1);
    expect(ms).toBeLessThan(15_000);
  });
});

describe('status', () => {
  it('--json has the promised shape while it runs, and when it does not', async () => {
    const server = await webhookServer();
    const { dir, write } = shop({ channels: hook(server) });
    const daemon = await startDaemon(dir);
    write('boom in kitchen', 'boom in kitchen', 'boom in attic', 'all quiet');
    await until('delivery', async () => (await daemon.status()).channels['hook']?.delivered === 2);
    const { code, stdout } = await run(['status', '--json'], { cwd: dir });
    expect(code).toBe(0);
    const running = JSON.parse(stdout);
    const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/);
    expect(running).toMatchObject({
      version: expect.stringMatching(/^\d+\.\d+\.\d+$/),
      uptime_s: expect.any(Number),
      config: { loaded_at: time, ok: true },
      sources: {
        app: {
          kind: 'file',
          state: 'ok',
          records: 4,
          bytes: 56,
          lag_bytes: 0,
          dropped: {},
          last_record_at: time,
        },
      },
      rules: { boom: { matched: 3, below: 0, incidents: 2, firing: 2 } },
      channels: {
        hook: {
          state: 'ok',
          delivered: 2,
          retried: 0,
          rejected: 0,
          queued: 0,
          last_status: 200,
          last_error: null,
        },
      },
    });
    const { ledger } = running.channels.hook;
    expect(Object.keys(ledger)).toEqual([
      'matched',
      'notified',
      'counted',
      'pending',
      'silenced',
      'muted',
      'trial',
      'dead',
      'balanced',
    ]);
    expect(ledger).toMatchObject({ matched: 3, notified: 2, balanced: true });
    expect(ledger.notified + ledger.counted + ledger.pending + ledger.silenced + ledger.dead).toBe(3);
    const text = await run(['status'], { cwd: dir });
    expect(text.stdout).toContain('3 matched = 2 notified + ');
    await daemon.end();

    const stopped = JSON.parse((await run(['status', '--json'], { cwd: dir })).stdout);
    expect(Object.keys(stopped)).toEqual(Object.keys(running));
    expect(stopped).toMatchObject({
      running: false,
      rules: { boom: { matched: 3 } },
      channels: { hook: { state: 'stopped', ledger: { matched: 3, notified: 2, balanced: true } } },
    });
    expect((await run(['status'], { cwd: dir })).stdout).toContain('no daemon runs on');
    expect((await run(['status', '--state', join(dir, '.tocsin')], { cwd: '/' })).code).toBe(0);
  });

  it('says what is wrong with where it was asked, exit 2', async () => {
    const dir = tempDir();
    expect(await run(['status'], { cwd: dir })).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--config FILE'),
    });
    expect(await run(['status', '--config', 'nosuch.yaml'], { cwd: dir })).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('there is no file'),
    });
    expect((await run(['status', '--state', 'nosuch'], { cwd: dir })).code).toBe(2);
  });
});

describe('silence', () => {
  it('by rule, label and field: matches are counted and not told; the list, the end, and A7 a restart', async () => {
    const server = await webhookServer();
    const { dir, write } = shop({ channels: hook(server), rest: 'labels: { env: staging }' });
    const daemon = await startDaemon(dir);
    const added = await run(
      [
        'silence',
        'add',
        '--where',
        'what=kit*',
        '--where',
        'labels.env=staging',
        '--for',
        '1h',
        '--comment',
        'move',
      ],
      { cwd: dir },
    );
    expect(added.code).toBe(0);
    const [, id = ''] =
      /^silence (\w+): what=kit\*, labels\.env=staging, until .*Z \(move\)\nend it with: tocsin silence end \1\n$/.exec(
        added.stdout,
      ) ?? [];
    expect(id).not.toBe('');
    write('boom in kitchen');
    write('boom in attic');
    await waitFor('the other alert', () => server.received.length > 0);
    expect(server.received.map((one) => one.json.incident.title)).toEqual(['Boom in attic']);
    // What was sent and not yet noted as sent would rightly come again after the kill.
    await until('the note of it', async () => {
      const ledger = (await daemon.status()).channels['hook']?.ledger;
      return ledger?.notified === 1;
    });
    expect((await daemon.status()).channels['hook']?.ledger).toMatchObject({
      matched: 2,
      silenced: 1,
      balanced: true,
    });
    await daemon.end('SIGKILL');

    // Without a daemon the list is read from the state, and a silence can be added to it.
    const listed = await run(['silence', 'list'], { cwd: dir });
    expect(listed.stdout).toContain(`${id}: what=kit*`);
    const second = await run(
      [
        'silence',
        'add',
        '--rule',
        'boom',
        '--until',
        new Date(Date.now() + 3_600_000).toISOString(),
        '--json',
      ],
      { cwd: dir },
    );
    const byRule = JSON.parse(second.stdout);
    expect(byRule).toMatchObject({ rule: 'boom', where: {} });
    const again = await startDaemon(dir);
    write('boom in cellar');
    await until('the match', async () => (await again.status()).rules['boom']?.matched === 3);
    expect(JSON.parse((await run(['silence', 'list', '--json'], { cwd: dir })).stdout)).toHaveLength(2);
    expect((await run(['silence', 'end', byRule.id], { cwd: dir })).stdout).toBe(
      `silence ${byRule.id} is over\n`,
    );
    write('boom in garden');
    await waitFor('the alert after the end', () =>
      server.received.some((one) => one.json.incident.title === 'Boom in garden'),
    );
    expect(server.received).toHaveLength(2);
    const { ledger } = (await again.status()).channels['hook'] ?? {};
    expect(ledger).toMatchObject({ matched: 4, silenced: 2, notified: 2, balanced: true });
  });

  it('without an end, a test, or of an unknown id it is refused in a sentence', async () => {
    const server = await webhookServer();
    const { dir } = shop({ channels: hook(server) });
    expect(await run(['silence', 'add', '--rule', 'boom'], { cwd: dir })).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--for 2h'),
    });
    expect(await run(['silence', 'add', '--for', '1h'], { cwd: dir })).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--where task=mail.*'),
    });
    expect(await run(['silence', 'add', '--rule', 'a', '--until', '2001-01-01'], { cwd: dir })).toMatchObject(
      { code: 2 },
    );
    const twice = ['silence', 'add', '--rule', 'a', '--for', '1h', '--until', '2999-01-01'];
    expect(await run(twice, { cwd: dir })).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('not both'),
    });
    await startDaemon(dir);
    expect(await run(['silence', 'add', '--rule', 'bom', '--for', '1h'], { cwd: dir })).toMatchObject({
      code: 2,
      stderr: 'E_SILENCE: there is no rule "bom"; did you mean "boom"?\n',
    });
    expect(await run(['silence', 'end', 'nosuch'], { cwd: dir })).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('tocsin silence list'),
    });
  });
});

describe('dead-letters', () => {
  it('I15 what was given up is alarmed, listed, shown, and goes out again with its id', async () => {
    const server = await webhookServer();
    const other = await webhookServer();
    const { dir, write } = shop({
      channels: `${hook(server)}\nother: { type: webhook, url: '${other.url}' }`,
      rest: 'routes: [ { notify: hook } ]',
    });
    // Refused in the rich and in the plain form: no repeat can mend it.
    server.script.push({ status: 422, body: 'no' }, { status: 422, body: 'no' });
    const daemon = await startDaemon(dir);
    write('boom in kitchen');
    await until('the dead letter', async () => (await daemon.status()).channels['hook']?.ledger.dead === 1);
    await waitFor('the alarm', () =>
      other.received.some((one) => one.json.incident.title === 'A message for hook could not be delivered'),
    );
    const listed = await run(['dead-letters', 'list'], { cwd: dir });
    const [, key = ''] = /^(\w+@hook) {2}hook {2}\S+ {2}Boom in kitchen\n {4}.*422/.exec(listed.stdout) ?? [];
    expect(key).not.toBe('');
    const shown = await run(['dead-letters', 'show', key], { cwd: dir });
    // Was: JSON had an internal key where `retry` and `drop` want the name.
    expect(JSON.parse(shown.stdout)).toMatchObject([
      { id: key, notification: { incident: { title: 'Boom in kitchen' } } },
    ]);
    const retried = await run(['dead-letters', 'retry', key], { cwd: dir });
    expect(retried.stdout).toBe(`queued again: ${key}\n`);
    await until('the delivery', async () => (await daemon.status()).channels['hook']?.ledger.notified === 1);
    const ids = server.received.map((one) => one.headers['webhook-id']);
    expect(new Set(ids).size).toBe(1);
    expect((await daemon.status()).channels['hook']?.ledger).toMatchObject({ dead: 0, balanced: true });
    expect((await run(['dead-letters', 'list'], { cwd: dir })).stdout).toBe('no dead letters\n');
    expect((await run(['dead-letters', 'drop', key], { cwd: dir })).code).toBe(1);
    expect((await run(['dead-letters', 'bury'], { cwd: dir })).code).toBe(2);
  });
});

describe('test and backtest', () => {
  it('test runs the tests of files and packs, with a JUnit report, exit 1 on a failure', async () => {
    const dir = tempDir();
    writeFileSync(
      join(dir, 'rules.yaml'),
      `rules:
  - id: boom
    match: boom
    tests:
      - { name: rings, lines: boom, expect: 1 }
      - { name: '<fails> & "quotes"', lines: bang, expect: 1 }
`,
    );
    const { code, stdout } = await run(['test', 'rules.yaml', '--junit', 'report.xml'], { cwd: dir });
    expect(code).toBe(1);
    expect(stdout).toContain(`FAILED boom: <fails> & "quotes" (${join(dir, 'rules.yaml')}:6)`);
    expect(stdout).toContain('incidents: expected 1, got 0');
    expect(stdout).toContain('1 passed, 1 failed');
    const report = readFileSync(join(dir, 'report.xml'), 'utf8');
    expect(report).toContain('<testsuite name="tocsin" tests="2" failures="1">');
    expect(report).toContain('name="&#60;fails&#62; &#38; &#34;quotes&#34;"><failure message=');
    const lost = await run(['test', 'rules.yaml', '--junit', 'no/such/folder.xml'], { cwd: dir });
    expect(lost.stderr).toContain(`E_WRITE: cannot write the report ${join(dir, 'no/such/folder.xml')}`);
    expect(lost.stderr).not.toContain('    at ');
    expect(lost.code).toBe(2);
    const pack = await run(['test', '--pack', 'celery'], { cwd: dir });
    expect(pack.stdout).toMatch(/^\d+ passed, 0 failed\n$/);
    expect(pack.code).toBe(0);
    expect((await run(['test'], { cwd: dir })).code).toBe(2);
  });

  it('test and backtest take a file of rules by itself, whatever channels and sources its rules name', async () => {
    const dir = tempDir();
    writeFileSync(join(dir, 'app.log'), 'boom\n');
    const test = 'tests: [ { lines: boom, expect: 1 } ]';
    writeFileSync(join(dir, 'rules.yaml'), `rules: [ { id: boom, match: boom, notify: pager, ${test} } ]\n`);
    expect(await run(['test', 'rules.yaml'], { cwd: dir })).toMatchObject({
      code: 0,
      stdout: '1 passed, 0 failed\n',
    });
    const told = await run(['backtest', '--rules', 'rules.yaml', 'app.log'], { cwd: dir });
    expect(told.stdout).toContain('1 match -> 1 message');
    expect(told.code).toBe(0);
  });

  it('backtest tells over a log and over its .gz the same, in text and as data, and sends nothing', async () => {
    const dir = tempDir();
    writeFileSync(join(dir, 'w.log.gz'), gzipSync(readFileSync(celeryLog)));
    const text = await run(['backtest', '--pack', 'celery', celeryLog], { cwd: dir });
    expect(text.stdout).toMatch(
      /^2026-\d\d-\d\d \d\d:\d\d:\d\d {2}error +first +1 x {2}Celery task annosrv\.tasks\.email\.send failed after 3 retries/,
    );
    expect(text.stdout).toMatch(/\d+ records \(0\.0 MB\), 1 match -> 1 message, at most 1 in a minute/);
    expect(text.code).toBe(0);
    const plain = JSON.parse((await run(['backtest', '--json', celeryLog], { cwd: dir })).stdout);
    const zipped = JSON.parse((await run(['backtest', '--json', 'w.log.gz'], { cwd: dir })).stdout);
    expect(zipped).toEqual(plain);
    expect(plain).toMatchObject({ matches: 1, peakPerMinute: 1, messages: [{ kind: 'first', count: 1 }] });
    expect(await run(['backtest', 'nosuch.log'], { cwd: dir })).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('nosuch.log'),
    });
  });
});

describe('the command line', () => {
  it('--version, schema, and --help of every command', async () => {
    const cwd = tempDir();
    expect((await run(['--version'], { cwd })).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
    for (const what of ['rules', 'config'])
      expect(JSON.parse((await run(['schema', what], { cwd })).stdout).$schema).toContain('json-schema.org');
    const top = await run(['--help'], { cwd });
    const commands = [...top.stdout.matchAll(/^ {2}([a-z][a-z-]+) /gm)].map(([, name]) => name ?? '');
    expect(commands).toEqual(
      expect.arrayContaining([
        'run',
        'check',
        'test',
        'backtest',
        'send-test',
        'status',
        'silence',
        'dead-letters',
        'schema',
        'demo',
      ]),
    );
    const helps = await Promise.all(
      [
        ...commands.filter((name) => name !== 'help').map((name) => [name]),
        ['silence', 'add'],
        ['silence', 'list'],
        ['silence', 'end'],
      ].map((words) => run([...words, '--help'], { cwd })),
    );
    for (const help of helps)
      expect(help).toMatchObject({ code: 0, stdout: expect.stringContaining('Usage: tocsin '), stderr: '' });
  });

  it('an unknown command, option or level: a sentence and exit 2', async () => {
    const cwd = tempDir();
    expect(await run(['frobnicate'], { cwd })).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("unknown command 'frobnicate'"),
    });
    expect(await run(['run', '--nosuch'], { cwd })).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("unknown option '--nosuch'"),
    });
    expect(await run(['--log-level', 'loud', 'run', 'x.log'], { cwd })).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('write one of silent, error'),
    });
    expect(await run(['schema', 'nosuch'], { cwd })).toMatchObject({ code: 2 });
  });
});
