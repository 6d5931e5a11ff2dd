import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileRules } from '../../src/match/compile.ts';
import { StreamReader } from '../../src/match/reader.ts';
import { compilePattern } from '../../src/match/regex.ts';
import type { Conditions, Rule } from '../../src/model/rule.ts';
import { conditions, rule, stream, text } from './make-rule.ts';
import { type NaiveHit, naiveHits, naiveRecords, type Step } from './naive-oracle.ts';

const arrival = Date.UTC(2026, 10, 21, 2, 30);
const words = [
  'foo',
  'bar',
  'Task',
  'raised',
  'ERROR',
  'x',
  'a.b',
  'é',
  '€',
  'wörld',
  '12',
  '[',
  ']',
  '"',
  '😀',
];

const word = fc.constantFrom(...words);
const atom: fc.Arbitrary<string> = fc.oneof(
  { weight: 6, arbitrary: word.map((one) => one.replace(/[.[\]]/g, '\\$&')) },
  {
    weight: 4,
    arbitrary: fc.constantFrom(
      '.',
      '\\s',
      '\\S',
      '\\w',
      '\\d',
      '[^x]',
      '[a-f]',
      '[^\\]]',
      '\\W',
      '(?s:.)',
      '\\D',
      '\\n',
      ' ',
    ),
  },
  { weight: 3, arbitrary: fc.constantFrom('^', '$', '\\A', '\\z', '\\b', '\\B') },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      '\\Qa.b[\\E',
      '\\x{e9}',
      '[[:alpha:]]',
      '\\pL',
      '\\t',
      '\\x41',
      '(?i)',
      '(?-m)',
      '(?U)',
      '\\]',
      '\\.',
    ),
  },
);
const pattern: fc.Arbitrary<string> = fc.letrec<{ seq: string; item: string }>((tie) => ({
  seq: fc.array(tie('item'), { minLength: 1, maxLength: 5 }).map((parts) => parts.join('')),
  item: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    { weight: 6, arbitrary: atom },
    {
      weight: 2,
      arbitrary: fc
        .tuple(atom, fc.constantFrom('*', '+', '?', '{2}', '{1,3}', '*?', '+?', '{2,}', '{0,12}'))
        .filter(([one]) => !/^(?:[\^$]|\\[AzbBQ]|\(\?[imsU-]+\))/.test(one))
        .map(([one, times]) =>
          one.length > 1 && !/^(?:\\.|\[.*\]|\(\?s:\.\))$/s.test(one) ? `(?:${one})${times}` : one + times,
        ),
    },
    { weight: 1, arbitrary: fc.tuple(tie('seq'), tie('seq')).map(([a, b]) => `(?:${a}|${b})`) },
    {
      weight: 1,
      arbitrary: fc.tuple(tie('seq'), fc.constantFrom('', '?', '*')).map(([a, times]) => `(?:${a})${times}`),
    },
    { weight: 1, arbitrary: tie('seq').map((a) => `(?i:${a})`) },
  ),
})).seq;
const valid = fc
  .tuple(
    fc.oneof(
      pattern,
      fc.tuple(pattern, pattern).map(([a, b]) => `${a}(?<one>${b})`),
      fc.tuple(pattern, pattern).map(([a, b]) => `${a}|${b}`),
    ),
  )
  .map(([one]) => one)
  .filter((one) => compilePattern(one).ok);

const test = fc.oneof(
  { weight: 4, arbitrary: valid },
  { weight: 1, arbitrary: word.map((literal) => ({ literal })) },
);
const textCondition = fc
  .tuple(
    fc.array(test, { minLength: 1, maxLength: 3 }),
    fc.constantFrom('any' as const, 'all' as const),
    fc.constantFrom('record' as const, 'record' as const, 'message' as const, 'trace' as const),
  )
  .map(([tests, mode, scope]) => text(tests, { mode, scope }));
