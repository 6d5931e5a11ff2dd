/** The built program on containers, against a server of ours that speaks the Engine's API: each line takes effect once, over kill -9. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { dockerEngine } from '../support/docker-engine.ts';
import { overRestarts } from '../support/restarts.ts';
import { shop } from '../support/shop.ts';
import { webhookServer } from '../support/webhook-server.ts';

describe('a source `docker`', () => {
  it('tells each line once, with the container as a field, over stops and kill -9', async () => {
    // Guards what was told from behind an open record of the other stream: after a kill it was told again.
    const server = await webhookServer();
    const engine = await dockerEngine();
    const made = shop({ channels: `hook: { type: webhook, url: '${server.url}' }` });
    writeFileSync(
      join(made.dir, 'tocsin.yaml'),
      `sources: { web: { docker: { socket: ${engine.socket}, labels: { app: shop } }, start: beginning } }
rules: [ rules.yaml ]
channels: { hook: { type: webhook, url: '${server.url}' } }
defaults: { limit: none }
`,
    );
    const web = engine.run('web', { labels: { app: 'shop' } });
    const other = engine.run('other');
    let number = 0;
    const boom = (count: number): number => {
      for (let at = 0; at < count; at++) {
        engine.print(web, `boom in room${++number}\n`, number % 2 === 0 ? 'stdout' : 'stderr');
        engine.print(other, 'boom in nothing\n');
      }
      engine.print(web, 'Traceback (most recent call last):\n', 'stderr');
      engine.print(web, 'in between\n');
      engine.print(web, '  File "a.py", line 1, in f\n', 'stderr');
      engine.print(web, `ValueError: of ${number}\n`, 'stderr');
      return number;
    };
    const last = await overRestarts(made.dir, server, boom);
    expect((await last.status()).sources['web']).toMatchObject({ kind: 'docker', state: 'ok' });
    expect(Math.max(...server.received.map((one) => one.json.incident.count))).toBe(1);
    expect(server.received[0]?.json).toMatchObject({
      incident: { fields: { container: { name: 'web', image: 'shop:1' }, stream: 'stderr' } },
      record: { source: 'web', path: null, message: 'boom in room1' },
    });
    // It stands below the last line of its own stream, although the other one speaks in between.
    const traced = server.received.find((one) => one.json.incident.title === 'Boom in room19');
    expect(traced?.json.record.trace).toMatch(/^Traceback.*ValueError: of 20$/s);
    expect((await last.end()).code).toBe(0);
  }, 90_000);
});
