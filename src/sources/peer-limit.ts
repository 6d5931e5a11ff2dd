/**
 * Keeps each address that sends to one source within `peer_limit`: the connections of one that sent more are not read until it has
 * room again, and nothing of them is lost; whether a datagram has room it is asked. Counts how long it made wait, and logs who it was.
 */
import type { ByteRate } from '../model/config.ts';
import { formatDuration } from '../model/duration.ts';
import type { Clock, Timer } from '../model/seams.ts';
import { ByteBuckets } from './byte-buckets.ts';

/** A pause is no shorter: to stop and to begin again costs more than a few messages do. A bucket holds a second at least. */
const pauseLeastMs = 10;
/** An address is logged again after so long; all of them together at most so often in that time. */
export const tellAgainMs = 600_000;
const tellsMax = 20;
/** Addresses of which is known what is not told yet, and when it was told last. */
const notesMax = 1_024;

/** A connection, as far as it can wait. Both may be called again. */
export interface Turn {
  readonly peer: string;
  pause(): void;
  resume(): void;
}

/** The connections of one address: the one that was not read for longest is first. */
interface Group {
  readonly turns: Set<Turn>;
  /** Fires when they may be read again; null while they are read. */
  timer: Timer | null;
  /** The pause is counted up to here. */
  countedAt: number;
}

interface Note {
  toldAt: number;
  /** Not told yet. */
  dropped: number;
  waited: boolean;
}

export interface PeerLimitDeps {
  readonly clock: Clock;
  readonly count: (reason: string, by: number) => void;
  readonly warn: (message: string) => void;
}

export class PeerLimit {
  readonly #with: PeerLimitDeps;
  #rate: ByteRate | null = null;
  #buckets: ByteBuckets | null = null;
  readonly #groups = new Map<string, Group>();
  readonly #notes = new Map<string, Note>();
  #tells = 0;
  #tellsFrom = Number.NEGATIVE_INFINITY;

  constructor(deps: PeerLimitDeps) {
    this.#with = deps;
  }

  /** Whether there is a limit. Without one nothing else needs to be called. */
  get on(): boolean {
    return this.#buckets !== null;
  }

  /** Takes another limit up, for connections that are open too. */
  use(rate: ByteRate | null): void {
    const now = this.#with.clock.monotonic();
    this.#rate = rate;
    if (rate === null) this.#buckets = null;
    else if (this.#buckets === null) this.#buckets = new ByteBuckets(rate);
    else this.#buckets.use(rate, now);
    for (const [peer, group] of this.#groups) {
      if (group.timer !== null) this.#look(peer, group);
      if (rate === null) this.#groups.delete(peer);
    }
  }

  /** A connection that will send: it waits from its beginning where its address has to wait. May be called again. */
  join(turn: Turn): void {
    const group = this.#groupOf(turn.peer);
    if (group.turns.has(turn)) return;
    group.turns.add(turn);
    const wait = this.#buckets?.wait(turn.peer, this.#with.clock.monotonic()) ?? 0;
    if (group.timer !== null) turn.pause();
    else if (wait > 0) this.#pause(turn.peer, group, wait);
  }

  /** Bytes that a connection sent, and that are taken in any case. */
  took(turn: Turn, bytes: number): void {
    const group = this.#groupOf(turn.peer);
    // Who had a turn is the last one to have the next.
    group.turns.delete(turn);
    group.turns.add(turn);
    const wait = this.#buckets?.take(turn.peer, bytes, this.#with.clock.monotonic()) ?? 0;
    if (group.timer !== null) turn.pause();
    else if (wait > 0) this.#pause(turn.peer, group, wait);
  }

  /** A connection that ended, or is not to wait any more: it is read on. */
  leave(turn: Turn): void {
    const group = this.#groups.get(turn.peer);
    if (!group?.turns.delete(turn)) return;
    if (group.timer !== null) turn.resume();
    if (group.turns.size > 0) return;
    this.#paused(group);
    group.timer?.cancel();
    this.#groups.delete(turn.peer);
  }

  /** Whether datagrams of so many bytes have room; then they have taken it. */
  hasRoom(peer: string, bytes: number): boolean {
    return this.#buckets?.tryTake(peer, bytes, this.#with.clock.monotonic()) ?? true;
  }

  /** A datagram that had no room. Counting it is left to the caller, who has many. */
  dropped(peer: string): void {
    this.#noteOf(peer).dropped++;
  }

  /** About once a second: counts, logs, forgets. */
  tick(): void {
    const now = this.#with.clock.monotonic();
    for (const group of this.#groups.values()) this.#paused(group);
    this.#buckets?.forgetFull(now);
    this.#tell(now);
  }

  /** Nobody waits any more, and what is not told yet is told. */
  stop(): void {
    this.#tell(this.#with.clock.monotonic());
    this.use(null);
  }

  #groupOf(peer: string): Group {
    let group = this.#groups.get(peer);
    if (!group) {
      group = { turns: new Set(), timer: null, countedAt: 0 };
      this.#groups.set(peer, group);
    }
    return group;
  }

  #pause(peer: string, group: Group, wait: number): void {
    group.countedAt = this.#with.clock.monotonic();
    this.#wakeLater(peer, group, wait);
    for (const turn of group.turns) turn.pause();
    this.#noteOf(peer).waited = true;
  }

