import { expect, it } from 'vitest';
import { channelKinds } from '../../src/channels/channels.ts';
import { configSchema, ruleFileSchema } from '../../src/config/json-schema.ts';

type Node = { readonly [key: string]: unknown };

/** Every object with properties, by the path to it. */
function objects(node: unknown, path = '$'): [string, Node][] {
  if (node === null || typeof node !== 'object') return [];
  const own: [string, Node][] = 'properties' in node && 'type' in node ? [[path, node as Node]] : [];
  return [...own, ...Object.entries(node).flatMap(([key, value]) => objects(value, `${path}.${key}`))];
}

it('rules: every key is described, and no other is allowed', () => {
  const schema = ruleFileSchema();
  expect(schema['$schema']).toBe('http://json-schema.org/draft-07/schema#');
  const rule = objects(schema).find(([path]) => path === '$.properties.rules.items')?.[1];
  expect(Object.keys(rule?.['properties'] as Node).sort()).toEqual(
    'id title description severity labels owner runbook links match contains where except from collect preceded_by join by fields count limit remind resolve context notify tests message hold in'
      .split(' ')
      .sort(),
  );
  for (const [, node] of objects(schema)) {
    expect(node['additionalProperties']).toBe(false);
    for (const property of Object.values(node['properties'] as Node))
      expect((property as Node)['description']).toMatch(/\w/);
  }
});
it('the main file: each kind of channel has its own keys', () => {
  const schema = configSchema(channelKinds);
  const channels = (schema['properties'] as Node)['channels'] as {
    additionalProperties: { anyOf: { title: string; properties: Node }[] };
  };
  expect(channels.additionalProperties.anyOf.map((kind) => kind.title)).toEqual(
    channelKinds.map((kind) => kind.type),
  );
  const webhook = channels.additionalProperties.anyOf.find((kind) => kind.title === 'webhook');
  expect(Object.keys(webhook?.properties ?? {})).toEqual(
    expect.arrayContaining(['type', 'url', 'url_file', 'secret', 'secret_file', 'budget', 'fallback']),
  );
});
it('the main file: a source has exactly one kind, and a channel what its kind cannot do without', () => {
  const { sources, channels } = configSchema(channelKinds)['properties'] as Record<string, any>;
  expect(sources.additionalProperties.oneOf).toEqual(
    ['file', 'stdin', 'syslog', 'journal', 'docker', 'http'].map((kind) => ({ required: [kind] })),
  );
  const needs = channels.additionalProperties.anyOf.map((kind: Node) => [kind['title'], kind['allOf']]);
  const url = [{ anyOf: [{ required: ['url'] }, { required: ['url_file'] }] }];
  expect(needs).toEqual([
    ['slack', url],
    ['mattermost', url],
    ['webhook', url],
    ['console', undefined],
  ]);
});
it('both are plain JSON', () => {
  for (const schema of [ruleFileSchema(), configSchema(channelKinds)])
    expect(JSON.parse(JSON.stringify(schema))).toEqual(schema);
});
