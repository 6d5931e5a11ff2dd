/**
 * The desk between incidents and the sender: each intent goes through the gate of each of its channels and becomes a message in
 * the outbox, or waits for that channel's next digest. Pure: it is given the time, and keeps all it knows in the store.
 */
import { createHash } from 'node:crypto';
import type { BudgetWindow } from '../model/config.ts';
import { type Intent, newItem, type OutboxItem } from '../model/intent.ts';
import { type IncidentRow, type Notification, rowsText, wordBody } from '../model/notification.ts';
import type { Severity } from '../model/rule.ts';
import type { Store, Table } from '../model/store.ts';
import {
  addCover,
  admit,
  bringBack,
  digestDue,
  type GateDoc,
  hasWaiting,
  newGate,
  refreshRows,
  type Taken,
  takeRow,
  takeWaiting,
} from './gate.ts';

/** The facts of a channel that decide what may leave for it. */
export interface DeskChannel {
  readonly name: string;
  readonly budget: readonly BudgetWindow[] | null;
}

export class Desk {
  readonly #gates: Table<GateDoc>;
  readonly #outbox: Table<OutboxItem>;
  readonly #meta: Table<{ next: number }>;
  readonly #fresh: OutboxItem[] = [];
  #channels = new Map<string, DeskChannel>();

  constructor(store: Store, channels: readonly DeskChannel[]) {
    this.#gates = store.table<GateDoc>('gates', { cache: 500 });
    this.#outbox = store.table<OutboxItem>('outbox', { cache: 1_000 });
    this.#meta = store.table<{ next: number }>('counters', { cache: 10 });
    this.#know(channels);
  }

  /** Takes the channels of a new configuration: what waits leaves when their budgets let it, and at once where the channel is gone. */
  use(channels: readonly DeskChannel[], now: number): void {
    this.#know(channels);
    this.adopt(now);
  }

  #know(channels: readonly DeskChannel[]): void {
    this.#channels = new Map(channels.map((channel) => [channel.name, channel]));
  }

  /** After a start: budgets that are ahead of `now` count from now. */
  adopt(now: number): void {
    for (const { key, value } of this.#gates.scan('', 10_000)) {
      bringBack(value, now);
      this.#file(key, value, now);
    }
  }

  /** Decides for each channel of the intent whether it leaves now. */
  take(intent: Intent, now: number): void {
    for (const name of intent.channels) {
      const gate = this.#gates.get(name) ?? newGate();
      const verdict = admit(gate, this.#channels.get(name)?.budget ?? null, intent, now);
      if (verdict === 'leaves') this.#put(name, withWaiting(intent, gate), now);
      this.#file(name, gate, now);
    }
  }

  /** Puts a message into the outbox without asking the budget: tests, and words of the daemon itself. */
  say(channel: string, notification: Notification, severity: Severity, now: number): void {
    const cover = { opened: 0, repeats: 0 };
    this.#put(channel, { notification, cover, severity, channels: [channel] }, now);
  }

  /** Digests whose channel has room again. */
  tick(now: number): void {
    for (const { key, value } of this.#gates.due(now, 100)) {
      const due = digestDue(value, this.#channels.get(key)?.budget ?? null, now);
      if (due !== null && due <= now) this.#digest(key, value, now);
      else this.#file(key, value, now);
    }
  }

  /** The end of the input: what waits leaves now, one message a channel. */
  finish(now: number): void {
    for (const { key, value } of this.#gates.scan('', 10_000)) {
      if (hasWaiting(value)) this.#digest(key, value, now);
    }
  }

  nextDue(): number | null {
    return this.#gates.nextDue();
  }

  /** Messages put since the last call, in order; the sender may have them once they are durable. */
  takeFresh(): OutboxItem[] {
    return this.#fresh.splice(0);
  }

  #file(name: string, gate: GateDoc, now: number): void {
    this.#gates.put(name, gate, digestDue(gate, this.#channels.get(name)?.budget ?? null, now));
  }

  #digest(name: string, gate: GateDoc, now: number): void {
    const taken = takeWaiting(gate, now);
    const lone =
      taken.rows.length === 1 && taken.unnamed.opened + taken.unnamed.repeats === 0
        ? taken.rows[0]
        : undefined;
    const { cover, severity } = taken;
    const message =
      lone?.intent && lone.intent.incidents.length === 0
        ? { notification: withNews(lone.intent, lone.row.new_count), channels: lone.channels ?? [name] }
        : { notification: digestOf(name, gate.sequence, taken, now), channels: [name] };
    this.#put(name, { ...message, cover, severity }, now);
    this.#file(name, gate, now);
  }

  #put(channel: string, { notification, cover, severity, channels }: Message, now: number): void {
    const key = `${channel}\u0000${notification.notification.id}`;
    // Derived ids make a second telling of the same thing visible: it is the same message, and accounts for both.
    const known = this.#outbox.get(key);
    if (known) {
      known.cover = addCover(known.cover, cover);
      this.#outbox.put(key, known, null);
      return;
    }
    const counter = this.#meta.get('outbox') ?? { next: 1 };
    const order = counter.next++;
    this.#meta.put('outbox', counter, null);
    const item = newItem({
      key,
      channel,
      notification,
      cover,
      severity,
      ...(channels.length > 1 ? { others: channels } : {}),
      order,
      createdAt: now,
    });
    this.#outbox.put(key, item, null);
    this.#fresh.push(item);
  }
}

