/**
 * Takes durable messages and gets them delivered: per channel one at a time and in order, with full jitter between tries, the
 * server's own wait obeyed, and a dead letter in the end. It never drops a message silently, and a dead channel never holds back another.
 */
// biome-ignore-all lint/suspicious/noThenProperty: `then` of a Delivery is a word, never a function; awaiting it does nothing.
import type { Accounts } from '../incidents/accounts.ts';
import type { ChannelConfig } from '../model/config.ts';
import { backoffMs } from '../model/duration.ts';
import type { OutboxItem } from '../model/intent.ts';
import type { Notification } from '../model/notification.ts';
import { assertNever } from '../model/problem.ts';
import type { Channel, Clock, Delivery } from '../model/seams.ts';
import type { Store, Table } from '../model/store.ts';
import { fault } from '../system/fault.ts';
import { type DeadLetter, DeadLetters } from './dead-letters.ts';
import { type ChannelFacts, type Lane, newLane, testItem, told } from './lanes.ts';

/** Wait before the second try, and the longest between later ones. */
const backoff = { baseMs: 1_000, capMs: 300_000 };
/** A channel that refused for good (a wrong URL, no rights) is asked again this often, with the message that waits. */
const probeMs = 60_000;

/** A request that was broken off comes back at once; what does not in this time is left behind. */
const abortMs = 500;

export interface SenderEvents {
  delivered(item: OutboxItem, delivery: Delivery): void;
  /** A try failed; the item stays. */
  failed(item: OutboxItem, delivery: Delivery, facts: ChannelFacts): void;
  dead(letter: DeadLetter): void;
  /** Something changed in the store: make it durable soon. */
  changed(): void;
}

export interface SenderDeps {
  readonly store: Store;
  readonly accounts: Accounts;
  readonly clock: Clock;
  readonly random: () => number;
  readonly events: SenderEvents;
}

export class Sender {
  readonly #deps: SenderDeps;
  readonly #outbox: Table<OutboxItem>;
  readonly letters: DeadLetters;
  readonly #lanes = new Map<string, Lane>();
  #stopped = false;
  #idle: (() => void)[] = [];

  constructor(deps: SenderDeps) {
    this.#deps = deps;
    this.#outbox = deps.store.table<OutboxItem>('outbox', { cache: 1_000 });
    this.letters = new DeadLetters(deps.store);
  }

  /** Takes the channels of a configuration; a changed one is tried again at once. Queues stay. */
  use(channels: readonly { readonly config: ChannelConfig; readonly channel: Channel | null }[]): void {
    for (const { config, channel } of channels) {
      const lane = this.#lane(config.name, config);
      lane.config = config;
      lane.channel = channel;
      lane.notBefore = 0;
      if (channel === null) {
        lane.facts.state = 'unusable';
        lane.facts.lastError = config.unusable;
        for (const item of lane.queue) this.#sayStuck(lane, item);
      } else if (lane.facts.state !== 'ok') {
        lane.facts.state = 'ok';
        lane.facts.failingSince = null;
      }
      this.#pump(lane);
    }
  }

  /**
   * What was left from an earlier run, in its order. `broken`: the run before ended without a word. The first message of each channel may have been under way then, so its
   * next try counts as a repeat.
   */
  resume(broken = false): number {
    const items = this.#outbox.scan('', 1_000_000).map((one) => one.value);
    items.sort((a, b) => a.order - b.order);
    const heads = new Set<string>();
    for (const item of items) {
      if (broken && !heads.has(item.channel)) item.attempts++;
      heads.add(item.channel);
    }
    this.offer(items);
    return items.length;
  }

