/** The pages of the admin address: whether they tell the truth, and what they keep to themselves. */

import { chmodSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
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
});
