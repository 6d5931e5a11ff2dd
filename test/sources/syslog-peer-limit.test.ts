import { createSocket } from 'node:dgram';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { describe, expect, it, onTestFinished } from 'vitest';
import { dial, listening, tlsFile, write } from '../support/syslog-listening.ts';
import { tempDir } from '../support/temp-dir.ts';
import { waitFor } from '../support/wait-for.ts';

/** Fills up in a tenth of a second, so that a flood is over soon. */
const quick = { bytes: 65_536, perMs: 100 };
/** Gives nothing more while a test runs. */
const once = { bytes: 65_536, perMs: 1e9 };

async function dialFrom(from: string, port: number, to = '127.0.0.1'): Promise<Socket> {
  const socket = connect({ port, host: to, localAddress: from });
  socket.on('error', () => undefined);
  onTestFinished(() => void socket.destroy());
  await new Promise((resolve) => {
    socket.once('connect', resolve);
    socket.once('close', resolve);
  });
  return socket;
}

/** Sends one after the other, so that no datagram is lost on its way. */
async function datagramsFrom(from: string, port: number, datagrams: readonly string[]): Promise<void> {
  const socket = createSocket('udp4');
  await new Promise<void>((resolve) => socket.bind(0, from, resolve));
  for (const data of datagrams) await new Promise((resolve) => socket.send(data, port, '127.0.0.1', resolve));
  socket.close();
}

function lines(name: string, count: number, length = 500): string[] {
  return Array.from({ length: count }, (_, at) => `${name} ${at} `.padEnd(length, 'x'));
}
const framed = (texts: readonly string[]): string => texts.map((text) => `<13>${text}\n`).join('');

