/** Edits as editors, ConfigMaps and people make them, under a running daemon: what is whole is taken up, what is not is not. */
import { mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { freePort } from '../support/free-port.ts';
import { type RunningDaemon, startDaemon, until } from '../support/program.ts';
import { boomRules, shop } from '../support/shop.ts';
import { tempDir } from '../support/temp-dir.ts';
import { waitFor } from '../support/wait-for.ts';
import { webhookServer } from '../support/webhook-server.ts';

function rulesNamed(...ids: string[]): string {
  return `rules:\n${ids.map((id) => `  - { id: ${id}, match: '${id} (?<n>\\d+)', by: n }`).join('\n')}\n`;
}

async function runs(daemon: RunningDaemon, ...ids: string[]): Promise<void> {
  await until(`rules ${ids.join(', ')}`, async () => {
    const { rules, config } = await daemon.status();
    return config.ok && Object.keys(rules).join() === ids.join();
  });
}

function reloads(daemon: RunningDaemon): number {
  return daemon.stderr().split('the new configuration runs').length - 1;
}

async function place() {
  const server = await webhookServer();
  const made = shop({ rules: rulesNamed('a'), channels: `hook: { type: webhook, url: '${server.url}' }` });
  return { ...made, server, daemon: await startDaemon(made.dir) };
}

describe('edits while running', () => {
  it('E10 an editor that renames over, one that deletes and writes anew, and one that writes in place', async () => {
    const { dir, file, daemon } = await place();
    writeFileSync(join(dir, 'rules.yaml.tmp'), rulesNamed('b'));
    renameSync(join(dir, 'rules.yaml.tmp'), join(dir, 'rules.yaml'));
    await runs(daemon, 'b');
    renameSync(join(dir, 'rules.yaml'), join(dir, 'rules.yaml~'));
    writeFileSync(join(dir, 'rules.yaml'), rulesNamed('c'));
    await runs(daemon, 'c');
    file('rules.yaml', rulesNamed('d'));
    await runs(daemon, 'd');
    expect(daemon.stderr()).not.toContain('refused');
  });

  it('E10 a deleted file: the old rules go on and it is said; it is taken up when it is back', async () => {
    const { dir, file, write, server, daemon } = await place();
    unlinkSync(join(dir, 'rules.yaml'));
    await until('the refusal', async () => !(await daemon.status()).config.ok);
    write('a 1');
    await waitFor('the alert', () => server.received.some((one) => one.json.incident.rule === 'a'));
    file('rules.yaml', rulesNamed('a', 'b'));
    await runs(daemon, 'a', 'b');
  });

  it('E19 another folder for the state is refused while it runs: who asks goes on finding it', async () => {
    const { dir, file, daemon } = await place();
    const text = readFileSync(join(dir, 'tocsin.yaml'), 'utf8');
    file('tocsin.yaml', `${text}state: { dir: other }\n`);
    const { config } = await until('the refusal', async () => {
      const status = await daemon.status();
      return !status.config.ok && status;
    });
    const lines = text.split('\n').length;
    expect(config.problems.at(-1)).toMatchObject({ code: 'E_VALUE', path: 'state.dir', line: lines });
    file('tocsin.yaml', `${text}state: { dir: .tocsin }\n`);
    await until('the correction', async () => (await daemon.status()).config.ok);
  });

  it('E8 an emptied file is not zero rules', async () => {
    const { file, write, server, daemon } = await place();
    file('rules.yaml', '');
    await until('the refusal', async () => !(await daemon.status()).config.ok);
    write('a 1');
    await waitFor('the alert', () => server.received.some((one) => one.json.incident.rule === 'a'));
  });

  it('E9 a file that is written in parts takes effect once it is whole, and not before', async () => {
    const { dir, daemon } = await place();
    const text = rulesNamed('a', 'b', 'c', 'd');
    let at = 0;
    await until('all parts', async () => {
      at = Math.min(text.length, at + 16);
      writeFileSync(join(dir, 'rules.yaml'), text.slice(0, at));
      expect(Object.keys((await daemon.status()).rules)).toEqual(['a']);
      return at === text.length;
    });
    await runs(daemon, 'a', 'b', 'c', 'd');
    expect(reloads(daemon)).toBe(1);
  });

  it('E18 a hundred saves in a second are few reloads, and the last wins', async () => {
    const { file, daemon } = await place();
    for (let save = 1; save <= 100; save++) {
      file('rules.yaml', rulesNamed('a', `s${save}`));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await runs(daemon, 'a', 's100');
    expect(reloads(daemon)).toBeLessThanOrEqual(3);
  });

  it('a new file that is broken is looked at again until it is right', async () => {
    const { dir, file, daemon } = await place();
    file('more.yaml', rulesNamed('b').replace('match', 'mtch'));
    file(
      'tocsin.yaml',
      readFileSync(join(dir, 'tocsin.yaml'), 'utf8').replace('[ rules.yaml ]', '[ rules.yaml, more.yaml ]'),
    );
    await until('the refusal', async () => !(await daemon.status()).config.ok);
    file('more.yaml', rulesNamed('b'));
    await runs(daemon, 'a', 'b');
  });

  it('a file that appears under a glob is taken up', async () => {
    const { dir, file, daemon } = await place();
    file(
      'tocsin.yaml',
      readFileSync(join(dir, 'tocsin.yaml'), 'utf8').replace(
        '[ rules.yaml ]',
        "[ rules.yaml, 'more/*.yaml' ]",
      ),
    );
    await until(
      'the glob',
      async () => (await daemon.status()).config.problems.length > 0 || reloads(daemon) > 0,
    );
    mkdirSync(join(dir, 'more'));
    file('more/b.yaml', rulesNamed('b'));
    await runs(daemon, 'a', 'b');
  });

  it('E14 a ConfigMap is swapped ten times: each version is live within moments, none is taken for a deletion', async () => {
    const server = await webhookServer();
    const dir = tempDir();
    const version = (at: number): void => {
      const folder = `..2026_${at}`;
      mkdirSync(join(dir, folder));
      writeFileSync(
        join(dir, folder, 'tocsin.yaml'),
        `sources: { app: { file: /nowhere/app.log } }
rules: [ rules.yaml ]
channels: { hook: { type: webhook, url: '${server.url}' } }
state: { dir: ${join(dir, 'state')} }
`,
      );
      writeFileSync(join(dir, folder, 'rules.yaml'), rulesNamed(`v${at}`));
      symlinkSync(folder, join(dir, '..data_tmp'));
      renameSync(join(dir, '..data_tmp'), join(dir, '..data'));
      if (at > 0) rmSync(join(dir, `..2026_${at - 1}`), { recursive: true });
    };
    version(0);
    for (const name of ['tocsin.yaml', 'rules.yaml']) symlinkSync(join('..data', name), join(dir, name));
    const daemon = await startDaemon(dir, { stateDir: join(dir, 'state') });
    for (let at = 1; at <= 10; at++) {
      version(at);
      const began = performance.now();
      await runs(daemon, `v${at}`);
      expect(performance.now() - began).toBeLessThan(4_000);
    }
    expect(daemon.stderr()).not.toContain('refused');
  }, 60_000);

  it('E15 a mounted secret that is rotated: the new address is used, the old one no more', async () => {
    const server = await webhookServer();
    const { file, write, dir } = shop({ channels: 'hook: { type: webhook, url_file: url.txt }' });
    file('url.txt', `${server.url}/one\r\n`);
    const daemon = await startDaemon(dir);
    write('boom in kitchen');
    await waitFor('the old address', () => server.received.some((one) => one.url === '/hook/one'));
    file('url.txt', `${server.url}/two\n`);
    await waitFor('the reload', () => reloads(daemon) === 1, 15_000);
    write('boom in cellar');
    await waitFor('the new address', () => server.received.some((one) => one.url === '/hook/two'));
    expect(server.received).toHaveLength(2);
    file('url.txt', '');
    await until(
      'the empty one to be set aside',
      async () => (await daemon.status()).channels['hook']?.state === 'unusable',
    );
    file('url.txt', `${server.url}/three`);
    await until('its return', async () => (await daemon.status()).channels['hook']?.state === 'ok');
    expect(daemon.stderr()).not.toContain(server.url);
  }, 40_000);

  it('E16 a variable is replaced inside a value after parsing: no YAML can be smuggled in', async () => {
    const server = await webhookServer();
    const { dir, write } = shop({
      channels: `hook: { type: webhook, url: '${server.url}' }`,
      rest: `labels: { env: '\${ENV_NAME}', other: '\${UNSET:-a: b}' }`,
    });
    await startDaemon(dir, { env: { ENV_NAME: "x', evil: 'y\nrules: []" } });
    write('boom in kitchen');
    const { json } = await waitFor('the alert', () => server.received[0]);
    expect(json.incident.labels).toEqual({ env: "x', evil: 'y\nrules: []", other: 'a: b' });
  });

  it('E19 a changed title keeps the incident and its count; changed counting ends it', async () => {
    const { file, write, server, daemon } = await place();
    write('a 1', 'a 1', 'a 1');
    const first = await waitFor('the first', () => server.received[0]?.json);
    file('rules.yaml', rulesNamed('a').replace('by: n', "by: n, title: 'now {{ n }}', remind: [ 1s ]"));
    await waitFor('the reload', () => reloads(daemon) === 1);
    write('a 1');
    const summary = await waitFor('the summary', () =>
      server.received.find((one) => one.json.notification.kind === 'summary'),
    );
    expect(summary.json.incident).toMatchObject({ id: first.incident.id, count: 4, title: 'now 1' });
    file('rules.yaml', rulesNamed('a').replace("(?<n>\\d+)', by: n", "(?<n>\\d+)', by: [], title: all"));
    await waitFor('the second reload', () => reloads(daemon) === 2);
    write('a 1');
    const other = await waitFor('the new incident', () =>
      server.received.find((one) => one.json.incident.title === 'all'),
    );
    expect(other.json.incident).toMatchObject({ count: 1 });
    expect(other.json.incident.id).not.toBe(first.incident.id);
  });

  it('E22 a rule that is removed while its message waits: the message is delivered as it was made', async () => {
    const { file, write, server, daemon } = await place();
    server.fallback = { status: 503 };
    write('a 1');
    await waitFor('the failed try', () => server.received.length > 0);
    file('rules.yaml', rulesNamed('b'));
    await runs(daemon, 'b');
    server.fallback = { status: 200 };
    const seen = server.received.length;
    const again = await waitFor('the delivery', () => server.received[seen], 15_000);
    expect(again.json.incident).toMatchObject({ rule: 'a', fields: expect.objectContaining({ n: '1' }) });
    await until('the account', async () => (await daemon.status()).channels['hook']?.queued === 0);
    expect((await daemon.status()).channels['hook']?.ledger).toMatchObject({ notified: 1, balanced: true });
  });

  it('a channel, a source and the admin address are taken up live', async () => {
    const { dir, file, server, daemon, write } = await place();
    const port = await freePort();
    file('second.log', '');
    file(
      'tocsin.yaml',
      readFileSync(join(dir, 'tocsin.yaml'), 'utf8')
        .replace('{ app: { file: app.log } }', '{ app: { file: app.log }, second: { file: second.log } }')
        .replace(server.url, `${server.url}/new`)
        .replace('channels:', `admin: { listen: '127.0.0.1:${port}' }\nchannels:`),
    );
    await waitFor('the reload', () => reloads(daemon) === 1);
    write('a 1');
    writeFileSync(join(dir, 'second.log'), 'a 2\n');
    await waitFor(
      'both on the new road',
      () => server.received.filter((one) => one.url === '/hook/new').length === 2,
    );
    expect((await fetch(`http://127.0.0.1:${port}/healthz`)).status).toBe(200);
  });

  it('G8 an admin address that another program has is told on a channel; the rest of the edit runs', async () => {
    const { dir, file, server, daemon } = await place();
    const { port } = new URL((await webhookServer()).url);
    const text = readFileSync(join(dir, 'tocsin.yaml'), 'utf8');
    file('tocsin.yaml', `${text}admin: { listen: '127.0.0.1:${port}' }\n`);
    file('rules.yaml', rulesNamed('a', 'b'));
    await runs(daemon, 'a', 'b');
    const own = () =>
      server.received.map((one) => one.json).filter((one) => one.notification.kind === 'self');
    await waitFor('the word', () => own().length === 1);
    expect(own()[0]?.incident).toMatchObject({
      title: 'The admin pages can not be opened',
      severity: 'error',
    });
    file('tocsin.yaml', `${text}admin: { listen: '127.0.0.1:${await freePort()}' }\n`);
    await waitFor('the end of it', () => own().length === 2);
  });

  it('SIGHUP reloads at once', async () => {
    const { file, daemon } = await place();
    file('rules.yaml', boomRules);
    daemon.child.kill('SIGHUP');
    await runs(daemon, 'boom');
    expect(reloads(daemon)).toBe(1);
  });
});
