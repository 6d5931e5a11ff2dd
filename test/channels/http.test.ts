/** The door to HTTP against servers that break the rules. Connections are real; only the resolver is ours. */
import { readFileSync } from 'node:fs';
import { createServer as createHttps } from 'node:https';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { describe, expect, it, onTestFinished } from 'vitest';
import { isPrivateAddress } from '../../src/channels/address.ts';
import { type HttpDoorOptions, type HttpResult, openHttpDoor } from '../../src/channels/http.ts';
import { limitedResolve, lookupMs, lookupsAtOnce, type Resolve } from '../../src/channels/lookup.ts';
import { realClock } from '../../src/system/clock.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { waitFor } from '../support/wait-for.ts';
import { webhookServer } from '../support/webhook-server.ts';

const never = new AbortController().signal;

function door(url: string, over: Partial<HttpDoorOptions> = {}) {
  const opened = openHttpDoor({
    url: new URL(url),
    allowPrivate: true,
    timeoutMs: 5000,
    clock: realClock,
    userAgent: 'tocsin/test',
    ...over,
  });
  onTestFinished(() => opened.close());
  return (body = '{"a":1}', signal = never): Promise<HttpResult> =>
    opened.postJson({ headers: {}, body, signal });
}

/** A server of raw bytes: `talk` gets each socket and what came over it. */
async function rawServer(
  talk: (socket: Socket, data: string) => void,
): Promise<{ url: string; sockets: Socket[] }> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => {});
    let data = '';
    socket.on('data', (part) => {
      data += part.toString('latin1');
      if (!/\r\n\r\n./s.test(data)) return;
      const whole = data;
      data = '';
      talk(socket, whole);
    });
  });
  const port = await listen(server);
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { url: `http://127.0.0.1:${port}/hooks/t0ken`, sockets };
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

async function closedPort(): Promise<number> {
  const server = createServer();
  const port = await listen(server);
  await new Promise((resolve) => server.close(resolve));
  return port;
}

const ok = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';

describe('one POST', () => {
  it('carries the body and says who sends it; credentials of the URL become a header', async () => {
    const server = await webhookServer();
    const url = server.url.replace('http://', 'http://user:p%40ss@');
    expect(await door(url)('{"text":"\u00fc"}')).toMatchObject({ kind: 'answer', status: 200, body: 'ok' });
    expect(server.received[0]).toMatchObject({ method: 'POST', url: '/hook', json: { text: '\u00fc' } });
    expect(server.received[0]?.headers).toMatchObject({
      'content-type': 'application/json; charset=utf-8',
      'user-agent': 'tocsin/test',
      'accept-encoding': 'identity',
      authorization: `Basic ${Buffer.from('user:p@ss').toString('base64')}`,
    });
  });

  it('goes over one connection when it is followed by another', async () => {
    const server = await rawServer((socket) => socket.write(ok));
    const post = door(server.url);
    for (let turn = 0; turn < 3; turn++) expect(await post()).toMatchObject({ status: 200 });
    expect(server.sockets.length).toBe(1);
  });

  it('D18 a kept connection that was closed meanwhile is replaced at once, one time', async () => {
    let requests = 0;
    const server = await rawServer((socket) => {
      requests += 1;
      if (requests === 2) socket.destroy();
      else socket.write(ok);
    });
    const post = door(server.url);
    expect(await post()).toMatchObject({ status: 200 });
    expect(await post()).toMatchObject({ status: 200 });
    expect(requests).toBe(3);
  });

  it('D18 a fresh connection that breaks is a failure, not a second try', async () => {
    let requests = 0;
    const server = await rawServer((socket) => {
      requests += 1;
      socket.resetAndDestroy();
    });
    expect(await door(server.url)()).toMatchObject({
      kind: 'fault',
      code: expect.stringMatching(/ECONNRESET|UND_ERR_SOCKET/),
    });
    expect(requests).toBe(1);
  });

  it('D9 never follows a redirect', async () => {
    const target = await webhookServer();
    const server = await webhookServer();
    server.script.push({ status: 307, headers: { location: target.url } });
    expect(await door(server.url)()).toMatchObject({
      kind: 'answer',
      status: 307,
      headers: { location: target.url },
    });
    expect(target.received).toEqual([]);
  });
});

