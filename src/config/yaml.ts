/**
 * The door to the yaml package: text in, nodes with places or problems out. Guards before it parses (depth) and takes every
 * warning of the parser as an error, since each is a silent trap (`host: !eng` loses its tag). One file is one document with a map
 * at its top. Never throws.
 */
import {
  Composer,
  type Document,
  isAlias,
  isMap,
  isPair,
  isScalar,
  isSeq,
  Lexer,
  type Node,
  Parser,
  type Scalar,
} from 'yaml';
import type { Problem } from '../model/problem.ts';
import {
  quoteShort,
  type YamlEntry,
  type YamlFile,
  type YamlMap,
  type YamlNode,
  type YamlScalar,
  yamlFile,
} from './nodes.ts';
import { Anchors } from './yaml-anchors.ts';
import { findTooDeep, marks } from './yaml-depth.ts';
import {
  keyProblems,
  noWordProblem,
  type ParserComplaint,
  syntaxProblems,
  warningProblem,
  yamlProblem,
} from './yaml-problems.ts';

/** Real files have five levels. Parsing 900 and more, three times in a row, was seen to abort the process. */
export const depthMax = 64;

export type YamlResult =
  | { readonly ok: true; readonly root: YamlMap; readonly problems: readonly Problem[] }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** Parses one file. With `ok: true` there may still be problems (warnings of the parser, doubled keys); `root` then is what could be read. */
export function readYaml(path: string, text: string): YamlResult {
  const file = yamlFile(path, text);
  try {
    // The lexer has no recursion. Its tokens are counted before they go on to the parser, which has.
    const tokens = [...new Lexer().lex(text)];
    const deep = findTooDeep(tokens, depthMax);
    return deep === null ? parse(file, tokens) : tooDeep(file, deep);
  } catch (error) {
    // The parser promises not to throw; a range error of its recursion would still be a text that a person can't have meant.
    const message = `the YAML parser gave up: ${error instanceof Error ? error.message : String(error)}`;
    return failed([yamlProblem(file, 'E_YAML_SYNTAX', 0, 1, message, null)]);
  }
}

function failed(problems: readonly Problem[]): YamlResult {
  return { ok: false, problems };
}

function tooDeep(file: YamlFile, at: number): YamlResult {
  const message = `lists and maps are nested more than ${depthMax} deep here`;
  const hint = 'no rule needs more than ten levels: look for a bracket that was not closed';
  return failed([yamlProblem(file, 'E_YAML_DEPTH', at, at + 1, message, hint)]);
}

/** The first document, and where a second one begins. */
function compose(
  text: string,
  tokens: readonly string[],
): { first: Document.Parsed | null; second: number | null } {
  // uniqueKeys compares each key with each other one (20,000 keys: seconds); the conversion below uses a set.
  const options = { prettyErrors: false, uniqueKeys: false, merge: false, resolveKnownTags: false };
  const parser = new Parser();
  function* syntax() {
    for (const token of tokens) yield* parser.next(token);
    yield* parser.end();
  }
  let first: Document.Parsed | null = null;
  for (const document of new Composer(options).compose(syntax(), true, text.length)) {
    if (first !== null) return { first, second: document.range[0] };
    first = document;
  }
  return { first, second: null };
}

function parse(file: YamlFile, tokens: readonly string[]): YamlResult {
  const { first, second } = compose(file.text, tokens);
  const problems = syntaxProblems(file, (first?.errors ?? []).map(placedAt(tokens)), second);
  if (problems.length > 0 || first === null) return failed(problems);
  for (const warning of first.warnings) problems.push(warningProblem(file, warning));
  const top = first.contents;
  if (top === null || (isScalar(top) && top.value === null)) {
    const hint = 'an empty file is not taken for "no rules": write something, or take the file away';
    return failed([
      ...problems,
      yamlProblem(file, 'E_EMPTY', 0, 1, 'the file holds nothing but blanks and comments', hint),
    ]);
  }
  const root = new Converter(file, problems).convert(top, null, '');
  if (root === null) return failed(problems);
  if (root.kind !== 'map') {
    const found = root.kind === 'list' ? 'a list' : quoteShort(root.text);
    const message = `expected a map at the top of the file, found ${found}`;
    const hint = 'put keys with a colon at the top, such as `rules:` with the list below it';
    return failed([...problems, yamlProblem(file, 'E_TYPE', root.start, root.end, message, hint)]);
  }
  return { ok: true, root, problems };
}

