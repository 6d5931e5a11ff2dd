/** kill -9 at named points of the flow, and at random: afterwards everything is told, counts are exact, repeats carry the same id. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { start, startDaemon, until } from '../support/program.ts';
import { shop } from '../support/shop.ts';
import { waitFor } from '../support/wait-for.ts';
import { type WebhookServer, webhookServer } from '../support/webhook-server.ts';

const rules = `rules:
  - { id: each, match: 'seq=(?<n>\\d+)', by: n, limit: none }
  - { id: kinds, match: 'kind=(?<kind>\\w+)', by: kind, limit: none, remind: [ 1s ] }
`;
const lines = 40;

async function place() {
  const server = await webhookServer();
  const made = shop({ rules, channels: `hook: { type: webhook, url: '${server.url}' }` });
  const put = (from: number, to: number): void => {
    for (let n = from; n <= to; n++) made.write(`seq=${n} kind=${n % 2 === 0 ? 'even' : 'odd'}`);
  };
  return { ...made, server, put };
}

/** Message id -> how often it came; fails when one thing was told under two ids. */
function repeats(server: WebhookServer): Map<string, number> {
  const ids = new Map<string, number>();
  const things = new Map<string, string>();
  for (const { json, headers } of server.received) {
    const id = json.notification.id as string;
    expect(headers['webhook-id']).toBe(id);
    const thing = `${json.incident.id}:${json.notification.sequence}`;
    expect(things.get(thing) ?? id, `one id for ${thing}`).toBe(id);
    things.set(thing, id);
    ids.set(id, (ids.get(id) ?? 0) + 1);
  }
  return ids;
}

function toldNumbers(server: WebhookServer): Set<string> {
  const firsts = server.received.filter((one) => one.json.incident.rule === 'each');
  return new Set(firsts.map((one) => one.json.incident.fields.n));
}

function count(server: WebhookServer, kind: string): number {
  const of = server.received.filter(
    (one) => one.json.incident.fields.kind === kind && one.json.incident.rule === 'kinds',
  );
  expect(new Set(of.map((one) => one.json.incident.id)).size).toBeLessThanOrEqual(1);
  return Math.max(0, ...of.map((one) => one.json.incident.count));
}

describe('kill -9, and a rule removed before the next start', () => {
  // Was: what the start itself had to say was sent twice, and its matches were delivered twice in the account.
  it('tells the end of its incidents once, and the account balances', async () => {
    const { dir, put, server, file } = await place();
    const daemon = await startDaemon(dir);
    put(1, 6);
    await waitFor('the first words', () => server.received.length >= 8);
    await until('all answered', async () => (await daemon.status()).channels['hook']?.queued === 0);
    await daemon.end('SIGKILL');
    const before = server.received.length;
    const known = new Set(server.received.map(({ json }) => json.notification.id));
    file('rules.yaml', rules.replace(/.*id: kinds.*\n/, ''));
    const last = await startDaemon(dir);
    // An answer that was not committed yet has its message come again, with its id.
    const fresh = () =>
      server.received
        .slice(before)
        .map(({ json }) => json)
        .filter(({ notification }) => !known.has(notification.id));
    await waitFor('both ends', () => fresh().length >= 2);
    const { ledger } = await until('all sent', async () => {
      const hook = (await last.status()).channels['hook'];
      return hook?.queued === 0 && hook.ledger.pending === 0 ? hook : undefined;
    });
    expect(ledger).toMatchObject({ matched: 12, balanced: true });
    expect(fresh().map(({ notification }) => [notification.kind, notification.attempt])).toEqual([
      ['resolved', 1],
      ['resolved', 1],
    ]);
    await last.end();
  });
});

