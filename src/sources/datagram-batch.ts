/**
 * Gathers datagrams, so that the pipeline is called once for many. Takes one after the other; gives those of a stream as bytes with
 * the ends of the messages in them, at the latest when the loop has turned and nothing more was there to read.
 */
import type { Clock } from '../model/seams.ts';
import type { Feed } from './feed.ts';
import { gatherMs } from './syslog-intake.ts';

const batchBytes = 128 * 1024;
const batchMessages = 2_048;
/** libuv reads so many datagrams of a socket in one turn of the loop: after fewer, there are no more. */
const perTurn = 32;
/** A batch waits for more over so many turns at most. */
const turnsMax = 16;

interface Batch {
  readonly feed: Feed;
  readonly data: Buffer;
  readonly ends: Int32Array;
  used: number;
  count: number;
}

export class DatagramBatch {
  readonly #clock: Clock;
  #flushedAt = Number.NEGATIVE_INFINITY;
  readonly #give: (feed: Feed, data: Buffer, frames: Int32Array) => void;
  readonly #open = new Map<Feed, Batch>();
  readonly #free: Batch['data'][] = [];
  #last: Batch | null = null;
  #armed = false;
  #thisTurn = 0;
  #turns = 0;

  constructor(clock: Clock, give: (feed: Feed, data: Buffer, frames: Int32Array) => void) {
    this.#clock = clock;
    this.#give = give;
  }

  /** One datagram, not empty. Its bytes are copied. */
  add(feed: Feed, data: Buffer): void {
    let batch = this.#last !== null && this.#last.feed === feed ? this.#last : this.#of(feed);
    if (batch.used + data.length > batch.data.length || batch.count === batchMessages) {
      this.#send(batch);
      batch = this.#of(feed);
    }
    batch.data.set(data, batch.used);
    batch.used += data.length;
    batch.ends[batch.count++] = batch.used;
    this.#thisTurn++;
    if (!this.#armed) {
      this.#armed = true;
      const since = this.#clock.monotonic() - this.#flushedAt;
      if (since >= gatherMs) setImmediate(() => this.#turn());
      else this.#clock.setTimer(gatherMs - since, () => this.#late());
    }
  }

  /** Busy: what came since the last time. */
  #late(): void {
    this.#armed = false;
    this.#thisTurn = 0;
    this.flush();
  }

  #of(feed: Feed): Batch {
    let batch = this.#open.get(feed);
    if (!batch) {
      const data = this.#free.pop() ?? Buffer.allocUnsafeSlow(batchBytes);
      batch = { feed, data, ends: new Int32Array(batchMessages), used: 0, count: 0 };
      this.#open.set(feed, batch);
    }
    this.#last = batch;
    return batch;
  }

  #turn(): void {
    this.#armed = false;
    const more = this.#thisTurn >= perTurn && ++this.#turns < turnsMax;
    this.#thisTurn = 0;
    if (more) {
      this.#armed = true;
      setImmediate(() => this.#turn());
      return;
    }
    this.flush();
  }

  /** Gives all that was gathered. */
  flush(): void {
    this.#turns = 0;
    this.#flushedAt = this.#clock.monotonic();
    for (const batch of this.#open.values()) this.#send(batch);
  }

  #send(batch: Batch): void {
    this.#open.delete(batch.feed);
    if (this.#last === batch) this.#last = null;
    if (batch.used > 0)
      this.#give(batch.feed, batch.data.subarray(0, batch.used), batch.ends.slice(0, batch.count));
    if (this.#free.length < 4) this.#free.push(batch.data);
  }
}