/** What is put into the outbox, and all channels that it goes to. */
type Message = Pick<Intent, 'notification' | 'cover' | 'severity' | 'channels'>;

/** A message may pass those that wait: what waited of its own incident leaves with it, so that no count ever goes back. */
function withWaiting(intent: Intent, gate: GateDoc): Message {
  refreshRows(gate, intent.notification.incidents);
  const waited = takeRow(gate, intent.row);
  if (!waited) return intent;
  const { notification, cover, severity, channels } = intent;
  const newCount = notification.incident.new_count + waited.newCount;
  return {
    notification: withNews(notification, newCount),
    cover: addCover(cover, waited),
    severity,
    channels,
  };
}

/** A message that waited, with all that came of its incident meanwhile. */
function withNews(notification: Notification, newCount: number): Notification {
  return { ...notification, incident: { ...notification.incident, new_count: newCount } };
}

function isOver(row: IncidentRow): boolean {
  return row.state === 'resolved';
}

/** What came, in how many incidents, and how many of them are over. */
function digestTitle({ rows, told, cover, unnamed }: Taken): string {
  // A fold may have more incidents than it names.
  const incidents = Math.max(rows.length + unnamed.opened, cover.opened);
  const over = rows.filter(({ row }) => isOver(row)).length;
  const named = `${incidents} ${incidents === 1 ? 'incident' : 'incidents'}`;
  if (told === 0 && over === incidents) return `${named} resolved`;
  return `${told} more in ${named}${over > 0 ? `, ${over} of them resolved` : ''}`;
}

function digestOf(channel: string, sequence: number, taken: Taken, now: number): Notification {
  const { rows: waiting, told, severity } = taken;
  const rows: readonly IncidentRow[] = waiting.map((one) => one.row);
  const first = waiting[0];
  const rules = [...new Set(rows.map((row) => row.rule))];
  const id = createHash('sha256')
    .update(
      `digest\u0000${channel}\u0000${first?.row.id ?? ''}\u0000${first?.row.count ?? 0}\u0000${sequence}`,
    )
    .digest('hex')
    .slice(0, 16);
  const at = new Date(now).toISOString();
  const incident = wordBody({
    id,
    rule: rules.length === 1 ? (rules[0] ?? '') : 'tocsin-digest',
    title: `${digestTitle(taken)}: the budget of this channel was used up`,
    message: rowsText(rows),
    severity,
    labels: first?.row.labels ?? {},
    count: told,
    ...(rows.every(isOver) ? { state: 'resolved', resolved_at: at } : {}),
    first_seen_at: waiting.reduce(
      (least, one) => (one.firstSeenAt < least ? one.firstSeenAt : least),
      first?.firstSeenAt ?? at,
    ),
    last_seen_at: waiting.reduce(
      (most, one) => (one.lastSeenAt > most ? one.lastSeenAt : most),
      first?.lastSeenAt ?? at,
    ),
  });
  return {
    version: '1',
    notification: { id, kind: 'digest', sequence, sent_at: at, attempt: 0 },
    incident,
    record: null,
    incidents: rows,
  };
}
