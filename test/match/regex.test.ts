import fc from 'fast-check';
import RE2 from 're2';
import { describe, expect, it } from 'vitest';
import { compileRules } from '../../src/match/compile.ts';
import { fastCaptures } from '../../src/match/js-captures.ts';
import { StreamReader } from '../../src/match/reader.ts';
import { compilePattern, matchesEverything } from '../../src/match/regex.ts';
import { rule, stream } from './make-rule.ts';

function refused(text: string): { message: string; hint: string | null } {
  const result = compilePattern(text);
  if (result.ok) throw new Error(`${text} should be refused`);
  return result;
}

function groupsOf(pattern: string, text: string): Record<string, unknown> | null {
  const compiled = compilePattern(pattern);
  if (!compiled.ok) throw new Error(compiled.message);
  const into: Record<string, unknown> = {};
  return compiled.pattern.capture(text, Buffer.from(text), into) ? into : null;
}

describe('patterns', () => {
  it('take groups in both spellings and tell their names', () => {
    const compiled = compilePattern('(?P<a>x)(?<b>y)?');
    expect(compiled.ok && compiled.pattern.groups).toEqual(['a', 'b']);
    expect(compiled.ok && compiled.pattern.exec('zx')).toMatchObject({
      index: 1,
      end: 2,
      groups: { a: 'x', b: undefined },
    });
  });

  it('have ^ and $ at the borders of lines', () => {
    const compiled = compilePattern('^b$');
    expect(compiled.ok && compiled.pattern.test('a\nb\nc')).toBe(true);
  });

  it.each([
    ['(?!Retry)', 'negative look-around', 'except'],
    ['(?<!a)b', 'negative look-around', 'except'],
    ['(?=a)b', 'look-around', '(?<name>'],
    ['(?<=a)b', 'look-around', '(?<name>'],
    ['(a)\\1', 'back-references', 'where'],
    ['(?<a>x)\\k<a>', 'back-references', 'where'],
    ['(?>a)', 'atomic', '(?:'],
    ['a++', 'possessive', '+'],
    ['a\\Z', '\\Z', '\\z'],
  ])('explain what RE2 lacks: %s', (pattern, what, hint) => {
    const problem = refused(pattern);
    expect(problem.message).toContain(what);
    expect(problem.hint).toContain(hint);
    expect(problem.message).not.toContain('(?m)');
  });

  it('say what is wrong with brackets, counts and sizes', () => {
    expect(refused('(a').hint).toContain('\\(');
    expect(refused('[a').hint).toContain('\\[');
    expect(refused('a{1001}').hint).toContain('1000');
    expect(refused('*a').hint).toContain('\\*');
    expect(refused('(?<a>x)|(?<a>y)').hint).toContain('list');
    expect(refused('a'.repeat(70_000)).message).toContain('65536');
  });

  it('are known to match everything', () => {
    for (const all of ['', '.*', '.', 'x*', '^', '$', '(?s).*'])
      expect(matchesEverything(all), all).toBe(true);
    for (const some of ['a', '\\w', '^$', '\\d+', '(?!x)']) expect(matchesEverything(some), some).toBe(false);
  });

  it('F5 a group named like a prototype property is a plain field', () => {
    const compiled = compilePattern('(?<__proto__>x)(?<constructor>y)');
    const found = compiled.ok ? compiled.pattern.exec('xy') : null;
    expect(found && Object.getPrototypeOf(found.groups)).toBeNull();
    expect(found?.groups['constructor']).toBe('y');
    expect(({} as Record<string, unknown>)['x']).toBeUndefined();
  });
});

