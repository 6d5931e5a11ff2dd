/**
 * The language of rules, handed to the reader of the configuration: patterns and templates are checked by the doors
 * that will run them, and a rule's mapping becomes a Rule. Hands work on; knows no file.
 */
import type { RuleLanguage } from '../config/reading.ts';
import { compilePattern, matchesEverything } from '../match/regex.ts';
import { parseTemplate } from '../match/template.ts';
import { parseRule } from './parse-rule.ts';

export const ruleLanguage: RuleLanguage = {
  checkPattern(text) {
    const compiled = compilePattern(text);
    if (!compiled.ok) return { ok: false, message: compiled.message, hint: compiled.hint };
    const { groups, needsCharacter } = compiled.pattern;
    // To ask RE2 builds an automaton, which takes more time and memory than the compiled pattern.
    return { ok: true, groups, matchesEverything: !needsCharacter && matchesEverything(text) };
  },
  checkTemplate(text) {
    const parsed = parseTemplate(text);
    return parsed.ok ? { ok: true, variables: parsed.template.variables } : parsed;
  },
  parseRule,
};
