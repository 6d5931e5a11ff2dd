/** Who sends wrongly, on real sockets: thousands of silent connections, counts that lie, messages in crumbs, ends in the middle. */
import { spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { dial, listening, sendDatagrams, write } from '../support/syslog-listening.ts';
import { waitFor } from '../support/wait-for.ts';

const mebibyte = 1024 * 1024;

/**
 * Opens connections from another process and so many addresses, each with one byte of a message, and holds those it is let. Resolves when
 * all were tried.
 */
async function crowd(port: number, count: number, addresses: number): Promise<{ closed: () => number }> {
  const child = spawn(process.execPath, [
    '-e',
    `const net = require('net'); let begun = 0, tried = 0, closed = 0, told = '';
     const one = () => { begun++; const s = net.connect({ port: ${port}, host: '127.0.0.1', localAddress: '127.0.1.' + (1 + begun % ${addresses}) });
       let done = false; const next = () => { if (done) return; done = true; tried++; if (begun < ${count}) one(); };
       s.resume(); s.on('error', () => {}); s.on('connect', () => { s.write('<'); next(); }); s.on('close', () => { closed++; next(); }); };
     for (let at = 0; at < 64; at++) one();
     setInterval(() => { const now = tried + ' ' + closed; if (now !== told) console.log(told = now); }, 20);`,
  ]);
  onTestFinished(() => void child.kill('SIGKILL'));
  let tried = 0;
  let closed = 0;
  child.stdout.on('data', (part: Buffer) => {
    const last = part.toString().trim().split('\n').at(-1) ?? '';
    [tried = 0, closed = 0] = last.split(' ').map(Number);
  });
  await waitFor(`${count} connections`, () => tried === count);
  return { closed: () => closed };
}

/** How long it takes until a message on a new connection is read, ms. */
async function servedIn(on: Awaited<ReturnType<typeof listening>>, text: string): Promise<number> {
  const began = performance.now();
  await write(await dial(on.ports()[0] ?? 0), `<13>${text}\n`);
  await waitFor(`"${text}"`, () => on.port.texts.includes(text), 5_000);
  return performance.now() - began;
}

describe('syslog: connections that are held and say nothing', () => {
  it('G1 four thousand of another address with the limits as they come: a new honest sender is served at once', async () => {
    const on = await listening({ tcp: ['127.0.0.1:0'] });
    const before = process.memoryUsage().rss;
    const held = await crowd(on.ports()[0] ?? 0, 4_000, 1);
    // There are 512 places, and one address never gets all of them.
    await waitFor('the others to be closed', () => held.closed() >= 4_000 - 512);
    expect(await servedIn(on, 'honest')).toBeLessThan(1_000);
    expect(
      on.port.counted('refused_connections') + on.port.counted('evicted_connections'),
    ).toBeGreaterThanOrEqual(4_000 - 512);
    expect(on.warnings.length).toBeLessThan(20);
    expect(process.memoryUsage().rss - before).toBeLessThan(100 * mebibyte);
  }, 30_000);

  it('G1 three thousand of many addresses take all places: once they were silent for a while, one of them makes room at once', async () => {
    const on = await listening({ tcp: ['127.0.0.1:0'], maxConnections: 3_000 });
    const held = await crowd(on.ports()[0] ?? 0, 3_000, 250);
    expect(held.closed()).toBe(0);
    // Silence is counted from when they began; the last of them is let be silent too.
    const silentFrom = performance.now() + 2_200;
    await waitFor('the silence', () => performance.now() > silentFrom);
    for (const text of ['one', 'two', 'three']) expect(await servedIn(on, text)).toBeLessThan(1_000);
    expect(on.port.counted('evicted_connections')).toBe(3);
    expect(on.port.counted('refused_connections')).toBe(0);
    await waitFor('the three that made room', () => held.closed() === 3);
  }, 30_000);
});

describe('syslog: a count that lies', () => {
  const cases: readonly (readonly [string, string, readonly string[]])[] = [
    ['far too long, then the end', '999999999 <13>lie', ['lie']],
    ['nothing', '0 <13>a\n<13>b\n', ['0 <13>a', 'b']],
    ['below nothing', '-1 <13>a\n<13>b\n', ['-1 <13>a', 'b']],
    ['with an exponent', '1e9 <13>a\n<13>b\n', ['1e9 <13>a', 'b']],
    ['with zeros in front', '00012 <13>abcdefgh\n<13>b\n', ['00012 <13>abcdefgh', 'b']],
    ['of ten digits', '1234567890<13>a\n<13>b\n', ['1234567890<13>a', 'b']],
    ['ended within a letter', '6 <13>é\n<13>b\n', ['é', 'b']],
    ['of more than comes', '20 <13>short', ['short']],
    ['of some messages only', '5 <13>a<13>b\n5 <13>c<13>d\n', ['a', 'b', 'c', 'd']],
  ];
  for (const [name, bytes, texts] of cases)
    it(`G2 ${name}: the text is kept, and what comes behind it is read`, async () => {
      const on = await listening({ tcp: ['127.0.0.1:0'] });
      const socket = await dial(on.ports()[0] ?? 0);
      await write(socket, bytes);
      socket.end();
      await waitFor('the end', () => socket.destroyed);
      await waitFor('the messages', () => on.port.messages.length >= texts.length);
      expect(on.port.texts).toEqual(texts);
    });

  it('G2 larger than the limit: its head is kept, the rest passed over, and nothing is reserved by the count', async () => {
    const on = await listening({ tcp: ['127.0.0.1:0'], maxFrameBytes: 65_536 });
    const socket = await dial(on.ports()[0] ?? 0);
    const before = process.memoryUsage();
    const sockets: Socket[] = [];
    for (let at = 0; at < 50; at++) sockets.push(await dial(on.ports()[0] ?? 0));
    for (const one of sockets) await write(one, '999999999 <13>');
    await write(socket, `100000 <13>${'x'.repeat(99_996)}5 <13>b`);
    await waitFor('both', () => on.port.messages.length >= 2);
    expect(on.port.texts.map((text) => text.length)).toEqual([65_532, 1]);
    const after = process.memoryUsage();
    expect(after.arrayBuffers - before.arrayBuffers).toBeLessThan(4 * mebibyte);
  });
});

describe('syslog: messages in crumbs', () => {
  it('G3 one byte a segment, ended by LF or NUL', async () => {
    const on = await listening({ tcp: ['127.0.0.1:0'] });
    for (const bytes of ['<13>one\n<13>two\n', '<13>three\0<13>four\0']) {
      const socket = await dial(on.ports()[0] ?? 0);
      socket.setNoDelay(true);
      for (const byte of Buffer.from(bytes)) await write(socket, Buffer.from([byte]));
      socket.end();
      await waitFor('the end', () => socket.destroyed);
    }
    expect(on.port.texts).toEqual(['one', 'two', 'three', 'four']);
  });

  it('G3 one over the limit in a thousand segments keeps its head, and the next is whole, ended by LF or NUL', async () => {
    const on = await listening({ tcp: ['127.0.0.1:0'], maxFrameBytes: 65_536 });
    for (const end of ['\n', '\0']) {
      const socket = await dial(on.ports()[0] ?? 0);
      socket.setNoDelay(true);
      await write(socket, '<13>');
      for (let at = 0; at < 1_000; at++) await write(socket, 'y'.repeat(100));
      await write(socket, `${end}<13>next${end}`);
      socket.end();
      await waitFor('the end', () => socket.destroyed);
    }
    const lengths = on.port.texts.map((text) => text.length);
    expect(lengths).toEqual([65_532, 4, 65_532, 4]);
  });
});

describe('syslog: a connection that ends in the middle', () => {
  it('G4 reset: what was whole is kept, and the daemon listens on', async () => {
    const on = await listening({ tcp: ['127.0.0.1:0'] });
    const socket = await dial(on.ports()[0] ?? 0);
    await write(socket, '<13>whole\n<13>hal');
    await waitFor('the whole one', () => on.port.texts.includes('whole'));
    socket.resetAndDestroy();
    expect(await servedIn(on, 'next')).toBeLessThan(1_000);
    expect(on.port.texts.filter((text) => text === 'whole')).toHaveLength(1);
  });

  it('G4 an end without a line end, and a half-close: the last message is read too, once', async () => {
    const on = await listening({ tcp: ['127.0.0.1:0'] });
    const socket = await dial(on.ports()[0] ?? 0);
    await write(socket, '<13>whole\n<13>without its end');
    // Only our half is closed; the other side closes when it has read all.
    socket.end();
    await waitFor('the other half', () => socket.destroyed);
    expect(on.port.texts).toEqual(['whole', 'without its end']);
    const counted = await dial(on.ports()[0] ?? 0);
    await write(counted, '5 <13>a30 <13>only the beginning');
    counted.end();
    await waitFor('the other half', () => counted.destroyed);
    expect(on.port.texts.slice(2)).toEqual(['a', 'only the beginning']);
  });
});

it('G10 an address that is not allowed is refused before any byte of it is read', async () => {
  const on = await listening({ tcp: ['127.0.0.1:0'], udp: ['127.0.0.1:0'], allowFrom: ['10.0.0.0/8'] });
  const [udp = 0, tcp = 0] = on.ports();
  const socket = await dial(tcp);
  await write(socket, '<13>hostile\n'.repeat(100));
  await waitFor('the end', () => socket.destroyed);
  await sendDatagrams(udp, ['<13>hostile']);
  await waitFor('both counts', () => on.port.counted('denied') === 2);
  expect(on.port.takes).toBe(0);
});