describe('captures', () => {
  const atoms = [
    'a',
    'b',
    '\\[',
    '\\]',
    ' ',
    'é',
    '.',
    '\\w',
    '\\d',
    '\\s',
    '\\S',
    '[^\\]]',
    '[a-c]',
    '[^a ]',
    '\\b',
    '^',
    '$',
    '😀',
  ];
  const item = fc
    .tuple(
      fc.constantFrom(...atoms),
      fc.constantFrom('', '', '', '+', '*', '?', '+?', '*?', '{2}', '{1,3}', '{1,3}?'),
    )
    .map(([atom, times]) => (/^(?:\^|\$|\\b)$/.test(atom) ? atom : atom + times));
  const sequence = fc.array(item, { minLength: 1, maxLength: 4 }).map((items) => items.join(''));
  const pattern = fc
    .tuple(sequence, sequence, sequence, sequence)
    .chain(([a, b, c, d]) =>
      fc.constantFrom(
        `${a}(?<x>${b})${c}`,
        `(?<x>${a})${b}(?<y>${c})`,
        `(?<x>${a}|${b})${c}(?:${d})?`,
        `${a}(?:(?<x>${b})|${c})(?<y>${d})`,
      ),
    );
  const subject = fc
    .array(fc.constantFrom('a', 'b', 'c', '[', ']', ' ', '1', 'é', '😀', '\n', '\r', '\u2028', '\u00a0'), {
      maxLength: 20,
    })
    .map((parts) => parts.join(''));

  it('are those of RE2, whichever engine takes them', () => {
    let fast = 0;
    fc.assert(
      fc.property(pattern, subject, (source, text) => {
        if (fastCaptures(source) !== null) fast++;
        const found = new RE2(source, 'mu').exec(text);
        const wanted: Record<string, unknown> = {};
        for (const [name, value] of Object.entries(found?.groups ?? {}))
          if (value !== undefined) wanted[name] = value;
        expect(groupsOf(source, text)).toEqual(found === null ? null : wanted);
      }),
      { numRuns: 3000 },
    );
    expect(fast).toBeGreaterThan(300);
  });

  it('leave patterns to RE2 that could take long', () => {
    for (const slow of [
      '(?<x>(?:a+)+)b',
      '(?<x>a*)a*a*b',
      '(?<x>.+).+.+c',
      '(?i)(?<x>a)',
      '(?U)(?<x>a+)',
      '(?<x>\\Aa)',
    ])
      expect(fastCaptures(slow), slow).toBeNull();
    expect(
      fastCaptures('Task (?<task>\\S+)\\[(?<id>[^\\]]+)\\] raised unexpected: (?<exc>\\w+)'),
    ).not.toBeNull();
  });
});

describe('hostile patterns', () => {
  const hostile = Array.from(
    { length: 200 },
    (_, i) => [`(a+)+${i}$`, `(a|aa)+${i}`, `(.*)*${i}x`, `(a*)*b${i}`, `.*a.*a.*a.*${i}z`][i % 5] ?? '',
  );

  it('F9 nested quantifiers stay linear', () => {
    const compiled = compileRules(hostile.map((one, i) => rule(`r${i}`, one)));
    const time = (length: number): number => {
      const data = Buffer.from(`${'a'.repeat(length)}!\n`);
      const best = [0, 1, 2].map(() => {
        const reader = new StreamReader(
          { stream, format: 'auto', multiline: 'none', tz: 'UTC', maxLineBytes: 1 << 20 },
          null,
        );
        const begin = process.hrtime.bigint();
        reader.read(compiled, { stream, data, offset: 0, end: 'final', receivedAt: 0 });
        return Number(process.hrtime.bigint() - begin) / 1e6;
      });
      return Math.min(...best);
    };
    time(1024);
    const short = time(16 * 1024);
    const long = time(64 * 1024);
    // Four times the text: a quadratic one would take sixteen times.
    expect(long).toBeLessThan(Math.max(short, 2) * 9);
  });

  it('sets that RE2 refuses are cut until they compile', () => {
    const big = Array.from({ length: 47 }, (_, i) => rule(`r${i}`, `.{0,200}foo${i}.{0,200}[0-9a-f]{8,40}x`));
    const compiled = compileRules(big);
    const reader = new StreamReader(
      { stream, format: 'plain', multiline: 'none', tz: 'UTC', maxLineBytes: 1 << 20 },
      null,
    );
    const data = Buffer.from('bar\nxx foo7 yy 0123456789abcdefx\nbar\n');
    const read = reader.read(compiled, { stream, data, offset: 0, end: 'final', receivedAt: 0 });
    expect(read.matches.flatMap((match) => match.hits.map((hit) => hit.rule.id))).toEqual(['r7']);
  });
});
