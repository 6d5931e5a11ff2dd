/** Files on a mount that hangs or fails, as a network's does: the others are read as if nothing were, and nothing is lost or twice. */
import { appendFileSync, readdirSync, readlinkSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { canHang, hangingDisk } from '../support/hanging-disk.ts';
import { type Mode, numbered, restart, tail, text } from '../support/tailing.ts';
import { tempDir } from '../support/temp-dir.ts';
import { waitFor } from '../support/wait-for.ts';

const modes: Mode[] = ['events', 'poll only'];

describe.skipIf(!canHang).each(modes)('a mount of its own (needs /dev/fuse and mount), %s', (mode) => {
  it('T53 hangs while it is read: other files of the same source come, rotation too, and its own once it answers', async () => {
    const disk = await hangingDisk();
    const local = tempDir();
    const log = join(local, 'app.log');
    writeFileSync(join(disk.behind, 'far.log'), 'far 1\n');
    writeFileSync(log, 'near 1\n');
    const tailing = await tail({ paths: [join(disk.dir, '*.log'), join(local, '*.log')], mode });
    await tailing.gets('far 1', 'near 1');
    await disk.hang();
    appendFileSync(join(disk.behind, 'far.log'), 'far 2\n');
    for (const line of numbered(1, 20)) {
      appendFileSync(log, `${line}\n`);
      await waitFor(line, () => tailing.port.lines.includes(line), 2_000);
    }
    renameSync(log, `${log}.1`);
    writeFileSync(log, 'near 2\n');
    await waitFor('the new file', () => tailing.port.lines.includes('near 2'), 2_000);
    expect(tailing.port.lines).not.toContain('far 2');
    await disk.go();
    await tailing.gets('far 1', 'near 1', ...numbered(1, 20), 'near 2', 'far 2');
  });

  it('T53 hangs with many files that are asked for at once: threads are left for the others', async () => {
    const disk = await hangingDisk();
    const local = tempDir();
    const log = join(local, 'app.log');
    const far = Array.from({ length: 6 }, (_, n) => `far ${n}`);
    for (const name of far) writeFileSync(join(disk.behind, `${name}.log`), `${name}\n`);
    writeFileSync(log, 'near\n');
    // Each source asks on its own.
    const patterns = [join(disk.dir, '*.log'), join(disk.dir, '*[0-9].log')];
    const others = await Promise.all(patterns.map((pattern) => tail({ paths: [pattern], mode })));
    const tailing = await tail({ paths: [log], mode });
    await tailing.gets('near');
    await others[0]?.gets(...far);
    await disk.hang();
    for (const name of far) appendFileSync(join(disk.behind, `${name}.log`), `${name} more\n`);
    for (const line of numbered(1, 20)) {
      appendFileSync(log, `${line}\n`);
      await waitFor(line, () => tailing.port.lines.includes(line), 2_000);
    }
    await disk.go();
    await others[0]?.gets(...far, ...far.map((name) => `${name} more`));
  });
});

describe.skipIf(!canHang)('a mount of its own (needs /dev/fuse and mount)', () => {
  it.each([
    'EIO',
    'ESTALE',
  ] as const)('T54 answers %s to reads: said once, tried again, gone on with where it was, nothing twice', async (code) => {
    const { disk, log, tailing } = await readOnMount();
    await disk.fail(code);
    appendFileSync(log, text(numbered(101, 110)));
    await waitFor('the error', () => tailing.port.states.at(-1)?.includes(code));
    await disk.heal();
    await tailing.gets(...numbered(1, 110));
    expect(tailing.port.lines).toEqual(numbered(1, 110));
    expect(tailing.warnings).toHaveLength(1);
    await waitFor('the state', () => tailing.port.states.at(-1) === 'ok');
    await tailing.stop();
    // Rotated while nobody ran, and read through the same mount.
    renameSync(log, `${log}.1`);
    writeFileSync(log, text(numbered(111, 115)));
    const again = await restart(tailing, { paths: [join(disk.dir, 'app.log')] });
    await again.gets(...numbered(111, 115));
  });

  it('T54 a new file that opens and can not be read: said, asked again, its descriptors closed, and read once it can be', async () => {
    const { disk, log, tailing } = await readOnMount();
    const mounted = join(disk.dir, 'app.log');
    const openFiles = (): number =>
      readdirSync('/proc/self/fd').filter((fd) => linkOf(`/proc/self/fd/${fd}`).startsWith(mounted)).length;
    await disk.fail('EIO');
    renameSync(log, `${log}.1`);
    writeFileSync(log, text(numbered(101, 105)));
    await waitFor('the error', () => tailing.port.states.at(-1)?.includes('EIO'));
    const before = disk.failures();
    await waitFor('some more tries', () => disk.failures() >= before + 6);
    expect(openFiles()).toBeLessThanOrEqual(3);
    expect(tailing.warnings).toHaveLength(1);
    await disk.heal();
    await tailing.gets(...numbered(1, 105));
    await waitFor('the state', () => tailing.port.states.at(-1) === 'ok');
  });

  it.each([
    'EIO',
    'ESTALE',
  ] as const)('T54 a file that lost its name while reads answered %s is read once they work, and its successor comes', async (code) => {
    const { disk, log, tailing } = await readOnMount();
    await disk.fail(code);
    renameSync(log, `${log}.1`);
    appendFileSync(`${log}.1`, text(numbered(101, 110)));
    await waitFor('the error', () => tailing.warnings.some((warning) => warning.includes(code)));
    await disk.heal();
    writeFileSync(log, text(numbered(111, 115)));
    await tailing.gets(...numbered(1, 115));
    expect(tailing.port.lines).toEqual(numbered(1, 115));
    await waitFor('the state', () => tailing.port.states.at(-1) === 'ok');
  });
});

/** A log on a mount, of which a hundred lines were read. */
async function readOnMount() {
  const disk = await hangingDisk();
  const log = join(disk.behind, 'app.log');
  writeFileSync(log, text(numbered(1, 100)));
  const tailing = await tail({ paths: [join(disk.dir, 'app.log')] });
  await tailing.gets(...numbered(1, 100));
  return { disk, log, tailing };
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}
