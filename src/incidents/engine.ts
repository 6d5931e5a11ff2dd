/**
 * Matches become incidents, and incidents ask to be told. The engine is given records with their hits and the time, keeps all
 * it knows in the tables of the store, and hands intents to `tell`. It sees to it that each hit does what its role says, that
 * what is due is done, and that new rules find their place; which incident a match joins is for `joining.ts`. It does no I/O
 * and never reads the clock: the same records at the same times give the same incidents, ids and messages.
 */

import type { Config } from '../model/config.ts';
import type { Intent, Ledger, Silence } from '../model/intent.ts';
import type { RecordMatch, RuleHit } from '../model/match.ts';
import type { LogRecord } from '../model/record.ts';
import type { Rule } from '../model/rule.ts';
import type { Store, Table } from '../model/store.ts';
import { type Accounts, newAccounts } from './accounts.ts';
import { bringBack } from './ahead.ts';
import type { FoldDoc, IncidentDoc, LateDoc, RuleStats, SpokenDoc, StoryDoc, WindowDoc } from './docs.ts';
import { Folds } from './folds.ts';
import { Joining, type JoiningSettings } from './joining.ts';
import { fieldText, rulePrefix, stateKey } from './keys.ts';
import { LateStories } from './late.ts';
import { LatestRecords } from './latest.ts';
import { Life, recounted, removed } from './life.ts';
import { dueOf } from './schedule.ts';
import { StoryBook } from './stories.ts';
import { Templates } from './tell.ts';

/** Due entries handled in one go, so that a tick never holds the daemon for long. */
const dueBatch = 500;

export interface EngineDeps {
  readonly store: Store;
  /** Takes what is to be told; in order. */
  readonly tell: (intent: Intent, now: number) => void;
  /** Counts something odd by reason: `story_forgotten`, `wait_full`, `rule_gone`. */
  readonly count: (reason: string, rule: string) => void;
}

export type EngineSettings = JoiningSettings & Pick<Config, 'rules'>;

export class Engine {
  readonly #deps: EngineDeps;
  readonly #incidents: Table<IncidentDoc>;
  readonly #windows: Table<WindowDoc>;
  readonly #stories: Table<StoryDoc>;
  readonly #storyBook: StoryBook;
  readonly #late: LateStories;
  readonly #stats: Table<RuleStats>;
  readonly #silences: Table<Silence>;
  readonly #life: Life;
  readonly #joining: Joining;
  readonly #folds: Folds;
  readonly #templates = new Templates();
  readonly accounts: Accounts;
  #rules = new Map<string, Rule>();
  readonly #latest = new LatestRecords();

