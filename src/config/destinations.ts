/**
 * What rules and routes refer to: routes of the main file and those that the command line adds, the channels and sources that rules
 * name, and that every rule leads somewhere. A match that is routed nowhere can't exist, so a rule of which nobody might be told
 * (`dead-ends.ts`) is refused.
 */
import type { ChannelConfig } from '../model/config.ts';
import type { Route, Rule } from '../model/rule.ts';
import type { MainValues } from './config-schema.ts';
import { type DeadEnd, deadEndOf } from './dead-ends.ts';
import { didYouMean } from './nearest.ts';
import { entryOf, quoteShort, type YamlMap, type YamlNode, type YamlScalar } from './nodes.ts';
import type { Reading } from './reading.ts';

/**
 * Routes of the file; where it has none and exactly one channel, that one takes everything. Channels of the command line take
 * everything besides. Unknown channels are reported and left out; one that is declared but broken was reported where it stands.
 */
export function makeRoutes(
  found: MainValues['routes'],
  channels: readonly ChannelConfig[],
  extra: readonly ChannelConfig[],
  declared: ReadonlySet<string>,
  reading: Reading,
): Route[] {
  const names = channels.map((channel) => channel.name);
  const routes: Route[] = [];
  if (extra.length > 0) routes.push({ where: [], notify: extra.map((channel) => channel.name), also: true });
  for (const { value } of found ?? []) {
    const notify: string[] = [];
    for (const { value: name, node } of value.notify ?? []) {
      if (names.includes(name)) notify.push(name);
      else if (!declared.has(name))
        reading.error(
          'E_UNKNOWN_CHANNEL',
          node,
          `there is no channel ${quoteShort(name)}`,
          didYouMean(name, names, 'the channels are'),
        );
    }
    if (notify.length > 0) routes.push({ where: value.where ?? [], notify, also: value.also ?? false });
  }
  const own = channels.filter((channel) => !extra.includes(channel));
  const [only] = own;
  if (found === undefined && own.length === 1 && only)
    routes.push({ where: [], notify: [only.name], also: false });
  return routes;
}

/** A rule as it was written, defaults and overrides merged in; also one that is broken. */
export interface WrittenRule {
  readonly id: string;
  readonly mapping: YamlMap;
}

/** Reports channels that are named by rules and are not there, whatever else is wrong with the rule. */
export function checkNotify(
  written: readonly WrittenRule[],
  channels: readonly ChannelConfig[],
  declared: ReadonlySet<string>,
  reading: Reading,
): void {
  const names = [...new Set([...channels.map((channel) => channel.name), ...declared])];
  for (const { id, mapping } of written) {
    const own = reading.within('rule', id);
    for (const node of textsUnder(mapping, 'notify')) {
      const name = own.expand(node);
      if (name === undefined || names.includes(name)) continue;
      const hint = didYouMean(name, names, 'the channels are');
      own.error('E_UNKNOWN_CHANNEL', node, `there is no channel ${quoteShort(name)}`, hint);
    }
  }
}

/** Whether every route was read and leads to channels that are known. Else it can't be told which rules it would have taken. */
export function routesAreSound(found: MainValues['routes'], names: ReadonlySet<string>): boolean {
  return (found ?? []).every(({ value }) => {
    const notify = value.notify ?? [];
    return notify.length > 0 && notify.every((channel) => names.has(channel.value));
  });
}

/** Reports rules of which somebody might not be told. Where none of the channels is there it is said once. */
export function checkDeadEnds(
  rules: readonly Rule[],
  routes: readonly Route[],
  channels: readonly ChannelConfig[],
  found: { readonly places: RulePlaces; readonly declared: ReadonlySet<string> },
  reading: Reading,
): void {
  const { places, declared } = found;
  const there = new Set(channels.map((channel) => channel.name));
  // A channel that is declared and missing here is broken, and was reported: what leads to it can't be told.
  if (![...declared].every((name) => there.has(name))) return;
  for (const rule of rules) {
    if (rule.notify.some((name) => !there.has(name))) continue; // Said by `checkNotify`.
    const deadEnd = deadEndOf(rule, routes, channels);
    if (deadEnd === null) continue;
    const mapping = places.get(rule.id);
    const node = mapping && (entryOf(mapping, 'id')?.value ?? mapping);
    if (!node) throw new TypeError(`no mapping for rule ${rule.id}`);
    if (channels.length === 0) {
      const message = 'nobody would be told of anything: there is no channel';
      reading.error('E_NO_DESTINATION', node, message, 'add one under `channels:`, or say `--to URL`');
      return;
    }
    const { message, hint } = deadEndWords(rule, deadEnd);
    reading.within('rule', rule.id).error('E_NO_DESTINATION', node, message, hint);
  }
}

function deadEndWords(rule: Rule, { severity, why }: DeadEnd): { message: string; hint: string } {
  if (why === 'no-route')
    return {
      message: `the rule "${rule.id}" tells nobody: no route surely takes it, and it has no \`notify\``,
      hint: 'end `routes:` with one without `where`, such as `- { notify: NAME }`, or give the rule `notify:`',
    };
  return {
    message: `the rule "${rule.id}" tells nobody when its severity is ${severity}: what it surely leads to has a higher \`min_severity\``,
    hint: `lower the \`min_severity\` of one, lead what is ${severity} to another channel, or leave the rule out (\`disable\` of its pack)`,
  };
}

/** The mapping that each rule was read from, by id. */
export type RulePlaces = ReadonlyMap<string, YamlMap>;

/** Where `from` may stand in a rule: beside `match`, and in each map that has conditions of its own. */
const conditionMaps = ['except', 'collect', 'until', 'preceded_by', 'resolve'];

/** Reports names under `from` that are no source; globs and labels are left to the run. */
export function checkFrom(
  written: readonly WrittenRule[],
  sources: readonly string[],
  reading: Reading,
): void {
  for (const { id, mapping } of written) {
    const own = reading.within('rule', id);
    for (const node of fromsOf(mapping)) {
      const name = own.expand(node);
      if (name === undefined || /[*=]/.test(name) || sources.includes(name)) continue;
      const hint = didYouMean(name, sources, 'the sources are');
      own.error('E_UNKNOWN_SOURCE', node, `there is no source ${quoteShort(name)}`, hint);
    }
  }
}

function fromsOf(node: YamlNode): YamlScalar[] {
  if (node.kind === 'list') return node.items.flatMap(fromsOf);
  if (node.kind !== 'map') return [];
  const inner = node.entries.filter((entry) => conditionMaps.includes(entry.key));
  return [...textsUnder(node, 'from'), ...inner.flatMap((entry) => fromsOf(entry.value))];
}

/** The texts behind a key: its value, or those of its list. Other forms are the shape's to report. */
function textsUnder(mapping: YamlMap, key: string): YamlScalar[] {
  const value = entryOf(mapping, key)?.value;
  const nodes = value?.kind === 'list' ? value.items : value ? [value] : [];
  return nodes.filter((node): node is YamlScalar => node.kind === 'scalar' && node.text !== '');
}
