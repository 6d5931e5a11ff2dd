/** The whole daemon with no rights at all: what the image promises, on this machine where that can be had. */
import { chmodSync, chownSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { run, startDaemon, until } from '../support/program.ts';
import { boomRules, shop } from '../support/shop.ts';
import { unprivileged, unprivilegedUser, whyNotUnprivileged } from '../support/unprivileged.ts';
import { waitFor } from '../support/wait-for.ts';
import { webhookServer } from '../support/webhook-server.ts';

const whyNot = whyNotUnprivileged();

it.skipIf(whyNot !== null)(
  `I12 as a user without rights or capabilities, on a read-only root, and without code made of text it watches, alerts, reloads and restarts${whyNot === null ? '' : ` (${whyNot})`}`,
  async () => {
    const server = await webhookServer();
    const { dir, file, write } = shop({
      channels: `hook: { type: webhook, url: '${server.url}' }`,
      rest: 'state: { dir: state }',
    });
    // UDP is read in a thread of its own.
    const config = readFileSync(join(dir, 'tocsin.yaml'), 'utf8');
    file('tocsin.yaml', config.replace('sources: {', "sources: { net: { syslog: { udp: '127.0.0.1:0' } },"));
    const stateDir = join(dir, 'state');
    mkdirSync(stateDir);
    chownSync(stateDir, unprivilegedUser, unprivilegedUser);
    chmodSync(stateDir, 0o700);
    chmodSync(dir, 0o755);
    const started = () =>
      startDaemon(dir, {
        stateDir,
        wrap: unprivileged(stateDir),
        // V8 refuses `eval` and `new Function` then, in our code and in every package.
        node: ['--disallow-code-generation-from-strings'],
      });
    const told = (what: string) =>
      waitFor(`the alert of ${what}`, () =>
        server.received.some((one) => one.json.incident.title === `Boom in ${what}`),
      );

    const daemon = await started();
    const facts = readFileSync(`/proc/${daemon.pid}/status`, 'utf8');
    expect(facts).toMatch(new RegExp(`^Uid:\\s+${unprivilegedUser}\\s+${unprivilegedUser}\\s`, 'm'));
    for (const set of ['CapPrm', 'CapEff', 'CapBnd', 'CapAmb'])
      expect(facts).toMatch(new RegExp(`^${set}:\\s+0+$`, 'm'));
    expect(facts).toMatch(/^NoNewPrivs:\s+1$/m);
    expect(readFileSync(`/proc/${daemon.pid}/mountinfo`, 'utf8')).toMatch(/^\d+ \d+ \S+ \S+ \/ ro,/m);

    expect((await daemon.status()).sources['net']?.state).toBe('ok');
    write('boom in kitchen');
    await told('kitchen');
    file('rules.yaml', `${boomRules}  - { id: second, match: bang }\n`);
    await until('the reload', async () => Object.hasOwn((await daemon.status()).rules, 'second'));
    expect(statSync(join(stateDir, 'control.sock')).uid).toBe(unprivilegedUser);
    expect((await run(['status', '--json'], { cwd: dir })).code).toBe(0);
    expect((await daemon.end()).code).toBe(0);

    write('boom in cellar');
    const again = await started();
    await told('cellar');
    expect((await again.end()).code).toBe(0);
    expect(server.received.map((one) => one.json.incident.title)).toEqual([
      'Boom in kitchen',
      'Boom in cellar',
    ]);
  },
);
