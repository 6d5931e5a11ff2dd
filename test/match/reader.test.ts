import { describe, expect, it } from 'vitest';
import { compileRules } from '../../src/match/compile.ts';
import { StreamReader } from '../../src/match/reader.ts';
import type { Multiline } from '../../src/model/config.ts';
import type { RecordMatch } from '../../src/model/match.ts';
import type { Rule } from '../../src/model/rule.ts';
import { conditions, rule, stream, text } from './make-rule.ts';

const arrival = Date.UTC(2026, 10, 21, 2, 30);
const every = [rule('every', conditions({}))];
const head = '[2026-11-21 02:25:25,789: ERROR/ForkPoolWorker-1] ';

function reader(
  options: { multiline?: Multiline; format?: 'auto' | 'plain'; maxLineBytes?: number } = {},
): StreamReader {
  return new StreamReader(
    {
      stream,
      format: options.format ?? 'auto',
      multiline: options.multiline ?? 'auto',
      tz: 'UTC',
      maxLineBytes: options.maxLineBytes ?? 256 * 1024,
    },
    null,
  );
}

function read(
  lines: string | Buffer,
  rules: readonly Rule[] = every,
  options: Parameters<typeof reader>[0] = {},
): readonly RecordMatch[] {
  const data = Buffer.from(lines);
  return reader(options).read(compileRules(rules), {
    stream,
    data,
    offset: 0,
    end: 'final',
    receivedAt: arrival,
  }).matches;
}

function raws(lines: string | Buffer, options: Parameters<typeof reader>[0] = {}): string[] {
  return read(lines, every, options).map((match) => match.record.raw);
}

const chained = [
  'Traceback (most recent call last):',
  '  File "a.py", line 1, in f',
  '    boom()',
  'KeyError: 1',
  '',
  'During handling of the above exception, another exception occurred:',
  '',
  'Traceback (most recent call last):',
  '  File "b.py", line 2, in g',
  'ValueError: two',
].join('\n');

describe('rules that look for the same text', () => {
  const task = 'task (?<task>\\w+)(?: of (?<owner>\\w+))?';
  const named = (matches: readonly RecordMatch[]) =>
    matches.map(({ hits }) => hits.map(({ rule: one, fields }) => [one.id, { ...fields }]));

  it('each get what it captures, for each record anew', () => {
    const rules = [
      rule('one', task),
      rule('two', conditions({ text: [text([task])], where: [] })),
      rule('other', conditions({ text: [text(['(?<owner>\\w+) says']), text([task])] })),
      rule('except', conditions({ text: [text(['task'])], except: [conditions({ text: [text([task])] })] })),
    ];
    expect(named(read('ann says task a of bob\ntask b\ntask  c\n', rules, { multiline: 'none' }))).toEqual([
      [
        ['one', { task: 'a', owner: 'bob' }],
        ['two', { task: 'a', owner: 'bob' }],
        ['other', { task: 'a', owner: 'ann' }],
      ],
      [
        ['one', { task: 'b' }],
        ['two', { task: 'b' }],
      ],
      [['except', {}]],
    ]);
  });

  it('in the message and in the trace are told apart', () => {
    const rules = (['message', 'trace', 'record'] as const).map((scope) =>
      rule(scope, conditions({ text: [text([task], { scope })] })),
    );
    const lines = `2026-01-05 10:00:00 ERROR task a\n${chained}\n  task b\n2026-01-05 10:00:01 ERROR no\n${chained}\n  task c\n`;
    expect(
      named(read(lines, rules)).map((hits) =>
        hits.map(([id, fields]) => [id, (fields as { task: string }).task]),
      ),
    ).toEqual([
      [
        ['message', 'a'],
        ['trace', 'b'],
        ['record', 'a'],
      ],
      [
        ['trace', 'c'],
        ['record', 'c'],
      ],
    ]);
  });
});