describe('one deadline over all of it', () => {
  const deadline = { timeoutMs: 150 };

  it('D3 a server that never answers', async () => {
    const server = await rawServer(() => {});
    expect(await door(server.url, deadline)()).toEqual({ kind: 'fault', code: 'DEADLINE', status: null });
  });

  it('D3 a server that drips its answer for ever, a byte at a time', async () => {
    const server = await rawServer((socket) => {
      socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n');
      const timer = setInterval(() => socket.write('1\r\nx\r\n'), 10);
      socket.on('close', () => clearInterval(timer));
    });
    expect(await door(server.url, deadline)()).toEqual({ kind: 'fault', code: 'DEADLINE', status: 200 });
    await waitFor('the socket to be given up', () => server.sockets[0]?.destroyed);
  });

  it('D3 a server that drips its headers, and one that hangs after them', async () => {
    const drip = await rawServer((socket) => {
      socket.write('HTTP/1.1 200 OK\r\nx: ');
      const timer = setInterval(() => socket.write('y'), 10);
      socket.on('close', () => clearInterval(timer));
    });
    expect(await door(drip.url, deadline)()).toMatchObject({ code: 'DEADLINE', status: null });
    const hang = await rawServer((socket) => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n'));
    expect(await door(hang.url, deadline)()).toMatchObject({ code: 'DEADLINE', status: 200 });
  });

  it('D11 a server that hangs in the TLS handshake', async () => {
    const server = await rawServer(() => {});
    expect(await door(server.url.replace('http:', 'https:'), deadline)()).toMatchObject({ code: 'DEADLINE' });
  });

  it('the caller can give up at any time', async () => {
    const server = await rawServer(() => {});
    const stop = new AbortController();
    const waiting = door(server.url)('{}', stop.signal);
    await waitFor('the request', () => server.sockets.length > 0);
    stop.abort();
    expect(await waiting).toEqual({ kind: 'fault', code: 'STOPPED', status: null });
    expect(await door(server.url)('{}', AbortSignal.abort())).toMatchObject({ code: 'STOPPED' });
  });
});

describe('answers that are too much', () => {
  it('D4 an endless answer ends after 64 KiB', async () => {
    const server = await rawServer((socket) => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      const more = (): void => {
        while (!socket.destroyed && socket.write('x'.repeat(65_536)));
      };
      socket.on('drain', more);
      more();
    });
    const result = await door(server.url)();
    expect(result).toMatchObject({ kind: 'answer', status: 200 });
    expect(result.kind === 'answer' && result.body.length).toBe(65_536);
    await waitFor('the socket to be given up', () => server.sockets[0]?.destroyed);
  });

  it('D4 a packed answer is never unpacked', async () => {
    const bomb = gzipSync(Buffer.alloc(20_000_000));
    const server = await rawServer((socket) => {
      socket.write(
        `HTTP/1.1 200 OK\r\ncontent-encoding: ${Array(500).fill('gzip').join(',')}\r\ncontent-length: ${bomb.length}\r\n\r\n`,
      );
      socket.write(bomb);
    });
    const result = await door(server.url)();
    expect(result.kind === 'answer' && result.body.length).toBeLessThanOrEqual(65_536);
  });

  it('D4 too many headers, broken chunks, garbage and half an answer are faults with a code', async () => {
    for (const [bytes, code] of [
      [`HTTP/1.1 200 OK\r\nx: ${'y'.repeat(70_000)}\r\n\r\n`, /UND_ERR_HEADERS_OVERFLOW|HPE_/],
      ['HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n', /^HPE_|BROKEN_ANSWER/],
      ['SSH-2.0-OpenSSH_9.2\r\n', /^HPE_|BROKEN_ANSWER/],
      ['HTTP/1.1 500 Oops\r\ncontent-length: 50\r\n\r\nhalf', /^UND_ERR|ECONNRESET/],
    ] as const) {
      const server = await rawServer((socket) => socket.end(bytes));
      expect(await door(server.url)()).toMatchObject({ kind: 'fault', code: expect.stringMatching(code) });
    }
  });

  it('D4 a flood of 1xx and two answers to one request do no harm', async () => {
    const flood = await rawServer((socket) =>
      socket.write('HTTP/1.1 102 Processing\r\n\r\n'.repeat(2000) + ok),
    );
    expect(await door(flood.url)()).toMatchObject({ status: 200 });
    const twice = await rawServer((socket) => socket.write(ok + ok));
    const post = door(twice.url);
    expect(await post()).toMatchObject({ status: 200 });
    expect(await post()).toMatchObject({ status: 200 });
  });
});

