/**
 * The door of the configuration: the main file, packs, rule files, the environment and the command line in, one checked
 * Config out, with every problem of every file at once and its place. Nothing is thrown, nothing running is touched;
 * whoever swaps the old for the new is elsewhere.
 */
import { createHash } from 'node:crypto';
import { dirname, resolve } from 'node:path';
import type { ChannelConfig, Config } from '../model/config.ts';
import { Secret } from '../model/config.ts';
import type { Parsed, Problem } from '../model/problem.ts';
import type { Rule } from '../model/rule.ts';
import type { ChannelKind } from '../model/seams.ts';
import { checkFallbacks, commandLineChannels, makeChannel, settingAside } from './channels.ts';
import { type MainValues, mainShape } from './config-schema.ts';
import { deadEndOf } from './dead-ends.ts';
import { checkDeadEnds, checkFrom, checkNotify, makeRoutes, routesAreSound } from './destinations.ts';
import { FileReader } from './file-reader.ts';
import type { ConfigFiles } from './files.ts';
import { entryOf, originOf, type YamlMap } from './nodes.ts';
import { inOrder } from './problems.ts';
import { Reading, type RuleLanguage } from './reading.ts';
import { type PackRequest, RuleGatherer } from './rule-files.ts';
import {
  commandLineSources,
  makeSources,
  refuseSameAddress,
  warnOfOpenAddresses,
  warnOfSameFiles,
} from './sources.ts';

/** What the command line adds to a configuration, or is instead of one. */
export interface ExtraConfig {
  /** Packs besides those of the file. */
  readonly packs: readonly string[];
  /** Log files: a source named `files`, read from the beginning. */
  readonly files: readonly string[];
  /** A source named `stdin`. */
  readonly stdin: boolean;
  /** URLs: channels that take everything. */
  readonly to: readonly string[];
  /** The `console` channel takes everything. */
  readonly print: boolean;
  /** Rule files besides those of the main file, by path. */
  readonly rules?: readonly string[];
}

export interface LoadOptions {
  readonly files: ConfigFiles;
  /** The main file, or null without one. */
  readonly configPath: string | null;
  readonly cwd: string;
  /** Folder of the packs that ship with the program. */
  readonly packsDir: string;
  readonly extra: ExtraConfig;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly channelKinds: readonly ChannelKind[];
  /** From `rules/language.ts`. */
  readonly language: RuleLanguage;
  /** What must be there; all of it by default. `send-test` needs channels only, `test` rules only. */
  readonly needs?: readonly ('sources' | 'rules' | 'channels')[];
}

/**
 * Everything or nothing: `ok: false` with every problem where any is an error. One exception: a channel whose variable is unset or
 * whose secret can't be read is in the Config with `unusable` set, and its error (scope: that channel) is among
 * the problems of `ok: true`. `check` and `run --strict` refuse that too.
 */
export function loadConfig(options: LoadOptions): ParsedConfig {
  const { config, problems, setAside } = load(options, 'strict');
  const rules = config?.rules ?? [];
  const blocking = problems.some((problem) => problem.level === 'error' && !setAside(problem));
  return config === null || blocking
    ? { ok: false, problems, rules }
    : { ok: true, value: config, problems, rules };
}

/** `rules` are those that have no error of their own, whatever else is wrong: their tests can be run. */
export type ParsedConfig = Parsed<Config> & { readonly rules: readonly Rule[] };

/**
 * What can run of a broken configuration: the broken rules, sources and channels are left out (a broken channel whose type is
 * known stays, unusable, so that what is routed to it is accounted for), and a rule whose channels are all gone tells every
 * channel that is left. `ok: false` where no source, no rule or no usable channel remains, or the main file can't be read.
 */
export function loadPartial(options: LoadOptions): Parsed<Config> {
  const { config, problems } = load(options, 'partial');
  const runs =
    config !== null &&
    config.sources.length > 0 &&
    config.rules.length > 0 &&
    config.channels.some((channel) => channel.unusable === null);
  return runs ? { ok: true, value: config, problems } : { ok: false, problems };
}

interface Loaded {
  readonly config: Config | null;
  readonly problems: readonly Problem[];
  /** Whether a problem only set a channel or a source aside. */
  setAside(problem: Problem): boolean;
}

