/**
 * What is left of a YAML file once it is parsed: maps, lists and scalars that still know where they were written and
 * how. A scalar keeps its text as written beside what YAML made of it, so that `1.10` can stay `1.10`. Maps are lists of
 * entries, never objects: a key named `__proto__` is a key like any other. Knows nothing of the yaml package.
 */
import type { Origin } from '../model/problem.ts';

/** One parsed text and the starts of its lines. */
export interface YamlFile {
  readonly path: string;
  readonly text: string;
  /** Offset of the first character of each line. */
  readonly lineStarts: readonly number[];
}

interface NodeBase {
  readonly file: YamlFile;
  /** Offsets in the file's text. */
  readonly start: number;
  readonly end: number;
  /** Set when the node is put into its parent; the root has none. */
  readonly parent: YamlMap | YamlList | null;
  /** Key in the parent: a name in a map, an index in a list. */
  readonly key: string | number;
}
export interface YamlScalar extends NodeBase {
  readonly kind: 'scalar';
  /** The text as written, quotes and escapes undone. Empty where nothing is written. */
  readonly text: string;
  /** What YAML makes of a plain scalar; the text itself for a quoted one. */
  readonly value: string | number | boolean | null;
  readonly style: 'plain' | 'single' | 'double' | 'literal' | 'folded';
  /** The YAML door already said that the value was lost (an unknown tag ate it): to say more of it would confuse. */
  readonly lost: boolean;
}
export interface YamlEntry {
  readonly key: string;
  readonly keyNode: YamlScalar;
  readonly value: YamlNode;
}
export interface YamlMap extends NodeBase {
  readonly kind: 'map';
  readonly entries: readonly YamlEntry[];
}
export interface YamlList extends NodeBase {
  readonly kind: 'list';
  readonly items: readonly YamlNode[];
}
export type YamlNode = YamlScalar | YamlMap | YamlList;

/** A text with the starts of its lines, for places. */
export function yamlFile(path: string, text: string): YamlFile {
  const lineStarts = [0];
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) lineStarts.push(at + 1);
  return { path, text, lineStarts };
}

/** The place of an offset; an offset outside the text is moved to its border. Never throws. */
export function originAt(file: YamlFile, start: number, end: number): Origin {
  const at = Math.max(0, Math.min(start, file.text.length));
  let low = 0;
  let high = file.lineStarts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((file.lineStarts[middle] ?? 0) <= at) low = middle;
    else high = middle - 1;
  }
  const lineStart = file.lineStarts[low] ?? 0;
  const lineEnd = (file.lineStarts[low + 1] ?? file.text.length + 1) - 1;
  const length = Math.max(1, Math.min(end, lineEnd) - at);
  return { file: file.path, line: low + 1, column: at - lineStart + 1, length };
}

/** The place of a node: its first line only, since a frame shows one line. */
export function originOf(node: YamlNode): Origin {
  return originAt(node.file, node.start, node.end);
}

/** `rules[2].match`, or '' for the root. A key that is no plain word is quoted. */
export function pathOf(node: YamlNode): string {
  const parts: string[] = [];
  for (let at: YamlNode = node; at.parent !== null; at = at.parent) {
    if (typeof at.key === 'number') parts.push(`[${at.key}]`);
    else parts.push(/^[\w-]+$/.test(at.key) ? `.${at.key}` : `[${JSON.stringify(at.key)}]`);
  }
  return parts.reverse().join('').replace(/^\./, '');
}

/** The value of a key, or undefined. */
export function entryOf(map: YamlMap, key: string): YamlEntry | undefined {
  return map.entries.find((entry) => entry.key === key);
}

/** The scalar's text where that is what the node is, else null. For names in messages. */
export function textOf(node: YamlNode | undefined): string | null {
  return node?.kind === 'scalar' && node.text !== '' ? node.text : null;
}

/**
 * The offset in the file of a character of a scalar's text, so that a problem inside a pattern is shown at its place.
 * Falls back to the scalar's start where lines were folded together.
 */
export function offsetInScalar(node: YamlScalar, index: number): number {
  const source = node.file.text.slice(node.start, node.end);
  if (node.style === 'literal') return offsetInLiteral(node, source, index);
  if (node.style === 'folded' || source.includes('\n')) return node.start;
  if (node.style === 'plain') return node.start + Math.min(index, source.length);
  let at = 1;
  for (let left = index; left > 0 && at < source.length - 1; left--) {
    if (node.style === 'single' && source.startsWith("''", at)) at += 2;
    else if (node.style === 'double' && source[at] === '\\') at += escapeLength(source[at + 1] ?? '');
    else at += 1;
  }
  return node.start + at;
}

function escapeLength(letter: string): number {
  return letter === 'x' ? 4 : letter === 'u' ? 6 : letter === 'U' ? 10 : 2;
}

function offsetInLiteral(node: YamlScalar, source: string, index: number): number {
  const before = node.text.slice(0, index).split('\n');
  const lines = source.split('\n');
  const first = lines.slice(1).find((line) => line.trim() !== '') ?? '';
  const indent = first.length - first.trimStart().length;
  let at = node.start;
  for (let line = 0; line < before.length; line++) at += (lines[line]?.length ?? 0) + 1;
  return Math.min(at + indent + (before.at(-1)?.length ?? 0), node.end);
}

/** How a node looks to the person who wrote it, for "found ...". Cut, with what can't be seen written out. */
export function describe(node: YamlNode): string {
  if (node.kind === 'map') return 'a map';
  if (node.kind === 'list') return 'a list';
  if (node.text === '' && node.style === 'plain') return 'nothing';
  if (node.style === 'plain' && typeof node.value === 'number') return `the number ${quoteShort(node.text)}`;
  return quoteShort(node.text);
}

const shownMax = 60;

/** A text in quotes for a message: cut, and characters that can't be seen or that look like a blank are written out. */
export function quoteShort(text: string): string {
  const cut = text.length > shownMax ? `${text.slice(0, shownMax)}...` : text;
  const seen = cut.replace(
    /[^\P{C}\n]|[\u00a0\u1680\u2000-\u200f\u2028\u2029\u202f\u205f\u3000]/gu,
    (character) => {
      const code = character.codePointAt(0) ?? 0;
      return `<U+${code.toString(16).toUpperCase().padStart(4, '0')}>`;
    },
  );
  return `"${seen.replaceAll('\n', '\\n')}"`;
}