describe('connections that fail', () => {
  it('nothing listens there', async () => {
    expect(await door(`http://127.0.0.1:${await closedPort()}/x`)()).toEqual({
      kind: 'fault',
      code: 'ECONNREFUSED',
      status: null,
    });
  });

  it('D2 a name that does not exist, has no address, or whose server is in trouble', async () => {
    for (const code of ['ENOTFOUND', 'EAI_AGAIN']) {
      const resolve: Resolve = () => Promise.reject(Object.assign(new Error('x'), { code }));
      expect(await door('http://chat.example/x', { resolve })()).toMatchObject({ code });
    }
    expect(await door('http://chat.example/x', { resolve: async () => [] })()).toMatchObject({
      code: 'ENODATA',
    });
  });

  it('D2 a look-up has its own limit, and only a few run at once', async () => {
    const clock = new FakeClock();
    const resolve: Resolve = () => new Promise(() => {});
    const waiting = door('http://chat.example/x', { resolve, clock, timeoutMs: 60_000 })();
    await new Promise((turn) => setImmediate(turn));
    await clock.advance(lookupMs);
    expect(await waiting).toMatchObject({ code: 'DNS_TIMEOUT' });

    let running = 0;
    let most = 0;
    const release: (() => void)[] = [];
    const limited = limitedResolve(async () => {
      most = Math.max(most, ++running);
      await new Promise<void>((done) => release.push(done));
      running -= 1;
      return [];
    });
    const all = Promise.all(['a', 'b', 'c', 'd', 'a'].map((name) => limited(name)));
    for (let turn = 0; turn < 4; turn++)
      await waitFor('a look-up', () => release.length > 0).then(() => release.shift()?.());
    await all;
    expect(most).toBe(lookupsAtOnce);
  });

  it('D2 an address that changed is dialled anew', async () => {
    const server = await webhookServer();
    let asked = 0;
    const resolve: Resolve = async () => {
      asked += 1;
      return [{ address: '127.0.0.1', family: 4 }];
    };
    const post = door(server.url.replace('127.0.0.1', 'chat.example'), { resolve });
    server.fallback = { status: 200, headers: { connection: 'close' } };
    await post();
    await post();
    expect(asked).toBe(2);
  });
});

