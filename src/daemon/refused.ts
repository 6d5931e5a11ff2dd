/** A configuration that can't run: every problem of it, as the error of a start. */
import { type Problem, TocsinError } from '../model/problem.ts';

export class ConfigRefused extends TocsinError {
  readonly problems: readonly Problem[];
  constructor(problems: readonly Problem[]) {
    super(
      'E_CONFIG',
      `the configuration has ${problems.filter((one) => one.level === 'error').length} errors`,
    );
    this.problems = problems;
  }
}
