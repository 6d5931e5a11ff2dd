/**
 * Who is told: routes of the main file, those that the command line adds, and the proof that every rule leads somewhere.
 * A match that is routed nowhere can't exist, so a rule is refused unless a route surely takes each of its severities, or
 * it names a channel itself.
 */
import type { ChannelConfig } from '../model/config.ts';
import type { FieldOperator, FieldTest, Route, Rule } from '../model/rule.ts';
import { severities } from '../model/rule.ts';
import type { MainValues } from './config-schema.ts';
import { didYouMean } from './nearest.ts';
import { entryOf, quoteShort, textOf, type YamlMap, type YamlNode } from './nodes.ts';
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

/** The mapping that each rule was read from, by id. */
export type RulePlaces = ReadonlyMap<string, YamlMap>;

/** The node of a key of a rule, or of the text in it that is meant; else the rule's id. */
function placeOf(places: RulePlaces, rule: Rule, key: string, text: string): YamlNode {
  const mapping = places.get(rule.id);
  if (!mapping) throw new TypeError(`no mapping for rule ${rule.id}`);
  const value = entryOf(mapping, key)?.value;
  if (value?.kind === 'list') return value.items.find((item) => textOf(item) === text) ?? value;
  return value ?? entryOf(mapping, 'id')?.value ?? mapping;
}

/** Rules with their unknown channels and dead ends reported. */
export function checkDestinations(
  rules: readonly Rule[],
  routes: readonly Route[],
  channels: readonly ChannelConfig[],
  found: { readonly places: RulePlaces; readonly declared: ReadonlySet<string> },
  reading: Reading,
): void {
  const { places, declared } = found;
  const names = [...new Set([...channels.map((channel) => channel.name), ...declared])];
  // A channel that is declared and missing here is broken, and was reported: what leads to it can't be told.
  const complete = [...declared].every((name) => channels.some((channel) => channel.name === name));
  const deadEnds: Rule[] = [];
  for (const rule of rules) {
    const own = reading.within('rule', rule.id);
    for (const name of rule.notify) {
      if (names.includes(name)) continue;
      const hint = didYouMean(name, names, 'the channels are');
      own.error(
        'E_UNKNOWN_CHANNEL',
        placeOf(places, rule, 'notify', name),
        `there is no channel ${quoteShort(name)}`,
        hint,
      );
    }
    if (complete && rule.notify.length === 0 && !leadsSomewhere(rule, routes)) deadEnds.push(rule);
  }
  const [first] = deadEnds;
  if (first && channels.length === 0) {
    const message = 'nobody would be told of anything: there is no channel';
    const hint = 'add one under `channels:`, or say `--to URL`';
    reading.error('E_NO_DESTINATION', placeOf(places, first, 'id', first.id), message, hint);
    return;
  }
  for (const rule of deadEnds) {
    const message = `the rule "${rule.id}" tells nobody: no route surely takes it, and it has no \`notify\``;
    const hint =
      'end `routes:` with one without `where`, such as `- { notify: NAME }`, or give the rule `notify:`';
    reading
      .within('rule', rule.id)
      .error('E_NO_DESTINATION', placeOf(places, rule, 'id', rule.id), message, hint);
  }
}

/** Whether for each severity that the rule can have some route surely holds. */
export function leadsSomewhere(rule: Rule, routes: readonly Route[]): boolean {
  const possible = new Set(rule.severity.map((one) => one.is));
  return [...possible].every((severity) =>
    routes.some((route) => route.where.every((test) => surelyHolds(test, { rule, severity }))),
  );
}

interface Known {
  readonly rule: Rule;
  readonly severity: string;
}

/** Only what is known before any line was read: the rule's id, its severity, and its labels. */
function surelyHolds(test: FieldTest, known: Known): boolean {
  const value = knownValue(test.field, known);
  return value !== null && test.operators.every((operator) => operatorHolds(operator, value, test.field));
}

function knownValue(field: string, known: Known): string | null {
  if (field === 'severity') return known.severity;
  if (field === 'rule') return known.rule.id;
  const label = /^labels\.(.+)$/.exec(field)?.[1];
  if (label === undefined) return null;
  // A source may set a label of the same name; only the rule's own is sure.
  return Object.hasOwn(known.rule.labels, label) ? (known.rule.labels[label] ?? null) : null;
}

function operatorHolds(operator: FieldOperator, value: string, field: string): boolean {
  switch (operator.op) {
    case 'glob':
      return operator.patterns.some((pattern) => globHolds(pattern, value));
    case 'not':
      return !operator.patterns.some((pattern) => globHolds(pattern, value));
    case 'gte':
    case 'gt':
    case 'lte':
    case 'lt': {
      if (field !== 'severity') return false;
      const rank =
        (severities as readonly string[]).indexOf(value) -
        (severities as readonly string[]).indexOf(String(operator.value));
      return operator.op === 'gte'
        ? rank >= 0
        : operator.op === 'gt'
          ? rank > 0
          : operator.op === 'lte'
            ? rank <= 0
            : rank < 0;
    }
    case 'exists':
      return operator.value === (value !== '');
    case 'in_file':
      return operator.values.includes(value);
    case 'matches':
      return false;
  }
}

function globHolds(pattern: string, value: string): boolean {
  const parts = pattern.split('*').map((part) => part.replace(/[.+?^${}()|\\[\]]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`, 's').test(value);
}

/** `from` of each rule must name a source that is there; globs and labels are left to the run. */
export function checkFrom(
  rules: readonly Rule[],
  sources: readonly string[],
  places: RulePlaces,
  reading: Reading,
): void {
  for (const rule of rules) {
    const all = [rule.conditions, rule.collect?.conditions, rule.precededBy?.conditions, rule.resolve?.when];
    for (const name of all.flatMap((conditions) => conditions?.from ?? [])) {
      if (/[*?=]/.test(name) || sources.includes(name)) continue;
      const hint = didYouMean(name, sources, 'the sources are');
      const node = placeOf(places, rule, 'from', name);
      reading
        .within('rule', rule.id)
        .error('E_UNKNOWN_SOURCE', node, `there is no source ${quoteShort(name)}`, hint);
    }
  }
}
