/**
 * Checked keys of a channel -> its configuration, by the kind that its `type` names; and the channels that the command line's
 * URLs make. A secret that is not there now makes the channel unusable, with the reason, and nothing else stops.
 */

import type { BudgetWindow, ChannelConfig } from '../model/config.ts';
import { Secret } from '../model/config.ts';
import type { Origin, ProblemCode } from '../model/problem.ts';
import type { ChannelKind } from '../model/seams.ts';
import { type ChannelValues, keysOfKind } from './channel-schema.ts';
import { didYouMean } from './nearest.ts';
import { entryOf, originOf, quoteShort, type YamlMap, type YamlScalar } from './nodes.ts';
import { object, wasMeant } from './objects.ts';
import type { Reading } from './reading.ts';
import { freeName } from './sources.ts';

/** For services that people read: a storm fills a room within a minute. */
const chatBudget: readonly BudgetWindow[] = [
  { count: 10, perMs: 60_000 },
  { count: 60, perMs: 3_600_000 },
  { count: 200, perMs: 86_400_000 },
];
const timeoutDefaultMs = 10_000;
const maxAgeDefaultMs = 86_400_000;

/** Problems that set a channel aside without making the configuration wrong: the world may mend them. */
export const settingAside: ReadonlySet<ProblemCode> = new Set(['E_ENV_UNSET', 'E_SECRET_FILE']);

/**
 * One channel of the main file. Null where it can't even be named as set aside (its type is not known). A channel with any other
 * problem is unusable too, so that what is routed to it is accounted for.
 */
export function makeChannel(
  name: string,
  mapping: YamlMap,
  kinds: readonly ChannelKind[],
  reading: Reading,
): ChannelConfig | null {
  const first = reading.problems.length;
  const kind = kindOf(mapping, kinds, reading);
  if (!kind) return null;
  const values = object(keysOfKind(kind), { what: `a channel of type ${kind.type}` }).read(mapping, reading);
  const common = values as ChannelValues | undefined;
  const options = readOptions(kind, mapping, (values ?? {}) as Readonly<Record<string, unknown>>, reading);
  const problem = reading.problems.slice(first).find((found) => found.level === 'error');
  return {
    ...defaults(
      name,
      kind,
      originOf(mapping.parent ? (entryOf(mapping.parent as YamlMap, name)?.keyNode ?? mapping) : mapping),
    ),
    options,
    ...(common?.budget !== undefined ? { budget: common.budget } : {}),
    fallback: common?.fallback?.channel
      ? { channel: common.fallback.channel.value, from: common.fallback.from ?? 'info' }
      : null,
    minSeverity: common?.min_severity ?? null,
    timeoutMs: common?.timeout ?? timeoutDefaultMs,
    maxAgeMs: common?.max_age ?? maxAgeDefaultMs,
    allowPrivate: common?.allow_private ?? true,
    unusable: problem?.message ?? null,
  };
}

function defaults(name: string, kind: ChannelKind, origin: Origin): ChannelConfig {
  return {
    name,
    type: kind.type,
    options: {},
    budget: kind.chat ? chatBudget : null,
    fallback: null,
    minSeverity: null,
    timeoutMs: timeoutDefaultMs,
    maxAgeMs: maxAgeDefaultMs,
    allowPrivate: true,
    unusable: null,
    origin,
  };
}

function kindOf(mapping: YamlMap, kinds: readonly ChannelKind[], reading: Reading): ChannelKind | null {
  const types = kinds.map((kind) => kind.type);
  const entry = entryOf(mapping, 'type');
  if (!entry) {
    reading.error(
      'E_MISSING_KEY',
      mapping,
      'a channel needs the key "type"',
      `write one of ${types.join(', ')}`,
    );
    return null;
  }
  const type =
    entry.value.kind === 'scalar' && entry.value.text !== '' ? reading.expand(entry.value) : undefined;
  const kind = kinds.find((known) => known.type === type);
  if (!kind && entry.value.kind === 'scalar' && type !== undefined) {
    reading.error(
      'E_VALUE',
      entry.value,
      `there is no channel type ${quoteShort(type)}`,
      didYouMean(type, types, 'the types are'),
    );
  } else if (!kind && type === undefined && reading.errors === 0) {
    reading.error(
      'E_TYPE',
      entry.value,
      'expected the type of the channel',
      `write one of ${types.join(', ')}`,
    );
  }
  return kind ?? null;
}

