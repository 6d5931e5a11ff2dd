/**
 * The keys of a channel: those that every kind has, and those that a kind declares. A kind's own keys are data, so that a new
 * kind needs no line here.
 */

import { severities } from '../model/rule.ts';
import type { ChannelKind, ChannelOption } from '../model/seams.ts';
import { type Key, key, object, type ReadKeys, required } from './objects.ts';
import { channelName } from './rule-schema.ts';
import { duration, flag, integer, oneOf, rate, text } from './scalars.ts';
import { located, oneOrMany, type Shape, word } from './shape.ts';
/** Keys that every channel has. */
export const channelKeys = {
  type: required(text({ expects: 'the kind of the channel', max: 64 }), 'The kind of the channel.'),
  budget: key(
    word('none', null, oneOrMany(rate(), { min: 1 })),
    'At most so many messages: [10 in 1m, 60 in 1h, 200 in 1d] for chat, or none.',
  ),
  fallback: key(
    object(
      {
        channel: required(located(channelName), 'The channel that takes over.'),
        from: key(oneOf(severities), 'Only what is at least this severe; everything by default.'),
      },
      { what: 'fallback' },
    ),
    'Where messages go while this channel fails.',
  ),
  min_severity: key(oneOf(severities), 'Only what is at least this severe.'),
  timeout: key(duration(), 'Deadline of one attempt; 10s by default.'),
  max_age: key(duration(), 'How long delivery is tried; 24h by default.'),
  allow_private: key(flag(), 'Whether addresses of private networks may be dialled; true by default.'),
};
export type ChannelValues = ReadKeys<typeof channelKeys>;

/** The shape of one own key of a kind. Secrets and URLs keep their node: they are read where they may be set aside. */
export function optionShape(option: ChannelOption): Shape<unknown> {
  switch (option.kind) {
    case 'url':
      return text({ expects: 'a URL', max: 4096, schema: { type: 'string' } });
    case 'secret':
      return text({ expects: 'a secret', max: 64 * 1024 });
    case 'text':
      return text({ max: 4096 });
    case 'boolean':
      return flag();
    case 'integer':
      return integer(0, 1_000_000_000);
    case 'list':
      return oneOrMany(text({ max: 4096 }));
  }
}

/** All keys of one kind: the common ones, its own, and `<key>_file` for what is secret. */
export function keysOfKind(kind: ChannelKind): Record<string, Key<unknown>> {
  const own: Record<string, Key<unknown>> = {};
  for (const [optionName, option] of Object.entries(kind.options)) {
    own[optionName] = key(optionShape(option), option.description);
    if (option.kind !== 'url' && option.kind !== 'secret') continue;
    own[`${optionName}_file`] = key(
      text({ expects: 'a path', max: 4096 }),
      `A file that holds it: ${option.description}`,
    );
  }
  return { ...channelKeys, ...own };
}
