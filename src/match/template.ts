/**
 * The only door to liquidjs. Takes the text of a template, gives something that renders it over fields. Log text in values
 * is never read as a template. Plain `{{ name }}` templates, which most are, are rendered here; the engine is loaded at the
 * first template that needs it, since it costs 18 MB.
 */
import { createRequire } from 'node:module';
import type { Liquid, Template as LiquidNode } from 'liquidjs';

export interface Template {
  readonly text: string;
  /** Dotted paths of the variables that must be given. */
  readonly variables: readonly string[];
  /** Never throws: where the engine gives up, names are put in and the rest of the markup is left out. */
  render(scope: Readonly<Record<string, unknown>>): string;
}

export type ParsedTemplate =
  | { readonly ok: true; readonly template: Template }
  | {
      readonly ok: false;
      readonly message: string;
      /** From 1, within the template. */
      readonly line: number;
      readonly column: number;
      readonly hint: string | null;
    };

/** Longest template, in characters. */
const maxTemplateLength = 16_384;
/** Milliseconds that one rendering may take, characters of a template, and units of memory (liquidjs's own measure). */
const renderLimitMs = 500;
const parseLimit = 100_000;
const memoryLimit = 1_000_000;
/** Longest rendered text; templates are titles and messages. */
const maxOutput = 65_536;

const output = /\{\{-?\s*([A-Za-z_][\w-]*(?:\.[\w-]+)*)\s*-?\}\}/g;
const words = new Set(['true', 'false', 'nil', 'null', 'empty', 'blank', 'size', 'first', 'last']);

let engine: Liquid | null = null;

function liquid(): Liquid {
  if (engine === null) {
    const require = createRequire(import.meta.url);
    const library = require('liquidjs') as typeof import('liquidjs');
    engine = new library.Liquid({
      relativeReference: false,
      ownPropertyOnly: true,
      strictFilters: true,
      strictVariables: false,
      renderLimit: renderLimitMs,
      parseLimit,
      memoryLimit,
      dynamicPartials: false,
      // Objects and lists show as they do in a plain template.
      outputEscape: asText,
      // No template may reach a file.
      fs: {
        exists: async () => false,
        existsSync: () => false,
        readFile: async () => '',
        readFileSync: () => '',
        resolve: (_root: string, file: string) => file,
      },
    });
  }
  return engine;
}

function asText(value: unknown): string {
  if (value === undefined || value === null) return '';
  if (typeof value === 'string') return value;
  if (Array.isArray(value)) return value.map(asText).join('');
  if (typeof value === 'object') return JSON.stringify(value);
  return String(value);
}

/** A value by its path: own properties only. */
function valueAt(scope: Readonly<Record<string, unknown>>, path: readonly string[]): unknown {
  let value: unknown = scope;
  for (const name of path) {
    if (value === null || typeof value !== 'object' || !Object.hasOwn(value, name)) return undefined;
    value = (value as Record<string, unknown>)[name];
  }
  return value;
}

class PlainTemplate implements Template {
  readonly text: string;
  readonly variables: readonly string[];
  readonly #parts: readonly (string | readonly string[])[];

  constructor(text: string) {
    this.text = text;
    const parts: (string | string[])[] = [];
    const names: string[] = [];
    let at = 0;
    for (const found of text.matchAll(output)) {
      let before = text.slice(at, found.index);
      if (found[0].startsWith('{{-')) before = before.trimEnd();
      const path = (found[1] ?? '').split('.');
      parts.push(before, path);
      names.push(path.join('.'));
      at = found.index + found[0].length;
      if (found[0].endsWith('-}}')) while (/\s/.test(text[at] ?? '')) at++;
    }
    parts.push(text.slice(at));
    this.#parts = parts;
    this.variables = [...new Set(names)];
  }

