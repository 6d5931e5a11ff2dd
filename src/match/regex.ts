/**
 * The only door to RE2. Takes the text of a pattern, gives something that tests and finds in time linear in the text, or
 * says what is wrong and what to write instead. `^` and `$` are at the borders of lines. The `g` flag is never used: a
 * match of an empty pattern with it can abort the process in re2@1.24.0.
 */
import RE2 from 're2';
import { fastCaptures, maxFastText } from './js-captures.ts';
import { patternFacts } from './pattern-syntax.ts';

/** Longest text of one pattern, in characters: far above what a person writes, far below what hurts to compile. */
const maxPatternLength = 65_536;

export interface PatternMatch {
  /** UTF-16 units from the start of the text. */
  readonly index: number;
  readonly end: number;
  /** Named groups, without prototype; undefined for one that took no part. */
  readonly groups: Record<string, string | undefined>;
}

export interface Pattern {
  readonly text: string;
  /** Names of its groups. */
  readonly groups: readonly string[];
  /** Whatever it matches holds a certain character. */
  readonly needsCharacter: boolean;
  test(subject: string | Buffer): boolean;
  exec(subject: string): PatternMatch | null;
  /**
   * Whether it matches; the named groups of the match are put `into`, where no value stands yet. `bytes` is the same text as
   * UTF-8: RE2 is three times as fast on bytes.
   */
  capture(subject: string, bytes: Buffer, into: Record<string, unknown>): boolean;
}

export type CompiledPattern =
  | { readonly ok: true; readonly pattern: Pattern }
  | { readonly ok: false; readonly message: string; readonly hint: string | null };

const multiline = 'mu';

class Re2Pattern implements Pattern {
  readonly text: string;
  readonly groups: readonly string[];
  readonly needsCharacter: boolean;
  readonly #re: RegExp & { search(subject: string | Buffer): number };
  /** Made when it is first needed; null where the pattern is not simple enough. */
  #fast: RegExp | null | undefined;

  constructor(text: string) {
    this.text = text;
    this.#re = new RE2(text, multiline) as RegExp & { search(subject: string | Buffer): number };
    const { groups, needsCharacter } = patternFacts(text);
    this.groups = groups;
    this.needsCharacter = needsCharacter;
  }

  test(subject: string | Buffer): boolean {
    // The typings know strings only; bytes are what it is fastest with.
    return this.#re.test(subject as string);
  }

  exec(subject: string): PatternMatch | null {
    const found = this.#re.exec(subject);
    if (found === null) return null;
    const groups: Record<string, string | undefined> = Object.create(null);
    for (const name of this.groups) groups[name] = found.groups?.[name];
    return { index: found.index, end: found.index + found[0].length, groups };
  }

