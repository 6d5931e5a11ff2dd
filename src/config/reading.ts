/**
 * One pass over checked text: collects problems with their places, knows whose they are (which rule or channel), and
 * puts the environment into scalars. Every reader is handed one of these; none of them throws.
 */
import type { Origin, Problem, ProblemCode } from '../model/problem.ts';
import type { Rule } from '../model/rule.ts';
import { originAt, originOf, pathOf, type YamlMap, type YamlNode, type YamlScalar } from './nodes.ts';

/** What the language of rules knows and this room must not: given by `rules/language.ts`. */
export interface RuleLanguage {
  /** RE2: named groups, or what is wrong and what to write instead. */
  checkPattern(text: string): PatternCheck;
  /** Liquid: the variables it reads, or what is wrong at which place of the text. */
  checkTemplate(text: string): TemplateCheck;
  /** A rule's mapping, defaults already merged in, to a Rule; null when it is broken (problems say why). */
  parseRule(mapping: YamlMap, reading: Reading): Rule | null;
}
export type PatternCheck =
  | { readonly ok: true; readonly groups: readonly string[]; readonly matchesEverything: boolean }
  | { readonly ok: false; readonly message: string; readonly hint: string | null };
export type TemplateCheck =
  | { readonly ok: true; readonly variables: readonly string[] }
  | {
      readonly ok: false;
      readonly message: string;
      readonly hint: string | null;
      /** In the template's text, from 1. */
      readonly line: number;
      readonly column: number;
    };

/** Files a rule or channel may read while it is checked: lists for `in_file`, secrets. */
export interface SideFiles {
  /** A text file named by a node, relative to the node's own file; undefined after a problem was reported. */
  text(node: YamlScalar, reading: Reading): { readonly path: string; readonly text: string } | undefined;
  /** A secret's text, trimmed; it is kept nowhere. Undefined after a problem was reported. */
  secret(node: YamlScalar, reading: Reading): string | undefined;
}

export interface ReadingDeps {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly language: RuleLanguage;
  readonly files: SideFiles;
}

/** Keys that have a `_file` beside them. */
const secretKeys = ['url', 'secret', 'token'];

/** `${NAME}` and `${NAME:-default}`; `$${` stands for a plain `${`. */
const variable = /\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}/g;

export class Reading {
  readonly problems: Problem[];
  readonly deps: ReadingDeps;
  readonly scope: Problem['scope'];
  /** Errors reported through this reading (and not through those made of it). */
  errors = 0;
  /** Variables that were looked up, for the hash of the configuration. */
  readonly usedEnv: Set<string>;

  constructor(deps: ReadingDeps, parent: Reading | null = null, scope: Problem['scope'] = null) {
    this.deps = deps;
    this.problems = parent?.problems ?? [];
    this.usedEnv = parent?.usedEnv ?? new Set();
    this.scope = scope;
  }

  /** The same pass, with problems that concern one rule, channel or source. */
  within(kind: 'rule' | 'channel' | 'source', name: string): Reading {
    return new Reading(this.deps, this, { kind, name });
  }

  error(code: ProblemCode, node: YamlNode, message: string, hint: string | null): undefined {
    return this.#report('error', code, originOf(node), pathOf(node), message, hint);
  }
  warn(code: ProblemCode, node: YamlNode, message: string, hint: string | null): undefined {
    return this.#report('warning', code, originOf(node), pathOf(node), message, hint);
  }
  /** At a character of a scalar's text, `length` characters long. */
  errorInside(
    code: ProblemCode,
    node: YamlScalar,
    span: { readonly start: number; readonly end: number },
    said: { readonly message: string; readonly hint: string | null },
  ): undefined {
    return this.#report(
      'error',
      code,
      originAt(node.file, span.start, span.end),
      pathOf(node),
      said.message,
      said.hint,
    );
  }
  /** At a place that is no node: the command line, a whole file. */
  errorAt(
    code: ProblemCode,
    origin: Origin,
    keyPath: string,
    message: string,
    hint: string | null,
  ): undefined {
    return this.#report('error', code, origin, keyPath, message, hint);
  }

  #report(
    level: Problem['level'],
    code: ProblemCode,
    origin: Origin,
    keyPath: string,
    message: string,
    hint: string | null,
  ): undefined {
    if (level === 'error') this.errors += 1;
    this.problems.push({ code, level, origin, keyPath, message, hint, scope: this.scope });
    return undefined;
  }

  /** The scalar's text with the environment put in; undefined after a problem was reported. What is put in is never read as YAML. */
  expand(node: YamlScalar): string | undefined {
    if (!node.text.includes('${')) return node.text;
    let missing: string | null = null;
    const text = node.text.replace(
      variable,
      (whole, name: string | undefined, fallback: string | undefined) => {
        if (name === undefined) return '${';
        this.usedEnv.add(name);
        // A variable that is set to nothing is as good as unset: nobody means an empty URL.
        const value = this.deps.env[name] ?? '';
        if (value !== '') return value;
        if (fallback === undefined) missing ??= name;
        return fallback ?? whole;
      },
    );
    if (missing === null) return text;
    return this.error(
      'E_ENV_UNSET',
      node,
      `\${${missing}} is ${this.deps.env[missing] === undefined ? 'not set' : 'empty'} in the environment`,
      this.scope?.kind !== 'rule' && secretKeys.includes(String(node.key))
        ? `set it; or read a secret from a file: \`${String(node.key)}_file: /run/secrets/NAME\``
        : `set it, or write \${${missing}:-default}`,
    );
  }
}
