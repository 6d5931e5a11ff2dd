/**
 * Stories whose records come late: several processes write one log, and the last word of a story may stand in it before the
 * words that led there. A match without any earlier record, of a rule with `collect: { late }`, waits here for a bounded time
 * and is then decided with what came. It waits in the state, so that it is neither lost nor told twice after a crash; all
 * other matches pass by. Takes the time as given, and does no I/O.
 */
import { testFields } from '../match/where.ts';
import type { RuleHit } from '../model/match.ts';
import type { FieldValue, LogRecord } from '../model/record.ts';
import type { LateSpec, Rule, StorySpec } from '../model/rule.ts';
import type { Table } from '../model/store.ts';
import type { LateDoc } from './docs.ts';
import { rulePrefix } from './keys.ts';
import { type StoryBook, storyKey } from './stories.ts';

/** Matches of one rule that wait at most; what comes beyond is decided at once. With their records they are some MiB. */
export const waitingPerRuleMax = 1_000;
/** Due entries handled in one go. */
const dueBatch = 500;

export interface LateDeps {
  readonly table: Table<LateDoc>;
  readonly stories: StoryBook;
  /** The rule of an id as it is now. */
  readonly rule: (id: string) => Rule | undefined;
  /** What a rule's test may look at in a match. */
  readonly lookup: (hit: RuleHit, record: LogRecord) => (path: string) => FieldValue | undefined;
  /** Takes a match whose wait is over. */
  readonly decide: (hit: RuleHit, record: LogRecord, now: number) => void;
  /** Counts something odd by reason: `wait_full`, `rule_gone`. */
  readonly count: (reason: string, rule: string) => void;
}

/** The story of a hit whose rule waits for late records. */
interface Story {
  readonly key: string;
  readonly spec: StorySpec;
  readonly late: LateSpec;
}

function storyOf({ rule, fields }: RuleHit): Story | null {
  if (!rule.collect?.late) return null;
  const key = storyKey(rule, 'collect', fields);
  return key === null ? null : { key, spec: rule.collect, late: rule.collect.late };
}

/** Those who wait, in their table. */
export class LateStories {
  readonly #deps: LateDeps;
  /** Rule -> how many wait. */
  readonly #waiting = new Map<string, number>();
  /** Rules that found no room for the last one. */
  readonly #full = new Set<string>();

  constructor(deps: LateDeps) {
    this.#deps = deps;
    for (const { value } of deps.table.scan('', Number.MAX_SAFE_INTEGER)) this.#counted(value, 1);
  }

  /** Whether a match waits from now on. An older one of the same story is decided first. */
  takes(hit: RuleHit, record: LogRecord, now: number): boolean {
    const story = storyOf(hit);
    if (!story) return false;
    this.#decide(story.key, now);
    if (!this.#waits(story, hit, record)) return false;
    return this.#put(
      story,
      hit,
      { rule: hit.rule.id, time: record.time, match: { record: plainRecord(record), fields: hit.fields } },
      now,
    );
  }

  /** The story of a hit ends in another way: what belongs to it and comes late ends with it. To be called before it is forgotten. */
  ends(hit: RuleHit, record: LogRecord, now: number): void {
    const story = storyOf(hit);
    if (!story) return;
    this.#decide(story.key, now);
    if (this.#waits(story, hit, record))
      this.#put(story, hit, { rule: hit.rule.id, time: record.time, match: null }, now);
  }

  /** An earlier record comes, and will be remembered: one from after the wait, by its own time, belongs to a new story. */
  comes(hit: RuleHit, record: LogRecord, now: number): void {
    const story = storyOf(hit);
    const doc = story && this.#get(story.key);
    if (!doc || doc.time === null || record.time === null) return;
    if (record.time > doc.time + story.late.withinMs) this.#decide(story.key, now);
  }

  /** Decides whose wait is over. Returns whether there may be more at once. */
  tick(now: number): boolean {
    if (this.#waiting.size === 0) return false;
    const due = this.#deps.table.due(now, dueBatch);
    for (const { key } of due) this.#decide(key, now);
    return due.length === dueBatch;
  }

  nextDue(): number | null {
    return this.#waiting.size === 0 ? null : this.#deps.table.nextDue();
  }

  /** Nothing more will come: decides all, or all of one rule. */
  finish(now: number, rule?: Rule): void {
    const prefix = rule ? rulePrefix(rule) : '';
    for (const { key } of this.#deps.table.scan(prefix, Number.MAX_SAFE_INTEGER)) this.#decide(key, now);
  }

  /** After a start: what came meanwhile is still to be read, so each wait begins again. What a rule has changed under is decided. */
  adopt(now: number): void {
    for (const { key, value } of this.#deps.table.scan('', Number.MAX_SAFE_INTEGER)) {
      const rule = this.#deps.rule(value.rule);
      if (rule?.collect?.late && key.startsWith(rulePrefix(rule)))
        this.#deps.table.put(key, value, now + rule.collect.late.withinMs);
      else this.#decide(key, now);
    }
  }

  #get(key: string): LateDoc | undefined {
    // Most of the time nothing waits, and no table is asked.
    return this.#waiting.size === 0 ? undefined : this.#deps.table.get(key);
  }

  #waits(story: Story, hit: RuleHit, record: LogRecord): boolean {
    return (
      this.#deps.stories.isEmpty(story.key, story.spec, record) &&
      testFields(story.late.where, this.#deps.lookup(hit, record))
    );
  }

  #put(story: Story, { rule }: RuleHit, doc: LateDoc, now: number): boolean {
    if ((this.#waiting.get(rule.id) ?? 0) >= waitingPerRuleMax) {
      // Said once until there is room again: a flood is no reason for a flood of notes.
      if (!this.#full.has(rule.id)) this.#deps.count('wait_full', rule.id);
      this.#full.add(rule.id);
      return false;
    }
    this.#full.delete(rule.id);
    this.#counted(doc, 1);
    this.#deps.table.put(story.key, doc, now + story.late.withinMs);
    return true;
  }

  #decide(key: string, now: number): void {
    const doc = this.#get(key);
    if (!doc) return;
    this.#counted(doc, -1);
    this.#deps.table.delete(key);
    const rule = this.#deps.rule(doc.rule);
    if (doc.match === null) this.#deps.stories.drop(key);
    else if (!rule) this.#deps.count('rule_gone', doc.rule);
    else this.#deps.decide({ rule, role: 'match', fields: doc.match.fields }, doc.match.record, now);
  }

  #counted({ rule }: LateDoc, by: number): void {
    const count = (this.#waiting.get(rule) ?? 0) + by;
    if (count > 0) this.#waiting.set(rule, count);
    else this.#waiting.delete(rule);
  }
}

/** A record reads its parts when they are asked for, from the bytes it came in; what is kept has them all. */
function plainRecord(record: LogRecord): LogRecord {
  return {
    stream: record.stream,
    offset: record.offset,
    length: record.length,
    receivedAt: record.receivedAt,
    time: record.time,
    level: record.level,
    message: record.message,
    trace: record.trace,
    raw: record.raw,
    fields: record.fields,
    truncated: record.truncated,
    before: record.before,
    after: record.after,
    syslog: record.syslog,
  };
}
