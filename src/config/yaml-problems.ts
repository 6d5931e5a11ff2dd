/**
 * The problems of a file's YAML itself, each at its place: what the parser complained of, in our words (`yaml-messages.ts`), one a
 * line and a few in all; and the keys that it takes but we don't. Makes problems only: reads no text, and knows nothing of the
 * parser's types.
 */
import type { Problem, ProblemCode } from '../model/problem.ts';
import { originAt, quoteShort, type YamlFile, type YamlNode, type YamlScalar } from './nodes.ts';
import { explainYaml } from './yaml-messages.ts';

/** Syntax problems that are shown of one file: one slip causes a row of them. */
const syntaxProblemsMax = 5;

/** An error or a warning of the parser, with its place in the text. */
export interface ParserComplaint {
  readonly code: string;
  readonly message: string;
  readonly pos: readonly [number, number];
}

/** One problem a line, a few a file: one slip makes the parser stumble several times. `second`: where a second document begins. */
export function syntaxProblems(
  file: YamlFile,
  complaints: readonly ParserComplaint[],
  second: number | null,
): Problem[] {
  const errors = [...complaints];
  if (second !== null) errors.push({ code: 'MULTIPLE_DOCS', message: '', pos: [second, second + 3] });
  const problems: Problem[] = [];
  const lines = new Set<number>();
  for (const { code, message, pos } of errors.sort((a, b) => a.pos[0] - b.pos[0])) {
    const said = explainYaml(code, message, file.text, pos[0]);
    const found = yamlProblem(file, said.code, pos[0], pos[1], said.message, said.hint);
    if (lines.has(found.origin.line) || problems.length >= syntaxProblemsMax) continue;
    lines.add(found.origin.line);
    problems.push(found);
  }
  return problems;
}

/** What the parser would read on with, and we don't. */
export function warningProblem(file: YamlFile, { code, message, pos }: ParserComplaint): Problem {
  const said = explainYaml(code, message, file.text, pos[0]);
  return yamlProblem(file, 'E_YAML_WARNING', pos[0], pos[1], said.message, said.hint);
}

/** A key that is a list or a map. */
export function noWordProblem({ file, start, end }: YamlNode): Problem {
  const hint = 'put quotes around text that begins with { or [';
  return yamlProblem(file, 'E_YAML_SYNTAX', start, end, 'a key must be a word, found a list or a map', hint);
}

/** What is wrong with a key in its map; `earlier` is the same key before it, if there is one. */
export function keyProblems(key: YamlScalar, earlier: YamlScalar | undefined): Problem[] {
  const { file, start, end } = key;
  const problems: Problem[] = [];
  if (earlier) {
    const { line } = originAt(file, earlier.start, earlier.end);
    const message = `the key ${quoteShort(key.text)} is given twice, first in line ${line}`;
    const hint = 'keep one of them: the other would be lost';
    problems.push(yamlProblem(file, 'E_YAML_DUPLICATE_KEY', start, end, message, hint));
  }
  if (key.text === '<<' && key.style === 'plain') {
    const hint = 'put what rules share under `defaults:`, or write the keys out';
    problems.push(yamlProblem(file, 'E_YAML_ALIAS', start, end, 'merge keys (<<) are not read', hint));
  }
  return problems;
}

/** A problem at a place of the text. */
export function yamlProblem(
  file: YamlFile,
  code: ProblemCode,
  start: number,
  end: number,
  message: string,
  hint: string | null,
): Problem {
  return {
    code,
    level: 'error',
    origin: originAt(file, start, end),
    keyPath: '',
    message,
    hint,
    scope: null,
  };
}
