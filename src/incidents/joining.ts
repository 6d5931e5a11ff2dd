/**
 * One match and its incident: whether the rule wants it with all that came before it, which incident it joins or opens, who
 * is told of that one, and in which account of a channel it is. It is given the match and the time, and leaves to `life.ts`
 * when the incident speaks.
 */
import { fingerprintOf } from '../match/fingerprint.ts';
import { testFields } from '../match/where.ts';
import type { Config } from '../model/config.ts';
import type { Silence } from '../model/intent.ts';
import type { RuleHit } from '../model/match.ts';
import type { Fields, LogRecord } from '../model/record.ts';
import type { Rule, Severity } from '../model/rule.ts';
import type { Table } from '../model/store.ts';
import type { Accounts } from './accounts.ts';
import type { IncidentDoc, RuleStats, WindowDoc } from './docs.ts';
import { fillWindow } from './filling.ts';
import type { Folds } from './folds.ts';
import { fieldText, stateKey } from './keys.ts';
import type { LatestRecords } from './latest.ts';
import type { Life } from './life.ts';
import { type Found, openIncident } from './opening.ts';
import { isSilenced, lookupFor, louder, routeTo, severityOf } from './routing.ts';
import { decide } from './schedule.ts';
import type { StoryBook } from './stories.ts';
import { bumpTop } from './tally.ts';
import type { Templates } from './tell.ts';

/** Open incidents of one rule; what comes beyond shares one that says so. */
const incidentsPerRuleMax = 10_000;

export type JoiningSettings = Pick<Config, 'routes' | 'labels'> & {
  /** Whether a channel wants a severity (its `min_severity`); unknown channels are never told. */
  readonly accepts: (channel: string, severity: string) => boolean;
};

export interface JoiningDeps {
  readonly incidents: Table<IncidentDoc>;
  readonly windows: Table<WindowDoc>;
  readonly stats: Table<RuleStats>;
  readonly silences: Table<Silence>;
  readonly stories: StoryBook;
  readonly folds: Folds;
  readonly latest: LatestRecords;
  readonly life: Life;
  readonly accounts: Accounts;
  readonly templates: Templates;
  /** The rule of an id as it is now. */
  readonly rule: (id: string) => Rule | undefined;
}

type Lookup = ReturnType<typeof lookupFor>;

export class Joining {
  readonly #deps: JoiningDeps;
  #settings: JoiningSettings;
  #silences: readonly Silence[] = [];

  constructor(deps: JoiningDeps, settings: JoiningSettings) {
    this.#deps = deps;
    this.#settings = settings;
    this.reloadSilences();
  }

  /** Routes, labels and channels that hold from now on. */
  use(settings: JoiningSettings): void {
    this.#settings = settings;
  }

  /** Reads the silences again after a person changed them. */
  reloadSilences(): void {
    this.#silences = this.#deps.silences.scan('', 10_000).map((one) => one.value);
  }

  /** What tests on a match may look at. */
  lookup(rule: Rule, record: LogRecord, fields: Fields): Lookup {
    return lookupFor(fields, { record, rule, labels: this.labels(rule, record) });
  }

