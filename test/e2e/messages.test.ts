/** What a webhook gets from a live daemon: the whole body, its headers, and no secret of the log. */
import { createHmac } from 'node:crypto';
import { statSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { startDaemon } from '../support/program.ts';
import { shop } from '../support/shop.ts';
import { waitFor } from '../support/wait-for.ts';
import { webhookServer } from '../support/webhook-server.ts';

const iso = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
const id = expect.stringMatching(/^[0-9a-f]{16}$/);
const key = Buffer.from('a key for the signature, 32 bytes').toString('base64');

const rules = `rules:
  - id: boom
    title: 'Boom in {{ what }}'
    match: 'boom in (?<what>\\w+)(?: by (?<who>\\S+))?'
    by: what
    severity: critical
    owner: ops
    description: Something went off.
    runbook: https://wiki.example.com/boom
    labels: { tier: two }
    links: [ { title: 'Logs of {{ what }}', url: 'https://logs.example.com/?q={{ what }}' } ]
    remind: [ 1s ]
    context: { before: 2 }
`;

describe('a live daemon with a configuration', () => {
  it('posts an appended line with exactly the body and headers that are promised', async () => {
    const server = await webhookServer();
    const place = shop({
      rules,
      channels: `hook: { type: webhook, url: '${server.url}', secret: 'whsec_${key}' }`,
      rest: 'labels: { env: test, service: shop }',
    });
    await startDaemon(place.dir);
    place.write(
      '2026-01-05 10:00:00 INFO zero',
      '2026-01-05 10:00:01 INFO one',
      '2026-01-05 10:00:02 INFO two',
    );
    const offset = statSync(place.log).size;
    place.write(
      '2026-01-05 10:00:03 ERROR boom in kitchen',
      'Traceback (most recent call last):',
      '  File "x.py", line 1, in f',
      'OSError: hot',
    );
    const first = await waitFor('the first message', () => server.received[0]);
    const { json: body, headers } = first;
    expect(body).toEqual({
      version: '1',
      notification: { id, kind: 'first', sequence: 1, sent_at: iso, attempt: 1 },
      incident: {
        id,
        fingerprint: expect.stringMatching(/^v1:[0-9a-f]+$/),
        state: 'firing',
        rule: 'boom',
        title: 'Boom in kitchen',
        message: expect.stringContaining('boom in kitchen'),
        severity: 'critical',
        labels: { env: 'test', service: 'shop', tier: 'two' },
        fields: expect.objectContaining({ what: 'kitchen' }),
        count: 1,
        new_count: 1,
        first_seen_at: '2026-01-05T10:00:03.000Z',
        last_seen_at: '2026-01-05T10:00:03.000Z',
        resolved_at: null,
        top: expect.any(Object),
        description: 'Something went off.',
        runbook: 'https://wiki.example.com/boom',
        owner: 'ops',
        links: [{ title: 'Logs of kitchen', url: 'https://logs.example.com/?q=kitchen' }],
      },
      record: {
        source: 'app',
        path: place.log,
        host: null,
        time: '2026-01-05T10:00:03.000Z',
        received_at: iso,
        level: 'error',
        message: '2026-01-05 10:00:03 ERROR boom in kitchen',
        trace: 'Traceback (most recent call last):\n  File "x.py", line 1, in f\nOSError: hot',
        truncated: false,
        offset,
        before: ['2026-01-05 10:00:01 INFO one', '2026-01-05 10:00:02 INFO two'],
        after: [],
        syslog: null,
      },
      incidents: [],
    });
    expect(headers['content-type']).toMatch(/^application\/json/);
    expect(headers['webhook-id']).toBe(body.notification.id);
    expect(Math.abs(Number(headers['webhook-timestamp']) - Date.now() / 1000)).toBeLessThan(60);
    const signed = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${first.text}`;
    expect(headers['webhook-signature']).toBe(
      `v1,${createHmac('sha256', Buffer.from(key, 'base64')).update(signed).digest('base64')}`,
    );

    place.write(
      '2026-01-05 10:00:04 ERROR boom in kitchen by cook',
      '2026-01-05 10:00:05 ERROR boom in kitchen by cat',
    );
    const summary = await waitFor('the summary', () => server.received[1]?.json);
    expect(summary.notification).toMatchObject({ kind: 'summary', sequence: 2 });
    expect(summary.notification.id).not.toBe(body.notification.id);
    expect(summary.incident).toMatchObject({
      id: body.incident.id,
      count: 3,
      new_count: 2,
      first_seen_at: '2026-01-05T10:00:03.000Z',
      last_seen_at: '2026-01-05T10:00:05.000Z',
    });
    expect(summary.incident.fields).toMatchObject({ what: 'kitchen', who: 'cat' });
    expect(summary.record.message).toContain('by cat');
    expect(summary.incident.labels).toEqual({ env: 'test', service: 'shop', tier: 'two' });
  });

  it('F10 no secret of a line leaves: not in the message, its context, fields, title, trace or state', async () => {
    const server = await webhookServer();
    const place = shop({
      rules: `rules:
  - { id: login, title: 'login with {{ password }}', match: 'login password=(?<password>\\S+)', by: [] }
  - { id: args, match: 'raised unexpected' }
`,
      channels: `hook: { type: webhook, url: '${server.url}' }`,
    });
    const daemon = await startDaemon(place.dir);
    place.write(
      '2026-01-05 10:00:00 INFO context password=hunter2000',
      '2026-01-05 10:00:01 INFO GET https://bob:hunter2001@example.com/?token=hunter2002',
      '2026-01-05 10:00:02 ERROR login password=hunter2003 api_key=AKIAIOSFODNN7HUNTER',
      '[2026-01-05 10:00:03,000: ERROR/ForkPoolWorker-1] Task a.b[a1] raised unexpected: OSError()',
      "  File x: connect(user='x', password='hunter2004') Authorization: Bearer hunter2005hunter2005",
    );
    await waitFor('both messages', () => server.received.length >= 2);
    await daemon.end();
    for (const { text } of server.received) {
      expect(text).not.toMatch(/hunter/i);
      expect(text).not.toContain('[redacted]]');
      expect(text).toContain('[redacted]');
    }
    expect(server.received[0]?.json.incident).toMatchObject({
      title: 'login with [redacted]',
      fields: { password: '[redacted]' },
    });
    expect(daemon.stderr()).not.toMatch(/hunter/i);
  });

  it('F5 a line that looks like a template or a replacement pattern arrives as it was written', async () => {
    const server = await webhookServer();
    const place = shop({
      rules: "rules: [ { id: odd, title: 'odd: {{ rest }}', match: 'odd (?<rest>.*)', by: [] } ]\n",
      channels: `hook: { type: webhook, url: '${server.url}' }`,
    });
    await startDaemon(place.dir);
    const rest = `{{ 7 | times: 7 }} {% raw %} \${7*7} <%= 1 %> $& $1 $\` $$ %s %n __proto__ #{x}`;
    place.write(`odd ${rest}`);
    const { json } = await waitFor('the message', () => server.received[0]);
    expect(json.incident.title).toBe(`odd: ${rest}`);
    expect(json.incident.fields.rest).toBe(rest);
    expect(json.record.message).toBe(`odd ${rest}`);
  });
});