const glob = fc
  .tuple(
    fc.constantFrom('raw', 'message', 'trace'),
    fc.array(fc.constantFrom('*', ...words), { minLength: 1, maxLength: 4 }),
  )
  .map(([field, parts]) => ({ field, operators: [{ op: 'glob' as const, patterns: [parts.join('')] }] }));
const conditionsOf: fc.Arbitrary<Conditions> = fc
  .tuple(
    fc.array(textCondition, { minLength: 0, maxLength: 2 }),
    fc.array(glob, { minLength: 0, maxLength: 1 }),
    fc.array(textCondition, { minLength: 0, maxLength: 1 }),
  )
  .filter(([texts, globs]) => texts.length + globs.length > 0)
  .map(([texts, where, except]) =>
    conditions({ text: texts, where, except: except.map((one) => conditions({ text: [one] })) }),
  );
const ruleSet: fc.Arbitrary<Rule[]> = fc
  .tuple(fc.array(conditionsOf, { minLength: 1, maxLength: 9 }), fc.constantFrom(0, 0, 0, 120))
  .map(([some, padding]) => [
    ...some.map((one, index) => rule(`r${index}`, one)),
    ...Array.from({ length: padding }, (_, index) => rule(`p${index}`, `never seen ${index} at all`)),
  ]);

const odd = fc.constantFrom(
  Buffer.from([0xff]),
  Buffer.from([0xe2, 0x82]),
  Buffer.from([0xc3]),
  Buffer.from([0xf0, 0x9f, 0x98]),
  Buffer.from([0xed, 0xa0, 0x80]),
  Buffer.from('\u001b[31m'),
  Buffer.from('\u001b[0m'),
  Buffer.from('\u001b]8;;http://x\u0007'),
  Buffer.from('\u001b'),
  Buffer.from('\r'),
  Buffer.from('\0'),
  Buffer.from('\0\0\0'),
  Buffer.from('\ufeff'),
  Buffer.from('\r\n\r\n'),
);
const heads = fc.constantFrom(
  '',
  '',
  '[2026-11-21 02:25:23,287: INFO/MainProcess] ',
  '[2026-11-21 02:25:23,287: ERROR/ForkPoolWorker-1] ',
  '[2026-11-21 02:25:23,287: ERROR/ForkPoolWorker-1]',
  '2026-11-21T02:25:23.287Z ',
  '2026-11-21 02:25:23,287 ERROR ',
  'Nov 21 02:25:23 host ',
  '  ',
  '\t',
  'Traceback (most recent call last):',
  'During handling of the above exception',
  'Caused by: ',
  '... 3 more',
  'goroutine 1 [running]:',
  '{"a": 1}',
  '}',
  '{',
);
const line: fc.Arbitrary<Buffer> = fc
  .tuple(
    heads,
    fc.array(
      fc.oneof({ weight: 12, arbitrary: word.map((one) => Buffer.from(one)) }, { weight: 1, arbitrary: odd }),
      { maxLength: 8 },
    ),
    fc.constantFrom(' ', ' ', ''),
    fc.constantFrom('\n', '\n', '\n', '\n', '\r\n', '\n\n'),
    fc.oneof({ weight: 12, arbitrary: fc.constant(Buffer.alloc(0)) }, { weight: 1, arbitrary: odd }),
  )
  .map(([head, parts, gap, end, before]) =>
    Buffer.concat([
      before,
      Buffer.from(head),
      ...parts.flatMap((part) => [part, Buffer.from(gap)]),
      Buffer.from(end),
    ]),
  );
const textOf = fc
  .tuple(fc.array(line, { maxLength: 24 }), fc.boolean(), fc.boolean(), fc.constantFrom(1, 1, 1, 40))
  .map(([lines, unfinished, mark, times]) => {
    const body = Buffer.concat(Array.from({ length: times }, () => lines).flat());
    const whole = unfinished && body.length > 0 ? body.subarray(0, -1) : body;
    return mark ? Buffer.concat([Buffer.from('\ufeff'), whole]) : whole;
  });
