/** Each kind of channel over a real server: what it posts, what it believes, and the promises they all share. */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are texts as found, no templates.
// biome-ignore-all lint/suspicious/noExplicitAny: payloads are read as a stranger would.
// biome-ignore-all lint/suspicious/noThenProperty: `then` of a Delivery is a word, never a function.
import { createHmac } from 'node:crypto';
import { type AddressInfo, createServer } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { cardOf } from '../../src/channels/card.ts';
import { channelKinds, createChannel, recogniseChannel } from '../../src/channels/channels.ts';
import { renderConsole } from '../../src/channels/console.ts';
import { renderMattermost, renderMattermostPlain } from '../../src/channels/mattermost.ts';
import { renderSlack, renderSlackPlain } from '../../src/channels/slack.ts';
import { messageBytesMax, renderWebhook, signHeaders } from '../../src/channels/webhook.ts';
import { type ChannelConfig, Secret } from '../../src/model/config.ts';
import type { ChannelDeps, Delivery } from '../../src/model/seams.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { readMattermost } from '../support/mattermost-reader.ts';
import { notificationKinds, notificationOf, trace } from '../support/notifications.ts';
import { readSlack } from '../support/slack-reader.ts';
import { waitFor } from '../support/wait-for.ts';
import { webhookServer } from '../support/webhook-server.ts';

const posting = ['slack', 'mattermost', 'webhook'] as const;
const canary = 'c4nary7T0kenXyz9Q';

function configOf(
  type: string,
  options: Record<string, unknown>,
  over: Partial<ChannelConfig> = {},
): ChannelConfig {
  return {
    name: 'ops',
    type,
    options,
    budget: null,
    fallback: null,
    minSeverity: null,
    timeoutMs: 2000,
    maxAgeMs: 86_400_000,
    allowPrivate: true,
    unusable: null,
    origin: { file: 'tocsin.yaml', line: 1, column: 1, length: 1 },
    ...over,
  };
}

function depsOf(over: Partial<ChannelDeps> = {}): ChannelDeps & { readonly clock: FakeClock } {
  return {
    clock: new FakeClock(),
    write: () => {},
    colours: false,
    version: '1.2.3',
    ...over,
  } as ChannelDeps & { readonly clock: FakeClock };
}

function channelOf(type: string, url: string, over: Partial<ChannelConfig> = {}, deps = depsOf()) {
  const channel = createChannel(
    configOf(
      type,
      { url: new Secret(url), ...over.options },
      { ...over, options: { url: new Secret(url), ...over.options } },
    ),
    deps,
  );
  onTestFinished(() => channel.close());
  return {
    deps,
    send: (
      kind: (typeof notificationKinds)[number] = 'first',
      plain = false,
      signal = new AbortController().signal,
    ) => channel.send(notificationOf(kind), { signal, plain }),
  };
}

describe('which kind a URL is for', () => {
  it.each([
    ['https://hooks.slack.com/services/T0/B0/x', 'slack'],
    ['https://chat.example.com/hooks/xyz1234567890abcdefghijkl', 'webhook'],
    ['https://chat.example.com/hooks/xyz1234567890abcdefghijklm', 'mattermost'],
    ['http://10.0.0.5:8065/team/hooks/xyz1234567890abcdefghijklm', 'mattermost'],
    ['http://127.0.0.1:9000/hook', 'webhook'],
    ['https://evil.example/hooks.slack.com', 'webhook'],
  ])('%s is %s', (url, type) => {
    expect(recogniseChannel(new URL(url)).type).toBe(type);
  });

  it('chat has a budget of its own, webhook and console have none', () => {
    expect(channelKinds.map(({ type, chat }) => [type, chat])).toEqual([
      ['slack', true],
      ['mattermost', true],
      ['webhook', false],
      ['console', false],
    ]);
  });
});

