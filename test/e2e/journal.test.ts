/** The built program on a real journal: each entry takes effect once, also over `kill -9`. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { noRealJournal, realJournal } from '../support/journal.ts';
import { run } from '../support/program.ts';
import { overRestarts } from '../support/restarts.ts';
import { shop } from '../support/shop.ts';
import { webhookServer } from '../support/webhook-server.ts';

describe.skipIf(noRealJournal !== null)(
  `a source \`journal\`${noRealJournal ? ` (${noRealJournal})` : ''}`,
  () => {
    it('tells each entry once, with its fields, over stops and kill -9', async () => {
      const server = await webhookServer();
      const made = shop({
        channels: `hook: { type: webhook, url: '${server.url}' }`,
        rest: 'defaults: { limit: none }',
      });
      const { dir, write, done } = realJournal();
      writeFileSync(
        join(made.dir, 'tocsin.yaml'),
        `sources: { system: { journal: { directory: ${dir}, units: shop.service }, start: beginning } }
rules: [ rules.yaml ]
channels: { hook: { type: webhook, url: '${server.url}' } }
defaults: { limit: none }
`,
      );
      let number = 0;
      const boom = (count: number): number => {
        for (let at = 0; at < count; at++)
          write({
            MESSAGE: `boom in room${++number}`,
            PRIORITY: '2',
            _PID: String(100 + (number % 3)),
            _SYSTEMD_UNIT: 'shop.service',
            _HOSTNAME: 'web1',
          });
        return number;
      };
      const last = await overRestarts(made.dir, server, boom);
      expect(server.received[0]?.json).toMatchObject({
        incident: { fields: { unit: 'shop.service', hostname: 'web1' }, count: 1 },
        record: { source: 'system', level: 'critical', path: null },
      });
      expect(Math.max(...server.received.map((one) => one.json.incident.count))).toBe(1);
      expect((await last.end()).code).toBe(0);
      await done();
      const once = await run(['run', '--once'], { cwd: made.dir });
      expect(once.code).toBe(0);
      // Nothing was left for it: each entry was told, and none again.
      expect(new Set(server.received.map((one) => one.json.incident.title)).size).toBe(number);
    }, 90_000);
  },
);
