/**
 * Finds literal texts of which one must stand in whatever a pattern matches, so that bytes without any of them need not be
 * shown to an automaton. Takes the tree of a pattern, gives the sets to choose from, and chooses for many patterns together.
 * Literals may say yes too often, never no to a match.
 */
import type { PatternNode } from './pattern-syntax.ts';

/** Bytes that a match must hold. With `fold` ASCII letters count in either case, and `bytes` are in lower case. */
export interface Literal {
  readonly bytes: Buffer;
  readonly fold: boolean;
}

/** Shorter ones are found in nearly every line. */
const minLiteralBytes = 3;
/** What lies behind tells no more, and need not be compared. */
export const maxLiteralBytes = 64;
/** A literal of so many bytes is as telling as a longer one. */
const longEnough = 16;
/** A pattern that needs more alternatives than this is not one for literals. */
const maxAlternatives = 64;
/** Copies of a repeated character that are written out. */
const maxCopies = 8;

/** Literals of which each match of a pattern holds at least one. */
export type LiteralSet = readonly Literal[];

/** How much a set tells: as much as its shortest literal. */
export function literalWeight(literals: LiteralSet): number {
  return Math.min(longEnough, ...literals.map((literal) => literal.bytes.length));
}

/** The sets for plain text: none where it is too short. */
export function literalsOf(text: string): readonly LiteralSet[] {
  const bytes = Buffer.from(text).subarray(0, maxLiteralBytes);
  return bytes.length < minLiteralBytes ? [] : [[{ bytes, fold: false }]];
}

/** The sets of some alternatives together: of each its best. None where one has none. */
export function anyOf(alternatives: readonly (readonly LiteralSet[])[]): readonly LiteralSet[] {
  if (alternatives.length === 1) return alternatives[0] ?? [];
  const all: Literal[] = [];
  for (const sets of alternatives) {
    const chosen = choose(sets, literalWeight);
    if (chosen === null) return [];
    all.push(...chosen);
  }
  return all.length === 0 || all.length > maxAlternatives ? [] : [all];
}

/** Sets of literals to choose from, in the order of a pattern's parts. */
export function requiredLiterals(branches: readonly (readonly PatternNode[])[]): readonly LiteralSet[] {
  return anyOf(branches.map(ofSequence));
}

/**
 * For each pattern the set that tells most, or null where there is none. What stands in many patterns tells little: their
 * common words stand in most lines of the log, too.
 */
export function chooseLiterals(patterns: readonly (readonly LiteralSet[])[]): (LiteralSet | null)[] {
  const uses = new Map<string, number>();
  for (const sets of patterns) {
    for (const name of new Set(sets.flat().map(nameOf))) uses.set(name, (uses.get(name) ?? 0) + 1);
  }
  const weigh = (literals: LiteralSet): number =>
    Math.min(
      ...literals.map(
        (literal) => literalWeight([literal]) / (1 + Math.log2(uses.get(nameOf(literal)) ?? 1)),
      ),
    );
  return patterns.map((sets) => choose(sets, weigh));
}

/** Two literals of one name are the same. */
export function nameOf(literal: Literal): string {
  return `${literal.fold ? 'i' : '-'}${literal.bytes.toString('latin1')}`;
}

/**
 * Of two parts the later one is taken where it tells about as much: what stands before the variable parts of a line is often
 * the frame of many lines, what stands behind them tells lines apart.
 */
function choose(sets: readonly LiteralSet[], weigh: (literals: LiteralSet) => number): LiteralSet | null {
  let best: LiteralSet | null = null;
  let weight = 0;
  for (const literals of sets) {
    const here = weigh(literals);
    if (here * 3 < weight * 2) continue;
    best = literals;
    weight = here;
  }
  return best;
}

class Run {
  readonly sets: LiteralSet[] = [];
  #bytes: number[] = [];
  #fold = false;

