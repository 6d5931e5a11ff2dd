/**
 * Settles what the answer of a channel means: for the message (delivered, tried again with full jitter or after the server's own wait,
 * sent plainly, given up) and for its lane, its pause and its facts. Holds the outbox, the dead letters and the accounts, which move
 * together, so no message is dropped silently. When a try is made is decided by the sender.
 */
// biome-ignore-all lint/suspicious/noThenProperty: `then` of a Delivery is a word, never a function; awaiting it does nothing.
import type { Accounts } from '../incidents/accounts.ts';
import { backoffMs } from '../model/duration.ts';
import type { Cover, OutboxItem } from '../model/intent.ts';
import { assertNever } from '../model/problem.ts';
import type { Clock, Delivery } from '../model/seams.ts';
import type { Store, Table } from '../model/store.ts';
import { type DeadLetter, DeadLetters } from './dead-letters.ts';
import { type ChannelFacts, isDown, type Lane, told } from './lanes.ts';

/** Wait before the second try, and the longest between later ones. */
const backoff = { baseMs: 1_000, capMs: 300_000 };
/** A channel that refused for good (a wrong URL, no rights) is asked again this often, with the message that waits. */
const probeMs = 60_000;

/** What others make of a delivery: words, log lines, the fallback. */
export interface SenderEvents {
  delivered(item: OutboxItem, delivery: Delivery): void;
  /** A try failed; the item stays. */
  failed(item: OutboxItem, delivery: Delivery, facts: ChannelFacts): void;
  /** An item waits at a channel that does not work. Returns whether another channel is told of it now. */
  waits(item: OutboxItem): boolean;
  dead(letter: DeadLetter, forgotten: number): void;
  /** Something changed in the store: make it durable soon. */
  changed(): void;
}

export interface AnswersDeps {
  readonly store: Store;
  readonly accounts: Accounts;
  readonly clock: Clock;
  readonly random: () => number;
  readonly events: SenderEvents;
}

export class Answers {
  readonly #deps: AnswersDeps;
  readonly #outbox: Table<OutboxItem>;
  readonly letters: DeadLetters;

  constructor(deps: AnswersDeps) {
    this.#deps = deps;
    this.#outbox = deps.store.table<OutboxItem>('outbox', { cache: 1_000 });
    this.letters = new DeadLetters(deps.store);
  }

  /** What is neither delivered nor given up, in its order. */
  open(): OutboxItem[] {
    const items = this.#outbox.scan('', 1_000_000).map((one) => one.value);
    return items.sort((a, b) => a.order - b.order);
  }

  /** Takes the answer to a try of the first message of a lane. */
  take(lane: Lane, item: OutboxItem, delivery: Delivery): void {
    switch (delivery.outcome) {
      case 'delivered':
        this.#delivered(lane, item, delivery);
        return;
      case 'retry':
        this.#retryLater(lane, item, delivery);
        return;
      case 'rejected':
        this.#rejected(lane, item, delivery);
        return;
      default:
        assertNever(delivery);
    }
  }

  /** Writes down how far a message came; it stays. */
  keep(item: OutboxItem): void {
    this.#outbox.put(item.key, item, null);
  }

  /** While a channel does not work, its fallback hears of each message that waits for it, also of those that no try was made with. */
  standIn(lane: Lane, items: readonly OutboxItem[] = lane.queue): void {
    if (!isDown(lane.facts, this.#deps.clock.now())) return;
    for (const item of items) {
      if (item.fellBack || !this.#deps.events.waits(item)) continue;
      item.fellBack = true;
      this.keep(item);
      this.#deps.events.changed();
    }
  }

  /** Gives a message up: it is kept as a dead letter. */
  bury(item: OutboxItem, why: string): void {
    const cover = this.#coverOf(item);
    this.#outbox.delete(item.key);
    const { letter, forgotten } = this.letters.keep({ ...item, cover }, why, this.#deps.clock.now());
    this.#deps.accounts.dead(item.channel, cover);
    this.#deps.events.dead(letter, forgotten);
    this.#deps.events.changed();
  }

  /** What a message accounts for. It may have grown since the sender has it. */
  #coverOf(item: OutboxItem): Cover {
    return (this.#outbox.get(item.key) ?? item).cover;
  }

  /** Takes a dead letter back into the outbox, with the same id; undefined when there is none of that name. */
  revive(name: string): OutboxItem | undefined {
    const item = this.letters.take(name);
    if (!item) return undefined;
    this.keep(item);
    this.#deps.accounts.revived(item.channel, item.cover);
    this.#deps.events.changed();
    return item;
  }

  #delivered(lane: Lane, item: OutboxItem, delivery: Delivery): void {
    lane.queue.shift();
    lane.facts.delivered++;
    lane.facts.state = 'ok';
    lane.facts.lastError = null;
    lane.facts.failingSince = null;
    const cover = this.#coverOf(item);
    this.#outbox.delete(item.key);
    this.#deps.accounts.delivered(lane.name, cover);
    this.#deps.events.delivered(item, delivery);
    this.#deps.events.changed();
  }

  #retryLater(lane: Lane, item: OutboxItem, delivery: Extract<Delivery, { outcome: 'retry' }>): void {
    const now = this.#deps.clock.now();
    lane.facts.retried++;
    this.#trouble(lane, item, 'retrying', told(delivery), now);
    const own = backoffMs(item.attempts, backoff, this.#deps.random);
    // The whole channel pauses: the server spoke of itself, not of this message.
    lane.notBefore = now + Math.max(own, delivery.retryAfterMs ?? 0);
    item.nextAttemptAt = lane.notBefore;
    this.#keepOrBury(lane, item, delivery, now);
  }

  #rejected(lane: Lane, item: OutboxItem, delivery: Extract<Delivery, { outcome: 'rejected' }>): void {
    const now = this.#deps.clock.now();
    lane.facts.rejected++;
    lane.facts.lastError = told(delivery);
    item.lastError = told(delivery);
    if (delivery.then === 'plain' && !item.plain) {
      item.plain = true;
      this.keep(item);
      this.#deps.events.changed();
      return;
    }
    if (delivery.then === 'park') {
      this.#trouble(lane, item, 'parked', told(delivery), now);
      lane.notBefore = now + probeMs;
      this.#keepOrBury(lane, item, delivery, now);
      return;
    }
    lane.queue.shift();
    this.bury(item, told(delivery));
  }

  #trouble(lane: Lane, item: OutboxItem, state: 'retrying' | 'parked', detail: string, now: number): void {
    lane.facts.state = state;
    lane.facts.lastError = detail;
    lane.facts.failingSince ??= now;
    item.lastError = detail;
  }

  #keepOrBury(lane: Lane, item: OutboxItem, delivery: Delivery, now: number): void {
    this.#deps.events.failed(item, delivery, lane.facts);
    this.keep(item);
    const { maxAgeMs } = lane.config;
    // Where nothing was taken for so long, that is said of every message that waits so long already.
    const allOld = now - (lane.facts.failingSince ?? now) >= maxAgeMs;
    for (const one of [...lane.queue]) {
      const old = now - (one.queuedAt ?? now) >= maxAgeMs && (allOld || (one === item && one.attempts > 1));
      if (!old) break;
      lane.queue.shift();
      this.bury(one, `not delivered within its max_age: ${lane.facts.lastError ?? ''}`);
    }
    this.standIn(lane);
    this.#deps.events.changed();
  }
}
