/**
 * The seams between the rooms: what one room promises another. Whoever implements one keeps its comments.
 */
import type { ChannelConfig, SourceConfig } from './config.ts';
import type { Notification } from './notification.ts';
import type { ProxySettings } from './proxy.ts';
import type { StreamInfo } from './record.ts';

/** Time as a value. Only `system/clock.ts` reads the real one. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Milliseconds that never go back; for waits and back-off. */
  monotonic(): number;
  /** Calls back once after `delayMs`; `cancel` may be called at any time. */
  setTimer(delayMs: number, callback: () => void): Timer;
}
export interface Timer {
  cancel(): void;
}

/** Bytes of one stream, handed to the pipeline. */
export interface Chunk {
  readonly stream: StreamInfo;
  /** The bytes from `offset` on. They begin where the pipeline stopped last; they may end anywhere. Valid during the call only. */
  readonly data: Buffer;
  readonly offset: number;
  /** Bytes that stand right before `offset`, where a stream is taken up in its middle: they were done, and are context now. */
  readonly before?: Buffer;
  /**
   * `more`: bytes may follow at once. `quiet`: nothing came for the quiet time, so an open record is complete, but an
   * unterminated last line is not. `stale`: nothing came for long, so that a line which came in parts without its last one is given
   * as it is. `final`: nothing will ever come (end of input, file gone): all of it is complete.
   */
  readonly end: 'more' | 'quiet' | 'stale' | 'final';
  /** Where messages end in `data`, ascending, where the transport keeps them apart (datagrams); the last one ends with `data`. */
  readonly frames?: Int32Array;
  /** More bytes are there already: what these ones mean may become durable together with what follows. */
  readonly behind?: boolean;
  /** When the last of these bytes were read, ms. */
  readonly receivedAt: number;
}

/** What a source needs from the rest of the daemon. Calls are synchronous; the source calls one at a time. */
export interface SourcePort {
  /**
   * Takes bytes, matches them and applies what they mean. Returns how many bytes were consumed from the front; the source
   * presents the rest again, from the same offset, with more bytes behind it or with `quiet`/`final`. With `final` all is consumed.
   */
  take(chunk: Chunk): number;
  /** Where reading of this stream goes on, or null when it was never read. */
  position(key: string): SavedPosition | null;
  /** All streams saved for a source, for finding rotated files after a restart. */
  positions(source: string): readonly SavedPosition[];
  /** Notes identity facts of a stream; they are committed together with its offset. */
  remember(position: SavedPosition): void;
  /**
   * What `from` gave and was not consumed will be given as the first bytes of `to`, of which nothing was given yet. False where lines do
   * not go on from one stream to the other, and nothing was changed.
   */
  handOver(from: string, to: string): boolean;
  /** The stream is gone and read to its end: its saved position may be pruned later. */
  forget(key: string): void;
  /** Resolves once all effects of what was taken so far are durable: true, or false where they can't be made so now. */
  committed(): Promise<boolean>;
  /** Counts something that was lost or odd, by reason (`copytruncate_recovered`, `truncated`, `nul_bytes`, ...). */
  count(source: string, reason: string, by: number): void;
  /** Says a state of the source, shown by `status`. `ok`, or what is wrong with it. */
  state(source: string, state: 'ok' | 'waiting' | 'failing', detail: string | null): void;
  /** Says in a message what a person must know although the source works: `text` when it begins, null when it is over. */
  trouble(source: string, topic: string, text: string | null): void;
}

/** What is kept of a stream between runs. Offsets belong to the file, not to the source's name. */
export interface SavedPosition {
  readonly key: string;
  readonly source: string;
  readonly path: string;
  /** Bytes consumed: no effect of anything before is missing, none of anything after exists. */
  readonly offset: number;
  /** Identity, kind-specific: device, inode, birth time, head hash, marker hash, generation. */
  readonly identity: Readonly<Record<string, string | number>>;
  /** Small facts the reader needs to go on in the middle: see `match/reader.ts`. */
  readonly reader: Readonly<Record<string, string | number | boolean | null>>;
  readonly updatedAt: number;
}

