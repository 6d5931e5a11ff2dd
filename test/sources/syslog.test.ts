import { spawn, spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { chmodSync, copyFileSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls';
import type { Worker } from 'node:worker_threads';
import { describe, expect, it, onTestFinished } from 'vitest';
import { readProxyHeader } from '../../src/sources/proxy-header.ts';
import { realClock } from '../../src/system/clock.ts';
import { freePort } from '../support/free-port.ts';
import { type SyslogCase, syslogCases } from '../support/syslog-cases.ts';
import { dial, listening, sendDatagrams, tlsFile, write } from '../support/syslog-listening.ts';
import { tempDir } from '../support/temp-dir.ts';
import { waitFor } from '../support/wait-for.ts';

const tlsConfig = (more: object = {}) => ({
  listen: '127.0.0.1:0',
  cert: tlsFile('server'),
  key: tlsFile('key'),
  ca: null,
  allow: [],
  ...more,
});

async function dialTls(port: number, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const socket = connectTls({
    port,
    host: '127.0.0.1',
    servername: 'localhost',
    ca: readFileSync(tlsFile('ca')),
    ...options,
  });
  socket.on('error', () => undefined);
  onTestFinished(() => void socket.destroy());
  await new Promise((resolve) => {
    socket.once('secureConnect', resolve);
    socket.once('close', resolve);
  });
  return socket;
}

function withCertificate(name: string): ConnectionOptions {
  return { cert: readFileSync(tlsFile(name)), key: readFileSync(tlsFile('key')) };
}

function sendUnix(path: string, data: Buffer | string): void {
  const { createSocket: create } = createRequire(import.meta.url)('unix-dgram');
  const socket = create('unix_dgram');
  socket.on('error', () => undefined);
  socket.send(Buffer.from(data as string), 0, Buffer.byteLength(data), path);
  socket.close();
}

/** Sends the bytes of a case over the transport it names, in pieces. */
async function send(given: SyslogCase, pieces: readonly Buffer[]) {
  const path = join(tempDir(), 'log');
  const { framing, maxFrameBytes, tz, receivedAt } = given;
  const clock = { ...realClock, now: () => receivedAt };
  const common = { framing, maxFrameBytes, tz };
  if (given.transport === 'udp') {
    const on = await listening({ ...common, udp: ['127.0.0.1:0'] }, clock);
    await sendDatagrams(on.ports()[0] ?? 0, pieces);
    return on;
  }
  if (given.transport === 'unix-dgram') {
    const on = await listening({ ...common, unix: [path] }, clock);
    for (const piece of pieces) sendUnix(path, piece);
    return on;
  }
  const secure = given.transport === 'tls';
  const on = await listening(
    { ...common, ...(secure ? { tls: [tlsConfig()] } : { tcp: ['127.0.0.1:0'] }) },
    clock,
  );
  const port = on.ports()[0] ?? 0;
  const socket: Socket = secure ? await dialTls(port) : await dial(port);
  socket.setNoDelay(true);
  for (const piece of pieces) await write(socket, piece);
  socket.end();
  return on;
}

describe('syslog over the transport that each case names', () => {
  for (const given of syslogCases()) {
    if (given.transport === 'http-logplex') continue;
    const isStream = given.transport === 'tcp' || given.transport === 'tls';
    it(`${given.transport} ${given.name}`, async () => {
      const { bytes } = given;
      const cuts = isStream && bytes.length > 3 ? [[bytes], singles(bytes), thirds(bytes)] : [[bytes]];
      for (const pieces of cuts) {
        const on = await send(given, pieces);
        await waitFor('the messages', () => on.port.messages.length >= given.messages.length);
        await on.stop();
        expect(on.port.messages.map(({ text, envelope }) => ({ ...envelope, message: text }))).toEqual(
          given.messages,
        );
      }
    });
  }
});

function singles(data: Buffer): Buffer[] {
  // Long runs are cut at their ends only: what matters is where something changes.
  const pieces: Buffer[] = [];
  for (let at = 0; at < data.length; ) {
    const step = at > 300 && at < data.length - 300 ? 97 : 1;
    pieces.push(data.subarray(at, at + step));
    at += step;
  }
  return pieces;
}

function thirds(data: Buffer): Buffer[] {
  const third = Math.ceil(data.length / 3);
  return [data.subarray(0, third), data.subarray(third, 2 * third), data.subarray(2 * third)].filter(
    (one) => one.length > 0,
  );
}

describe('syslog: senders', () => {
  it('each connection and each sending address is a stream of its own; its host is the peer', async () => {
    const on = await listening({ udp: ['127.0.0.1:0'], tcp: ['127.0.0.1:0'] });
    const [udp = 0, tcp = 0] = on.ports();
    await sendDatagrams(udp, ['<13>a', '<13>b']);
    await sendDatagrams(udp, ['<13>c']);
    const first = await dial(tcp);
    const second = await dial(tcp);
    await write(first, '<13>d\n<13>hal');
    await write(second, '<13>e\n');
    await waitFor('all', () => on.port.messages.length === 5);
    await write(first, 'f\n');
    await waitFor('the rest', () => on.port.messages.length === 6);
    const streams = new Map<string, string>();
    for (const { key, text } of on.port.messages) streams.set(key, `${streams.get(key) ?? ''} ${text}`);
    expect([...streams.values()].sort()).toEqual([' a b c', ' d half', ' e']);
    expect(new Set(on.port.messages.map((one) => one.host))).toEqual(new Set(['127.0.0.1']));
    first.destroy();
    second.destroy();
    await waitFor('their ends', () => on.port.forgotten.length === 2);
  });

  it('S11 one address for IPv4 and IPv6: an IPv4 peer has its own name', async () => {
    const on = await listening({ udp: ['*:0'], tcp: ['*:0'], allowFrom: ['127.0.0.0/8'] });
    const [udp = 0, tcp = 0] = on.ports();
    await sendDatagrams(udp, ['<13>udp']);
    await write(await dial(tcp), '<13>tcp\n');
    await waitFor('both', () => on.port.messages.length === 2);
    expect(on.port.messages.map((one) => one.host)).toEqual(['127.0.0.1', '127.0.0.1']);
  });

  it('G5 datagrams: empty ones, the largest there is, and many at once', async () => {
    const on = await listening({ udp: ['127.0.0.1:0'] });
    const [udp = 0] = on.ports();
    await sendDatagrams(udp, [
      '',
      `<13>${'x'.repeat(65_503)}`,
      ...Array.from({ length: 3000 }, (_, at) => `<13>message ${at}`),
    ]);
    await waitFor('all', () => on.port.messages.length === 3001);
    expect(on.port.messages[0]?.text).toHaveLength(65_503);
    expect(on.port.texts.slice(1)).toEqual(Array.from({ length: 3000 }, (_, at) => `message ${at}`));
    expect(on.port.takes).toBeLessThan(400);
  });

  it('G5 senders without number: those that are kept apart are limited', async () => {
    const on = await listening({ udp: ['127.0.0.1:0'] });
    const [udp = 0] = on.ports();
    const senders = 1_100;
    for (let at = 0; at < senders; at++) {
      const socket = createSocket('udp4');
      await new Promise<void>((resolve) => socket.bind(0, `127.1.${at >> 8}.${at & 255 || 1}`, resolve));
      await new Promise((resolve) => socket.send(`<13>from ${at}`, udp, '127.0.0.1', resolve));
      socket.close();
    }
    await waitFor('all', () => on.port.messages.length === senders);
    expect(on.port.forgotten.length).toBeGreaterThan(60);
  });

  it('S7 what the kernel throws away is counted, and said once; what was read is not lost while nobody takes it', async () => {
    const on = await listening({ udp: ['127.0.0.1:0'] });
    const [udp = 0] = on.ports();
    on.port.keep = false;
    // Nobody reads while another process sends more than the kernel keeps.
    const sent = 150_000;
    const sender = `const s=require('dgram').createSocket('udp4');const b=Buffer.alloc(500,'x');let n=0;
      s.connect(${udp},'127.0.0.1',function go(){ for(let i=0;i<50&&n<${sent};i++,n++) s.send(b); n<${sent}?setImmediate(go):setTimeout(()=>s.close(),50) })`;
    expect(spawnSync(process.execPath, ['-e', sender]).status).toBe(0);
    await waitFor(
      'the account',
      () =>
        on.port.counted('udp_kernel_drops') > 0 &&
        on.port.received + on.port.counted('udp_kernel_drops') === sent,
    );
    expect(on.port.troubles).toHaveLength(1);
    expect(on.port.troubles[0]).toMatch(/the kernel threw away \d+ datagrams/);
    expect(on.port.troubles[0]).toMatch(/keeps up to [\d,]+ KiB/);
  });

  it('A14 UDP is read in a thread of its own: when it ends, that is told and counted, and the address is listened on again', async () => {
    const threads: Worker[] = [];
    const note = (thread: Worker): unknown => threads.push(thread);
    process.on('worker', note);
    onTestFinished(() => void process.off('worker', note));
    const on = await listening({ udp: ['127.0.0.1:0'] });
    const [udp = 0] = on.ports();
    await sendDatagrams(udp, ['<13>before']);
    await waitFor('the first', () => on.port.texts.includes('before'));
    await threads[0]?.terminate();
    await waitFor('the new thread', () => on.port.states.length > 2);
    expect(on.port.counted('udp_receiver_failures')).toBe(1);
    expect(on.warnings.join()).toMatch(/udp 127\.0\.0\.1:0: its receiver ended/);
    expect(on.port.states[1]).toMatch(/^failing: udp .* its receiver ended/);
    expect(on.port.states.at(-1)).toBe(`ok: listens on udp 127.0.0.1:${udp}`);
    await sendDatagrams(udp, ['<13>after']);
    await waitFor('the next', () => on.port.texts.includes('after'));
    expect(threads).toHaveLength(2);
  });

  it('UDP stops in time while a sender goes on, and leaves neither a thread nor the address', async () => {
    let gone = false;
    process.once('worker', (thread: Worker) => thread.once('exit', () => (gone = true)));
    const on = await listening({ udp: ['127.0.0.1:0'] });
    const [udp = 0] = on.ports();
    on.port.keep = false;
    const sender = spawn(process.execPath, [
      '-e',
      `const s=require('dgram').createSocket('udp4');const b=Buffer.alloc(200,'x');s.on('error',()=>{});
       s.connect(${udp},'127.0.0.1',function go(){ for(let i=0;i<50;i++) s.send(b,()=>{}); setImmediate(go) })`,
    ]);
    onTestFinished(() => void sender.kill());
    await waitFor('a stream of datagrams', () => on.port.received > 1_000);
    const began = performance.now();
    await on.stop();
    expect(performance.now() - began).toBeLessThan(4_000);
    expect(gone).toBe(true);
    const after = on.port.received;
    const again = createSocket('udp4');
    await new Promise<void>((resolve, reject) => {
      again.once('error', reject);
      again.bind(udp, '127.0.0.1', resolve);
    });
    again.close();
    expect(on.port.received).toBe(after);
  });

  it('G7 a reader slower than a sender: the sender waits, and nothing is lost', async () => {
    const on = await listening({ tcp: ['127.0.0.1:0'] });
    on.port.keep = false;
    on.port.onTake = () => {
      const until = performance.now() + 2;
      while (performance.now() < until);
    };
    const socket = await dial(on.ports()[0] ?? 0);
    const before = process.memoryUsage().rss;
    const piece = `<13>Nov 21 01:00:00 h a: ${'y'.repeat(170)}\n`.repeat(300);
    for (let turn = 0; turn < 500; turn++) await write(socket, piece);
    socket.end();
    await waitFor('all', () => on.port.received === 150_000, 30_000);
    expect(process.memoryUsage().rss - before).toBeLessThan(150 * 1024 * 1024);
  }, 40_000);

  it('who is not in allow_from may not send, and is counted', async () => {
    const on = await listening({
      udp: ['127.0.0.1:0'],
      tcp: ['127.0.0.1:0'],
      allowFrom: ['10.0.0.0/8', 'fd00::/8'],
    });
    const [udp = 0, tcp = 0] = on.ports();
    const socket = await dial(tcp);
    await waitFor('the end', () => socket.destroyed);
    await sendDatagrams(udp, ['<13>a', '<13>b']);
    await waitFor('the count', () => on.port.counted('denied') === 3);
    expect(on.warnings).toEqual(['127.0.0.1 may not send: it is not in allow_from']);
    await on.change({ allowFrom: ['127.0.0.1'] });
    await sendDatagrams(udp, ['<13>c']);
    await waitFor('the message', () => on.port.texts.includes('c'));
  });
});

describe('syslog: limits of connections', () => {
  it('G1 sixty on forty places that say nothing: an honest sender is served, and places are limited', async () => {
    const on = await listening({ tcp: ['127.0.0.1:0'], maxConnections: 40 });
    const [port = 0] = on.ports();
    const dumb: Socket[] = [];
    for (let at = 0; at < 60; at++) dumb.push(await dial(port));
    for (const socket of dumb) socket.write('<');
    await waitFor('refusals', () => dumb.filter((one) => one.destroyed).length >= 40);
    // Those that hold a place and never send a whole message make room after a short while.
    const began = performance.now();
    const served = await waitFor(
      'the honest sender',
      () => on.port.texts.includes('honest') || tryAgain(port),
      8_000,
    );
    expect(served).toBe(true);
    expect(performance.now() - began).toBeLessThan(6_000);
    expect(on.port.counted('refused_connections')).toBeGreaterThanOrEqual(40);
    expect(on.port.counted('evicted_connections')).toBeGreaterThan(0);
  }, 20_000);

  it('S1 S2 a count without end and messages without end: no memory by the count, and a limit of what is held', async () => {
    const on = await listening({ tcp: ['127.0.0.1:0'], maxFrameBytes: 1000 });
    const socket = await dial(on.ports()[0] ?? 0);
    await write(socket, `999999999 <13>${'a'.repeat(5000)}`);
    await waitFor('the head', () => on.port.messages.length === 1);
    expect(on.port.messages[0]?.text).toHaveLength(996);
    expect(on.source.lagBytes()).toBeLessThan(2000);
  });

  it('a quiet connection is closed after idle_timeout, and its last message is read', async () => {
    const on = await listening({ tcp: ['127.0.0.1:0'], idleTimeoutMs: 300 });
    const socket = await dial(on.ports()[0] ?? 0);
    await write(socket, '<13>unfinished');
    await waitFor('the end', () => socket.destroyed);
    expect(on.port.texts).toEqual(['unfinished']);
    expect(on.port.counted('idle_connections_closed')).toBe(1);
  });

  it('P14 TLS on the plain port is said, and is no message', async () => {
    const on = await listening({ tcp: ['127.0.0.1:0'] });
    await dialTls(on.ports()[0] ?? 0);
    await waitFor('the count', () => on.port.counted('tls_on_plain') === 1);
    expect(on.warnings[0]).toMatch(/speaks TLS to the plain port/);
    expect(on.port.texts).toEqual([]);
  });

  it('P13 the head of a proxy is never a message, and is believed only from proxy_from', async () => {
    const on = await listening({ tcp: ['127.0.0.1:0'] });
    const [port = 0] = on.ports();
    await write(await dial(port), 'PROXY TCP4 192.0.2.7 192.0.2.8 5000 514\r\n<13>a\n');
    await waitFor('it', () => on.port.messages.length === 1);
    expect(on.port.messages[0]).toMatchObject({ text: 'a', host: '127.0.0.1' });
    expect(on.port.counted('proxy_headers_not_believed')).toBe(1);
    await on.change({ proxyFrom: ['127.0.0.1'] });
    await write(await dial(port), 'PROXY TCP4 192.0.2.7 192.0.2.8 5000 514\n<13>b\n');
    const second = Buffer.from('0d0a0d0a000d0a515549540a2111000cc0000207c000020813880202', 'hex');
    await write(await dial(port), Buffer.concat([second, Buffer.from('<13>c\n')]));
    await write(await dial(port), 'PROXIES are text\n');
    await waitFor('all', () => on.port.messages.length === 4);
    expect(
      on.port.messages
        .slice(1)
        .map((one) => [one.text, one.host])
        .sort(),
    ).toEqual([
      ['PROXIES are text', '127.0.0.1'],
      ['b', '192.0.2.7'],
      ['c', '192.0.2.7'],
    ]);
    expect(readProxyHeader(Buffer.from('PROX'))).toBe('more');
    expect(readProxyHeader(Buffer.from('PROXY TCP4 not an address 1 2\r\n'))).toBeNull();
  });
});

let lastTry = 0;
function tryAgain(port: number): false {
  if (performance.now() - lastTry < 300) return false;
  lastTry = performance.now();
  void dial(port).then((socket) => socket.write('<13>honest\n'));
  return false;
}

describe('syslog: addresses', () => {
  it('S5 a port that is taken: failing with the address, tried again, and well once it is free', async () => {
    const port = await freePort();
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(port, '127.0.0.1', resolve));
    const on = await listening({ tcp: [`127.0.0.1:${port}`], udp: ['127.0.0.1:0'] });
    expect(on.port.states.at(-1)).toMatch(
      new RegExp(
        `^failing: cannot listen on tcp 127.0.0.1:${port}: another program has this address.*tried again.*listens on udp`,
      ),
    );
    await sendDatagrams(on.ports().at(-1) ?? 0, ['<13>udp works']);
    await waitFor('the message', () => on.port.texts.includes('udp works'));
    await new Promise((resolve) => other.close(resolve));
    await waitFor('the address', () => on.port.states.at(-1)?.startsWith('ok'), 10_000);
    await write(await dial(port), '<13>tcp too\n');
    await waitFor('the message', () => on.port.texts.includes('tcp too'));
  }, 20_000);

  it('a name without an address and an address of another machine are said', async () => {
    const on = await listening({ tcp: ['no-such-host.invalid:514'], udp: ['192.0.2.1:5514'] });
    expect(on.port.states.at(-1)).toMatch(
      /cannot listen on udp 192\.0\.2\.1:5514: this machine does not have the address/,
    );
    expect(on.port.states.at(-1)).toMatch(/cannot listen on tcp no-such-host\.invalid:514: /);
  });

  it('a change keeps what did not change: connections live on, with the new settings', async () => {
    const on = await listening({ tcp: ['127.0.0.1:0'], udp: ['127.0.0.1:0'] });
    const [udp = 0, tcp = 0] = on.ports();
    const socket = await dial(tcp);
    await write(socket, '<13>before\n<13>ha');
    await waitFor('the first', () => on.port.messages.length === 1);
    const more = await freePort();
    await on.change({ udp: [`127.0.0.1:${more}`], maxFrameBytes: 4000, labels: { a: 'b' } });
    await write(socket, 'lf\n<13>after\n');
    await sendDatagrams(more, ['<13>new']);
    await waitFor('all', () => on.port.messages.length === 4);
    expect(socket.destroyed).toBe(false);
    expect([...on.port.texts].sort()).toEqual(['after', 'before', 'half', 'new']);
    await sendDatagrams(udp, ['<13>nobody']).catch(() => undefined);
    await on.change({ tcp: [] });
    await waitFor('the end', () => socket.destroyed);
  });

  it('S6 stop: what was sent before is read, unfinished messages too, and the address is free', async () => {
    const on = await listening({ tcp: ['127.0.0.1:0'], udp: ['127.0.0.1:0'] });
    const [udp = 0, tcp = 0] = on.ports();
    const socket = await dial(tcp);
    await sendDatagrams(
      udp,
      Array.from({ length: 300 }, (_, at) => `<13>d${at}`),
    );
    await write(socket, '<13>whole\n<13>unfinished');
    const began = performance.now();
    await on.stop();
    expect(performance.now() - began).toBeLessThan(3_000);
    expect(on.port.messages).toHaveLength(302);
    expect(on.port.texts).toEqual(expect.arrayContaining(['whole', 'unfinished', 'd299']));
    const again = createServer();
    await new Promise<void>((resolve, reject) =>
      again.once('error', reject).listen(tcp, '127.0.0.1', resolve),
    );
    again.close();
  });

  it('G12 S10 unix sockets: a stale one is replaced, another file is not, the mode lets programs in, and it is gone at the end', async () => {
    const dir = tempDir();
    const paths = [join(dir, 'dgram'), join(dir, 'stream')] as const;
    for (const path of paths) {
      const code = `import socket,sys
s=socket.socket(socket.AF_UNIX, socket.SOCK_${path.endsWith('dgram') ? 'DGRAM' : 'STREAM'}); s.bind(sys.argv[1])`;
      expect(spawnSync('python3', ['-c', code, path]).status).toBe(0);
      expect(statSync(path).isSocket()).toBe(true);
    }
    const on = await listening({ unix: [paths[0]], unixStream: [paths[1]] });
    expect(on.port.states.at(-1)).toMatch(/^ok/);
    expect(statSync(paths[0]).mode & 0o777).toBe(0o666);
    sendUnix(paths[0], '<13>datagram');
    await write(await dial(paths[1]), '<13>stream\n');
    await waitFor('both', () => on.port.messages.length === 2);
    const second = await listening({ unix: [paths[0]], unixStream: [paths[1]] });
    expect(second.port.states.at(-1)).toMatch(
      /failing: .*another program listens there.*another program listens there/,
    );
    await second.stop();
    expect(existsSync(paths[0])).toBe(true);
    await on.stop();
    expect(paths.map((path) => existsSync(path))).toEqual([false, false]);
    const file = join(dir, 'file');
    writeFileSync(file, 'text');
    const third = await listening({
      unix: [file, join(dir, 'x'.repeat(120))],
      unixStream: [join(dir, 'no/folder')],
    });
    expect(third.port.states.at(-1)).toMatch(
      /no socket; remove it.*the most for a socket is 107.*the folder of this path is missing/,
    );
    await third.stop();
    expect(readFileSync(file, 'utf8')).toBe('text');
  });
});

describe('syslog over TLS', () => {
  it('P14 a server certificate alone: everybody may send; below TLS 1.2 nobody', async () => {
    const on = await listening({ tls: [tlsConfig()] });
    const [port = 0] = on.ports();
    const socket = await dialTls(port);
    expect(socket.authorized).toBe(true);
    await write(socket, '5 <13>a');
    await waitFor('it', () => on.port.texts.includes('a'));
    // OpenSSL 3.5 would not even ask for so old a version without this.
    const ciphers = 'DEFAULT@SECLEVEL=0';
    const old = await dialTls(port, { maxVersion: 'TLSv1.1', minVersion: 'TLSv1', ciphers });
    await waitFor('its end', () => old.destroyed);
    expect(on.port.counted('tls_handshakes_failed')).toBe(1);
  });

  it('P14 clients by the signer of their certificate, by name and by fingerprint', async () => {
    const fingerprint = spawnSync('openssl', [
      'x509',
      '-noout',
      '-fingerprint',
      '-sha256',
      '-in',
      tlsFile('stranger'),
    ])
      .stdout.toString()
      .split('=')[1]
      ?.trim();
    const on = await listening({
      tls: [tlsConfig({ ca: tlsFile('ca'), allow: ['*.example.com', `sha256:${fingerprint}`] })],
    });
    const [port = 0] = on.ports();
    for (const [name, may] of [
      ['client', true],
      ['other', false],
      ['stranger', true],
      ['', false],
    ] as const) {
      const socket = await dialTls(port, name === '' ? {} : withCertificate(name));
      socket.write(`<13>from ${name}\n`);
      if (may) await waitFor(name, () => on.port.texts.includes(`from ${name}`));
      else await waitFor(`the end of ${name}`, () => socket.destroyed);
    }
    expect(on.port.texts).toEqual(['from client', 'from stranger']);
    expect(on.port.counted('tls_clients_refused')).toBe(2);
    expect(on.warnings.join('\n')).toMatch(/no name of its certificate \(db1\.example\.org\) is in allow/);
    expect(on.warnings.join('\n')).toMatch(/it has no certificate/);
    await on.change({ tls: [tlsConfig({ listen: on.source.name, ca: tlsFile('ca') })] });
  });

  it('S8 a new certificate is taken up while connections stay open; a broken one leaves the old', async () => {
    const dir = tempDir();
    const cert = join(dir, 'cert.pem');
    const key = join(dir, 'key.pem');
    copyFileSync(tlsFile('server'), cert);
    copyFileSync(tlsFile('key'), key);
    const on = await listening({ tls: [tlsConfig({ cert, key })] });
    const [port = 0] = on.ports();
    const before = await dialTls(port);
    expect(before.getPeerCertificate().subjectaltname).not.toMatch(/renewed/);
    copyFileSync(tlsFile('renewed'), cert);
    await waitFor('the new one', () => on.port.counted('tls_certificates_reloaded') === 1);
    const after = await dialTls(port);
    expect(after.getPeerCertificate().subjectaltname).toMatch(/renewed/);
    writeFileSync(cert, 'no certificate');
    await waitFor('the trouble', () => on.port.troubles.length === 1);
    expect(on.port.troubles[0]).toMatch(/the new certificate cannot be used: .*The old one goes on/);
    expect((await dialTls(port)).authorized).toBe(true);
    await write(before, '<13>old connection\n');
    await waitFor('it', () => on.port.texts.includes('old connection'));
    copyFileSync(tlsFile('renewed'), cert);
    await waitFor('the end of it', () => on.port.troubles.length === 2);
  });

  it('P14 plain text on the TLS port gets one clear line', async () => {
    const on = await listening({ tls: [tlsConfig()] });
    const [port = 0] = on.ports();
    for (let turn = 0; turn < 3; turn++) {
      const socket = await dial(port);
      await write(socket, '<13>plain text, and enough of it\n');
      await waitFor('its end', () => socket.destroyed);
    }
    await waitFor('the count', () => on.port.counted('plain_on_tls') === 3);
    expect(on.warnings).toHaveLength(1);
    expect(on.warnings[0]).toMatch(/speaks plain text to tls 127\.0\.0\.1:0/);
    expect(on.port.texts).toEqual([]);
  });

  it('a certificate that is not there: failing, with the path', async () => {
    const dir = tempDir();
    const on = await listening({ tls: [tlsConfig({ cert: join(dir, 'none.pem') })] });
    expect(on.port.states.at(-1)).toMatch(
      /failing: cannot listen on tls .*none\.pem cannot be read \(ENOENT\)/,
    );
    chmodSync(dir, 0o755);
  });
});
