import { describe, expect, it } from 'vitest';
import { entryOf, pathOf, type YamlMap, type YamlNode } from '../../src/config/nodes.ts';
import { depthMax, readYaml } from '../../src/config/yaml.ts';

/** The root of a text that must be fine. */
function root(text: string): YamlMap {
  const read = readYaml('/f.yaml', text);
  if (!read.ok) throw new Error(read.problems.map((problem) => problem.message).join('\n'));
  return read.root;
}
function codes(text: string): string[] {
  return readYaml('/f.yaml', text).problems.map(
    ({ code, origin }) => `${code} ${origin.line}:${origin.column}`,
  );
}
function scalar(map: YamlMap, key: string): string | null {
  const value = entryOf(map, key)?.value;
  return value?.kind === 'scalar' ? value.text : null;
}

describe('YAML keeps what was written', () => {
  it('numbers, octals, versions, times and words of YAML 1.1 keep their text', () => {
    const map = root(
      'a: 1.10\nb: 010\nc: no\nd: 12:30\ne: 0x1F\nf: 1e99\ng: .inf\nh: 9007199254740993\ni: ~',
    );
    expect(map.entries.map((entry) => scalar(map, entry.key))).toEqual([
      '1.10',
      '010',
      'no',
      '12:30',
      '0x1F',
      '1e99',
      '.inf',
      '9007199254740993',
      '~',
    ]);
  });
  it('nodes know their place and their path', () => {
    const rules = entryOf(root('rules:\n  - id: a\n    match: x\n'), 'rules')?.value as Extract<
      YamlNode,
      { kind: 'list' }
    >;
    const rule = rules.items[0] as YamlMap;
    expect(pathOf(entryOf(rule, 'match')!.value)).toBe('rules[0].match');
    expect(rule.file.text.slice(rule.start, rule.end)).toBe('id: a\n    match: x');
  });
  it('E12 keys named __proto__, constructor and toString are keys like any other', () => {
    const map = root('__proto__: { x: 1 }\nconstructor: 2\ntoString: 3\nb: &__proto__ y\nc: *__proto__');
    expect(map.entries.map((entry) => entry.key)).toEqual(['__proto__', 'constructor', 'toString', 'b', 'c']);
    expect(scalar(map, 'c')).toBe('y');
    expect(({} as Record<string, unknown>)['x']).toBeUndefined();
  });
  it('E20 a byte order mark and CRLF are read as if they were not there', () => {
    expect(scalar(root('a: b\r\nc: d\r\n'), 'c')).toBe('d');
  });
});

