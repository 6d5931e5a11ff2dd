/**
 * A problem as text for a person: place, code, what is wrong, the line it is in with the part underlined, and what to
 * write instead. Plain text unless a painter is given. Secrets in the shown line are masked. Never throws, whatever the place.
 */
import type { Problem } from '../model/problem.ts';
import type { ConfigFiles } from './files.ts';

/** Colours, given by whoever knows the terminal. */
export interface Paint {
  red(text: string): string;
  yellow(text: string): string;
  dim(text: string): string;
  bold(text: string): string;
}
const same = (text: string): string => text;
const plain: Paint = { red: same, yellow: same, dim: same, bold: same };

/** Characters of a line that are shown; longer lines are cut around the place. */
const lineShownMax = 100;
const beforeShownMax = 50;

/**
 * `file:line:column: error CODE path`, the message, a frame and the hint, without a line break at the end. `files` is asked
 * for the text of the problem's file; without it there is no frame.
 */
export function formatProblem(
  problem: Problem,
  files: Pick<ConfigFiles, 'read'>,
  paint: Paint = plain,
): string {
  const { file, line, column } = problem.origin;
  const level = problem.level === 'error' ? paint.red('error') : paint.yellow('warning');
  const path = problem.keyPath === '' ? '' : ` ${clean(problem.keyPath)}`;
  const place = paint.bold(`${clean(file)}:${line}:${column}:`);
  const lines = [`${place} ${level} ${problem.code}${path}`, `  ${clean(problem.message)}`];
  const read = file.startsWith('/') ? files.read(file) : null;
  if (read?.ok) lines.push(...frame(problem, read.text, paint));
  if (problem.hint !== null) lines.push(`  ${paint.bold('hint:')} ${clean(problem.hint)}`);
  return lines.join('\n');
}

function frame(problem: Problem, text: string, paint: Paint): string[] {
  const { line, column, length } = problem.origin;
  if (!Number.isInteger(line) || line < 1) return [];
  const found = lineOf(text, line);
  if (found === null || found.trim() === '') return [];
  const masked = maskSecrets(found.replace(/\r$/, ''));
  const at = Math.max(0, Math.min(Number.isInteger(column) ? column - 1 : 0, masked.length));
  const from = at > lineShownMax - 20 ? Math.max(0, at - beforeShownMax) : 0;
  const cutEnd = masked.length > from + lineShownMax;
  const lead = from > 0 ? '...' : '';
  const part = masked.slice(from, from + lineShownMax);
  const number = `  ${line} | `;
  const width = Math.max(1, Math.min(Number.isInteger(length) ? length : 1, part.length - (at - from) || 1));
  // Tabs stay tabs under the line, so that the mark stands where the terminal puts the text.
  const pad = part.slice(0, at - from).replace(/[^\t]/g, ' ');
  const under = `${' '.repeat(number.length - 2)}| ${' '.repeat(lead.length)}${pad}`;
  const mark = '^'.repeat(width);
  return [
    `${paint.dim(number)}${lead}${visible(part)}${cutEnd ? '...' : ''}`,
    `${paint.dim(under)}${problem.level === 'error' ? paint.red(mark) : paint.yellow(mark)}`,
  ];
}

function lineOf(text: string, line: number): string | null {
  let start = 0;
  for (let left = line; left > 1; left--) {
    const next = text.indexOf('\n', start);
    if (next === -1) return null;
    start = next + 1;
  }
  const end = text.indexOf('\n', start);
  return text.slice(start, end === -1 ? undefined : end);
}

/**
 * The path of a URL is often its secret; so is what stands before its host, and what stands behind a key with such a name. Lengths
 * stay.
 */
function maskSecrets(line: string): string {
  const stars = (text: string) => '*'.repeat(text.length);
  return line
    .replace(/(\w+:\/\/)([^/\s'"@]+)@/g, (_all, scheme: string, user: string) => `${scheme}${stars(user)}@`)
    .replace(
      /(\w+:\/\/[^/?\s'"]*[/?])([^\s'",}]+)/g,
      (_all, host: string, path: string) => host + stars(path),
    )
    .replace(
      /((?:secret|token|password|passwd|routing_key|api_?key|integration_key)['"]?\s*:\s*['"]?)([^\s'",}{$][^\s'",}]*)/gi,
      (_all, key: string, value: string) => key + stars(value),
    );
}

/** Control characters become blanks of the same width; a terminal must not obey a configuration file. */
function visible(text: string): string {
  return text.replace(
    /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2066-\u2069]/g,
    '\u00b7',
  );
}

function clean(text: string): string {
  return visible(text.replaceAll('\n', ' '));
}

/** "3 errors, 1 warning". */
export function countProblems(problems: readonly Problem[]): string {
  const errors = problems.filter((problem) => problem.level === 'error').length;
  const say = (count: number, word: string) => `${count} ${word}${count === 1 ? '' : 's'}`;
  return `${say(errors, 'error')}, ${say(problems.length - errors, 'warning')}`;
}