  #wakeLater(peer: string, group: Group, wait: number): void {
    group.timer = this.#with.clock.setTimer(Math.max(pauseLeastMs, Math.ceil(wait)), () =>
      this.#look(peer, group),
    );
  }

  /** Whether the connections of a pause may be read again, or when. */
  #look(peer: string, group: Group): void {
    this.#paused(group);
    group.timer?.cancel();
    group.timer = null;
    const wait = this.#buckets?.wait(peer, this.#with.clock.monotonic()) ?? 0;
    if (wait > 0) {
      this.#wakeLater(peer, group, wait);
      return;
    }
    for (const turn of [...group.turns]) turn.resume();
  }

  /** Counts what of a pause is not counted yet. */
  #paused(group: Group): void {
    if (group.timer === null) return;
    const ms = Math.floor(this.#with.clock.monotonic() - group.countedAt);
    group.countedAt += ms;
    if (ms > 0) this.#with.count('peer_limit_paused_ms', ms);
  }

  #noteOf(peer: string): Note {
    let note = this.#notes.get(peer);
    if (!note) {
      if (this.#notes.size >= notesMax) {
        const [oldest] = this.#notes.keys();
        if (oldest !== undefined) this.#notes.delete(oldest);
      }
      note = { toldAt: Number.NEGATIVE_INFINITY, dropped: 0, waited: false };
      this.#notes.set(peer, note);
    }
    return note;
  }

  #tell(now: number): void {
    if (now - this.#tellsFrom >= tellAgainMs) {
      this.#tellsFrom = now;
      this.#tells = 0;
    }
    for (const [peer, note] of this.#notes) {
      if (now - note.toldAt < tellAgainMs) continue;
      if (note.dropped === 0 && !note.waited) this.#notes.delete(peer);
      else if (this.#tells < tellsMax) {
        this.#tells++;
        this.#with.warn(this.#words(peer, note));
        note.toldAt = now;
        note.dropped = 0;
        note.waited = false;
      }
    }
  }

  #words(peer: string, { dropped, waited }: Note): string {
    const rate = this.#rate;
    const limit =
      rate === null ? '' : ` (${rate.bytes.toLocaleString('en-US')} bytes in ${formatDuration(rate.perMs)})`;
    const what = [
      waited ? 'its connections are read more slowly, and nothing of them is lost' : '',
      dropped > 0
        ? `${dropped.toLocaleString('en-US')} of its datagrams were dropped, and more are counted`
        : '',
    ];
    const last = this.#tells === tellsMax ? '. Other addresses are counted only, for some minutes' : '';
    return `${peer} sends more than peer_limit${limit}: ${what.filter((one) => one !== '').join('; ')}${last}`;
  }
}