describe('webhook', () => {
  it('posts the notification as it is, with the time of this attempt and the headers of Standard Webhooks', async () => {
    const server = await webhookServer();
    const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
    const { send, deps } = channelOf('webhook', server.url, { options: { secret: new Secret(secret) } });
    expect(await send()).toEqual({ outcome: 'delivered', status: 200, body: 'ok' });
    const [got] = server.received;
    const sent = notificationOf('first');
    expect(got?.json).toEqual({
      ...sent,
      notification: { ...sent.notification, sent_at: new Date(deps.clock.now()).toISOString() },
    });
    const timestamp = String(Math.floor(deps.clock.now() / 1000));
    expect(got?.headers).toMatchObject({
      'webhook-id': 'ntf_5d3f0a',
      'webhook-timestamp': timestamp,
      'user-agent': 'tocsin/1.2.3',
    });
    const key = Buffer.from(secret.slice(6), 'base64');
    expect(got?.headers['webhook-signature']).toBe(
      `v1,${createHmac('sha256', key).update(`ntf_5d3f0a.${timestamp}.${got?.text}`).digest('base64')}`,
    );
  });

  it('a second attempt has the same id, its own time and its own signature', async () => {
    const server = await webhookServer();
    const { send, deps } = channelOf('webhook', server.url, { options: { secret: new Secret('any text') } });
    await send();
    await deps.clock.advance(5000);
    await send();
    const [first, second] = server.received;
    expect(second?.headers['webhook-id']).toBe(first?.headers['webhook-id']);
    expect(Number(second?.headers['webhook-timestamp']) - Number(first?.headers['webhook-timestamp'])).toBe(
      5,
    );
    expect(second?.headers['webhook-signature']).not.toBe(first?.headers['webhook-signature']);
  });

  it('without a secret nothing is signed', async () => {
    const server = await webhookServer();
    await channelOf('webhook', server.url).send();
    expect(server.received[0]?.headers['webhook-signature']).toBeUndefined();
  });

  it.each([
    [
      'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
      'msg_p5jXN8AQM9LWM0D4loKWxJek',
      1_614_265_330,
      '{"test": 2432232314}',
      'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
    ],
    [
      'whsec_plJ3nmyCDGBKInavdOK15jsl',
      'msg_loFOjxBNrRLzqYUf',
      1_731_705_121,
      '{"event_type":"ping","data":{"success":true}}',
      'v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0=',
    ],
    [
      'whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=',
      'msg_1',
      1_700_000_000,
      '{"text":"\u5931\u8d25 \u{1f525}"}',
      'v1,CBLFFOvrKbxlfmPM9LHUdx3CFT5Ztz7IDiz5sY4xbYg=',
    ],
  ])('signs as the known vectors say (%s)', (secret, id, seconds, body, signature) => {
    expect(signHeaders({ id, body, now: seconds * 1000 + 999, secret })).toMatchObject({
      'webhook-signature': signature,
    });
  });

  it('keeps control characters and line breaks of the message, and cuts it at 64 KiB of UTF-8', () => {
    const render = (message: string): any =>
      JSON.parse(renderWebhook(notificationOf('first', { record: { message } }), { plain: false, now: 0 }))
        .record;
    expect(render('a\u0000\u001b[31m\r\nb')).toMatchObject({
      message: 'a\u0000\u001b[31m\r\nb',
      truncated: false,
    });
    const long = render('\u{1f525}'.repeat(20_000));
    expect(Buffer.byteLength(long.message)).toBe(messageBytesMax);
    expect(long).toMatchObject({ truncated: true });
    expect(long.message.isWellFormed()).toBe(true);
    expect(render('x'.repeat(messageBytesMax))).toMatchObject({ truncated: false });
  });

  it('the plain form is the same object, shorter', () => {
    const message = 'x'.repeat(50_000);
    const body = JSON.parse(
      renderWebhook(notificationOf('first', { record: { message } }), { plain: true, now: 0 }),
    );
    expect(Object.keys(body)).toEqual(['version', 'notification', 'incident', 'record', 'incidents']);
    expect(body.record.message.length).toBe(4096);
    expect(body.record.before).toEqual([]);
  });
});

