/**
 * Derives from a rule's conditions one pattern that can be tested on a whole block of raw lines. It may say yes where the
 * rule says no, never the other way round: anchors are loosened (a header may stand before the message), names of groups
 * dropped, and a pattern is reduced to the part that tells most. Null where nothing can be said: every record is a candidate.
 */
import type { Conditions, FieldTest, TextCondition, TextTest } from '../model/rule.ts';
import { escapeLiteral, type PatternNode, parsePattern } from './pattern-syntax.ts';
import { anyOf, type LiteralSet, literalsOf, literalWeight, requiredLiterals } from './required-literals.ts';

export interface BlockPattern {
  /** Two of the same key say the same. */
  readonly key: string;
  /** Sets of literals, of each of which a match holds at least one; none where none tells enough. */
  readonly literals: readonly LiteralSet[];
  /** What automata are made of. Written when it is first asked for: where literals tell enough it never is. */
  readonly automaton: AutomatonForms;
}

export interface AutomatonForms {
  /** Source for RE2 with `m`, without named groups: the whole pattern. */
  readonly source: string;
  /** The part of it that tells most, without wide repeats where such a part exists: a cheaper automaton, more false alarms. */
  readonly short: string;
  /** Characters that a match of `short` must hold literally: how much it tells. */
  readonly weight: number;
}

class LazyPattern implements BlockPattern {
  readonly key: string;
  readonly literals: readonly LiteralSet[];
  #forms: AutomatonForms | (() => AutomatonForms);

  constructor(key: string, literals: readonly LiteralSet[], forms: () => AutomatonForms) {
    this.key = key;
    this.literals = literals;
    this.#forms = forms;
  }