describe('kill -9 at a named point', () => {
  it.each([
    ['matched', [1, 20]],
    ['state-before-commit', [2, 9]],
    ['state-after-commit', [2, 9]],
    ['send-answered', [1, 30]],
  ] as const)(
    'A1 at %s: all is told, counts are exact, repeats carry the same id',
    async (point, times) => {
      for (const nth of times) {
        const { dir, put, server } = await place();
        // Begun once, so that all of it is new.
        const early = await startDaemon(dir);
        await early.end();
        put(1, lines);
        const armed = start(['run'], { cwd: dir, env: { TOCSIN_FAULT_POINT: `${point}:${nth}` } });
        const { signal } = await armed.ended;
        expect(signal).toBe('SIGKILL');
        const daemon = await startDaemon(dir);
        await waitFor(
          `all of them after ${point}:${nth}`,
          () =>
            toldNumbers(server).size === lines &&
            count(server, 'odd') === lines / 2 &&
            count(server, 'even') === lines / 2,
        );
        const account = await until('the account', async () => {
          const { ledger } = (await daemon.status()).channels['hook'] ?? {};
          return ledger?.pending === 0 && ledger;
        });
        expect(account).toMatchObject({ matched: 2 * lines, dead: 0, balanced: true });
        for (const times of repeats(server).values()) expect(times).toBeLessThanOrEqual(2);
        await daemon.end('SIGKILL');
      }
    },
    60_000,
  );

  it('A3 after the answer and before the mark: exactly one repeat, and its attempt number says so', async () => {
    const { dir, put, server } = await place();
    const early = await startDaemon(dir);
    await early.end();
    put(1, 1);
    const armed = start(['run'], { cwd: dir, env: { TOCSIN_FAULT_POINT: 'send-answered' } });
    expect((await armed.ended).signal).toBe('SIGKILL');
    expect(server.received).toHaveLength(1);
    const daemon = await startDaemon(dir);
    await until('delivery', async () => (await daemon.status()).channels['hook']?.ledger.notified === 2);
    expect(server.received.map((one) => one.json.notification.attempt)).toEqual([1, 2, 1]);
    expect([...repeats(server).values()].sort()).toEqual([1, 2]);
    expect(
      server.received[1]?.text.replace('"attempt":2', '"attempt":1').replace(/"sent_at":"[^"]*"/, ''),
    ).toBe(server.received[0]?.text.replace(/"sent_at":"[^"]*"/, ''));
  });

  it('A4 with one alert pending and no further line: it goes out soon after the restart', async () => {
    const { dir, put, server } = await place();
    const early = await startDaemon(dir);
    put(1, 1);
    server.fallback = { status: 503 };
    await waitFor('the failed try', () => server.received.length > 0);
    await early.end('SIGKILL');
    server.fallback = { status: 200 };
    const began = performance.now();
    const daemon = await startDaemon(dir);
    await until('delivery', async () => (await daemon.status()).channels['hook']?.ledger.notified === 2);
    expect(performance.now() - began).toBeLessThan(5_000);
  });

  it('after quiet lines: the first alert of the next run shows them as its context', async () => {
    const { dir, file, write, server } = await place();
    file('rules.yaml', "rules: [ { id: boom, match: 'boom' } ]\n");
    const early = await startDaemon(dir);
    write('one', 'two');
    await until('the lines', async () => (await early.status()).sources['app']?.records === 2);
    await early.end();
    write('three', 'boom');
    await startDaemon(dir);
    await waitFor('the alert', () => server.received.length > 0);
    expect(server.received[0]?.json.record.before).toEqual(['one', 'two', 'three']);
  });

  it('A5 with seven lines in a hold that has not ended: one alert with all seven, when it would have come', async () => {
    const { dir, file, write, server } = await place();
    file('rules.yaml', "rules: [ { id: seven, match: 'slow query', by: [], hold: 4s } ]\n");
    const early = await startDaemon(dir);
    const began = Date.now();
    write(...Array.from({ length: 7 }, (_, n) => `slow query ${n}`));
    await until('seven', async () => (await early.status()).rules['seven']?.matched === 7);
    await early.end('SIGKILL');
    expect(server.received).toHaveLength(0);
    const daemon = await startDaemon(dir);
    const { json } = await waitFor('the alert', () => server.received[0]);
    expect(json.incident).toMatchObject({ rule: 'seven', count: 7 });
    const sent = Date.parse(json.notification.sent_at) - began;
    expect(sent).toBeGreaterThanOrEqual(3_900);
    expect(sent).toBeLessThan(8_000);
    const account = await until('the account', async () => {
      const { ledger } = (await daemon.status()).channels['hook'] ?? {};
      return ledger?.pending === 0 && ledger;
    });
    expect(account).toMatchObject({ matched: 7, dead: 0, balanced: true });
    expect(server.received).toHaveLength(1);
  }, 30_000);

  it('A6 with four of five in a window: the fifth after the restart rings', async () => {
    const { dir, file, write, server } = await place();
    file('rules.yaml', "rules: [ { id: many, match: 'login failed', count: 5 in 10m } ]\n");
    const early = await startDaemon(dir);
    write(...Array.from({ length: 4 }, () => 'login failed'));
    await until('four', async () => (await early.status()).rules['many']?.below === 4);
    await early.end('SIGKILL');
    const daemon = await startDaemon(dir);
    write('login failed');
    const { json } = await waitFor('the alert', () => server.received[0]);
    expect(json.incident).toMatchObject({ rule: 'many', count: 5 });
    expect((await daemon.status()).rules['many']).toMatchObject({ matched: 5 });
  });

  it('with an alert that waits for lines written late: told once, with those that came meanwhile', async () => {
    const { dir, file, write, server } = await place();
    file(
      'rules.yaml',
      `rules:
  - id: lost
    match: 'order (?<order>\\w+) is lost'
    collect: { match: 'order (?<order>\\w+) is tried again', late: 8s }
    join: order
    by: order
    fields: { tries: '{{ collected.count }}' }
  - { id: plain, match: 'boom (?<n>\\d)', by: n }
`,
    );
    const early = await startDaemon(dir);
    write('order o1 is lost', 'boom 1');
    await until(
      'what need not wait, told and marked',
      async () => (await early.status()).channels['hook']?.ledger.notified === 1,
    );
    await early.end('SIGKILL');
    expect(server.received.map((one) => one.json.incident.rule)).toEqual(['plain']);
    write('order o1 is tried again', 'order o1 is tried again');
    const daemon = await startDaemon(dir);
    const { json } = await waitFor('the alert', () => server.received[1]);
    expect(json.incident).toMatchObject({ rule: 'lost', count: 1, fields: { order: 'o1', tries: '2' } });
    // The lost order itself was not read again: it waited in the state.
    expect((await daemon.status()).sources['app']?.records).toBe(2);
    await until(
      'the alert to be marked',
      async () => (await daemon.status()).channels['hook']?.ledger.notified === 2,
    );
    await daemon.end('SIGKILL');
    const again = await startDaemon(dir);
    write('boom 2');
    const account = await until('the account of the next one', async () => {
      const { ledger } = (await again.status()).channels['hook'] ?? {};
      return ledger?.notified === 3 && ledger;
    });
    expect(account).toMatchObject({ matched: 3, pending: 0, dead: 0, balanced: true });
    expect([...repeats(server).values()]).toEqual([1, 1, 1]);
  });

  it('A8 during a reload: the next start has the new configuration whole', async () => {
    const { dir, file, put, server } = await place();
    const armed = start(['run'], { cwd: dir, env: { TOCSIN_FAULT_POINT: 'reload-swapped' } });
    await waitFor('the start', () => armed.stderr().includes('tells'));
    file('rules.yaml', rules.replace('id: each', 'id: anew'));
    armed.child.kill('SIGHUP');
    expect((await armed.ended).signal).toBe('SIGKILL');
    const daemon = await startDaemon(dir);
    put(1, 1);
    await waitFor('the alert', () => server.received.some((one) => one.json.incident.rule === 'anew'));
    expect((await daemon.status()).config).toMatchObject({ ok: true, origin: 'files' });
  });
});

describe('kill -9 at random', () => {
  it('A2 five times while lines are written and the log is rotated: nothing lost, nothing twice', () => {
    const script = fileURLToPath(new URL('../torture/kill-nine.mjs', import.meta.url));
    const { status, stdout, stderr } = spawnSync(process.execPath, [script, '--kills', '5', '--seed', '7'], {
      encoding: 'utf8',
    });
    expect(status, `${stdout}\n${stderr}`).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      missing: 0,
      wrongCounts: [],
      repeatsWithOtherId: 0,
      toldTwice: 0,
      pass: true,
    });
  }, 60_000);
});
