/** A lane is what the sender keeps for one channel: its queue, what it is busy with, and the facts that `status` tells. */
import type { ChannelConfig } from '../model/config.ts';
import { newItem, type OutboxItem } from '../model/intent.ts';
import type { Notification } from '../model/notification.ts';
import type { Channel, Delivery, Timer } from '../model/seams.ts';

/** What `status` tells of a channel. */
export interface ChannelFacts {
  state: 'ok' | 'retrying' | 'parked' | 'unusable';
  delivered: number;
  retried: number;
  rejected: number;
  lastStatus: number | null;
  lastError: string | null;
  /** When the present trouble began, ms of the daemon's clock. */
  failingSince: number | null;
}

/** A channel that fails for so long does not work; a hiccup is not that. */
const failingMs = 60_000;

/** Whether a channel does not work: what waits for it is for its fallback, too. */
export function isDown({ state, failingSince }: ChannelFacts, now: number): boolean {
  if (state === 'parked' || state === 'unusable') return true;
  return failingSince !== null && now - failingSince >= failingMs;
}

export interface Lane {
  readonly name: string;
  config: ChannelConfig;
  channel: Channel | null;
  readonly queue: OutboxItem[];
  /** Test messages: one try each, before all that waits. */
  readonly tests: { readonly item: OutboxItem; readonly done: (delivery: Delivery) => void }[];
  /** A reload took the channel away: what is under way ends, what waits is given up. */
  gone: boolean;
  busy: boolean;
  /** What it is busy with. */
  work: Promise<void>;
  timer: Timer | null;
  notBefore: number;
  abort: AbortController;
  readonly facts: ChannelFacts;
}

/** An empty lane. */
export function newLane(name: string, config: ChannelConfig): Lane {
  return {
    name,
    config,
    channel: null,
    queue: [],
    tests: [],
    gone: false,
    busy: false,
    work: Promise.resolve(),
    timer: null,
    notBefore: 0,
    abort: new AbortController(),
    facts: {
      state: 'ok',
      delivered: 0,
      retried: 0,
      rejected: 0,
      lastStatus: null,
      lastError: null,
      failingSince: null,
    },
  };
}

/** A test message as an item of a lane: it is in no outbox and in no account. */
export function testItem(channel: string, notification: Notification, now: number): OutboxItem {
  return newItem({
    key: '',
    channel,
    notification,
    cover: { opened: 0, repeats: 0 },
    severity: 'info',
    order: 0,
    createdAt: now,
  });
}

/** Characters of an answer that go into a line of status. */
const answerShown = 300;

/** What went wrong, with the answer as it came. */
export function told(delivery: Exclude<Delivery, { outcome: 'delivered' }>): string {
  const body = delivery.body.trim().slice(0, answerShown);
  return body === '' || delivery.detail.includes(body) ? delivery.detail : `${delivery.detail}: ${body}`;
}
