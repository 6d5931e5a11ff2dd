/** A mount that does not answer when the program starts: all that does answer is read, and it is said. */
import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { canHang, hangingDisk } from '../support/hanging-disk.ts';
import { startDaemon, until } from '../support/program.ts';
import { shop } from '../support/shop.ts';
import { waitFor } from '../support/wait-for.ts';
import { webhookServer } from '../support/webhook-server.ts';

it.skipIf(!canHang)(
  'T53 a mount that hangs at the start: other sources are read, it is shown, and its files come once it answers (needs /dev/fuse and mount)',
  async () => {
    const server = await webhookServer();
    const disk = await hangingDisk();
    const made = shop({ channels: `hook: { type: webhook, url: '${server.url}' }` });
    writeFileSync(join(disk.behind, 'far.log'), 'boom in attic\n');
    made.file(
      'tocsin.yaml',
      `sources:
  far: { file: '${disk.dir}/*.log', start: beginning }
  app: { file: app.log }
rules: [ rules.yaml ]
channels: { hook: { type: webhook, url: '${server.url}' } }
`,
    );
    await disk.hang();
    const daemon = await startDaemon(made.dir);
    made.write('boom in kitchen');
    const titles = (): string[] => server.received.map((one) => one.json.incident.title);
    await waitFor('the alert of the other source', () => titles().includes('Boom in kitchen'));
    expect((await daemon.status()).sources['far']?.detail).toMatch(/do not answer/);
    await disk.go();
    await waitFor('the alert of the mount', () => titles().includes('Boom in attic'));
    await until('the state', async () => (await daemon.status()).sources['far']?.state === 'ok');
    appendFileSync(join(disk.behind, 'far.log'), 'boom in cellar\n');
    await waitFor('what comes then', () => titles().includes('Boom in cellar'));
    expect((await daemon.end()).code).toBe(0);
  },
  60_000,
);
