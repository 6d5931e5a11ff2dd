/** The source `http` in the real daemon: what was answered 2xx survives kill -9, and no port and no edit stops it. */

import { writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { freePort } from '../support/free-port.ts';
import { type Answered, send } from '../support/http-listening.ts';
import { type RunningDaemon, start, startDaemon, until } from '../support/program.ts';
import { tempDir } from '../support/temp-dir.ts';
import { waitFor } from '../support/wait-for.ts';
import { type WebhookServer, webhookServer } from '../support/webhook-server.ts';

const rules = `rules:
  - { id: each, match: 'seq=(?<n>\\d+)', by: n, limit: none }
`;

async function place(source = (port: number) => `{ http: '127.0.0.1:${port}' }`) {
  const server = await webhookServer();
  const port = await freePort();
  const dir = tempDir();
  const write = (sources: string): void =>
    writeFileSync(
      join(dir, 'tocsin.yaml'),
      `sources: ${sources}\nrules: [ rules.yaml ]\nchannels: { hook: { type: webhook, url: '${server.url}' } }\n`,
    );
  writeFileSync(join(dir, 'rules.yaml'), rules);
  write(`{ intake: ${source(port)} }`);
  return { dir, server, port, write };
}

/** A daemon that listens; somebody else may have had the port for a moment. */
async function listening(dir: string): Promise<RunningDaemon> {
  const daemon = await startDaemon(dir);
  await until('it to listen', async () => (await daemon.status()).sources['intake']?.state === 'ok');
  return daemon;
}

/** Number -> how often it is counted: the highest count that was told of it. */
function told(server: WebhookServer): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { json } of server.received) {
    const { n } = json.incident.fields;
    counts.set(n, Math.max(counts.get(n) ?? 0, json.incident.count));
  }
  return counts;
}

function logplex(port: number, n: number): Promise<Answered | null> {
  const text = `<190>1 2026-11-21T01:00:00+00:00 host app web.1 - seq=${n}`;
  return send(port, `${text.length} ${text}`, {
    headers: {
      'content-type': 'application/logplex-1',
      'logplex-msg-count': '1',
      'logplex-frame-id': `F${n}`,
    },
  });
}

const total = 30;

describe('kill -9 between bytes read and commit', () => {
  it.each([
    ['matched', 7],
    ['state-before-commit', 9],
    ['state-after-commit', 9],
    ['send-answered', 5],
  ] as const)('A1 at %s: nothing that was answered 2xx is lost, and a Logplex frame counts once', async (point, nth) => {
    const { dir, server, port } = await place();
    const armed = start(['run'], { cwd: dir, env: { TOCSIN_FAULT_POINT: `${point}:${nth}` } });
    await waitFor('the listener', () => armed.stderr().includes('listens on http'));
    const answered = new Set<number>();
    const post = async (n: number): Promise<void> => {
      const answer = await logplex(port, n);
      if (answer?.status === 200) answered.add(n);
    };
    // As senders do: one after the other, until the connection breaks.
    for (let n = 1; n <= total && armed.child.exitCode === null && armed.child.signalCode === null; n++)
      await post(n);
    const { signal } = await armed.ended;
    expect(signal).toBe('SIGKILL');
    const before = answered.size;
    expect(before).toBeLessThan(total);
    const daemon = await listening(dir);
    await until('what was answered', async () => [...answered].every((n) => told(server).has(String(n))));
    // Heroku sends what it got no answer for again; and here, the answered ones too.
    for (let n = 1; n <= total; n++) await post(n);
    expect(answered.size).toBe(total);
    await until('all of them', async () => told(server).size === total);
    const status = await daemon.status();
    expect(status.rules['each']?.matched).toBe(total);
    expect([...told(server).values()]).toEqual(Array(total).fill(1));
  });

  it('A1 at random, with lines in parallel: each line that was answered is told', async () => {
    const { dir, server, port } = await place();
    const answered = new Set<number>();
    let next = 0;
    let running: RunningDaemon | null = await listening(dir);
    for (let round = 0; round < 3; round++) {
      const until = next + 40;
      const senders = Array.from({ length: 8 }, async () => {
        while (next < until) {
          const n = next++;
          if ((await send(port, `seq=${n}\n`))?.status === 200) answered.add(n);
        }
      });
      const atLeast = answered.size + 5 + round * 7;
      await waitFor('some answers', () => answered.size >= atLeast);
      running.child.kill('SIGKILL');
      await running.ended;
      await Promise.all(senders);
      running = await listening(dir);
    }
    await until('what was answered', async () => [...answered].every((n) => told(server).has(String(n))));
    expect(answered.size).toBeGreaterThan(30);
  });
});

