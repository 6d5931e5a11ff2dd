/** Every rule must surely tell somebody, whatever its lines hold: routes, `notify` and `min_severity` together. */
import { describe, expect, it } from 'vitest';
import { load, loaded } from '../support/load-config.ts';

interface Given {
  readonly routes?: string;
  /** Further keys of the rule. */
  readonly rule?: string;
  readonly channels?: string;
}

/** The messages of E_NO_DESTINATION; any other error fails the test. */
function deadEnds(given: Given): string[] {
  const parsed = load({
    'tocsin.yaml': `sources: { w: { file: a.log } }
rules: [{ id: mine, match: 'failed (?<x>.)', tests: [{ lines: [failed y], expect: 1 }]${given.rule ? `, ${given.rule}` : ''} }]
channels: { ${given.channels ?? 'all: { type: console }, loud: { type: console, min_severity: critical }'} }
${given.routes === undefined ? '' : `routes: [ ${given.routes} ]`}
`,
  });
  if (parsed.ok) return [];
  const other = parsed.problems.filter(({ code, level }) => level === 'error' && code !== 'E_NO_DESTINATION');
  expect(other).toEqual([]);
  return parsed.problems.filter(({ code }) => code === 'E_NO_DESTINATION').map(({ message }) => message);
}

const noRoute = [expect.stringContaining('no route surely takes it')];
const tooQuiet = (severity: string) => [
  expect.stringContaining(`tells nobody when its severity is ${severity}: what it surely leads to`),
];

describe('what a rule leads to', () => {
  it('a route that takes all, or the rule itself, is enough', () => {
    expect(deadEnds({ routes: '{ notify: all }' })).toEqual([]);
    expect(deadEnds({ routes: '{ where: { x: y }, notify: loud }', rule: 'notify: all' })).toEqual([]);
    expect(deadEnds({ routes: '{ where: { rule: mi*, severity: { gte: error } }, notify: all }' })).toEqual(
      [],
    );
    expect(
      deadEnds({ routes: '{ where: { labels.team: a }, notify: all }', rule: 'labels: { team: a }' }),
    ).toEqual([]);
  });
  it('a route that may or may not take it is not', () => {
    expect(deadEnds({ routes: '{ where: { x: y }, notify: all }' })).toEqual(noRoute);
    expect(deadEnds({ routes: '{ where: { rule: other }, notify: all }' })).toEqual(noRoute);
    expect(deadEnds({ routes: '{ where: { rule: { matches: mine } }, notify: all }' })).toEqual(noRoute);
  });
  it('a channel that wants graver things alone tells nobody', () => {
    const only = 'loud: { type: console, min_severity: critical }';
    expect(deadEnds({ channels: only })).toEqual(tooQuiet('error'));
    expect(deadEnds({ channels: only, rule: 'severity: critical' })).toEqual([]);
    expect(deadEnds({ routes: '{ notify: [loud, all] }' })).toEqual([]);
    expect(deadEnds({ routes: '{ where: { x: y }, notify: all }', rule: 'notify: loud' })).toEqual(
      tooQuiet('error'),
    );
  });
  it('... also where it only may be the first route that matches, since that one wins', () => {
    expect(deadEnds({ routes: '{ where: { x: y }, notify: loud }, { notify: all }' })).toEqual(
      tooQuiet('error'),
    );
    expect(deadEnds({ routes: '{ where: { x: y }, notify: loud, also: true }, { notify: all }' })).toEqual(
      [],
    );
    expect(deadEnds({ routes: '{ where: { rule: other }, notify: loud }, { notify: all }' })).toEqual([]);
  });
  it('each severity that the rule can have is followed by itself', () => {
    const rule = 'severity: [{ when: { x: y }, is: critical }, { is: info }]';
    const routes = '{ where: { severity: critical }, notify: loud }, { notify: all }';
    expect(deadEnds({ rule, routes })).toEqual([]);
    expect(deadEnds({ rule, routes: '{ notify: loud }' })).toEqual(tooQuiet('info'));
  });
  it('a glob with many stars takes no time', () => {
    const rule = `{ id: ${'a'.repeat(100)}, match: failed, tests: [{ lines: [failed], expect: 1 }] }`;
    const config = load({
      'tocsin.yaml': `sources: { w: { file: a.log } }
rules: [${rule}]
channels: { all: { type: console } }
routes: [{ where: { rule: '${'*a'.repeat(24)}*b' }, notify: all }, { notify: all }]
`,
    });
    expect(loaded(config).routes).toHaveLength(2);
  });
});
