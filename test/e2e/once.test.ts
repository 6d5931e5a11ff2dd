/** `run --once` with a configuration of its own: what is read run by run, and what its exit code says. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { run } from '../support/program.ts';
import { shop } from '../support/shop.ts';
import { type WebhookServer, webhookServer } from '../support/webhook-server.ts';

const rules = `rules:
  - { id: boom, title: 'Boom in {{ what }}', match: 'boom in (?<what>\\w+)', by: what }
  - { id: drip, title: 'Drips in {{ what }}', match: 'drip in (?<what>\\w+)', by: what, count: 3 in 10m }
`;

async function onceShop() {
  const server = await webhookServer();
  const made = shop({ rules, channels: `hook: { type: webhook, url: '${server.url}' }` });
  made.file(
    'tocsin.yaml',
    `sources: { app: { file: '*.log', start: beginning } }
rules: [ rules.yaml ]
channels: { hook: { type: webhook, url: '${server.url}' } }
`,
  );
  return { ...made, server, once: () => run(['run', '--once'], { cwd: made.dir }) };
}

const told = (server: WebhookServer): string[] =>
  server.received
    .splice(0)
    .map(
      ({ json: { notification, incident } }) => `${notification.kind} ${incident.title} ${incident.count}`,
    );

const at = (time: string): string => `2026-01-05 ${time}:00`;

describe('run --once', () => {
  // Was: one message that was given up made every later run fail, also when a person had dropped it.
  it('exits 1 where a message is given up, and 0 when the next run has nothing to give up', async () => {
    const { write, server, once } = await onceShop();
    server.fallback = { status: 422, body: 'no' };
    write('boom in kitchen');
    expect((await once()).code).toBe(1);
    server.fallback = { status: 200, body: 'ok' };
    write('boom in hall');
    expect((await once()).code).toBe(0);
  });

  // Was: of a file that was there at the first run only the records of the last ten minutes (`start`) were read.
  it('reads files from their beginning, whatever `start` says, and goes on behind that in the next run', async () => {
    const { dir, write, server, once } = await onceShop();
    const file = join(dir, 'tocsin.yaml');
    writeFileSync(file, readFileSync(file, 'utf8').replace(', start: beginning', ''));
    write(`${at('08:00')} boom in kitchen`, `${at('12:00')} boom in hall`);
    expect((await once()).code).toBe(0);
    expect(told(server)).toEqual(['first Boom in kitchen 1', 'first Boom in hall 1']);
    write(`${at('12:01')} boom in cellar`);
    expect((await once()).code).toBe(0);
    expect(told(server)).toEqual(['first Boom in cellar 1']);
  });

  it('I5 tells matches that are too late within one file in one digest, and reads an older file as on its day', async () => {
    const { dir, write, server, once } = await onceShop();
    write(`${at('12:00')} drip in hall`, `${at('09:00')} drip in hall`, `${at('09:01')} drip in hall`);
    expect((await once()).code).toBe(0);
    expect(told(server)).toEqual([
      'digest drip: caught up with 2 in 1 incident, written over an hour late 2',
    ]);
    const older = ['07:00', '07:01', '07:02'].map((time) => `${at(time)} drip in hall\n`);
    writeFileSync(join(dir, 'older.log'), older.join(''));
    expect((await once()).code).toBe(0);
    expect(told(server)).toEqual(['first Drips in hall 3']);
  });
});
