/** Literals that a match must hold, and the search for many of them at once. */
import { describe, expect, it } from 'vitest';
import { blockPatternOf } from '../../src/match/block-pattern.ts';
import { BlockTest } from '../../src/match/block-test.ts';
import { LiteralScan } from '../../src/match/literal-scan.ts';
import { compilePattern } from '../../src/match/regex.ts';
import { chooseLiterals, type Literal } from '../../src/match/required-literals.ts';
import { randomOf } from '../support/small-random.ts';

/** The literals that one pattern alone would be looked for by. */
function chosen(pattern: string): string[] | null {
  const [literals] = chooseLiterals([blockPatternOf(pattern)?.literals ?? []]);
  return literals?.map(({ bytes, fold }) => (fold ? 'i:' : '') + bytes.toString()) ?? null;
}

function plain(...texts: string[]): Literal[] {
  return texts.map((text) => ({ bytes: Buffer.from(text), fold: false }));
}

describe('the literals of a pattern', () => {
  it.each<[string, string[] | null]>([
    ['raised unexpected', ['raised unexpected']],
    ['Task (?<task>.+)\\[(?<id>[0-9a-f]+)\\] raised unexpected: ', ['] raised unexpected: ']],
    ['(?:timeout|refused) after', [' after']],
    ['connection (?:timeout|refused)', ['connection ']],
    ['(?:timeout|refused)', ['timeout', 'refused']],
    ['timeout|refused', ['timeout', 'refused']],
    ['timeout|\\d+', null],
    ['E\\d+', null],
    ['ab', null],
    ['\\d+ms', null],
    ['(?i)out of memory', ['i:out of memory']],
    ['(?i)disk full', ['i: full']],
    ['[Ee]rror: boom', ['i:error: boom']],
    ['x{3}yz', ['xxxyz']],
    ['(?:abc)+d?', ['abc']],
    ['ha+lt', ['alt']],
    ['a\\.b\\/c\\x41\\x{42}', ['a.b/cAB']],
    ['one\\ntwo', ['one\ntwo']],
    ['caf\\u00e9 closed', ['café closed']],
    ['(?i)café', ['i:caf']],
    ['^\\bfoo\\b$', ['foo']],
    ['optional(?: part)? here', ['optional']],
  ])('%s', (pattern, expected) => {
    expect(chosen(pattern)).toEqual(expected);
  });

  it('prefer what few patterns share', () => {
    const patterns = ['alpha', 'beta'].map((word) => `job ${word} of the queue \\d+ was lost for ever`);
    const sets = chooseLiterals(patterns.map((pattern) => blockPatternOf(pattern)?.literals ?? []));
    expect(sets.map((set) => set?.map(({ bytes }) => bytes.toString()))).toEqual([
      ['job alpha of the queue '],
      ['job beta of the queue '],
    ]);
  });

  it('stand in whatever the pattern matches, in any case of letters that RE2 knows', () => {
    const pattern = '(?i)task [a-z]+ is stuck';
    const compiled = compilePattern(pattern);
    const test = new BlockTest([blockPatternOf(pattern)].filter((one) => one !== null));
    for (const text of [
      'TASK x IS STUCK',
      'Task x is stuck',
      'TAſK x iſ STUC\u212a',
      'tas\u212a x is stuck',
    ]) {
      expect(compiled.ok && compiled.pattern.test(text)).toBe(true);
      expect(test.test(Buffer.from(text))).toBe(true);
      expect(test.match(Buffer.from(text))).toEqual([0]);
    }
  });
});

