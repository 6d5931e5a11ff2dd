/** A rule in the place of one that is gone: just enough to tell the end of its incidents. */
import type { Rule } from '../model/rule.ts';

/** What is needed to tell the end of an incident whose rule is gone. */
export function strayRule(doc: { readonly rule: string }): Rule {
  const origin = { file: '', line: 0, column: 0, length: 0 };
  return {
    id: doc.rule,
    title: null,
    description: null,
    message: null,
    severity: [],
    labels: {},
    owner: null,
    runbook: null,
    links: [],
    conditions: { text: [], where: [], except: [], from: null },
    whereStory: [],
    fields: [],
    collect: null,
    precededBy: null,
    join: [],
    by: [],
    count: null,
    holdMs: 0,
    remindMs: [],
    resolve: null,
    limit: null,
    context: { before: 0, after: 0 },
    notify: [],
    tests: [],
    countingHash: '',
    origin,
  };
}