describe('YAML that is refused', () => {
  it.each([
    ['E1 a tab for indentation', 'a:\n\t- b\n', 'E_YAML_SYNTAX 2:1'],
    ['E1 a quote that is not closed', 'a: "x\nb: y\n', 'E_YAML_SYNTAX 1:4'],
    ['E1 an indentation that fits nowhere', 'a:\n    b: 1\n  c: 2\n', 'E_YAML_SYNTAX 3:1'],
    ['E1 a pattern in double quotes', 'match: "\\d+"\n', 'E_YAML_SYNTAX 1:9'],
    ['E1 a colon inside a plain value', 'title: Task failed: x\n', 'E_YAML_SYNTAX 1:8'],
    ['E2 a key that is there twice', 'a: 1\nb: 2\na: 3\n', 'E_YAML_DUPLICATE_KEY 3:1'],
    ['E2 a key that is there twice in quotes', '{ a: 1, "a": 2 }\n', 'E_YAML_DUPLICATE_KEY 1:9'],
    ['E8 a file without a character', '', 'E_EMPTY 1:1'],
    ['E8 a file of comments', '# nothing\n\n# here\n', 'E_EMPTY 1:1'],
    ['E8 null', 'null\n', 'E_EMPTY 1:1'],
    ['E8 a list', '[]\n', 'E_TYPE 1:1'],
    ['E8 a scalar', 'hello\n', 'E_TYPE 1:1'],
    ['E8 two documents', 'a: 1\n---\nb: 2\n', 'E_YAML_DOCUMENTS 2:1'],
    ['an unquoted tag', 'host: !eng x\n', 'E_YAML_WARNING 1:7'],
    ['an operator that is taken for a tag', 'host: != x\n', 'E_YAML_WARNING 1:7'],
    ['a glob that is taken for an alias', 'file: *.log\n', 'E_YAML_ALIAS 1:7'],
    ['a merge key', 'a: &a { x: 1 }\nb:\n  <<: *a\n', 'E_YAML_ALIAS 3:3'],
  ])('%s', (_name, text, expected) => {
    expect(codes(text)).toEqual([expected]);
  });

  it('E12 an alias bomb and an alias of itself', () => {
    const letters = 'abcdefghijk';
    const bomb = [...letters]
      .map(
        (letter, index) =>
          `${letter}: &${letter} [${Array(9).fill(index === 0 ? 'x' : `*${letters[index - 1]}`)}]`,
      )
      .join('\n');
    expect(codes(bomb)[0]).toMatch(/^E_YAML_ALIAS/);
    expect(codes('a: &a [*a]')[0]).toMatch(/^E_YAML_ALIAS/);
    expect(codes(`a: &a x\nb: [${Array(101).fill('*a')}]`)[0]).toMatch(/^E_YAML_ALIAS/);
  });

  const deep = 3000;
  const nested: readonly (readonly [string, string])[] = [
    ['flow lists', `a: ${'['.repeat(deep)}`],
    ['flow maps', '{a: '.repeat(deep)],
    ['dashes on one line', '- '.repeat(deep)],
    ['question marks', '? '.repeat(deep)],
    ['both', '- ? '.repeat(deep)],
    ['indented maps', Array.from({ length: 900 }, (_, level) => `${' '.repeat(level)}a:`).join('\n')],
    ['indented lists', Array.from({ length: 900 }, (_, level) => `${' '.repeat(level)}-`).join('\n')],
    ['indented empty keys', Array.from({ length: 900 }, (_, level) => `${' '.repeat(level)}:`).join('\n')],
    ['dashes behind a bracket that stays open', `a: b\n  [\n${'- '.repeat(deep)}`],
    ['brackets behind a block of text', `- a: |\n    [[[[\n  b: ${'['.repeat(deep)}`],
    ['anchors between', '&a - '.repeat(deep)],
  ];
  it.each(
    nested,
  )('E12 nesting without end is found before the parser runs, three times in a row: %s', (_name, text) => {
    for (let time = 0; time < 3; time++) expect(codes(text)[0]).toMatch(/^E_YAML_DEPTH/);
  });

  it('E12 nesting of a real file is far from the limit, and brackets in log lines do not count', () => {
    const lines = `        ${'['.repeat(200)}\n`.repeat(20);
    expect(
      readYaml(
        '/f',
        `a:\n  - b:\n      - c: { d: [e, { f: [g] }] }\n        lines: |\n${lines.replaceAll('        ', '          ')}`,
      ).ok,
    ).toBe(true);
    expect(depthMax).toBe(64);
  });

  it('E12 20,000 keys in one map and a scalar of 250 kB are read in a moment', () => {
    const keys = Array.from({ length: 20_000 }, (_, index) => `k${index}: 1`).join('\n');
    const before = performance.now();
    expect(root(keys).entries.length).toBe(20_000);
    expect(scalar(root(`a: "${'x'.repeat(250_000)}"`), 'a')?.length).toBe(250_000);
    expect(performance.now() - before).toBeLessThan(5000);
  });

  it('every prefix of a syntax error is a value, never a throw', () => {
    const text = 'a: [b, {c: "d"}]\ne: &x |\n  f\ng: *x\nh: !t i\n? j\n: k\n';
    for (let length = 0; length <= text.length; length++)
      expect(() => readYaml('/f', text.slice(0, length))).not.toThrow();
  });
});