describe('a daemon that takes logs over HTTP', () => {
  it('G8 a port in use is shown and said, the rest runs, and it is taken when it is free', async () => {
    const { dir, server, port } = await place();
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(port, '127.0.0.1', resolve));
    const daemon = await startDaemon(dir);
    const source = async () => (await daemon.status()).sources['intake'];
    expect(await source()).toMatchObject({ kind: 'http', state: 'failing' });
    expect((await source())?.detail).toContain(`127.0.0.1:${port}`);
    await waitFor('the alarm', () => server.received.some((one) => one.json.notification.kind === 'self'));
    await new Promise((resolve) => other.close(resolve));
    await until('it to listen', async () => (await source())?.state === 'ok');
    expect((await send(port, 'seq=1'))?.status).toBe(200);
    await waitFor('the line', () => told(server).has('1'));
  });

  it('an edit keeps the listener, a wrong one changes nothing, and a token holds from then on', async () => {
    const { dir, server, port, write } = await place();
    const daemon = await listening(dir);
    write(`{ intake: { http: { listen: nowhere, tokn: a } } }`);
    await until('the refusal', async () => !(await daemon.status()).config.ok);
    expect((await send(port, 'seq=1'))?.status).toBe(200);
    write(`{ intake: { http: { listen: '127.0.0.1:${port}', token: '\${INTAKE_TOKEN:-hush}' } } }`);
    await until('the token', async () => (await send(port, 'x'))?.status === 401);
    const authorization = 'Bearer hush';
    expect((await send(port, 'seq=3', { headers: { authorization } }))?.status).toBe(200);
    write(`{ intake: { http: { listen: '127.0.0.1:${port}', token: other } } }`);
    await until(
      'the next token',
      async () => (await send(port, 'x', { headers: { authorization } }))?.status === 401,
    );
    await waitFor('both lines', () => told(server).has('1') && told(server).has('3'));
  });

  it('a token that is not set keeps it shut, and the rest runs', async () => {
    const { dir, server, port } = await place(
      (own) => `{ http: { listen: '127.0.0.1:${own}', token: '\${INTAKE_TOKEN}' } }`,
    );
    const daemon = await startDaemon(dir);
    const status = await daemon.status();
    expect(status.sources['intake']?.state).toBe('failing');
    expect(status.sources['intake']?.detail).toContain('INTAKE_TOKEN');
    expect(await send(port, 'seq=1')).toBeNull();
    await waitFor('the alarm', () => server.received.some((one) => one.json.notification.kind === 'self'));
  });

  it('SIGTERM ends it within 8 s, also while a body is on its way', async () => {
    const { dir, server, port } = await place();
    const daemon = await listening(dir);
    expect((await send(port, 'seq=1'))?.status).toBe(200);
    const slow = connect(port, '127.0.0.1');
    slow.on('error', () => undefined);
    slow.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nseq=2');
    await until(
      'it to be there',
      async () => ((await daemon.status()).sources['intake']?.lag_bytes ?? 0) > 0,
    );
    const began = performance.now();
    const { code } = await daemon.end('SIGTERM');
    expect(code).toBe(0);
    expect(performance.now() - began).toBeLessThan(8_000);
    slow.destroy();
    await waitFor('the line', () => told(server).has('1'));
  });
});
