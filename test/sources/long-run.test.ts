/** What shows after a long time only: many rotations, a clock that is set, a file that grew while nobody ran. */
import {
  appendFileSync,
  copyFileSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Clock } from '../../src/model/seams.ts';
import { realClock } from '../../src/system/clock.ts';
import { LinePort } from '../support/line-port.ts';
import { type Mode, makeTailing, numbered, restart, tail, text } from '../support/tailing.ts';
import { tempDir } from '../support/temp-dir.ts';
import { waitFor } from '../support/wait-for.ts';

const modes: Mode[] = ['events', 'poll only'];

/** What this process has open below a folder, and whether it has a name still. */
function openBelow(dir: string): string[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      const target = readlinkSync(`/proc/self/fd/${fd}`);
      return target.startsWith(dir) ? [target] : [];
    } catch {
      return [];
    }
  });
}

/** The real time, whose wall clock a person or NTP sets. */
function settableClock(): Clock & { set(byMs: number): void } {
  let shift = 0;
  return {
    now: () => realClock.now() + shift,
    monotonic: () => realClock.monotonic(),
    setTimer: (delayMs, callback) => realClock.setTimer(delayMs, callback),
    set: (byMs) => {
      shift += byMs;
    },
  };
}

describe.each(modes)('after a long time, %s', (mode) => {
  it.skipIf(process.platform !== 'linux')(
    'T80 after hundreds of rotations of all kinds no descriptor is left over, and what is remembered is bounded (needs /proc)',
    async () => {
      const dir = tempDir();
      const log = join(dir, 'app.log');
      writeFileSync(log, '');
      const tailing = await tail({ paths: [log], mode, more: { rotateWaitMs: 0 } });
      const { port } = tailing;
      for (let round = 1; round <= 300; round++) {
        appendFileSync(log, `line ${round}\n`);
        await waitFor(`line ${round}`, () => port.taken.length === round);
        if (round % 3 === 0) {
          copyFileSync(log, `${log}.1`);
          truncateSync(log);
        } else if (round % 3 === 1) {
          renameSync(log, `${log}.1`);
          writeFileSync(log, '');
        } else {
          rmSync(log);
          writeFileSync(log, '');
        }
      }
      appendFileSync(log, 'last\n');
      await waitFor('the last line', () => port.lines.at(-1) === 'last');
      expect(port.lines).toEqual([...Array.from({ length: 300 }, (_, n) => `line ${n + 1}`), 'last']);
      // The file itself, and its folder where it is watched.
      const left = (): string[] => openBelow(dir).filter((path) => path !== dir && path !== log);
      await waitFor('the old ones to be closed', () => left().length === 0).catch(() => undefined);
      expect(left()).toEqual([]);
      expect(openBelow(dir).filter((path) => path === log)).toHaveLength(1);
      expect(port.saved.size).toBeLessThanOrEqual(1024 + 1);
    },
    60_000,
  );

  it('T56 the clock is set back by an hour, and forward: every line once, over rotations and a restart', async () => {
    const dir = tempDir();
    const log = join(dir, 'app.log');
    const clock = settableClock();
    writeFileSync(log, text(numbered(1, 10)));
    const first = await tail({ paths: [log], mode, clock });
    await first.gets(...numbered(1, 10));
    const rotateTwice = (from: number): void => {
      appendFileSync(log, text(numbered(from, from + 4)));
      renameSync(log, `${log}.${from}`);
      writeFileSync(log, text(numbered(from + 5, from + 9)));
      renameSync(log, `${log}.${from + 5}`);
      writeFileSync(log, text(numbered(from + 10, from + 19)));
    };
    clock.set(-3_600_000);
    rotateTwice(11);
    await first.gets(...numbered(1, 30));
    clock.set(7_200_000);
    appendFileSync(log, text(numbered(31, 40)));
    await first.gets(...numbered(1, 40));
    clock.set(-3_600_000);
    await first.stop();
    appendFileSync(log, text(numbered(41, 50)));
    renameSync(log, `${log}.41`);
    writeFileSync(log, text(numbered(51, 60)));
    const second = await restart(first, { paths: [log], mode, clock });
    await second.gets(...numbered(41, 60));
    expect(first.warnings.concat(second.warnings)).toEqual([]);
  });

  it('T65 a file that grew by 64 MiB while nobody ran: read in pieces, the lag goes down to nothing', async () => {
    const log = join(tempDir(), 'app.log');
    writeFileSync(log, 'first\n');
    const first = await tail({ paths: [log], mode });
    await first.gets('first');
    await first.stop();
    const size = 64 * 1024 * 1024;
    appendFileSync(log, Buffer.alloc(size, `${'x'.repeat(127)}\n`));
    const port = new LinePort(new Map(first.port.saved));
    port.keep = false;
    const tailing = makeTailing({ paths: [log], mode, port, firstStart: false });
    const lags: number[] = [];
    let most = 0;
    let held = 0;
    const before = process.memoryUsage().arrayBuffers;
    port.onTake = (chunk) => {
      lags.push(tailing.source.lagBytes());
      most = Math.max(most, chunk.data.length);
      held = Math.max(held, process.memoryUsage().arrayBuffers - before);
    };
    let lines = 0;
    port.onLine = () => {
      lines++;
    };
    await tailing.source.start();
    await waitFor('all of it', () => lines === size / 128);
    expect(lags[0]).toBe(size);
    expect(lags).toEqual([...lags].sort((a, b) => b - a));
    expect(tailing.source.lagBytes()).toBe(0);
    expect(most).toBeLessThanOrEqual(1024 * 1024 + 128 * 1024);
    expect(held).toBeLessThan(16 * 1024 * 1024);
  });
});
