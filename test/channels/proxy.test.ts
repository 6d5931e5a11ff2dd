/** Posts through a real proxy, to names that nobody but the proxy knows; and what the environment may say of proxies. */
import { readFileSync } from 'node:fs';
import { createServer as createHttps } from 'node:https';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { decideDelivery } from '../../src/channels/decide.ts';
import { type HttpResult, openHttpDoor } from '../../src/channels/http.ts';
import { proxyFor, readProxies } from '../../src/channels/proxy.ts';
import { realClock } from '../../src/system/clock.ts';
import { freePort } from '../support/free-port.ts';
import { proxyServer } from '../support/proxy-server.ts';
import { webhookServer } from '../support/webhook-server.ts';

const pem = (name: string): string =>
  readFileSync(new URL(`../fixtures/tls/${name}`, import.meta.url), 'utf8');

function door(url: string, env: Record<string, string>, more: { ca?: string; timeoutMs?: number } = {}) {
  const opened = openHttpDoor({
    url: new URL(url),
    allowPrivate: true,
    timeoutMs: 3_000,
    clock: realClock,
    userAgent: 'tocsin/test',
    proxies: readProxies(env),
    ...more,
  });
  onTestFinished(() => opened.close());
  return (): Promise<HttpResult> =>
    opened.postJson({ headers: {}, body: '{"a":1}', signal: new AbortController().signal });
}

const port = (url: string): number => Number(new URL(url).port);
const via = (env: Record<string, string>, url: string): string | null =>
  proxyFor(readProxies(env), new URL(url))?.variable ?? null;
const told = (result: HttpResult): unknown =>
  decideDelivery(
    { word: () => null, words: {}, success: () => ({ outcome: 'delivered' }) } as never,
    result,
    {
      now: 0,
      host: 'chat.corp.invalid',
      plain: false,
      hide: (text) => text,
    },
  );

