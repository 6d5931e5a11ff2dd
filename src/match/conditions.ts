/**
 * A rule's conditions, compiled, and their exact evaluation on one record. Gives the captures of the texts that matched, or
 * null for no. All decisions are made on the text as it came; nothing is redacted here.
 */
import { matchesGlob } from '../model/glob.ts';
import type { FieldValue, StreamInfo } from '../model/record.ts';
import type { Conditions, FieldTest, TextScope, TextTest } from '../model/rule.ts';
import { patternFacts } from './pattern-syntax.ts';
import { compilePattern, type Pattern } from './regex.ts';
import { testFields } from './where.ts';

/**
 * One text to look for. Its pattern is compiled when it is first asked: of a thousand rules most never see a candidate. Rules that
 * look for the same text share one, and ask it once for a record.
 */
class CompiledTest {
  readonly literal: string | null;
  /** Several conditions have it. */
  shared = false;
  readonly #text: string;
  #pattern: Pattern | null | undefined;
  /** The record that was asked last, by its number: the record itself would keep the bytes of its whole chunk. */
  #asked = -1;
  #scope: TextScope = 'record';
  #answer: Captures | null = null;

  constructor(test: TextTest) {
    this.literal = test.kind === 'literal' ? test.text : null;
    this.#text = test.text;
  }

  /** Whether it is there, and what it captures, as `find` gives it; the last answer is remembered. */
  once(scope: TextScope, subject: Subject, find: () => Captures | null): Captures | null {
    if (this.#asked !== subject.serial || this.#scope !== scope) {
      this.#answer = find();
      this.#asked = subject.serial;
      this.#scope = scope;
    }
    return this.#answer;
  }