function readOptions(
  kind: ChannelKind,
  mapping: YamlMap,
  values: Readonly<Record<string, unknown>>,
  reading: Reading,
): Readonly<Record<string, unknown>> {
  const options: Record<string, unknown> = Object.create(null);
  for (const [name, option] of Object.entries(kind.options)) {
    const entry = entryOf(mapping, name);
    const isSecret = option.kind === 'url' || option.kind === 'secret';
    const fileEntry = isSecret ? entryOf(mapping, `${name}_file`) : undefined;
    if (entry && fileEntry) {
      reading.error(
        'E_VALUE',
        fileEntry.keyNode,
        `both "${name}" and "${name}_file" are given`,
        'keep one of them',
      );
      continue;
    }
    if (!entry && !fileEntry) {
      if (!option.required || wasMeant(mapping, name, Object.keys(keysOfKind(kind)))) continue;
      const hint = isSecret
        ? `add \`${name}:\`, or \`${name}_file:\` with the path of a file that holds it`
        : `add \`${name}:\``;
      reading.error('E_MISSING_KEY', mapping, `a channel of type ${kind.type} needs the key "${name}"`, hint);
      continue;
    }
    const raw = fileEntry ? secretOf(fileEntry.value, reading) : values[name];
    if (raw === undefined) continue;
    const node = (fileEntry ?? entry)?.value ?? mapping;
    if (option.kind === 'url' && !isHttpUrl(String(raw))) {
      // What was found is not shown: it may be a secret that was put into the wrong place.
      reading.error(
        'E_VALUE',
        node,
        `"${name}" is no http or https URL`,
        'write it whole: https://host/path',
      );
      continue;
    }
    options[name] = isSecret ? new Secret(String(raw)) : raw;
  }
  return options;
}

function secretOf(node: YamlMap['entries'][number]['value'], reading: Reading): string | undefined {
  if (node.kind !== 'scalar' || node.text === '') return undefined; // Said by the schema.
  return reading.deps.files.secret(node as YamlScalar, reading);
}

function isHttpUrl(text: string): boolean {
  try {
    return ['http:', 'https:'].includes(new URL(text).protocol);
  } catch {
    return false;
  }
}

/** Channels of `--to` and of printing. Their kind is known from the URL; an unknown host is a webhook. */
export function commandLineChannels(
  extra: { readonly to: readonly string[]; readonly print: boolean },
  kinds: readonly ChannelKind[],
  taken: ReadonlySet<string>,
  reading: Reading,
): ChannelConfig[] {
  const origin: Origin = { file: 'command line', line: 1, column: 1, length: 1 };
  const channels: ChannelConfig[] = [];
  const names = new Set(taken);
  const add = (kind: ChannelKind, options: Readonly<Record<string, unknown>>): void => {
    const name = freeName(kind.type, names);
    names.add(name);
    channels.push({ ...defaults(name, kind, origin), options });
  };
  for (const [index, to] of extra.to.entries()) {
    if (!isHttpUrl(to)) {
      reading.errorAt(
        'E_VALUE',
        origin,
        `--to[${index}]`,
        'what follows --to is no http or https URL',
        'write it whole: https://host/path',
      );
      continue;
    }
    const url = new URL(to);
    const kind =
      kinds.find((known) => known.recognise(url)) ?? kinds.find((known) => known.type === 'webhook');
    if (kind) add(kind, { [urlOption(kind)]: new Secret(to) });
  }
  const console = extra.print ? kinds.find((known) => known.type === 'console') : undefined;
  if (console) add(console, {});
  return channels;
}

function urlOption(kind: ChannelKind): string {
  return Object.entries(kind.options).find(([, option]) => option.kind === 'url')?.[0] ?? 'url';
}

/** Fallbacks must name another channel that exists. Two channels may stand in for each other: a message goes round once. */
export function checkFallbacks(
  channels: readonly ChannelConfig[],
  mappings: ReadonlyMap<string, YamlMap>,
  reading: Reading,
): void {
  const names = [...new Set([...channels.map((channel) => channel.name), ...mappings.keys()])];
  for (const channel of channels) {
    const mapping = mappings.get(channel.name);
    const fallback = mapping ? entryOf(mapping, 'fallback')?.value : undefined;
    const node = fallback?.kind === 'map' ? (entryOf(fallback, 'channel')?.value ?? fallback) : fallback;
    if (!channel.fallback || !node) continue;
    const to = channel.fallback.channel;
    const own = reading.within('channel', channel.name);
    if (to === channel.name)
      own.error('E_VALUE', node, "a channel can't be its own fallback", 'name another channel');
    else if (!names.includes(to)) {
      own.error(
        'E_UNKNOWN_CHANNEL',
        node,
        `there is no channel ${quoteShort(to)}`,
        didYouMean(to, names, 'the channels are'),
      );
    }
  }
}