describe('records', () => {
  it("a traceback belongs to Celery's header line, chained blocks too", () => {
    const [match] = read(`${head}Task a[1] raised unexpected: ValueError('two')\n${chained}\n`);
    expect(match?.record.message).toBe("Task a[1] raised unexpected: ValueError('two')");
    expect(match?.record.trace).toBe(chained);
    expect(match?.record.fields).toEqual({
      time: '2026-11-21T02:25:25.789Z',
      level: 'error',
      process: 'ForkPoolWorker-1',
    });
    expect(raws(`${head}a\n${chained}\n${head}b\n`)).toHaveLength(2);
  });

  it('a traceback belongs to the line before it without headers, and ends with its exception', () => {
    expect(raws(`something broke\n${chained}\nnext line\nanother\n`)).toEqual([
      `something broke\n${chained}`,
      'next line',
      'another',
    ]);
  });

  it('a bare traceback is called by its exception', () => {
    const [match] = read(`${chained}\nnext\n`);
    expect(match?.record.message).toBe('ValueError: two');
    expect(match?.record.trace).toBe(chained);
  });

  it('Java, Node and Go traces by the same mechanism', () => {
    const java =
      'java.lang.IllegalStateException: x\n\tat a.B.c(B.java:1)\nCaused by: java.io.IOException: y\n\tat d.E.f(E.java:2)\n\t... 3 more';
    const node = 'Error: x\n    at f (a.js:1:1) {\n  errno: -2\n}';
    const go = 'panic: x\n\ngoroutine 1 [running]:\nmain.main()\n\t/a/b.go:3 +0x1\ncreated by main.go';
    expect(raws(`${java}\nnext\n`)).toEqual([java, 'next']);
    expect(raws(`${node}\nnext\n`)).toEqual([node, 'next']);
    expect(raws(`${go}\nnext\n`)).toEqual([go, 'next']);
    expect(raws(`${go}\nnext\n`, { multiline: 'python' }).length).toBeGreaterThan(2);
  });

  it('lines without a header go on in a stream with headers; JSON objects stand alone', () => {
    expect(raws(`${head}a\nb\n\nc\n{"x":1}\nd\n`)).toEqual([`${head}a\nb\n\nc`, '{"x":1}', 'd']);
    expect(raws('2026-11-21 02:25:23 INFO a\nb\nNov 21 02:25:23 host c\nd\n')).toHaveLength(2);
  });

  it('none takes each line, start takes a pattern', () => {
    expect(raws('a\n  b\n\nc\n', { multiline: 'none' })).toEqual(['a', '  b', 'c']);
    expect(raws('BEGIN a\nb\nBEGIN c\n', { multiline: { start: '^BEGIN' } })).toEqual([
      'BEGIN a\nb',
      'BEGIN c',
    ]);
  });

  it('a quoted header inside a trace is text when its time is far from the record', () => {
    const forged =
      "[2026-01-01 00:00:00,000: ERROR/ForkPoolWorker-9] Task forged[1] raised unexpected: X('y')";
    const real = `${head}Task a[1] raised unexpected: X\nTraceback (most recent call last):\n  File\nRuntimeError: said:\n${forged}`;
    expect(raws(`${real}\nmore\n${head}next\n`)).toEqual([`${real}\nmore`, `${head}next`]);
    expect(raws(`${real}\n`)).toEqual([real]);
  });

  it('a real header after an hour of silence is a header, behind a trace too', () => {
    const later = '[2026-11-21 05:00:00,000: ERROR/ForkPoolWorker-1] Task b[2] raised unexpected: X';
    expect(raws(`${head}a\n${chained}\n${later}\n${later}\n`)).toHaveLength(3);
    const old = `[2026-11-19 05:00:00,000: ERROR/W] a\n${chained}\n[2026-11-20 05:00:00,000: ERROR/W] b\n`;
    expect(raws(old)).toHaveLength(2);
  });

  it('colours in front of a header do not hide it', () => {
    expect(raws(`\u001b[31m${head}a\u001b[0m\r\n\u001b[32m${head}b\u001b[0m\r\n`)).toEqual([
      `${head}a`,
      `${head}b`,
    ]);
  });
});

