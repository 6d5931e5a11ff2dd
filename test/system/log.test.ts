/** The log: one line each, whatever the facts hold; floods cut; secrets out; nobody who reads badly can stop it. */
import { execFileSync } from 'node:child_process';
import { closeSync, constants, openSync, readFileSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Secret } from '../../src/model/config.ts';
import { createLogger, type Logger, type LogLevel } from '../../src/system/log.ts';
import { descriptorWriter } from '../../src/system/stderr.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { tempDir } from '../support/temp-dir.ts';

function logger(options: { level?: LogLevel; format?: 'json' | 'text' } = {}): {
  log: Logger;
  lines: string[];
  clock: FakeClock;
} {
  const lines: string[] = [];
  const clock = new FakeClock();
  const log = createLogger({
    level: options.level ?? 'info',
    format: options.format ?? 'json',
    clock,
    write: (text) => lines.push(text),
  });
  return { log, lines, clock };
}
const parse = (line: string | undefined): Record<string, unknown> =>
  JSON.parse(line ?? '') as Record<string, unknown>;

describe('a line', () => {
  it("is JSON with the clock's time, level, room, facts and message", () => {
    const { log, lines } = logger();
    log.child('sources').warn({ path: '/x', by: 2 }, 'a file is gone');
    expect(parse(lines[0])).toEqual({
      level: 'warn',
      time: '2026-01-05T10:00:00.000Z',
      room: 'sources',
      path: '/x',
      by: 2,
      msg: 'a file is gone',
    });
    expect(lines[0]?.endsWith('}\n')).toBe(true);
  });

  it('below the level is not made', () => {
    const { log, lines } = logger({ level: 'warn' });
    log.info({}, 'no');
    log.error({}, 'yes');
    expect(lines).toHaveLength(1);
  });

  it('never shows a secret, nor dies of a strange fact', () => {
    const { log, lines } = logger();
    const round: Record<string, unknown> = {};
    round['self'] = round;
    log.info({ token: new Secret('s3cret'), deep: { url: new Secret('s3cret') }, round, big: 10n }, 'facts');
    log.info(
      {
        get bad() {
          throw new Error('getter');
        },
      },
      'a fact that throws',
    );
    log.error({ error: Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }) }, 'failed');
    expect(lines.join('')).not.toContain('s3cret');
    expect(lines.join('')).toContain('[redacted]');
    expect(lines).toHaveLength(3);
    expect(parse(lines[2])['error']).toEqual({ message: 'refused', code: 'ECONNREFUSED' });
  });

  it('can not be forged, in JSON or in text', () => {
    const hostile = 'a\nERROR fake\u001b[2J\u009b1A\u202e\u2028b';
    for (const format of ['json', 'text'] as const) {
      const { log, lines } = logger({ format });
      log.child(hostile).info({ line: hostile, [hostile]: 1 }, hostile);
      expect(lines).toHaveLength(1);
      expect(lines[0]?.trimEnd()).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u202e]/);
    }
    const { log, lines } = logger();
    log.info({ line: hostile }, 'same meaning');
    expect(parse(lines[0])['line']).toBe(hostile);
  });

  it('for a terminal is short', () => {
    const { log, lines } = logger({ format: 'text' });
    log.child('notify').info({ channel: 'ops', n: 3, text: 'two words' }, 'delivered');
    expect(lines).toEqual(['10:00:00.000 INFO  notify: delivered  channel=ops n=3 text="two words"\n']);
  });
});

describe('a flood', () => {
  it('I13 of one message is cut to ten a second and told, others pass', async () => {
    const { log, lines, clock } = logger();
    for (let n = 0; n < 100_000; n++) log.warn({ n }, 'again');
    log.warn({}, 'another');
    expect(lines).toHaveLength(11);
    await clock.advance(1000);
    expect(lines).toHaveLength(12);
    expect(parse(lines[11])).toMatchObject({ msg: 'again', suppressed: 99_990 });
    await clock.advance(1000);
    log.warn({}, 'again');
    expect(lines).toHaveLength(13);
  });
});

describe('who reads the log', () => {
  it('may be gone: nothing is thrown', () => {
    const log = createLogger({
      level: 'info',
      format: 'json',
      clock: new FakeClock(),
      write: () => {
        throw new Error('EPIPE');
      },
    });
    expect(() => log.error({}, 'still here')).not.toThrow();
    const path = join(tempDir(), 'log');
    const descriptor = openSync(path, 'w');
    const write = descriptorWriter(descriptor);
    write('one\n');
    closeSync(descriptor);
    expect(() => write('two\n')).not.toThrow();
    expect(readFileSync(path, 'utf8')).toBe('one\n');
  });

  it('may be stuck: the writer goes on at once, and tells what was dropped when it is read again', () => {
    const path = join(tempDir(), 'pipe');
    execFileSync('mkfifo', [path]);
    const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    // A pipe that blocks, as a shell hands it to us.
    const writer = openSync(path, constants.O_WRONLY);
    const write = descriptorWriter(writer);
    for (let n = 0; n < 2000; n++) write(`${n} ${'x'.repeat(195)}\n`);
    const buffer = Buffer.alloc(1 << 20);
    const read = (): string => buffer.toString('utf8', 0, readSync(reader, buffer));
    const first = read();
    write('after\n');
    const second = read();
    write('last\n');
    const third = read();
    closeSync(reader);
    write('nobody is there\n');
    closeSync(writer);
    const lines = (first + second + third).trimEnd().split('\n');
    const notes = lines.flatMap((line) => /^\((\d+) log lines dropped/.exec(line)?.[1] ?? []);
    expect(lines.slice(-2)).toEqual(['after', 'last']);
    expect(notes).toHaveLength(1);
    expect(lines.length - 3 + Number(notes[0])).toBe(2000);
    expect(lines.slice(0, -3).every((line, n) => line.startsWith(`${n} x`))).toBe(true);
  });
});
