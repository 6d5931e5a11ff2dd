/**
 * Reads the text of an RE2 pattern into a small tree: characters, sets, groups, repeats, anchors. It exists so that a
 * pattern can be rewritten for the test of whole blocks and its parts weighed. It accepts what RE2 accepts and gives null
 * where it is not sure; whether a pattern is right is for RE2 to say, never for this file.
 */

/** One part of a pattern. `fold`: case does not matter here. */
export type PatternNode =
  | { readonly kind: 'char'; readonly source: string; readonly fold: boolean }
  | { readonly kind: 'set'; readonly source: string; readonly fold: boolean; readonly wide: boolean }
  | { readonly kind: 'start' | 'end'; readonly source: string }
  | { readonly kind: 'border'; readonly source: string }
  | { readonly kind: 'group'; readonly name: string | null; readonly branches: readonly PatternNode[][] }
  | {
      readonly kind: 'repeat';
      readonly node: PatternNode;
      readonly min: number;
      /** Infinity for `*`, `+`, `{n,}`. */
      readonly max: number;
      /** Prefers to be short. */
      readonly lazy: boolean;
    };

interface Flags {
  readonly fold: boolean;
  readonly dotAll: boolean;
}

/** Deeper nesting is left to RE2 alone. */
const maxDepth = 200;

class PatternReader {
  readonly text: string;
  at = 0;
  flags: Flags = { fold: false, dotAll: false };
  depth = 0;
  readonly names: string[] = [];

  constructor(text: string) {
    this.text = text;
  }

  /** Branches up to the closing bracket or the end; null where the text is not understood. */
  branches(): PatternNode[][] | null {
    if (++this.depth > maxDepth) return null;
    const branches: PatternNode[][] = [];
    let branch: PatternNode[] = [];
    while (this.at < this.text.length) {
      const ch = this.text[this.at];
      if (ch === ')') break;
      if (ch === '|') {
        this.at++;
        branches.push(branch);
        branch = [];
        continue;
      }
      const node = this.atom();
      if (node === null) return null;
      if (node === 'flags') continue;
      const last = node.pop();
      if (last === undefined) continue;
      for (const one of node) branch.push(one);
      branch.push(this.quantified(last));
    }
    branches.push(branch);
    this.depth--;
    return branches;
  }

  private char(source: string): PatternNode[] {
    this.at += source.length;
    return [{ kind: 'char', source, fold: this.flags.fold }];
  }

  private set(source: string, wide: boolean): PatternNode[] {
    this.at += source.length;
    return [{ kind: 'set', source, fold: this.flags.fold, wide }];
  }

  private atom(): PatternNode[] | 'flags' | null {
    const ch = String.fromCodePoint(this.text.codePointAt(this.at) ?? 0);
    switch (ch) {
      case '\\':
        return this.escape();
      case '[':
        return this.charClass();
      case '(':
        return this.group();
      case '.':
        this.at++;
        return [{ kind: 'set', source: this.flags.dotAll ? '(?s:.)' : '.', fold: false, wide: true }];
      case '^':
      case '$':
        this.at++;
        return [{ kind: ch === '^' ? 'start' : 'end', source: ch }];
      case '*':
      case '+':
      case '?':
        return null;
      case '/':
      case '{':
      case '}':
      case ']': {
        this.at++;
        return [{ kind: 'char', source: `\\${ch}`, fold: false }];
      }
      default:
        return this.char(ch);
    }
  }

