/** Copied and truncated faster than anybody looks: what only the copies hold is read from them, once, the oldest first. */
import { appendFileSync, copyFileSync, renameSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Mode, numbered, restart, type Tailing, tail, text } from '../support/tailing.ts';
import { tempDir } from '../support/temp-dir.ts';
import { waitFor } from '../support/wait-for.ts';

const modes: Mode[] = ['events', 'poll only'];

describe.each(modes)('copied and truncated between two looks, %s', (mode) => {
  function rotate(log: string, number: number): void {
    copyFileSync(log, `${log}.${number}`);
    truncateSync(log);
  }
  async function begun(pattern: string): Promise<{ log: string; tailing: Tailing }> {
    const dir = tempDir();
    const log = join(dir, 'app.log');
    writeFileSync(log, text(numbered(1, 100)));
    const tailing = await tail({ paths: [join(dir, pattern)], mode });
    await tailing.gets(...numbered(1, 100));
    return { log, tailing };
  }

  it.each([
    ['app.log', 0],
    ['app.log', 10],
    ['app.log*', 10],
  ])('T33 three times, as %s, with %i lines unread before: each generation is read from its copy', async (pattern, unread) => {
    const { log, tailing } = await begun(pattern);
    appendFileSync(log, text(numbered(101, 100 + unread)));
    rotate(log, 1);
    appendFileSync(log, text(numbered(201, 240)));
    rotate(log, 2);
    appendFileSync(log, text(numbered(241, 500)));
    rotate(log, 3);
    appendFileSync(log, text(numbered(501, 503)));
    const all = [...numbered(1, 100 + unread), ...numbered(201, 503)];
    await tailing.gets(...all);
    if (pattern === 'app.log') expect(tailing.port.lines).toEqual(all);
    await tailing.stop();
    const again = await restart(tailing, { paths: [join(log, '..', pattern)], mode });
    appendFileSync(log, 'last\n');
    await again.gets('last');
  });

  it('T33 T37 twice, behind a link: the copies are named after what it leads to', async () => {
    const dir = tempDir();
    const [link, real] = [join(dir, 'app.log'), join(dir, 'app.real')];
    writeFileSync(real, text(numbered(1, 100)));
    symlinkSync(real, link);
    const tailing = await tail({ paths: [link], mode });
    await tailing.gets(...numbered(1, 100));
    for (const turn of [1, 2]) {
      rotate(real, 2 * turn);
      appendFileSync(real, text(numbered(turn * 100 + 1, turn * 100 + 50)));
      rotate(real, 2 * turn + 1);
      appendFileSync(real, text(numbered(turn * 100 + 51, turn * 100 + 100)));
      await tailing.gets(...numbered(1, turn * 100 + 100));
    }
  });

  it('T33 seen empty, then filled, copied and emptied before it was read: the copy comes first', async () => {
    const dir = tempDir();
    const log = join(dir, 'app.log');
    writeFileSync(log, '');
    const tailing = await tail({ paths: [log], mode });
    await waitFor('it to be seen', () => tailing.port.saved.size === 1);
    appendFileSync(log, text(numbered(1, 100)));
    rotate(log, 1);
    appendFileSync(log, text(numbered(101, 110)));
    await tailing.gets(...numbered(1, 110));
    expect(tailing.port.lines).toEqual(numbered(1, 110));
  });

  it.each([
    0, 10,
  ])('T33 seen full, then copied and emptied before it was read, with %i lines after that: it is read from the copy', async (more) => {
    const { log, tailing } = await begun('app.log');
    // While the rest of the first generation is read from its copy, the second one waits, and is gone by then.
    tailing.port.onLine = (line) => {
      if (line !== numbered(105, 105)[0]) return;
      rotate(log, 2);
      appendFileSync(log, text(numbered(301, 300 + more)));
    };
    appendFileSync(log, text(numbered(101, 110)));
    rotate(log, 1);
    appendFileSync(log, text(numbered(201, 240)));
    const all = [...numbered(1, 110), ...numbered(201, 240), ...numbered(301, 300 + more)];
    await tailing.gets(...all);
    expect(tailing.port.lines).toEqual(all);
  });

  it('T33 the last generation is still empty when it is seen', async () => {
    const { log, tailing } = await begun('app.log');
    rotate(log, 1);
    appendFileSync(log, text(numbered(101, 110)));
    rotate(log, 2);
    await tailing.gets(...numbered(1, 110));
    appendFileSync(log, 'last\n');
    await tailing.gets(...numbered(1, 110), 'last');
  });

  it('T26 a copy over an older generation that is still open is not read again', async () => {
    const { log, tailing } = await begun('app.log');
    renameSync(log, `${log}.1`);
    writeFileSync(log, text(numbered(101, 200)));
    await tailing.gets(...numbered(1, 200));
    rotate(log, 1);
    appendFileSync(log, text(numbered(201, 210)));
    await tailing.gets(...numbered(1, 210));
    appendFileSync(log, 'last\n');
    await tailing.gets(...numbered(1, 210), 'last');
  });
});