describe('slack and mattermost', () => {
  for (const kind of notificationKinds) {
    it(`look right: ${kind}`, async () => {
      const notification = notificationOf(kind);
      const file = (name: string): string => `../fixtures/channels/${name}-${kind}.json`;
      await expect(`${JSON.stringify(renderSlack(notification), null, 2)}\n`).toMatchFileSnapshot(
        file('slack'),
      );
      await expect(`${JSON.stringify(renderMattermost(notification), null, 2)}\n`).toMatchFileSnapshot(
        file('mattermost'),
      );
      await expect(renderConsole(notification, { colours: false, form: 'full' })).toMatchFileSnapshot(
        `../fixtures/channels/console-${kind}.txt`,
      );
    });
  }

  it('name task, exception, retries, labels, owner, runbook, rule, fingerprint and ids', () => {
    for (const shown of [
      JSON.stringify(renderSlack(notificationOf('first'))),
      JSON.stringify(renderMattermost(notificationOf('first'))),
    ]) {
      for (const part of [
        'mail.send',
        'OSError',
        'retries',
        'env=production',
        'mail-team',
        'https://wiki.example.com/celery-failures',
        'celery-task-failed-after-final-retry',
        'v1:9f2c41d07ab3',
        'ntf_5d3f0a',
        'mail/tasks.py',
      ]) {
        expect(shown).toContain(part);
      }
    }
  });

  it("tell in two lines what it began with and where in one's own code; not for good news", () => {
    const chained = `Traceback (most recent call last):\n  File "/srv/app/mail/smtp.py", line 9, in connect\nTimeoutError: smtp.internal\n\nDuring handling of the above exception, another exception occurred:\n\n${trace}`;
    const facts = cardOf(notificationOf('first', { record: { trace: chained } })).facts;
    expect(facts.slice(0, 5)).toEqual([
      { name: 'task', value: 'mail.send' },
      { name: 'exception', value: 'OSError' },
      { name: 'cause', value: 'TimeoutError: smtp.internal' },
      { name: 'at', value: '/srv/app/mail/smtp.py:17 in deliver' },
      { name: 'retries', value: '3' },
    ]);
    expect(cardOf(notificationOf('resolved')).facts.map(({ name }) => name)).not.toContain('cause');
    // Where no rule names the exception its facts are a field: told once, in words.
    const field = { type: 'OSError', message: 'x', frames: ['a', 'b'], app_frame: 'a', cause: 'OSError: x' };
    const shown = cardOf(notificationOf('first', { incident: { fields: { exception: field } } })).facts;
    expect(shown.map(({ name }) => name)).toEqual(['cause', 'at', 'where', 'labels', 'owner']);
  });

  it('a digest names each incident once; good news has no steps to take', () => {
    const digest = notificationOf('digest');
    const message = digest.incidents.map((row) => `${row.count} x ${row.title}`).join('\n');
    const listed = cardOf(notificationOf('digest', { incident: { message } }));
    expect(listed.rows.length).toBeGreaterThan(0);
    expect(listed.text).not.toContain(' x ');
    const runbook = '1. Look at the relay';
    expect(cardOf(notificationOf('resolved', { incident: { runbook } })).steps).toBe('');
    expect(cardOf(notificationOf('summary', { incident: { runbook } })).steps).toBe(runbook);
  });

  it('a message too long to show is shown once, and values that hardly repeat are not counted', () => {
    const message = `Task mail.send[1] raised unexpected: MaxRetriesExceededError("Can't retry mail.send args:('${'a'.repeat(30_000)}')")`;
    const card = cardOf(notificationOf('first', { incident: { message }, record: { message } }));
    expect(card.text).toBe('The task used up its retries; nobody will run it again.');
    const top = {
      task_id: [
        ['a1', 2],
        ['a2', 1],
        ['a3', 1],
      ],
      host: [
        ['w1', 3],
        ['w2', 1],
      ],
    } as const;
    const names = cardOf(notificationOf('summary', { incident: { top } })).facts.map(({ name }) => name);
    expect(names).toContain('host (most)');
    expect(names).not.toContain('task_id (most)');
  });

  it('the plain form is one text that still says what happened', () => {
    const slack = renderSlackPlain(notificationOf('first'));
    expect(Object.keys(slack)).toEqual(['text', 'mrkdwn', 'unfurl_links', 'unfurl_media']);
    const mattermost = renderMattermostPlain(notificationOf('first'));
    expect(Object.keys(mattermost)).toEqual(['text']);
    for (const { text } of [slack, mattermost]) {
      expect(text).toContain('mail.send failed after 3 retries');
      expect(text).toContain('OSError: connection to smtp.internal refused');
      expect(text.length).toBeLessThan(3000);
    }
  });

  it('a runbook in words is shown as words, a URL of another kind is no link', () => {
    const notification = notificationOf('first', {
      incident: {
        runbook: '1. Look at the relay\n2. Call mail-team',
        links: [{ title: 'x', url: 'javascript:alert(1)' }],
      },
    });
    expect(readSlack(renderSlack(notification))).toMatchObject({ links: [], problems: [] });
    expect(readMattermost(renderMattermost(notification))).toMatchObject({ links: [], problems: [] });
    expect(JSON.stringify(renderSlack(notification))).toContain('Call mail-team');
  });

  it('a long traceback keeps its head, the frames of the app and its last line', () => {
    const library = Array.from(
      { length: 200 },
      (_, index) =>
        `  File "/usr/lib/python3.11/asyncio/base_events.py", line ${index}, in run\n    self._run_once()`,
    ).join('\n');
    const trace = `Traceback (most recent call last):\n${library}\n  File "/srv/app/mail/tasks.py", line 42, in send\n    smtp.deliver(message)\n${library}\nOSError: refused`;
    const notification = notificationOf('first', { record: { trace } });
    for (const code of [
      readSlack(renderSlack(notification)).code,
      readMattermost(renderMattermost(notification)).code,
    ]) {
      const shown =
        code.find((text) => text.includes('raised unexpected') && text.includes('Traceback')) ?? '';
      expect(shown).toContain('/srv/app/mail/tasks.py", line 42');
      expect(shown).toContain('OSError: refused');
      expect(shown).toMatch(/\u2026 \d+ lines of libraries/);
      expect(shown.length).toBeLessThan(4100);
    }
  });
});

