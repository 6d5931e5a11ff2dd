/** How a file grows: lines, halves of lines, odd bytes, and how soon they are seen. With events of the system and without. */
import { appendFileSync, closeSync, openSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Mode, makeTailing, numbered, tail, text } from '../support/tailing.ts';
import { tempDir } from '../support/temp-dir.ts';
import { waitFor } from '../support/wait-for.ts';

const modes: Mode[] = ['events', 'poll only'];

describe.each(modes)('a growing file, %s', (mode) => {
  it('T01 lines come once each, in order', async () => {
    const log = join(tempDir(), 'app.log');
    writeFileSync(log, '');
    const tailing = await tail({ paths: [log], mode });
    appendFileSync(log, 'a\nb\n');
    await tailing.gets('a', 'b');
    expect(tailing.port.taken.map((line) => line.offset)).toEqual([0, 2]);
  });

  it('T02 B15 half a line waits for the other half', async () => {
    const log = join(tempDir(), 'app.log');
    writeFileSync(log, 'par');
    const tailing = await tail({ paths: [log], mode });
    await waitFor('the half to be read', () => tailing.port.chunks.length > 0);
    expect(tailing.port.lines).toEqual([]);
    appendFileSync(log, 'tial\n');
    await tailing.gets('partial');
  });

  it('T03 F2 a character split over two writes stays whole', async () => {
    const log = join(tempDir(), 'app.log');
    const bytes = Buffer.from('x😀y\n');
    writeFileSync(log, bytes.subarray(0, 2));
    const tailing = await tail({ paths: [log], mode });
    await waitFor('the first part', () => tailing.port.chunks.length > 0);
    appendFileSync(log, bytes.subarray(2));
    await tailing.gets('x😀y');
  });

  // Was: reads got so small that they never left the turn of the event loop: alerts of a storm went out when all of it was read.
  it('a file whose bytes take their time leaves the process its turns', async () => {
    const log = join(tempDir(), 'app.log');
    writeFileSync(log, text(numbered(1, 100_000)));
    const tailing = makeTailing({ paths: [log], mode });
    let takes = 0;
    let most = 0;
    tailing.port.onTake = () => {
      takes++;
      for (const began = performance.now(); performance.now() - began < 6; );
    };
    const look = (): void => {
      most = Math.max(most, takes);
      takes = 0;
      turning = setImmediate(look);
    };
    let turning = setImmediate(look);
    await tailing.source.drain();
    clearImmediate(turning);
    expect(tailing.port.lines).toHaveLength(100_000);
    expect(Math.max(most, takes)).toBeLessThanOrEqual(3);
  });

  it('T04 an unterminated last line is shown as quiet, not as final, and not twice', async () => {
    const log = join(tempDir(), 'app.log');
    writeFileSync(log, 'a\nopen');
    const tailing = await tail({ paths: [log], mode });
    await tailing.gets('a');
    appendFileSync(log, ' end\n');
    await tailing.gets('a', 'open end');
    expect(tailing.port.chunks.every((chunk) => chunk.end !== 'final')).toBe(true);
  });

  it('a record that the pipeline holds back is presented again with quiet after 200 ms', async () => {
    const log = join(tempDir(), 'app.log');
    writeFileSync(log, 'record\n');
    const tailing = makeTailing({ paths: [log], mode });
    const plain = tailing.port.take.bind(tailing.port);
    const ends: { end: string; at: number }[] = [];
    // As with `multiline`: a record is complete when the next header comes or when it is quiet.
    tailing.port.take = (chunk) => {
      ends.push({ end: chunk.end, at: performance.now() });
      return chunk.end === 'more' ? 0 : plain(chunk);
    };
    await tailing.source.start();
    await tailing.gets('record');
    expect(ends.map(({ end }) => end)).toEqual(['more', 'quiet']);
    const waited = (ends[1]?.at ?? 0) - (ends[0]?.at ?? 0);
    expect(waited).toBeGreaterThan(150);
    expect(waited).toBeLessThan(600);
  });

  it('T11 T07 empty lines, CRLF and a byte order mark keep offsets exact', async () => {
    const log = join(tempDir(), 'app.log');
    writeFileSync(log, '\ufeffa\r\n\n\nb\n');
    const tailing = await tail({ paths: [log], mode });
    await waitFor('all lines', () => tailing.port.taken.length === 4);
    expect(tailing.port.taken.map((line) => line.offset)).toEqual([0, 6, 7, 8]);
  });

  it('T12 100,000 lines in one write, in order, and other work gets its turn between the pieces', async () => {
    const log = join(tempDir(), 'app.log');
    writeFileSync(log, '');
    const tailing = await tail({ paths: [log], mode });
    const lines = numbered(1, 100_000);
    let others = 0;
    let running = true;
    const other = (): void => {
      others++;
      if (running) setImmediate(other);
    };
    other();
    const seen: { others: number; bytes: number }[] = [];
    tailing.port.onTake = (chunk) => {
      seen.push({ others, bytes: chunk.data.length });
    };
    appendFileSync(log, text(lines));
    await waitFor('all lines', () => tailing.port.taken.length === lines.length);
    running = false;
    expect(tailing.port.lines).toEqual(lines);
    expect(Math.max(...seen.map((piece) => piece.bytes))).toBeLessThanOrEqual(1024 * 1024 + 128 * 1024);
    // One piece may come at the end of a turn, and the next one with the I/O of the turn behind it, before the others of that one.
    for (const [index, piece] of seen.entries()) {
      const last = seen[index - 2];
      if (last) expect(piece.others).toBeGreaterThan(last.others);
    }
  });

  it('T30 a hole in the middle: lines behind it come', async () => {
    const log = join(tempDir(), 'app.log');
    writeFileSync(log, 'a\n');
    const tailing = await tail({ paths: [log], mode });
    await tailing.gets('a');
    truncateSync(log, 1024 * 1024);
    appendFileSync(log, 'b\n');
    await tailing.gets('a', 'b');
  });

  it('T13 a file that is filled in place is not followed: lines are those behind its zeros, and the rest goes on', async () => {
    const dir = tempDir();
    const log = join(dir, 'app.log');
    writeFileSync(log, Buffer.concat([Buffer.from('a\n'), Buffer.alloc(64 * 1024)]));
    const tailing = await tail({ paths: [join(dir, '*.log')], mode });
    await tailing.gets('a');
    const fd = openSync(log, 'r+');
    writeSync(fd, 'into the zeros\n', 2);
    closeSync(fd);
    appendFileSync(log, 'b\n');
    appendFileSync(join(dir, 'other.log'), 'c\n');
    await tailing.gets('a', 'b', 'c');
  });

  it('T31 B16 a hole at the front, left by a writer that does not append, is passed over', async () => {
    const log = join(tempDir(), 'app.log');
    const fd = openSync(log, 'w');
    writeSync(fd, text(numbered(1, 10)));
    const tailing = await tail({ paths: [log], mode });
    await tailing.gets(...numbered(1, 10));
    truncateSync(log, 0);
    writeSync(fd, 'after\n', 256 * 1024 * 1024);
    closeSync(fd);
    await tailing.gets(...numbered(1, 10), 'after');
    expect(tailing.port.count_('nul_bytes')).toBeGreaterThan(200_000_000);
    expect(tailing.port.taken.at(-1)?.offset).toBe(256 * 1024 * 1024);
  });

  it('T68 a slow pipeline loses nothing', async () => {
    const log = join(tempDir(), 'app.log');
    writeFileSync(log, text(numbered(1, 20_000)));
    const tailing = makeTailing({ paths: [log], mode });
    tailing.port.onTake = () => {
      const end = performance.now() + 20;
      while (performance.now() < end);
    };
    await tailing.source.start();
    appendFileSync(log, text(numbered(20_001, 30_000)));
    await waitFor('all lines', () => tailing.port.taken.length === 30_000);
    expect(tailing.port.lines).toEqual(numbered(1, 30_000));
  });

  it('T69 a busy file does not starve a quiet one', async () => {
    const dir = tempDir();
    const busy = join(dir, 'busy.log');
    const calm = join(dir, 'calm.log');
    writeFileSync(busy, 'x'.repeat(99).concat('\n').repeat(600_000));
    writeFileSync(calm, 'calm\n');
    const tailing = makeTailing({ paths: [busy, calm], mode });
    tailing.port.keep = false;
    let before = 0;
    let calmAt: number | null = null;
    tailing.port.onTake = (chunk) => {
      if (chunk.stream.path === calm) calmAt ??= before;
      else before += chunk.data.length;
    };
    await tailing.source.start();
    await waitFor('the calm file', () => calmAt !== null);
    expect(calmAt).toBeLessThan(4 * 1024 * 1024);
  });

  it('a line is taken within 20 ms, as a rule', async () => {
    const log = join(tempDir(), 'app.log');
    writeFileSync(log, 'begin\n');
    const tailing = await tail({ paths: [log], mode });
    await tailing.gets('begin');
    const took: number[] = [];
    for (let i = 0; i < 60; i++) {
      const wrote = performance.now();
      appendFileSync(log, `${i}\n`);
      await waitFor('the line', () => tailing.port.taken.length === i + 2);
      took.push((tailing.port.taken.at(-1)?.at ?? 0) - wrote);
    }
    took.sort((a, b) => a - b);
    // On a quiet machine p99 is under 20 ms; here others run beside it.
    expect(took[Math.floor(took.length / 2)]).toBeLessThan(25);
  });

  it('lag is what is there and not yet consumed', async () => {
    const log = join(tempDir(), 'app.log');
    writeFileSync(log, 'a\nopen');
    const tailing = await tail({ paths: [log], mode });
    await tailing.gets('a');
    expect(tailing.source.lagBytes()).toBe(4);
  });
});
