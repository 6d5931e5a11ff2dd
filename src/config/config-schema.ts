/**
 * The keys of the main file and of a rules file: sources, packs, rules, channels (whose own keys come from their kinds),
 * routes, defaults, labels, state, admin. Reads a mapping to checked values; the makers of sources and channels turn
 * them into configuration.
 */

import { type FieldOperator, severities } from '../model/rule.ts';
import { fieldTests } from './field-tests.ts';
import { didYouMean } from './nearest.ts';
import { entryOf, quoteShort, type YamlMap, type YamlNode } from './nodes.ts';
import { key, object, type ReadKeys, required } from './objects.ts';
import type { Reading } from './reading.ts';
import { channelName, defaultsShape, labels, overrideShape, ruleShape } from './rule-schema.ts';
import { flag, pathText, text } from './scalars.ts';
import { forms, list, located, map, oneOrMany, record, type Shape } from './shape.ts';
import { sourceShape } from './source-schema.ts';

const nameKey = { expects: 'a name: letters, digits, - _ and .', pattern: /^[A-Za-z0-9][\w.-]{0,63}$/ };

const packSettings = {
  disable: key(
    oneOrMany(located(text({ expects: 'the id of a rule', max: 128 }))),
    'Rules of the pack that are left out.',
  ),
  override: key(
    map(
      record({ expects: 'the id of a rule', pattern: /^\S{1,128}$/ }, located(overrideShape), {
        expects: 'a map of rules and their keys',
      }),
      (found) => found,
    ),
    "Keys that replace those of the pack's rules: id -> keys.",
  ),
};
const packShape = object(packSettings, { what: 'a pack' });
export type PackValues = ReadKeys<typeof packSettings>;

const packs = forms<
  never,
  readonly { name: string; node: YamlNode; settings: PackValues }[],
  readonly { name: string; node: YamlNode; settings: PackValues }[]
>('a list of names, or a map of name -> { disable, override }', {
  list: map(list(located(text({ expects: 'the name of a pack', max: 64 }))), (found) =>
    found.map(({ value, node }) => ({ name: value, node, settings: {} })),
  ),
  map: map(record(nameKey, packShape, { expects: 'a map of packs', nothing: {} }), (found) =>
    [...found].map(([packName, { value, entry }]) => ({
      name: packName,
      node: entry.keyNode,
      settings: value,
    })),
  ),
});

const routeTests = map(fieldTests, (tests, node, reading) => {
  for (const test of tests) {
    if (test.field !== 'severity' || node.kind !== 'map') continue;
    for (const operator of test.operators)
      checkSeverities(operator, entryOf(node, 'severity')?.value ?? node, reading);
  }
  return tests;
});

/** A severity that is not there would never hold, and never say so. */
function checkSeverities(operator: FieldOperator, node: YamlNode, reading: Reading): void {
  const words =
    'patterns' in operator
      ? operator.patterns
      : 'value' in operator && operator.op !== 'exists'
        ? [String(operator.value)]
        : [];
  const at = node.kind === 'map' ? (entryOf(node, operator.op)?.value ?? node) : node;
  for (const found of words) {
    if (found.includes('*') || (severities as readonly string[]).includes(found)) continue;
    reading.error(
      'E_VALUE',
      at,
      `there is no severity ${quoteShort(found)}`,
      didYouMean(found, severities, 'the severities are'),
    );
  }
}

const routeShape = located(
  object(
    {
      where: key(
        routeTests,
        'Tests on severity, rule, labels, source and fields; without them the route takes everything.',
      ),
      notify: required(oneOrMany(located(channelName), { min: 1 }), 'Channels that are told.'),
      also: key(flag(), 'Go on to the next route after this one.'),
    },
    { what: 'a route' },
  ),
);

const adminKeys = {
  listen: required(
    map(text({ expects: 'an address such as 127.0.0.1:9419', max: 256 }), (value, node, reading) => {
      const port = Number(/:(\d{1,5})$/.exec(value)?.[1] ?? Number.NaN);
      if (port >= 0 && port <= 65_535) return value;
      return reading.error(
        'E_VALUE',
        node,
        `expected an address such as 127.0.0.1:9419, found ${quoteShort(value)}`,
        'write host:port',
      );
    }),
    'Address of /healthz, /readyz, /metrics and /api/v1.',
  ),
  token: key(text({ expects: 'a secret', max: 4096 }), 'What changes must carry.'),
  token_file: key(pathText, 'A file that holds the token.'),
};

/** A rule of a list, unread: defaults come into it first. Kept as a mapping. */
const ruleMapping = (shape: Shape<unknown>): Shape<YamlMap> => ({
  expects: 'a rule (a map with an id)',
  schema: shape.schema,
  read: (node, reading) =>
    node.kind === 'map'
      ? node
      : reading.error(
          'E_TYPE',
          node,
          'expected a rule (a map with an id)',
          'write `- id: my-rule` with its keys below it',
        ),
});
const unread = (shape: Shape<unknown>): Shape<YamlMap> => ({
  expects: shape.expects,
  schema: shape.schema,
  read(node, reading) {
    shape.read(node, reading);
    return node.kind === 'map' ? node : undefined;
  },
});

/** A rules file. */
export const ruleFileKeys = {
  rules: required(list(ruleMapping(ruleShape), { min: 1, max: 10_000 }), 'The rules.'),
  defaults: key(unread(defaultsShape), 'Any key of a rule, for the rules of this file.'),
};
export const ruleFileShape = object(ruleFileKeys, { what: 'a rules file' });

const ruleEntries = list(
  forms('the path of a rules file, a glob, or a rule', {
    scalar: located(pathText),
    map: map(ruleMapping(ruleShape), (mapping) => ({ value: mapping, node: mapping as YamlNode })),
  }),
);

/** The main file. Channels are kept unread: each kind has its own keys. */
export const mainKeys = {
  sources: key(
    record(nameKey, located(sourceShape), { expects: 'a map of sources, such as { worker: { file: ... } }' }),
    'name -> exactly one kind (file, syslog, journal, docker, http or stdin).',
  ),
  packs: key(packs, 'Rules that ship with the program.'),
  rules: key(ruleEntries, 'Files of rules: paths or globs, relative to this file.'),
  channels: key(
    record(nameKey, channelMapping(), {
      expects: 'a map of channels, such as { eng: { type: webhook, url: ... } }',
    }),
    'name -> where messages go.',
  ),
  routes: key(list(routeShape), 'First match wins; `also: true` goes on to the next.'),
  defaults: key(unread(defaultsShape), 'Any key of a rule, for all rules.'),
  labels: key(labels, 'Labels in every message.'),
  state: key(
    object(
      { dir: required(pathText, 'Folder of the state; .tocsin beside this file by default.') },
      { what: 'state' },
    ),
    'Where the state is kept.',
  ),
  admin: key(
    located(object(adminKeys, { what: 'admin' })),
    'Health, metrics and API over HTTP; off unless given.',
  ),
};
export type MainValues = ReadKeys<typeof mainKeys>;
export const mainShape = object(mainKeys, { what: 'the configuration', later: ['shared'] });

function channelMapping(): Shape<YamlMap> {
  return {
    expects: 'a map with `type:` and the keys of that kind',
    schema: { type: 'object' },
    read: (node, reading) =>
      node.kind === 'map'
        ? node
        : reading.error(
            'E_TYPE',
            node,
            'expected a map with `type:` and the keys of that kind',
            'write { type: webhook, url: ... }',
          ),
  };
}
