/** Where rules come from: files, globs, packs with their overrides, defaults. */
import { describe, expect, it } from 'vitest';
import { load, loaded } from '../support/load-config.ts';

describe('rules of files and packs', () => {
  it('a rules glob that takes in the configuration itself is one problem', () => {
    const parsed = load({
      'tocsin.yaml':
        'sources: { w: { file: a.log } }\nrules: ["*.yaml"]\nchannels: { all: { type: console } }\n',
      'mine.yaml': 'rules: [{ id: mine, match: failed }]\n',
    });
    expect(parsed.problems).toMatchObject([
      { code: 'E_VALUE', message: '"*.yaml" takes in the configuration itself, which is no file of rules' },
    ]);
  });
  it('an override with an unknown key is one problem', () => {
    const parsed = load({
      'tocsin.yaml':
        'sources: { w: { file: a.log } }\npacks: { p: { override: { a: { sevrity: info } } } }\nchannels: { all: { type: console } }\n',
      '/usr/share/tocsin/rules/p.yaml': 'rules: [{ id: a, match: x, tests: [{ lines: [x], expect: 1 }] }]\n',
    });
    expect(parsed.problems).toMatchObject([{ code: 'E_UNKNOWN_KEY', hint: 'did you mean "severity"?' }]);
  });
  it('tests of a pack are left out of a rule that an override or defaults make another one, and only then', () => {
    const pack = (rules: string) =>
      `rules:\n  - { id: a, match: x, ${rules}tests: [{ lines: [x], expect: 1 }] }\n`;
    const testsOf = (more: string, own = '') => {
      const parsed = load({
        'tocsin.yaml': `sources: { w: { file: a.log } }\nchannels: { all: { type: console } }\n${more}\n`,
        '/usr/share/tocsin/rules/p.yaml': pack(own),
        'mine.yaml': pack(own),
      });
      return loaded(parsed).rules.map((rule) => rule.tests.length);
    };
    expect(testsOf('packs: [p]')).toEqual([1]);
    expect(testsOf('packs: { p: { override: { a: { title: other } } } }')).toEqual([0]);
    expect(testsOf('packs: { p: { override: { a: { notify: all, remind: never } } } }')).toEqual([1]);
    const own = 'tests: [{ lines: [x], expect: 1 }, { lines: [y], expect: none }]';
    expect(testsOf(`packs: { p: { override: { a: { title: other, ${own} } } } }`)).toEqual([2]);
    expect(testsOf('packs: [p]\ndefaults: { severity: info }')).toEqual([0]);
    expect(testsOf('packs: [p]\ndefaults: { severity: info }', 'severity: error, ')).toEqual([1]);
    expect(testsOf('rules: [mine.yaml]\ndefaults: { severity: info }')).toEqual([1]);
  });
  it('rules that are sound themselves are given, so that their tests can be run', () => {
    const parsed = load({
      'tocsin.yaml':
        'sources: { w: { file: a.log } }\nrules: [{ id: a, match: x }, { id: b, match: ( }]\nchannels: { all: { type: nosuch } }\n',
    });
    expect(parsed.ok).toBe(false);
    expect(parsed.rules.map((rule) => rule.id)).toEqual(['a']);
  });
});