function load(options: LoadOptions, mode: 'strict' | 'partial'): Loaded {
  const files = new FileReader(options.files);
  const reading = new Reading({ env: options.env, language: remembering(options.language), files });
  const main = readMain(options, files, reading);
  if (main === null) return { config: null, problems: inOrder(reading.problems), setAside: () => false };
  const { values, mapping } = main;
  const { all: channels, extra: extraChannels } = readChannels(values, options, reading);
  const sources = readSources(values, options, reading);
  const gatherer = gatherRules(values, options, files, reading);
  const labels = Object.fromEntries([...(values.labels ?? [])].map(([name, { value }]) => [name, value]));
  const declared = new Set(values.channels?.keys() ?? []);
  let routes = makeRoutes(values.routes, channels, extraChannels, declared, reading);
  const needs = options.needs ?? ['sources', 'rules', 'channels'];
  checkNeeds({ sources, rules: gatherer.rules, mapping, needs, options }, reading);
  const rules = gatherer.rules;
  if (needs.includes('channels')) {
    checkNotify(gatherer.written, channels, declared, reading);
    const wroteRoutes = mapping !== null && entryOf(mapping, 'routes') !== undefined;
    const names = new Set([...declared, ...channels.map((channel) => channel.name)]);
    if (routesAreSound(values.routes, names) && wroteRoutes === (values.routes !== undefined))
      checkDeadEnds(rules, routes, channels, { places: gatherer.mappings, declared }, reading);
  }
  // Rules alone, with nothing to read yet: whether their sources are there can't be told.
  const declaredSources = new Set([...(values.sources?.keys() ?? []), ...sources.map(({ name }) => name)]);
  if (needs.includes('sources') && declaredSources.size > 0)
    checkFrom(gatherer.written, [...declaredSources], reading);
  let kept: readonly Rule[] = rules;
  if (mode === 'partial') {
    const known = new Set(channels.map((channel) => channel.name));
    kept = rules.map((rule) => ({ ...rule, notify: rule.notify.filter((name) => known.has(name)) }));
    const usable = channels.filter((channel) => channel.unusable === null).map((channel) => channel.name);
    const lost = kept.some((rule) => rule.notify.length === 0 && deadEndOf(rule, routes, channels) !== null);
    if (lost && usable.length > 0) routes = [...routes, { where: [], notify: usable, also: false }];
  }
  const base = options.configPath === null ? options.cwd : dirname(resolve(options.cwd, options.configPath));
  const config: Config = {
    path: options.configPath === null ? null : resolve(options.cwd, options.configPath),
    sources,
    channels,
    routes,
    labels,
    stateDir: resolve(base, values.state?.dir ?? '.tocsin'),
    ...stateOriginOf(mapping),
    admin: readAdmin(values, reading),
    rules: kept,
    files: files.texts,
    ruleGlobs: gatherer.globs,
    secretFiles: [...files.secretHashes.keys()].sort(),
    hash: hashOf(options, files, reading),
  };
  const unusable = new Set(
    channels.filter((channel) => channel.unusable !== null).map((channel) => `channel ${channel.name}`),
  );
  for (const source of sources)
    if (source.kind === 'http' && source.unusable !== null) unusable.add(`source ${source.name}`);
  return {
    config,
    problems: inOrder(reading.problems),
    setAside: ({ code, scope }) =>
      settingAside.has(code) && scope !== null && unusable.has(`${scope.kind} ${scope.name}`),
  };
}

function readMain(
  options: LoadOptions,
  files: FileReader,
  reading: Reading,
): { readonly values: MainValues; readonly mapping: YamlMap | null } | null {
  if (options.configPath === null) return { values: {}, mapping: null };
  const mapping = files.yaml(resolve(options.cwd, options.configPath), reading, null);
  const values = mapping ? mainShape.read(mapping, reading) : undefined;
  return values && mapping ? { values, mapping } : null;
}

function readSources(values: MainValues, options: LoadOptions, reading: Reading): Config['sources'] {
  const own = makeSources(values.sources, reading);
  warnOfSameFiles(own, values.sources, reading);
  refuseSameAddress(own, values.sources, reading);
  warnOfOpenAddresses(own, values.sources, reading);
  const { files, stdin } = options.extra;
  return [
    ...own,
    ...commandLineSources({ files, stdin, cwd: options.cwd }, new Set(own.map((source) => source.name))),
  ];
}

function readChannels(
  values: MainValues,
  options: LoadOptions,
  reading: Reading,
): { readonly all: ChannelConfig[]; readonly extra: ChannelConfig[] } {
  const own: ChannelConfig[] = [];
  const mappings = new Map<string, YamlMap>();
  for (const [name, { value }] of values.channels ?? []) {
    const channel = makeChannel(name, value, options.channelKinds, reading.within('channel', name));
    if (channel) own.push(channel);
    mappings.set(name, value);
  }
  const extra = commandLineChannels(options.extra, options.channelKinds, new Set(mappings.keys()), reading);
  const all = [...own, ...extra];
  checkFallbacks(all, mappings, reading);
  return { all, extra };
}

