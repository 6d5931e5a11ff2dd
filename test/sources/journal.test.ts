/** The source `journal`: systemd's own journalctl over a real journal, and a stand-in for what the real one does on a bad day. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { JournalSourceConfig } from '../../src/model/config.ts';
import { JournalSource } from '../../src/sources/journal.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { noRealJournal, printed, realJournal, standIn, usePath } from '../support/journal.ts';
import { LinePort } from '../support/line-port.ts';
import { sourceDeps } from '../support/source-deps.ts';
import { tempDir } from '../support/temp-dir.ts';
import { waitFor } from '../support/wait-for.ts';

function journal(options: Partial<JournalSourceConfig> = {}, port = new LinePort(), clock = new FakeClock()) {
  const { deps, warnings } = sourceDeps(port, clock);
  const source = new JournalSource(
    {
      kind: 'journal',
      name: 'system',
      format: 'auto',
      multiline: 'auto',
      tz: 'UTC',
      maxLineBytes: 65_536,
      labels: {},
      units: [],
      userUnits: [],
      identifiers: [],
      priority: null,
      matches: [],
      directory: null,
      start: 'beginning',
      origin: { file: 'tocsin.yaml', line: 1, column: 1, length: 1 },
      ...options,
    },
    deps,
  );
  onTestFinished(() => source.stop());
  return { source, port, clock, warnings };
}

function messages(port: LinePort): string[] {
  return port.lines.map((line) => JSON.parse(line).MESSAGE as string);
}

describe.skipIf(noRealJournal !== null)(
  `journalctl over a real journal${noRealJournal ? ` (${noRealJournal})` : ''}`,
  () => {
    it('gives what is there and what comes, and goes on behind the cursor after a restart', async () => {
      const { dir, write } = realJournal();
      write({ MESSAGE: 'one', PRIORITY: '3' }, { MESSAGE: 'two' });
      const first = journal({ directory: dir });
      await first.source.start();
      await waitFor('what is there', () => messages(first.port).length === 2);
      write({ MESSAGE: 'three' });
      await waitFor('what comes', () => messages(first.port).length === 3);
      await first.source.stop();
      write({ MESSAGE: 'four' });
      const second = journal({ directory: dir }, new LinePort(first.port.saved));
      await second.source.start();
      await waitFor('what came meanwhile', () => messages(second.port).length > 0);
      write({ MESSAGE: 'five' });
      await waitFor('what comes then', () => messages(second.port).length > 1);
      expect(messages(first.port)).toEqual(['one', 'two', 'three']);
      expect(messages(second.port)).toEqual(['four', 'five']);
      expect(second.port.states).toEqual(['ok']);
    }, 30_000);

    it('chooses by unit, identifier, priority and field', async () => {
      const { dir, write, done } = realJournal();
      write(
        {
          MESSAGE: 'a',
          _SYSTEMD_UNIT: 'shop.service',
          SYSLOG_IDENTIFIER: 'shop',
          PRIORITY: '3',
          _BOOT_ID: 'a'.repeat(32),
        },
        {
          MESSAGE: 'b',
          _SYSTEMD_UNIT: 'other.service',
          SYSLOG_IDENTIFIER: 'sudo',
          PRIORITY: '6',
          _TRANSPORT: 'kernel',
        },
      );
      await done();
      const read = async (options: Partial<JournalSourceConfig>) => {
        const { source, port } = journal({ directory: dir, ...options });
        await source.drain();
        return messages(port);
      };
      expect(await read({})).toEqual(['a', 'b']);
      expect(await read({ units: ['shop.service'] })).toEqual(['a']);
      expect(await read({ units: ['oth*'] })).toEqual(['b']);
      expect(await read({ identifiers: ['sudo'] })).toEqual(['b']);
      expect(await read({ priority: 4 })).toEqual(['a']);
      expect(await read({ matches: ['_TRANSPORT=kernel'] })).toEqual(['b']);
    }, 30_000);

    it('begins where `start` says, and a first start that saw nothing goes on from its time', async () => {
      const { dir, write, done } = realJournal(Date.UTC(2026, 0, 5, 9, 0));
      write({ MESSAGE: 'an hour old' });
      await done();
      const clock = new FakeClock(Date.UTC(2026, 0, 5, 9, 0));
      const first = journal({ directory: dir, start: 'beginning' });
      await first.source.drain();
      expect(messages(first.port)).toEqual(['an hour old']);
      clock.skip(3_600_000);
      const late = journal({ directory: dir, start: { agoMs: 600_000 } }, new LinePort(), clock);
      await late.source.drain();
      expect(messages(late.port)).toEqual([]);
      const saved = late.port.saved.get('journal:system');
      expect(saved?.identity).toEqual({ cursor: '', since: Date.UTC(2026, 0, 5, 9, 50) / 1_000 });
      const newer = realJournal(Date.UTC(2026, 0, 5, 9, 55));
      newer.write({ MESSAGE: 'came while nobody looked' });
      await newer.done();
      clock.skip(86_400_000);
      const again = journal(
        { directory: newer.dir, start: { agoMs: 600_000 } },
        new LinePort(late.port.saved),
        clock,
      );
      await again.source.drain();
      expect(messages(again.port)).toEqual(['came while nobody looked']);
    }, 30_000);

    it('a saved cursor that is none is said and counted, and it goes on from the time of the last entry', async () => {
      const { dir, write } = realJournal();
      write({ MESSAGE: 'old' });
      const { source, port, clock } = journal({ directory: dir });
      port.remember({
        key: 'journal:system',
        source: 'system',
        path: '',
        offset: 500,
        identity: { cursor: 'bogus' },
        reader: {},
        updatedAt: Date.UTC(2026, 0, 5, 9),
      });
      await source.start();
      await waitFor('that it is noticed', () => port.count_('cursor_lost') === 1);
      expect(port.states[0]).toMatch(
        /^failing: journalctl ended with code 1: .*cursor.*; started again in 1 s$/i,
      );
      await clock.advance(1_000);
      await waitFor('the entry', () => messages(port).length === 1);
      expect(port.states.at(-1)).toBe('ok');
    }, 30_000);

    it('a folder that is not there is a failing source with the reason, and it is tried again ever more slowly', async () => {
      const { source, port, clock } = journal({ directory: join(tempDir(), 'none') });
      await source.start();
      for (const delay of [1, 2, 4]) {
        await waitFor('the end', () => port.states.at(-1)?.endsWith(`started again in ${delay} s`));
        expect(port.states.at(-1)).toMatch(/^failing: .*No such file or directory/);
        await clock.advance(delay * 1_000);
      }
    }, 30_000);
  },
);

describe('a journalctl that is not well (a script of ours stands for it)', () => {
  it('missing: the source fails and says what is missing', async () => {
    usePath(tempDir());
    const { source, port } = journal();
    await source.start();
    await waitFor('the state', () => port.states.length > 0);
    expect(port.states[0]).toMatch(
      /^failing: journalctl was not found.*part of systemd; started again in 1 s$/,
    );
  });

  it('not allowed to read: the source fails and says which group', async () => {
    standIn('echo "No journal files were opened due to insufficient permissions." >&2; exit 1');
    const { source, port } = journal();
    await source.start();
    await waitFor('the state', () => port.states.length > 0);
    expect(port.states[0]).toMatch(
      /^failing: the journal may not be read: add the user .* group systemd-journal/,
    );
  });

  it('allowed to read its own entries only: it works, and says so', async () => {
    standIn(
      'echo "Hint: You are currently not seeing messages from other users and the system." >&2; exec sleep 60',
    );
    const { source, port, clock, warnings } = journal();
    await source.start();
    await waitFor('the hint', () => warnings.length > 0);
    await clock.advance(1_000);
    expect(port.states).toEqual([
      'ok: only entries of its own user are seen: add the user that Tocsin runs as to the group systemd-journal',
    ]);
  });

  it('A14 killed once: it is started again behind the last entry, without an alarm and without a line twice', async () => {
    const dir = standIn(`
echo "$@" >> "$(dirname "$0")/calls"
case "$*" in
  *after-cursor=s=1\\;i=2*) cat "$(dirname "$0")/rest"; exec sleep 60 ;;
  *) cat "$(dirname "$0")/first"; printf '{"half":'; kill -9 $$ ;;
esac`);
    writeFileSync(
      join(dir, 'first'),
      `${printed({ MESSAGE: 'one' }, 1)}\n${printed({ MESSAGE: 'two' }, 2)}\n`,
    );
    writeFileSync(join(dir, 'rest'), `${printed({ MESSAGE: 'three' }, 3)}\n`);
    const { source, port, clock, warnings } = journal();
    await source.start();
    await waitFor('that it is noticed', () => warnings.length > 0);
    expect(warnings[0]).toBe('journalctl ended by SIGKILL; started again in 1 s');
    await clock.advance(1_000);
    await waitFor('the rest', () => messages(port).length === 3);
    expect(messages(port)).toEqual(['one', 'two', 'three']);
    expect(new Set(port.states)).toEqual(new Set(['ok']));
    expect(port.count_('restarted')).toBe(1);
    expect(readFileSync(join(dir, 'calls'), 'utf8').split('\n')[1]).toContain('--after-cursor=s=1;i=2');
  });

  it('an entry of 17 MiB is passed over and counted, the next one is not', async () => {
    const dir = standIn('cat "$(dirname "$0")/all"; exec sleep 60');
    const huge = printed({ MESSAGE: 'x'.repeat(17 * 1024 * 1024) }, 1);
    writeFileSync(join(dir, 'all'), `${huge}\n${printed({ MESSAGE: 'next' }, 2)}\n`);
    const { source, port } = journal();
    await source.start();
    await waitFor('the next one', () => port.lines.length > 0);
    expect(messages(port)).toEqual(['next']);
    expect(port.count_('oversized')).toBe(1);
  });

  it('a text that looks like a cursor is none', async () => {
    const dir = standIn('cat "$(dirname "$0")/all"; exec sleep 60');
    writeFileSync(
      join(dir, 'all'),
      `${printed({ MESSAGE: 'ha "__CURSOR":"s=9;i=9"' }, 1).replace('"__CURSOR":', '"__CURSOR" : ')}\n`,
    );
    const { source, port } = journal();
    await source.start();
    await waitFor('the entry', () => port.lines.length > 0);
    expect(port.saved.get('journal:system')?.identity).toEqual({ cursor: 's=1;i=1' });
  });
});
