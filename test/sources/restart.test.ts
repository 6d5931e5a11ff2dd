/** What happened to the files while nobody ran: everything is found again, and nothing is read twice. */
import {
  appendFileSync,
  copyFileSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { beforeEach, describe, expect, it } from 'vitest';
import type { SavedPosition } from '../../src/model/seams.ts';
import { LinePort } from '../support/line-port.ts';
import { makeTailing, numbered, restart, type Tailing, tail, text } from '../support/tailing.ts';
import { tempDir } from '../support/temp-dir.ts';
import { waitFor } from '../support/wait-for.ts';

let dir = '';
let log = '';
beforeEach(() => {
  dir = tempDir();
  log = join(dir, 'app.log');
});

async function readFirst(lines: readonly string[], pattern = log): Promise<Tailing> {
  writeFileSync(log, text(lines));
  const first = await tail({ paths: [pattern] });
  await first.gets(...lines);
  await first.stop();
  return first;
}

describe('after a restart', () => {
  it('T58 goes on where it stopped', async () => {
    const first = await readFirst(numbered(1, 50));
    appendFileSync(log, text(numbered(51, 60)));
    const second = await restart(first, { paths: [log] });
    await second.gets(...numbered(51, 60));
  });

  it('shows the bytes before the offset once, for the context of what comes first', async () => {
    const first = await readFirst(numbered(1, 50));
    const port = new LinePort(new Map(first.port.saved));
    const led: string[] = [];
    port.onTake = (chunk) => {
      if (chunk.before) led.push(chunk.before.toString());
    };
    const second = await tail({ paths: [log], port, firstStart: false });
    appendFileSync(log, text(numbered(51, 52)));
    await second.gets(...numbered(51, 52));
    appendFileSync(log, text(numbered(53, 54)));
    await second.gets(...numbered(51, 54));
    expect(led).toEqual([text(numbered(1, 50))]);
  });

  it('T60 a file rotated by rename, twice, is read to its end, then the one between, then the live one', async () => {
    const first = await readFirst(numbered(1, 50));
    appendFileSync(log, text(numbered(51, 60)));
    renameSync(log, join(dir, 'app.log.1'));
    writeFileSync(log, text(numbered(61, 70)));
    renameSync(join(dir, 'app.log.1'), join(dir, 'app.log.2'));
    renameSync(log, join(dir, 'app.log.1'));
    writeFileSync(log, text(numbered(71, 80)));
    const second = await restart(first, { paths: [log] });
    await second.gets(...numbered(51, 80));
    expect(second.port.lines).toEqual(numbered(51, 80));
  });

  it('T60 three generations behind, under names that the glob matches too', async () => {
    const first = await readFirst(numbered(1, 50), join(dir, 'app.log*'));
    appendFileSync(log, text(numbered(51, 60)));
    renameSync(log, join(dir, 'app.log.1'));
    writeFileSync(log, text(numbered(61, 70)));
    const second = await restart(first, { paths: [join(dir, 'app.log*')] });
    await second.gets(...numbered(51, 70));
  });

  it('T61 a file rotated and compressed is read on from its archive', async () => {
    const first = await readFirst(numbered(1, 500));
    appendFileSync(log, text(numbered(501, 900)));
    writeFileSync(join(dir, 'app.log.1.gz'), gzipSync(readFileSync(log)));
    unlinkSync(log);
    writeFileSync(log, text(numbered(901, 910)));
    const second = await restart(first, { paths: [log] });
    await second.gets(...numbered(501, 910));
    expect(second.port.lines).toEqual(numbered(501, 910));
    await second.stop();
    const third = await restart(second, { paths: [log] });
    appendFileSync(log, 'last\n');
    await third.gets('last');
  });

  it('T61 a generation that came, went and was compressed while nobody ran is read whole', async () => {
    const first = await readFirst(numbered(1, 50));
    appendFileSync(log, text(numbered(51, 55)));
    writeFileSync(join(dir, 'app.log.2.gz'), gzipSync(readFileSync(log)));
    writeFileSync(join(dir, 'app.log.1.gz'), gzipSync(text(numbered(56, 66))));
    unlinkSync(log);
    writeFileSync(log, text(numbered(67, 70)));
    const second = await restart(first, { paths: [log] });
    await second.gets(...numbered(51, 70));
    expect(second.port.lines).toEqual(numbered(51, 70));
  });

  it('T62 copied and truncated: the rest from the copy, then the new content', async () => {
    const first = await readFirst(numbered(1, 50));
    appendFileSync(log, text(numbered(51, 60)));
    copyFileSync(log, join(dir, 'app.log.1'));
    truncateSync(log);
    appendFileSync(log, text(numbered(61, 62)));
    const second = await restart(first, { paths: [log] });
    await second.gets(...numbered(51, 62));
    expect(second.port.lines).toEqual(numbered(51, 62));
    expect(second.port.count_('copytruncate_recovered')).toBe(1);
  });

  it('T62 copied, truncated, filled again and then renamed', async () => {
    const first = await readFirst(numbered(1, 50));
    appendFileSync(log, text(numbered(51, 60)));
    copyFileSync(log, join(dir, 'app.log.1'));
    truncateSync(log);
    appendFileSync(log, text(numbered(61, 70)));
    renameSync(log, join(dir, 'app.log.2'));
    writeFileSync(log, text(numbered(71, 80)));
    const second = await restart(first, { paths: [log] });
    await second.gets(...numbered(51, 80));
  });

  it('T62 copied, truncated, filled again and renamed, while other files were read and this one was not', async () => {
    const first = await readFirst(numbered(1, 50));
    appendFileSync(log, text(numbered(51, 60)));
    copyFileSync(log, join(dir, 'app.log.1'));
    truncateSync(log);
    appendFileSync(log, text(numbered(61, 70)));
    renameSync(log, join(dir, 'app.log.2'));
    writeFileSync(log, text(numbered(71, 80)));
    const later = new Map<string, SavedPosition>();
    for (const [key, position] of first.port.saved) {
      const identity = { ...position.identity, seenAt: Date.now() + 60_000 };
      later.set(key, { ...position, identity });
    }
    const second = await tail({ paths: [log], port: new LinePort(later), firstStart: false });
    await second.gets(...numbered(51, 80));
  });

  it('T62 read to the end, then copied and truncated: nothing of the copy comes again', async () => {
    const first = await readFirst(numbered(1, 50));
    copyFileSync(log, join(dir, 'app.log.1'));
    truncateSync(log);
    appendFileSync(log, text(numbered(51, 60)));
    const second = await restart(first, { paths: [log] });
    await second.gets(...numbered(51, 60));
    expect(second.port.count_('vanished')).toBe(0);
  });

  it('T59 T62 killed after the rest of a copy was read and before anything of the next generation', async () => {
    const first = await readFirst(numbered(1, 50));
    appendFileSync(log, text(numbered(51, 60)));
    copyFileSync(log, join(dir, 'app.log.1'));
    truncateSync(log);
    const second = await restart(first, { paths: [log] });
    await second.gets(...numbered(51, 60));
    await waitFor('the copy to be left', () => second.port.left.length === 1);
    // What a kill leaves is what was noted until then: the stop notes nothing more.
    await second.stop();
    const third = await restart(second, { paths: [log] });
    appendFileSync(log, text(numbered(61, 62)));
    await third.gets(...numbered(61, 62));
    expect(third.port.lines).toEqual(numbered(61, 62));
  });

  it('T59 killed right after a truncation was seen, while everything of the copy was read already', async () => {
    writeFileSync(log, text(numbered(1, 50)));
    const first = await tail({ paths: [log] });
    await first.gets(...numbered(1, 50));
    copyFileSync(log, join(dir, 'app.log.1'));
    truncateSync(log);
    await waitFor('the copy to be left', () => first.port.left.length === 1);
    await first.stop();
    const second = await restart(first, { paths: [log] });
    appendFileSync(log, text(numbered(51, 52)));
    await second.gets(...numbered(51, 52));
    expect(second.port.lines).toEqual(numbered(51, 52));
  });

  it('T61 a generation that was let go long before is compressed while nobody ran', async () => {
    writeFileSync(log, text(numbered(1, 50)));
    const first = await tail({ paths: [log], more: { rotateWaitMs: 50 } });
    await first.gets(...numbered(1, 50));
    renameSync(log, join(dir, 'app.log.1'));
    writeFileSync(log, text(numbered(51, 60)));
    await first.gets(...numbered(1, 60));
    await waitFor('the old file to be let go', () => first.port.left.length === 1);
    await first.stop();
    // As `delaycompress` does at the next rotation.
    writeFileSync(join(dir, 'app.log.2.gz'), gzipSync(readFileSync(join(dir, 'app.log.1'))));
    renameSync(log, join(dir, 'app.log.1'));
    writeFileSync(log, text(numbered(61, 62)));
    const second = await restart(first, { paths: [log] });
    await second.gets(...numbered(61, 62));
    expect(second.port.lines).toEqual(numbered(61, 62));
  });

  it.each([
    ['it was empty', ''],
    ['its first line was being written', 'li'],
  ])('T61 noted while %s, then filled, rotated and compressed while nobody ran', async (_when, start) => {
    const first = await readFirst(numbered(1, 50));
    const second = await restart(first, { paths: [log], more: { rotateWaitMs: 50 } });
    renameSync(log, join(dir, 'app.log.1'));
    writeFileSync(log, start);
    await waitFor('the new file to be noted', () => second.port.saved.size === 2);
    await second.stop();
    writeFileSync(join(dir, 'app.log.2.gz'), gzipSync(text(numbered(51, 60))));
    writeFileSync(join(dir, 'new'), text(numbered(61, 70)));
    renameSync(join(dir, 'new'), log);
    // Another generation was read last, after this one had been compressed.
    const later = new Map<string, SavedPosition>();
    for (const [key, position] of second.port.saved) {
      const seenAt = position.offset > 0 ? Date.now() + 60_000 : (position.identity['seenAt'] ?? 0);
      later.set(key, { ...position, identity: { ...position.identity, seenAt } });
    }
    const third = await tail({ paths: [log], port: new LinePort(later), firstStart: false });
    await third.gets(...numbered(51, 70));
  });

  it('T61 begun and not read, then compressed while nobody ran: found by its head', async () => {
    const first = await readFirst(numbered(1, 50));
    await first.stop();
    renameSync(log, join(dir, 'app.log.1'));
    writeFileSync(log, text(numbered(51, 100)));
    const port = new LinePort(new Map(first.port.saved));
    const noted = new Map<string, SavedPosition>();
    port.onTake = () => {
      if (noted.size === 0) for (const [key, position] of port.saved) noted.set(key, position);
    };
    const second = await tail({ paths: [log], port, firstStart: false });
    await second.gets(...numbered(51, 100));
    await second.stop();
    writeFileSync(join(dir, 'app.log.2.gz'), gzipSync(readFileSync(log)));
    writeFileSync(join(dir, 'new'), text(numbered(101, 102)));
    renameSync(join(dir, 'new'), log);
    // Seen last after it was compressed, as when another generation was read meanwhile.
    const later = new Map<string, SavedPosition>();
    for (const [key, position] of noted) {
      const identity = { ...position.identity, seenAt: Date.now() + 60_000 };
      later.set(key, { ...position, identity });
    }
    const third = await tail({ paths: [log], port: new LinePort(later), firstStart: false });
    await third.gets(...numbered(51, 102));
  });

  it('the same content written once more after its file was removed is read once more', async () => {
    writeFileSync(log, text(numbered(1, 50)));
    const first = await tail({ paths: [log], more: { rotateWaitMs: 50 } });
    await first.gets(...numbered(1, 50));
    unlinkSync(log);
    await waitFor('the file to be let go', () => first.port.left.length === 1);
    await first.stop();
    writeFileSync(join(dir, 'new'), text(numbered(1, 50)));
    renameSync(join(dir, 'new'), log);
    const second = await restart(first, { paths: [log] });
    await second.gets(...numbered(1, 50));
  });

  it('T61 a compressed generation unseen, and the live file still empty', async () => {
    const first = await readFirst(numbered(1, 50));
    renameSync(log, join(dir, 'app.log.1'));
    writeFileSync(join(dir, 'app.log.2'), text(numbered(51, 60)));
    writeFileSync(join(dir, 'app.log.3.gz'), gzipSync(text(numbered(61, 70))));
    writeFileSync(log, '');
    const second = await restart(first, { paths: [log] });
    await second.gets(...numbered(51, 70));
  });

  it('T62 a copy that the glob matches is not read again', async () => {
    const glob = join(dir, 'app.log*');
    const first = await readFirst(numbered(1, 50), glob);
    appendFileSync(log, text(numbered(51, 60)));
    copyFileSync(log, join(dir, 'app.log.1'));
    truncateSync(log);
    appendFileSync(log, text(numbered(61, 62)));
    const second = await restart(first, { paths: [glob] });
    await second.gets(...numbered(51, 62));
    await second.stop();
    const third = await restart(second, { paths: [glob] });
    appendFileSync(log, 'last\n');
    await third.gets('last');
  });

  it('T66 B9 a file now shorter than the offset is begun anew and counted', async () => {
    const first = await readFirst(numbered(1, 500));
    rmSync(log);
    writeFileSync(log, text(numbered(1, 5, 'other')));
    const second = await restart(first, { paths: [log] });
    await second.gets(...numbered(1, 5, 'other'));
  });

  it('T66 cut to a smaller size: what is known to be the same is not read again', async () => {
    const first = await readFirst(numbered(1, 500));
    truncateSync(log, 8 * 12);
    appendFileSync(log, 'whole\n');
    const second = await restart(first, { paths: [log] });
    await second.gets('whole');
    expect(second.port.count_('truncated')).toBe(1);
  });

  it('T25 B10 other content in the same inode is read from its beginning', async () => {
    const first = await readFirst(numbered(1, 500));
    const longer = numbered(1, 2_000, 'other');
    writeFileSync(log, text(longer));
    const second = await restart(first, { paths: [log] });
    await second.gets(...longer);
    expect(first.port.taken[0]?.key).not.toBe(second.port.taken[0]?.key);
  });

  it('T35 a save by an editor while nobody ran', async () => {
    const first = await readFirst(numbered(1, 50));
    const saved = join(dir, 'saved');
    writeFileSync(saved, text(numbered(1, 52)));
    renameSync(saved, log);
    const second = await restart(first, { paths: [log] });
    await second.gets(...numbered(51, 52));
    expect(second.port.taken[0]?.key).toBe(first.port.taken[0]?.key);
  });

  it('a lost commit gives the same key and the same offsets again', async () => {
    const first = await readFirst(numbered(1, 5));
    const second = await tail({ paths: [log], port: new LinePort(), firstStart: false });
    await second.gets(...numbered(1, 5));
    expect(second.port.taken.map(({ key, offset }) => [key, offset])).toEqual(
      first.port.taken.map(({ key, offset }) => [key, offset]),
    );
  });

  it('an offset committed without its newest marker is still good', async () => {
    const first = await readFirst(numbered(1, 50));
    for (const [key, position] of first.port.saved) {
      const lines = Math.floor(position.offset / 12 / 2);
      first.port.saved.set(key, { ...position, identity: { ...position.identity, at: 0, markerLength: 0 } });
      expect(lines).toBeGreaterThan(1);
    }
    appendFileSync(log, 'more\n');
    const second = await restart(first, { paths: [log] });
    await second.gets('more');
  });

  it('T67 a path taken out of the configuration and put in again resumes', async () => {
    const first = await readFirst(numbered(1, 50));
    const without = await restart(first, { paths: [join(dir, 'nothing.log')] });
    await without.stop();
    appendFileSync(log, 'more\n');
    const again = await restart(without, { paths: [log] });
    await again.gets('more');
  });

  it('T63 damaged identities are ignored, and the file is begun as configured', async () => {
    const first = await readFirst(numbered(1, 5));
    for (const [key, position] of first.port.saved)
      first.port.saved.set(key, { ...position, identity: { kind: 'file', dev: 'x' } });
    const second = await restart(first, { paths: [log] });
    await second.gets(...numbered(1, 5));
  });

  it('drain after a restart reads the rests too', async () => {
    const first = await readFirst(numbered(1, 50));
    appendFileSync(log, text(numbered(51, 60)));
    renameSync(log, join(dir, 'app.log.1'));
    writeFileSync(log, 'no end');
    const second = makeTailing({
      paths: [log],
      port: new LinePort(new Map(first.port.saved)),
      firstStart: false,
    });
    await second.source.drain();
    expect(second.port.lines).toEqual([...numbered(51, 60), 'no end']);
  });
});
