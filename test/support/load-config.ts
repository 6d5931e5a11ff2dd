/** Loads configuration for a test: from texts in memory, or from a real folder, with the real kinds of channels. */
import { channelKinds } from '../../src/channels/channels.ts';
import {
  type ExtraConfig,
  type LoadOptions,
  loadConfig,
  loadPartial,
  type ParsedConfig,
} from '../../src/config/config.ts';
import { type ConfigFiles, keptFiles } from '../../src/config/files.ts';
import type { Config } from '../../src/model/config.ts';
import type { Parsed, Problem } from '../../src/model/problem.ts';
import type { Rule } from '../../src/model/rule.ts';
import { ruleLanguage } from '../../src/rules/language.ts';

export interface TestLoad {
  readonly files?: ConfigFiles;
  readonly path?: string | null;
  readonly extra?: Partial<ExtraConfig>;
  readonly env?: Readonly<Record<string, string>>;
  readonly packsDir?: string;
  readonly needs?: LoadOptions['needs'];
}

export function testOptions(texts: Readonly<Record<string, string>>, load: TestLoad = {}): LoadOptions {
  const map = new Map(
    Object.entries(texts).map(([name, text]) => [name.startsWith('/') ? name : `/etc/tocsin/${name}`, text]),
  );
  return {
    files: load.files ?? keptFiles(map),
    configPath: load.path === undefined ? '/etc/tocsin/tocsin.yaml' : load.path,
    cwd: '/etc/tocsin',
    packsDir: load.packsDir ?? '/usr/share/tocsin/rules',
    extra: { packs: [], files: [], stdin: false, to: [], print: false, ...load.extra },
    env: load.env ?? {},
    channelKinds,
    language: ruleLanguage,
    ...(load.needs ? { needs: load.needs } : {}),
  };
}

/** Texts by name; a relative name lies beside the main file `tocsin.yaml`. */
export function load(texts: Readonly<Record<string, string>>, options: TestLoad = {}): ParsedConfig {
  return loadConfig(testOptions(texts, options));
}

export function loadWhatRuns(
  texts: Readonly<Record<string, string>>,
  options: TestLoad = {},
): Parsed<Config> {
  return loadPartial(testOptions(texts, options));
}

/** The Config, or a failure that shows every problem. */
export function loaded<T>(parsed: Parsed<T>): T {
  if (parsed.ok) return parsed.value;
  throw new Error(
    parsed.problems
      .map((problem) => `${problem.origin.line}:${problem.origin.column} ${problem.code} ${problem.message}`)
      .join('\n'),
  );
}

/** `CODE line:column`, the short form that tests compare. */
export function places(parsed: { readonly problems: readonly Problem[] }): string[] {
  return parsed.problems.map((problem) => `${problem.code} ${problem.origin.line}:${problem.origin.column}`);
}

/** Rules of one rules file, printing to the console channel. */
export function loadRules(text: string): Parsed<readonly Rule[]> {
  const parsed = load({ 'rules.yaml': text }, { path: null, extra: { rules: ['rules.yaml'], print: true } });
  return parsed.ok ? { ...parsed, value: parsed.value.rules } : parsed;
}

/** One rule from its keys, as YAML without the dash. */
export function loadRule(keys: string): Rule {
  const indented = keys
    .trim()
    .split('\n')
    .map((line, index) => (index === 0 ? `  - ${line}` : `    ${line}`))
    .join('\n');
  const rule = loaded(loadRules(`rules:\n${indented}\n`))[0];
  if (!rule) throw new Error('no rule');
  return rule;
}
export { loaded as valueOf };