describe('a proxy of the environment', () => {
  it('D17 http: a name that the proxy alone knows is posted to, on one connection, and the proxy is told who asks', async () => {
    const server = await webhookServer();
    const proxy = await proxyServer(port(server.url));
    const post = door('http://chat.corp.invalid/hook?a=b', { HTTP_PROXY: proxy.url });
    expect(await post()).toMatchObject({ kind: 'answer', status: 200, body: 'ok' });
    expect(await post()).toMatchObject({ status: 200 });
    expect(proxy.asked).toEqual(Array(2).fill('POST http://chat.corp.invalid/hook?a=b'));
    expect(proxy.headers[0]?.['proxy-authorization']).toBe(
      `Basic ${Buffer.from('user:p@ss').toString('base64')}`,
    );
    expect(server.received[0]).toMatchObject({ url: '/hook?a=b', json: { a: 1 } });
    expect(server.received[0]?.headers.host).toBe('chat.corp.invalid');
  });

  it('D17 https: through a tunnel, and the certificate is that of the name', async () => {
    const server = createHttps({ cert: pem('othername.pem'), key: pem('key.pem') }, (request, response) => {
      request.resume().on('end', () => response.end('secure'));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close().closeAllConnections());
    const proxy = await proxyServer((server.address() as AddressInfo).port);
    const ca = pem('ca.pem');
    const env = { HTTPS_PROXY: proxy.url };
    const post = door('https://other.example/x', env, { ca });
    expect(await post()).toMatchObject({ kind: 'answer', status: 200, body: 'secure' });
    expect(await post()).toMatchObject({ status: 200 });
    expect(proxy.asked).toEqual(['CONNECT other.example:443']);
    expect(await door('https://chat.corp.invalid/x', env, { ca })()).toMatchObject({
      code: 'ERR_TLS_CERT_ALTNAME_INVALID',
      proxy: 'HTTPS_PROXY',
    });
  });

  it('D17 that refuses, asks for a password or is not there: a fault that names the variable, tried again', async () => {
    const refusing = await proxyServer(1, { refuse: 403 });
    const https = await door('https://chat.corp.invalid/x', { https_proxy: refusing.url })();
    expect(told(https)).toMatchObject({
      outcome: 'retry',
      detail:
        'chat.corp.invalid was not asked: the proxy refused the way there, through the proxy of https_proxy (PROXY_REFUSED)',
    });
    const asking = await proxyServer(1, { refuse: 407 });
    const http = await door('http://chat.corp.invalid/x', { HTTP_PROXY: asking.url })();
    expect(http).toMatchObject({ kind: 'fault', code: 'PROXY_AUTH', proxy: 'HTTP_PROXY' });
    const gone = `http://u:s3cret@127.0.0.1:${await freePort()}`;
    const nobody = told(await door('http://chat.corp.invalid/x', { HTTP_PROXY: gone })());
    expect(nobody).toMatchObject({
      outcome: 'retry',
      detail: expect.stringContaining('HTTP_PROXY (ECONNREFUSED)'),
    });
    expect(JSON.stringify(nobody)).not.toContain('s3cret');
  });

  it('D17 that hangs is given up at the deadline', async () => {
    const silent = createServer(() => {});
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const sockets: Socket[] = [];
    silent.on('connection', (socket) => sockets.push(socket));
    onTestFinished(() => {
      for (const socket of sockets) socket.destroy();
      silent.close();
    });
    const url = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`;
    for (const target of ['http://chat.corp.invalid/', 'https://chat.corp.invalid/'])
      expect(await door(target, { HTTP_PROXY: url }, { timeoutMs: 200 })()).toMatchObject({
        code: 'DEADLINE',
        proxy: 'HTTP_PROXY',
      });
  });

  it('D17 loopback and what NO_PROXY names are never asked for through it', async () => {
    const server = await webhookServer();
    const proxy = await proxyServer(1);
    expect(await door(server.url, { HTTP_PROXY: proxy.url })()).toMatchObject({ status: 200 });
    expect(proxy.asked).toEqual([]);
    const env = {
      HTTP_PROXY: 'proxy.corp:3128',
      HTTPS_PROXY: 'http://proxy.corp:3129',
      NO_PROXY: '.corp, *.internal lan:8080,10.0.0.0/8,fd00::/8,[2001:db8::1],192.168.1.5',
    };
    for (const host of [
      '127.0.0.1',
      'localhost',
      'a.localhost',
      '127.8.9.1',
      '[::1]',
      '[::ffff:127.0.0.1]',
      '2130706433',
    ])
      expect(via(env, `http://${host}/`)).toBeNull();
    for (const host of ['corp', 'a.corp', 'A.Corp:81', 'b.internal', 'lan:8080', '10.1.2.3', '192.168.1.5'])
      expect(via(env, `http://${host}/`)).toBeNull();
    for (const host of ['notcorp', 'corp.example', 'lan', '11.0.0.1', '192.168.1.6', '0.0.0.0'])
      expect(via(env, `http://${host}/`)).toBe('HTTP_PROXY');
    expect(via(env, 'https://chat.example.com/')).toBe('HTTPS_PROXY');
    expect(via({ ...env, NO_PROXY: 'x,*' }, 'https://chat.example.com/')).toBeNull();
    expect(via({ http_proxy: 'p:1', HTTP_PROXY: 'q:1' }, 'https://chat.example.com/')).toBe('http_proxy');
    expect(readProxies({ NO_PROXY: '?', HTTP_PROXY: ' ' })).toBeNull();
  });

  it('D17 a bad value is an error that names the variable, and shows no password', () => {
    const refused = (env: Record<string, string>): string => {
      try {
        readProxies(env);
      } catch (error) {
        return String((error as Error).message);
      }
      return 'taken';
    };
    expect(refused({ HTTPS_PROXY: 'http://u:s3cret@ho st' })).toBe(
      'the environment variable HTTPS_PROXY is no URL; write http://proxy.example.com:3128',
    );
    expect(refused({ http_proxy: 'socks5://u:s3cret@host' })).toMatch(
      /^the environment variable http_proxy names a proxy of the kind socks5,/,
    );
    for (const entry of ['http://x', '10.*', '10.0.0.0/33', '<local>', 'a:b:c'])
      expect(refused({ HTTP_PROXY: 'p', NO_PROXY: `ok,${entry}` })).toContain(
        `NO_PROXY holds ${JSON.stringify(entry)}`,
      );
    for (const value of ['http://u:s3cret@ho st', 'socks5://u:s3cret@h', 'http://u:s3cret@h:99999'])
      expect(refused({ HTTPS_PROXY: value })).not.toContain('s3cret');
  });
});
