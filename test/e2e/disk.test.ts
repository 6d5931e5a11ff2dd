/** The disk of the state: full before the start, full in the middle, of another version. Alerts go on, and it is said. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { run, startDaemon, until } from '../support/program.ts';
import { shop } from '../support/shop.ts';
import { canMount, smallDisk } from '../support/small-disk.ts';
import { waitFor } from '../support/wait-for.ts';
import { type WebhookServer, webhookServer } from '../support/webhook-server.ts';

const titles = (server: WebhookServer): string[] => server.received.map((one) => one.json.incident.title);

describe('the disk of the state', () => {
  it.skipIf(!canMount)(
    'B1 full before the start: alerts go out from memory, it is said, it ends on SIGTERM (needs mount)',
    async () => {
      const server = await webhookServer();
      const disk = smallDisk('256k');
      const { dir, write } = shop({
        channels: `hook: { type: webhook, url: '${server.url}' }`,
        rest: `state: { dir: ${join(disk.dir, 'state')} }`,
      });
      disk.fill();
      const daemon = await startDaemon(dir, { stateDir: join(disk.dir, 'state') }).catch(() => null);
      // A full disk may have no room for the socket: then only the messages can tell.
      write('boom in kitchen');
      await waitFor('the alert', () => titles(server).includes('Boom in kitchen'), 20_000);
      await waitFor('the word', () => server.received.some((one) => one.json.notification.kind === 'self'));
      if (daemon) {
        expect((await daemon.status()).state_ok).toBe(false);
        expect((await daemon.end()).code).toBe(0);
      }
    },
    60_000,
  );

  it.skipIf(!canMount)(
    'B2 T55 full while running, then free again: no alert is lost, both are said, no restart needed (needs mount)',
    async () => {
      const server = await webhookServer();
      const disk = smallDisk('2m');
      const stateDir = join(disk.dir, 'state');
      const { dir, write } = shop({
        channels: `hook: { type: webhook, url: '${server.url}' }`,
        rest: `state: { dir: ${stateDir} }\ndefaults: { limit: none }`,
      });
      const daemon = await startDaemon(dir, { stateDir });
      write('boom in kitchen');
      await waitFor('the first', () => server.received.length === 1);
      disk.fill();
      write(...Array.from({ length: 200 }, (_, at) => `boom in room${at}`));
      await waitFor(
        'all alerts',
        () => titles(server).filter((title) => title.startsWith('Boom in room')).length === 200,
        20_000,
      );
      await waitFor('the word', () => titles(server).includes('Tocsin cannot write its state'));
      expect((await daemon.status()).state_ok).toBe(false);
      expect(daemon.stderr()).toMatch(/the state can't be written, alerts go on from memory/);
      disk.free();
      await until('the recovery', async () => (await daemon.status()).state_ok);
      await waitFor('the good word', () => titles(server).includes('Tocsin writes its state again'));
      await daemon.end('SIGKILL');
      const seen = server.received.length;
      const again = await startDaemon(dir, { stateDir });
      write('boom in attic');
      await waitFor('the next alert', () => titles(server).slice(seen).includes('Boom in attic'));
      // What was told from memory was made durable afterwards: none of it comes again.
      expect(titles(server).slice(seen)).toEqual(['Boom in attic']);
      expect((await again.status()).rules['boom']).toMatchObject({ matched: 202 });
    },
    60_000,
  );

  it('B7 a state of a newer version is refused and not touched, exit 2', async () => {
    const { dir, write } = shop({ channels: 'out: { type: console }' });
    const daemon = await startDaemon(dir);
    write('boom in kitchen');
    await waitFor('the alert', () => daemon.stdout().includes('Boom in kitchen'));
    await daemon.end();
    const path = join(dir, '.tocsin', 'tocsin.db');
    const database = new Database(path);
    database.pragma('user_version = 99');
    database.pragma('wal_checkpoint(TRUNCATE)');
    database.close();
    const before = readFileSync(path);
    const { code, stderr } = await run(['run'], { cwd: dir });
    expect(code).toBe(2);
    expect(stderr).toContain('E_STATE_NEWER');
    expect(stderr).not.toMatch(/^\s+at /m);
    expect(readFileSync(path).equals(before)).toBe(true);
  });
});
