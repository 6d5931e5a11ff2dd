/**
 * Takes durable messages and tries to send them: per channel one at a time and in order, a test message before all that waits, and
 * not before the time that the last answer asked for. A dead channel never holds back another. What an answer means is decided in
 * answers.ts.
 */
import type { ChannelConfig } from '../model/config.ts';
import type { OutboxItem } from '../model/intent.ts';
import type { Notification } from '../model/notification.ts';
import type { Channel, Clock, Delivery } from '../model/seams.ts';
import { fault } from '../system/fault.ts';
import { Answers, type AnswersDeps } from './answers.ts';
import type { DeadLetters } from './dead-letters.ts';
import { type ChannelFacts, type Lane, newLane, testItem } from './lanes.ts';

/** A request that was broken off comes back at once; what does not in this time is left behind. */
const abortMs = 500;

export class Sender {
  readonly #clock: Clock;
  readonly #answers: Answers;
  readonly letters: DeadLetters;
  readonly #lanes = new Map<string, Lane>();
  #stopped = false;
  #idle: (() => void)[] = [];

  constructor(deps: AnswersDeps) {
    this.#clock = deps.clock;
    this.#answers = new Answers(deps);
    this.letters = this.#answers.letters;
  }

  /** Takes the channels of a configuration; a changed one is tried again at once. Queues stay, but for those of channels that are gone. */
  use(channels: readonly { readonly config: ChannelConfig; readonly channel: Channel | null }[]): void {
    const names = new Set(channels.map(({ config }) => config.name));
    for (const lane of this.#lanes.values()) {
      if (names.has(lane.name)) continue;
      lane.gone = true;
      lane.channel = null;
      this.#pump(lane);
    }
    for (const { config, channel } of channels) {
      const lane = this.#lane(config.name, config);
      lane.config = config;
      lane.channel = channel;
      lane.gone = false;
      atOnce(lane);
      if (channel === null) {
        lane.facts.state = 'unusable';
        lane.facts.lastError = config.unusable;
        this.#answers.standIn(lane);
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
    const items = this.#answers.open();
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
      if (!lane || lane.gone) {
        this.#answers.bury(item, noChannel(item.channel));
        continue;
      }
      item.queuedAt ??= this.#clock.now();
      lane.queue.push(item);
      this.#answers.standIn(lane, [item]);
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
    const item = testItem(name, notification, this.#clock.now());
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
        this.#clock.setTimer(graceMs, resolve);
        this.#idle.push(resolve);
      });
      for (const lane of this.#lanes.values()) if (lane.busy) lane.abort.abort();
      await Promise.race([
        Promise.all([...this.#lanes.values()].map((lane) => lane.work)),
        new Promise<void>((resolve) => this.#clock.setTimer(abortMs, resolve)),
      ]);
    }
    await Promise.all([...this.#lanes.values()].map((lane) => lane.channel?.close()));
  }

  /** Puts a dead letter back into its queue, with the same id. False when there is none, or its channel is gone. */
  retry(name: string): boolean {
    const letter = this.letters.find(name);
    if (!letter || this.#lanes.get(letter.channel)?.gone !== false) return false;
    const item = this.#answers.revive(name);
    if (!item) return false;
    const lane = this.#lanes.get(item.channel);
    // A person asks, and has mended the channel perhaps: no need to wait for the next probe.
    if (lane?.facts.state === 'parked') atOnce(lane);
    this.offer([item]);
    return true;
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
    if (this.#stopped || lane.busy) return;
    if (lane.gone) {
      this.#leave(lane);
      return;
    }
    const item = lane.queue[0];
    if (!item) return;
    const now = this.#clock.now();
    // The clock of a restarted machine may be behind the one that wrote the time: never wait longer than the cap for that.
    const at = Math.min(Math.max(lane.notBefore, item.nextAttemptAt), now + 3_600_000);
    if (at > now) {
      lane.timer?.cancel();
      lane.timer = this.#clock.setTimer(at - now, () => this.#pump(lane));
      return;
    }
    if (lane.channel === null) return;
    this.#occupy(lane, this.#attempt(lane, lane.channel, item));
  }

  /** The channel of a lane is gone: what waited for it is given up. */
  #leave(lane: Lane): void {
    lane.timer?.cancel();
    this.#lanes.delete(lane.name);
    for (const item of lane.queue.splice(0)) this.#answers.bury(item, noChannel(lane.name));
  }

  /** A channel that took a test message takes the rest too: no need to wait for the next probe. */
  #tested(lane: Lane, delivery: Delivery, done: (delivery: Delivery) => void): void {
    if (delivery.outcome === 'delivered') atOnce(lane);
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
    item.attempts++;
    lane.abort = new AbortController();
    const notification = {
      ...item.notification,
      notification: {
        ...item.notification.notification,
        attempt: item.attempts,
        sent_at: new Date(this.#clock.now()).toISOString(),
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
      this.#answers.keep(item);
      return;
    }
    this.#answers.take(lane, item, delivery);
  }

  #wakeIdle(): void {
    const busy = [...this.#lanes.values()].some((lane) => lane.busy);
    if (this.#stopped ? busy : !this.#isSettled()) return;
    for (const resolve of this.#idle.splice(0)) resolve();
  }
}

/** What the last answer asked to wait for is over: its first message, which has the wait too, is tried again now. */
function atOnce(lane: Lane): void {
  lane.notBefore = 0;
  const [head] = lane.queue;
  if (head) head.nextAttemptAt = 0;
}

function noChannel(name: string): string {
  return `there is no channel "${name}" any more`;
}
