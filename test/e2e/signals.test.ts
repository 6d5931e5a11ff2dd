/** Signals, closed pipes, a second daemon, and starts that end at once: nothing is lost and nobody is woken for it. */
import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { program, run, start, startDaemon, until } from '../support/program.ts';
import { shop } from '../support/shop.ts';
import { waitFor } from '../support/wait-for.ts';
import { type WebhookServer, webhookServer } from '../support/webhook-server.ts';

async function place(rest = 'defaults: { limit: none }') {
  const server = await webhookServer();
  return { ...shop({ channels: `hook: { type: webhook, url: '${server.url}' }`, rest }), server };
}

function numbered(from: number, to: number): string[] {
  return Array.from({ length: to - from + 1 }, (_, at) => `boom in room${from + at}`);
}

/** Titles told so far, without repeats of a message. */
function titles(server: WebhookServer): string[] {
  const byId = new Map(server.received.map((one) => [one.json.notification.id, one.json.incident.title]));
  return [...byId.values()];
}

describe('SIGTERM', () => {
  it('I1 under load: exit 0 within 8 s, and with the next run everything is told exactly once', async () => {
    const { dir, write, server } = await place();
    const first = await startDaemon(dir);
    write(...numbered(1, 400));
    await waitFor('some messages', () => server.received.length > 20);
    const began = performance.now();
    expect((await first.end()).code).toBe(0);
    expect(performance.now() - began).toBeLessThan(8_000);
    write(...numbered(401, 420));
    const second = await startDaemon(dir);
    await waitFor('all of them', () => titles(server).length === 420, 20_000);
    await until('the account', async () => (await second.status()).channels['hook']?.queued === 0);
    expect(new Set(titles(server)).size).toBe(420);
    expect(server.received).toHaveLength(420);
    expect((await second.status()).channels['hook']?.ledger).toMatchObject({
      matched: 420,
      notified: 420,
      balanced: true,
    });
  }, 60_000);

  it('I2 with a channel that hangs: gone within 8 s, the message goes out after the restart with the same id', async () => {
    const { dir, write, server } = await place();
    server.fallback = { act: 'hang' };
    const first = await startDaemon(dir);
    write('boom in kitchen', 'boom in attic');
    const cut = await waitFor('the try', () => server.received[0]);
    const began = performance.now();
    expect((await first.end()).code).toBe(0);
    expect(performance.now() - began).toBeLessThan(8_000);
    server.fallback = { status: 200 };
    const second = await startDaemon(dir);
    await waitFor('both', () => server.received.length === 3);
    expect(server.received[1]?.json.notification).toMatchObject({ id: cut.json.notification.id, attempt: 2 });
    expect(titles(server)).toEqual(['Boom in kitchen', 'Boom in attic']);
    await until('the account', async () => (await second.status()).channels['hook']?.ledger.notified === 2);
  });

  it('I3 a second one ends it at once', async () => {
    const { dir, write, server } = await place();
    server.fallback = { act: 'hang' };
    const daemon = await startDaemon(dir);
    write('boom in kitchen');
    await waitFor('the try', () => server.received.length > 0);
    daemon.child.kill('SIGTERM');
    const began = performance.now();
    // One that is asked nothing more has heard the first.
    await until('the first to be heard', () =>
      daemon.status().then(
        () => false,
        () => true,
      ),
    );
    expect(daemon.child.exitCode).toBe(null);
    await daemon.end('SIGTERM');
    expect(performance.now() - began).toBeLessThan(2_000);
  });

  it('I3 during the start: it ends, and the next start is a good one', async () => {
    const { dir, write, server } = await place();
    for (const delay of [30, 120, 250, 400]) {
      const early = start(['run'], { cwd: dir });
      // No event is waited for: a moment within the start is what is tried, and any moment must do.
      await new Promise((resolve) => setTimeout(resolve, delay));
      const { code, signal } = await early.end();
      // Before the program had its hands on the signal, the system ends it.
      expect(code === 0 || signal === 'SIGTERM').toBe(true);
    }
    await startDaemon(dir);
    write('boom in kitchen');
    await waitFor('the alert', () => server.received.length === 1);
  });
});

describe('SIGHUP', () => {
  // Was: the end of the process, until the very last step of the start.
  it('I3 while it starts is a reload when it has started', async () => {
    const { dir, write, server } = await place();
    const child = spawn(process.execPath, [program, 'run'], { cwd: dir, stdio: ['ignore', 'pipe', 'pipe'] });
    onTestFinished(() => void child.kill('SIGKILL'));
    let said = '';
    child.stderr.on('data', (part: Buffer) => (said += part.toString()));
    await waitFor('the start', () => {
      if (existsSync(join(dir, '.tocsin'))) child.kill('SIGHUP');
      return said.includes('tells') || child.signalCode !== null;
    });
    write('boom in kitchen');
    await waitFor('the alert', () => server.received.length === 1 || child.signalCode !== null);
    expect([child.signalCode, server.received.length]).toEqual([null, 1]);
  });
});

