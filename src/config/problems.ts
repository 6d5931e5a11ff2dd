/** Puts problems in the order a person reads them: by file, line and column, each place and complaint once. */
import type { Problem } from '../model/problem.ts';

/** A file that is wrong in every line is one problem; nobody reads the rest. */
const problemsMax = 500;

/** Sorted by place, errors before warnings of the same place; at most 500. */
export function inOrder(problems: readonly Problem[]): Problem[] {
  const seen = new Set<string>();
  const unique = problems.filter((problem) => {
    const { file, line, column } = problem.origin;
    const key = JSON.stringify([problem.code, file, line, column, problem.message]);
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
  const rank = (problem: Problem) => (problem.level === 'error' ? 0 : 1);
  unique.sort(
    (a, b) =>
      compare(a.origin.file, b.origin.file) ||
      a.origin.line - b.origin.line ||
      a.origin.column - b.origin.column ||
      rank(a) - rank(b),
  );
  if (unique.length <= problemsMax) return unique;
  // Errors first: a cut must never turn a refused configuration into a loaded one.
  return [...unique.filter((one) => rank(one) === 0), ...unique.filter((one) => rank(one) === 1)].slice(
    0,
    problemsMax,
  );
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
