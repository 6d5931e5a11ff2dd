/** Which files are read, from where, and what is said about those that can't be. */
import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  closeSync,
  constants,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createSource } from '../../src/sources/sources.ts';
import { realClock } from '../../src/system/clock.ts';
import { watchNothing } from '../../src/system/watch.ts';
import { LinePort } from '../support/line-port.ts';
import { type Mode, makeTailing, numbered, tail, text } from '../support/tailing.ts';
import { tempDir } from '../support/temp-dir.ts';
import { waitFor } from '../support/wait-for.ts';

/** A user that owns nothing. */
const nobody = 65_534;
const modes: Mode[] = ['events', 'poll only'];

describe.each(modes)('files that appear, %s', (mode) => {
  it('T44 a file, and a folder with one, that come after the start are read from their beginning', async () => {
    const dir = tempDir();
    const late = join(dir, 'deep', 'er', 'app.log');
    const tailing = await tail({
      paths: [join(dir, 'a.log'), late, join(dir, 'glob', '*.log')],
      mode,
      start: 'end',
    });
    expect(tailing.port.states).toEqual(['waiting: no file is there yet']);
    writeFileSync(join(dir, 'a.log'), 'a\n');
    mkdirSync(join(dir, 'deep', 'er'), { recursive: true });
    writeFileSync(late, 'b\n');
    mkdirSync(join(dir, 'glob'));
    writeFileSync(join(dir, 'glob', 'c.log'), 'c\n');
    await tailing.gets('a', 'b', 'c');
    await waitFor('the state', () => tailing.port.states.at(-1) === 'ok');
  });

  it('a folder that is removed and made again is watched again', async () => {
    const dir = join(tempDir(), 'logs');
    mkdirSync(dir);
    writeFileSync(join(dir, 'a.log'), 'one\n');
    const tailing = await tail({ paths: [join(dir, '*.log')], mode, more: { rotateWaitMs: 50 } });
    await tailing.gets('one');
    rmSync(dir, { recursive: true });
    await waitFor('its absence to be seen', () => tailing.port.states.at(-1)?.startsWith('waiting'));
    mkdirSync(dir);
    writeFileSync(join(dir, 'a.log'), 'two\n');
    await tailing.gets('one', 'two');
  });

  it('T40 a dangling link is read from the beginning once it leads somewhere', async () => {
    const dir = tempDir();
    symlinkSync(join(dir, 'target'), join(dir, 'app.log'));
    const tailing = await tail({ paths: [join(dir, 'app.log')], mode, start: 'end' });
    writeFileSync(join(dir, 'target'), 'one\n');
    await tailing.gets('one');
  });

  it('T45 B17 many files with few descriptors', async () => {
    const dir = tempDir();
    const files = Array.from({ length: 120 }, (_, n) => join(dir, `${n}.log`));
    for (const [n, file] of files.entries()) writeFileSync(file, `first ${n}\n`);
    const tailing = await tail({ paths: [join(dir, '*.log')], mode, more: { openFilesMax: 10 } });
    await tailing.gets(...files.map((_, n) => `first ${n}`));
    for (const [n, file] of files.entries()) {
      appendFileSync(file, `second ${n}\n`);
      // Written to while it is closed, and renamed before anybody looked.
      if (n % 10 === 0) renameSync(file, `${file.slice(0, -4)}.old`);
    }
    await tailing.gets(...files.flatMap((_, n) => [`first ${n}`, `second ${n}`]));
  });

  it('T47 a storm of changes around a file', async () => {
    const dir = tempDir();
    const log = join(dir, 'app.log');
    writeFileSync(log, '');
    const tailing = await tail({ paths: [join(dir, '*.log')], mode });
    const lines = numbered(1, 1_000);
    for (const line of lines) {
      appendFileSync(log, `${line}\n`);
      for (let i = 0; i < 5; i++) writeFileSync(join(dir, `noise ${i}`), line);
    }
    await tailing.gets(...lines);
    expect(tailing.port.lines).toEqual(lines);
  });
});

