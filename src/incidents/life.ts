/**
 * The life of an incident once it is open: what the time asks of it is done here, from its first word to its end. It obeys
 * `schedule.ts`, which decides, and does no I/O of its own.
 */
import type { Intent } from '../model/intent.ts';
import type { Rule } from '../model/rule.ts';
import type { Table } from '../model/store.ts';
import type { FoldDoc, IncidentDoc, RuleStats, SpokenDoc } from './docs.ts';
import type { Folds } from './folds.ts';
import { decide, dueOf } from './schedule.ts';
import { strayRule } from './stray.ts';
import { spokenRoom } from './tally.ts';
import { type TellFacts, type Templates, tellIncident } from './tell.ts';

/** How long ended incidents are kept to learn from. */
const historyMs = 90 * 86_400_000;
/** Ended incidents forgotten in one go. */
const dueBatch = 500;
export const removed = 'the rule was removed';
export const recounted = 'the rule counts differently now';

export interface LifeDeps {
  readonly incidents: Table<IncidentDoc>;
  readonly history: Table<IncidentDoc>;
  readonly spoken: Table<SpokenDoc>;
  readonly stats: Table<RuleStats>;
  readonly folds: Folds;
  readonly templates: Templates;
  readonly tell: (intent: Intent, now: number) => void;
  /** Writes the latest record of an incident into it, before it is told. */
  readonly settle: (doc: IncidentDoc) => void;
  /** The rule of an id as it is now. */
  readonly rule: (id: string) => Rule | undefined;
  /** Labels that every message of a rule carries. */
  readonly labels: (rule: Rule) => Readonly<Record<string, string>>;
}

export class Life {
  readonly #deps: LifeDeps;

  constructor(deps: LifeDeps) {
    this.#deps = deps;
  }

  /** Does what the time asks of one incident, and files it for the next time. */
  step(key: string, doc: IncidentDoc, now: number): void {
    const rule = this.#deps.rule(doc.rule);
    if (rule?.countingHash !== doc.countingHash) {
      this.end(key, doc, rule ?? strayRule(doc), rule ? recounted : removed, now);
      return;
    }
    const next = decide(doc, rule, now);
    switch (next) {
      case 'first':
        this.#speakNew(key, doc, rule, 'first', now);
        return;
      case 'summary':
        if (doc.grown) this.#speakNew(key, doc, rule, 'summary', now);
        else this.say(key, doc, 'summary', now);
        return;
      case 'resolved':
        this.resolve(key, doc, now);
        return;
      case 'quiet':
        doc.state = 'quiet';
        break;
      case 'over':
        this.archive(key, doc);
        return;
      case 'wait':
        break;
    }
    this.#deps.incidents.put(key, doc, dueOf(doc, rule));
  }

  /** What is new to a channel: a message of its own, or a place in the fold when the rule has opened too many of late. */
  #speakNew(key: string, doc: IncidentDoc, rule: Rule, kind: 'first' | 'summary', now: number): void {
    const folding = doc.late === true || this.#deps.folds.active(rule, doc.channels);
    const spoken = this.#deps.spoken.get(rule.id) ?? { times: [] };
    if (!folding && spokenRoom(spoken, rule.limit, now)) {
      this.#deps.spoken.put(rule.id, spoken, null);
      this.say(key, doc, kind, now);
      return;
    }
    this.#deps.folds.takeIn(key, doc, rule, now);
    this.#deps.incidents.put(key, doc, dueOf(doc, rule));
  }

  say(key: string, doc: IncidentDoc, kind: 'first' | 'summary' | 'resolved', now: number): void {
    const rule = this.#deps.rule(doc.rule);
    if (!rule) return;
    this.#deps.settle(doc);
    this.#deps.tell(tellIncident(doc, kind, this.#facts(rule, doc.labels, now)), now);
    doc.toldCount = doc.count;
    doc.untold = { opened: 0, repeats: 0 };
    delete doc.grown;
    if (kind === 'summary')
      doc.remindIndex = Math.min(doc.remindIndex + 1, Math.max(0, rule.remindMs.length - 1));
    doc.lastToldAt = now;
    if (kind !== 'resolved') this.#deps.incidents.put(key, doc, dueOf(doc, rule));
  }

  #facts(rule: Rule, labels: Readonly<Record<string, string>>, now: number): TellFacts {
    return { rule, labels, templates: this.#deps.templates, now };
  }

  tellFold(fold: FoldDoc, now: number, rule = this.#deps.rule(fold.rule) ?? strayRule(fold)): void {
    const { intent, docs } = this.#deps.folds.message(fold, this.#facts(rule, this.#deps.labels(rule), now));
    this.#deps.tell(intent, now);
    for (const { key, doc } of docs) {
      doc.toldCount = doc.count;
      doc.lastToldAt = now;
      // What came late is over when it is told.
      if (fold.late) this.archive(key, doc);
      else this.#deps.incidents.put(key, doc, dueOf(doc, rule));
    }
  }

  /** Tells the end to whoever heard of the beginning; nobody hears the end of what was silenced from the first. */
  resolve(key: string, doc: IncidentDoc, now: number): void {
    doc.state = 'resolved';
    doc.resolvedAt ??= doc.lastSeenAt;
    const heard = doc.lastToldAt !== null || doc.untold.opened + doc.untold.repeats > 0;
    if (doc.fold === null && heard) this.say(key, doc, 'resolved', now);
    this.archive(key, doc);
  }

  end(key: string, doc: IncidentDoc, rule: Rule, why: string, now: number): void {
    doc.state = 'resolved';
    doc.resolvedAt = now;
    doc.fields = { ...doc.fields, ended: why };
    if (doc.fold === null && (doc.lastToldAt !== null || doc.untold.opened + doc.untold.repeats > 0)) {
      this.#deps.settle(doc);
      this.#deps.tell(tellIncident(doc, 'resolved', this.#facts(rule, doc.labels, now)), now);
      doc.untold = { opened: 0, repeats: 0 };
    }
    this.archive(key, doc);
  }

  archive(key: string, doc: IncidentDoc): void {
    this.#deps.incidents.delete(key);
    this.bump(doc.rule, { firing: -1 });
    this.#deps.history.put(
      `${String(doc.openedAt).padStart(16, '0')}:${doc.id}`,
      doc,
      doc.openedAt + historyMs,
    );
  }

  /** Forgets what ended long ago. */
  pruneHistory(now: number): void {
    for (const { key } of this.#deps.history.due(now, dueBatch)) this.#deps.history.delete(key);
  }

  /** Counts what a rule did. */
  bump(rule: string, change: { readonly below?: number; readonly firing?: number }): void {
    const stats = this.#stats(rule);
    stats.below += change.below ?? 0;
    stats.firing += change.firing ?? 0;
    this.#deps.stats.put(rule, stats, null);
  }

  /** Counts a match that belongs to an incident; `size` of them when it filled a window, whose others were below until now. */
  counted(rule: string, size: number, opened: boolean): void {
    const stats = this.#stats(rule);
    stats.matched += size;
    stats.below -= size - 1;
    if (opened) {
      stats.incidents++;
      stats.firing++;
    }
    this.#deps.stats.put(rule, stats, null);
  }

  #stats(rule: string): RuleStats {
    return this.#deps.stats.get(rule) ?? { matched: 0, below: 0, incidents: 0, firing: 0 };
  }
}
