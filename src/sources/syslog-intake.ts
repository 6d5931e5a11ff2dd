/**
 * What the listeners of one syslog source share: its settings as they are now, the streams that are open, what is counted and said.
 * It makes feeds and lets them fall quiet; it opens no socket.
 */
import type { SyslogSourceConfig } from '../model/config.ts';
import type { Clock, SourcePort, Timer } from '../model/seams.ts';
import { addressTest } from './allowed.ts';
import { Feed } from './feed.ts';
import { PeerLimit } from './peer-limit.ts';

/** Nothing came on a stream for this long: an open record is complete. */
const quietMs = 200;
/** Small pieces of a busy stream are given together, so many bytes at a time or so long after the last ones. */
const gatherBytes = 64 * 1024;
export const gatherMs = 5;
/** The same thing is logged again after so long. */
const repeatMs = 3_600_000;
const topicsMax = 1_000;
/** Bytes of unfinished messages of all streams: beyond, the stream that holds most must let go of them. */
export const heldTotalMax = 64 * 1024 * 1024;

export interface IntakeDeps {
  readonly port: SourcePort;
  readonly clock: Clock;
  readonly warn: (message: string) => void;
}

export class SyslogIntake {
  readonly clock: Clock;
  /** `peer_limit`, and who reached it. */
  readonly limit: PeerLimit;
  readonly #port: SourcePort;
  readonly #warn: (message: string) => void;
  readonly #feeds = new Set<Feed>();
  /** Streams that may have an open record. */
  readonly #waiting = new Set<Feed>();
  /** Streams with pieces that are not given yet. */
  readonly #gathering = new Set<Feed>();
  #gatherTimer: Timer | null = null;
  readonly #said = new Map<string, number>();
  #config: SyslogSourceConfig;
  #mayFrom: (address: string) => boolean = () => true;
  #mayProxy: (address: string) => boolean = () => false;
  #timer: Timer | null = null;
  #made = 0;
  /** Streams are told apart from those of another run. */
  readonly #begun: number;

  constructor(config: SyslogSourceConfig, deps: IntakeDeps) {
    this.clock = deps.clock;
    this.#port = deps.port;
    this.#warn = deps.warn;
    this.#begun = deps.clock.now();
    this.#config = config;
    this.limit = new PeerLimit({
      clock: deps.clock,
      warn: deps.warn,
      count: (reason, by) => this.count(reason, by),
    });
    this.use(config);
  }

  get config(): SyslogSourceConfig {
    return this.#config;
  }

  /** Takes changed settings. */
  use(config: SyslogSourceConfig): void {
    this.#config = config;
    const test = addressTest(config.allowFrom);
    this.#mayFrom = config.allowFrom.length === 0 ? () => true : test;
    this.#mayProxy = addressTest(config.proxyFrom);
    this.limit.use(config.peerLimit);
  }

  /** Whether `allow_from` lets an address send. */
  mayFrom(address: string): boolean {
    return this.#mayFrom(address);
  }

  /** Whether the PROXY header of an address is believed. */
  mayProxy(address: string): boolean {
    return this.#mayProxy(address);
  }

  /** A new stream. `peer` is who sends, as a person knows it. */
  open(transport: string, peer: string | null): Feed {
    const { name, labels } = this.#config;
    const key = `syslog:${name}:${transport}:${peer ?? ''}:${this.#begun}.${++this.#made}`;
    const feed = new Feed(
      { port: this.#port, clock: this.clock },
      { source: name, key, path: null, host: peer, labels },
    );
    this.#feeds.add(feed);
    return feed;
  }

  give(feed: Feed, data: Buffer, frames: Int32Array | null): void {
    feed.give(data, frames);
    this.#waits(feed);
  }

  #waits(feed: Feed): void {
    this.#waiting.add(feed);
    this.#timer ??= this.clock.setTimer(quietMs, () => this.#lookForQuiet());
  }

  /** The next piece of a stream: at once when the stream was idle, else with others. The bytes are kept. */
  add(feed: Feed, data: Buffer): void {
    const idle = feed.addedBytes === 0 && this.clock.monotonic() - feed.lastAt >= gatherMs;
    feed.add(data);
    this.#waits(feed);
    if (idle || feed.addedBytes >= gatherBytes) {
      this.#gathering.delete(feed);
      feed.flush();
      return;
    }
    this.#gathering.add(feed);
    this.#gatherTimer ??= this.clock.setTimer(gatherMs, () => this.#flush());
  }

  #flush(): void {
    this.#gatherTimer = null;
    for (const feed of this.#gathering) feed.flush();
    this.#gathering.clear();
  }

  close(feed: Feed): void {
    feed.end();
    this.#feeds.delete(feed);
    this.#waiting.delete(feed);
    this.#gathering.delete(feed);
  }

  /** What streams hold as open records is complete with this. */
  quiet(): void {
    for (const feed of this.#feeds) if (feed.waits) feed.quiet();
    this.#waiting.clear();
  }

  #lookForQuiet(): void {
    this.#timer = null;
    const now = this.clock.monotonic();
    for (const feed of this.#waiting) {
      if (now - feed.lastAt < quietMs) continue;
      if (feed.unread?.()) {
        feed.lastAt = now;
        continue;
      }
      this.#waiting.delete(feed);
      feed.quiet();
    }
    if (this.#waiting.size > 0) {
      let wait = quietMs;
      for (const feed of this.#waiting) wait = Math.min(wait, feed.lastAt + quietMs - now);
      this.#timer = this.clock.setTimer(Math.max(10, wait), () => this.#lookForQuiet());
    }
  }

  /** Bytes that the pipeline has not taken yet. */
  heldBytes(): number {
    let held = 0;
    for (const feed of this.#feeds) held += feed.heldBytes;
    return held;
  }

  stop(): void {
    this.#timer?.cancel();
    this.#gatherTimer?.cancel();
    this.limit.stop();
    for (const feed of [...this.#feeds]) this.close(feed);
  }

  count(reason: string, by = 1): void {
    if (by > 0) this.#port.count(this.#config.name, reason, by);
  }

  /** Logs something odd, the same topic once an hour. */
  say(topic: string, message: string): void {
    const now = this.clock.monotonic();
    const said = this.#said.get(topic);
    if (said !== undefined && now - said < repeatMs) return;
    if (this.#said.size >= topicsMax) this.#said.clear();
    this.#said.set(topic, now);
    this.#warn(message);
  }

  /** Says in a message what is lost, or that it is over. */
  trouble(topic: string, text: string | null): void {
    this.#port.trouble(this.#config.name, topic, text);
  }

  state(state: 'ok' | 'failing', detail: string | null): void {
    this.#port.state(this.#config.name, state, detail);
  }
}