const cuts = fc.array(
  fc.tuple(
    fc.double({ min: 0, max: 1, noNaN: true }),
    fc.constantFrom('more' as const, 'more' as const, 'quiet' as const),
  ),
  { maxLength: 12 },
);

/** Feeds the bytes in steps, as a source would: what was not consumed is presented again. */
function play(
  rules: readonly Rule[],
  data: Buffer,
  steps: readonly Step[],
  options: { multiline: 'auto' | 'none'; format: 'auto' | 'plain'; maxLineBytes: number; restart: boolean },
): { hits: NaiveHit[]; records: number } {
  const compiled = compileRules(rules);
  const make = (saved: ReturnType<StreamReader['saved']> | null): StreamReader =>
    new StreamReader({ stream, tz: 'UTC', ...options }, saved);
  let reader = make(null);
  let offset = 0;
  let records = 0;
  const hits: NaiveHit[] = [];
  for (const step of steps) {
    const bytes = Buffer.from(data.subarray(offset, step.upTo));
    const read = reader.read(compiled, { stream, data: bytes, offset, end: step.end, receivedAt: arrival });
    expect(read.consumed).toBeLessThanOrEqual(bytes.length);
    if (step.end === 'final') expect(read.consumed).toBe(bytes.length);
    for (const match of read.matches) {
      for (const hit of match.hits) {
        const captures: Record<string, string> = {};
        for (const name of ['one'])
          if (typeof hit.fields[name] === 'string') captures[name] = hit.fields[name] as string;
        hits.push({ offset: match.record.offset, rule: hit.rule.id, captures });
      }
    }
    bytes.fill(0x21);
    offset += read.consumed;
    records += read.records;
    if (options.restart) reader = make(JSON.parse(JSON.stringify(reader.saved())));
  }
  return { hits, records };
}

describe('the reader and a naive oracle', () => {
  it('agree on random rules, texts and borders of chunks', () => {
    fc.assert(
      fc.property(
        ruleSet,
        textOf,
        cuts,
        fc.constantFrom('auto' as const, 'auto' as const, 'none' as const),
        fc.constantFrom('auto' as const, 'plain' as const),
        fc.constantFrom(100_000, 100_000, 100_000, 60, 25),
        (rules, data, places, multiline, format, maxLineBytes) => {
          const steps: Step[] = places
            .map(([place, end]) => ({ upTo: Math.floor(place * data.length), end }))
            .sort((a, b) => a.upTo - b.upTo);
          steps.push({ upTo: data.length, end: 'final' });
          const records = naiveRecords(data, steps, { multiline, maxLineBytes });
          const wanted = naiveHits(records, rules, format);
          const got = play(rules, data, steps, { multiline, format, maxLineBytes, restart: false });
          expect(got.hits).toEqual(wanted);
          expect(got.records).toBe(records.length);
        },
      ),
      { numRuns: Number(process.env['PROPERTY_RUNS'] ?? 400) },
    );
  }, 600_000);

  it('agree when the reader is made anew at every step', () => {
    fc.assert(
      fc.property(
        ruleSet,
        textOf,
        cuts,
        fc.constantFrom(100_000, 60, 25),
        (rules, data, places, maxLineBytes) => {
          const steps: Step[] = places
            .map(([place]) => ({ upTo: Math.floor(place * data.length), end: 'more' as const }))
            .sort((a, b) => a.upTo - b.upTo);
          steps.push({ upTo: data.length, end: 'final' as const } as never);
          const records = naiveRecords(data, steps, { multiline: 'auto', maxLineBytes });
          const got = play(rules, data, steps, {
            multiline: 'auto',
            format: 'auto',
            maxLineBytes,
            restart: true,
          });
          expect(got.hits).toEqual(naiveHits(records, rules, 'auto'));
        },
      ),
      { numRuns: Number(process.env['PROPERTY_RUNS'] ?? 400) / 4 },
    );
  }, 600_000);
});
