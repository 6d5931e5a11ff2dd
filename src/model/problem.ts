/**
 * What is wrong with a person's text, as values: all of them at once, each with a place, a code, what was found
 * and what to write instead. Nothing is thrown while a configuration is read.
 */

/** A place in a file. Lines and columns count from 1. */
export interface Origin {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** Characters that a frame underlines; 1 where it is not known. */
  readonly length: number;
}

/** Every code has a heading in README.md, and a test says so. */
export const problemCodes = [
  'E_FILE_MISSING',
  'E_FILE_SIZE',
  'E_FILE_TYPE',
  'E_FILE_ENCODING',
  'E_YAML_SYNTAX',
  'E_YAML_WARNING',
  'E_YAML_DEPTH',
  'E_YAML_ALIAS',
  'E_YAML_DUPLICATE_KEY',
  'E_YAML_DOCUMENTS',
  'E_EMPTY',
  'E_TYPE',
  'E_UNKNOWN_KEY',
  'E_MISSING_KEY',
  'E_VALUE',
  'E_DURATION',
  'E_REGEX',
  'E_TEMPLATE',
  'E_DUPLICATE_ID',
  'E_UNKNOWN_CHANNEL',
  'E_UNKNOWN_SOURCE',
  'E_UNKNOWN_PACK',
  'E_UNKNOWN_RULE',
  'E_NO_DESTINATION',
  'E_NO_RULES',
  'E_ENV_UNSET',
  'E_SECRET_FILE',
  'E_JOIN',
  'E_PATH',
  'E_RULE_TEST',
  'W_MATCHES_ALL',
  'W_UNKNOWN_FIELD',
  'W_NO_TESTS',
  'W_SAME_FILE',
  'W_OPEN_ADDRESS',
  'E_PROXY',
  'E_NO_SOURCES',
  'W_NO_FILES',
] as const;
export type ProblemCode = (typeof problemCodes)[number];

export interface Problem {
  readonly code: ProblemCode;
  readonly level: 'error' | 'warning';
  readonly origin: Origin;
  /** `rules[2].match`, or '' for a whole file. */
  readonly keyPath: string;
  /** What is wrong, and what was found. */
  readonly message: string;
  /** What to write instead, or null. */
  readonly hint: string | null;
  /** Set when only one rule or channel is hit, so that the rest can run without it. */
  readonly scope: { readonly kind: 'rule' | 'channel' | 'source'; readonly name: string } | null;
}

/** A problem as other programs read it: `check --json` and `status --json`. */
export interface ProblemRow {
  readonly code: ProblemCode;
  readonly level: Problem['level'];
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly path: string;
  readonly message: string;
  readonly hint: string | null;
}

export function problemRows(problems: readonly Problem[]): ProblemRow[] {
  return problems.map(({ code, level, origin, keyPath, message, hint }) => ({
    code,
    level,
    file: origin.file,
    line: origin.line,
    column: origin.column,
    path: keyPath,
    message,
    hint,
  }));
}

/** Either a value (with warnings), or everything that is wrong. */
export type Parsed<T> =
  | { readonly ok: true; readonly value: T; readonly problems: readonly Problem[] }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** Something in the world went wrong; `message` says what was tried, on what, and what happens next. */
export class TocsinError extends Error {
  readonly code: string;
  constructor(code: string, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'TocsinError';
    this.code = code;
  }
}

/** The compiler's reviewer: a union that grew is an error where it is not handled. */
export function assertNever(value: never): never {
  throw new TypeError(`unhandled case: ${JSON.stringify(value)}`);
}
