/**
 * When an incident speaks, falls quiet or is over. All branching on its life is in here; the engine obeys. Pure functions of
 * the document, its rule and the time.
 */
import { assertNever } from '../model/problem.ts';
import type { Rule } from '../model/rule.ts';
import type { IncidentDoc } from './docs.ts';

/** Without a match for so long (or twice the rule's window) an incident is quiet. */
export const quietMs = 15 * 60_000;

/** What the time asks of an incident. `over`: nobody has anything more to hear of it. */
export type Step = 'first' | 'summary' | 'resolved' | 'quiet' | 'over' | 'wait';

/** Milliseconds without a match after which an incident of this rule is quiet. */
function quietAfter(rule: Rule): number {
  return Math.max(quietMs, (rule.count?.withinMs ?? 0) * 2);
}

/** When the next summary may be told: the step of `remind` after the last message. Infinity for `never`. */
function remindAt(doc: IncidentDoc, rule: Rule): number {
  const wait = rule.remindMs[Math.min(doc.remindIndex, rule.remindMs.length - 1)];
  return wait === undefined || doc.lastToldAt === null ? Number.POSITIVE_INFINITY : doc.lastToldAt + wait;
}

function hasUntold(doc: IncidentDoc): boolean {
  return doc.untold.opened + doc.untold.repeats > 0;
}

export function decide(doc: IncidentDoc, rule: Rule, now: number): Step {
  switch (doc.state) {
    case 'resolved':
      return 'over';
    case 'firing':
      if (hasUntold(doc) && now >= speakAt(doc, rule)) return doc.lastToldAt === null ? 'first' : 'summary';
      if (rule.resolve?.quietMs != null)
        return now >= doc.lastMatchAt + rule.resolve.quietMs ? 'resolved' : 'wait';
      return now >= doc.lastMatchAt + quietAfter(rule) ? 'quiet' : 'wait';
    case 'quiet':
      if (hasUntold(doc)) return now >= speakAt(doc, rule) ? 'summary' : 'wait';
      return now >= overAt(doc, rule) ? 'over' : 'wait';
    default:
      return assertNever(doc.state);
  }
}

/** When what is untold may be told. Who joined an incident that is known already hears of it at once. */
function speakAt(doc: IncidentDoc, rule: Rule): number {
  if (doc.lastToldAt === null) return doc.holdUntil;
  const at = doc.grown ? Number.POSITIVE_INFINITY : remindAt(doc, rule);
  // With `never` nothing waits but what came before an edit that said so: that is told, too.
  return Number.isFinite(at) ? at : doc.lastMatchAt;
}

/** A quiet incident is remembered until it could have spoken again; what comes after that is a new problem. */
function overAt(doc: IncidentDoc, rule: Rule): number {
  // Its fold will name it: until then it stays.
  if (doc.fold !== null && doc.named && doc.count > doc.toldCount) return Number.POSITIVE_INFINITY;
  const at = remindAt(doc, rule);
  const quietSince = doc.lastMatchAt + quietAfter(rule);
  return Number.isFinite(at) ? Math.max(at, quietSince) : quietSince;
}

/** The next time at which `decide` may say something else than now, or null when only a match can change it. */
export function dueOf(doc: IncidentDoc, rule: Rule): number | null {
  const times: number[] = [];
  if (hasUntold(doc)) times.push(speakAt(doc, rule));
  if (doc.state === 'firing') times.push(doc.lastMatchAt + (rule.resolve?.quietMs ?? quietAfter(rule)));
  if (doc.state === 'quiet' && !hasUntold(doc)) times.push(overAt(doc, rule));
  const at = Math.min(...times);
  return Number.isFinite(at) ? at : null;
}
