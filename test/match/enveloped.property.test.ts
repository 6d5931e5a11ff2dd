import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RecordMatch } from '../../src/model/match.ts';
import { conditions, rule, text } from './make-rule.ts';
import { play, shownOf, wraps } from './wrapped-streams.ts';

const head = '[2026-11-21 02:25:25,789: ERROR/ForkPoolWorker-1] ';
const twoLines = [`${head}two lines`, 'without any header', '', 'and a blank one'];
const blocks: readonly (readonly string[])[] = [
  ['plain words, nothing else'],
  [
    `${head}Task a.b[1] raised unexpected: KeyError(1)`,
    'Traceback (most recent call last):',
    '  File "a.py", line 1, in f',
    '    boom()',
    'KeyError: 1',
  ],
  ['Traceback (most recent call last):', '  File "b.py", line 2, in g', 'ValueError: zwölf "quoted" \\ back'],
  twoLines,
  [
    JSON.stringify({
      time: '2026-11-21T02:28:13Z',
      level: 'error',
      msg: 'Task "é" raised',
      exc_info: 'Traceback (most recent call last):\n  File "x"\nKeyError: 3',
    }),
  ],
  [JSON.stringify({ message: 'no level, no time' })],
  ['level=error ts=2026-11-21T02:28:13Z msg="could not \\"reach\\" db" attempt=3'],
  [
    'java.lang.IllegalStateException: x',
    '\tat a.B.c(B.java:1)',
    'Caused by: java.io.IOException',
    '\t... 3 more',
  ],
  ['{"broken": '],
  ['\u001b[31mred\u001b[0m text raised'],
  [''],
];
const rules = [
  rule('every', conditions({})),
  rule('raised', 'raised(?<rest>.*)'),
  rule('start', '^Task (?<what>\\S+)'),
  rule('trace', conditions({ text: [text(['KeyError: (?<number>\\d)'], { scope: 'trace' })] })),
  rule('quoted', conditions({ text: [text([{ literal: '"reach"' }], { scope: 'message' })] })),
];

const producer = fc.array(fc.constantFrom(...blocks), { minLength: 1, maxLength: 6 });

/** Lines of two producers in a random order that keeps each one's own. */
const interleaved = fc.tuple(producer, producer, fc.infiniteStream(fc.boolean())).map(([out, err, turns]) => {
  const queues = { stdout: out.flat(), stderr: err.flat() };
  const lines: { lane: 'stdout' | 'stderr'; line: string }[] = [];
  for (const turn of turns) {
    const first = turn ? 'stdout' : 'stderr';
    const lane = queues[first].length > 0 ? first : first === 'stdout' ? 'stderr' : 'stdout';
    const line = queues[lane].shift();
    if (line === undefined) break;
    lines.push({ lane, line });
  }
  return lines;
});

const runs = Number(process.env['PROPERTY_RUNS'] ?? 60);

