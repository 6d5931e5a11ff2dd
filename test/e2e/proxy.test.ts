/** The program with the proxies of its environment: alerts go that way, and a wrong value is said before anything runs. */
import { describe, expect, it } from 'vitest';
import { run, startDaemon } from '../support/program.ts';
import { proxyServer } from '../support/proxy-server.ts';
import { shop } from '../support/shop.ts';
import { waitFor } from '../support/wait-for.ts';
import { webhookServer } from '../support/webhook-server.ts';

const channels = 'hook: { type: webhook, url: http://chat.corp.invalid/hook }';

describe('a proxy of the environment', () => {
  it('D17 an alert for a name that the proxy alone knows is told through it, and a test message too', async () => {
    const server = await webhookServer();
    const proxy = await proxyServer(Number(new URL(server.url).port));
    const { dir, write } = shop({ channels });
    const env = { HTTP_PROXY: proxy.url };
    const sent = await run(['send-test', '--config', 'tocsin.yaml'], { cwd: dir, env });
    expect([sent.code, sent.stdout]).toEqual([0, expect.stringContaining('hook: delivered')]);
    await startDaemon(dir, { env });
    write('boom in mail');
    await waitFor('the alert', () => server.received.length === 2);
    expect(proxy.asked).toEqual(Array(2).fill('POST http://chat.corp.invalid/hook'));
  });

  it('D17 a wrong value stops the start with its name, exit 2, and check finds it', async () => {
    const { dir } = shop({ channels });
    const env = { HTTPS_PROXY: 'socks5://user:s3cret@proxy' };
    const words = 'the environment variable HTTPS_PROXY names a proxy of the kind socks5';
    for (const args of [['run'], ['check'], ['send-test']]) {
      const { code, stdout, stderr } = await run(args, { cwd: dir, env });
      expect([args, code, stdout]).toEqual([args, 2, '']);
      expect(stderr).toContain('E_PROXY');
      expect(stderr).toContain(words);
      expect(stderr).not.toContain('s3cret');
    }
    const data = JSON.parse((await run(['check', '--json'], { cwd: dir, env })).stdout);
    expect(data).toMatchObject({ ok: false });
    expect(data.problems.map((one: { code: string }) => one.code)).toEqual(['W_NO_TESTS', 'E_PROXY']);
  });
});