/** One configured source, running. */
export interface Source {
  readonly name: string;
  /** Resolves once listening or tailing has begun; rejects when it cannot begin. Called once. */
  start(): Promise<void>;
  /** For `--once`: resolves when everything that exists now was taken to its end, with `final`. */
  drain(): Promise<void>;
  /** Resolves once no further `take` will happen. May be called twice, and before start resolved. */
  stop(): Promise<void>;
  /** Bytes known to be there and not yet taken. */
  lagBytes(): number;
  /** A number that grows while `start` gets on (files that were looked at). May be absent: what takes long then hangs. */
  startProgress?(): number;
  /**
   * Goes on with a changed configuration of its own kind: what did not change (an open listener, a connection) is kept. May be
   * absent: then the source is stopped and made anew.
   */
  change?(config: SourceConfig): Promise<void>;
}

/** What became of one attempt to deliver. */
export type Delivery =
  | { readonly outcome: 'delivered'; readonly status: number | null; readonly body: string }
  | {
      readonly outcome: 'retry';
      readonly reason: FailureReason;
      readonly status: number | null;
      /** What came back, as it came: at most 512 characters, secrets out. */
      readonly body: string;
      readonly detail: string;
      /** Wait asked for by the server, ms; null is our own back-off. */
      readonly retryAfterMs: number | null;
    }
  | {
      readonly outcome: 'rejected';
      readonly reason: FailureReason;
      readonly status: number | null;
      readonly body: string;
      readonly detail: string;
      /** `plain`: the same in a plain, short form may pass. `park`: nothing will pass until a person acts; probe now and then. `drop`: this one never will. */
      readonly then: 'plain' | 'park' | 'drop';
    };
export type FailureReason =
  | 'auth'
  | 'not-found'
  | 'client-error'
  | 'too-large'
  | 'rate-limited'
  | 'server-error'
  | 'timeout'
  | 'network'
  | 'tls'
  | 'redirect'
  | 'bad-answer';

/** One configured channel. Knows one service's manners; knows nothing of rules, retries and budgets. */
export interface Channel {
  readonly name: string;
  readonly type: string;
  /**
   * One attempt, within the channel's overall deadline. Never rejects: the outcome says what happened. `plain` asks for the
   * shortest form without markup, after the service refused the rich one. Obeys `signal`.
   */
  send(
    notification: Notification,
    options: { readonly signal: AbortSignal; readonly plain: boolean },
  ): Promise<Delivery>;
  /** Loads what the first message needs, so that it is not late. Never throws; may be absent. */
  warm?(): void;
  close(): Promise<void>;
}

/** What a channel type's own key may hold, for the reader of the configuration and for the JSON Schema. */
export interface ChannelOption {
  readonly kind: 'url' | 'secret' | 'text' | 'boolean' | 'integer' | 'list';
  readonly required: boolean;
  readonly description: string;
}

/** One kind of channel: one file, one line in the list of kinds, its tests. */
export interface ChannelKind {
  /** The word in YAML. */
  readonly type: string;
  /** Chat has a default budget; webhook, pagers and the console have none. */
  readonly chat: boolean;
  /** Keys besides the common ones. A `url` or `secret` option may also be given as `<key>_file`; both arrive as `Secret`. */
  readonly options: Readonly<Record<string, ChannelOption>>;
  /** Hosts or path shapes that tell this kind from a bare URL, or null when it can't be told. */
  recognise(url: URL): boolean;
  create(config: ChannelConfig, deps: ChannelDeps): Channel;
}

export interface ChannelDeps {
  readonly clock: Clock;
  /** Where the `console` channel writes; must not throw when the pipe is closed. */
  readonly write: (text: string) => void;
  /** Whether that place shows colours. */
  readonly colours: boolean;
  readonly version: string;
  /** What the environment says of proxies, or null. */
  readonly proxies: ProxySettings | null;
}
