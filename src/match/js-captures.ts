/**
 * Named groups of a match, taken by the engine of the language where that is safe. RE2 decides whether and where a pattern
 * matches; its captures cost ten times its tests, so simple patterns on short texts are matched once more, anchored at the
 * place that RE2 gave. Only patterns whose backtracking is bounded are taken, and only texts so short that the bound is small.
 */
import type { PatternNode } from './pattern-syntax.ts';
import { parsePattern } from './pattern-syntax.ts';

/** Longest text, in UTF-16 units: with `maxDegree` the worst case is some 100,000 steps. */
export const maxFastText = 512;
/** Nested choices of length at most; each multiplies the worst case by the length of the text. */
const maxDegree = 2;
/** Alternatives in all; each multiplies the worst case. */
const maxBranches = 6;

class Unsafe extends Error {}

const plainEscapes: Readonly<Record<string, string>> = {
  n: '\n',
  t: '\t',
  r: '\r',
  f: '\f',
  v: '\v',
  a: '\x07',
};
const setSources: Readonly<Record<string, string>> = {
  '.': '[^\\n]',
  '(?s:.)': '[\\s\\S]',
  '\\d': '[0-9]',
  '\\D': '[^0-9]',
  '\\w': '[0-9A-Za-z_]',
  '\\W': '[^0-9A-Za-z_]',
  '\\s': '[\\t\\n\\f\\r ]',
  '\\S': '[^\\t\\n\\f\\r ]',
};

/** The character that a source stands for. */
function characterOf(source: string): string {
  if ([...source].length === 1) return source;
  const rest = source.slice(1);
  if (source[0] === '\\' && rest.length === 1) {
    const known = plainEscapes[rest];
    if (known !== undefined) return known;
    if (!/[A-Za-z0-9]/.test(rest)) return rest;
  }
  throw new Unsafe();
}

function quote(character: string): string {
  return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
}

/** `[...]` with characters, ranges and the short classes; nothing else. */
function classOf(source: string): string {
  const negated = source[1] === '^';
  const items = [...source.slice(negated ? 2 : 1, -1)];
  let text = '';
  for (let i = 0; i < items.length; i++) {
    const item = items[i] ?? '';
    if (item === '[') throw new Unsafe();
    if (item !== '\\') {
      text += item === '-' && text !== '' && i < items.length - 1 ? '-' : quote(item);
      continue;
    }
    const next = items[++i] ?? '';
    if ('dws'.includes(next)) {
      if (items[i + 1] === '-') throw new Unsafe();
      text += (setSources[`\\${next}`] ?? '').slice(1, -1);
    } else text += quote(characterOf(`\\${next}`));
  }
  return `[${negated ? '^' : ''}${text}]`;
}

function setOf(node: PatternNode): string {
  if (node.kind === 'char') return quote(characterOf(node.source));
  if (node.kind !== 'set') throw new Unsafe();
  const known = setSources[node.source];
  if (known !== undefined) return known;
  if (node.source[0] === '[') return classOf(node.source);
  throw new Unsafe();
}

class Translator {
  degree = 0;
  branches = 0;
  ambiguous = false;
  again = 0;

  nodes(nodes: readonly PatternNode[], follow: PatternNode | null): string {
    return nodes.map((node, at) => this.node(node, nodes[at + 1] ?? follow)).join('');
  }

  node(node: PatternNode, next: PatternNode | null): string {
    switch (node.kind) {
      case 'char':
      case 'set':
        if (node.fold) throw new Unsafe();
        return setOf(node);
      case 'border':
        return node.source;
      case 'start':
        if (node.source !== '^') throw new Unsafe();
        return '(?<![^\\n])';
      case 'end':
        if (node.source !== '$') throw new Unsafe();
        return '(?![^\\n])';
      case 'group': {
        this.branches += node.branches.length - 1;
        if (this.branches > maxBranches) throw new Unsafe();
        // Groups are told by their numbers: named ones would cost an object more for each match.
        const opening = node.name === null ? '(?:' : '(';
        return `${opening}${node.branches.map((branch) => this.nodes(branch, next)).join('|')})`;
      }
      case 'repeat':
        return this.repeat(node, next);
    }
  }

  private repeat(node: PatternNode & { kind: 'repeat' }, next: PatternNode | null): string {
    const inner = node.node;
    const lazy = node.lazy ? '?' : '';
    if (inner.kind === 'group' || inner.kind === 'repeat') {
      if (node.min !== 0 || node.max !== 1 || inner.kind === 'repeat') throw new Unsafe();
      if (++this.branches > maxBranches) throw new Unsafe();
      return `${this.node(inner, next)}?${lazy}`;
    }
    if (inner.kind !== 'char' && inner.kind !== 'set') throw new Unsafe();
    const source = this.node(inner, null);
    if (node.max !== node.min) this.weigh(source, next);
    const max = node.max === Number.POSITIVE_INFINITY ? '' : String(node.max);
    return `${source}{${node.min},${max}}${lazy}`;
  }

  /** A repeat whose next character can't be one of its own has one length only; another is a choice. */
  private weigh(source: string, next: PatternNode | null): void {
    // At the very end of a pattern nothing can fail behind it.
    if (next === null) return;
    if (next.kind === 'char' && !next.fold) {
      const own = new RegExp(`^${source}$`, 'u');
      if (!own.test(characterOf(next.source))) {
        // It is run through again for each choice before it.
        if (this.ambiguous) this.again = 1;
        return;
      }
    }
    this.ambiguous = true;
    this.degree++;
  }
}

/**
 * A sticky expression of the language that, at the place of RE2's match, gives the same match, or null where it might not,
 * or might take long. Its groups are the named ones of the pattern, in their order.
 */
export function fastCaptures(text: string): RegExp | null {
  if (/\(\?[a-zA-Z]*[-U]/.test(text)) return null;
  const parsed = parsePattern(text);
  if (parsed === null) return null;
  try {
    const translator = new Translator();
    translator.branches = parsed.length - 1;
    const source = parsed.map((branch) => translator.nodes(branch, null)).join('|');
    if (translator.degree + translator.again > maxDegree || translator.branches > maxBranches) return null;
    return new RegExp(source, 'yu');
  } catch {
    return null;
  }
}
