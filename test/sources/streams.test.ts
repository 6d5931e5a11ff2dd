/** How a file gets its stream while somebody else works on it: what is noted of a content is never taken from another one. */
import {
  appendFileSync,
  closeSync,
  copyFileSync,
  fstatSync,
  openSync,
  readFileSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { hashOf } from '../../src/sources/identity.ts';
import { Streams } from '../../src/sources/streams.ts';
import { realClock } from '../../src/system/clock.ts';
import { LinePort } from '../support/line-port.ts';
import { fileConfig, numbered, tail, text } from '../support/tailing.ts';
import { tempDir } from '../support/temp-dir.ts';

/** Steps of the disk that opening a known file takes, and some more. */
const steps = 14;

describe('a file is opened again', () => {
  it('T62 copied and truncated at any moment of it: the old content keeps its own head', async () => {
    const outcomes = new Set<string>();
    for (let step = 0; step < steps; step++) {
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
      for (let turn = 0; turn < step; turn++) await new Promise((resolve) => setImmediate(resolve));
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
