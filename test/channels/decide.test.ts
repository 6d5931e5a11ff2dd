/** The one decision, against what services really answer. */
// biome-ignore-all lint/suspicious/noThenProperty: `then` of a Delivery is a word, never a function.
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decideDelivery, delivered, type Manners } from '../../src/channels/decide.ts';
import type { HttpAnswer } from '../../src/channels/http.ts';
import { mattermostManners } from '../../src/channels/mattermost.ts';
import { httpDate, retryAfterMs } from '../../src/channels/retry-after.ts';
import { slackManners } from '../../src/channels/slack.ts';

interface Case {
  readonly kind: 'slack' | 'mattermost' | 'webhook';
  readonly name: string;
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body: string;
  readonly outcome: 'delivered' | 'retry' | 'rejected';
  readonly then?: string;
  readonly wait_ms?: number | null;
  readonly now?: string;
}
const webhookManners: Manners = { word: () => null, words: {}, success: () => delivered };
const manners = { slack: slackManners, mattermost: mattermostManners, webhook: webhookManners };
const cases: readonly Case[] = JSON.parse(readFileSync('test/fixtures/channels/answers.json', 'utf8'));
const options = {
  now: Date.UTC(2026, 10, 21),
  host: 'chat.example.com',
  plain: false,
  hide: (text: string) => text,
};
const answer = (status: number, headers: Record<string, string> = {}, body = ''): HttpAnswer => ({
  kind: 'answer',
  status,
  headers,
  body,
});

describe('what an answer means', () => {
  for (const each of cases) {
    it(`${each.kind}: ${each.name}`, () => {
      const now = each.now === undefined ? options.now : Date.parse(each.now);
      const result = decideDelivery(manners[each.kind], answer(each.status, each.headers, each.body), {
        ...options,
        now,
      });
      expect(result.outcome).toBe(each.outcome);
      if (each.then !== undefined) expect(result).toMatchObject({ then: each.then });
      if (each.wait_ms !== undefined) expect(result).toMatchObject({ retryAfterMs: each.wait_ms });
    });
  }

  it('every status from 100 to 999 has an outcome for every kind, and only a 2xx is delivered', () => {
    for (const kind of Object.values(manners)) {
      for (let status = 100; status < 1000; status++) {
        const result = decideDelivery(kind, answer(status, {}, 'ok'), options);
        expect(result.outcome === 'delivered').toBe(status >= 200 && status <= 299);
        if (result.outcome !== 'delivered') expect(result.detail).toContain(String(status));
      }
    }
  });

  it('D6 a payload fault asks for the plain form once, a refusal of access keeps the alerts', () => {
    for (const status of [400, 413, 422]) {
      expect(decideDelivery(webhookManners, answer(status), options)).toMatchObject({
        outcome: 'rejected',
        then: 'plain',
      });
      expect(decideDelivery(webhookManners, answer(status), { ...options, plain: true })).toMatchObject({
        outcome: 'rejected',
        then: 'drop',
      });
    }
    for (const status of [401, 403, 404, 405, 410]) {
      expect(decideDelivery(webhookManners, answer(status), options)).toMatchObject({
        outcome: 'rejected',
        then: 'park',
      });
    }
  });

  it('D7 server errors are tried again', () => {
    for (const status of [500, 502, 503, 504]) {
      expect(decideDelivery(webhookManners, answer(status), options)).toMatchObject({
        outcome: 'retry',
        reason: 'server-error',
        retryAfterMs: null,
      });
    }
  });

  it('D8 a 200 with an error inside is a failure for the services that answer so', () => {
    expect(
      decideDelivery(slackManners, answer(200, {}, '{"ok":false,"error":"invalid_auth"}'), options),
    ).toMatchObject({ outcome: 'rejected', reason: 'auth', then: 'park' });
    expect(decideDelivery(slackManners, answer(200, {}, 'invalid_payload'), options)).toMatchObject({
      outcome: 'rejected',
      then: 'plain',
    });
    expect(decideDelivery(slackManners, answer(200, {}, '<html>sign in</html>'), options)).toMatchObject({
      outcome: 'rejected',
      reason: 'bad-answer',
    });
    expect(decideDelivery(mattermostManners, answer(200, {}, '<!doctype html>'), options)).toMatchObject({
      outcome: 'rejected',
      reason: 'bad-answer',
    });
    expect(
      decideDelivery(mattermostManners, answer(200, {}, '{"id":"x","status_code":500}'), options),
    ).toMatchObject({ outcome: 'rejected' });
  });

  it('D9 a redirect is a failure that names the host it points to', () => {
    for (const [location, shown] of [
      ['http://127.0.0.1:8080/admin?token=t0ps3cret', '127.0.0.1:8080'],
      ['http://[::ffff:127.0.0.1]/', '[::ffff:7f00:1]'],
      ['http://169.254.169.254/latest', '169.254.169.254'],
      ['file:///etc/passwd', 'file://(no host)'],
      ['gopher://x.example/', 'gopher://x.example'],
      ['/login', 'another path on the same host'],
      ['//evil.example/x', 'evil.example'],
      ['', 'nowhere (no Location header)'],
    ] as const) {
      const result = decideDelivery(slackManners, answer(302, { location }), options);
      expect(result).toMatchObject({ outcome: 'rejected', reason: 'redirect', then: 'park' });
      expect(result.outcome === 'rejected' && result.detail).toContain(shown);
      expect(JSON.stringify(result)).not.toContain('t0ps3cret');
    }
  });

  it('D12 an answer is shown cleaned and cut, and never interpreted beyond the declared check', () => {
    const body = `\u001b[31mno\u001b[0m\r\n${'x'.repeat(5000)}`;
    const result = decideDelivery(webhookManners, answer(500, {}, body), options);
    expect(result.body).not.toContain('\u001b');
    expect(result.body.length).toBeLessThanOrEqual(512);
    for (const odd of [
      '{"attachments":[null]}',
      '['.repeat(30_000),
      `${'{"a":'.repeat(10_000)}1`,
      '{"__proto__":{"ok":true}}',
      '{"constructor":1}',
      'constructor',
      'toString',
    ]) {
      expect(decideDelivery(slackManners, answer(200, {}, odd), options)).toMatchObject({
        outcome: 'rejected',
        reason: 'bad-answer',
      });
      expect(decideDelivery(mattermostManners, answer(500, {}, odd), options)).toMatchObject({
        outcome: 'retry',
      });
    }
  });
});

