/** The source `docker` against a server of ours that speaks the Engine's API: what is followed, and that no line comes twice or not at all. */
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { DockerSourceConfig } from '../../src/model/config.ts';
import { DockerSource } from '../../src/sources/docker.ts';
import { DockerFrames } from '../../src/sources/docker-frames.ts';
import { DockerPlace } from '../../src/sources/docker-place.ts';
import { type DockerEngine, dockerEngine } from '../support/docker-engine.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { LinePort } from '../support/line-port.ts';
import { sourceDeps } from '../support/source-deps.ts';
import { tempDir } from '../support/temp-dir.ts';
import { waitFor } from '../support/wait-for.ts';

function docker(socket: string, options: Partial<DockerSourceConfig> = {}, port = new LinePort()) {
  const clock = new FakeClock(Date.UTC(2026, 0, 5, 10));
  const { deps, warnings } = sourceDeps(port, clock);
  const source = new DockerSource(
    {
      kind: 'docker',
      name: 'all',
      format: 'auto',
      multiline: 'auto',
      tz: 'UTC',
      maxLineBytes: 65_536,
      labels: {},
      socket,
      names: [],
      exclude: [],
      images: [],
      containerLabels: {},
      start: 'beginning',
      origin: { file: 'tocsin.yaml', line: 1, column: 1, length: 1 },
      ...options,
    },
    deps,
  );
  onTestFinished(() => source.stop());
  return { source, port, clock, warnings };
}

/** `stream tag text` of each line, in order. */
function texts(port: LinePort): string[] {
  return port.lines.map((line) => line.replace(/^\S+ /, ''));
}

const gets = (port: LinePort, ...lines: string[]): Promise<unknown> =>
  waitFor(`${lines.length} lines, got ${texts(port).length}`, () => texts(port).length >= lines.length).then(
    () => expect(texts(port)).toEqual(lines),
  );

const following = (engine: DockerEngine, count: number): Promise<unknown> =>
  waitFor(
    'logs to be followed',
    () => engine.asked.filter((path) => path.includes('follow=1')).length >= count,
  );