  private escape(): PatternNode[] | null {
    const rest = this.text.slice(this.at + 1, this.at + 40);
    const ch = rest[0];
    if (ch === undefined) return null;
    if (ch === 'Q') return this.quoted();
    if (ch === 'A' || ch === 'z') {
      this.at += 2;
      return [{ kind: ch === 'A' ? 'start' : 'end', source: `\\${ch}` }];
    }
    if (ch === 'b' || ch === 'B') {
      this.at += 2;
      return [{ kind: 'border', source: `\\${ch}` }];
    }
    if ('dsw'.includes(ch)) return this.set(`\\${ch}`, false);
    if ('DSWC'.includes(ch)) return this.set(`\\${ch}`, true);
    if (ch === 'p' || ch === 'P') {
      const found = /^[pP](?:\{[^}]*\}|[A-Za-z])/.exec(rest);
      return found ? this.set(`\\${found[0]}`, true) : null;
    }
    const coded =
      /^(?:x\{[0-9A-Fa-f]+\}|x[0-9A-Fa-f]{2}|u\{[0-9A-Fa-f]+\}|u[0-9A-Fa-f]{4}|c[A-Z]|[0-7]{1,3})/.exec(rest);
    if (coded) return this.char(`\\${coded[0]}`);
    if (/^[xuc0-9]/.test(rest)) return null;
    return this.char(`\\${String.fromCodePoint(rest.codePointAt(0) ?? 0)}`);
  }

  /** `\Q...\E`: plain characters, each escaped for itself. */
  private quoted(): PatternNode[] {
    const close = this.text.indexOf('\\E', this.at + 2);
    const end = close < 0 ? this.text.length : close;
    const nodes: PatternNode[] = [];
    for (const ch of this.text.slice(this.at + 2, end)) {
      nodes.push({ kind: 'char', source: escapeLiteral(ch), fold: this.flags.fold });
    }
    this.at = close < 0 ? end : end + 2;
    return nodes;
  }

  private charClass(): PatternNode[] | null {
    const text = this.text;
    let at = this.at + 1;
    const negated = text[at] === '^';
    if (negated) at++;
    if (text[at] === ']') at++;
    for (; at < text.length && text[at] !== ']'; at++) {
      if (text[at] === '\\') {
        // A quotation inside a class is rare enough to be left to RE2 alone.
        if (text[at + 1] === 'Q' || text[at + 1] === 'E') return null;
        at++;
      } else if (text[at] === '[' && text[at + 1] === ':') {
        const close = text.indexOf(':]', at + 2);
        if (close > 0 && /^\^?[a-z]+$/.test(text.slice(at + 2, close))) at = close + 1;
      }
    }
    if (at >= text.length) return null;
    const source = text.slice(this.at, at + 1);
    if (source.includes('(?<')) return null;
    return this.set(source, negated || /\\[DSWpP]/.test(source));
  }

  private group(): PatternNode[] | 'flags' | null {
    const opening = /^\((?:\?P?<([^>=!][^>]*)>|\?([a-zA-Z]*)(?:-([a-zA-Z]+))?([:)]))?/.exec(
      this.text.slice(this.at, this.at + 200),
    );
    if (!opening) return null;
    if (opening[0] === '(' && this.text[this.at + 1] === '?') return null;
    this.at += opening[0].length;
    const outer = this.flags;
    if (opening[4] !== undefined) {
      const on = opening[2] ?? '';
      const off = opening[3] ?? '';
      this.flags = {
        fold: (outer.fold || on.includes('i')) && !off.includes('i'),
        dotAll: (outer.dotAll || on.includes('s')) && !off.includes('s'),
      };
      if (opening[4] === ')') return 'flags';
    }
    if (opening[1] !== undefined) this.names.push(opening[1]);
    const branches = this.branches();
    this.flags = outer;
    if (branches === null || this.text[this.at] !== ')') return null;
    this.at++;
    return [{ kind: 'group', name: opening[1] ?? null, branches }];
  }

  private quantified(node: PatternNode): PatternNode {
    let result = node;
    for (;;) {
      // Most characters have none: that costs no pattern.
      const next = this.text[this.at];
      if (next !== '*' && next !== '+' && next !== '?' && next !== '{') return result;
      const found = /^(?:([*+?])|\{(\d+)(,(\d*))?\})\??/.exec(this.text.slice(this.at, this.at + 24));
      if (!found) return result;
      this.at += found[0].length;
      let min = found[1] === '+' ? 1 : 0;
      let max = found[1] === '?' ? 1 : Number.POSITIVE_INFINITY;
      if (found[2] !== undefined) {
        min = Number(found[2]);
        max = found[3] === undefined ? min : found[4] === '' ? Number.POSITIVE_INFINITY : Number(found[4]);
      }
      result = {
        kind: 'repeat',
        node: result,
        min,
        max,
        lazy: found[0].length > 1 && found[0].endsWith('?'),
      };
    }
  }
}

/** The branches of a pattern, or null where it is not understood (it may still be a right one). */
export function parsePattern(text: string): PatternNode[][] | null {
  const reader = new PatternReader(text);
  const branches = reader.branches();
  return branches !== null && reader.at === text.length ? branches : null;
}

/** What can be said of a pattern at a glance. */
export interface PatternFacts {
  /** Names of the groups in their order; of a pattern that is not understood, those that can be seen. */
  readonly groups: readonly string[];
  /** Whatever it matches holds a certain character. */
  readonly needsCharacter: boolean;
}

/** Reads a pattern once for all that is asked of each. */
export function patternFacts(text: string): PatternFacts {
  const reader = new PatternReader(text);
  const branches = reader.branches();
  if (branches !== null && reader.at === text.length)
    return { groups: reader.names, needsCharacter: branches.every((branch) => branch.some(isCharacter)) };
  const groups = [...text.matchAll(/(?<!\\)\(\?P?<([A-Za-z_]\w*)>/g)].map((found) => found[1] ?? '');
  return { groups, needsCharacter: false };
}

function isCharacter({ kind }: PatternNode): boolean {
  return kind === 'char';
}

/** A literal as the source of a pattern. */
export function escapeLiteral(text: string): string {
  return text
    .replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')
    .replace(/\n/g, '\\n')
    .replace(/\0/g, '\\x00');
}