function gatherRules(
  values: MainValues,
  options: LoadOptions,
  files: FileReader,
  reading: Reading,
): RuleGatherer {
  const gatherer = new RuleGatherer(files, reading, values.defaults);
  const named: PackRequest[] = [...(values.packs ?? [])];
  for (const name of options.extra.packs) {
    if (!named.some((pack) => pack.name === name)) named.push({ name, node: null, settings: {} });
  }
  for (const pack of named) gatherer.addPack(pack, options.packsDir);
  gatherer.addListed(values.rules);
  for (const path of options.extra.rules ?? []) gatherer.addFile(resolve(options.cwd, path), null);
  return gatherer;
}

function checkNeeds(
  found: {
    readonly sources: Config['sources'];
    readonly rules: readonly Rule[];
    readonly mapping: YamlMap | null;
    readonly needs: readonly string[];
    readonly options: LoadOptions;
  },
  reading: Reading,
): void {
  const { sources, rules, mapping, needs, options } = found;
  const file = options.configPath === null ? 'command line' : resolve(options.cwd, options.configPath);
  const origin = { file, line: 1, column: 1, length: 1 };
  const broken = reading.problems.some((problem) => problem.level === 'error');
  // Without a main file the command line decides whether it needs something to read.
  if (mapping && needs.includes('sources') && sources.length === 0 && !writesSources(mapping)) {
    reading.errorAt(
      'E_NO_SOURCES',
      origin,
      '',
      'there is nothing to read',
      'name log files on the command line, or add `sources:` to the configuration',
    );
  }
  // Where files or rules are broken, their own problems say more.
  if (needs.includes('rules') && rules.length === 0 && !broken) {
    reading.errorAt(
      'E_NO_RULES',
      origin,
      '',
      'there are no rules, so nothing would ever ring',
      'say `--pack celery`, or add `packs:` or `rules:` to the configuration',
    );
  }
}

/** Whether anything stands under `sources:`; what is wrong with it was said there. */
function writesSources(mapping: YamlMap): boolean {
  const value = entryOf(mapping, 'sources')?.value;
  return value !== undefined && (value.kind !== 'map' || value.entries.length > 0);
}

function stateOriginOf(mapping: YamlMap | null): Pick<Config, 'stateOrigin'> {
  const node = mapping && entryOf(mapping, 'state')?.value;
  return node ? { stateOrigin: originOf(node) } : {};
}

function readAdmin(values: MainValues, reading: Reading): Config['admin'] {
  const found = values.admin;
  if (!found?.value.listen) return null;
  const fileNode = found.node.kind === 'map' ? entryOf(found.node, 'token_file')?.value : undefined;
  const token =
    found.value.token ??
    (fileNode?.kind === 'scalar' ? reading.deps.files.secret(fileNode, reading) : undefined);
  return { listen: found.value.listen, token: token === undefined ? null : new Secret(token) };
}

/** Defaults, aliases and packs repeat patterns: each text is compiled once a load. */
function remembering(language: RuleLanguage): RuleLanguage {
  const patterns = new Map<string, ReturnType<RuleLanguage['checkPattern']>>();
  const templates = new Map<string, ReturnType<RuleLanguage['checkTemplate']>>();
  return {
    checkPattern: (text) => remembered(patterns, text, language.checkPattern),
    checkTemplate: (text) => remembered(templates, text, language.checkTemplate),
    parseRule: language.parseRule,
  };
}

function remembered<T>(known: Map<string, T>, text: string, check: (text: string) => T): T {
  const found = known.get(text) ?? check(text);
  known.set(text, found);
  return found;
}

/** Over all that the configuration is made of. Secrets and the environment go in as they are and can't be read back. */
function hashOf(options: LoadOptions, files: FileReader, reading: Reading): string {
  const hash = createHash('sha256');
  const add = (value: unknown) => hash.update(`${JSON.stringify(value)}\n`);
  add(options.configPath);
  add(options.extra);
  for (const [path, text] of [...files.texts].sort(([a], [b]) => (a < b ? -1 : 1))) add([path, text]);
  add([...files.secretHashes].sort());
  add([...reading.usedEnv].sort().map((name) => [name, options.env[name] ?? null]));
  return hash.digest('hex');
}
