/** The built program on a source that dies: told on a channel, shown by `status`, told again when it lives. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { run, startDaemon } from '../support/program.ts';
import { shop } from '../support/shop.ts';
import { waitFor } from '../support/wait-for.ts';
import { webhookServer } from '../support/webhook-server.ts';

describe('a dead source', () => {
  it('is a message of its own kind, once, and shown by `status`; and it is told when it is heard again', async () => {
    const server = await webhookServer();
    const made = shop({ channels: `hook: { type: webhook, url: '${server.url}' }` });
    const config = readFileSync(join(made.dir, 'tocsin.yaml'), 'utf8');
    writeFileSync(
      join(made.dir, 'tocsin.yaml'),
      config.replace('{ file: app.log }', '{ file: app.log, quiet: 2s }'),
    );
    const daemon = await startDaemon(made.dir);
    made.write('all is well');
    const told = await waitFor('the word', () => server.received[0], 15_000);
    expect(told.json).toMatchObject({
      notification: { kind: 'self' },
      incident: { rule: 'tocsin-self', title: 'Source app is quiet', fields: { source: 'app' } },
    });
    expect(told.json.incident.message).toContain('Its `quiet` is 2s.');
    expect((await daemon.status()).sources['app']).toMatchObject({ state: 'quiet' });
    expect((await run(['status'], { cwd: made.dir })).stdout).toMatch(
      /source {2}app: quiet \(nothing came for/,
    );
    made.write('and again');
    const back = await waitFor('that it is back', () => server.received[1], 15_000);
    expect(back.json.incident.title).toBe('Source app is heard again');
    expect(server.received).toHaveLength(2);
    expect((await daemon.end()).code).toBe(0);
  }, 60_000);
});
