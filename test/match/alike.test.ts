/** Record starts that are found sixteen bytes at a time are those that are found line by line. */
import { describe, expect, it } from 'vitest';
import { isClean } from '../../src/match/clean.ts';
import { RecordIndex } from '../../src/match/index-records.ts';
import { randomOf } from '../support/small-random.ts';

const options = { multiline: 'auto', tz: 'UTC', maxLineBytes: 1024 } as const;
const how = { final: false, waiting: true, receivedAt: 0 };

interface Found {
  readonly starts: readonly number[];
  readonly complete: number;
  readonly scanned: number;
  readonly cuts: readonly (readonly [number, number])[];
}

/** What the index finds in a log that it is shown piece by piece: each ends with the first line that ends behind so many bytes more. */
function foundIn(data: Buffer, growth: number): Found {
  const index = new RecordIndex(options);
  for (let to = 0; to < data.length; ) {
    to = data.indexOf('\n', Math.min(to + growth, data.length - 1)) + 1;
    index.read(data.subarray(0, to), 0, how);
  }
  return {
    starts: [...index.starts.subarray(0, index.count + 1)],
    complete: index.complete,
    scanned: index.scanned,
    cuts: [...index.cuts],
  };
}

/** In pieces so small that each line is looked at by itself. */
const lineByLine = (data: Buffer): Found => foundIn(data, 500);

const heads: Readonly<Record<string, string>> = {
  'Celery headers': '[2026-11-21 10:00:07,123: INFO/MainProcess] ',
  'bare stamps': '2026-11-21 10:00:07 app: ',
  'stamps with a T': '2026-11-21T10:00:07.123Z web-1 ',
  'a learned start': '21-Nov-2026 10:00:07.123 [main] ',
  'no start at all': '',
};

/** What may stand between the lines of a log. */
const oddities = [
  'Traceback (most recent call last):\n  File "/srv/app.py", line 1, in run\n    [2026-11-21 10:00:07,123: INFO/x] quoted\nValueError: no\n',
  'plain words, no header\n',
  '\n\n',
  '\u001b[31m[2026-11-21 10:00:07,123: ERROR/MainProcess] red\u001b[0m\n',
  '[2026-11-21 10:00:07,123: ERROR/MainProcess] a \u001b[31mred\u001b[0m word\n',
  '[2026-11-21 10:00:07,123: ERROR/MainProcess] ends as on Windows\r\n',
  '[2026-11-21 10:00:07\r\n',
  '[2026-11-21 10:00:07\n',
  '[2026-11-21 10:00:0\n',
  '[2026-11-21x10:00:07,123: a letter where none belongs\n',
  '2026-11-21x10:00:07 a letter where none belongs\n',
  '2026-11-21T10:00:07 the other stamp\n',
  '\0\0\0[2026-11-21 10:00:07,123: INFO/MainProcess] behind a hole\n',
  `${'\0'.repeat(5000)}[2026-11-21 10:00:07,123: INFO/MainProcess] behind a large hole\n`,
  `[2026-11-21 10:00:07,123: INFO/MainProcess] ${'long '.repeat(300)}\n  its rest\n`,
  `2026-11-21 10:00:07 ${'x'.repeat(1004)}\n`,
  `2026-11-21 10:00:07 ${'x'.repeat(1005)}\n`,
  '  indented\n',
  '{"a": 1}\n',
  '2026 a year\n',
  'ERROR 2026-11-21 10:00:00 the level first\n',
];

describe('record starts, many at a time', () => {
  it.each(Object.entries(heads))('%s: as line by line, in logs with oddities', (_, head) => {
    const random = randomOf(11);
    for (let round = 0; round < 60; round++) {
      const every = 1 + random(400);
      let log = '';
      for (let line = 0; line < 900; line++) {
        if (random(every) === 0) log += oddities[random(oddities.length)];
        else log += `${head}line ${line} ${'of some length '.repeat(random(9))}\n`;
      }
      const data = Buffer.from(log);
      const whole = foundIn(data, data.length);
      expect(whole).toEqual(lineByLine(data));
      expect(foundIn(data, 3000 + random(100_000))).toEqual(whole);
    }
  });

  it.each(
    Object.entries(heads),
  )('%s: what is said to be text as it stands is, and no NUL is missed', (name, head) => {
    const random = randomOf(5);
    let plain = 0;
    for (let round = 0; round < 40; round++) {
      let log = '';
      for (let line = 0; line < 1500; line++) {
        if (random(300) === 0) log += oddities[random(oddities.length)];
        else log += `${head}line ${line} \t${random(2000) === 0 ? 'zwölf' : 'twelve'}\n`;
      }
      const data = Buffer.from(log);
      const index = new RecordIndex(options);
      index.read(data, 0, how);
      for (let ask = 0; ask < 100; ask++) {
        const from = random(data.length);
        const to = Math.min(data.length, from + 1 + random(8000));
        if (index.isPlain(from, to)) plain++;
        expect(!index.isPlain(from, to) || isClean(data.subarray(from, to))).toBe(true);
        expect(index.hasNul(data, to)).toBe(data.subarray(0, to).includes(0));
      }
    }
    expect(plain > 100).toBe(name !== 'no start at all');
  });

  it('a log of plain lines is said to be text as it stands, but for its first lines', () => {
    const data = Buffer.from(`${heads['bare stamps']}a line of some length\n`.repeat(20_000));
    const index = new RecordIndex(options);
    index.read(data, 0, how);
    expect(index.isPlain(1000, data.length)).toBe(true);
    expect(index.isPlain(0, data.length)).toBe(false);
  });

  it('goes on over the ends of what is copied at once, also where a line is longer than that', () => {
    const line = (length: number): string => `${heads['bare stamps']}${'x'.repeat(length)}\n`;
    const roomy = { ...options, maxLineBytes: 1_000_000 };
    const log = `${line(10).repeat(5000)}${line(70_000)}${line(65_510).repeat(3)}${line(10).repeat(5000)}`;
    const index = new RecordIndex(roomy);
    index.read(Buffer.from(log), 0, how);
    const starts = [0];
    for (let at = log.indexOf('\n'); at >= 0; at = log.indexOf('\n', at + 1)) starts.push(at + 1);
    expect([...index.starts.subarray(0, index.count + 1)]).toEqual(starts);
  });

  it.each([
    '',
    '9',
    '99:99',
    '9'.repeat(60),
  ])('a learned start %j that is none of ours harms nothing', (shape) => {
    const data = Buffer.from('12:34 5678901234567890123456789012345678901234567890 one\n'.repeat(400));
    const index = new RecordIndex(options);
    index.remember(shape);
    index.read(data, 0, how);
    expect(index.scanned).toBe(data.length);
  });

  it('does not take bytes for those of an earlier block that lay in the same buffer', () => {
    const data = Buffer.from(`${heads['bare stamps']}one\n`.repeat(400));
    const other = Buffer.from(`${heads['bare stamps']}another\n`.repeat(300)).subarray(0, data.length);
    const index = new RecordIndex(options);
    index.read(data, 0, { ...how, final: true });
    index.close();
    other.copy(data);
    index.read(data, 0, how);
    expect([...index.starts.subarray(0, index.count + 1)]).toEqual(lineByLine(data).starts);
  });
});