  render(scope: Readonly<Record<string, unknown>>): string {
    let text = '';
    for (const part of this.#parts) text += typeof part === 'string' ? part : asText(valueAt(scope, part));
    return text.slice(0, maxOutput);
  }
}

/**
 * Puts the plain value that a path leads to, or that stands on its way (Liquid knows the size of a text), into `values`, and at
 * which step it was; false where there is none.
 */
function addPlain(
  scope: Readonly<Record<string, unknown>>,
  path: readonly string[],
  values: unknown[],
): boolean {
  let value: unknown = scope;
  let step = 0;
  for (const name of path) {
    if (value === null || typeof value !== 'object') break;
    if (value !== scope && !Object.hasOwn(value, name)) return false;
    value = (value as Record<string, unknown>)[name];
    step++;
  }
  values.push(value, step);
  return value === null || typeof value !== 'object';
}

/** What gives another result each time: the clock, which dates may ask for, chance, and counters. */
const changing = /date|sample|increment|decrement/;
/** They count in what they are given. */
const counters = /increment|decrement/;

class LiquidTemplate implements Template {
  readonly text: string;
  readonly variables: readonly string[];
  readonly #nodes: LiquidNode[];
  readonly #paths: readonly (readonly string[])[] | null;
  /** What it gave last, and for which values: rules that share a template ask it for one record in turn. */
  #last: { readonly values: readonly unknown[]; readonly text: string } | null = null;

  constructor(text: string, nodes: LiquidNode[], variables: readonly string[]) {
    this.text = text;
    this.#nodes = nodes;
    this.variables = variables;
    const told = !changing.test(text) && !variables.some((path) => path.includes('['));
    this.#paths = told ? variables.map((path) => path.split('.')) : null;
  }

  render(scope: Readonly<Record<string, unknown>>): string {
    if (this.#paths === null) return this.#render(scope);
    const values: unknown[] = [];
    for (const path of this.#paths) if (!addPlain(scope, path, values)) return this.#render(scope);
    if (this.#last === null || values.some((value, index) => !Object.is(value, this.#last?.values[index])))
      this.#last = { values, text: this.#render(scope) };
    return this.#last.text;
  }

  #render(scope: Readonly<Record<string, unknown>>): string {
    try {
      const own = counters.test(this.text) ? { ...scope } : scope;
      return String(liquid().renderSync(this.#nodes, own)).slice(0, maxOutput);
    } catch {
      // A limit, or a filter that can't take this value: names are better than nothing.
      return this.text
        .replace(output, (_, path: string) => asText(valueAt(scope, path.split('.'))))
        .replace(/\{\{[^}]*\}\}|\{%[^%]*%\}/g, '')
        .slice(0, maxOutput);
    }
  }
}

function isPlain(text: string): boolean {
  const rest = text.replace(output, (whole, path: string) =>
    path.split('.').some((name) => words.has(name)) ? whole : '',
  );
  return !rest.includes('{{') && !rest.includes('{%');
}

function problem(error: unknown): ParsedTemplate & { ok: false } {
  const text = error instanceof Error ? error.message : String(error);
  const place = /, line:(\d+), col:(\d+)/.exec(text);
  const message = text.replace(/, line:\d+(?:, col:\d+)?[\s\S]*$/, '').replace(/, file:.*$/, '');
  let hint: string | null = null;
  if (/undefined filter/.test(message))
    hint = 'filters are those of Liquid: `upcase`, `default`, `truncate`, `json`, ...';
  else if (/not closed/.test(message)) hint = 'close it: `{{ name }}`, `{% if x %}...{% endif %}`';
  else if (/tag .* not found/.test(message))
    hint = 'tags are those of Liquid: `{% if %}`, `{% for %}`, `{% assign %}`';
  return { ok: false, message, line: Number(place?.[1] ?? 1), column: Number(place?.[2] ?? 1), hint };
}

/** Names that Liquid takes from its own scope. */
function variablesOf(nodes: LiquidNode[]): string[] {
  const names = liquid().globalFullVariablesSync(nodes);
  return [...new Set(names.map((name) => name.replace(/\[(?:"([^"]*)"|'([^']*)'|(\d+))\]/g, '.$1$2$3')))];
}

/** Reads a template (at most 16 Ki characters). Never throws. */
export function parseTemplate(text: string): ParsedTemplate {
  if (text.length > maxTemplateLength) {
    return {
      ok: false,
      message: `the template has ${text.length} characters, at most ${maxTemplateLength} are allowed`,
      line: 1,
      column: 1,
      hint: null,
    };
  }
  if (isPlain(text)) return { ok: true, template: new PlainTemplate(text) };
  try {
    const nodes = liquid().parse(text);
    return { ok: true, template: new LiquidTemplate(text, nodes, variablesOf(nodes)) };
  } catch (error) {
    return problem(error);
  }
}
