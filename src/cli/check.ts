/** `tocsin check`: everything wrong with the configuration and the rules, at once; `tocsin test`: the rules' own tests. */

import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { readProxies } from '../channels/proxy.ts';
import { loadConfig } from '../config/config.ts';
import { testProblems } from '../daemon/keeper.ts';
import { type RuleTestResult, runRuleTests, testDeps } from '../daemon/rule-tests.ts';
import type { Config } from '../model/config.ts';
import { type Problem, problemRows, TocsinError } from '../model/problem.ts';
import { createPaint } from '../system/paint.ts';
import { type CliIo, complain, exitCodes, print, wantsColour } from './io.ts';
import { type ConfigFlags, configPathOf, loadOptions, printProblems } from './loading.ts';
import { printReport, sendTests } from './send-test.ts';

export interface CheckFlags extends ConfigFlags {
  readonly json?: boolean;
  readonly sendTest?: boolean;
}

export async function check(io: CliIo, flags: CheckFlags): Promise<number> {
  const configPath = configPathOf(io, flags, false);
  if (configPath === null && (flags.pack?.length ?? 0) === 0 && (flags.rules?.length ?? 0) === 0) {
    complain(io, 'nothing to check: there is no tocsin.yaml here; name one with --config FILE');
    return exitCodes.wrong;
  }
  const options = loadOptions(io, flags, configPath, {
    files: [],
    stdin: false,
    print: configPath === null && (flags.to?.length ?? 0) === 0,
  });
  const parsed = loadConfig(options);
  const problems = [
    ...parsed.problems,
    ...testProblems(parsed.rules, testDeps(io), null),
    ...proxyProblems(io.env),
  ];
  const wrong = problems.some((problem) => problem.level === 'error');
  if (!flags.json) {
    if (problems.length > 0) printProblems(io, problems, options);
    if (!wrong && parsed.ok) print(io, countsOf(parsed.value));
  }
  const names = !wrong && parsed.ok && flags.sendTest ? parsed.value.channels.map(({ name }) => name) : [];
  const reports = parsed.ok
    ? await sendTests(io, parsed.value, names, (report) => {
        if (!flags.json) printReport(io, report);
      })
    : [];
  if (flags.json) {
    const sent = flags.sendTest ? { send_test: reports } : {};
    print(io, JSON.stringify({ ok: !wrong, problems: problemRows(problems), ...sent }, null, 2));
  }
  if (wrong || !parsed.ok) return exitCodes.wrong;
  return reports.every((report) => report.delivered) ? exitCodes.done : exitCodes.no;
}

function countsOf({ rules, sources, channels }: Config): string {
  const count = (number: number, word: string): string => `${number} ${word}${number === 1 ? '' : 's'}`;
  const tests = rules.reduce((sum, rule) => sum + rule.tests.length, 0);
  return `ok: ${count(rules.length, 'rule')} with ${count(tests, 'test')}, ${count(sources.length, 'source')}, ${count(channels.length, 'channel')}`;
}

/** What would keep `run` from starting whatever the files say. */
function proxyProblems(env: CliIo['env']): Problem[] {
  try {
    readProxies(env);
    return [];
  } catch (error) {
    if (!(error instanceof TocsinError)) throw error;
    const origin = { file: 'environment', line: 1, column: 1, length: 1 };
    const { message } = error;
    return [{ code: 'E_PROXY', level: 'error', origin, keyPath: '', message, hint: null, scope: null }];
  }
}

export interface TestFlags extends ConfigFlags {
  readonly json?: boolean;
  readonly junit?: string;
}

/** Runs the tests of the rules in the files named, else of the whole configuration. */
export async function test(io: CliIo, files: readonly string[], flags: TestFlags): Promise<number> {
  const configPath = configPathOf(io, { ...flags, ...(files.length > 0 ? { rules: files } : {}) }, false);
  if (configPath === null && files.length === 0 && (flags.pack?.length ?? 0) === 0) {
    complain(
      io,
      'nothing to test: name rule files, a pack (--pack celery), or a configuration (--config FILE)',
    );
    return exitCodes.wrong;
  }
  const options = loadOptions(io, { ...flags, rules: files }, configPath, {
    files: [],
    stdin: false,
    print: configPath === null,
    needs: ['rules'],
  });
  const parsed = loadConfig(options);
  if (!parsed.ok) {
    printProblems(io, parsed.problems, options);
    return exitCodes.wrong;
  }
  const results = runRuleTests(parsed.value.rules, testDeps(io));
  const failed = results.filter((result) => result.failures.length > 0);
  if (flags.junit !== undefined) writeReport(resolve(io.cwd, flags.junit), junit(results));
  if (flags.json)
    print(
      io,
      JSON.stringify({ passed: results.length - failed.length, failed: failed.length, results }, null, 2),
    );
  else
    printResults(
      io,
      results,
      parsed.value.rules.filter((rule) => rule.tests.length === 0).map((rule) => rule.id),
    );
  return failed.length > 0 ? exitCodes.no : exitCodes.done;
}

function printResults(io: CliIo, results: readonly RuleTestResult[], untested: readonly string[]): void {
  const colour = createPaint({ colours: wantsColour(io, io.stdout) });
  for (const result of results) {
    if (result.failures.length === 0) continue;
    const { file, line } = result.origin;
    print(io, `${colour.red('FAILED')} ${result.rule}: ${result.test} (${file}:${line})`);
    for (const failure of result.failures) print(io, `    ${failure}`);
  }
  if (untested.length > 0) print(io, `without tests: ${untested.join(', ')}`);
  const failed = results.filter((result) => result.failures.length > 0).length;
  print(io, `${results.length - failed} passed, ${failed} failed`);
}

function writeReport(path: string, text: string): void {
  try {
    writeFileSync(path, text);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new TocsinError('E_WRITE', `cannot write the report ${path}: ${why}`, { cause: error });
  }
}

function junit(results: readonly RuleTestResult[]): string {
  const xml = (text: string): string =>
    text
      .replace(/[<>&"']/g, (one) => `&#${one.charCodeAt(0)};`)
      .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/g, '\ufffd');
  const cases = results.map((result) => {
    const failures = result.failures.map((text) => `<failure message="${xml(text)}"/>`).join('');
    return `  <testcase classname="${xml(result.rule)}" name="${xml(result.test)}">${failures}</testcase>`;
  });
  const failed = results.filter((result) => result.failures.length > 0).length;
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuite name="tocsin" tests="${results.length}" failures="${failed}">\n${cases.join('\n')}\n</testsuite>\n`;
}