  constructor(deps: EngineDeps, settings: EngineSettings) {
    this.#deps = deps;
    const { store } = deps;
    this.#incidents = store.table<IncidentDoc>('incidents', { cache: 2_000 });
    this.#windows = store.table<WindowDoc>('windows', { cache: 2_000 });
    this.#stories = store.table<StoryDoc>('stories', { cache: 5_000 });
    this.#storyBook = new StoryBook(this.#stories);
    this.#stats = store.table<RuleStats>('rule_stats', { cache: 5_000 });
    this.#silences = store.table<Silence>('silences', { cache: 500 });
    this.accounts = newAccounts(store.table<Ledger>('ledgers', { cache: 500 }));
    this.#folds = new Folds(store.table<FoldDoc>('folds', { cache: 500 }), this.#incidents);
    this.#life = new Life({
      incidents: this.#incidents,
      history: store.table<IncidentDoc>('history', { cache: 50 }),
      spoken: store.table<SpokenDoc>('spoken', { cache: 1_000 }),
      stats: this.#stats,
      folds: this.#folds,
      templates: this.#templates,
      tell: deps.tell,
      settle: (doc) => this.#latest.settle(doc),
      rule: (id) => this.#rules.get(id),
      labels: (rule) => this.#joining.labels(rule, null),
    });
    this.#joining = new Joining(
      {
        incidents: this.#incidents,
        windows: this.#windows,
        stats: this.#stats,
        silences: this.#silences,
        stories: this.#storyBook,
        folds: this.#folds,
        latest: this.#latest,
        life: this.#life,
        accounts: this.accounts,
        templates: this.#templates,
        rule: (id) => this.#rules.get(id),
      },
      settings,
    );
    this.#late = new LateStories({
      table: store.table<LateDoc>('late', { cache: 50 }),
      stories: this.#storyBook,
      rule: (id) => this.#rules.get(id),
      lookup: (hit, record) => this.#joining.lookup(hit.rule, record, hit.fields),
      decide: (hit, record, now) => this.#joining.take(hit, record, now),
      count: deps.count,
    });
    this.#useRules(settings);
  }

  /** Takes a new set of rules and routes. State of unchanged rules stays; incidents of removed or recounted ones end. */
  swap(settings: EngineSettings, now: number): void {
    const after = new Map(settings.rules.map((rule) => [rule.id, rule]));
    const ending = [...this.#rules.values()].filter(
      (rule) => after.get(rule.id)?.countingHash !== rule.countingHash,
    );
    // What waits is decided by the rule it met.
    for (const rule of ending) this.#late.finish(now, rule);
    this.#joining.use(settings);
    this.#templates.clear();
    this.#useRules(settings);
    for (const rule of ending) this.#endAll(rule, after.has(rule.id) ? recounted : removed, now);
  }

  /** After a start: ends what belongs to rules that are gone, or that count differently now. What is ahead of `now` counts as now. */
  adopt(now: number): void {
    this.#late.adopt(now);
    this.#folds.adopt(now);
    const ending: string[] = [];
    const ended = new Set<string>();
    for (const { key, value } of this.#incidents.scan('', Number.MAX_SAFE_INTEGER)) {
      const rule = this.#rules.get(value.rule);
      if (rule && bringBack(value, now)) this.#incidents.put(key, value, dueOf(value, rule));
      if (rule?.countingHash === value.countingHash) continue;
      ending.push(key);
      ended.add(value.rule);
    }
    // Folds first: they can still name what ends with them.
    this.#folds.dropUnless(
      (rule) => this.#rules.has(rule) && !ended.has(rule),
      (fold) => this.#life.tellFold(fold, now),
    );
    for (const key of ending) {
      const doc = this.#incidents.get(key);
      if (doc) this.#life.step(key, doc, now);
    }
  }

  /** Reads the silences again after a person changed them. */
  reloadSilences(): void {
    this.#joining.reloadSilences();
  }

  /** One record and everybody who wants it. `now` is the engine's time and never goes back. */
  apply(match: RecordMatch, now: number): void {
    for (const hit of match.hits) {
      switch (hit.role) {
        case 'until':
          this.#late.ends(hit, match.record, now);
          this.#storyBook.forget(hit);
          break;
        case 'collect':
        case 'preceded_by':
          // What is a match itself is no earlier record of its own story.
          if (!match.hits.some((other) => other.rule === hit.rule && other.role === 'match')) {
            if (hit.role === 'collect') this.#late.comes(hit, match.record, now);
            if (!this.#storyBook.remember(hit, match.record, now))
              this.#deps.count('story_forgotten', hit.rule.id);
          }
          break;
        case 'resolve':
          if (!match.hits.some((other) => other.rule === hit.rule && other.role === 'match'))
            this.#recover(hit, match.record, now);
          break;
        case 'match':
          this.#match(hit, match.record, now);
          break;
      }
    }
  }

  /** Writes down the latest record of each incident that matched since the last call. To be called before a commit. */
  settle(): void {
    this.#latest.settleAll();
  }

  /** How many incidents wait for that. */
  unsettled(): number {
    return this.#latest.size;
  }

  /** Everything that is due at `now`. Returns whether there may be more due at once. */
  tick(now: number): boolean {
    const more = this.#late.tick(now);
    const due = this.#incidents.due(now, dueBatch);
    for (const { key, value } of due) this.#life.step(key, value, now);
    this.#folds.tick(now, (fold) => this.#life.tellFold(fold, now));
    for (const table of [this.#stories, this.#windows]) {
      for (const { key } of table.due(now, dueBatch)) table.delete(key);
    }
    return more || due.length === dueBatch;
  }

  /** The earliest time at which `tick` has something to do, or null. */
  nextDue(): number | null {
    // Asked for each match: nothing is made for it.
    const next = Math.min(
      this.#incidents.nextDue() ?? Number.POSITIVE_INFINITY,
      this.#folds.nextDue() ?? Number.POSITIVE_INFINITY,
      this.#late.nextDue() ?? Number.POSITIVE_INFINITY,
    );
    return next === Number.POSITIVE_INFINITY ? null : next;
  }

  /** The end of the input in `--once`: everything that is still untold is told now, once. */
  finish(now: number): void {
    this.#late.finish(now);
    for (const { key, value } of this.#incidents.scan('', Number.MAX_SAFE_INTEGER)) {
      if (value.fold === null && value.untold.opened + value.untold.repeats > 0)
        this.#life.say(key, value, value.lastToldAt === null ? 'first' : 'summary', now);
    }
    this.#folds.finish((fold) => this.#life.tellFold(fold, now));
  }

  /** Forgets what ended long ago, and silences that ended. */
  pruneHistory(now: number): void {
    this.#life.pruneHistory(now);
    const ended = this.#silences.due(now, dueBatch);
    for (const { key } of ended) this.#silences.delete(key);
    if (ended.length > 0) this.#joining.reloadSilences();
  }

  stats(rule: string): RuleStats {
    return this.#stats.get(rule) ?? { matched: 0, below: 0, incidents: 0, firing: 0 };
  }

  #useRules(settings: EngineSettings): void {
    this.#rules = new Map(settings.rules.map((rule) => [rule.id, rule]));
  }

  #match(hit: RuleHit, record: LogRecord, now: number): void {
    if (!this.#storyBook.preceded(hit, record)) this.#life.bump(hit.rule.id, { below: 1 });
    else if (!this.#late.takes(hit, record, now)) this.#joining.take(hit, record, now);
  }

  /** A record that says the trouble is over: ends the incidents it names. */
  #recover(hit: RuleHit, record: LogRecord, now: number): void {
    const { rule } = hit;
    const named = (rule.by ?? []).filter((name) => fieldText(hit.fields, name) !== '');
    const whole = rule.by !== null && named.length === rule.by.length;
    const key = stateKey(
      rule,
      (rule.by ?? []).map((name) => fieldText(hit.fields, name)),
    );
    const own = this.#incidents.get(key);
    const open = whole
      ? own
        ? [{ key, value: own }]
        : []
      : this.#incidents.scan(rulePrefix(rule), Number.MAX_SAFE_INTEGER);
    for (const one of open) {
      const same = named.every((name) => fieldText(one.value.by, name) === fieldText(hit.fields, name));
      if (!same) continue;
      one.value.resolvedAt = record.time ?? record.receivedAt;
      this.#life.resolve(one.key, one.value, now);
    }
    if (rule.count) this.#windows.delete(key);
  }

  #endAll(rule: Rule, why: string, now: number): void {
    // Folds first: they can still name what ends with them.
    this.#folds.drop(rule.id, (fold) => this.#life.tellFold(fold, now, rule));
    for (const { key, value } of this.#incidents.scan(rulePrefix(rule), Number.MAX_SAFE_INTEGER))
      this.#life.end(key, value, rule, why, now);
    for (const table of [this.#windows, this.#stories]) {
      for (const { key } of table.scan(rulePrefix(rule), Number.MAX_SAFE_INTEGER)) table.delete(key);
    }
  }
}
