/**
 * The connections of a syslog source as `peer_limit` sees them: whose bytes they send, and how one is made to wait and read on. Bytes
 * that wait were received: they keep their stream from falling quiet. How much an address may send, it does not know.
 */
import type { Socket } from 'node:net';
import type { Feed } from './feed.ts';
import type { PeerLimit, Turn } from './peer-limit.ts';

export interface Waiter {
  /** Of the peer, or null on this machine. */
  readonly address: string | null;
  /** The stream that carries messages. */
  carrier: Socket | null;
  feed: Feed | null;
  /** Its place among those of its address, where there is a limit for that. */
  turn: Turn | null;
  /** It waits for its turn. */
  paused: boolean;
  /** It is read to its end now, limit or not. */
  ending: boolean;
}

/** It sent more than was read, since it waits for its turn. */
export function isBehind({ paused, carrier }: Waiter): boolean {
  return paused && carrier !== null && carrier.readableLength > 0;
}

export class ConnectionTurns {
  readonly #limit: PeerLimit;

  constructor(limit: PeerLimit) {
    this.#limit = limit;
  }

  /** One whose sender is known, before its first byte: it waits where its address has to wait. */
  join(waiter: Waiter): void {
    const turn = this.#limit.on ? this.#turnOf(waiter) : null;
    if (turn !== null) this.#limit.join(turn);
  }

  /** Bytes that were taken of it. What has no address, a unix socket, has no limit. */
  took(waiter: Waiter, bytes: number): void {
    const turn = waiter.ending ? null : this.#turnOf(waiter);
    if (turn !== null) this.#limit.took(turn, bytes);
  }

  /** From here on it is read as fast as it comes. */
  release(waiter: Waiter): void {
    waiter.ending = true;
    if (waiter.turn !== null) this.#limit.leave(waiter.turn);
  }

  /** What one that waits had sent before it broke, or null. Its stream gives nothing more by itself. */
  unread(waiter: Waiter): Buffer | null {
    if (!isBehind(waiter) || waiter.carrier === null) return null;
    waiter.carrier.removeAllListeners('data');
    waiter.paused = false;
    waiter.ending = true;
    return waiter.carrier.read() as Buffer | null;
  }

  #turnOf(waiter: Waiter): Turn | null {
    const { carrier, feed, turn } = waiter;
    const peer = feed === null ? waiter.address : feed.stream.host;
    if (peer === null || carrier === null) return null;
    if (feed !== null) feed.unread ??= () => isBehind(waiter);
    if (turn?.peer === peer) return turn;
    if (turn !== null) this.#limit.leave(turn);
    waiter.turn = {
      peer,
      pause: () => {
        waiter.paused = true;
        carrier.pause();
      },
      resume: () => {
        waiter.paused = false;
        carrier.resume();
      },
    };
    return waiter.turn;
  }
}
