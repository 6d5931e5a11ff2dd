/** The pages of the admin address: whether they tell the truth, and what they keep to themselves. */

import { chmodSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { freePort } from '../support/free-port.ts';
import { run, startDaemon, until } from '../support/program.ts';
import { boomRules, shop } from '../support/shop.ts';
import { waitFor } from '../support/wait-for.ts';
import { webhookServer } from '../support/webhook-server.ts';

const token = 'token-canary-4711';

async function place() {
  const server = await webhookServer();
  const port = await freePort();
  const made = shop({
    channels: `hook: { type: webhook, url: '${server.url}/url-canary', secret: 'whsec_c2VjcmV0LWNhbmFyeQ==' }`,
    rest: `admin: { listen: '127.0.0.1:${port}', token: ${token} }`,
  });
  const daemon = await startDaemon(made.dir);
  return { ...made, server, port, daemon, url: `http://127.0.0.1:${port}` };
}

/** `fetch` sets the Host header itself. */
function ask(
  port: number,
  path: string,
  options: { method?: string; headers?: Record<string, string>; body?: string } = {},
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const sent = request({ port, host: '127.0.0.1', path, ...options }, (response) => {
      let text = '';
      response.on('data', (part: Buffer) => (text += part.toString()));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
    });
    sent.on('error', reject);
    sent.end(options.body);
  });
}