describe('console', () => {
  it('prints a card, coloured where colours are wanted, and one line in the plain form', async () => {
    const written: string[] = [];
    const write = (text: string): void => void written.push(text);
    for (const [colours, plain] of [
      [true, false],
      [false, false],
      [false, true],
    ] as const) {
      const channel = createChannel(configOf('console', {}), depsOf({ write, colours }));
      expect(
        await channel.send(notificationOf('first'), { signal: new AbortController().signal, plain }),
      ).toEqual({ outcome: 'delivered', status: null, body: '' });
      await channel.close();
    }
    expect(written[0]).toContain('\u001b[31m');
    expect(written[1]).not.toContain('\u001b');
    expect(written[2]?.trimEnd().split('\n').length).toBe(1);
  });

  it('a pipe that is gone is a failure, never an exception', async () => {
    const write = (): void => {
      throw new Error('EPIPE');
    };
    const channel = createChannel(configOf('console', {}), depsOf({ write }));
    expect(
      await channel.send(notificationOf('first'), { signal: new AbortController().signal, plain: false }),
    ).toMatchObject({ outcome: 'retry', reason: 'network' });
  });
});

describe('every kind that posts', () => {
  it.each(posting)('%s delivers each kind of message', async (type) => {
    const server = await webhookServer();
    const { send } = channelOf(type, server.url);
    for (const kind of notificationKinds) {
      for (const plain of [false, true])
        expect(await send(kind, plain)).toEqual({ outcome: 'delivered', status: 200, body: 'ok' });
    }
    expect(server.received.every((request) => request.json !== undefined)).toBe(true);
  });

  it.each(posting)('%s has an outcome for each status', async (type) => {
    const server = await webhookServer();
    const { send } = channelOf(type, server.url);
    for (let status = 200; status < 600; status += status % 100 < 30 ? 1 : 100 - (status % 100)) {
      if (status === 204 || status === 205 || status === 304) continue;
      server.fallback = { status, body: 'ok' };
      const delivery = await send();
      expect({ status, outcome: delivery.outcome, shown: delivery.status }).toEqual({
        status,
        outcome: status < 300 ? 'delivered' : expect.stringMatching(/retry|rejected/),
        shown: status,
      });
    }
  });

  it.each(posting)('%s obeys the signal and its own deadline', async (type) => {
    const server = await webhookServer();
    server.fallback = { act: 'hang' };
    const { send, deps } = channelOf(type, server.url);
    const stop = new AbortController();
    const stopped = send('first', false, stop.signal);
    await waitFor('the request', () => server.received.length === 1);
    stop.abort();
    expect(await stopped).toMatchObject({ outcome: 'retry', detail: expect.stringContaining('STOPPED') });
    const late = send();
    await waitFor('the request', () => server.received.length === 2);
    await deps.clock.advance(2000);
    expect(await late).toMatchObject({ outcome: 'retry', reason: 'timeout', retryAfterMs: null });
  });

  it.each(posting)('D13 %s never shows its URL, token or secret, whatever comes back', async (type) => {
    const deliveries: Delivery[] = [];
    const server = await webhookServer();
    const base = new URL(server.url).origin;
    const path = `/hooks/${canary}?key=${canary}%21&sig=a${canary}`;
    const secret = `${canary}secret`;
    const { send } = channelOf(type, `${base}${path}`, { options: { secret: new Secret(secret) } });
    const echoes = [
      `no hook ${canary}`,
      `${base}${path}`,
      `"${path.replaceAll('/', '\\/')}"`,
      encodeURIComponent(`${base}${path}`),
      `key=${canary}!`,
      secret,
      `{"error":"${canary}","id":"${canary}"}`,
      `${'x'.repeat(500)}${canary}`,
    ];
    for (const body of echoes) {
      for (const status of [200, 302, 400, 403, 429, 500]) {
        server.script.push({ status, body, headers: { location: `${base}${path}` } });
        deliveries.push(await send());
      }
    }
    for (const act of ['reset'] as const) {
      server.script.push({ act });
      deliveries.push(await send());
    }
    await server.close();
    deliveries.push(await send());
    deliveries.push(await channelOf(type, `http://${canary}@localhost:1/${canary}`).send());
    deliveries.push(await channelOf(type, `http://127.0.0.1:1/${canary}`, { allowPrivate: false }).send());
    deliveries.push(await channelOf(type, `ftp://x.example/${canary}`).send());
    for (const delivery of deliveries) expect(JSON.stringify(delivery)).not.toContain(canary);
    // The signing secret is no part of the others: only the webhook knows it.
    expect(deliveries.length).toBe(echoes.length * 6 + 5);
  });

  it('D1 a refused connection, D3 half an answer, and garbage are tried again', async () => {
    const answers = ['HTTP/1.1 200 OK\r\ncontent-length: 90\r\n\r\nhalf', 'garbage\r\n\r\n', ''];
    const server = createServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', () => socket.end(answers.shift() ?? ''));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const { send } = channelOf('slack', `http://127.0.0.1:${port}/x`);
    for (let turn = 0; turn < 3; turn++)
      expect(await send()).toMatchObject({
        outcome: 'retry',
        reason: expect.stringMatching(/network|bad-answer/),
      });
    await new Promise((resolve) => server.close(resolve));
    expect(await send()).toMatchObject({
      outcome: 'retry',
      reason: 'network',
      detail: expect.stringContaining('ECONNREFUSED'),
    });
  });

  it('D19 the answer is shown as it came', async () => {
    const server = await webhookServer();
    server.fallback = { status: 403, body: 'invalid_token' };
    expect(await channelOf('slack', server.url).send('test')).toEqual({
      outcome: 'rejected',
      reason: 'auth',
      status: 403,
      body: 'invalid_token',
      detail: expect.stringMatching(/^127\.0\.0\.1:\d+ answered 403 "invalid_token"$/),
      then: 'park',
    });
  });

  it('a message that no rendering takes is asked for in its short form, then given up by name', async () => {
    const server = await webhookServer();
    const channel = createChannel(configOf('slack', { url: new Secret(server.url) }), depsOf());
    const broken = { ...notificationOf('first'), incident: null } as any;
    const signal = new AbortController().signal;
    expect(await channel.send(broken, { signal, plain: false })).toMatchObject({
      outcome: 'rejected',
      then: 'plain',
    });
    expect(await channel.send(broken, { signal, plain: true })).toMatchObject({
      outcome: 'rejected',
      then: 'drop',
    });
    await channel.close();
  });

  it('one that can not be used says why at each attempt, and keeps what it is given', async () => {
    for (const [config, why] of [
      [configOf('slack', { url: new Secret('not a url') }), 'http(s)'],
      [configOf('slack', {}), 'http(s)'],
      [
        configOf('webhook', { url: new Secret('http://127.0.0.1:1/') }, { unusable: '${HOOK} is not set' }),
        '${HOOK} is not set',
      ],
      [configOf('smoke-signal', {}), 'smoke-signal'],
    ] as const) {
      const channel = createChannel(config, depsOf());
      const delivery = await channel.send(notificationOf('first'), {
        signal: new AbortController().signal,
        plain: false,
      });
      expect(delivery).toMatchObject({
        outcome: 'rejected',
        then: 'park',
        detail: expect.stringContaining(why),
      });
      await channel.close();
    }
  });
});
