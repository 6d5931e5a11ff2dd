/** Every way in which a log is rotated, replaced or lost while it is read. With events of the system and without. */
import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  closeSync,
  copyFileSync,
  ftruncateSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { LinePort } from '../support/line-port.ts';
import { type Mode, makeTailing, numbered, type Tailing, tail, text } from '../support/tailing.ts';
import { tempDir } from '../support/temp-dir.ts';
import { waitFor } from '../support/wait-for.ts';

const modes: Mode[] = ['events', 'poll only'];

function openFilesIn(dir: string): string[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      const place = readlinkSync(`/proc/self/fd/${fd}`);
      return place.startsWith(dir) ? [place] : [];
    } catch {
      return [];
    }
  });
}

describe.each(modes)('rotation, %s', (mode) => {
  it.each([
    'renamed',
    'copied and truncated',
  ])('two hundred files of one folder that are %s at once: each line once, also where that happened while nobody read', async (how) => {
    const dir = tempDir();
    const logs = Array.from({ length: 200 }, (_, n) => join(dir, `worker-${n}.log`));
    const rotate = (log: string, to: number, next: string): void => {
      if (how === 'renamed') renameSync(log, `${log}.${to}`);
      else copyFileSync(log, `${log}.${to}`);
      writeFileSync(log, `${next} ${log}\n`);
    };
    const each = (word: string): string[] => logs.map((log) => `${word} ${log}`);
    for (const log of logs) writeFileSync(log, `first ${log}\n`);
    const one = await tail({ paths: [join(dir, '*.log')], mode });
    await waitFor('all of it', () => one.port.lines.length === 200);
    for (const log of logs) appendFileSync(log, `second ${log}\n`);
    await waitFor('what came', () => one.port.lines.length === 400);
    for (const log of logs) rotate(log, 1, 'third');
    await waitFor('the new files', () => one.port.lines.length === 600);
    await one.stop();
    for (const log of logs) appendFileSync(log, `fourth ${log}\n`);
    for (const log of logs) rotate(log, 2, 'fifth');
    const port = new LinePort(one.port.saved);
    await tail({ paths: [join(dir, '*.log')], mode, port, firstStart: false });
    await waitFor('the rest', () => port.lines.length === 400);
    expect(one.port.lines.sort()).toEqual([...each('first'), ...each('second'), ...each('third')].sort());
    expect(port.lines.sort()).toEqual([...each('fourth'), ...each('fifth')].sort());
  });

  async function begin(
    pattern = 'app.log',
  ): Promise<{ dir: string; log: string; fd: number; tailing: Tailing }> {
    const dir = tempDir();
    const log = join(dir, 'app.log');
    const fd = openSync(log, 'a');
    writeSync(fd, 'first\n');
    const tailing = await tail({ paths: [join(dir, pattern)], mode });
    await tailing.gets('first');
    return { dir, log, fd, tailing };
  }

  it('T14 T15 B14 renamed and created anew, with late writes to the old file', async () => {
    const { dir, log, fd, tailing } = await begin();
    writeSync(fd, 'before\n');
    renameSync(log, join(dir, 'app.log.1'));
    writeFileSync(log, 'new 1\n');
    for (let i = 0; i < 5; i++) {
      writeSync(fd, `late ${i}\n`);
      await waitFor('the late line', () => tailing.port.lines.includes(`late ${i}`));
    }
    appendFileSync(log, 'new 2\n');
    await tailing.gets('first', 'before', 'new 1', ...[0, 1, 2, 3, 4].map((i) => `late ${i}`), 'new 2');
    closeSync(fd);
  });

  it('T16 half a line before the rename and half after it are one line', async () => {
    const { dir, log, fd, tailing } = await begin();
    writeSync(fd, 'one ha');
    renameSync(log, join(dir, 'app.log.1'));
    writeFileSync(log, 'new\n');
    await waitFor('the new file', () => tailing.port.lines.includes('new'));
    writeSync(fd, 'lf\n');
    await tailing.gets('first', 'one half', 'new');
    closeSync(fd);
  });

  it('T17 the path is missing for a while', async () => {
    const { dir, log, fd, tailing } = await begin();
    renameSync(log, join(dir, 'app.log.1'));
    writeSync(fd, 'late\n');
    await tailing.gets('first', 'late');
    writeFileSync(log, 'new\n');
    await tailing.gets('first', 'late', 'new');
    expect(tailing.warnings).toEqual([]);
    closeSync(fd);
  });

  it('T18 T70 rotated three times between two looks: all of it, the oldest first', async () => {
    const { dir, log, fd, tailing } = await begin();
    writeSync(fd, text(numbered(1, 10)));
    for (let n = 3; n >= 1; n--) {
      renameSync(log, join(dir, `app.log.${n}`));
      writeFileSync(log, text(numbered(31 - n * 10 + 10, 31 - n * 10 + 19)));
    }
    await tailing.gets(
      'first',
      ...numbered(1, 10),
      ...numbered(11, 40).map((_, at) => `line ${String(at + 11).padStart(6, '0')}`),
    );
    const order = tailing.port.lines.slice(1);
    expect(order).toEqual([...order].sort());
    closeSync(fd);
  });

  it('T19 renamed into another folder', async () => {
    const { dir, log, fd, tailing } = await begin();
    mkdirSync(join(dir, 'old'));
    renameSync(log, join(dir, 'old', 'yesterday'));
    writeFileSync(log, 'new\n');
    writeSync(fd, 'late\n');
    await tailing.gets('first', 'late', 'new');
    closeSync(fd);
  });

  it('T20 T22 names of rotation that the glob matches are not read again', async () => {
    const { dir, log, fd, tailing } = await begin('app.log*');
    for (let n = 1; n <= 3; n++) {
      for (let old = n - 1; old >= 1; old--)
        renameSync(join(dir, `app.log.${old}`), join(dir, `app.log.${old + 1}`));
      renameSync(log, join(dir, 'app.log.1'));
      writeFileSync(log, `generation ${n}\n`);
      await waitFor('it', () => tailing.port.lines.includes(`generation ${n}`));
    }
    writeSync(fd, 'late\n');
    await tailing.gets('first', 'generation 1', 'generation 2', 'generation 3', 'late');
    closeSync(fd);
  });

  it('T21 compressed and removed while it is unread: the rest comes from the open file, the archive is left alone', async () => {
    const { dir, log, fd, tailing } = await begin('app.log*');
    const lines = numbered(1, 20_000);
    writeSync(fd, text(lines));
    renameSync(log, join(dir, 'app.log.1'));
    writeFileSync(join(dir, 'app.log.1.gz'), gzipSync(readFileSync(join(dir, 'app.log.1'))));
    await waitFor('the file to be held', () => tailing.port.taken.length > 1);
    unlinkSync(join(dir, 'app.log.1'));
    writeFileSync(log, 'new\n');
    await waitFor('all', () => tailing.port.taken.length >= lines.length + 2);
    await tailing.gets('first', ...lines, 'new');
    closeSync(fd);
  });

  it('T22 the real logrotate, with create and with compress', async () => {
    const dir = tempDir();
    const log = join(dir, 'app.log');
    writeFileSync(log, 'one\n');
    const tailing = await tail({ paths: [join(dir, 'app.log*')], mode });
    await tailing.gets('one');
    const conf = join(dir, 'rotate.conf');
    writeFileSync(
      conf,
      `${log} {\n rotate 3\n create 0644 root root\n compress\n delaycompress\n su root root\n}\n`,
      { mode: 0o644 },
    );
    for (const word of ['two', 'three', 'four']) {
      try {
        execFileSync('logrotate', ['-f', '-s', join(dir, 'state'), conf], { stdio: 'pipe' });
      } catch (error) {
        // Not installed here, or refused by its own checks of ownership: the other cases cover the same steps.
        if (!(error instanceof Error)) throw error;
        return;
      }
      appendFileSync(log, `${word}\n`);
      await waitFor(word, () => tailing.port.lines.includes(word));
    }
    await tailing.gets('one', 'two', 'three', 'four');
  });

  it('T23 dated names: both are read, each once', async () => {
    const dir = tempDir();
    writeFileSync(join(dir, 'app-2026-11-21.log'), 'today\n');
    const tailing = await tail({ paths: [join(dir, 'app-*.log')], mode });
    await tailing.gets('today');
    writeFileSync(join(dir, 'app-2026-11-22.log'), 'tomorrow\n');
    appendFileSync(join(dir, 'app-2026-11-21.log'), 'late\n');
    await tailing.gets('today', 'tomorrow', 'late');
  });

  it.each([
    'shorter',
    'equal',
    'longer',
  ])('T24 removed and created at once, perhaps in the same inode, content %s', async (how) => {
    const { log, fd, tailing } = await begin();
    closeSync(fd);
    unlinkSync(log);
    const content = how === 'shorter' ? 'n\n' : how === 'equal' ? 'newer\n' : 'much longer than before\n';
    writeFileSync(log, content);
    await tailing.gets('first', content.trim());
  });

  it('T26 copied and truncated; the copy is not read again', async () => {
    const { dir, log, fd, tailing } = await begin('app.log*');
    writeSync(fd, text(numbered(1, 100)));
    await waitFor('lines', () => tailing.port.taken.length === 101);
    copyFileSync(log, join(dir, 'app.log.1'));
    ftruncateSync(fd);
    writeSync(fd, 'after\n');
    await waitFor('it', () => tailing.port.lines.includes('after'));
    appendFileSync(log, 'more\n');
    await tailing.gets('first', ...numbered(1, 100), 'after', 'more');
    closeSync(fd);
  });

  it.each([
    0, 2_000,
  ])('T27 T28 truncated and grown past the offset at once, with a banner of %i bytes', async (banner) => {
    const dir = tempDir();
    const log = join(dir, 'app.log');
    const head = banner > 0 ? `${'='.repeat(banner)}\n` : '';
    writeFileSync(log, head + text(numbered(1, 100)));
    const tailing = await tail({ paths: [log], mode });
    await waitFor('lines', () => tailing.port.lines.includes('line 000100'));
    tailing.port.taken.length = 0;
    writeFileSync(log, head + text(numbered(1, 300, 'new')));
    await tailing.gets(...(banner > 0 ? [head.trim()] : []), ...numbered(1, 300, 'new'));
    expect(tailing.port.count_('truncated')).toBe(1);
  });

  it('T29 cut to a smaller size: nothing twice, the cut line is dropped', async () => {
    const dir = tempDir();
    const log = join(dir, 'app.log');
    writeFileSync(log, text(numbered(1, 200)));
    const tailing = await tail({ paths: [log], mode });
    await tailing.gets(...numbered(1, 200));
    truncateSync(log, 100);
    await waitFor('the cut', () => tailing.port.count_('truncated') === 1);
    appendFileSync(log, ' rest of a cut line\nwhole\n');
    await tailing.gets(...numbered(1, 200), 'whole');
    expect(tailing.port.count_('fragment_dropped')).toBe(1);
  });

  it('T32 half a line at the moment of a truncation is dropped, never glued', async () => {
    const { fd, tailing } = await begin();
    writeSync(fd, 'half a li');
    await waitFor('the half', () => tailing.source.lagBytes() === 9);
    await waitFor('it to be read', () => tailing.port.chunks.length >= 2);
    ftruncateSync(fd);
    writeSync(fd, 'new\n');
    await tailing.gets('first', 'new');
    expect(tailing.port.count_('fragment_dropped')).toBe(1);
    closeSync(fd);
  });

  it('T33 lines unread at a truncation are read from the copy', async () => {
    const dir = tempDir();
    const log = join(dir, 'app.log');
    writeFileSync(log, text(numbered(1, 100)));
    const port = new LinePort();
    const tailing = makeTailing({ paths: [log], mode, port });
    let rotated = false;
    // The rotation happens while the process is busy with the first lines.
    port.onTake = () => {
      if (rotated) return;
      rotated = true;
      appendFileSync(log, text(numbered(101, 150)));
      copyFileSync(log, join(dir, 'app.log.1'));
      truncateSync(log);
      appendFileSync(log, text(numbered(151, 155)));
    };
    await tailing.source.start();
    await tailing.gets(...numbered(1, 155));
    expect(port.lines).toEqual(numbered(1, 155));
    expect(port.count_('copytruncate_recovered')).toBe(1);
  });

  it('T34 replaced atomically by new content', async () => {
    const { dir, log, fd, tailing } = await begin();
    writeSync(fd, 'old rest\n');
    writeFileSync(join(dir, 'app.log.tmp'), 'new 1\n');
    renameSync(join(dir, 'app.log.tmp'), log);
    writeSync(fd, 'late\n');
    appendFileSync(log, 'new 2\n');
    await tailing.gets('first', 'old rest', 'late', 'new 1', 'new 2');
    closeSync(fd);
  });

  it('T35 saved by an editor: only the new line', async () => {
    const { dir, log, fd, tailing } = await begin();
    writeFileSync(join(dir, 'saved'), 'first\nadded\n');
    renameSync(join(dir, 'saved'), log);
    await tailing.gets('first', 'added');
    // Somebody who still has the old file open is heard, too.
    writeSync(fd, 'to the old file\n');
    appendFileSync(log, 'to the new file\n');
    await tailing.gets('first', 'added', 'to the old file', 'to the new file');
    closeSync(fd);
  });

  it('T36 removed while it is written to: read on, and let go when it is quiet', async () => {
    const dir = tempDir();
    const log = join(dir, 'app.log');
    const fd = openSync(log, 'a');
    writeSync(fd, 'first\n');
    const tailing = await tail({ paths: [log], mode, more: { rotateWaitMs: 300 } });
    await tailing.gets('first');
    unlinkSync(log);
    writeSync(fd, 'to nobody\n');
    writeSync(fd, 'no end');
    closeSync(fd);
    await tailing.gets('first', 'to nobody', 'no end');
    await waitFor('the descriptor to be closed', () => openFilesIn(dir).length === 0);
    writeFileSync(log, 'again\n');
    await tailing.gets('first', 'to nobody', 'no end', 'again');
    expect(tailing.port.left.length).toBe(1);
  });

  it('T37 T39 T42 a link pointed at another file and back', async () => {
    const dir = tempDir();
    const [a, b, link] = ['a.log', 'b.log', 'current.log'].map((name) => join(dir, name)) as [
      string,
      string,
      string,
    ];
    writeFileSync(a, 'a1\n');
    symlinkSync(a, link);
    const tailing = await tail({ paths: [link], mode });
    await tailing.gets('a1');
    const point = (to: string): void => {
      symlinkSync(to, join(dir, 'tmp'));
      renameSync(join(dir, 'tmp'), link);
    };
    writeFileSync(b, 'b1\n');
    point(b);
    appendFileSync(a, 'a2 late\n');
    await tailing.gets('a1', 'a2 late', 'b1');
    point(a);
    appendFileSync(a, 'a3\n');
    await tailing.gets('a1', 'a2 late', 'b1', 'a3');
  });

  it('T37 a link back to a file that was let go meanwhile goes on where it stopped', async () => {
    const dir = tempDir();
    const [a, b, link] = ['a.log', 'b.log', 'current.log'].map((name) => join(dir, name)) as [
      string,
      string,
      string,
    ];
    writeFileSync(a, 'a1\n');
    writeFileSync(b, 'b1\n');
    symlinkSync(a, link);
    const tailing = await tail({ paths: [link], mode, more: { rotateWaitMs: 50 } });
    await tailing.gets('a1');
    unlinkSync(link);
    symlinkSync(b, link);
    await tailing.gets('a1', 'b1');
    await waitFor('a to be let go', () => tailing.port.left.length === 1);
    unlinkSync(link);
    symlinkSync(a, link);
    appendFileSync(a, 'a2\n');
    await tailing.gets('a1', 'b1', 'a2');
  });

  it('T38 a link to a folder pointed at another', async () => {
    const dir = tempDir();
    for (const release of ['one', 'two']) {
      mkdirSync(join(dir, release));
      writeFileSync(join(dir, release, 'x.log'), `${release}\n`);
    }
    symlinkSync('one', join(dir, 'current'));
    const tailing = await tail({ paths: [join(dir, 'current', '*.log')], mode });
    await tailing.gets('one');
    symlinkSync('two', join(dir, 'next'));
    renameSync(join(dir, 'next'), join(dir, 'current'));
    await tailing.gets('one', 'two');
  });

  it('T43 several names of one file are read once', async () => {
    const dir = tempDir();
    writeFileSync(join(dir, 'a.log'), 'one\n');
    linkSync(join(dir, 'a.log'), join(dir, 'b.log'));
    symlinkSync('a.log', join(dir, 'c.log'));
    const tailing = await tail({ paths: [join(dir, '*.log'), join(dir, 'a.log')], mode });
    await tailing.gets('one');
    appendFileSync(join(dir, 'b.log'), 'two\n');
    await tailing.gets('one', 'two');
    rmSync(join(dir, 'a.log'));
    appendFileSync(join(dir, 'b.log'), 'three\n');
    await tailing.gets('one', 'two', 'three');
  });
});
