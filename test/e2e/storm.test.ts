/** Storms into a chat room: few messages, no budget broken, and a new problem of another rule gets through in the middle. */
import { describe, expect, it } from 'vitest';
import { startDaemon, until } from '../support/program.ts';
import { shop } from '../support/shop.ts';
import { waitFor } from '../support/wait-for.ts';
import { webhookServer } from '../support/webhook-server.ts';

const rules = `rules:
  - { id: boom, title: 'Boom in {{ what }}', match: 'boom in (?<what>\\w+)', by: what }
  - { id: same, match: 'the same again', by: [] }
  - { id: disk, title: The disk is full, contains: No space left on device, by: [] }
`;

async function room() {
  const server = await webhookServer();
  // The path of an incoming webhook of Mattermost.
  const url = new URL('/hooks/abcdefghijklmnopqrstuvwxyz', server.url).href;
  const made = shop({ rules, channels: `eng: { type: mattermost, url: '${url}' }` });
  return { ...made, server, daemon: await startDaemon(made.dir) };
}

const texts = (server: { received: { text: string }[] }): string[] => server.received.map((one) => one.text);

describe('a storm into a chat room', () => {
  it('F11 one line 50,000 times: one message now, all others counted', async () => {
    const { write, server, daemon } = await room();
    for (let part = 0; part < 50; part++) write(...Array.from({ length: 1_000 }, () => 'the same again'));
    await until('all matches', async () => (await daemon.status()).rules['same']?.matched === 50_000, 30_000);
    const { ledger } = (await daemon.status()).channels['eng'] ?? {};
    expect(ledger).toMatchObject({ matched: 50_000, notified: 1, pending: 49_999, balanced: true });
    expect(server.received).toHaveLength(1);
    expect(server.received[0]?.text).toContain('the same again');
  }, 40_000);

  it('F12 20,000 lines of as many kinds: few messages within the budget, the rest folded and named, another rule gets through', async () => {
    const { write, server, daemon } = await room();
    const lines = (from: number, to: number): string[] =>
      Array.from({ length: to - from }, (_, at) => `boom in room${from + at}`);
    for (let part = 0; part < 10; part++) write(...lines(part * 1_000, (part + 1) * 1_000));
    await waitFor('the storm', () => server.received.length > 0);
    write('write failed: No space left on device');
    const began = performance.now();
    for (let part = 10; part < 20; part++) write(...lines(part * 1_000, (part + 1) * 1_000));
    await waitFor('the other rule', () => texts(server).some((text) => text.includes('The disk is full')));
    expect(performance.now() - began).toBeLessThan(5_000);
    await until('all matches', async () => (await daemon.status()).rules['boom']?.matched === 20_000, 30_000);
    await until('the fold', async () => texts(server).some((text) => /\d+ more/.test(text)));
    const account = (await daemon.status()).channels['eng']?.ledger;
    expect(account).toMatchObject({ matched: 20_001, balanced: true });
    // 10 in 1m is the budget of a chat room.
    expect(server.received.length).toBeLessThanOrEqual(10);
    expect(texts(server).filter((text) => text.includes('Boom in room')).length).toBeLessThanOrEqual(7);
    const { rules: facts } = await daemon.status();
    expect(facts['disk']).toMatchObject({ matched: 1, incidents: 1 });
    await daemon.end();
  }, 60_000);

  it('I5 eight hours that were written while nobody ran: read at once, told within the budget, exact over a kill -9, and what is new speaks', async () => {
    const { dir, write, server, daemon } = await room();
    const now = Date.now();
    const stamp = (ago: number): string => new Date(now - ago).toISOString().replace('T', ' ').slice(0, 23);
    write(`${stamp(8 * 3_600_000)} all is well`);
    await until('the line', async () => (await daemon.status()).sources['app']?.records === 1);
    await daemon.end();
    const kinds = 3_000;
    for (let n = 0; n < kinds; n++) {
      const at = stamp(((kinds - n) / kinds) * 8 * 3_600_000);
      write(`${at} boom in room${n}`, `${at} the same again`, `${at} all is well`);
    }
    const killed = await startDaemon(dir);
    await until('the middle', async () => ((await killed.status()).rules['boom']?.matched ?? 0) > kinds / 4);
    await killed.end('SIGKILL');
    const again = await startDaemon(dir);
    await until('all of it', async () => (await again.status()).rules['boom']?.matched === kinds, 30_000);
    write(`${stamp(0)} write failed: No space left on device`);
    await waitFor('what is new', () => texts(server).some((text) => text.includes('The disk is full')));
    const status = await again.status();
    expect(status.rules['boom']).toMatchObject({ matched: kinds, incidents: kinds });
    expect(status.rules['same']).toMatchObject({ matched: kinds, incidents: 1 });
    expect(status.channels['eng']?.ledger).toMatchObject({ matched: 2 * kinds + 1, balanced: true });
    // Nothing of it is late: it came in its order. The walls hold it; 10 in 1m is the budget of a chat room.
    expect(server.received.length).toBeLessThanOrEqual(10);
    await until('the fold', async () => texts(server).some((text) => /\d+ more/.test(text)));
    expect(texts(server).some((text) => text.includes('caught up'))).toBe(false);
    await again.end();
  }, 60_000);

  it('F4 a hostile line mentions nobody and links nowhere in the room', async () => {
    const { write, server } = await room();
    write(
      'boom in kitchen @channel @all [click](https://evil.example) ![x](https://evil.example/x.png) **bold** ~here~ `code` \u202egnp',
    );
    await waitFor('the message', () => server.received.length === 1);
    const { readMattermost } = await import('../support/mattermost-reader.ts');
    const reading = readMattermost(server.received[0]?.json);
    expect(reading.mentions).toEqual([]);
    expect(reading.links).toEqual([]);
    expect(reading.problems).toEqual([]);
  });
});