describe('the admin pages', () => {
  it('I9 read-only pages answer; unknown ones are 404; changes need POST, the token and a known host', async () => {
    const { port, daemon, file } = await place();
    expect(await ask(port, '/healthz')).toEqual({ status: 200, text: '{"ok":true}' });
    expect((await ask(port, '/nosuch')).status).toBe(404);
    expect((await ask(port, '/api/v1/..%2f..%2fetc/passwd')).status).toBe(404);
    expect((await ask(port, '/api/v1/reload')).status).toBe(404);
    expect((await ask(port, '/api/v1/reload', { method: 'POST' })).status).toBe(401);
    const wrong = { authorization: 'Bearer nope' };
    expect((await ask(port, '/api/v1/reload', { method: 'POST', headers: wrong })).status).toBe(401);
    const right = { authorization: `Bearer ${token}` };
    file('rules.yaml', boomRules.replace('boom in', 'bang in'));
    const reloaded = await ask(port, '/api/v1/reload', { method: 'POST', headers: right });
    expect(reloaded.status).toBe(200);
    expect(JSON.parse(reloaded.text)).toMatchObject({ outcome: 'applied' });
    file('rules.yaml', 'rules: 7\n');
    const refused = await ask(port, '/api/v1/reload', { method: 'POST', headers: right });
    expect(refused.status).toBe(422);
    expect(JSON.parse(refused.text)).toMatchObject({ outcome: 'refused' });
    // A browser that was led here by a name sends that name.
    const led = { ...right, host: 'evil.example' };
    expect((await ask(port, '/api/v1/reload', { method: 'POST', headers: led })).status).toBe(403);
    expect((await ask(port, '/api/v1/status', { headers: { host: 'evil.example' } })).status).toBe(403);
    expect((await ask(port, '/healthz', { headers: { host: 'tocsin.monitoring.svc' } })).status).toBe(200);
    expect((await daemon.status()).running).toBe(true);
  });

  it('I9 I10 /api/v1/status is what status --json prints; /metrics has the numbers, and neither has a line, a URL or a secret', async () => {
    const { port, write, dir, daemon } = await place();
    write('boom in line-canary', 'boom in line-canary');
    await until('both matches and the alert', async () => {
      const { rules, channels } = await daemon.status();
      return rules['boom']?.matched === 2 && channels['hook']?.delivered === 1;
    });
    const pages = await Promise.all(
      ['/metrics', '/api/v1/status', '/readyz', '/healthz'].map((path) => ask(port, path)),
    );
    for (const { status, text } of pages) {
      expect(status).toBe(200);
      expect(text).not.toMatch(/canary/);
    }
    const metrics = pages[0]?.text ?? '';
    for (const line of [
      'tocsin_source_records{source="app"} 2',
      'tocsin_rule_matches{rule="boom"} 2',
      'tocsin_channel_deliveries{channel="hook",outcome="delivered"} 1',
      'tocsin_ledger_matches{channel="hook",place="matched"} 2',
      'tocsin_ledger_balanced{channel="hook"} 1',
      'tocsin_config_last_reload_success 1',
      'tocsin_state_ok 1',
    ])
      expect(metrics).toContain(line);
    const shown = JSON.parse((await run(['status', '--json'], { cwd: dir })).stdout);
    const paged = JSON.parse((await ask(port, '/api/v1/status')).text);
    expect({ ...paged, uptime_s: 0 }).toEqual({ ...shown, uptime_s: 0 });
  });

  it('I10 /readyz says what is missing while a channel is parked or a source fails, and recovers; /healthz stays', async () => {
    const { url, port, write, server, daemon, file, dir } = await place();
    const missing = async (): Promise<string> =>
      JSON.stringify(JSON.parse((await ask(port, '/readyz')).text).missing);
    server.fallback = { status: 404, body: 'gone' };
    write('boom in kitchen');
    await until('the parked channel', async () => (await missing()).includes('channel hook is parked'));
    expect((await fetch(`${url}/readyz`)).status).toBe(503);
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    expect((await ask(port, '/metrics')).text).toContain('tocsin_channel_ok{channel="hook"} 0');
    server.fallback = { status: 200 };
    // A test message that is taken says that the channel works: no need to wait for the next probe.
    expect((await run(['send-test', 'hook'], { cwd: dir })).code).toBe(0);
    await until('readiness', async () => (await missing()) === '[]');
    file('rules.yaml', '');
    await until('the refusal', async () =>
      (await missing()).includes('the last edit of the configuration was refused'),
    );
    expect((await ask(port, '/metrics')).text).toContain('tocsin_config_last_reload_success 0');
    file('rules.yaml', boomRules);
    await until('readiness', async () => (await missing()) === '[]');
    expect((await daemon.end()).code).toBe(0);
  });

  it.skipIf(process.getuid?.() === 0)(
    'I10 a log that may not be read is said and retried (needs a user who is not root)',
    async () => {
      const { port, log, write, server } = await place();
      chmodSync(log, 0);
      rmSync(log);
      writeFileSync(log, 'boom in attic\n', { mode: 0 });
      await until('the failure', async () => (await ask(port, '/readyz')).text.includes('source app fails'));
      chmodSync(log, 0o600);
      write('boom in kitchen');
      await waitFor('both', () => server.received.length >= 2);
    },
  );

  it('G8 a new token holds from the reload on; an address that is taken is said, and the old one stays', async () => {
    const { port, dir, daemon, server } = await place();
    const other = Number(new URL(server.url).port);
    const main = readFileSync(join(dir, 'tocsin.yaml'), 'utf8');
    writeFileSync(join(dir, 'tocsin.yaml'), main.replace(token, 'another-token'));
    daemon.child.kill('SIGHUP');
    const reload = (bearer: string) =>
      ask(port, '/api/v1/reload', { method: 'POST', headers: { authorization: `Bearer ${bearer}` } });
    await until('the new token', async () => (await reload('another-token')).status === 200);
    expect((await reload(token)).status).toBe(401);
    writeFileSync(join(dir, 'tocsin.yaml'), main.replace(`127.0.0.1:${port}`, `127.0.0.1:${other}`));
    daemon.child.kill('SIGHUP');
    await waitFor('the word', () => daemon.stderr().includes('EADDRINUSE'));
    expect((await ask(port, '/healthz')).status).toBe(200);
    await daemon.end();
  });

  it('G8 an address that is taken is said, exit 2', async () => {
    const { port } = await place();
    const other = shop({
      channels: 'out: { type: console }',
      rest: `admin: { listen: '127.0.0.1:${port}' }`,
    });
    const { code, stderr } = await run(['run'], { cwd: other.dir });
    expect(code).toBe(2);
    expect(stderr).toContain(`E_LISTEN: cannot listen on admin 127.0.0.1:${port}: EADDRINUSE`);
  });

  it('I8 thousands of keys and hosts make not one more series, and no label', async () => {
    const { port, write, daemon, file, server } = await place();
    const tcp = await freePort();
    file(
      'tocsin.yaml',
      `sources: { app: { file: app.log }, drain: { syslog: { tcp: '127.0.0.1:${tcp}' } } }
rules: [ rules.yaml ]
channels: { hook: { type: webhook, url: '${server.url}/url-canary' } }
admin: { listen: '127.0.0.1:${port}', token: ${token} }
`,
    );
    await until('the drain', async () => (await daemon.status()).sources['drain']?.state === 'ok');
    const series = async (): Promise<string[]> =>
      (await ask(port, '/metrics')).text
        .split('\n')
        .filter((line) => line.startsWith('tocsin_'))
        .map((line) => line.slice(0, line.lastIndexOf(' ')))
        .sort();
    const one = connect(tcp, '127.0.0.1');
    onTestFinished(() => void one.destroy());
    const send = (from: number, to: number): void => {
      for (let n = from; n < to; n++) {
        write(`boom in key-${n}`);
        one.write(`<11>1 2026-01-05T10:00:00Z host-${n} app-${n} ${n} - - boom in far-${n}\n`);
      }
    };
    const matched = (count: number) => async () => (await daemon.status()).rules['boom']?.matched === count;
    send(0, 20);
    await until('the first', matched(40));
    const before = await series();
    send(20, 2_000);
    await until('all of them', matched(4_000), 30_000);
    const after = await series();
    expect(after).toEqual(before);
    expect(after.length).toBeLessThanOrEqual(80);
    expect(after.join()).not.toMatch(/key-|host-|far-|app-\d/);
  }, 60_000);

  it('A16 a process that stood still for seconds: nothing is lost, it is alive, and the lag is a number in /metrics', async () => {
    const { port, write, daemon, server } = await place();
    // What measures the lag is loaded with the first look, and begins a moment later.
    await ask(port, '/metrics');
    const armed = performance.now();
    await waitFor('the first measure', () => performance.now() > armed + 200);
    daemon.child.kill('SIGSTOP');
    const stopped = performance.now();
    for (let n = 0; n < 3; n++) write(`boom in room-${n}`);
    await waitFor('three seconds', () => performance.now() > stopped + 3_000);
    daemon.child.kill('SIGCONT');
    expect((await ask(port, '/healthz')).status).toBe(200);
    await waitFor('all three', () => server.received.length === 3);
    const lag = /^nodejs_eventloop_lag_max_seconds (\S+)$/m.exec((await ask(port, '/metrics')).text);
    expect(Number(lag?.[1])).toBeGreaterThan(2);
    expect((await daemon.status()).channels['hook']?.ledger).toMatchObject({
      matched: 3,
      dead: 0,
      balanced: true,
    });
  }, 30_000);
});