  /** Durable messages, in order. */
  offer(items: readonly OutboxItem[]): void {
    for (const item of items) {
      const lane = this.#lanes.get(item.channel);
      if (!lane) {
        this.#bury(item, `there is no channel "${item.channel}" any more`);
        continue;
      }
      item.queuedAt ??= this.#deps.clock.now();
      lane.queue.push(item);
      if (lane.channel === null) this.#sayStuck(lane, item);
    }
    for (const lane of this.#lanes.values()) this.#pump(lane);
  }

  /**
   * Sends a test message on the very road that alerts take, before what waits and whatever the channel's state; one try.
   * Null when there is no such channel.
   */
  test(name: string, notification: Notification): Promise<Delivery> | null {
    const lane = this.#lanes.get(name);
    if (!lane?.channel) return null;
    const item = testItem(name, notification, this.#deps.clock.now());
    return new Promise((done) => {
      lane.tests.push({ item, done });
      this.#pump(lane);
    });
  }

  facts(channel: string): (ChannelFacts & { readonly queued: number }) | null {
    const lane = this.#lanes.get(channel);
    return lane ? { ...lane.facts, queued: lane.queue.length } : null;
  }

  queued(): number {
    let sum = 0;
    for (const lane of this.#lanes.values()) sum += lane.queue.length;
    return sum;
  }

  /** Resolves when nothing is queued, or nothing that is queued can leave without a person. */
  settled(): Promise<void> {
    if (this.#isSettled()) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  #isSettled(): boolean {
    return [...this.#lanes.values()].every(
      (lane) =>
        lane.queue.length === 0 ||
        (!lane.busy && (lane.facts.state === 'parked' || lane.facts.state === 'unusable')),
    );
  }

  /** Stops: what is under way is broken off after `graceMs` and stays in the outbox, to go out with the same id. */
  async stop(graceMs: number): Promise<void> {
    this.#stopped = true;
    for (const lane of this.#lanes.values()) lane.timer?.cancel();
    const busy = (): boolean => [...this.#lanes.values()].some((lane) => lane.busy);
    if (busy()) {
      await new Promise<void>((resolve) => {
        this.#deps.clock.setTimer(graceMs, resolve);
        this.#idle.push(resolve);
      });
      for (const lane of this.#lanes.values()) if (lane.busy) lane.abort.abort();
      await Promise.race([
        Promise.all([...this.#lanes.values()].map((lane) => lane.work)),
        new Promise<void>((resolve) => this.#deps.clock.setTimer(abortMs, resolve)),
      ]);
    }
    await Promise.all([...this.#lanes.values()].map((lane) => lane.channel?.close()));
  }

  /** Puts a dead letter back into its queue, with the same id. False when there is none, or its channel is gone. */
  retry(name: string): boolean {
    const letter = this.letters.find(name);
    if (!letter || !this.#lanes.has(letter.channel)) return false;
    const item = this.letters.take(name);
    if (!item) return false;
    this.#outbox.put(item.key, item, null);
    this.#deps.accounts.revived(item.channel, item.cover);
    this.#deps.events.changed();
    this.offer([item]);
    return true;
  }

  /** For a channel that is set aside no try is made, so none fails: its fallback must hear of it all the same. */
  #sayStuck(lane: Lane, item: OutboxItem): void {
    const detail = lane.config.unusable ?? 'the channel is set aside';
    this.#deps.events.failed(
      item,
      { outcome: 'rejected', reason: 'client-error', status: null, body: '', detail, then: 'park' },
      lane.facts,
    );
  }

  #lane(name: string, config: ChannelConfig): Lane {
    let lane = this.#lanes.get(name);
    if (!lane) {
      lane = newLane(name, config);
      this.#lanes.set(name, lane);
    }
    return lane;
  }

  #pump(lane: Lane): void {
    const test = lane.channel && !lane.busy ? lane.tests.shift() : undefined;
    if (test && lane.channel) {
      this.#occupy(
        lane,
        this.#try(lane, lane.channel, test.item).then((delivery) => this.#tested(lane, delivery, test.done)),
      );
      return;
    }
    const item = lane.queue[0];
    if (this.#stopped || lane.busy || !item) return;
    const now = this.#deps.clock.now();
    // The clock of a restarted machine may be behind the one that wrote the time: never wait longer than the cap for that.
    const at = Math.min(Math.max(lane.notBefore, item.nextAttemptAt), now + 3_600_000);
    if (at > now) {
      lane.timer?.cancel();
      lane.timer = this.#deps.clock.setTimer(at - now, () => this.#pump(lane));
      return;
    }
    if (lane.channel === null) return;
    this.#occupy(lane, this.#attempt(lane, lane.channel, item));
  }

  /** A channel that took a test message takes the rest too: no need to wait for the next probe. */
  #tested(lane: Lane, delivery: Delivery, done: (delivery: Delivery) => void): void {
    if (delivery.outcome === 'delivered') lane.notBefore = 0;
    done(delivery);
  }

  /** One thing at a time: the lane is busy until the work is done. */
  #occupy(lane: Lane, work: Promise<void>): void {
    lane.busy = true;
    // `send` never rejects; what throws here is a fault of ours and must be seen.
    lane.work = work.finally(() => {
      lane.busy = false;
      if (!this.#stopped) this.#pump(lane);
      this.#wakeIdle();
    });
  }

  async #try(lane: Lane, channel: Channel, item: OutboxItem): Promise<Delivery> {
    const { clock } = this.#deps;
    item.attempts++;
    lane.abort = new AbortController();
    const notification = {
      ...item.notification,
      notification: {
        ...item.notification.notification,
        attempt: item.attempts,
        sent_at: new Date(clock.now()).toISOString(),
      },
    };
    const delivery = await channel.send(notification, { signal: lane.abort.signal, plain: item.plain });
    lane.facts.lastStatus = delivery.status;
    return delivery;
  }

  async #attempt(lane: Lane, channel: Channel, item: OutboxItem): Promise<void> {
    const delivery = await this.#try(lane, channel, item);
    fault('send-answered');
    item.lastStatus = delivery.status;
    if (this.#stopped && delivery.outcome !== 'delivered') {
      // Broken off, and nobody knows how far it got: it stays, and its next try is told to be another one.
      this.#outbox.put(item.key, item, null);
      return;
    }
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

  #delivered(lane: Lane, item: OutboxItem, delivery: Delivery): void {
    lane.queue.shift();
    lane.facts.delivered++;
    lane.facts.state = 'ok';
    lane.facts.lastError = null;
    lane.facts.failingSince = null;
    this.#outbox.delete(item.key);
    this.#deps.accounts.delivered(lane.name, item.cover);
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
      this.#outbox.put(item.key, item, null);
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
    this.#bury(item, told(delivery));
  }

  #trouble(lane: Lane, item: OutboxItem, state: 'retrying' | 'parked', detail: string, now: number): void {
    lane.facts.state = state;
    lane.facts.lastError = detail;
    lane.facts.failingSince ??= now;
    item.lastError = detail;
  }

  #keepOrBury(lane: Lane, item: OutboxItem, delivery: Delivery, now: number): void {
    this.#deps.events.failed(item, delivery, lane.facts);
    if (now - (item.queuedAt ?? now) >= lane.config.maxAgeMs && item.attempts > 1) {
      lane.queue.shift();
      this.#bury(item, `not delivered within its max_age: ${item.lastError ?? ''}`);
      return;
    }
    this.#outbox.put(item.key, item, null);
    this.#deps.events.changed();
  }

  #bury(item: OutboxItem, why: string): void {
    this.#outbox.delete(item.key);
    const letter = this.letters.keep(item, why, this.#deps.clock.now());
    this.#deps.accounts.dead(item.channel, item.cover);
    this.#deps.events.dead(letter);
    this.#deps.events.changed();
  }

  #wakeIdle(): void {
    const busy = [...this.#lanes.values()].some((lane) => lane.busy);
    if (this.#stopped ? busy : !this.#isSettled()) return;
    for (const resolve of this.#idle.splice(0)) resolve();
  }
}
