/** What a look at a file may conclude from its length and its stamp, and what it may not. */
import { fstatSync, openSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { Looks } from '../../src/sources/looks.ts';
import { Pace } from '../../src/sources/pace.ts';
import { newPath } from '../../src/sources/paths.ts';
import { Streams } from '../../src/sources/streams.ts';
import { Trust } from '../../src/sources/trust.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { LinePort } from '../support/line-port.ts';
import { fileConfig } from '../support/tailing.ts';
import { tempDir } from '../support/temp-dir.ts';

it('T27 a file that changed within one step of the clock of the disk may change once more and look the same: it is read again', async () => {
  const log = join(tempDir(), 'app.log');
  writeFileSync(log, 'line 1\n');
  const fd = openSync(log, 'r');
  const stat = fstatSync(fd, { bigint: true });
  const clock = new FakeClock(Number(stat.ctimeNs / 1_000_000n) + 5);
  const streams = new Streams(
    { port: new LinePort(), clock, seenAt: () => 0 },
    fileConfig({ paths: [log] }),
    null,
  );
  const tail = await streams.open({ fd, stat, path: log, remote: false }, { initial: false, atPath: true });
  onTestFinished(() => tail.medium?.close());
  const found = {
    path: log,
    raw: join(dirname(log), basename(log)),
    dir: dirname(log),
    literal: true,
    remote: false,
  };
  const entry = newPath(found, false, 0);
  entry.tail = tail;
  let wanted = 0;
  const never = (): void => expect.unreachable();
  const looks = new Looks({
    clock,
    pace: new Pace(() => false),
    trust: new Trust({ clock, covers: () => false, announces: () => false }),
    want: () => wanted++,
    open: never,
    lost: never,
    drop: never,
    problem: never,
    starting: () => false,
    stopping: () => false,
  });
  const look = (): number => {
    looks.hinted(entry, clock.monotonic());
    return wanted;
  };
  expect(look()).toBe(1);
  clock.skip(100);
  expect(look()).toBe(2);
  expect([look(), look()]).toEqual([2, 2]);
});