  add(text: string, fold: boolean): void {
    const code = text.charCodeAt(0);
    if (!fold && text.length === 1 && code < 0x80) {
      this.#bytes.push(code);
      return;
    }
    // RE2 takes U+017F for s and U+212A for k where case does not matter, and knows the cases of other alphabets.
    if (fold && /[ks]|[^\0-\x7f]/i.test(text)) this.end();
    else {
      this.#bytes.push(...Buffer.from(text));
      this.#fold ||= fold && /[a-z]/i.test(text);
    }
  }

  /** The text that must stand together ends here. */
  end(): void {
    if (this.#bytes.length >= minLiteralBytes) {
      const bytes = Buffer.from(this.#bytes.slice(0, maxLiteralBytes));
      if (this.#fold) for (let i = 0; i < bytes.length; i++) bytes[i] = lowerCase(bytes[i] ?? 0);
      this.sets.push([{ bytes, fold: this.#fold }]);
    }
    this.#bytes = [];
    this.#fold = false;
  }
}

export function lowerCase(byte: number): number {
  return byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte;
}

function ofSequence(nodes: readonly PatternNode[]): readonly LiteralSet[] {
  const run = new Run();
  walk(nodes, run);
  run.end();
  return run.sets;
}

function walk(nodes: readonly PatternNode[], run: Run): void {
  for (const node of nodes) {
    const text = textOf(node);
    if (text !== null) {
      run.add(text.text, text.fold);
      continue;
    }
    const only = node.kind === 'group' && node.branches.length === 1 ? node.branches[0] : undefined;
    if (only !== undefined) walk(only, run);
    else if (node.kind === 'group') {
      run.end();
      run.sets.push(...requiredLiterals(node.branches));
    } else if (node.kind === 'repeat') repeated(node, run);
    // Anchors and borders of words take no bytes: what stands around them stands together.
    else if (node.kind === 'set' || node.kind === 'char') run.end();
  }
}

/** The first copy stands behind what came before, the last one before what follows. */
function repeated(node: PatternNode & { readonly kind: 'repeat' }, run: Run): void {
  const text = node.min === 0 ? null : textOf(node.node);
  if (text !== null) {
    const copies = Math.min(node.min, maxCopies);
    for (let copy = 0; copy < copies; copy++) run.add(text.text, text.fold);
    if (copies === node.max) return;
    run.end();
    for (let copy = 0; copy < copies; copy++) run.add(text.text, text.fold);
    return;
  }
  run.end();
  if (node.min > 0) run.sets.push(...ofSequence([node.node]));
}

/** The text of a node that stands for one character, or null for any other. */
function textOf(node: PatternNode): { readonly text: string; readonly fold: boolean } | null {
  if (node.kind === 'char') {
    const text = characterOf(node.source);
    return text === null ? null : { text, fold: node.fold };
  }
  if (node.kind !== 'set') return null;
  // `[Ee]`: one letter in both cases.
  const both = /^\[([A-Za-z])([A-Za-z])\]$/.exec(node.source);
  const [, one = '', other = ''] = both ?? [];
  if (both === null || one === other || one.toLowerCase() !== other.toLowerCase()) return null;
  return { text: one, fold: true };
}

const named: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', f: '\f', v: '\v', a: '\x07' };

/** What the source of one character stands for, or null where that is not certain. */
export function characterOf(source: string): string | null {
  if (!source.startsWith('\\')) return source;
  const rest = source.slice(1);
  const hex = /^(?:[xu]\{([0-9A-Fa-f]+)\}|x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4}))$/.exec(rest);
  if (hex) {
    const code = Number.parseInt(hex[1] ?? hex[2] ?? hex[3] ?? '', 16);
    return code <= 0x10ffff ? String.fromCodePoint(code) : null;
  }
  if (named[rest] !== undefined) return named[rest] ?? null;
  return /^[^A-Za-z0-9]$/u.test(rest) ? rest : null;
}
