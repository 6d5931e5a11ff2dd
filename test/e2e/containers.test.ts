/** The built program on container logs: parts joined, streams apart, and whose log it is, in what is posted. */
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { run } from '../support/program.ts';
import { shop } from '../support/shop.ts';
import { webhookServer } from '../support/webhook-server.ts';

const id = '0f'.repeat(32);

describe('logs of containers', () => {
  it('Kubernetes and Docker by path: pod, namespace, container, labels; parts of a line are one message', async () => {
    const server = await webhookServer();
    const made = shop({ channels: `hook: { type: webhook, url: '${server.url}' }` });
    const pods = join(made.dir, 'pods', `shop_web-0_${'a0'.repeat(16)}`, 'app');
    const containers = join(made.dir, 'containers');
    const docker = join(made.dir, 'docker', id);
    for (const dir of [pods, containers, docker]) mkdirSync(dir, { recursive: true });
    const cri = (stream: string, tag: string, text: string): string =>
      `2026-01-05T10:00:00.000000000Z ${stream} ${tag} ${text}\n`;
    writeFileSync(
      join(pods, '0.log'),
      [cri('stderr', 'P', 'boom in '), cri('stdout', 'F', 'all is well'), cri('stderr', 'F', 'kitchen')].join(
        '',
      ),
    );
    symlinkSync(join(pods, '0.log'), join(containers, `web-0_shop_app-${id}.log`));
    writeFileSync(
      join(docker, `${id}-json.log`),
      `${JSON.stringify({ log: 'boom in attic\n', stream: 'stdout', time: '2026-01-05T10:00:00.5Z' })}\n`,
    );
    writeFileSync(
      join(docker, 'config.v2.json'),
      JSON.stringify({
        Name: '/web',
        Config: { Image: 'shop:1', Labels: { 'com.docker.compose.service': 'w' } },
      }),
    );
    writeFileSync(
      join(made.dir, 'tocsin.yaml'),
      `sources:
  pods: { file: containers/*.log }
  docker: { file: docker/*/*-json.log }
rules: [ rules.yaml ]
channels: { hook: { type: webhook, url: '${server.url}' } }
`,
    );
    writeFileSync(
      join(made.dir, 'rules.yaml'),
      `rules:
  - { id: pods, match: 'boom in (?<what>\\w+)', where: { namespace: shop, pod: web-* }, by: [ pod, container ], title: '{{ what }} of {{ pod }}/{{ container }}' }
  - { id: docker, match: 'boom in (?<what>\\w+)', where: { container.labels.com.docker.compose.service: w }, by: container.name, title: '{{ what }} of {{ container.name }} ({{ container.image }})' }
`,
    );
    const done = await run(['run', '--once'], { cwd: made.dir });
    expect(done.code).toBe(0);
    const [attic, kitchen] = server.received
      .map((one) => one.json)
      .sort((a, b) => (a.incident.title < b.incident.title ? -1 : 1));
    expect(attic).toMatchObject({
      incident: {
        title: 'attic of web (shop:1)',
        fields: { container: { name: 'web', id }, stream: 'stdout' },
      },
    });
    expect(kitchen).toMatchObject({
      incident: {
        title: 'kitchen of web-0/app',
        fields: { pod: 'web-0', namespace: 'shop', container: 'app', container_id: id, stream: 'stderr' },
      },
      record: { message: 'boom in kitchen' },
    });
    expect(server.received).toHaveLength(2);
  }, 30_000);
});