  get automaton(): AutomatonForms {
    if (typeof this.#forms === 'function') this.#forms = this.#forms();
    return this.#forms;
  }
}

/** A part of a pattern with so many literal characters stands for the whole of it. */
export const tellingWeight = 6;
/** Repeats over wide sets make automata large: parts are cut out between them. */
const longRepeat = 8;
/** Groups nest at most so deep in a reduced pattern. */
const maxAlternatives = 64;

/** The start of a message may follow a header: `] ` or `]`. */
const looseStart = '(?m:^|[ \\]])';

function weigh(node: PatternNode): number {
  switch (node.kind) {
    case 'char':
      return 1;
    case 'group':
      return Math.min(...node.branches.map((branch) => branch.reduce((sum, part) => sum + weigh(part), 0)));
    case 'repeat':
      return node.min === 0 ? 0 : weigh(node.node) * Math.min(node.min, 4);
    default:
      return 0;
  }
}

/** Whether a part can stretch over much of a line: the automaton must keep other parts going beside it. */
function isWide(node: PatternNode): boolean {
  if (node.kind === 'repeat') return node.max > longRepeat || isWide(node.node);
  if (node.kind === 'group') return node.branches.some((branch) => branch.some(isWide));
  return false;
}

/** Writes nodes back as a pattern. `fresh`: nothing was consumed before, so `^` may stand at a message's start. */
function write(nodes: readonly PatternNode[], fresh: boolean): string {
  let text = '';
  let untouched = fresh;
  for (const node of nodes) {
    switch (node.kind) {
      case 'char':
      case 'set':
        text += node.fold ? `(?i:${node.source})` : node.source;
        untouched = false;
        break;
      case 'border':
        text += node.source;
        break;
      case 'start':
        // Elsewhere than at the head it could stand at a message's start only after empty parts: leave it out.
        if (untouched) text += looseStart;
        untouched = false;
        break;
      case 'end':
        text += '(?m:$)';
        break;
      case 'group': {
        const before = untouched;
        text += `(?:${node.branches.map((branch) => write(branch, before)).join('|')})`;
        untouched = false;
        break;
      }
      case 'repeat':
        text += writeRepeat(node, untouched);
        untouched = false;
        break;
    }
  }
  return text;
}

function writeRepeat(node: PatternNode & { kind: 'repeat' }, fresh: boolean): string {
  const inner = `(?:${write([node.node], fresh && node.max <= 1)})`;
  if (node.max === Number.POSITIVE_INFINITY)
    return node.min === 0 ? `${inner}*` : node.min === 1 ? `${inner}+` : `${inner}{${node.min},}`;
  if (node.min === 0 && node.max === 1) return `${inner}?`;
  return `${inner}{${node.min},${node.max}}`;
}

/** Groups that are neither repeated nor choices, opened up. */
function flatten(nodes: readonly PatternNode[]): PatternNode[] {
  return nodes.flatMap((node) => {
    const only = node.kind === 'group' && node.branches.length === 1 ? node.branches[0] : undefined;
    return only ? flatten(only) : [node];
  });
}

function isEmptyable(node: PatternNode): boolean {
  return (node.kind === 'repeat' && node.min === 0) || node.kind === 'end' || node.kind === 'border';
}

/**
 * Whether a later part is to be preferred: what stands before the variable parts of a line is often the frame of many
 * lines ("Task x[...] received", "Task x[...] failed"), what stands behind them tells lines apart.
 */
function tells(later: number, earlier: number): boolean {
  return later > earlier || (later >= tellingWeight && later * 3 >= earlier * 2);
}

/** The part of a sequence between wide repeats that tells most, or all of it where no part tells enough. */
function reduce(nodes: readonly PatternNode[]): AutomatonForms {
  const flat = flatten(nodes);
  const weight = (part: readonly PatternNode[]): number => part.reduce((sum, node) => sum + weigh(node), 0);
  let best: PatternNode[] = [];
  let bestStart = 0;
  let part: PatternNode[] = [];
  let start = 0;
  for (let i = 0; i <= flat.length; i++) {
    const node = flat[i];
    if (node !== undefined && !isWide(node)) {
      part.push(node);
      continue;
    }
    if (tells(weight(part), weight(best))) {
      best = part;
      bestStart = start;
    }
    part = [];
    start = i + 1;
  }
  const source = write(flat, true);
  if (weight(best) < tellingWeight) return { source, short: source, weight: weight(flat) };
  return { source, short: write(withoutEmptyEnd(best), bestStart === 0), weight: weight(best) };
}

/** What may be empty at the end of a part need not be there for it to match. */
function withoutEmptyEnd(nodes: readonly PatternNode[]): readonly PatternNode[] {
  let end = nodes.length;
  while (end > 0 && isEmptyable(nodes[end - 1] as PatternNode)) end--;
  return nodes.slice(0, end);
}

function alternativeForms(parts: readonly AutomatonForms[]): AutomatonForms {
  const join = (sources: readonly string[]): string =>
    sources.length === 1 ? (sources[0] ?? '') : sources.map((source) => `(?:${source})`).join('|');
  return {
    source: join(parts.map((part) => part.source)),
    short: join(parts.map((part) => part.short)),
    weight: Math.min(...parts.map((part) => part.weight)),
  };
}

function alternatives(parts: readonly (BlockPattern | null)[]): BlockPattern | null {
  if (parts.length === 0 || parts.length > maxAlternatives) return null;
  const known = parts.filter((part) => part !== null);
  if (known.length < parts.length) return null;
  if (known.length === 1) return known[0] ?? null;
  return new LazyPattern(
    JSON.stringify(known.map((part) => part.key)),
    anyOf(known.map((part) => part.literals)),
    () => alternativeForms(known.map((part) => part.automaton)),
  );
}

/** The block pattern of one regular expression, or null where it is not understood or holds without any character. */
export function blockPatternOf(text: string): BlockPattern | null {
  const branches = parsePattern(text);
  if (branches === null || branches.length > maxAlternatives) return null;
  // The tree is read again when it is needed, which is seldom: it is larger than the text.
  return new LazyPattern(`~${text}`, requiredLiterals(branches), () =>
    alternativeForms((parsePattern(text) ?? []).map(reduce)),
  );
}

function literal(text: string): BlockPattern {
  return new LazyPattern(`=${text}`, literalsOf(text), () => {
    const source = escapeLiteral(text);
    return { source, short: source, weight: [...text].length };
  });
}

function ofTest(test: TextTest): BlockPattern | null {
  if (test.kind === 'regex') return blockPatternOf(test.text);
  if (test.text === '') return null;
  return literal(test.text);
}

function ofCondition(condition: TextCondition): BlockPattern | null {
  const parts = condition.tests.map(ofTest);
  if (condition.mode === 'any') return alternatives(parts);
  return best(parts);
}

/** Fields that hold text of the record as it stands in the log. */
const textFields = new Set(['message', 'raw', 'trace']);

function ofGlob(pattern: string): BlockPattern | null {
  const longest = pattern.split('*').reduce((a, b) => (b.length > a.length ? b : a), '');
  return longest === '' ? null : literal(longest);
}

function ofField(test: FieldTest): BlockPattern | null {
  if (!textFields.has(test.field)) return null;
  return best(
    test.operators.map((operator) => {
      if (operator.op === 'glob') return alternatives(operator.patterns.map(ofGlob));
      if (operator.op === 'matches') return blockPatternOf(operator.pattern);
      return null;
    }),
  );
}

function best(parts: readonly (BlockPattern | null)[]): BlockPattern | null {
  let found: BlockPattern | null = null;
  for (const part of parts) if (part !== null && (found === null || tellsMore(part, found))) found = part;
  return found;
}

function tellsMore(part: BlockPattern, other: BlockPattern): boolean {
  const literal = (pattern: BlockPattern): number => Math.max(0, ...pattern.literals.map(literalWeight));
  return literal(part) === literal(other)
    ? part.automaton.weight > other.automaton.weight
    : literal(part) > literal(other);
}

/** The pattern that tells most of all that must hold, or null: then every record must be looked at. */
export function blockPattern(conditions: Conditions, shadowed: ReadonlySet<string>): BlockPattern | null {
  return best([
    ...conditions.text.map(ofCondition),
    ...conditions.where.filter((test) => !shadowed.has(test.field)).map(ofField),
  ]);
}