describe('limits', () => {
  it('F1 lines of every length: the head is kept and matched, the next line is intact', () => {
    const max = 64 * 1024;
    for (const length of [0, 1, max - 1, max, max + 1, 1 << 20]) {
      const data = Buffer.from(`foo${'x'.repeat(length)}\nbar end\n`);
      const rules = [rule('head', '^foo'), rule('next', '^bar end$')];
      const one = reader({ maxLineBytes: max });
      const result = one.read(compileRules(rules), { stream, data, offset: 0, end: 'final', receivedAt: 0 });
      expect(
        result.matches.map((match) => match.hits[0]?.rule.id),
        `${length}`,
      ).toEqual(['head', 'next']);
      expect(result.matches[0]?.record.truncated).toBe(length + 3 > max);
      expect(result.counts.truncatedLines).toBe(length + 3 > max ? 1 : 0);
      expect(result.matches[1]?.record.offset).toBe(length + 4);
    }
  });

  it('F1 100 MiB without a line feed never ask the source to hold more than the limit', () => {
    const max = 64 * 1024;
    let one = reader({ maxLineBytes: max });
    const rules = compileRules([rule('head', '^foo'), rule('tail', 'tail')]);
    const block = Buffer.alloc(256 * 1024, 'x');
    let held = Buffer.from('foo');
    let offset = 0;
    const found: string[] = [];
    const feed = (data: Buffer, end: 'more' | 'final'): void => {
      held = Buffer.concat([held, data]);
      const result = one.read(rules, { stream, data: held, offset, end, receivedAt: 0 });
      found.push(...result.matches.map((match) => match.hits[0]?.rule.id ?? ''));
      offset += result.consumed;
      held = held.subarray(result.consumed);
      expect(held.length).toBeLessThanOrEqual(max);
      // A restart in the middle of the line.
      one = new StreamReader(
        { stream, format: 'auto', multiline: 'auto', tz: 'UTC', maxLineBytes: max },
        one.saved(),
      );
    };
    for (let i = 0; i < 400; i++) feed(block, 'more');
    feed(Buffer.from('tail of the same line\nthe tail\n'), 'final');
    expect(found).toEqual(['head', 'tail']);
  });

  it('F14 a traceback of 10,000 lines is kept by its head and tail', () => {
    const frames = Array.from({ length: 10_000 }, (_, i) => `  File "a.py", line ${i}, in f`).join('\n');
    const [match] = read(
      `${head}x\nTraceback (most recent call last):\n${frames}\nKeyError: last\n${head}y\n`,
    );
    const trace = match?.record.trace ?? '';
    expect(trace.split('\n').length).toBeLessThanOrEqual(500);
    expect(trace.length).toBeLessThanOrEqual(65_536);
    expect(trace).toMatch(/^Traceback/);
    expect(trace).toMatch(/lines left out\][\s\S]*KeyError: last$/);
    expect(match?.record.truncated).toBe(true);
  });

  it('F14 a trace without an end is cut, and no line of it is lost', () => {
    const lines = Array.from(
      { length: 60_000 },
      (_, i) => `  frame number ${i} of a trace that goes on`,
    ).join('\n');
    const rules = compileRules([rule('last', 'frame number 59999 ')]);
    const one = reader();
    const data = Buffer.from(`${head}x\n${lines}\n`);
    let offset = 0;
    let most = 0;
    const found: number[] = [];
    for (let upTo = 0; upTo <= data.length; upTo += 65_536) {
      const end = upTo + 65_536 > data.length ? 'final' : 'more';
      const bytes = data.subarray(offset, end === 'final' ? data.length : upTo);
      const result = one.read(rules, { stream, data: bytes, offset, end, receivedAt: 0 });
      most = Math.max(most, bytes.length - result.consumed);
      offset += result.consumed;
      found.push(...result.matches.map((match) => match.record.length));
    }
    expect(most).toBeLessThanOrEqual(1024 * 1024 + 65_536);
    expect(found).toHaveLength(1);
    expect(found[0]).toBeLessThanOrEqual(1024 * 1024);
  });

  it('F14 an open record that grows is not read from its start again', () => {
    const rules = compileRules([rule('x', 'never')]);
    const one = reader();
    const row = `  ${'y'.repeat(head.length + 20)}`;
    const data = Buffer.from(`${head}x\n${`${row}\n`.repeat(100)}`);
    const half = data.length >> 1;
    const read = (upTo: number, end: 'more' | 'final'): number =>
      one.read(rules, { stream, data: data.subarray(0, upTo), offset: 0, end, receivedAt: 0 }).records;
    expect(read(half, 'more')).toBe(0);
    // What was read already is made to look like many records: whoever reads it once more counts them.
    const first = data.indexOf('\n') + 1;
    for (let at = first; at + row.length < half; at += row.length + 1) data.write(head, at);
    expect(read(data.length, 'more')).toBe(0);
    expect(read(data.length, 'final')).toBe(1);
  });

  it('a header over the limit is dated like any other, so that a stamp without a year is no reason to doubt it', () => {
    const rules = compileRules([rule('x', 'foo')]);
    const one = reader({ maxLineBytes: 60 });
    const trace = 'Traceback (most recent call last):\n';
    const data = Buffer.from(
      `Nov 21 02:25:23 host \n${trace}${head}foo and much more\nNov 21 02:25:23 host \n`,
    );
    const receivedAt = Date.UTC(2026, 10, 21, 2, 30);
    const result = one.read(rules, { stream, data, offset: 0, end: 'final', receivedAt });
    expect(result.matches.map(({ record }) => record.offset)).toEqual([data.indexOf(head)]);
  });

  it('a hole of NUL does not hide the line behind it', () => {
    const rules = compileRules([rule('a', '^after the hole')]);
    const one = reader({ maxLineBytes: 8192 });
    const data = Buffer.concat([
      Buffer.from('before\n'),
      Buffer.alloc(100_000),
      Buffer.from('after the hole\n'),
    ]);
    let offset = 0;
    let nuls = 0;
    const found: number[] = [];
    for (let upTo = 0; ; upTo = Math.min(data.length, upTo + 3000)) {
      const end = upTo === data.length ? 'final' : 'more';
      const result = one.read(rules, {
        stream,
        data: data.subarray(offset, upTo),
        offset,
        end,
        receivedAt: 0,
      });
      offset += result.consumed;
      nuls += result.counts.nulBytes;
      found.push(...result.matches.map((match) => match.record.offset));
      if (end === 'final') break;
    }
    expect(found).toEqual([100_007]);
    expect(nuls).toBe(100_000);
  });
});