  /** Null for one that does not compile: rules are checked before they come here; one that fails all the same never matches. */
  get pattern(): Pattern | null {
    if (this.#pattern === undefined) {
      const compiled = compilePattern(this.#text);
      this.#pattern = compiled.ok ? compiled.pattern : null;
    }
    return this.#pattern;
  }

  get groups(): readonly string[] {
    return this.literal === null ? patternFacts(this.#text).groups : [];
  }
}

interface CompiledText {
  readonly all: boolean;
  readonly scope: TextScope;
  readonly tests: readonly CompiledTest[];
}

export interface CompiledConditions {
  readonly text: readonly CompiledText[];
  readonly where: readonly FieldTest[];
  readonly except: readonly CompiledConditions[];
  readonly from: readonly string[] | null;
}

/** What conditions may ask of a record. */
export interface Subject {
  /** Tells it from every other one, from 0. */
  readonly serial: number;
  readonly stream: StreamInfo;
  readonly raw: string;
  /** The record without the header that the format took off. */
  readonly body: string;
  readonly message: string;
  readonly trace: string;
  /** The same texts as UTF-8. */
  readonly rawBytes: Buffer;
  readonly bodyBytes: Buffer;
  readonly messageBytes: Buffer;
  readonly traceBytes: Buffer;
  /** A field by path, with `captured` before the record's own. */
  lookup(path: string, captured: Captures): FieldValue | undefined;
}

/** Named groups of the texts that matched. Without prototype. */
export type Captures = Record<string, FieldValue>;

/** The texts that a set of rules looks for, each once. */
export type KnownTests = Map<string, CompiledTest>;

function compileTest(test: TextTest, known: KnownTests): CompiledTest {
  const key = `${test.kind} ${test.text}`;
  const same = known.get(key);
  if (same) {
    same.shared = true;
    return same;
  }
  const made = new CompiledTest(test);
  known.set(key, made);
  return made;
}

/** Compiles conditions of a valid rule. `known`: of all rules that are compiled together. */
export function compileConditions(conditions: Conditions, known: KnownTests): CompiledConditions {
  return {
    text: conditions.text.map((text) => ({
      all: text.mode === 'all',
      scope: text.scope,
      tests: text.tests.map((test) => compileTest(test, known)),
    })),
    where: conditions.where,
    except: conditions.except.map((except) => compileConditions(except, known)),
    from: conditions.from,
  };
}

/** Names of all groups that the conditions can capture. */
export function capturedNames(conditions: CompiledConditions): string[] {
  return conditions.text.flatMap((text) => text.tests.flatMap((test) => test.groups));
}

/** Whether a stream is one of `from`: names and globs of sources, `label=value`; null is every stream. */
export function comesFrom(from: readonly string[] | null, stream: StreamInfo): boolean {
  if (from === null) return true;
  return from.some((one) => {
    const sign = one.indexOf('=');
    if (sign < 0) return matchesGlob(one, stream.source);
    const label = one.slice(0, sign);
    return (
      Object.hasOwn(stream.labels, label) && matchesGlob(one.slice(sign + 1), stream.labels[label] ?? '')
    );
  });
}

/** One test on one text; captures go into `into` when it is given. */
function testText(test: CompiledTest, text: string, bytes: Buffer, into: Captures | null): boolean {
  if (test.literal !== null) return text.includes(test.literal);
  const pattern = test.pattern;
  if (pattern === null) return false;
  if (into === null || pattern.groups.length === 0) return pattern.test(bytes);
  return pattern.capture(text, bytes, into);
}

function holdsIn(test: CompiledTest, scope: TextScope, subject: Subject, into: Captures | null): boolean {
  if (!test.shared || test.literal !== null) return looksIn(test, scope, subject, into);
  const found = test.once(scope, subject, () => {
    const captures: Captures = Object.create(null);
    return looksIn(test, scope, subject, captures) ? captures : null;
  });
  if (found === null) return false;
  if (into !== null) for (const name in found) into[name] ??= found[name] as FieldValue;
  return true;
}

function looksIn(test: CompiledTest, scope: TextScope, subject: Subject, into: Captures | null): boolean {
  if (scope === 'message') return testText(test, subject.message, subject.messageBytes, into);
  if (scope === 'trace')
    return subject.trace !== '' && testText(test, subject.trace, subject.traceBytes, into);
  if (testText(test, subject.body, subject.bodyBytes, into)) return true;
  return subject.raw !== subject.body && testText(test, subject.raw, subject.rawBytes, into);
}

function textHolds(condition: CompiledText, subject: Subject, into: Captures | null): boolean {
  const { tests, scope } = condition;
  if (condition.all) return tests.every((test) => holdsIn(test, scope, subject, into));
  return tests.some((test) => holdsIn(test, scope, subject, into));
}

/** Captures that nothing was put into yet: most evaluations say no and leave it empty for the next one. */
let blank: Captures = Object.create(null);

/**
 * The captures of a record that meets all conditions, or null. `compute` is called after the texts matched and may add
 * computed fields that `where` can test. `from` is looked at for exceptions only: the caller has tested the outer one.
 */
export function evaluate(
  conditions: CompiledConditions,
  subject: Subject,
  compute: ((captures: Captures) => void) | null,
): Captures | null {
  const captures = blank;
  let first = true;
  for (const text of conditions.text) {
    if (!textHolds(text, subject, captures)) {
      // The first of several tests that must all hold may have captured before the second said no.
      if (!first || (text.all && text.tests.length > 1)) blank = Object.create(null);
      return null;
    }
    first = false;
  }
  blank = Object.create(null);
  for (const except of conditions.except) if (excludes(except, subject, captures)) return null;
  compute?.(captures);
  if (
    conditions.where.length > 0 &&
    !testFields(conditions.where, (path) => subject.lookup(path, captures))
  ) {
    return null;
  }
  return captures;
}

function excludes(conditions: CompiledConditions, subject: Subject, captured: Captures): boolean {
  if (!comesFrom(conditions.from, subject.stream)) return false;
  for (const text of conditions.text) if (!textHolds(text, subject, null)) return false;
  if (!testFields(conditions.where, (path) => subject.lookup(path, captured))) return false;
  return !conditions.except.some((except) => excludes(except, subject, captured));
}
