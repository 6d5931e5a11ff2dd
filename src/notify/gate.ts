/**
 * The wall before a channel: its budget. Takes what wants to be told and says what may leave now; what may not waits and leaves
 * as one digest when there is room. Pure: it is given `now`, keeps its state in a document, and does no I/O.
 */
import type { BudgetWindow } from '../model/config.ts';
import type { Cover, Intent } from '../model/intent.ts';
import type { IncidentRow, Notification } from '../model/notification.ts';
import { type Severity, severities } from '../model/rule.ts';

/** Rows that wait by name; what comes beyond is counted into the digest without a name. */
const waitingRowsMax = 500;
/** Share of each window that single messages below critical may use; a tenth beyond it is for digests, the last tenth for critical. */
const singlesShare = 0.8;
const belowCriticalShare = 0.9;
/** No rule may use more than this share of a window for itself, so that a new problem gets through during the storm of another. */
const ruleShare = 0.6;

export interface GateDoc {
  /** What left, oldest first: when, and of which rule. */
  sent: { at: number; rule: string }[];
  waiting: WaitingRow[];
  /** Beyond the named rows; `told` as there. */
  overflow: { opened: number; repeats: number; told?: number };
  sequence: number;
}
export interface WaitingRow {
  row: IncidentRow;
  opened: number;
  repeats: number;
  /** Matches it tells of. They are those above, but for a message whose account is another channel's. */
  told?: number;
  severity: Severity;
  firstSeenAt: string;
  lastSeenAt: string;
  /** The message that it leaves as, while it waits alone, and all channels that are told it. */
  intent?: Notification;
  channels?: readonly string[];
  /** It carries the account of a whole fold. */
  fold?: true;
}

export function newGate(): GateDoc {
  return { sent: [], waiting: [], overflow: { opened: 0, repeats: 0 }, sequence: 0 };
}

export type GateClass = 'critical' | 'single' | 'digest';

/** The largest number of messages of this class that a window may hold, and of one rule among them. */
function allowance(window: BudgetWindow, kind: GateClass): number {
  if (kind === 'critical') return window.count;
  const share = kind === 'digest' ? belowCriticalShare : singlesShare;
  return Math.max(1, Math.floor(window.count * share));
}

/** The earliest time at which one more message of this class and rule may leave; `now` or before means at once. */
export function roomAt(
  doc: GateDoc,
  budget: readonly BudgetWindow[],
  kind: GateClass,
  rule: string,
  now: number,
): number {
  let at = now;
  for (const window of budget) {
    const inside = doc.sent.filter((one) => one.at > now - window.perMs);
    const most = allowance(window, kind);
    const over = inside.length - most;
    if (over >= 0) at = Math.max(at, (inside[over]?.at ?? now) + window.perMs);
    if (kind !== 'single') continue;
    const own = inside.filter((one) => one.rule === rule);
    const ownOver = own.length - Math.max(1, Math.floor(window.count * ruleShare));
    if (ownOver >= 0) at = Math.max(at, (own[ownOver]?.at ?? now) + window.perMs);
  }
  return at;
}

/** Whether this intent may leave now as a message of its own; if so it is booked, else it waits for the digest. */
export function admit(
  doc: GateDoc,
  budget: readonly BudgetWindow[] | null,
  intent: Intent,
  now: number,
): 'leaves' | 'waits' {
  if (budget === null) return 'leaves';
  forget(doc, budget, now);
  const kind: GateClass =
    intent.severity === 'critical'
      ? 'critical'
      : intent.notification.notification.kind === 'digest'
        ? 'digest'
        : 'single';
  const waitsAlready = kind === 'single' && doc.waiting.some((one) => one.row.id === intent.row.id);
  if (!waitsAlready && roomAt(doc, budget, kind, intent.rule, now) <= now) {
    doc.sent.push({ at: now, rule: intent.rule });
    return 'leaves';
  }
  wait(doc, intent);
  return 'waits';
}

/** What was sent at a time ahead of now, by a clock that was wrong, counts as sent now: the budget is not closed until then. */
export function bringBack(doc: GateDoc, now: number): void {
  for (const one of doc.sent) if (one.at > now) one.at = now;
}

function forget(doc: GateDoc, budget: readonly BudgetWindow[], now: number): void {
  bringBack(doc, now);
  const longest = Math.max(...budget.map((window) => window.perMs));
  const keep = doc.sent.findIndex((one) => one.at > now - longest);
  if (keep < 0) doc.sent.length = 0;
  else if (keep > 0) doc.sent.splice(0, keep);
}