  /** Labels of a rule, and of the stream of a record where there is one. */
  labels(rule: Rule, record: LogRecord | null): Record<string, string> {
    return { ...this.#settings.labels, ...record?.stream.labels, ...rule.labels };
  }

  /** A match with what came before it: whether the rule wants it at all, and to which incident it belongs. */
  take(hit: RuleHit, record: LogRecord, now: number): void {
    const { rule } = hit;
    const fields = this.#deps.stories.fields(hit, record, this.#deps.templates);
    if (rule.whereStory.length > 0 && !testFields(rule.whereStory, this.lookup(rule, record, fields))) return;
    const values =
      rule.by === null
        ? [fingerprintOf(rule.id, [], record.message)]
        : rule.by.map((name) => fieldText(fields, name));
    this.#add({ key: stateKey(rule, values), values, rule, record, fields, now });
  }

  /** A match that the rule wants. */
  #add(found: Found): void {
    const { rule, record, fields, now } = found;
    let { key } = found;
    let doc = this.#open(key, rule, now);
    let size = 1;
    let late = false;
    if (!doc) {
      const full = fillWindow(this.#deps.windows, found);
      if (full === 0) {
        this.#deps.life.bump(rule.id, { below: 1 });
        return;
      }
      if (full === 'late') {
        // No window can say whether it was one of enough: it is told, with others of its kind.
        late = true;
        key = stateKey(rule, ['\u0000late', ...found.values]);
        doc = this.#open(key, rule, now);
      } else size = full;
      if (!doc && (this.#deps.stats.get(rule.id)?.firing ?? 0) >= incidentsPerRuleMax) {
        key = stateKey(rule, ['\u0000overflow']);
        late = false;
        doc = this.#open(key, rule, now);
      }
    }
    // Most rules have one severity and most times no silence is in force: then nothing is looked up.
    const [only] = rule.severity;
    const plain = rule.severity.length === 1 && only !== undefined && only.when.length === 0;
    const severity = plain ? only.is : severityOf(rule, this.lookup(rule, record, fields));
    const opened = !doc;
    doc ??= openIncident({
      ...found,
      severity,
      labels: this.labels(rule, record),
      channels: this.#route(rule, record, severity, fields),
      late,
    });
    this.#join(doc, found, size, severity);
    const silenced =
      this.#silences.length > 0 && isSilenced(this.#silences, now, rule, this.lookup(rule, record, fields));
    this.#account(key, doc, { opened, size, silenced });
    this.#deps.life.counted(rule.id, size, opened);
    this.#deps.life.step(key, doc, now);
  }

  /** The open incident of a key. One that went quiet and whose turn to speak has come is over: what comes now is new. */
  #open(key: string, rule: Rule, now: number): IncidentDoc | undefined {
    const doc = this.#deps.incidents.get(key);
    if (!doc) return undefined;
    if (doc.state === 'quiet' && decide(doc, rule, now) === 'over') {
      this.#deps.life.archive(key, doc);
      return undefined;
    }
    return doc;
  }

  /** Adds a match to its incident. */
  #join(doc: IncidentDoc, found: Found, size: number, severity: IncidentDoc['severity']): void {
    const { rule, record, fields, now } = found;
    const at = record.time ?? record.receivedAt;
    doc.count += size;
    doc.firstSeenAt = Math.min(doc.firstSeenAt, at);
    doc.lastSeenAt = Math.max(doc.lastSeenAt, at);
    doc.lastMatchAt = now;
    doc.state = 'firing';
    if (doc.count > size) {
      doc.fields = fields;
      this.#deps.latest.note(doc, record, rule.context);
    }
    bumpTop(doc.top, fields, rule.by ?? []);
    const graver = louder(doc.severity, severity);
    const isGone = (channel: string): boolean => !this.#settings.accepts(channel, 'critical');
    // Asked for each match, and hardly ever so: no list is made for it.
    if (graver !== doc.severity || doc.channels.some(isGone))
      this.#reroute(doc, rule, record, { severity: graver, gone: doc.channels.filter(isGone) });
  }

  /** Who is told of a new incident. */
  #route(rule: Rule, record: LogRecord, severity: Severity, fields: Fields): readonly string[] {
    const match = { rule, severity, source: record.stream.source };
    const lookup = this.lookup(rule, record, fields);
    return routeTo(this.#settings.routes, match, lookup, this.#settings.accepts);
  }

  /**
   * A graver match of the same incident, or one of whose channels a reload took some away: whoever is to be told now and was
   * not is told at once, and from now on.
   */
  #reroute(
    doc: IncidentDoc,
    rule: Rule,
    record: LogRecord,
    { severity, gone }: { readonly severity: Severity; readonly gone: readonly string[] },
  ): void {
    doc.severity = severity;
    for (const channel of gone) this.#deps.accounts.dead(channel, doc.untold);
    if (gone.length > 0) doc.channels = doc.channels.filter((channel) => !gone.includes(channel));
    const channels = this.#route(rule, record, severity, doc.fields);
    const added = channels.filter((channel) => !doc.channels.includes(channel));
    if (added.length === 0 && gone.length === 0) return;
    // What is still untold is told to the new ones too: their account begins with it.
    for (const channel of added) this.#deps.accounts.begin(channel, doc.untold);
    doc.channels = [...doc.channels, ...added];
    // Its fold speaks to those it began with: what comes from now on is told by the incident, or by another fold.
    if (added.length > 0 || doc.fold !== null) doc.grown = true;
    doc.fold = null;
  }

  /** A match goes into the account of each channel that its incident is told to. */
  #account(
    key: string,
    doc: IncidentDoc,
    match: { readonly opened: boolean; readonly size: number; readonly silenced: boolean },
  ): void {
    if (match.silenced) {
      this.#deps.accounts.silenced(doc.channels, match.size);
      return;
    }
    const first =
      match.opened || (doc.lastToldAt === null && doc.untold.opened === 0 && doc.fold === null) ? 1 : 0;
    const rule = this.#deps.rule(doc.rule);
    if (first === 0 && doc.lastToldAt !== null && !doc.grown && rule?.remindMs.length === 0) {
      this.#deps.accounts.counted(doc.channels, match.size);
      return;
    }
    this.#deps.accounts.pending(doc.channels, match.size);
    if (doc.fold !== null && this.#deps.folds.add(key, doc, first, match.size - first)) return;
    doc.untold.opened += first;
    doc.untold.repeats += match.size - first;
  }
}