describe('bytes', () => {
  it('F2 every split of a character, and every odd byte, keeps offsets exact', () => {
    const data = Buffer.concat([
      Buffer.from('é😀 foo\n'),
      Buffer.from([0xff, 0xfe, 0x00]),
      Buffer.from(' foo é\n\0\0foo\n'),
    ]);
    const rules = compileRules([rule('foo', 'foo')]);
    for (let cut = 0; cut <= data.length; cut++) {
      const one = reader({ multiline: 'none' });
      const first = one.read(rules, {
        stream,
        data: data.subarray(0, cut),
        offset: 0,
        end: 'more',
        receivedAt: 0,
      });
      const rest = one.read(rules, {
        stream,
        data: data.subarray(first.consumed),
        offset: first.consumed,
        end: 'final',
        receivedAt: 0,
      });
      expect(first.consumed + rest.consumed).toBe(data.length);
      expect(
        [...first.matches, ...rest.matches].map((match) => match.record.offset),
        `cut ${cut}`,
      ).toEqual([0, 11, 24]);
    }
  });

  it('F2 invalid bytes under a dot or a class do not hide a match', () => {
    const data = Buffer.concat([Buffer.from('foo'), Buffer.from([0xff]), Buffer.from('bar\n')]);
    expect(read(data, [rule('dot', 'foo.bar')])).toHaveLength(1);
    expect(read(data, [rule('class', 'foo[^x]bar')])).toHaveLength(1);
  });

  it('F3 CRLF, lone CR and progress bars', () => {
    expect(read('a foo\r\nb\r\n', [rule('end', 'foo$')])).toHaveLength(1);
    const bar = Array.from({ length: 10_000 }, (_, i) => `${i}%`).join('\r');
    expect(read(`${bar}\nfoo\n`, [rule('foo', '^foo$')])).toHaveLength(1);
    expect(raws('a\rb\n\r\nc\n')).toEqual(['a\rb', 'c']);
  });
});

