/**
 * Folds: when a rule opens more incidents than its `limit` lets speak, the rest speak as one, by name, ever more rarely.
 * What was folded stays folded until the fold ends; the fold ends when none of its incidents matched for a while.
 */
import type { Intent } from '../model/intent.ts';
import type { Rule } from '../model/rule.ts';
import type { Table } from '../model/store.ts';
import { bringFoldBack } from './ahead.ts';
import type { FoldDoc, IncidentDoc } from './docs.ts';
import { digest } from './keys.ts';
import { louder } from './routing.ts';
import { quietMs } from './schedule.ts';
import { incidentBody, rowOf, type TellFacts, tellFold } from './tell.ts';

/** Incidents named in one message of a fold; the rest are in its total. */
export const foldRowsMax = 200;
/** A fold waits this long before its first word, so that it can name its siblings. */
const gatherMs = 5_000;
/** Waits between its words; the last repeats. */
const remindMs = [5 * 60_000, 3_600_000, 4 * 3_600_000, 86_400_000];

export class Folds {
  readonly #folds: Table<FoldDoc>;
  readonly #incidents: Table<IncidentDoc>;

  constructor(folds: Table<FoldDoc>, incidents: Table<IncidentDoc>) {
    this.#folds = folds;
    this.#incidents = incidents;
  }

  active(rule: Rule, channels: readonly string[]): boolean {
    return this.#folds.get(keyOf(rule.id, { channels })) !== undefined;
  }

  /** A new incident goes into the fold of its rule; the fold is made when there is none. */
  takeIn(key: string, doc: IncidentDoc, rule: Rule, now: number): void {
    const foldKey = keyOf(rule.id, doc);
    const fold: FoldDoc = this.#folds.get(foldKey) ?? {
      // An incident may begin more than one.
      id: digest(['fold', doc.id, String(doc.count), foldKey]),
      rule: rule.id,
      ...(doc.late ? { late: true } : {}),
      channels: doc.channels,
      openedAt: now,
      lastMatchAt: now,
      nextAt: now + gatherMs,
      remindIndex: 0,
      sequence: 0,
      keys: [],
      incidents: 0,
      untold: { opened: 0, repeats: 0 },
      severity: doc.severity,
    };
    doc.fold = foldKey;
    fold.incidents++;
    fold.lastMatchAt = now;
    fold.untold.opened += doc.untold.opened;
    fold.untold.repeats += doc.untold.repeats;
    fold.severity = louder(fold.severity, doc.severity);
    doc.untold = { opened: 0, repeats: 0 };
    delete doc.grown;
    doc.named = false;
    nameIn(fold, key, doc);
    this.#folds.put(foldKey, fold, fold.nextAt);
  }

  /** One more match of an incident that is folded. False when its fold has ended: it speaks for itself again. */
  add(key: string, doc: IncidentDoc, opened: number, repeats: number): boolean {
    const fold = doc.fold === null ? undefined : this.#folds.get(doc.fold);
    if (!fold || doc.fold === null) {
      doc.fold = null;
      return false;
    }
    fold.untold.opened += opened;
    fold.untold.repeats += repeats;
    fold.lastMatchAt = Math.max(fold.lastMatchAt, doc.lastMatchAt);
    fold.severity = louder(fold.severity, doc.severity);
    nameIn(fold, key, doc);
    this.#folds.put(doc.fold, fold, fold.nextAt);
    return true;
  }

  /** After a start: a fold that is ahead of `now` goes on from now. */
  adopt(now: number): void {
    for (const { key, value: fold } of this.#folds.scan('', 100_000)) {
      if (!bringFoldBack(fold, now)) continue;
      const untold = fold.untold.opened + fold.untold.repeats > 0;
      this.#folds.put(key, fold, untold ? fold.nextAt : Math.min(fold.nextAt, this.#endsAt(fold)));
    }
  }

  tick(now: number, tell: (fold: FoldDoc) => void): void {
    for (const { key, value: fold } of this.#folds.due(now, 100)) {
      const untold = fold.untold.opened + fold.untold.repeats > 0;
      if (untold) {
        tell(fold);
        this.#told(key, fold, now);
      } else if (now >= this.#endsAt(fold)) {
        this.#folds.delete(key);
      } else {
        this.#folds.put(key, fold, this.#endsAt(fold));
      }
    }
  }

  #endsAt(fold: FoldDoc): number {
    return fold.lastMatchAt + quietMs;
  }

  #told(key: string, fold: FoldDoc, now: number): void {
    fold.untold = { opened: 0, repeats: 0 };
    const wait = remindMs[Math.min(fold.remindIndex, remindMs.length - 1)] ?? quietMs;
    fold.remindIndex++;
    fold.nextAt = now + wait;
    this.#folds.put(key, fold, Math.min(fold.nextAt, Math.max(now + 1, this.#endsAt(fold))));
  }

  finish(tell: (fold: FoldDoc) => void): void {
    for (const { key, value: fold } of this.#folds.scan('', 100_000)) {
      if (fold.untold.opened + fold.untold.repeats === 0) continue;
      tell(fold);
      fold.untold = { opened: 0, repeats: 0 };
      this.#folds.put(key, fold, fold.nextAt);
    }
  }

  /** The message of a fold, and the incidents it names. The next one names what matches from here on. */
  message(
    fold: FoldDoc,
    facts: TellFacts,
  ): { intent: Intent; docs: readonly { key: string; doc: IncidentDoc }[] } {
    const docs: { key: string; doc: IncidentDoc }[] = [];
    const own = keyOf(fold.rule, fold);
    for (const key of fold.keys) {
      const doc = this.#incidents.get(key);
      // One that another fold speaks for by now is named by that one.
      if (doc?.fold !== own) continue;
      doc.named = false;
      if (doc.count > doc.toldCount) docs.push({ key, doc });
    }
    fold.keys = [];
    const rows = docs.map(({ doc }) => rowOf(incidentBody(doc, { ...facts, labels: doc.labels })));
    return { intent: tellFold(fold, rows, facts), docs };
  }

  nextDue(): number | null {
    return this.#folds.nextDue();
  }

  /** The rule is gone, and its folds with it; what they have not told yet is told first. */
  drop(rule: string, tell: (fold: FoldDoc) => void): void {
    for (const { key, value } of this.#folds.scan(`${rule}\u0000`, 1_000)) this.#close(key, value, tell);
  }

  /** The same for every rule that is not known as it was any more. */
  dropUnless(known: (rule: string) => boolean, tell: (fold: FoldDoc) => void): void {
    for (const { key, value } of this.#folds.scan('', 100_000)) {
      if (!known(value.rule)) this.#close(key, value, tell);
    }
  }

  #close(key: string, fold: FoldDoc, tell: (fold: FoldDoc) => void): void {
    if (fold.untold.opened + fold.untold.repeats > 0) tell(fold);
    this.#folds.delete(key);
  }
}

/** One fold for each rule and set of channels; what came late has its own. */
function keyOf(rule: string, doc: Pick<IncidentDoc, 'channels' | 'late'>): string {
  return `${rule}\u0000${doc.late ? 'late\u0000' : ''}${doc.channels.join(',')}`;
}

/** The next message of a fold names this incident, if there is room. */
function nameIn(fold: FoldDoc, key: string, doc: IncidentDoc): void {
  if (doc.named) return;
  // An earlier incident of the same key may have ended in this fold.
  const known = fold.keys.includes(key);
  if (!known && fold.keys.length >= foldRowsMax) return;
  doc.named = true;
  if (!known) fold.keys.push(key);
}
