/** How a file gets its stream while somebody else works on it: what is noted of a content is never taken from another one. */
import {
  appendFileSync,
  closeSync,
  copyFileSync,
  fstatSync,
  openSync,
  readFileSync,
  renameSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Chunk } from '../../src/model/seams.ts';
import { copySource } from '../../src/sources/copies.ts';
import { hashOf } from '../../src/sources/identity.ts';
import { Streams } from '../../src/sources/streams.ts';
import { realClock } from '../../src/system/clock.ts';
import { jumpingClock } from '../support/jumping-clock.ts';
import { LinePort } from '../support/line-port.ts';
import { fileConfig, numbered, tail, text } from '../support/tailing.ts';
import { tempDir } from '../support/temp-dir.ts';
import { waitFor } from '../support/wait-for.ts';

/** Keeps the last line until it is quiet, as a reader of records of several lines does. */
class RecordPort extends LinePort {
  override take(chunk: Chunk): number {
    if (chunk.end !== 'more') return super.take(chunk);
    const last = chunk.data.lastIndexOf(10);
    const end = last > 0 ? chunk.data.lastIndexOf(10, last - 1) + 1 : 0;
    return super.take({ ...chunk, data: chunk.data.subarray(0, end) });
  }
}

/** Steps of the disk that opening a known file takes, and some more: the moments at which it is copied and truncated. */
const steps = 14;

describe('a file is opened again', () => {
  it('T62 copied and truncated at any moment of it: the old content keeps its own head', async () => {
    const outcomes = new Set<string>();
    for (let step = 0; step <= steps; step++) {
      const dir = tempDir();
      const log = join(dir, 'app.log');
      writeFileSync(log, text(numbered(1, 300)));
      const first = await tail({ paths: [log] });
      await first.gets(...numbered(1, 300));
      await first.stop();
      const [[key] = ['']] = first.port.saved;
      const oldHead = hashOf(readFileSync(log).subarray(0, 1024));
      const port = new LinePort(new Map(first.port.saved));
      const config = fileConfig({ paths: [log] });
      const streams = new Streams({ port, clock: realClock, seenAt: () => 0 }, config, null);
      const fd = openSync(log, 'r');
      const file = { fd, stat: fstatSync(fd, { bigint: true }), path: log, remote: false };
      const opened = streams.open(file, { initial: false, atPath: true });
      // A slow disk takes more turns than these: the last time is after the opening, however long that took.
      if (step === steps) await opened;
      else for (let turn = 0; turn < step; turn++) await new Promise((resolve) => setImmediate(resolve));
      copyFileSync(log, join(dir, 'app.log.1'));
      truncateSync(log);
      appendFileSync(log, text(numbered(1_000_301, 1_000_900)));
      const stream = await opened;
      expect([step, port.saved.get(key)?.identity['head']]).toEqual([step, oldHead]);
      if (stream.stream.key === key) outcomes.add('goes on');
      else {
        outcomes.add('begins anew');
        expect([step, stream.offset]).toEqual([step, 0]);
      }
      closeSync(fd);
    }
    expect([...outcomes].sort()).toEqual(['begins anew', 'goes on']);
  });
});

describe('a truncation was seen, and the copy is searched', () => {
  it('T33 the last record becomes complete meanwhile: the rest of the copy is read from behind it', async () => {
    for (let step = 0; step < steps; step++) {
      const dir = tempDir();
      const log = join(dir, 'app.log');
      writeFileSync(log, text(numbered(1, 50)));
      const clock = jumpingClock();
      const port = new RecordPort();
      const mode = step % 2 === 0 ? 'events' : 'poll only';
      const tailing = await tail({ paths: [log], mode, clock, port });
      await waitFor('all but the last', () => port.lines.length === 49);
      port.count = (source, reason, by) => {
        LinePort.prototype.count.call(port, source, reason, by);
        if (reason !== 'truncated') return;
        void (async () => {
          for (let turn = 0; turn < step; turn++) await new Promise((resolve) => setImmediate(resolve));
          clock.jump(1_000);
        })();
      };
      appendFileSync(log, text(numbered(51, 60)));
      copyFileSync(log, join(dir, 'app.log.1'));
      truncateSync(log);
      appendFileSync(log, text(numbered(61, 63)));
      await waitFor('all', () => port.lines.length >= 63);
      expect([step, port.lines]).toEqual([step, numbered(1, 63)]);
      await tailing.stop();
    }
  });
});

describe('a copy of a file that was truncated before it was read', () => {
  it('T62 belongs to that file, whose stream has not noticed yet', async () => {
    const dir = tempDir();
    const log = join(dir, 'app.log');
    writeFileSync(log, text(numbered(1, 100)));
    const config = fileConfig({ paths: [log] });
    const streams = new Streams({ port: new LinePort(), clock: realClock, seenAt: () => 0 }, config, null);
    const open = (path: string) => {
      const fd = openSync(path, 'r');
      onTestFinished(() => closeSync(fd));
      return { fd, stat: fstatSync(fd, { bigint: true }), path, remote: false };
    };
    const live = await streams.open(open(log), { initial: false, atPath: true });
    const other = join(dir, 'app.log.2');
    writeFileSync(other, text(numbered(201, 300)));
    copyFileSync(log, join(dir, 'app.log.1'));
    truncateSync(log);
    appendFileSync(log, text(numbered(101, 103)));
    const question = { name: null, self: null, head: null };
    expect((await copySource(open(join(dir, 'app.log.1')), streams, question))?.tail).toBe(live);
    expect(await copySource(open(other), streams, question)).toBe(null);
  });
});

describe('a start while the log is rotated', () => {
  it('T60 rotated twice after its path was looked at: the generation between is read', async () => {
    const dir = tempDir();
    const log = join(dir, 'app.log');
    writeFileSync(log, text(numbered(1, 50)));
    const first = await tail({ paths: [log] });
    await first.gets(...numbered(1, 50));
    await first.stop();
    const port = new LinePort(new Map(first.port.saved));
    const clock = jumpingClock();
    let rotated = false;
    port.remember = (position) => {
      LinePort.prototype.remember.call(port, position);
      if (rotated) return;
      rotated = true;
      renameSync(log, join(dir, 'app.log.2'));
      writeFileSync(log, text(numbered(51, 60)));
      renameSync(log, join(dir, 'app.log.1'));
      writeFileSync(log, text(numbered(61, 70)));
      clock.jump(1_000);
    };
    const second = await tail({ paths: [log], port, clock, firstStart: false });
    await second.gets(...numbered(51, 70));
  });
});
