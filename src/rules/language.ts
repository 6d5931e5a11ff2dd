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
    // Most patterns say no to a lone character; only the others need the closer look.
    const everything = compiled.pattern.test('~') && matchesEverything(text);
    return { ok: true, groups: compiled.pattern.groups, matchesEverything: everything };
  },
  checkTemplate(text) {
    const parsed = parseTemplate(text);
    return parsed.ok ? { ok: true, variables: parsed.template.variables } : parsed;
  },
  parseRule,
};
