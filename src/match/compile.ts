/**
 * Compiles a whole set of rules for matching: per rule and role the exact conditions, and over all of them the tests that
 * say no to whole blocks. Takes valid rules; never throws. Immutable for its users; sets may split themselves inside.
 */
import type { MatchRole } from '../model/match.ts';
import type { Conditions, Rule } from '../model/rule.ts';
import { type BlockPattern, blockPattern } from './block-pattern.ts';
import { BlockTest } from './block-test.ts';
import { type CompiledConditions, capturedNames, compileConditions, type KnownTests } from './conditions.ts';
import { compilePattern } from './regex.ts';
import { type ParsedTemplate, parseTemplate, type Template } from './template.ts';

/** One rule in one role. */
export interface Entry {
  readonly rule: Rule;
  readonly role: MatchRole;
  readonly conditions: CompiledConditions;
  /** Computed fields that need no story, for `match` only. */
  readonly computed: readonly { readonly name: string; readonly template: Template }[];
  /** `where` asks for one of them. */
  readonly testsComputed: boolean;
}

export interface CompiledRules {
  readonly rules: readonly Rule[];
  /** In the order of roles, then of rules. */
  readonly entries: readonly Entry[];
  /** Indexes of entries that must see every record. */
  readonly every: readonly number[];
  /** Whether any entry has a block test. */
  readonly tested: boolean;
  /** All block patterns; their numbers are indexes into `targets`. */
  readonly test: BlockTest;
  /** Entries that a block pattern speaks for. */
  readonly targets: readonly (readonly number[])[];
  /** Lines of context that some rule wants. */
  readonly before: number;
  /** Lines behind a record that some rule wants: a record waits for them. */
  readonly after: number;
}

const roleOrder: readonly MatchRole[] = ['until', 'match', 'collect', 'preceded_by', 'resolve'];

function roles(rule: Rule): [MatchRole, Conditions][] {
  const found: [MatchRole, Conditions | null | undefined][] = [
    ['until', rule.collect?.until],
    ['match', rule.conditions],
    ['collect', rule.collect?.conditions],
    ['preceded_by', rule.precededBy?.conditions],
    ['resolve', rule.resolve?.when],
  ];
  return found.filter((pair): pair is [MatchRole, Conditions] => pair[1] !== null && pair[1] !== undefined);
}

/** Computed fields that can be known from the record alone: no story, and none that itself waits for the story. */
function computedFields(rule: Rule, parsedOnce: Map<string, ParsedTemplate>): Entry['computed'] {
  const waiting = new Set(['collected']);
  const known: { name: string; template: Template }[] = [];
  for (const { name, template } of rule.fields) {
    const parsed = parsedOnce.get(template) ?? parseTemplate(template);
    parsedOnce.set(template, parsed);
    if (!parsed.ok) continue;
    if (parsed.template.variables.some((path) => waiting.has(path.split('.')[0] ?? ''))) waiting.add(name);
    else known.push({ name, template: parsed.template });
  }
  return known;
}

/** Compiles rules, in their order. */
export function compileRules(rules: readonly Rule[]): CompiledRules {
  const entries: Entry[] = [];
  const every: number[] = [];
  const targets = new Map<string, { pattern: BlockPattern; entries: number[] }>();
  const all = rules.flatMap((rule) => roles(rule).map(([role, conditions]) => ({ rule, role, conditions })));
  all.sort((a, b) => roleOrder.indexOf(a.role) - roleOrder.indexOf(b.role));
  // Rules of one kind look for the same texts and compute the same fields: each is asked once for a record.
  const tests: KnownTests = new Map();
  const templates = new Map<string, ParsedTemplate>();
  for (const { rule, role, conditions } of all) {
    const compiled = compileConditions(conditions, tests);
    const computed = role === 'match' ? computedFields(rule, templates) : [];
    const names = new Set(computed.map(({ name }) => name));
    const testsComputed = conditions.where.some(({ field }) => names.has(field.split('.')[0] ?? ''));
    const index = entries.push({ rule, role, conditions: compiled, computed, testsComputed }) - 1;
    const shadowed = new Set(conditions.where.length === 0 ? [] : [...capturedNames(compiled), ...names]);
    const pattern = blockPattern(conditions, shadowed);
    if (pattern === null || (pattern.literals.length === 0 && saysAlways(pattern))) {
      every.push(index);
      continue;
    }
    const same = targets.get(pattern.key);
    if (same) same.entries.push(index);
    else targets.set(pattern.key, { pattern, entries: [index] });
  }
  const known = [...targets.values()];
  return {
    rules,
    entries,
    every,
    tested: known.length > 0,
    test: new BlockTest(known.map(({ pattern }) => pattern)),
    targets: known.map((target) => target.entries),
    before: rules.reduce((most, rule) => Math.max(most, rule.context.before), 0),
    after: rules.reduce((most, rule) => Math.max(most, rule.context.after), 0),
  };
}

/** A pattern that holds in nothing tells nothing; one that RE2 refuses neither. */
function saysAlways(pattern: BlockPattern): boolean {
  return [pattern.automaton.source, pattern.automaton.short].some((source) => {
    const compiled = compilePattern(source);
    return !compiled.ok || compiled.pattern.test('');
  });
}
