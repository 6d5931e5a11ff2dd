/** What incidents ask notify to tell, and what notify hands to the sender. Plain data: all of it is kept in the state. */
import type { IncidentRow, Notification } from './notification.ts';
import type { Severity } from './rule.ts';

/** How many matches a message tells of, for the account: those that opened an incident, and the repeats. */
export interface Cover {
  readonly opened: number;
  readonly repeats: number;
}

/** Something to tell to some channels. Frozen: what is told later is what was true now. */
export interface Intent {
  readonly channels: readonly string[];
  readonly notification: Notification;
  readonly row: IncidentRow;
  readonly cover: Cover;
  readonly rule: string;
  readonly severity: Severity;
}

/** One message to one channel, from the decision to tell it until it was delivered or given up. */
export interface OutboxItem {
  /** Channel and notification id: one message is never there twice. */
  readonly key: string;
  readonly channel: string;
  readonly notification: Notification;
  cover: Cover;
  readonly severity: Severity;
  /** Other channels that are told the same by themselves. */
  readonly others?: readonly string[];
  /** The fallback of its channel was told, too. */
  fellBack?: true;
  /** Order within the channel. */
  readonly order: number;
  /** When it was decided, in the time of the incidents. */
  readonly createdAt: number;
  /** When the sender first had it, on the daemon's clock; its `max_age` runs from here. */
  queuedAt: number | null;
  attempts: number;
  /** Not before this time of the daemon's clock. */
  nextAttemptAt: number;
  lastStatus: number | null;
  lastError: string | null;
  /** The service refused the rich form: try the plain one. */
  plain: boolean;
}

/** A message that nobody tried to send yet. */
export function newItem(
  facts: Pick<
    OutboxItem,
    'key' | 'channel' | 'notification' | 'cover' | 'severity' | 'order' | 'createdAt'
  > & {
    readonly others?: readonly string[];
  },
): OutboxItem {
  return {
    ...facts,
    queuedAt: null,
    attempts: 0,
    nextAttemptAt: 0,
    lastStatus: null,
    lastError: null,
    plain: false,
  };
}

/** The account of a channel. Every match that is routed to it is in exactly one of the seven. */
export interface Ledger {
  matched: number;
  notified: number;
  counted: number;
  pending: number;
  silenced: number;
  muted: number;
  trial: number;
  dead: number;
}

/** A person's wish for quiet: all of its tests must hold. */
export interface Silence {
  readonly id: string;
  readonly rule: string | null;
  /** Label or field -> text with `*`. */
  readonly where: Readonly<Record<string, string>>;
  readonly startsAt: number;
  endsAt: number;
  readonly comment: string | null;
}