describe('containers by the Engine’s socket', () => {
  it('stdout and stderr apart, a part as a part, what was there and what comes, with facts of the container', async () => {
    const engine = await dockerEngine();
    const web = engine.run('web', { labels: { app: 'shop' } });
    engine.print(web, 'one\n');
    const { source, port } = docker(engine.socket);
    const fields = new Set<string>();
    port.onTake = ({ stream }) => fields.add(JSON.stringify([stream.fields, stream.envelope, stream.path]));
    await source.start();
    await gets(port, 'stdout F one');
    engine.print(web, 'wrong\n', 'stderr');
    engine.print(web, 'a long ');
    engine.print(web, 'line\n');
    engine.print(web, '\n');
    await gets(port, 'stdout F one', 'stderr F wrong', 'stdout P a long ', 'stdout F line', 'stdout F ');
    expect([...fields].map((one) => JSON.parse(one))).toEqual([
      [{ container: { name: 'web', id: web.id, image: 'shop:1', labels: { app: 'shop' } } }, 'cri', null],
    ]);
    expect(port.states.at(-1)).toBe('ok');
  });

  it('a container with a terminal: bare lines, and the stamps within a long one are taken out', async () => {
    const engine = await dockerEngine();
    const shell = engine.run('shell', { tty: true });
    engine.print(shell, 'hello\n');
    engine.print(shell, 'x'.repeat(16_384));
    engine.print(shell, 'end\n');
    const { source, port } = docker(engine.socket);
    await source.start();
    await gets(port, 'stdout F hello', `stdout F ${'x'.repeat(16_384)}end`);
  });

  it('restarts, new containers and removed ones are followed; of a removed one nothing is kept', async () => {
    const engine = await dockerEngine();
    const web = engine.run('web');
    const { source, port, clock } = docker(engine.socket);
    await source.start();
    await following(engine, 1);
    engine.print(web, 'one\n');
    engine.stopContainer(web);
    await gets(port, 'stdout F one');
    engine.print(web, 'last words\n');
    engine.startContainer(web);
    await following(engine, 2).catch(() => clock.advance(1_000));
    await waitFor('the rest', () => texts(port).length === 2);
    const job = engine.run('job');
    await following(engine, 3);
    engine.print(job, 'short\n');
    engine.remove(job);
    await waitFor('the job', () => texts(port).includes('stdout F short'));
    await waitFor('that it is forgotten', () => !port.saved.has(`docker:all:${job.id}`));
    expect(texts(port)).toEqual(['stdout F one', 'stdout F last words', 'stdout F short']);
    expect(port.saved.has(`docker:all:${web.id}`)).toBe(true);
    engine.remove(web);
    await waitFor('that nothing is left', () => port.states.at(-1)?.startsWith('waiting'));
  });

  it('goes on behind the last line after a restart, with lines of the same instant and late ones', async () => {
    const engine = await dockerEngine();
    const web = engine.run('web');
    const at = BigInt(Date.UTC(2026, 0, 5, 9, 30)) * 1_000_000n;
    engine.print(web, 'a\n', 'stdout', at);
    engine.print(web, 'same\n', 'stdout', at + 7n);
    engine.print(web, 'same\n', 'stdout', at + 7n);
    const first = docker(engine.socket);
    await first.source.start();
    await gets(first.port, 'stdout F a', 'stdout F same', 'stdout F same');
    await first.source.stop();
    engine.print(web, 'same\n', 'stdout', at + 7n);
    engine.print(web, 'late\n', 'stderr', at + 5n);
    engine.print(web, 'b\n', 'stdout', at + 8n);
    const second = docker(engine.socket, {}, new LinePort(first.port.saved));
    await second.source.start();
    await gets(second.port, 'stdout F same', 'stderr F late', 'stdout F b');
  });

  it('what ran and stopped while nobody looked is read; what had stopped before the first start is not', async () => {
    const engine = await dockerEngine(Date.UTC(2026, 0, 5, 9));
    const old = engine.run('old');
    engine.print(old, 'old news\n');
    engine.stopContainer(old);
    const web = engine.run('web');
    engine.print(web, 'one\n');
    const first = docker(engine.socket);
    await first.source.start();
    await gets(first.port, 'stdout F one');
    await first.source.stop();
    engine.print(web, 'two\n', 'stdout', BigInt(Date.UTC(2026, 0, 5, 11)) * 1_000_000n);
    engine.stopContainer(web);
    const job = engine.run('job');
    engine.print(job, 'came and went\n');
    engine.stopContainer(job);
    const second = docker(engine.socket, {}, new LinePort(first.port.saved));
    await second.source.start();
    await waitFor('both', () => texts(second.port).length === 2);
    expect(texts(second.port).sort()).toEqual(['stdout F came and went', 'stdout F two']);
  });

  it('chosen by name, label and image', async () => {
    const engine = await dockerEngine();
    for (const [name, more] of [
      ['web-1', { labels: { app: 'shop', tier: 'front' } }],
      ['web-2', { labels: { app: 'other' } }],
      ['db', { image: 'ghcr.io/x/postgres:16' }],
    ] as const)
      engine.print(engine.run(name, more), `${name}\n`);
    const read = async (options: Partial<DockerSourceConfig>): Promise<string[]> => {
      const { source, port } = docker(engine.socket, options);
      await source.drain();
      return texts(port)
        .map((line) => line.slice('stdout F '.length))
        .sort();
    };
    expect(await read({})).toEqual(['db', 'web-1', 'web-2']);
    expect(await read({ names: ['web-*'] })).toEqual(['web-1', 'web-2']);
    expect(await read({ names: ['web-*'], exclude: ['*-2'] })).toEqual(['web-1']);
    expect(await read({ images: ['*/postgres:*'] })).toEqual(['db']);
    expect(await read({ containerLabels: { app: '*' } })).toEqual(['web-1', 'web-2']);
    expect(await read({ containerLabels: { app: 'shop', tier: 'f*' } })).toEqual(['web-1']);
    expect(await read({ names: ['web'] })).toEqual([]);
  });

  it('an Engine that is not there is a failing source; when it comes, all is read', async () => {
    const missing = docker(join(tempDir(), 'none.sock'));
    await missing.source.start();
    expect(missing.port.states[0]).toMatch(
      /^failing: .*none.sock is not there: is the engine running\?; tried again in 1 s$/,
    );
    await missing.clock.advance(1_000);
    await waitFor('a second try', () => missing.port.states.at(-1)?.endsWith('tried again in 2 s'));
  });

  it('a connection that breaks is opened again where it stopped, without an alarm', async () => {
    const engine = await dockerEngine();
    const web = engine.run('web');
    const { source, port, clock, warnings } = docker(engine.socket);
    await source.start();
    await following(engine, 1);
    engine.print(web, 'one\n');
    await gets(port, 'stdout F one');
    engine.cut();
    await waitFor('that it is noticed', () => warnings.length > 0);
    engine.print(web, 'two\n');
    await clock.advance(1_000);
    await waitFor('the rest', () => texts(port).length === 2);
    expect(texts(port)).toEqual(['stdout F one', 'stdout F two']);
    expect(port.states.filter((state) => state.startsWith('failing'))).toEqual([]);
  });

  it('a logging driver that gives nothing back is said, and the other containers are read', async () => {
    const engine = await dockerEngine();
    engine.run('mute').unreadable = true;
    const web = engine.run('web');
    engine.print(web, 'one\n');
    const { source, port } = docker(engine.socket);
    await source.start();
    await gets(port, 'stdout F one');
    await waitFor('the word', () =>
      port.states.at(-1)?.startsWith('failing: mute: configured logging driver does not support reading'),
    );
  });

  it('`start: 10m` is the last ten minutes of what was there, and all of what comes', async () => {
    const engine = await dockerEngine(Date.UTC(2026, 0, 5, 9));
    const web = engine.run('web');
    engine.print(web, 'an hour old\n');
    engine.print(web, 'five minutes old\n', 'stdout', BigInt(Date.UTC(2026, 0, 5, 9, 55)) * 1_000_000n);
    const { source, port } = docker(engine.socket, { start: { agoMs: 600_000 } });
    await source.start();
    await gets(port, 'stdout F five minutes old');
  });
});