describe('pipes', () => {
  it('I3 a closed standard output and error do not stop the alerts', async () => {
    const { dir, write, server } = await place();
    const child = spawn(process.execPath, [program, 'run'], { cwd: dir, stdio: ['ignore', 'pipe', 'pipe'] });
    onTestFinished(() => void child.kill('SIGKILL'));
    let said = '';
    child.stderr.on('data', (part: Buffer) => (said += part.toString()));
    await waitFor('the start', () => said.includes('tells'));
    child.stdout.destroy();
    child.stderr.destroy();
    for (let at = 1; at <= 5; at++) child.kill('SIGHUP');
    write('boom in kitchen');
    await waitFor('the alert', () => server.received.length === 1);
    expect(child.exitCode).toBe(null);
  });

  it('I3 an output that nobody reads does not stop the alerts either', async () => {
    const { dir, write, server } = await place();
    const child = spawn(process.execPath, [program, '--log-level', 'trace', 'run'], {
      cwd: dir,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    onTestFinished(() => void child.kill('SIGKILL'));
    child.stdout.pause();
    child.stderr.pause();
    await until('the socket', async () => (await run(['status'], { cwd: dir })).stdout.includes(', up '));
    write(...numbered(1, 600));
    await waitFor('the alerts', () => server.received.length === 600, 20_000);
  }, 40_000);

  it('E23 its own output under the glob of a source is passed over, with a warning', async () => {
    const { dir, file, write, server } = await place();
    file('rules.yaml', "rules: [ { id: any, match: '(?<all>.+)', by: all, limit: none } ]\n");
    file('tocsin.yaml', readFileSync(join(dir, 'tocsin.yaml'), 'utf8').replace('app.log', "'*.log'"));
    const out = openSync(join(dir, 'out.log'), 'a');
    const child = spawn(process.execPath, [program, '--log-level', 'trace', 'run'], {
      cwd: dir,
      stdio: ['ignore', out, out],
    });
    closeSync(out);
    onTestFinished(() => void child.kill('SIGKILL'));
    const said = (): string => readFileSync(join(dir, 'out.log'), 'utf8');
    await waitFor('the start', () => said().includes('tells'));
    write('one', 'two');
    await waitFor('the alerts', () => server.received.length >= 2);
    await waitFor('the warning', () => said().includes('is what this program prints into; it is not read'));
    await run(['send-test'], { cwd: dir });
    expect(titles(server).slice(0, 2)).toEqual(['any: one', 'any: two']);
    expect(server.received.filter((one) => one.json.notification.kind !== 'test')).toHaveLength(2);
  });
});

describe('one daemon for a state directory', () => {
  it('B8 T64 a second one is refused with the pid of the first, exit 2; a lock left by kill -9 holds nobody up', async () => {
    const { dir } = await place();
    const first = await startDaemon(dir);
    const { code, stderr } = await run(['run'], { cwd: dir });
    expect(code).toBe(2);
    expect(stderr).toContain(
      `E_STATE_LOCKED: ${join(dir, '.tocsin')} belongs to a running daemon (pid=${first.pid},`,
    );
    expect((await first.status()).running).toBe(true);
    await first.end('SIGKILL');
    const second = await startDaemon(dir);
    expect((await second.status()).running).toBe(true);
  });

  it('I4 twenty starts that are killed: no message says so, and what was written meanwhile is told once', async () => {
    const { dir, write, server } = await place();
    for (let cycle = 1; cycle <= 20; cycle++) {
      write(`boom in room${cycle}`);
      const running = start(['run'], { cwd: dir });
      // Each time a little later in the start.
      await new Promise((resolve) => setTimeout(resolve, 100 + cycle * 20));
      await running.end('SIGKILL');
    }
    const daemon = await startDaemon(dir);
    await waitFor('all of them', () => titles(server).length >= 20, 20_000);
    await until('the account', async () => (await daemon.status()).channels['hook']?.queued === 0);
    expect(server.received.every((one) => one.json.notification.kind === 'first')).toBe(true);
    expect(titles(server).sort()).toEqual(
      numbered(1, 20)
        .map((line) => line.replace('boom', 'Boom'))
        .sort(),
    );
  }, 60_000);
});
