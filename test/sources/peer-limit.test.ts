import { expect, it } from 'vitest';
import { oneAddress } from '../../src/sources/allowed.ts';
import { PeerLimit, type Turn, tellAgainMs } from '../../src/sources/peer-limit.ts';
import { FakeClock } from '../support/fake-clock.ts';

const rate = { bytes: 1_000, perMs: 1_000 };

function limiting() {
  const clock = new FakeClock();
  const counts = new Map<string, number>();
  const warnings: string[] = [];
  const limit = new PeerLimit({
    clock,
    warn: (message) => warnings.push(message),
    count: (reason, by) => counts.set(reason, (counts.get(reason) ?? 0) + by),
  });
  limit.use(rate);
  const log: string[] = [];
  const turn = (name: string, peer = '192.0.2.1'): Turn => ({
    peer,
    pause: () => log.push(`${name} waits`),
    resume: () => log.push(`${name} reads`),
  });
  const said = (): string[] => log.splice(0);
  return { clock, counts, warnings, limit, turn, said };
}

it('all connections of an address wait, also one that comes meanwhile; the one that was read last goes on last', async () => {
  const { clock, counts, limit, turn, said } = limiting();
  const [a, b, c] = [turn('a'), turn('b'), turn('c')];
  limit.join(a);
  limit.join(b);
  limit.took(a, 1_500);
  limit.join(c);
  expect(said()).toEqual(['b waits', 'a waits', 'c waits']);
  await clock.advance(499);
  expect(said()).toEqual([]);
  await clock.advance(1);
  expect(said()).toEqual(['b reads', 'a reads', 'c reads']);
  expect(counts.get('peer_limit_paused_ms')).toBe(500);
});

it('a debt outlives the connection that made it', async () => {
  const { clock, limit, turn, said } = limiting();
  const first = turn('first');
  limit.took(first, 3_000);
  limit.leave(first);
  expect(said()).toEqual(['first waits', 'first reads']);
  limit.join(turn('second'));
  limit.join(turn('other', '192.0.2.2'));
  expect(said()).toEqual(['second waits']);
  await clock.advance(2_000);
  expect(said()).toEqual(['second reads']);
});

it('a long pause is counted while it lasts', async () => {
  const { clock, counts, limit, turn } = limiting();
  limit.took(turn('a'), 61_000);
  for (let second = 0; second < 10; second++) {
    await clock.advance(1_000);
    limit.tick();
  }
  expect(counts.get('peer_limit_paused_ms')).toBe(10_000);
  limit.stop();
  await clock.advance(100_000);
  expect(counts.get('peer_limit_paused_ms')).toBe(10_000);
});

it('another limit is taken up by those that wait, and without one all are read', async () => {
  const { clock, limit, turn, said } = limiting();
  limit.took(turn('a'), 11_000);
  limit.use({ bytes: 10_000, perMs: 1_000 });
  expect(said()).toEqual(['a waits']);
  await clock.advance(1_000);
  expect(said()).toEqual(['a reads']);
  limit.took(turn('b'), 1_000_000);
  limit.use(null);
  expect(limit.on).toBe(false);
  expect(said()).toEqual(['a waits', 'b waits', 'a reads', 'b reads']);
});

it('who reached the limit is said by address, again after some minutes only, with what was dropped since', async () => {
  const { clock, warnings, limit, turn } = limiting();
  for (let minute = 0; minute < 15; minute++) {
    limit.took(turn('a'), 2_000);
    limit.dropped('192.0.2.9');
    limit.tick();
    await clock.advance(60_000);
  }
  expect(warnings.filter((one) => one.startsWith('192.0.2.1 '))).toHaveLength(2);
  expect(warnings.slice(0, 2)).toEqual([
    '192.0.2.1 sends more than peer_limit (1,000 bytes in 1s): its connections are read more slowly, and nothing of them is lost',
    '192.0.2.9 sends more than peer_limit (1,000 bytes in 1s): 1 of its datagrams were dropped, and more are counted',
  ]);
  expect(warnings.at(-1)).toMatch(/^192\.0\.2\.9 .* 10 of its datagrams were dropped/);
  expect(tellAgainMs).toBe(600_000);
});

it('G1 addresses without number that reach the limit do not fill the log, and what was not said yet is said at the end', () => {
  const { warnings, limit } = limiting();
  for (let at = 0; at < 5_000; at++) {
    limit.dropped(`10.0.${at >> 8}.${at & 255}`);
    if (at === 2_500) limit.tick();
  }
  limit.stop();
  expect(warnings).toHaveLength(20);
  expect(warnings.at(-1)).toMatch(/Other addresses are counted only/);
});

it('S11 an address has one text, whatever a proxy writes', () => {
  expect(oneAddress('::FFFF:10.1.2.3')).toBe('10.1.2.3');
  expect(oneAddress('0:0:0:0:0:ffff:a01:203')).toBe('10.1.2.3');
  expect(oneAddress('2001:0DB8:0:0:0:0:0:1')).toBe('2001:db8::1');
  expect(oneAddress('fe80::1%eth0')).toBe('fe80::1%eth0');
  expect(oneAddress('10.1.2.3')).toBe('10.1.2.3');
});