describe('names', () => {
  it('T57 odd names, and brackets and braces taken literally where such a file exists', async () => {
    const dir = tempDir();
    for (const name of ['a b.log', 'new\nline.log', 'x[1].log', 'y{a,b}.log', 'x1.log']) {
      writeFileSync(join(dir, name), `${JSON.stringify(name)}\n`);
    }
    const raw = Buffer.concat([Buffer.from(`${dir}/`), Buffer.from([0xe9]), Buffer.from('.bytes')]);
    writeFileSync(raw, 'bytes\n');
    const tailing = await tail({
      paths: ['a b.log', 'new\nline.log', 'x[1].log', 'y{a,b}.log', '*.bytes'].map((name) => join(dir, name)),
    });
    await tailing.gets('"a b.log"', '"new\\nline.log"', '"x[1].log"', '"y{a,b}.log"', 'bytes');
  });

  it('exclude takes files out, by path or by name', async () => {
    const dir = tempDir();
    mkdirSync(join(dir, 'sub'));
    for (const name of ['a.log', 'debug.log', 'sub/b.log', 'sub/c.log'])
      writeFileSync(join(dir, name), `${name}\n`);
    const tailing = await tail({
      paths: [join(dir, '**', '*.log')],
      exclude: ['debug*', join(dir, 'sub', 'c.*')],
    });
    await tailing.gets('a.log', 'sub/b.log');
  });

  it('compressed files are left alone', async () => {
    const dir = tempDir();
    writeFileSync(join(dir, 'a.gz'), Buffer.from([0x1f, 0x8b, 8, 0, 10, 65, 10]));
    writeFileSync(join(dir, 'b.log'), 'b\n');
    const tailing = await tail({ paths: [join(dir, '*')] });
    await tailing.gets('b');
    await waitFor('the count', () => tailing.port.count_('compressed_skipped') === 1);
  });
});

describe('what is not a file, or not to be read', () => {
  it('T41 a loop of links, a link to a folder: one error each, the others go on', async () => {
    const dir = tempDir();
    symlinkSync(join(dir, 'b.log'), join(dir, 'a.log'));
    symlinkSync(join(dir, 'a.log'), join(dir, 'b.log'));
    mkdirSync(join(dir, 'folder'));
    symlinkSync(join(dir, 'folder'), join(dir, 'c.log'));
    writeFileSync(join(dir, 'd.log'), 'd\n');
    const tailing = await tail({ paths: ['a.log', 'c.log', 'd.log'].map((name) => join(dir, name)) });
    await tailing.gets('d');
    appendFileSync(join(dir, 'd.log'), 'd2\n');
    await tailing.gets('d', 'd2');
    expect(tailing.warnings.length).toBe(2);
    expect(tailing.port.states.at(-1)).toMatch(/^failing: .*and 1 more/);
  });

  it('T50 a folder, a socket, a device: one error each', async () => {
    const dir = tempDir();
    mkdirSync(join(dir, 'folder'));
    const server = createServer().listen(join(dir, 'socket'));
    onTestFinished(() => void server.close());
    await waitFor('the socket', () => server.listening);
    const tailing = await tail({ paths: [join(dir, 'folder'), join(dir, 'socket'), '/dev/null'] });
    await waitFor('three warnings', () => tailing.warnings.length === 3);
    expect(tailing.warnings.join('\n')).toMatch(/write a glob such as folder\/\*\.log/);
    expect(tailing.port.lines).toEqual([]);
  });

  it('T51 a named pipe is read as a stream, and survives its writers', async () => {
    const dir = tempDir();
    const pipe = join(dir, 'pipe');
    execFileSync('mkfifo', [pipe]);
    const tailing = await tail({ paths: [pipe] });
    for (const word of ['one', 'two']) {
      const fd = openSync(pipe, constants.O_WRONLY | constants.O_NONBLOCK);
      writeSync(fd, `${word}\n`);
      closeSync(fd);
      await waitFor(word, () => tailing.port.lines.includes(word));
    }
    expect(tailing.port.saved.size).toBe(0);
  });

  it('T48 T49 a file that may not be read: one warning, picked up when it may, read on when it may no longer', async () => {
    const dir = tempDir();
    const log = join(dir, 'app.log');
    chmodSync(dir, 0o755);
    writeFileSync(log, 'one\n', { mode: 0 });
    // Root may read everything: for this test the process is somebody else, and root again to change the right.
    const root = process.geteuid?.() === 0;
    const asRoot = (act: () => void): void => {
      if (root) process.seteuid?.(0);
      act();
      if (root) process.seteuid?.(nobody);
    };
    onTestFinished(() => {
      if (root) process.seteuid?.(0);
    });
    if (root) process.seteuid?.(nobody);
    const tailing = await tail({ paths: [log] });
    await waitFor('the warning', () => tailing.warnings.length === 1);
    asRoot(() => chmodSync(log, 0o644));
    await tailing.gets('one');
    asRoot(() => chmodSync(log, 0));
    asRoot(() => appendFileSync(log, 'two\n'));
    await tailing.gets('one', 'two');
    expect(tailing.warnings.length).toBe(1);
    await waitFor('the state', () => tailing.port.states.at(-1) === 'ok');
  });
});

