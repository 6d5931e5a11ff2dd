/**
 * Receives syslog datagrams over UDP. Each sender's address is a stream of its own; many datagrams are handed on at once. Says what
 * the kernel threw away because it was not read in time: that is the one place where a message can be lost here.
 */
import { isIPv6 } from 'node:net';
import { type HostPort, hostPortText, parseHostPort } from '../model/address.ts';
import { plainAddress } from './allowed.ts';
import { DatagramBatch } from './datagram-batch.ts';
import type { Feed } from './feed.ts';
import { KernelDrops } from './kernel-drops.ts';
import type { SyslogIntake } from './syslog-intake.ts';
import { cannotListen, type Listener } from './syslog-listener.ts';
import { type Datagrams, openUdpReceiver, type UdpReceiver } from './udp-receiver.ts';

/** The kernel is asked to keep so much for us while we are busy. It cuts that to `net.core.rmem_max`. */
const receiveBytes = 32 * 1024 * 1024;
/** Less than this is told at the start. The kernel shows twice what it was asked for. */
const receiveBytesWanted = 2 * 4 * 1024 * 1024;
/** Senders that are kept apart; the one that was quiet longest makes room. */
const peersMax = 1_024;
/** A sender that was quiet for so long is forgotten. */
const peerIdleMs = 600_000;
/** After a loss, so long without another one, and it is over. */
const lossOverMs = 600_000;

interface Peer {
  readonly address: string;
  /** As a person writes it: the same for connections. */
  readonly plain: string;
  readonly feed: Feed;
}

export class UdpListener implements Listener {
  readonly name: string;
  readonly #intake: SyslogIntake;
  #address: HostPort;
  readonly #batch: DatagramBatch;
  readonly #peers = new Map<string, Peer>();
  /** Who sent the last datagram: most often the next one is from there too. */
  #last: Peer | null = null;
  #receiver: UdpReceiver | null = null;
  failure: string | null = null;
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
      this.#receiver = await this.#receive(host === null || isIPv6(host) ? 'udp6' : 'udp4').catch((error) => {
        // A machine without IPv6: all of its addresses are IPv4's.
        if (host === null && (error as NodeJS.ErrnoException).code === 'EAFNOSUPPORT')
          return this.#receive('udp4');
        throw error;
      });
    } catch (error) {
      throw cannotListen(this.name, error);
    }
    this.failure = null;
    const { granted } = this.#receiver;
    // Where the system chose the port, it stays the same one.
    this.#address = { host, port: port === 0 ? this.#receiver.port : port };
    this.#drops = new KernelDrops(this.#receiver.address, this.#receiver.port);
    if (granted < receiveBytesWanted)
      this.#intake.say(
        `buffer ${this.name}`,
        `${this.name}: ${keeps(granted)} while Tocsin is busy; ${wider}, and a burst is not lost`,
      );
  }

  #receive(type: 'udp4' | 'udp6'): Promise<UdpReceiver> {
    return openUdpReceiver({ type, ...this.#address, receiveBytes }, this.#intake.clock, {
      datagrams: (some) => this.#datagrams(some),
      error: (message) => this.#intake.say(`error ${this.name}`, `${this.name}: ${message}`),
      died: (message) => {
        this.#receiver = null;
        this.failure = `${this.name}: its receiver ended (${message}); what was sent until it is open again is lost`;
        this.#intake.count('udp_receiver_failures');
        this.#intake.say(`receiver ${this.name}`, this.failure);
      },
    });
  }

  bound(): string {
    return `udp ${hostPortText(this.#address)}`;
  }

  changed(): void {
    for (const peer of [...this.#peers.values()]) if (!this.#intake.mayFrom(peer.address)) this.#forget(peer);
  }

  #datagrams({ data, ends, from, senders }: Datagrams): void {
    this.#received += ends.length;
    const [first = ''] = senders;
    const { limit } = this.#intake;
    if (senders.length === 1) {
      const peer = this.#peer(first);
      const takes = peer === null || !limit.on || limit.hasRoom(peer.plain, data.length);
      if (peer === null) this.#intake.count('denied', ends.length);
      else if (takes) this.#intake.give(peer.feed, data, ends);
      // Where there is no room for all of them, each one is asked about.
      if (takes) return;
    }
    const limited = limit.on;
    let dropped = 0;
    let begin = 0;
    for (const [at, end] of ends.entries()) {
      const peer = this.#peer(senders[from[at] ?? 0] ?? first);
      if (peer === null) this.#intake.count('denied');
      else if (!limited || limit.hasRoom(peer.plain, end - begin))
        this.#batch.add(peer.feed, data.subarray(begin, end));
      else {
        limit.dropped(peer.plain);
        dropped++;
      }
      begin = end;
    }
    this.#intake.count('peer_limit_dropped', dropped);
    this.#batch.flush();
  }

  #peer(address: string): Peer | null {
    if (this.#last?.address === address) return this.#last;
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
    const plain = plainAddress(address);
    const peer = { address, plain, feed: this.#intake.open('udp', plain) };
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
          `\`tocsin status\` goes on counting them. TCP does not lose messages. ${this.#room()}`,
      );
    this.#lostAt = now;
  }

  /** What would help over bursts, as a sentence. */
  #room(): string {
    const granted = this.#receiver?.granted ?? 0;
    return granted >= receiveBytes ? `${keeps(granted)}.` : `${keeps(granted)}; ${wider}.`;
  }

  async close(): Promise<void> {
    const receiver = this.#receiver;
    this.#receiver = null;
    // What the kernel holds for us was received: it is read before the address is given up.
    await receiver?.drain();
    this.#batch.flush();
    // Its counter is gone with the socket.
    await this.#lookForDrops(this.#intake.clock.monotonic());
    await receiver?.close();
    for (const peer of [...this.#peers.values()]) this.#forget(peer);
  }
}

const wider = `\`sysctl -w net.core.rmem_max=${receiveBytes}\` gives it room`;

function keeps(granted: number): string {
  return `the kernel keeps up to ${Math.floor(granted / 1024).toLocaleString('en-US')} KiB for it`;
}