describe('syslog: peer_limit', () => {
  it('P12 one floods and waits, all of its lines arrive in the end; the lines of another one arrive meanwhile', async () => {
    const on = await listening({ tcp: ['127.0.0.1:0'], peerLimit: quick });
    const [port = 0] = on.ports();
    const flood = lines('flood', 1_500);
    const loud = await dialFrom('127.0.0.1', port);
    const began = performance.now();
    loud.end(framed(flood));
    await waitFor('the first of it', () => on.port.messages.length > 10);
    const quiet = await dialFrom('127.0.0.2', port);
    await write(quiet, framed(['quiet']));
    await waitFor('the other one', () => on.port.texts.includes('quiet'));
    expect(on.port.messages.length).toBeLessThan(flood.length);
    await waitFor('all', () => on.port.messages.length === flood.length + 1);
    expect(on.port.texts.filter((text) => text !== 'quiet')).toEqual(flood);
    // 750,000 bytes are 11 buckets: one at once, the last read beyond.
    expect(performance.now() - began).toBeGreaterThan(900);
    expect(on.port.counted('peer_limit_paused_ms')).toBeGreaterThan(500);
    await waitFor('the word', () => on.warnings.length > 0);
    expect(on.warnings).toEqual([expect.stringMatching(/^127\.0\.0\.1 sends more than peer_limit \(65,536/)]);
  });

  it('P12 connections of one address share its limit, and none of them starves', async () => {
    const on = await listening({ tcp: ['127.0.0.1:0'], peerLimit: quick });
    const [port = 0] = on.ports();
    const loud = await dial(port);
    const flood = lines('flood', 3_000);
    loud.end(framed(flood));
    await waitFor('the first of it', () => on.port.messages.length > 10);
    await write(await dial(port), framed(['beside it']));
    await waitFor('the small one', () => on.port.texts.includes('beside it'));
    expect(on.port.messages.length).toBeLessThan(flood.length);
    await waitFor('all', () => on.port.messages.length === flood.length + 1);
  });

  it('P12 an address in IPv6 clothes is the same one, and connections and datagrams are added up', async () => {
    const on = await listening({ udp: ['*:0'], tcp: ['*:0'], peerLimit: once });
    const [udp = 0, tcp = 0] = on.ports();
    await write(await dialFrom('127.0.0.1', tcp), framed(lines('tcp', 120)));
    await waitFor('those', () => on.port.messages.length === 120);
    await datagramsFrom('127.0.0.1', udp, lines('udp', 20));
    await datagramsFrom('127.0.0.2', udp, ['<13>another']);
    await waitFor('the other one', () => on.port.texts.includes('another'));
    const passed = on.port.messages.length - 121;
    expect(passed).toBe(Math.floor((65_536 - 120 * 505) / 500));
    expect(passed + on.port.counted('peer_limit_dropped')).toBe(20);
  });

  it('P12 datagrams over the limit: each one is received or counted, and who sent them is said', async () => {
    const on = await listening({ udp: ['127.0.0.1:0'], peerLimit: once });
    const [port = 0] = on.ports();
    const sent = 2_000;
    await datagramsFrom('127.0.0.1', port, lines('flood', sent, 100));
    await datagramsFrom('127.0.0.2', port, lines('quiet', 50, 100));
    await waitFor(
      'the account',
      () => on.port.messages.length + on.port.counted('peer_limit_dropped') === sent + 50,
    );
    expect(on.port.counted('peer_limit_dropped')).toBe(sent - Math.floor(65_536 / 100));
    expect(on.port.counted('udp_kernel_drops')).toBe(0);
    expect(on.port.texts.filter((text) => text.startsWith('quiet'))).toHaveLength(50);
    await on.stop();
    expect(on.warnings.filter((one) => one.includes('peer_limit'))).toEqual([
      expect.stringMatching(/^127\.0\.0\.1 sends more than peer_limit .* datagrams were dropped/),
    ]);
  });

  it('P12 P13 behind a proxy that is believed the sender has the limit, not the proxy', async () => {
    const on = await listening({ tcp: ['127.0.0.1:0'], peerLimit: once, proxyFrom: ['127.0.0.1'] });
    const [port = 0] = on.ports();
    const loud = await dial(port);
    loud.write(`PROXY TCP6 ::ffff:192.0.2.7 ::1 5000 514\r\n${framed(lines('loud', 1_000))}`);
    await waitFor('the pause', () => on.warnings.some((one) => one.startsWith('192.0.2.7 sends more')));
    const before = on.port.messages.length;
    await write(await dial(port), `PROXY TCP4 192.0.2.7 192.0.2.8 5001 514\r\n`);
    await write(await dial(port), `PROXY TCP4 192.0.2.9 192.0.2.8 5001 514\r\n${framed(['honest'])}`);
    await waitFor('the other sender', () => on.port.texts.includes('honest'));
    expect(on.port.messages.length).toBe(before + 1);
    expect(before).toBeLessThan(1_000);
  });

  it('P12 over TLS it is the same', async () => {
    const on = await listening({
      tls: [{ listen: '127.0.0.1:0', cert: tlsFile('server'), key: tlsFile('key'), ca: null, allow: [] }],
      peerLimit: quick,
    });
    const socket = connectTls({
      port: on.ports()[0] ?? 0,
      host: '127.0.0.1',
      servername: 'localhost',
      ca: readFileSync(tlsFile('ca')),
    });
    onTestFinished(() => void socket.destroy());
    const flood = lines('flood', 1_000);
    socket.end(framed(flood));
    await waitFor('all', () => on.port.messages.length === flood.length);
    expect(on.port.texts).toEqual(flood);
    expect(on.port.counted('peer_limit_paused_ms')).toBeGreaterThan(300);
  });

  it('P12 a unix socket has no address, and no limit', async () => {
    const path = join(tempDir(), 'log');
    const on = await listening({ unixStream: [path], peerLimit: once });
    (await dial(path)).end(framed(lines('local', 1_000)));
    await waitFor('all', () => on.port.messages.length === 1_000);
    expect(on.port.counts.size).toBe(0);
  });

  it('P12 a reload takes another limit up, with the connections open', async () => {
    const on = await listening({ tcp: ['127.0.0.1:0'] });
    const socket = await dial(on.ports()[0] ?? 0);
    await write(socket, framed(lines('free', 1_000)));
    await waitFor('those', () => on.port.messages.length === 1_000);
    await on.change({ peerLimit: once });
    socket.write(framed(lines('limited', 2_000)));
    await waitFor('the pause', () => on.warnings.length > 0);
    expect(on.port.messages.length).toBeLessThan(2_500);
    await on.change({ peerLimit: null });
    await waitFor('all', () => on.port.messages.length === 3_000);
    expect(socket.destroyed).toBe(false);
    expect(on.port.forgotten).toEqual([]);
  });

  it('P12 what a connection had sent that waits and breaks is read', async () => {
    const on = await listening({ tcp: ['127.0.0.1:0'], peerLimit: once });
    const [port = 0] = on.ports();
    const loud = await dial(port);
    loud.write(framed(lines('loud', 1_000)));
    await waitFor('the pause', () => on.warnings.length > 0);
    const before = on.port.messages.length;
    const broken = await dial(port);
    await write(broken, framed(['last words']));
    // Who came after it was read: so was it, as far as it can be while it waits.
    await write(await dialFrom('127.0.0.2', port), framed(['after it']));
    await waitFor('that', () => on.port.texts.includes('after it'));
    broken.resetAndDestroy();
    await waitFor('them', () => on.port.texts.includes('last words'));
    expect(on.port.messages.length).toBe(before + 2);
  });

  it('P12 who waits is not closed as idle, and an unfinished record of it is not taken for a whole one', async () => {
    const on = await listening({
      tcp: ['127.0.0.1:0'],
      peerLimit: { bytes: 65_536, perMs: 2_000 },
      idleTimeoutMs: 500,
    });
    const ends: string[] = [];
    on.port.onTake = ({ end }) => void ends.push(end);
    const socket = await dial(on.ports()[0] ?? 0);
    const all = lines('line', 400);
    socket.write(framed(all));
    await waitFor('all', () => on.port.messages.length === all.length);
    expect(on.port.counted('idle_connections_closed')).toBe(0);
    expect(on.port.counted('peer_limit_paused_ms')).toBeGreaterThan(1_000);
    expect(ends).not.toContain('quiet');
  });

  it('P12 it stops soon while connections wait, and what they had sent is read', async () => {
    const on = await listening({ tcp: ['127.0.0.1:0'], peerLimit: once });
    const socket = await dial(on.ports()[0] ?? 0);
    const all = lines('line', 600);
    socket.end(framed(all));
    await waitFor('the pause', () => on.warnings.length > 0);
    expect(on.port.messages.length).toBeLessThan(all.length);
    const began = performance.now();
    await on.stop();
    expect(performance.now() - began).toBeLessThan(3_000);
    expect(on.port.texts).toEqual(all);
  });
});