describe('where a file is begun', () => {
  const stamp = (line: Buffer): number | null => {
    const time = Date.parse(line.toString('latin1', 0, 20));
    return Number.isNaN(time) ? null : time;
  };
  const stamped = (minutes: number): string[] =>
    Array.from(
      { length: minutes },
      (_, m) =>
        `${new Date(Date.UTC(2026, 0, 5, 0, m)).toISOString().slice(0, 19)}Z minute ${m} ${'x'.repeat(300)}`,
    );

  it('end: only what comes, and not the rest of a line that was begun', async () => {
    const log = join(tempDir(), 'app.log');
    writeFileSync(log, 'old\nhalf');
    const tailing = await tail({ paths: [log], start: 'end', firstStart: true });
    appendFileSync(log, ' of it\nnew\n');
    await tailing.gets('new');
  });

  it('10m: the records of the last ten minutes before the newest, found without reading the file', async () => {
    const log = join(tempDir(), 'app.log');
    const lines = stamped(6_000);
    writeFileSync(log, text(lines));
    const tailing = await tail({
      paths: [log],
      start: { agoMs: 600_000 },
      firstStart: true,
      more: { timeOf: stamp },
    });
    await tailing.gets(...lines.slice(-11));
  });

  it('10m where the whole file is younger, and lines without a stamp lie between', async () => {
    const log = join(tempDir(), 'app.log');
    const lines = stamped(5).flatMap((line) => [line, '  at something']);
    writeFileSync(log, text(lines));
    const tailing = await tail({
      paths: [log],
      start: { agoMs: 600_000 },
      firstStart: true,
      more: { timeOf: stamp },
    });
    await tailing.gets(...lines);
  });

  it('10m without stamps: the last 1 MiB, from the beginning of a line', async () => {
    const log = join(tempDir(), 'app.log');
    const lines = numbered(1, 200_000);
    writeFileSync(log, text(lines));
    const tailing = await tail({ paths: [log], start: { agoMs: 600_000 }, firstStart: true });
    await waitFor('lines', () => tailing.port.lines.at(-1) === lines.at(-1));
    expect(tailing.port.taken.length).toBe(Math.floor((1024 * 1024) / 12));
    expect(tailing.port.lines).toEqual(lines.slice(-tailing.port.taken.length));
  });

  it('a saved position wins over the configured start, and files that appear later begin at their beginning', async () => {
    const dir = tempDir();
    const log = join(dir, 'a.log');
    writeFileSync(log, 'old\n');
    const first = await tail({ paths: [join(dir, '*.log')], start: 'end', firstStart: true });
    writeFileSync(join(dir, 'b.log'), 'later\n');
    await first.gets('later');
    await first.stop();
    appendFileSync(log, 'new\n');
    const second = await tail({
      paths: [join(dir, '*.log')],
      start: 'end',
      firstStart: false,
      port: new LinePort(new Map(first.port.saved)),
    });
    await second.gets('new');
  });
});