/** Rows of a fold wait one by one, so that the digest names each of them. */
function wait(doc: GateDoc, intent: Intent): void {
  const fold = intent.notification.incidents.length > 0;
  const rows = fold ? intent.notification.incidents : [intent.row];
  const { incident } = intent.notification;
  const { opened, repeats } = intent.cover;
  const whole = { opened, repeats, told: opened + repeats || incident.new_count };
  for (const [index, row] of rows.entries()) {
    // The account of a fold is of the whole: its first row carries it.
    const own = index === 0 ? whole : { opened: 0, repeats: 0, told: 0 };
    const as = fold ? (index === 0 ? { fold: true as const } : {}) : messageOf(intent);
    const known = doc.waiting.find((one) => one.row.id === row.id);
    if (known) {
      known.row = { ...row, new_count: known.row.new_count + row.new_count };
      known.told = toldOf(known) + own.told;
      known.opened += own.opened;
      known.repeats += own.repeats;
      if (severities.indexOf(row.severity) > severities.indexOf(known.severity))
        known.severity = row.severity;
      known.lastSeenAt = incident.last_seen_at;
      Object.assign(known, as);
    } else if (doc.waiting.length < waitingRowsMax) {
      const { first_seen_at, last_seen_at } = incident;
      doc.waiting.push({
        row,
        ...own,
        severity: row.severity,
        firstSeenAt: first_seen_at,
        lastSeenAt: last_seen_at,
        ...as,
      });
    } else {
      doc.overflow.told = toldOf(doc.overflow) + own.told;
      doc.overflow.opened += own.opened;
      doc.overflow.repeats += own.repeats;
    }
  }
  if (fold || doc.waiting.length > 1) for (const one of doc.waiting) dropMessage(one);
}

/** Rows that leave together need no messages: with hundreds of them a document would be many MiB. */
function dropMessage(one: WaitingRow): void {
  if (one.intent === undefined) return;
  if (one.intent.incidents.length > 0) one.fold = true;
  delete one.intent;
  delete one.channels;
}

function messageOf({ notification, channels }: Intent): Pick<WaitingRow, 'intent' | 'channels'> {
  return { intent: notification, channels };
}

/** Whether anything waits for a digest, by name or not. */
export function hasWaiting({ waiting, overflow }: GateDoc): boolean {
  return waiting.length > 0 || toldOf(overflow) > 0;
}

/** When the waiting rows may leave as a digest, or null when none wait. */
export function digestDue(doc: GateDoc, budget: readonly BudgetWindow[] | null, now: number): number | null {
  if (!hasWaiting(doc)) return null;
  const kind = doc.waiting.some((one) => one.severity === 'critical') ? 'critical' : 'digest';
  return budget === null ? now : roomAt(doc, budget, kind, '', now);
}

export function addCover(a: Cover, b: Cover): Cover {
  return { opened: a.opened + b.opened, repeats: a.repeats + b.repeats };
}

function toldOf({ told, opened, repeats }: { opened: number; repeats: number; told?: number }): number {
  return told ?? opened + repeats;
}

/**
 * Takes what waits of one incident, of which `row` is told now. One that carries the account of a whole fold stays with that, and
 * says what `row` says.
 */
export function takeRow(doc: GateDoc, row: IncidentRow): (Cover & { readonly newCount: number }) | undefined {
  const at = doc.waiting.findIndex((one) => one.row.id === row.id);
  const waited = doc.waiting[at];
  if (!waited) return undefined;
  const newCount = waited.row.new_count;
  if (waited.fold || (waited.intent?.incidents.length ?? 0) > 0) {
    waited.row = { ...row, new_count: 0 };
    return { opened: 0, repeats: 0, newCount };
  }
  doc.waiting.splice(at, 1);
  return { opened: waited.opened, repeats: waited.repeats, newCount };
}

/** `rows` are told now, by a message that passes those that wait: what waits of them says the same, and keeps what was new of it. */
export function refreshRows(doc: GateDoc, rows: readonly IncidentRow[]): void {
  for (const row of rows) {
    const waiting = doc.waiting.find((one) => one.row.id === row.id);
    if (!waiting) continue;
    waiting.row = { ...row, new_count: waiting.row.new_count };
    dropMessage(waiting);
  }
}

/** What left together, and what it stands for. */
export interface Taken {
  readonly rows: readonly WaitingRow[];
  readonly cover: Cover;
  /** Of matches that have no row. */
  readonly unnamed: Cover;
  /** Matches told of. */
  readonly told: number;
  readonly severity: Severity;
}

/** What leaves when the rows leave: a lone one as itself, several as a digest. The rows are gone from the document afterwards. */
export function takeWaiting(doc: GateDoc, now: number): Taken {
  const rows = doc.waiting;
  const unnamed = { opened: doc.overflow.opened, repeats: doc.overflow.repeats };
  let cover: Cover = unnamed;
  let told = toldOf(doc.overflow);
  let severity: Severity = 'info';
  for (const one of rows) {
    cover = addCover(cover, one);
    told += toldOf(one);
    if (severities.indexOf(one.severity) > severities.indexOf(severity)) severity = one.severity;
  }
  doc.waiting = [];
  doc.overflow = { opened: 0, repeats: 0 };
  doc.sequence++;
  doc.sent.push({ at: now, rule: '' });
  return { rows, cover, unnamed, told, severity };
}