  capture(subject: string, bytes: Buffer, into: Record<string, unknown>): boolean {
    if (this.#fast === undefined) this.#fast = this.groups.length === 0 ? null : fastCaptures(this.text);
    const names = this.groups;
    if (this.#fast !== null && subject.length <= maxFastText) {
      const at = this.#re.search(bytes);
      if (at < 0) return false;
      this.#fast.lastIndex = bytes.length === subject.length ? at : bytes.toString('utf8', 0, at).length;
      const found = this.#fast.exec(subject);
      // The two engines must agree; if they should not, RE2 is right.
      if (found !== null) {
        for (let i = 0; i < names.length; i++) put(into, names[i] ?? '', found[i + 1]);
        return true;
      }
    }
    const found = this.#re.exec(subject);
    if (found === null) return false;
    for (const name of names) put(into, name, found.groups?.[name]);
    return true;
  }
}

/** First writer wins; a group that took no part writes nothing. */
function put(into: Record<string, unknown>, name: string, value: string | undefined): void {
  if (value !== undefined && into[name] === undefined) into[name] = value;
}

/** What RE2 does not have, how its message begins, and what to write instead. */
const missing: readonly { readonly sign: RegExp; readonly what: string; readonly hint: string }[] = [
  {
    sign: /invalid perl operator: \(\?<?!|invalid named capture group: \(\?P?<!/,
    what: 'RE2 has no negative look-around',
    hint: "match the plain text and put what must not be there under `except:`, e.g. `except: 'Retry in'`",
  },
  {
    sign: /invalid perl operator: \(\?<?=|invalid named capture group: \(\?P?<=/,
    what: 'RE2 has no look-around',
    hint: 'write what must be there as part of the pattern, name what you need with `(?<name>...)`, or list several patterns under `match: { all: [...] }`',
  },
  {
    sign: /invalid perl operator: \(\?>/,
    what: 'RE2 has no atomic groups',
    hint: 'write `(?:...)`: RE2 never backtracks, so an atomic group is not needed',
  },
  {
    sign: /invalid escape sequence: \\[1-9kg]/,
    what: 'RE2 has no back-references',
    hint: "capture both places with `(?<a>...)` and `(?<b>...)`, and compare them: `fields: { same: '{% if a == b %}yes{% endif %}' }` and `where: { same: yes }`",
  },
  {
    sign: /bad repetition operator: [*+?}]\+/,
    what: 'RE2 has no possessive quantifiers',
    hint: 'leave the second `+` out: RE2 never backtracks',
  },
  {
    sign: /invalid escape sequence: \\Z/,
    what: 'RE2 has no \\Z',
    hint: 'write `$` for the end of a line or `\\z` for the end of the text',
  },
  {
    sign: /invalid perl operator: \(\?(?:P|[0-9R&(#|])/,
    what: 'RE2 has no conditionals, comments, recursion or references to groups',
    hint: 'name groups with `(?<name>...)` and test the fields with `where:`',
  },
];

/** Slips in what RE2 does have, by its words for them. */
const slips: readonly { readonly sign: RegExp; readonly hint: string }[] = [
  {
    sign: /duplicate capture group/,
    hint: 'give each group its own name, or write a list of patterns: the first that matches gives the fields',
  },
  { sign: /missing (closing )?\]/, hint: 'close the class with `]`, or write `\\[` for the character' },
  {
    sign: /missing (closing )?\)|unexpected \)/,
    hint: 'balance the brackets, or write `\\(` and `\\)` for the characters',
  },
  {
    sign: /invalid repetition size/,
    hint: 'a count in `{n,m}` is at most 1000, nested ones multiply; write `*` or `+`',
  },
  {
    sign: /no argument for repetition operator/,
    hint: 'write `\\*`, `\\+` or `\\?` for the character',
  },
  {
    sign: /invalid named capture group/,
    hint: 'a name is letters, digits and _, and begins with a letter: `(?<name>...)`',
  },
  {
    sign: /invalid character class range: \\[pP]/,
    hint: 'write a class that RE2 knows, such as `\\pL` for letters, or `[a-z]`',
  },
  {
    sign: /invalid escape sequence/,
    hint: 'write the character without `\\`; for a backslash write `\\\\`',
  },
];

function explain(error: unknown): { message: string; hint: string | null } {
  const text = (error instanceof Error ? error.message : String(error)).replace('(?m)', '');
  for (const { sign, what, hint } of missing) {
    if (sign.test(text)) return { message: `${what} (${text})`, hint };
  }
  if (text.includes('pattern too large')) {
    return {
      message: 'the pattern is too large to compile',
      hint: 'use smaller counts in `{n,m}`, or split it into a list',
    };
  }
  return { message: text, hint: slips.find(({ sign }) => sign.test(text))?.hint ?? null };
}

/**
 * Compiles one pattern (at most 64 Ki characters) in RE2's syntax; `(?<name>...)` and `(?P<name>...)` are the same.
 * Never throws.
 */
export function compilePattern(text: string): CompiledPattern {
  if (text.length > maxPatternLength) {
    return {
      ok: false,
      message: `the pattern has ${text.length} characters, at most ${maxPatternLength} are allowed`,
      hint: 'write a list of patterns',
    };
  }
  try {
    return { ok: true, pattern: new Re2Pattern(text) };
  } catch (error) {
    return { ok: false, ...explain(error) };
  }
}

/** Texts that have nothing in common: what matches each of them matches any line. */
const probes = ['q', '7', '~', 'Ж'];

/** Whether a pattern says yes to any line (`.*`, an empty one). False for a pattern that does not compile. */
export function matchesEverything(text: string): boolean {
  const compiled = compilePattern(text);
  return compiled.ok && probes.every((probe) => compiled.pattern.test(probe));
}

/** Finds where in a block the first of many patterns matches. Positions are bytes. */
export interface BlockFinder {
  /** Byte at which the first match begins, or -1. */
  find(block: Buffer): number;
}

/** One alternation over pattern sources, or null when it can't be compiled. Without named groups, please. */
export function blockFinder(sources: readonly string[]): BlockFinder | null {
  try {
    const re = new RE2(sources.map((source) => `(?:${source})`).join('|'), multiline);
    return {
      find: (block) => {
        const found = re.exec(block);
        return found === null ? -1 : found.index;
      },
    };
  } catch {
    return null;
  }
}

/** Many patterns in one automaton. Both calls throw when RE2 runs out of memory for it: split the set then. */
export interface PatternSet {
  readonly sources: readonly string[];
  test(subject: string | Buffer): boolean;
  /** Indexes into `sources`, ascending. */
  match(subject: string | Buffer): number[];
}

/** A set over pattern sources, or null when it can't be compiled: split it, or take each pattern for itself. */
export function patternSet(sources: readonly string[]): PatternSet | null {
  try {
    const set = new RE2.Set(sources, multiline);
    return { sources, test: (subject) => set.test(subject), match: (subject) => set.match(subject) };
  } catch {
    return null;
  }
}