describe('the search for literals', () => {
  const find = (literals: Literal[][], text: string, from = 0, to?: number): number => {
    const data = Buffer.from(text);
    const scan = new LiteralScan(literals);
    return scan.search(data, from, to ?? data.length) > 0 ? (scan.hits[0] ?? -1) : -1;
  };

  it('finds a literal at the very front, at the very end and nowhere else', () => {
    expect(find([plain('needle')], 'needle in hay')).toBe(0);
    expect(find([plain('needle')], 'hay and needle')).toBe(8);
    expect(find([plain('needle')], 'needl eedle')).toBe(-1);
    expect(find([plain('abc')], 'xxabc')).toBe(2);
    expect(find([plain('abc')], 'ab')).toBe(-1);
  });

  it('stays between its borders', () => {
    expect(find([plain('needle')], 'needle needle', 1)).toBe(7);
    expect(find([plain('needle')], 'needle needle', 1, 12)).toBe(-1);
  });

  it('ignores case where the literal does, and only there', () => {
    const fold: Literal[] = [{ bytes: Buffer.from('timeout @['), fold: true }];
    expect(find([fold], 'a TimeOut @[')).toBe(2);
    // 0x40 and 0x60, 0x5b and 0x7b differ by the bit of the case, and are no letters.
    expect(find([fold], 'a timeout `{')).toBe(-1);
    expect(find([plain('timeout')], 'a Timeout')).toBe(-1);
  });

  it('finds the same as looking for each for itself, in random bytes', () => {
    const random = randomOf(7);
    const word = (length: number): string =>
      Array.from({ length }, () => 'abAB@` \n'[random(8)] ?? '').join('');
    for (let round = 0; round < 400; round++) {
      const shortest = 3 + random(8);
      const sets = Array.from({ length: 1 + random(12) }, () =>
        Array.from({ length: 1 + random(3) }, (): Literal => {
          const fold = random(3) === 0;
          const text = word(shortest + random(20));
          return { bytes: Buffer.from(fold ? text.toLowerCase() : text), fold };
        }),
      );
      let text = word(200);
      for (let i = random(4); i > 0; i--) {
        const set = sets[random(sets.length)] ?? [];
        text += (set[random(set.length)]?.bytes.toString() ?? '') + word(random(10));
      }
      const data = Buffer.from(text);
      const holds = ({ bytes, fold }: Literal): boolean =>
        (fold ? text.toLowerCase() : text).includes(bytes.toString());
      const expected = sets.flatMap((set, index) => (set.some(holds) ? [index] : []));
      const scan = new LiteralScan(sets);
      expect(scan.patternsIn(data)?.sort((a, b) => a - b)).toEqual(expected);
      expect(scan.search(data, 0, data.length) > 0).toBe(expected.length > 0);
    }
  });

  it.each([
    ['short', 3],
    ['long', 9],
  ])('finds each of %s literals in long bytes, also over the ends of pieces, and nothing else', (_, shortest) => {
    const random = randomOf(23);
    const word = (length: number): string =>
      Array.from({ length }, () => 'abcdefgh \n'[random(10)] ?? '').join('');
    for (let round = 0; round < 12; round++) {
      const texts = Array.from({ length: 1 + random(40) }, () => `${word(shortest + random(50))}#`);
      let text = word(1000);
      while (text.length < 200_000) text += word(random(20_000)) + texts[random(texts.length)];
      // Bytes are searched in pieces of 64 KiB.
      for (const end of [65_536, 131_072]) {
        const literal = texts[random(texts.length)] ?? '';
        const at = end - random(literal.length + 1);
        text = text.slice(0, at) + literal + text.slice(at + literal.length);
      }
      const data = Buffer.from(text);
      const scan = new LiteralScan(texts.map((literal) => plain(literal)));
      const from = random(3) * 1000;
      const to = data.length - random(3) * 1000;
      const count = scan.search(data, from, to);
      const hits = [...scan.hits.subarray(0, count)];
      expect(hits).toEqual([...hits].sort((a, b) => a - b));
      const found = new Set<number>();
      texts.forEach((literal, number) => {
        for (let at = text.indexOf(literal, from); at >= 0; at = text.indexOf(literal, at + 1)) {
          if (at + literal.length > to) break;
          const inside = hits.filter((hit) => hit >= at && hit < at + literal.length);
          expect(inside.length, `literal ${number} at ${at}`).toBeGreaterThan(0);
          for (const hit of inside) found.add(hit);
        }
      });
      expect(found.size).toBe(hits.length);
    }
  });

  it('does not count where literals crowd, and names every pattern then', () => {
    const data = Buffer.from('crowded '.repeat(20_000));
    expect(new LiteralScan([plain('crowded')]).search(data, 0, data.length)).toBe(-1);
    expect(new LiteralScan([plain('crowded')]).patternsIn(data)).toBeNull();
    const patterns = ['crowded (\\w+)', 'lonely'].map(blockPatternOf).filter((one) => one !== null);
    const test = new BlockTest(patterns);
    expect(test.test(data)).toBe(true);
    expect(test.match(data)).toEqual([0]);
  });

  it('asks automata about a record that holds literals of many patterns', () => {
    const patterns = Array.from({ length: 40 }, (_, i) => blockPatternOf(`task failed [${'abc'[i % 3]}]`));
    const test = new BlockTest(patterns.filter((one) => one !== null));
    expect(test.match(Buffer.from('task failed b')).sort((a, b) => a - b)).toEqual(
      Array.from({ length: 40 }, (_, i) => i).filter((i) => i % 3 === 1),
    );
  });
});
