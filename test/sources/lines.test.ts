/** Odd lines in real files, read as the daemon reads them: long, broken, in pieces, in the envelopes of containers. */
import { appendFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { jumpingClock } from '../support/jumping-clock.ts';
import { RecordPort, tailRecords } from '../support/record-tailing.ts';
import { type Mode, makeTailing } from '../support/tailing.ts';
import { tempDir } from '../support/temp-dir.ts';
import { waitFor } from '../support/wait-for.ts';

const modes: Mode[] = ['events', 'poll only'];
const colour = '\u001b[1;31m';
const plain = '\u001b[0m';

describe.each(modes)('odd lines, %s', (mode) => {
  it('T05 a line of the limit is whole, one over it keeps its head and is flagged, the next one comes', async () => {
    const log = join(tempDir(), 'app.log');
    const max = 4096;
    writeFileSync(log, '');
    const { port } = await tailRecords({ paths: [log], mode }, { format: 'plain', maxLineBytes: max });
    appendFileSync(log, `${'a'.repeat(max)}\n${'b'.repeat(max + 1)}\nok\n`);
    await waitFor('three records', () => port.records.length === 3);
    expect(port.records.map(({ message, truncated }) => [message.length, truncated])).toEqual([
      [max, false],
      [max, true],
      [2, false],
    ]);
    expect(port.count_('truncatedLines')).toBe(1);
  });

  it('T05 50 MiB without a line end: once, cut, flagged, never held in memory, and the next line comes', async () => {
    const log = join(tempDir(), 'app.log');
    const max = 256 * 1024;
    writeFileSync(log, '');
    const tailing = await tailRecords({ paths: [log], mode }, { format: 'plain' });
    const { port } = tailing;
    let most = 0;
    port.onTake = (chunk) => {
      most = Math.max(most, chunk.data.length);
    };
    const piece = Buffer.alloc(1024 * 1024, 'x');
    for (let mebi = 0; mebi < 50; mebi++) appendFileSync(log, piece);
    await waitFor('all of it to be read', () => tailing.source.lagBytes() <= max && port.chunks.length > 40);
    appendFileSync(log, '\nok\n');
    await waitFor('the next line', () => port.messages.includes('ok'));
    expect(port.records.map(({ truncated, offset }) => [truncated, offset])).toEqual([
      [true, 0],
      [false, 50 * 1024 * 1024 + 1],
    ]);
    expect(/^x{10000}/.test(port.messages[0] ?? '')).toBe(true);
    // What is held is the head; a read is 1 MiB.
    expect(most).toBeLessThanOrEqual(1024 * 1024 + 2 * max);
  });

  it('T06 a carriage return and its line feed in two writes are one end of a line; one inside stays', async () => {
    const log = join(tempDir(), 'app.log');
    writeFileSync(log, 'a\rb\r');
    const { port } = await tailRecords({ paths: [log], mode }, { format: 'plain' });
    await waitFor('the first part', () => port.chunks.length > 0);
    appendFileSync(log, '\nc\r\n');
    await waitFor('both lines', () => port.records.length === 2);
    expect(port.messages).toEqual(['a\rb', 'c']);
  });

  it('T07 a byte order mark of UTF-8 is no part of the first line', async () => {
    const log = join(tempDir(), 'app.log');
    writeFileSync(log, '\ufeffa\nb\n');
    const { port } = await tailRecords({ paths: [log], mode }, { format: 'plain' });
    await waitFor('both lines', () => port.records.length === 2);
    expect(port.messages).toEqual(['a', 'b']);
  });

  it.each([
    ['little end first', Buffer.from('\ufeffold\nnew\n', 'utf16le')],
    ['big end first', Buffer.from('\ufeffold\nnew\n', 'utf16le').swap16()],
  ])('T07 UTF-16, %s: one error that says so, nothing of it is read; written anew as UTF-8 it is', async (_name, bytes) => {
    const dir = tempDir();
    const log = join(dir, 'app.log');
    writeFileSync(log, bytes);
    writeFileSync(join(dir, 'other.log'), 'other\n');
    const tailing = await tailRecords({ paths: [join(dir, '*.log')], mode }, { format: 'plain' });
    const { port, warnings } = tailing;
    await waitFor('the error', () => warnings.length > 0);
    appendFileSync(log, bytes.subarray(2));
    appendFileSync(join(dir, 'other.log'), 'more\n');
    await waitFor('the other file', () => port.records.length === 2);
    expect(warnings).toEqual([expect.stringContaining('unsupported encoding UTF-16')]);
    expect(port.states.at(-1)).toContain('unsupported encoding UTF-16');
    writeFileSync(log, 'plain\n');
    await waitFor('the line', () => port.messages.includes('plain'));
    expect(port.messages.sort()).toEqual(['more', 'other', 'plain']);
    await waitFor('the state', () => port.states.at(-1) === 'ok');
  });

  it('T07 UTF-16 begun at its end, and after a restart: the error comes as well', async () => {
    const log = join(tempDir(), 'app.log');
    const bytes = Buffer.from(`\ufeff${'old\n'.repeat(500)}`, 'utf16le');
    writeFileSync(log, bytes);
    const first = await tailRecords({ paths: [log], mode, start: 'end' }, { format: 'plain' });
    await waitFor('the error', () => first.warnings.length > 0);
    await first.stop();
    appendFileSync(log, bytes.subarray(2));
    const second = await tailRecords({ paths: [log], mode }, { format: 'plain' }, first.port.saved);
    await waitFor('the error', () => second.warnings.length > 0);
    expect([...first.port.messages, ...second.port.messages]).toEqual([]);
  });

  it('T08 bytes that are no UTF-8 are shown as such, and the line comes', async () => {
    const log = join(tempDir(), 'app.log');
    writeFileSync(log, Buffer.from('caf\xe9 closed\nnext\n', 'latin1'));
    const { port } = await tailRecords({ paths: [log], mode }, { format: 'plain' });
    await waitFor('both lines', () => port.records.length === 2);
    expect(port.messages).toEqual(['caf\ufffd closed', 'next']);
  });

  it('T09 T10 NUL before a line is left out and counted, NUL inside it stays', async () => {
    const log = join(tempDir(), 'app.log');
    writeFileSync(log, 'first\n');
    const { port } = await tailRecords({ paths: [log], mode }, { format: 'plain' });
    await waitFor('the first line', () => port.records.length === 1);
    appendFileSync(log, Buffer.concat([Buffer.alloc(8192), Buffer.from('x\na\0b\n')]));
    await waitFor('all lines', () => port.records.length === 3);
    expect(port.messages).toEqual(['first', 'x', 'a\0b']);
    expect(port.count_('nulBytes')).toBe(8192);
  });

  it('T76 colours are taken off, tabs stay', async () => {
    const log = join(tempDir(), 'app.log');
    writeFileSync(log, `${colour}red${plain}\tand\ttabs\n`);
    const { port } = await tailRecords({ paths: [log], mode }, { format: 'plain' });
    await waitFor('the line', () => port.records.length === 1);
    expect(port.messages).toEqual(['red\tand\ttabs']);
  });
});

describe('times of lines', () => {
  it('a stamp without a zone is of the zone of the source; one that is hours off is taken as it stands', async () => {
    const log = join(tempDir(), 'app.log');
    writeFileSync(log, '');
    const { port } = await tailRecords({ paths: [log] }, { tz: 'Europe/Berlin' });
    appendFileSync(log, '2026-07-01 12:00:00,000 summer\n2026-12-01 12:00:00,000 winter\n');
    appendFileSync(
      log,
      '2026-12-01T12:00:00Z zoned\n2020-01-01T00:00:00Z late\n2031-01-01T00:00:00Z early\n',
    );
    await waitFor('all of it', () => port.records.length === 5);
    expect(port.records.map(({ time }) => new Date(time ?? 0).toISOString().slice(0, 16))).toEqual([
      '2026-07-01T10:00',
      '2026-12-01T11:00',
      '2026-12-01T12:00',
      '2020-01-01T00:00',
      '2031-01-01T00:00',
    ]);
  });
});

describe.each(modes)('files of Docker, %s', (mode) => {
  const piece = (log: string, stream = 'stdout'): string =>
    `${JSON.stringify({ log, stream, time: '2026-11-21T02:28:13.5Z' })}\n`;

  it('T71 a message of 40 KiB in three pieces is one, and two streams do not mix', async () => {
    const log = join(tempDir(), 'app-json.log');
    const [a, b, c] = ['a'.repeat(16_384), 'b'.repeat(16_384), `${'c'.repeat(8_192)}\n`];
    writeFileSync(
      log,
      piece(a) + piece('other ', 'stderr') + piece(b) + piece('stream\n', 'stderr') + piece(c),
    );
    const { port } = await tailRecords({ paths: [log], mode });
    await waitFor('both', () => port.records.length === 2);
    expect(port.messages.sort()).toEqual([`${a}${b}${c.trimEnd()}`, 'other stream']);
    expect(port.records.map(({ fields }) => fields['stream']).sort()).toEqual(['stderr', 'stdout']);
  });

  it('T73 a line that is no JSON is text, and counted', async () => {
    const log = join(tempDir(), 'app-json.log');
    writeFileSync(log, `${piece('one\n')}${piece('two\n')}{"log": "broken\n${piece('three\n')}`);
    const { port } = await tailRecords({ paths: [log], mode });
    await waitFor('all four', () => port.records.length === 4);
    expect(port.messages.sort()).toEqual(['one', 'three', 'two', '{"log": "broken'].sort());
    expect(port.count_('unparsed')).toBe(1);
  });
});

describe.each(modes)('files of a container runtime, %s', (mode) => {
  const cri = (tag: string, text: string, stream = 'stdout'): string =>
    `2026-11-21T02:28:13.500000000Z ${stream} ${tag} ${text}\n`;

  it('T74 parts are joined as far as the end of the line; two streams do not mix', async () => {
    const log = join(tempDir(), '0.log');
    writeFileSync(
      log,
      cri('P', 'one ') +
        cri('P', 'other ', 'stderr') +
        cri('P', 'two ') +
        cri('F', 'three') +
        cri('F', 'stream', 'stderr'),
    );
    const { port } = await tailRecords({ paths: [log], mode });
    await waitFor('both', () => port.records.length === 2);
    expect(port.messages.sort()).toEqual(['one two three', 'other stream']);
  });

  it('T74 a part whose line never ends is given after a while, and says that it is not all', async () => {
    const log = join(tempDir(), '0.log');
    writeFileSync(log, cri('F', 'zero') + cri('P', 'the first part'));
    const clock = jumpingClock();
    const { port } = await tailRecords({ paths: [log], mode, clock });
    await waitFor('the whole line', () => port.records.length === 1);
    await waitFor('a quiet time', () => port.chunks.some(({ end }) => end === 'quiet'));
    expect(port.messages).toEqual(['zero']);
    clock.jump(5_000);
    await waitFor('the part', () => port.records.length === 2);
    expect(port.records[1]).toMatchObject({ message: 'the first part', truncated: true });
    writeFileSync(log, cri('F', 'another'), { flag: 'a' });
    await waitFor('the next line', () => port.records.length === 3);
    expect(port.messages[2]).toBe('another');
  });

  it('T72 T74 parts on both sides of a rotation are one line, in each of its streams', async () => {
    const log = join(tempDir(), '0.log');
    writeFileSync(log, cri('F', 'zero') + cri('P', 'other ', 'stderr') + cri('P', 'one '));
    const { port } = await tailRecords({ paths: [log], mode, more: { rotateWaitMs: 100 } });
    await waitFor('the first', () => port.records.length === 1);
    renameSync(log, `${log}.20261121-022800`);
    writeFileSync(
      log,
      cri('P', 'two ') + cri('F', 'three') + cri('F', 'stream', 'stderr') + cri('F', 'four'),
    );
    await waitFor('all of it', () => port.records.length === 4);
    expect([...port.messages].sort()).toEqual(['four', 'one two three', 'other stream', 'zero']);
    await waitFor('the old file is left', () => port.left.length === 1);
    expect(port.records.length).toBe(4);
  });

  it('T74 a part at the end of a file that nothing follows is given after a while', async () => {
    const log = join(tempDir(), '0.log');
    writeFileSync(log, cri('F', 'zero') + cri('P', 'one '));
    const clock = jumpingClock();
    const { port } = await tailRecords({ paths: [log], mode, clock });
    await waitFor('the first', () => port.records.length === 1);
    renameSync(log, `${log}.20261121-022800`);
    writeFileSync(log, cri('F', 'another', 'stderr'));
    await waitFor('the new file', () => port.messages.includes('another'));
    clock.jump(5_000);
    await waitFor('the part', () => port.records.length === 3);
    expect(port.records.find(({ message }) => message === 'one ')).toMatchObject({ truncated: true });
  });

  it('T74 a link that leads to the log of another container: the part of the one is no part of the other', async () => {
    const dir = tempDir();
    const [one, two, link] = ['one.log', 'two.log', 'current.log'].map((name) => join(dir, name)) as [
      string,
      string,
      string,
    ];
    writeFileSync(one, cri('F', 'zero') + cri('P', 'the part'));
    symlinkSync(one, link);
    const clock = jumpingClock();
    const { port } = await tailRecords({ paths: [link], mode, clock });
    await waitFor('the first', () => port.records.length === 1);
    writeFileSync(two, cri('F', 'whole'));
    symlinkSync(two, `${link}.new`);
    renameSync(`${link}.new`, link);
    await waitFor('the other container', () => port.messages.includes('whole'));
    clock.jump(5_000);
    await waitFor('the part', () => port.messages.includes('the part'));
    expect(port.records.length).toBe(3);
  });

  it('a traceback on both sides of a rotation is one record', async () => {
    const log = join(tempDir(), '0.log');
    const trace = [
      'Traceback (most recent call last):',
      '  File "/app/tasks.py", line 3, in charge',
      '    pay()',
    ];
    writeFileSync(log, cri('F', 'zero') + trace.map((line) => cri('F', line)).join(''));
    const { port } = await tailRecords({ paths: [log], mode }, { multiline: 'auto' });
    renameSync(log, `${log}.20261121-022800`);
    writeFileSync(log, cri('F', 'ValueError: no such card') + cri('F', 'done'));
    await waitFor('all of it', () => port.records.some(({ raw }) => raw.includes('done')));
    const record = port.records.find(({ raw }) => raw.includes('Traceback'));
    expect(record?.raw).toContain('ValueError: no such card');
  });

  it('T72 what was open at the end of a file is one line after a restart too, and told once', async () => {
    const log = join(tempDir(), '0.log');
    writeFileSync(log, cri('F', 'zero') + cri('P', 'one '));
    const first = await tailRecords({ paths: [log], mode });
    await waitFor('the first', () => first.port.records.length === 1);
    renameSync(log, `${log}.20261121-022800`);
    writeFileSync(log, cri('F', 'other', 'stderr') + cri('P', 'two '));
    await waitFor('the new file', () => first.port.messages.includes('other'));
    const saved = structuredClone(first.port.saved);
    await first.stop();
    writeFileSync(log, cri('F', 'three') + cri('F', 'four'), { flag: 'a' });
    const second = await tailRecords({ paths: [log], mode }, {}, saved);
    await waitFor('the rest', () => second.port.messages.includes('four'));
    expect([...first.port.messages, ...second.port.messages].sort()).toEqual(
      ['zero', 'other', 'one two three', 'four'].sort(),
    );
  });

  it('T72 what a file inherited is given after a restart too when that file is gone by then', async () => {
    const log = join(tempDir(), '0.log');
    writeFileSync(log, cri('F', 'zero') + cri('P', 'one '));
    const first = await tailRecords({ paths: [log], mode });
    await waitFor('the first', () => first.port.records.length === 1);
    renameSync(log, `${log}.20261121-022800`);
    writeFileSync(log, cri('F', 'other', 'stderr'));
    await waitFor('the new file', () => first.port.messages.includes('other'));
    const saved = structuredClone(first.port.saved);
    await first.stop();
    rmSync(log);
    const second = await tailRecords({ paths: [log], mode }, {}, saved);
    await waitFor('the part', () => second.port.records.length > 0);
    expect(second.port.messages).toEqual(['one ']);
  });

  it('T72 a file inherits once: what comes to the old one after that is given there, and no place is lost', async () => {
    const log = join(tempDir(), '0.log');
    writeFileSync(log, cri('F', 'zero') + cri('P', 'one '));
    const clock = jumpingClock();
    const first = await tailRecords({ paths: [log], mode, clock });
    await waitFor('the first', () => first.port.records.length === 1);
    renameSync(log, `${log}.20261121-022800`);
    // A line whose end is not there yet.
    const [head, end] = ['2026-11-21T02:28:14.500000000Z stdout F ', 'two\n'];
    writeFileSync(log, head);
    await waitFor('the new file', () =>
      [...first.port.saved.values()].some(({ identity }) => Number(identity['inherited'] ?? 0) > 0),
    );
    clock.jump(5_000);
    await waitFor('a quiet time', () => first.port.records.length === 2);
    const saved = structuredClone(first.port.saved);
    await first.stop();
    appendFileSync(`${log}.20261121-022800`, cri('P', 'late '));
    const second = await tailRecords({ paths: [log], mode }, {}, saved);
    await waitFor('both are read', () => second.source.lagBytes() <= 100 && second.port.chunks.length > 1);
    appendFileSync(log, end + cri('F', 'three'));
    await waitFor('the new lines', () => second.port.messages.includes('three'));
    const again = structuredClone(second.port.saved);
    await second.stop();
    appendFileSync(log, cri('F', 'four'));
    const third = await tailRecords({ paths: [log], mode }, {}, again);
    await waitFor('the last line', () => third.port.messages.includes('four'));
    const all = [first, second, third].flatMap(({ port }) => port.messages);
    expect(all.filter((message) => !message.startsWith('late')).sort()).toEqual(
      ['zero', 'one ', 'two', 'three', 'four'].sort(),
    );
  });

  it('T72 parts on both sides of a rotation are one line where all is read once, to its end', async () => {
    const log = join(tempDir(), '0.log');
    writeFileSync(log, cri('F', 'zero') + cri('P', 'one '));
    const first = await tailRecords({ paths: [log], mode });
    await waitFor('the first', () => first.port.records.length === 1);
    const saved = structuredClone(first.port.saved);
    await first.stop();
    renameSync(log, `${log}.20261121-022800`);
    writeFileSync(log, cri('F', 'two') + cri('F', 'three'));
    const port = new RecordPort({}, saved);
    const { source } = makeTailing({ paths: [log], mode, port, firstStart: false });
    await source.drain();
    expect(port.messages).toEqual(['one two', 'three']);
  });

  it('T75 a line without a tag is text', async () => {
    const log = join(tempDir(), '0.log');
    writeFileSync(
      log,
      `${cri('F', 'one')}2026-11-21T02:28:14.500000000Z stdout no tag here\n${cri('F', 'two')}`,
    );
    const { port } = await tailRecords({ paths: [log], mode });
    await waitFor('all three', () => port.records.length === 3);
    expect(port.messages.join('\n')).toContain('no tag here');
  });
});