describe('what a failed connection means', () => {
  it('every fault is tried again and said in words with its code', () => {
    for (const [code, reason, words] of [
      ['ECONNREFUSED', 'network', 'refused the connection'],
      ['ENOTFOUND', 'network', 'does not exist'],
      ['EAI_AGAIN', 'network', 'name server'],
      ['ETIMEDOUT', 'timeout', 'in time'],
      ['DEADLINE', 'timeout', 'within the timeout'],
      ['CERT_HAS_EXPIRED', 'tls', 'expired certificate'],
      ['ERR_SSL_WRONG_VERSION_NUMBER', 'tls', 'could not be reached'],
      ['HPE_INVALID_CONSTANT', 'bad-answer', 'could not be reached'],
      ['SOMETHING_NEW', 'network', 'could not be reached'],
    ] as const) {
      const result = decideDelivery(slackManners, { kind: 'fault', code, status: null }, options);
      expect(result).toMatchObject({ outcome: 'retry', reason, status: null });
      expect(result.outcome === 'retry' && result.detail).toContain(words);
      expect(result.outcome === 'retry' && result.detail).toContain(code);
    }
  });

  it('a private address on a channel that allows none is kept until a person acts', () => {
    expect(
      decideDelivery(slackManners, { kind: 'fault', code: 'PRIVATE_ADDRESS', status: null }, options),
    ).toMatchObject({ outcome: 'rejected', then: 'park' });
  });
});

describe('how long a server asks us to wait', () => {
  const wait = (headers: Record<string, string>, body = ''): number | null =>
    retryAfterMs(answer(429, headers, body), options.now);

  it('D5 seconds, fractions, dates, and the fields of bodies, within one second and one hour', () => {
    expect(wait({ 'retry-after': '5' })).toBe(5000);
    expect(wait({ 'retry-after': '0' })).toBe(1000);
    expect(wait({ 'retry-after': '-1' })).toBe(null);
    expect(wait({ 'retry-after': '1e9' })).toBe(3_600_000);
    expect(wait({ 'retry-after': 'soon' })).toBe(null);
    expect(wait({ 'retry-after': '1.5' })).toBe(1500);
    expect(wait({ 'retry-after': 'Sat, 21 Nov 2026 00:02:00 GMT' })).toBe(120_000);
    expect(
      wait({ 'retry-after': 'Sat, 21 Nov 2026 00:02:00 GMT', date: 'Sat, 21 Nov 2026 00:01:00 GMT' }),
    ).toBe(60_000);
    expect(wait({ 'retry-after': 'Sat, 21 Nov 2020 00:02:00 GMT' })).toBe(1000);
    expect(wait({}, '{"retry_after":7,"ok":false}')).toBe(7000);
    expect(wait({}, '{"retry_after":64.57}')).toBe(64_570);
    expect(wait({}, '{"parameters":{"retry_after":35}}')).toBe(35_000);
    expect(wait({}, '{"retry_after_ms":2500}')).toBe(2500);
    expect(wait({ 'x-ogw-ratelimit-reset': '9' })).toBe(9000);
    expect(wait({ 'retry-after': '2' }, '{"retry_after":7}')).toBe(7000);
    expect(wait({ 'retry-after': '9' }, '{"retry_after":7}')).toBe(9000);
    expect(wait({ 'retry-after': 'soon' }, '{"retry_after":7}')).toBe(7000);
    expect(wait({}, '{"retry_after":"x","parameters":null}')).toBe(null);
  });

  it('all three forms of an HTTP date are read', () => {
    const at = Date.UTC(1994, 10, 6, 8, 49, 37);
    expect(httpDate('Sun, 06 Nov 1994 08:49:37 GMT')).toBe(at);
    expect(httpDate('Sunday, 06-Nov-94 08:49:37 GMT')).toBe(at);
    expect(httpDate('Sun Nov  6 08:49:37 1994')).toBe(at);
    expect(httpDate('06/11/1994')).toBe(null);
  });

  it('whatever the header and the body hold, the wait is null or within its bounds', () => {
    fc.assert(
      fc.property(fc.string(), fc.oneof(fc.string(), fc.json()), (header, body) => {
        const found = wait({ 'retry-after': header }, body);
        expect(found === null || (found >= 1000 && found <= 3_600_000)).toBe(true);
      }),
    );
  });
});
