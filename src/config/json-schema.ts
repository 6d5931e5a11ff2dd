/**
 * JSON Schema (draft 7) of the main file and of rules files, made from the very definitions that check them, so that an
 * editor completes and complains as `check` does. Looser where a schema can't say it: variables, references, patterns.
 */

import type { ChannelKind } from '../model/seams.ts';
import { keysOfKind } from './channel-schema.ts';
import { mainKeys, ruleFileKeys } from './config-schema.ts';
import { objectSchema } from './objects.ts';
import type { JsonSchema } from './shape.ts';
import { sourceKinds } from './source-schema.ts';

const draft = 'http://json-schema.org/draft-07/schema#';

/** For `rules/*.yaml`. */
export function ruleFileSchema(): JsonSchema {
  return { $schema: draft, title: 'Tocsin rules', ...objectSchema(ruleFileKeys) };
}

/** For `tocsin.yaml`, with the keys of each kind of channel. */
export function configSchema(channelKinds: readonly ChannelKind[]): JsonSchema {
  const whole = objectSchema(mainKeys) as { readonly properties: Record<string, JsonSchema> };
  const channels = {
    type: 'object',
    description: mainKeys.channels.description,
    additionalProperties: { anyOf: channelKinds.map(channelSchema) },
  };
  return {
    $schema: draft,
    title: 'Tocsin configuration',
    ...whole,
    properties: { ...whole.properties, sources: sourcesSchema(whole.properties['sources']), channels },
  };
}

/** Each source has exactly one kind. */
function sourcesSchema(schema: JsonSchema | undefined): JsonSchema {
  const { additionalProperties: source, ...rest } = schema as { readonly additionalProperties: JsonSchema };
  return {
    ...rest,
    additionalProperties: { ...source, oneOf: sourceKinds.map((kind) => ({ required: [kind] })) },
  };
}

function channelSchema(kind: ChannelKind): JsonSchema {
  const schema = objectSchema(keysOfKind(kind)) as { readonly properties: Record<string, JsonSchema> };
  // What is secret may come from a file instead.
  const needed = Object.entries(kind.options)
    .filter(([, option]) => option.required)
    .map(([name]) => ({ anyOf: [{ required: [name] }, { required: [`${name}_file`] }] }));
  return {
    ...schema,
    title: kind.type,
    properties: { ...schema.properties, type: { const: kind.type } },
    ...(needed.length > 0 ? { allOf: needed } : {}),
  };
}
