/**
 * Receives syslog datagrams over UDP. Each sender's address is a stream of its own; many datagrams are handed on at once. Says what
 * the kernel threw away because it was not read in time: that is the one place where a message can be lost here.
 */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { type HostPort, hostPortText, parseHostPort } from '../model/address.ts';
import { plainAddress } from './allowed.ts';
import { DatagramBatch } from './datagram-batch.ts';
import type { Feed } from './feed.ts';
import { KernelDrops } from './kernel-drops.ts';
import type { SyslogIntake } from './syslog-intake.ts';
import { cannotListen, type Listener } from './syslog-listener.ts';

/** The kernel keeps so much for us while we are busy. What it grants, it may cut to `net.core.rmem_max`. */
const receiveBytes = 4 * 1024 * 1024;
/** Senders that are kept apart; the one that was quiet longest makes room. */
const peersMax = 1_024;
/** A sender that was quiet for so long is forgotten. */
const peerIdleMs = 600_000;
/** After a loss, so long without another one, and it is over. */
const lossOverMs = 600_000;
/** At the end: so many empty turns of the loop, and what was received is read. */
const lastTurns = 3;

interface Peer {
  readonly address: string;
  readonly feed: Feed;
}

export class UdpListener implements Listener {
  readonly name: string;
  readonly #intake: SyslogIntake;
  readonly #address: HostPort;
  readonly #batch: DatagramBatch;
  readonly #peers = new Map<string, Peer>();
  /** Who sent the last datagram: most often the next one is from there too. */
  #last: Peer | null = null;
  #socket: Socket | null = null;
  #drops: KernelDrops | null = null;
  #received = 0;
  #looked = 0;
  #lostAt: number | null = null;
  #lost = 0;

  constructor(text: string, intake: SyslogIntake) {
    this.name = `udp ${text}`;
    this.#intake = intake;
    this.#address = parseHostPort(text) ?? { host: text, port: 0 };
    this.#batch = new DatagramBatch(intake.clock, (feed, data, frames) => intake.give(feed, data, frames));
  }

  async open(): Promise<void> {
    const { host, port } = this.#address;
    try {
      this.#socket = await bind(host === null || isIPv6(host) ? 'udp6' : 'udp4', host, port).catch(
        (error) => {
          // A machine without IPv6: all of its addresses are IPv4's.
          if (host === null && (error as NodeJS.ErrnoException).code === 'EAFNOSUPPORT')
            return bind('udp4', null, port);
          throw error;
        },
      );
    } catch (error) {
      throw cannotListen(this.name, error);
    }
    const socket = this.#socket;
    socket.on('message', (data, from) => this.#message(data, from));
    socket.on('error', (error) => this.#intake.say(`error ${this.name}`, `${this.name}: ${error.message}`));
    const bound = socket.address();
    this.#drops = new KernelDrops(bound.address, bound.port);
    const granted = socket.getRecvBufferSize();
    if (granted < receiveBytes)
      this.#intake.say(
        `buffer ${this.name}`,
        `${this.name}: the kernel keeps only ${Math.floor(granted / 1024)} KiB of datagrams while Tocsin is busy; ` +
          `with net.core.rmem_max=${receiveBytes} it keeps 4 MiB, and a burst is not lost`,
      );
  }

  bound(): string {
    const port = this.#socket?.address().port ?? this.#address.port;
    return `udp ${hostPortText({ host: this.#address.host, port })}`;
  }

  changed(): void {
    for (const peer of [...this.#peers.values()]) if (!this.#intake.mayFrom(peer.address)) this.#forget(peer);
  }

  #message(data: Buffer, from: RemoteInfo): void {
    this.#received++;
    const known = this.#last;
    const peer = known !== null && known.address === from.address ? known : this.#peer(from.address);
    if (peer === null) this.#intake.count('denied');
    else if (data.length > 0) this.#batch.add(peer.feed, data);
  }

  #peer(address: string): Peer | null {
    const known = this.#peers.get(address);
    if (known) {
      this.#last = known;
      // The map is in the order of use, so that the first of it is the one to forget.
      this.#peers.delete(address);
      this.#peers.set(address, known);
      return known;
    }
    if (!this.#intake.mayFrom(address)) return null;
    if (this.#peers.size >= peersMax) {
      const [oldest] = this.#peers.values();
      if (oldest) this.#forget(oldest);
    }
    const peer = { address, feed: this.#intake.open('udp', plainAddress(address)) };
    this.#peers.set(address, peer);
    this.#last = peer;
    return peer;
  }

  #forget(peer: Peer): void {
    this.#batch.flush();
    this.#peers.delete(peer.address);
    if (this.#last === peer) this.#last = null;
    this.#intake.close(peer.feed);
  }

  async tick(): Promise<void> {
    const now = this.#intake.clock.monotonic();
    for (const peer of this.#peers.values()) {
      if (now - peer.feed.lastAt > peerIdleMs) this.#forget(peer);
    }
    if (this.#received !== this.#looked) {
      this.#looked = this.#received;
      await this.#lookForDrops(now);
    }
    if (this.#lostAt !== null && now - this.#lostAt > lossOverMs) {
      this.#lostAt = null;
      this.#lost = 0;
      this.#intake.trouble(this.name, null);
    }
  }

  async #lookForDrops(now: number): Promise<void> {
    const lost = (await this.#drops?.since()) ?? 0;
    if (lost === 0) return;
    this.#lost += lost;
    this.#intake.count('udp_kernel_drops', lost);
    if (this.#lostAt === null)
      this.#intake.trouble(
        this.name,
        `${this.name}: the kernel threw away ${this.#lost} datagrams, since they came faster than they were read. ` +
          '`tocsin status` goes on counting them. TCP does not lose messages; a larger net.core.rmem_max helps over bursts.',
      );
    this.#lostAt = now;
  }

  async close(): Promise<void> {
    const socket = this.#socket;
    if (!socket) return;
    this.#socket = null;
    // What the kernel holds for us was received: it is read before the address is given up.
    for (let empty = 0; empty < lastTurns; ) {
      const before = this.#received;
      await new Promise((resolve) => setImmediate(resolve));
      empty = this.#received === before ? empty + 1 : 0;
    }
    socket.removeAllListeners('message');
    await new Promise<void>((resolve) => socket.close(() => resolve()));
    this.#batch.flush();
    await this.#lookForDrops(this.#intake.clock.monotonic());
    for (const peer of [...this.#peers.values()]) this.#forget(peer);
  }
}

function bind(type: 'udp4' | 'udp6', host: string | null, port: number): Promise<Socket> {
  const socket = createSocket({ type, recvBufferSize: receiveBytes });
  return new Promise((resolve, reject) => {
    socket.once('error', (error) => {
      socket.close();
      reject(error);
    });
    socket.bind({ port, ...(host === null ? {} : { address: host }) }, () => {
      socket.removeAllListeners('error');
      resolve(socket);
    });
  });
}