describe('D11 certificates are verified and named', () => {
  const pem = (name: string): string => readFileSync(`test/fixtures/tls/${name}.pem`, 'utf8');
  const tlsServer = async (cert: string): Promise<string> => {
    const server = createHttps({ key: pem('key'), cert: pem(cert) }, (request, response) => {
      request.resume();
      request.on('end', () => response.end('ok'));
    });
    const port = await listen(server);
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
    return `https://localhost:${port}/x`;
  };
  const resolve: Resolve = async () => [{ address: '127.0.0.1', family: 4 }];

  it.each([
    ['expired', 'CERT_HAS_EXPIRED'],
    ['othername', 'ERR_TLS_CERT_ALTNAME_INVALID'],
  ])('D11 %s', async (cert, code) => {
    expect(await door(await tlsServer(cert), { resolve, ca: pem('ca') })()).toMatchObject({ code });
  });

  it('D11 an authority that nobody knows, and one that is known', async () => {
    const url = await tlsServer('good');
    expect(await door(url, { resolve })()).toMatchObject({
      code: expect.stringMatching(/UNABLE_TO|SELF_SIGNED/),
    });
    expect(await door(url, { resolve, ca: pem('ca') })()).toMatchObject({ status: 200, body: 'ok' });
  });

  it('D11 plain HTTP where TLS is expected', async () => {
    const server = await rawServer((socket) => socket.end(ok));
    const tls = await webhookServer();
    expect(await door(tls.url.replace('http:', 'https:'))()).toMatchObject({
      kind: 'fault',
      code: expect.stringMatching(/SSL|EPROTO|ECONNRESET|UND_ERR/),
    });
    expect(server.sockets).toEqual([]);
  });
});

describe('D10 allow_private: false', () => {
  it('D10 knows every spelling of a private address', () => {
    for (const address of [
      '127.0.0.1',
      '127.1.2.3',
      '0.0.0.0',
      '10.0.0.1',
      '100.64.0.1',
      '169.254.169.254',
      '172.16.0.1',
      '172.31.255.255',
      '192.168.1.1',
      '198.18.0.1',
      '224.0.0.1',
      '255.255.255.255',
      '::',
      '::1',
      '::ffff:127.0.0.1',
      '::ffff:7f00:1',
      '::7f00:1',
      '64:ff9b::7f00:1',
      '64:ff9b:1::1',
      '2002:7f00:1::',
      '2001::1',
      'fc00::1',
      'fd12::1',
      'fe80::1',
      'fe80::1%eth0',
      'fec0::1',
      'ff02::1',
      'not an address',
    ]) {
      expect({ address, private: isPrivateAddress(address) }).toEqual({ address, private: true });
    }
    for (const address of [
      '1.1.1.1',
      '8.8.8.8',
      '172.32.0.1',
      '100.128.0.1',
      '2606:4700::1111',
      '::ffff:8.8.8.8',
    ]) {
      expect({ address, private: isPrivateAddress(address) }).toEqual({ address, private: false });
    }
  });

  it('D10 literal hosts are refused in every spelling, without a connection', async () => {
    const server = await rawServer((socket) => socket.write(ok));
    const port = new URL(server.url).port;
    for (const host of [
      '127.0.0.1',
      '127.1',
      '0x7f.1',
      '2130706433',
      '0',
      '[::1]',
      '[::]',
      '[::ffff:7f00:1]',
      '[64:ff9b::7f00:1]',
    ]) {
      expect({
        host,
        result: await door(`http://${host}:${port}/`, { allowPrivate: false })(),
      }).toMatchObject({ result: { kind: 'fault', code: 'PRIVATE_ADDRESS' } });
    }
    expect(server.sockets).toEqual([]);
  });

  it('D10 a name is checked at the moment it is dialled, each time', async () => {
    const server = await rawServer((socket) => socket.write(ok));
    const port = new URL(server.url).port;
    const answers = [
      [{ address: '203.0.113.9', family: 4 }],
      [{ address: '127.0.0.1', family: 4 }],
      [{ address: '::ffff:127.0.0.1', family: 6 }],
    ];
    const resolve: Resolve = async () => answers.shift() ?? [{ address: '169.254.169.254', family: 4 }];
    const post = door(`http://rebinding.example:${port}/`, { allowPrivate: false, resolve });
    for (let turn = 0; turn < 4; turn++) expect(await post()).toMatchObject({ code: 'PRIVATE_ADDRESS' });
    expect(server.sockets).toEqual([]);
  });

  it('D10 private addresses are fine where nothing forbids them', async () => {
    const server = await webhookServer();
    expect(
      await door(server.url.replace('127.0.0.1', 'localhost'), {
        resolve: async () => [{ address: '127.0.0.1', family: 4 }],
      })(),
    ).toMatchObject({ status: 200 });
  });
});