describe.each(Object.entries(wraps))('a stream in the envelope %s', (format, wrap) => {
  const bytesOf = (lines: readonly { lane: 'stdout' | 'stderr'; line: string }[], odd: string): Buffer =>
    Buffer.from(
      lines.map(({ lane, line }, index) => wrap(line, lane, index) + (index === 3 ? odd : '')).join(''),
    );

  it('gives the same records whole, byte by byte, cut at random, and killed at random', () => {
    fc.assert(
      fc.property(
        interleaved,
        fc.constantFrom('', '', 'no envelope at all\n', '\n', '\0\0\0'),
        fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 12 }),
        fc.array(fc.boolean(), { minLength: 12, maxLength: 12 }),
        fc.constantFrom(100_000, 100_000, 90),
        (lines, odd, places, killed, maxLineBytes) => {
          const data = bytesOf(lines, odd);
          const declared = { format: format as 'docker', maxLineBytes };
          const whole = play(rules, data, declared);
          const wanted = whole.matches.map(shownOf);
          const bytes = Array.from({ length: data.length - 1 }, (_, index) => index + 1);
          const slowly = play(rules, data, { ...declared, cuts: bytes });
          expect(slowly.matches.map(shownOf)).toEqual(wanted);
          expect(slowly.records).toBe(whole.records);
          expect(slowly.counts.unparsed).toBe(whole.counts.unparsed);
          const cuts = [...new Set(places.map((place) => Math.floor(place * (data.length - 1))))].sort(
            (a, b) => a - b,
          );
          expect(play(rules, data, { ...declared, cuts }).matches.map(shownOf)).toEqual(wanted);
          const kills = new Set(cuts.filter((_, index) => killed[index]));
          expect(play(rules, data, { ...declared, cuts, kills }).matches.map(shownOf)).toEqual(wanted);
          expect(
            play(rules, data, { ...declared, cuts: bytes, kills: new Set(bytes) }).matches.map(shownOf),
          ).toEqual(wanted);
        },
      ),
      { numRuns: runs },
    );
  }, 300_000);

  it('gives what is wanted of a long stream as if every line of it were read', () => {
    const quietRules = rules.slice(1);
    const wantedOf = (matches: RecordMatch[]): unknown[] =>
      matches
        .map(({ record, hits }) => ({ record, hits: hits.filter(({ rule }) => rule.id !== 'every') }))
        .filter(({ hits }) => hits.length > 0)
        .map((match) => [shownOf(match), match.record.before]);
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat({ max: 300 }), fc.constantFrom(...blocks), fc.boolean()), {
          minLength: 1,
          maxLength: 12,
        }),
        fc.constantFrom(`${head}nothing of note`, 'plain words, nothing else', `${head}x\n  more of it`),
        fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 6 }),
        fc.array(fc.boolean(), { minLength: 6, maxLength: 6 }),
        (parts, filling, places, killed) => {
          const lines = parts.flatMap(([quiet, block, first]) => {
            const lane = first ? ('stdout' as const) : ('stderr' as const);
            const other = first ? ('stderr' as const) : ('stdout' as const);
            const between = Array.from({ length: quiet }, (_, index) => index);
            return [
              ...between.flatMap((index) =>
                filling.split('\n').map((line) => ({ lane: index % 3 === 0 ? lane : other, line })),
              ),
              ...block.map((line) => ({ lane, line })),
            ];
          });
          const data = bytesOf(lines, '');
          const declared = { format: format as 'docker' };
          const wanted = wantedOf(play(rules, data, declared).matches);
          expect(wantedOf(play(quietRules, data, declared).matches)).toEqual(wanted);
          const cuts = [...new Set(places.map((place) => Math.floor(place * (data.length - 1))))].sort(
            (a, b) => a - b,
          );
          expect(wantedOf(play(quietRules, data, { ...declared, cuts }).matches)).toEqual(wanted);
          const kills = new Set(cuts.filter((_, index) => killed[index]));
          const again = play(quietRules, data, { ...declared, cuts, kills });
          expect(wantedOf(again.matches).map((one) => (one as unknown[])[0])).toEqual(
            wanted.map((one) => (one as unknown[])[0]),
          );
        },
      ),
      {
        numRuns: runs,
        // The header that tells whose the lines before a record are stands further back than a few lines.
        examples: [
          [
            [
              [0, twoLines, false],
              [13, twoLines, false],
              [178, ['\u001b[31mred\u001b[0m text raised'], false],
            ],
            'plain words, nothing else',
            [],
            [false, false, false, false, false, false],
          ],
        ],
      },
    );
  }, 300_000);

  // Raw lines of a syslog file say not whose they are.
  it.skipIf(format === 'syslog')(
    'gives each producer what its lines give alone',
    () => {
      fc.assert(
        fc.property(interleaved, (lines) => {
          const both = play(rules, bytesOf(lines, ''), { format: format as 'docker' });
          const texts = (matches: typeof both.matches): unknown[] =>
            matches.map(({ record }) => [record.message, record.trace]);
          const alone = (['stdout', 'stderr'] as const).flatMap((lane) =>
            texts(
              play(
                rules,
                bytesOf(
                  lines.filter((one) => one.lane === lane),
                  '',
                ),
                { format: format as 'docker' },
              ).matches,
            ),
          );
          const sorted = (list: unknown[]): string[] => list.map((one) => JSON.stringify(one)).sort();
          expect(sorted(texts(both.matches))).toEqual(sorted(alone));
        }),
        { numRuns: runs },
      );
    },
    300_000,
  );
});
