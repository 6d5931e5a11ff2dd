/**
 * Keeps the configuration: loads it, proves it, falls back to the last good copy at a start, and looks for changes while running.
 * A bad edit is a value here, never an exception: the keeper says what is wrong and leaves what runs as it is.
 */
import { createHash } from 'node:crypto';
import { dirname, resolve } from 'node:path';
import { type LoadOptions, loadConfig, loadPartial } from '../config/config.ts';
import { keptFiles } from '../config/files.ts';
import type { Config } from '../model/config.ts';
import type { Problem } from '../model/problem.ts';
import type { Rule } from '../model/rule.ts';
import type { Store } from '../model/store.ts';
import { type RuleTestDeps, runRuleTests } from './rule-tests.ts';

/** Where the last good configuration is kept in the state. */
const metaKey = 'last_good_config';

interface Kept {
  readonly configPath: string | null;
  readonly files: readonly (readonly [string, string])[];
  readonly savedAt: string;
}

/** What a load gave, and where it came from. */
export interface Loaded {
  /** Null when nothing can run. */
  readonly config: Config | null;
  readonly origin: 'files' | 'last-good' | 'partial' | 'none';
  /** Everything wrong with the files as they are now. */
  readonly problems: readonly Problem[];
  /** For `last-good`: when that copy was taken. */
  readonly savedAt: string | null;
}

/** Loads the files and runs the rules' own tests; the problems of both. */
export function loadAndProve(options: LoadOptions, tests: RuleTestDeps): Loaded {
  const parsed = loadConfig(options);
  const failed = testProblems(parsed.rules, tests, options.packsDir);
  const problems = [...parsed.problems, ...failed];
  return parsed.ok && failed.length === 0
    ? { config: parsed.value, origin: 'files', problems, savedAt: null }
    : { config: null, origin: 'none', problems, savedAt: null };
}

/**
 * Failures of the rules' own tests, as problems at the place of the test. Rules of `provenDir` are left out: the packs that ship
 * with the program were proven with it, and an `override` is meant to change what their tests expect.
 */
export function testProblems(
  rules: readonly Rule[],
  tests: RuleTestDeps,
  provenDir: string | null,
): Problem[] {
  const own = rules.filter((rule) => provenDir === null || dirname(rule.origin.file) !== resolve(provenDir));
  return runRuleTests(own, tests)
    .filter((result) => result.failures.length > 0)
    .map((result) => ({
      code: 'E_RULE_TEST',
      level: 'error',
      origin: result.origin,
      keyPath: `${result.rule}.tests`,
      message: `the rule ${result.rule} fails its own test ${JSON.stringify(result.test)}: ${result.failures.join('; ')}`,
      hint: 'correct the rule, or what its test expects',
      scope: { kind: 'rule', name: result.rule },
    }));
}

/** At a start with bad files: the last good copy, else whatever part of the files can run. */
export function loadAtStart(options: LoadOptions, tests: RuleTestDeps, store: Store): Loaded {
  const fresh = loadAndProve(options, tests);
  if (fresh.config) return fresh;
  const kept = readKept(store);
  if (kept && kept.configPath === options.configPath) {
    const again = loadConfig({ ...options, files: keptFiles(new Map(kept.files), options.files) });
    if (again.ok)
      return { config: again.value, origin: 'last-good', problems: fresh.problems, savedAt: kept.savedAt };
  }
  const partial = loadPartial(options);
  if (!partial.ok) return { config: null, origin: 'none', problems: fresh.problems, savedAt: null };
  const broken = new Set(
    testProblems(partial.value.rules, tests, options.packsDir).map((problem) => problem.scope?.name),
  );
  const rules = partial.value.rules.filter((rule) => !broken.has(rule.id));
  return { config: { ...partial.value, rules }, origin: 'partial', problems: fresh.problems, savedAt: null };
}

/** Notes a configuration that runs as the last good one; durable with the next commit. */
export function keepGood(store: Store, config: Config, now: number): void {
  const kept: Kept = {
    configPath: config.path,
    files: [...config.files],
    savedAt: new Date(now).toISOString(),
  };
  const text = JSON.stringify(kept);
  const known = readKept(store);
  if (known && fingerprint(known) === fingerprint(kept)) return;
  store.setMeta(metaKey, text);
}

function readKept(store: Store): Kept | null {
  try {
    const text = store.getMeta(metaKey);
    return text === undefined ? null : (JSON.parse(text) as Kept);
  } catch {
    return null;
  }
}

function fingerprint(kept: Kept): string {
  return createHash('sha256').update(JSON.stringify(kept.files)).digest('hex');
}

/**
 * The state directory of a configuration that can't be read: what a look at its text suggests, else the default beside it.
 * Needed to find the last good copy of that very configuration.
 */
export function guessStateDir(options: LoadOptions): string {
  if (options.configPath === null) return resolve(options.cwd, '.tocsin');
  const base = dirname(options.configPath);
  const read = options.files.read(options.configPath);
  const text = read.ok ? read.text : '';
  const found = /^state:\s*(?:\{\s*|\n\s+)dir:\s*['"]?([^\s'"#},]+)/m.exec(text)?.[1];
  const dir = found?.replace(
    /\$\{(\w+)(?::-([^}]*))?\}/g,
    (_all, name: string, other?: string) => options.env[name] ?? other ?? '',
  );
  if (dir !== undefined && dir !== '') return resolve(base, dir);
  return resolve(base, '.tocsin');
}
