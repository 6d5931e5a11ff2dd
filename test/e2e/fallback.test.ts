/** A channel that does not work, and the one that stands in for it: it hears of each message that waits, once, within its own budget. */
import { describe, expect, it } from 'vitest';
import { startDaemon, until } from '../support/program.ts';
import { shop } from '../support/shop.ts';
import { waitFor } from '../support/wait-for.ts';
import { type WebhookServer, webhookServer } from '../support/webhook-server.ts';

const rules = `rules:
  - id: boom
    title: 'Boom in {{ what }}'
    match: 'boom in (?<what>\\w+)'
    by: what
    limit: none
    severity: [ { when: { what: vault }, is: critical }, { is: warning } ]
`;

async function twoRooms(channels: (first: string, second: string) => string, notify = 'eng') {
  const first = await webhookServer();
  const second = await webhookServer();
  first.fallback = { status: 403, body: 'no' };
  const made = shop({
    rules,
    channels: channels(first.url, second.url),
    rest: `routes: [ { notify: ${notify} } ]`,
  });
  return { ...made, first, second };
}

/** Each message once: a kill may repeat one, with its id. */
const titles = (server: WebhookServer): string[] => {
  const alerts = server.received.filter((one) => one.json.notification.kind !== 'self');
  return [
    ...new Map(alerts.map(({ json }) => [json.notification.id, json.incident.title as string])).values(),
  ];
};

const kitchens = Array.from({ length: 20 }, (_, n) => `boom in kitchen${n}`);

describe('the fallback of a channel that refuses', () => {
  // Was: only the message that had been tried fell back. A critical one behind it waited a day in silence.
  it('D16 is told of what is grave enough, also behind a message that is not', async () => {
    const { dir, write, first, second } = await twoRooms(
      (eng, pager) => `eng: { type: webhook, url: '${eng}', fallback: { channel: pager, from: critical } }
pager: { type: webhook, url: '${pager}', min_severity: critical }`,
    );
    const daemon = await startDaemon(dir);
    write('boom in kitchen');
    await until('the refusal', async () => (await daemon.status()).channels['eng']?.state === 'parked');
    write('boom in vault');
    await waitFor('the grave one', () => titles(second).length > 0);
    expect(titles(second)).toEqual(['Boom in vault']);
    expect(first.received).toHaveLength(1);
    expect((await daemon.status()).channels['eng']?.ledger).toMatchObject({ pending: 2, balanced: true });
    expect((await daemon.status()).channels['pager']?.ledger).toMatchObject({ matched: 0, balanced: true });
  });

  // Was: the budget of the one that stands in was not asked, and each start told it all again.
  it('F12 gets no more than its own budget, and the same only once over kill -9', async () => {
    const { dir, write, first, second } = await twoRooms(
      (eng, room) => `eng: { type: webhook, url: '${eng}', fallback: { channel: room, from: warning } }
room: { type: webhook, url: '${room}', budget: [ 3 in 1m ] }`,
    );
    let daemon = await startDaemon(dir);
    write(...kitchens);
    await waitFor('the digest', () => titles(second).length === 2);
    await until('all of them', async () => (await daemon.status()).channels['eng']?.queued === 20);
    for (let kills = 0; kills < 2; kills++) {
      await daemon.end('SIGKILL');
      daemon = await startDaemon(dir);
      await until('a probe', async () => (await daemon.status()).channels['eng']?.state === 'parked');
    }
    // One for itself, then what waited by then; the budget has a third for the critical alone.
    expect(titles(second)).toEqual([
      'Boom in kitchen0',
      expect.stringMatching(/^1\d more in 1\d incidents: /),
    ]);
    first.fallback = { status: 200, body: 'ok' };
    await daemon.end('SIGTERM');
    daemon = await startDaemon(dir);
    await until('the rest', async () => (await daemon.status()).channels['eng']?.ledger.notified === 20);
    expect((await daemon.status()).channels['eng']?.ledger).toMatchObject({ pending: 0, balanced: true });
  });

  it('is not told again of what it is told of by itself', async () => {
    const { dir, write, second } = await twoRooms(
      (eng, pager) => `eng: { type: webhook, url: '${eng}', fallback: { channel: pager, from: warning } }
pager: { type: webhook, url: '${pager}' }`,
      '[ pager, eng ]',
    );
    const daemon = await startDaemon(dir);
    write('boom in kitchen');
    await until('the refusal', async () => (await daemon.status()).channels['eng']?.state === 'parked');
    write('boom in vault');
    await until('both', async () => (await daemon.status()).channels['eng']?.queued === 2);
    await daemon.end();
    expect(titles(second)).toEqual(['Boom in kitchen', 'Boom in vault']);
  });

  // Was: who was said to fail by an earlier run was never said to work again, nor to fail again.
  it('I10 a channel that works after the next start is said to work, and to fail when it does again', async () => {
    const { dir, write, first, second } = await twoRooms(
      (eng, pager) => `eng: { type: webhook, url: '${eng}' }
pager: { type: webhook, url: '${pager}' }`,
    );
    const words = (): string[] =>
      second.received
        .filter((one) => one.json.notification.kind === 'self')
        .map((one) => one.json.incident.title as string);
    const daemon = await startDaemon(dir);
    write('boom in kitchen');
    await waitFor('the word', () => words().length === 1);
    await daemon.end();
    first.fallback = { status: 200, body: 'ok' };
    const again = await startDaemon(dir);
    await waitFor('the end of it', () => words().length === 2);
    await again.end();
    expect(words()).toEqual(['Channel eng does not take messages', 'Channel eng takes messages again']);
  });
});