describe('drain', () => {
  it('takes every file to its end, the unterminated last line too, and then resolves', async () => {
    const dir = tempDir();
    writeFileSync(join(dir, 'a.log'), text(numbered(1, 30_000, 'a')));
    writeFileSync(join(dir, 'b.log'), 'b 1\nb 2');
    writeFileSync(join(dir, 'empty.log'), '');
    const tailing = makeTailing({ paths: [join(dir, '*.log')] });
    await tailing.source.drain();
    expect(tailing.port.taken.filter((line) => line.path?.endsWith('a.log')).length).toBe(30_000);
    expect(tailing.port.lines).toContain('b 2');
    expect(tailing.source.lagBytes()).toBe(0);
  });

  it('resolves when there is nothing to read', async () => {
    const tailing = makeTailing({ paths: [join(tempDir(), 'nothing.log')] });
    await tailing.source.drain();
    expect(tailing.port.lines).toEqual([]);
  });

  it('a file drained is gone on with by the next run', async () => {
    const log = join(tempDir(), 'app.log');
    writeFileSync(log, 'one\n');
    const first = makeTailing({ paths: [log] });
    await first.source.drain();
    await first.stop();
    expect(first.port.left.length).toBe(0);
    appendFileSync(log, 'two\n');
    const second = makeTailing({ paths: [log], port: new LinePort(new Map(first.port.saved)) });
    await second.source.drain();
    expect(second.port.lines).toEqual(['two']);
  });

  it('stop may come before start has resolved, and twice', async () => {
    const log = join(tempDir(), 'app.log');
    writeFileSync(log, 'one\n');
    const tailing = makeTailing({ paths: [log] });
    const started = tailing.source.start();
    await Promise.all([tailing.source.stop(), tailing.source.stop(), started]);
    const taken = tailing.port.taken.length;
    appendFileSync(log, 'two\n');
    unlinkSync(log);
    expect(tailing.port.taken.length).toBe(taken);
  });
});

describe('standard input', () => {
  function stdin(input: Readable, port: LinePort): ReturnType<typeof createSource> {
    return createSource(
      {
        kind: 'stdin',
        name: 'logs',
        format: 'plain',
        multiline: 'none',
        tz: 'UTC',
        maxLineBytes: 1,
        labels: {},
        origin: { file: 'test', line: 1, column: 1 } as never,
      },
      { port, clock: realClock, watch: watchNothing, stdin: input, firstStart: true, timeOf: null },
    );
  }

  it('T52 is read to its end, the unterminated last line too', async () => {
    const port = new LinePort();
    await stdin(Readable.from([Buffer.from('a\nb'), Buffer.from('c\nlast')]), port).drain();
    expect(port.lines).toEqual(['a', 'bc', 'last']);
    expect(port.taken.at(-1)?.end).toBe('final');
    expect(port.saved.size).toBe(0);
  });

  it('T68 what it can not take at once waits in the pipe', async () => {
    const port = new LinePort();
    const input = new PassThrough();
    const source = stdin(input, port);
    await source.start();
    const lines = numbered(1, 50_000);
    input.end(text(lines));
    await source.drain();
    expect(port.lines).toEqual(lines);
  });

  it('what is held back comes with quiet, and the rest with stop', async () => {
    const port = new LinePort();
    const plain = port.take.bind(port);
    const ends: string[] = [];
    port.take = (chunk) => {
      ends.push(chunk.end);
      return chunk.end === 'more' ? 0 : plain(chunk);
    };
    const input = new PassThrough();
    const source = stdin(input, port);
    await source.start();
    input.write('a\nhalf');
    await waitFor('quiet', () => ends.includes('quiet'));
    expect(port.lines).toEqual(['a']);
    expect(source.lagBytes()).toBe(4);
    await source.stop();
    expect(port.lines).toEqual(['a', 'half']);
  });
});