describe('what the Engine sends', () => {
  const frame = (stream: number, text: string): Buffer => {
    const payload = Buffer.from(text);
    const header = Buffer.alloc(8);
    header[0] = stream;
    header.writeUInt32BE(payload.length, 4);
    return Buffer.concat([header, payload]);
  };
  const all = Buffer.concat([
    frame(1, '2026-01-05T10:00:00.000000001Z one\n'),
    frame(2, '2026-01-05T10:00:00.5Z two'),
    frame(1, '2026-01-05T12:00:00+02:00 three\nfour\n'),
    frame(1, 'no stamp\n'),
  ]);
  const lines = (tty: boolean, pieces: readonly Buffer[]): string[] => {
    const frames = new DockerFrames(tty);
    return pieces
      .flatMap((piece) => frames.take(piece))
      .map(({ time, line }) => `${time} ${line.toString()}`);
  };

  it('is the same lines however it is cut', () => {
    const whole = lines(false, [all]);
    expect(whole).toEqual([
      '1767607200.000000001 2026-01-05T10:00:00.000000001Z stdout F one\n',
      '1767607200.500000000 2026-01-05T10:00:00.5Z stderr P two\n',
      '1767607200.000000000 2026-01-05T12:00:00+02:00 stdout F three\n',
      '1767607200.000000000 2026-01-05T12:00:00+02:00 stdout F four\n',
      '1767607200.000000000 2026-01-05T12:00:00+02:00 stdout F no stamp\n',
    ]);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: all.length }), { maxLength: 20 }), (cuts) => {
        const at = [0, ...cuts.sort((a, b) => a - b), all.length];
        const pieces = at.slice(1).map((end, index) => all.subarray(at[index], end));
        expect(lines(false, pieces)).toEqual(whole);
      }),
    );
  });

  it('what is no frame is an error, not text', () => {
    expect(() => lines(false, [Buffer.from('HTTP/1.1 200 OK')])).toThrow(/no frame/);
  });
});

describe('the place in a container’s log', () => {
  it('passes over each known line once, and over nothing else, wherever it is cut', () => {
    const line = fc.record({
      step: fc.integer({ min: 0, max: 200_000_000 }),
      text: fc.constantFrom('a', 'b', 'c'),
    });
    fc.assert(
      fc.property(fc.array(line, { maxLength: 200 }), fc.nat(), (steps, cut) => {
        let nanos = 1_767_607_200_000_000_000n;
        const all = steps.map(({ step, text }) => {
          // Most lines share an instant or are close; some jump.
          nanos += BigInt(step % 7 === 0 ? step : step % 3);
          const seconds = String(nanos / 1_000_000_000n).padStart(10, '0');
          const time = `${seconds}.${String(nanos % 1_000_000_000n).padStart(9, '0')}`;
          return { time, line: Buffer.from(`${time} ${text}\n`) };
        });
        const at = all.length === 0 ? 0 : cut % all.length;
        const place = new DockerPlace();
        for (const one of all.slice(0, at)) place.note(one);
        const restored = DockerPlace.from(place.place());
        const again = all.filter((one) => one.time >= restored.since).filter((one) => !restored.passes(one));
        const want = all.slice(at);
        // More than so many lines of one nanosecond can't be told apart: there a line may be passed over with them.
        const crowded = new Map<string, number>();
        for (const { time } of all) crowded.set(time, (crowded.get(time) ?? 0) + 1);
        fc.pre(Math.max(0, ...crowded.values()) <= 64);
        expect(again.map(({ line: text }) => text.toString())).toEqual(
          want.map(({ line: text }) => text.toString()),
        );
      }),
    );
  });
});