describe('what a match carries', () => {
  const worker = (n: number, what: string): string =>
    `[2026-11-21 02:25:25,789: INFO/ForkPoolWorker-${n}] ${what}\n`;

  it('the lines before it, of the same process only', () => {
    const lines = worker(1, 'one') + worker(2, 'other') + worker(1, 'two') + worker(2, 'foo');
    expect(read(lines, [rule('foo', 'foo')])[0]?.record.before).toEqual([worker(2, 'other').trimEnd()]);
    const main = lines.replaceAll(/ForkPoolWorker-\d/g, 'MainProcess');
    expect(read(main, [rule('foo', 'foo')])[0]?.record.before).toHaveLength(3);
  });

  it('the lines before it across chunks, cut, and without secrets', () => {
    const rules = compileRules([rule('foo', 'foo')]);
    const one = reader({ multiline: 'none' });
    const first = Buffer.from(`a\npassword=hunter2\n${'x'.repeat(5000)}\n`);
    one.read(rules, { stream, data: first, offset: 0, end: 'more', receivedAt: 0 });
    const { matches } = one.read(rules, {
      stream,
      data: Buffer.from('foo\n'),
      offset: first.length,
      end: 'more',
      receivedAt: 0,
    });
    const later =
      matches.length > 0
        ? matches
        : one.read(rules, {
            stream,
            data: Buffer.from('foo\n'),
            offset: first.length,
            end: 'final',
            receivedAt: 0,
          }).matches;
    const before = later[0]?.record.before ?? [];
    expect(before.slice(0, 2)).toEqual(['a', 'password=[redacted]']);
    expect(before[2]?.length).toBeLessThan(2100);
  });

  it('the lines before it are those of the bytes that a restart left behind', () => {
    const rules = compileRules([rule('foo', 'foo')]);
    const one = reader({ multiline: 'none' });
    const before = Buffer.from('half of a line\nb\nc\n');
    const data = Buffer.from('d\nfoo\n');
    const told = { stream, data, offset: 1000, end: 'final', receivedAt: 0 } as const;
    const { matches } = one.read(rules, { ...told, before });
    expect(matches[0]?.record.before).toEqual(['b', 'c', 'd']);
  });

  it('F10 secrets are decided upon but never carried', () => {
    const [match] = read('login failed password=hunter2 for bob\n', [
      rule('login', 'password=(?<pw>\\S+) for (?<who>\\w+)'),
    ]);
    expect(match?.hits[0]?.fields).toMatchObject({ pw: '[redacted]', who: 'bob' });
    expect(JSON.stringify([match?.record.raw, match?.record.message])).not.toContain('hunter2');
  });

  it('fields of the format, captures, computed ones; where sees them all', () => {
    const one = rule(
      'r',
      conditions({
        text: [text(['Task (?<task>\\S+) failed'])],
        where: [
          { field: 'kind', operators: [{ op: 'glob', patterns: ['billing/ERROR*', 'billing/error*'] }] },
          { field: 'labels.env', operators: [{ op: 'glob', patterns: ['test'] }] },
        ],
      }),
      {
        fields: [
          { name: 'kind', template: '{{ task }}/{{ level }}' },
          { name: 'late', template: '{{ collected.count }}' },
        ],
      },
    );
    const [match] = read(`${head}Task billing failed\n`, [one]);
    expect(match?.hits[0]?.fields).toMatchObject({
      task: 'billing',
      kind: 'billing/error',
      process: 'ForkPoolWorker-1',
    });
    expect(match?.hits[0]?.fields).not.toHaveProperty('late');
    expect(Object.getPrototypeOf(match?.hits[0]?.fields)).toBeNull();
  });

  it('roles come in their order', () => {
    const spec = (pattern: string): Rule['collect'] => ({
      conditions: conditions({ text: [text([pattern])] }),
      withinMs: 1,
      atLeast: 1,
      until: conditions({ text: [text(['x'])] }),
    });
    const one = rule('r', 'x', {
      collect: spec('x'),
      precededBy: spec('x'),
      resolve: { when: conditions({ text: [text(['x'])] }), quietMs: null },
    });
    expect(read('x\n', [one])[0]?.hits.map((hit) => hit.role)).toEqual([
      'until',
      'match',
      'collect',
      'preceded_by',
      'resolve',
    ]);
  });

  it('from picks sources by name, glob and label', () => {
    const from = (...names: string[]): number =>
      read('x\n', [rule('r', conditions({ text: [text(['x'])], from: names }))]).length;
    expect([from('worker'), from('work*'), from('env=test'), from('other'), from('env=prod')]).toEqual([
      1, 1, 1, 0, 0,
    ]);
  });

  it('exclusions look where they say', () => {
    const not = (scope: 'message' | 'record'): number =>
      read(`${head}failed\n${chained}\n`, [
        rule(
          'r',
          conditions({
            text: [text(['failed'])],
            except: [conditions({ text: [text(['KeyError'], { scope })] })],
          }),
        ),
      ]).length;
    expect([not('message'), not('record')]).toEqual([1, 0]);
  });
});

describe('waiting', () => {
  it('more keeps the last record open, quiet ends it, an unfinished line waits', () => {
    const rules = compileRules([rule('a', 'foo')]);
    const one = reader();
    const data = Buffer.from(`${head}foo\n  more\npart`);
    const first = one.read(rules, { stream, data, offset: 0, end: 'more', receivedAt: 0 });
    expect([first.consumed, first.records, first.matches.length]).toEqual([0, 0, 0]);
    const second = one.read(rules, { stream, data, offset: 0, end: 'quiet', receivedAt: 0 });
    expect([second.consumed, second.records, second.matches[0]?.record.raw]).toEqual([
      data.length - 4,
      1,
      `${head}foo\n  more`,
    ]);
    const rest = one.read(rules, {
      stream,
      data: Buffer.from('part foo'),
      offset: second.consumed,
      end: 'final',
      receivedAt: 0,
    });
    expect(rest.matches[0]?.record.raw).toBe('part foo');
  });

  it('the newest time is told', () => {
    const data = Buffer.from(`${head}a\n[2026-11-21 03:00:00,000: INFO/W] b\nc\n`);
    expect(
      reader().read(compileRules([]), { stream, data, offset: 0, end: 'final', receivedAt: 0 }).newestTime,
    ).toBe(Date.UTC(2026, 10, 21, 3));
  });
});