/** A quote that is never closed is complained of at the end of the file: the place that helps is where it was opened. */
function placedAt(tokens: readonly string[]): (complaint: ParserComplaint) => ParserComplaint {
  return (complaint) => {
    if (complaint.code !== 'MISSING_CHAR' || !complaint.message.includes('quote')) return complaint;
    const last = tokens.findLastIndex((token) => /^['"]/.test(token));
    if (last === -1) return complaint;
    // Marks of the lexer have no width; they are single control characters.
    const before = tokens.slice(0, last).filter((token) => !marks.has(token));
    const at = before.reduce((sum, token) => sum + token.length, 0);
    return { ...complaint, pos: [at, at + 1] };
  };
}

/** A node that can still be put into its parent. */
type Loose<T> = { -readonly [K in keyof T]: T[K] };

class Converter {
  readonly #file: YamlFile;
  readonly #problems: Problem[];
  readonly #anchors = new Anchors();
  #stopped = false;

  constructor(file: YamlFile, problems: Problem[]) {
    this.#file = file;
    this.#problems = problems;
  }

  /** Null once a limit was hit: a problem says which. */
  convert(node: unknown, parent: YamlMap | YamlNode | null, key: string | number): YamlNode | null {
    if (this.#stopped) return null;
    const before = this.#anchors.count();
    if (isAlias(node)) return this.#alias(node.source, node.range?.[0] ?? 0, node.range?.[1] ?? 0);
    const made = this.#make(node as Node | null, parent, key);
    const anchor = (node as { anchor?: string } | null)?.anchor;
    if (made !== null && anchor !== undefined) this.#anchors.keep(anchor, made, before);
    return made;
  }

  #make(node: Node | null, parent: YamlNode | null, key: string | number): YamlNode | null {
    const at = node?.range?.[0] ?? parent?.end ?? 0;
    const file = this.#file;
    const end = trimEnd(file.text, at, node?.range?.[1] ?? at);
    if (isMap(node)) {
      const map: Loose<YamlMap> = {
        kind: 'map',
        file,
        start: at,
        end,
        parent: parent as YamlMap | null,
        key,
        entries: [],
      };
      const entries = this.#entries(node.items, map);
      if (entries === null) return null;
      map.entries = entries;
      return map;
    }
    if (isSeq(node)) {
      const items: YamlNode[] = [];
      const list = {
        kind: 'list' as const,
        file,
        start: at,
        end,
        parent: parent as YamlMap | null,
        key,
        items,
      };
      for (const item of node.items) {
        // `- a: 1` inside a flow list is a pair of its own: the same as a map with one entry.
        const made = isPair(item)
          ? this.#pairMap(item, list, items.length)
          : this.convert(item, list, items.length);
        if (made === null) return null;
        items.push(made);
      }
      return list;
    }
    return scalarOf(isScalar(node) ? node : null, file, at, end, parent as YamlMap | null, key);
  }

  #pairMap(pair: unknown, parent: YamlNode, key: number): YamlNode | null {
    const map: Loose<YamlMap> = {
      kind: 'map',
      file: this.#file,
      start: parent.start,
      end: parent.end,
      parent: parent as YamlMap,
      key,
      entries: [],
    };
    const entries = this.#entries([pair], map);
    if (entries === null) return null;
    map.entries = entries;
    const first = entries[0];
    if (first) map.start = first.keyNode.start;
    return map;
  }

  #entries(items: readonly unknown[], map: YamlMap): YamlEntry[] | null {
    const entries: YamlEntry[] = [];
    const seen = new Map<string, YamlScalar>();
    for (const item of items) {
      if (!isPair(item)) continue;
      const keyNode = this.convert(item.key, map, '');
      if (keyNode === null) return null;
      if (keyNode.kind !== 'scalar') {
        this.#problems.push(noWordProblem(keyNode));
        continue;
      }
      const value = this.convert(item.value ?? null, map, keyNode.text);
      if (value === null) return null;
      this.#problems.push(...keyProblems(keyNode, seen.get(keyNode.text)));
      seen.set(keyNode.text, keyNode);
      // Where nothing is written, the place is right behind the key.
      const placed =
        value.kind === 'scalar' && item.value === null
          ? { ...value, start: keyNode.end, end: keyNode.end }
          : value;
      // What an alias stands for has other places too.
      const own: Loose<YamlScalar> = isAlias(item.key) ? { ...keyNode } : keyNode;
      own.key = own.text;
      entries.push({ key: own.text, keyNode: own, value: placed });
    }
    return entries;
  }

  #alias(name: string, start: number, end: number): YamlNode | null {
    const unfolded = this.#anchors.unfold(name);
    if (unfolded.node !== null) return unfolded.node;
    this.#stopped = true;
    const { message, hint } = unfolded;
    this.#problems.push(yamlProblem(this.#file, 'E_YAML_ALIAS', start, end, message, hint));
    return null;
  }
}

const styles: Readonly<Record<string, YamlScalar['style']>> = {
  QUOTE_SINGLE: 'single',
  QUOTE_DOUBLE: 'double',
  BLOCK_LITERAL: 'literal',
  BLOCK_FOLDED: 'folded',
};

function scalarOf(
  node: Scalar | null,
  file: YamlFile,
  start: number,
  end: number,
  parent: YamlMap | null,
  key: string | number,
): YamlScalar {
  const style = styles[node?.type ?? ''] ?? 'plain';
  const raw = node?.value ?? null;
  const text = node?.source ?? (typeof raw === 'string' ? raw : '');
  const known =
    typeof raw === 'string' || typeof raw === 'number' || typeof raw === 'boolean' || raw === null;
  return {
    kind: 'scalar',
    file,
    start,
    end,
    parent,
    key,
    text,
    value: style !== 'plain' ? text : known ? raw : text,
    style,
    lost: text === '' && node?.tag !== undefined,
  };
}

/** Ranges of block nodes run over the blank lines below them. */
function trimEnd(text: string, start: number, end: number): number {
  let at = end;
  while (at > start && (text[at - 1] === '\n' || text[at - 1] === ' ' || text[at - 1] === '\r')) at -= 1;
  return at;
}
