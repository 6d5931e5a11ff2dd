/** Logs of containers by their paths: under Kubernetes with the kubelet's links and rotation, and Docker's own files. */
import {
  appendFileSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import type { Fields } from '../../src/model/record.ts';
import { containerOfPath } from '../../src/sources/container-path.ts';
import { LinePort } from '../support/line-port.ts';
import { makeTailing } from '../support/tailing.ts';
import { tempDir } from '../support/temp-dir.ts';

const id = '0f'.repeat(32);
const uid = '5a0a8e3c-1d2b-4c5d-8e9f-0123456789ab';

/** As a node has it: the file, and two links to it one behind the other. */
function node(podName = 'web-7d4b9c6f5-x2x1z') {
  const root = tempDir();
  const pods = join(root, 'pods', `shop_${podName}_${uid}`, 'app');
  const containers = join(root, 'containers');
  mkdirSync(pods, { recursive: true });
  mkdirSync(containers);
  const log = join(pods, '0.log');
  writeFileSync(log, '');
  symlinkSync(log, join(containers, `${podName}_shop_app-${id}.log`));
  let second = 0;
  const line = (text: string): string =>
    `2026-01-05T10:00:${String(second++ % 60).padStart(2, '0')}.000000000Z stdout F ${text}`;
  return { pods, log, glob: join(containers, '*.log'), line };
}

function fieldsSeen(port: LinePort): Set<string> {
  const seen = new Set<string>();
  port.onTake = ({ stream }) => seen.add(JSON.stringify(stream.fields));
  return seen;
}

for (const mode of ['events', 'poll only'] as const) {
  describe(`/var/log/containers, ${mode}`, () => {
    it('T42 the kubelet rotates (rename, create, gzip the older): every line once, also over a restart', async () => {
      const { pods, log, glob, line } = node();
      const all: string[] = [];
      const write = (text: string): void => {
        const one = line(text);
        all.push(one);
        appendFileSync(log, `${one}\n`);
      };
      const rotate = (stamp: string): void => {
        renameSync(log, `${log}.${stamp}`);
        writeFileSync(log, '');
      };
      const compress = (stamp: string): void => {
        writeFileSync(`${log}.${stamp}.tmp`, gzipSync(readFileSync(`${log}.${stamp}`)));
        renameSync(`${log}.${stamp}.tmp`, `${log}.${stamp}.gz`);
        rmSync(`${log}.${stamp}`);
      };
      write('one');
      const first = makeTailing({ paths: [glob], mode });
      const seen = fieldsSeen(first.port);
      await first.source.start();
      await first.gets(...all);
      write('two');
      rotate('20260105-100000');
      write('three');
      await first.gets(...all);
      rotate('20260105-101000');
      compress('20260105-100000');
      write('four');
      await first.gets(...all);
      await first.stop();
      // While nobody looks: more of it, rotated twice, the first one compressed.
      write('five');
      rotate('20260105-102000');
      write('six');
      rotate('20260105-103000');
      compress('20260105-102000');
      write('seven');
      const port = new LinePort(first.port.saved);
      const after = fieldsSeen(port);
      const second = makeTailing({ paths: [glob], mode, port, firstStart: false });
      await second.source.start();
      await second.gets(...all.slice(4));
      await second.stop();
      expect(readFileSync(join(pods, '0.log'), 'utf8')).toContain('seven');
      const facts: Fields = { pod: 'web-7d4b9c6f5-x2x1z', namespace: 'shop', container: 'app' };
      for (const one of [...seen, ...after]) expect(JSON.parse(one)).toMatchObject(facts);
    }, 30_000);
  });
}

describe('whose log a path is', () => {
  it('is in the names that the kubelet gives', () => {
    expect(
      containerOfPath(`/var/log/containers/coredns-5d78c9869d-abc12_kube-system_coredns-${id}.log`),
    ).toEqual({
      pod: 'coredns-5d78c9869d-abc12',
      namespace: 'kube-system',
      container: 'coredns',
      container_id: id,
    });
    expect(containerOfPath(`/var/log/containers/web.v1-0_shop_side-car-${id}.log`)).toMatchObject({
      pod: 'web.v1-0',
      container: 'side-car',
    });
    for (const end of ['0.log', '1.log.20260105-100000', '12.log.20260105-100000.gz'])
      expect(containerOfPath(`/var/log/pods/shop_web-0_${uid}/app/${end}`)).toEqual({
        pod: 'web-0',
        namespace: 'shop',
        container: 'app',
      });
    expect(
      containerOfPath(`/var/log/pods/kube-system_etcd-node1_${'a0'.repeat(16)}/etcd/0.log`),
    ).toMatchObject({
      pod: 'etcd-node1',
    });
  });

  it('is nobody’s where the name only looks like it', () => {
    for (const path of [
      '/var/log/app.log',
      '/var/log/containers/web_shop_app.log',
      `/var/log/containers/web_shop_app-${id.slice(1)}.log`,
      '/var/log/pods/shop_web/app/0.log',
      `/var/lib/docker/containers/${id}/other-json.log`,
      `/${'a_'.repeat(2_000)}.log`,
      '',
    ])
      expect(containerOfPath(path)).toBeUndefined();
  });

  it('Docker’s own files: name, image and labels from the note beside them, the id where it may not be read', () => {
    const dir = join(tempDir(), id);
    mkdirSync(dir);
    const path = join(dir, `${id}-json.log`);
    expect(containerOfPath(path)).toEqual({ container: { id } });
    writeFileSync(join(dir, 'config.v2.json'), '{"Name": 7, broken');
    expect(containerOfPath(path)).toEqual({ container: { id } });
    writeFileSync(
      join(dir, 'config.v2.json'),
      JSON.stringify({
        Name: '/shop-web-1',
        Config: { Image: 'shop:1.2', Labels: { 'com.docker.compose.service': 'web', odd: 7 } },
      }),
    );
    expect(containerOfPath(`${path}.1`)).toEqual({
      container: {
        id,
        name: 'shop-web-1',
        image: 'shop:1.2',
        labels: { 'com.docker.compose.service': 'web' },
      },
    });
  });
});
