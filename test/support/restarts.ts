/** A log that goes on while daemons come and go: killed, killed again, stopped. For sources that must tell each line once all the same. */
import { expect } from 'vitest';
import { type RunningDaemon, startDaemon, until } from './program.ts';
import { waitFor } from './wait-for.ts';
import type { WebhookServer } from './webhook-server.ts';

/**
 * `boom(count)` writes so many lines of incidents of their own and gives how many there are in all. Gives the last daemon, when it has
 * told and sent every one.
 */
export async function overRestarts(
  dir: string,
  server: WebhookServer,
  boom: (count: number) => number,
): Promise<RunningDaemon> {
  const told = (): number => new Set(server.received.map((one) => one.json.incident.title)).size;
  let written = boom(20);
  for (const signal of ['SIGKILL', 'SIGKILL', 'SIGTERM'] as const) {
    const daemon = await startDaemon(dir);
    written = boom(20);
    await waitFor('some of it', () => told() > written - 40);
    await daemon.end(signal);
    written = boom(20);
  }
  const last = await startDaemon(dir);
  await waitFor('all of it', () => told() === written);
  await until('all sent', async () => (await last.status()).channels['hook']?.queued === 0);
  expect((await last.status()).channels['hook']?.ledger).toMatchObject({ matched: written, balanced: true });
  return last;
}
