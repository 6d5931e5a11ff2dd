/**
 * The connections of one syslog source, from accepted to closed: who may connect, how many, and what makes room for whom. Each is a
 * stream of its own. Reading is as fast as the pipeline takes, so a sender that is too fast waits; nothing of it is lost.
 */
import type { Socket } from 'node:net';
import { oneAddress, plainAddress } from './allowed.ts';
import { ConnectionTurns, isBehind, type Waiter } from './connection-turns.ts';
import { readProxyHeader } from './proxy-header.ts';
import { heldTotalMax, type SyslogIntake } from './syslog-intake.ts';

/** Of all connections, one address may have this share. */
const addressShare = 0.5;
/** A dead peer is found out by the system. */
const keepAliveMs = 60_000;
/** When all places are taken: who has not sent a whole message for so long makes room. */
const firstMessageMs = 2_000;
/** ... or who has been quiet for so long. */
const quietMs = 60_000;
/** At the end a connection may say what it had begun to say, for so long. */
const lastWordsMs = 150;
const endMs = 1_500;
/** What all streams hold is added up when one holds more than a read gives. */
const heldLookBytes = 256 * 1024;

interface Connection extends Waiter {
  readonly socket: Socket;
  readonly beganAt: number;
  readonly transport: string;
  /** First bytes, until it is known what they are. */
  head: Buffer | null;
}

export class Connections {
  readonly #intake: SyslogIntake;
  readonly #open = new Map<Socket, Connection>();
  readonly #byAddress = new Map<string, number>();
  readonly #turns: ConnectionTurns;

  constructor(intake: SyslogIntake) {
    this.#intake = intake;
    this.#turns = new ConnectionTurns(intake.limit);
  }

  get size(): number {
    return this.#open.size;
  }

  /**
   * Takes a connection in, or closes it. `secure` puts TLS on it, and is called once the bytes in front of TLS are read. Messages
   * are read with `read`, at once without `secure`.
   */
  accept(socket: Socket, transport: string, secure: ((socket: Socket) => void) | null): void {
    const { remoteAddress } = socket;
    const address = remoteAddress === undefined ? null : plainAddress(remoteAddress);
    socket.on('error', () => undefined);
    if (address !== null && !this.#intake.mayFrom(address) && !this.#intake.mayProxy(address)) {
      this.#refuse(socket, 'denied', `${address} may not send: it is not in allow_from`);
      return;
    }
    if (!this.#makeRoom(address)) {
      this.#refuse(
        socket,
        'refused_connections',
        `a connection from ${address ?? 'this machine'} was refused: all ${this.#intake.config.maxConnections} are in use`,
      );
      return;
    }
    const beganAt = this.#intake.clock.monotonic();
    const proxied = address !== null && this.#intake.mayProxy(address);
    const connection: Connection = {
      socket,
      address,
      beganAt,
      transport,
      carrier: null,
      feed: null,
      head: null,
      turn: null,
      paused: false,
      ending: false,
    };
    this.#open.set(socket, connection);
    if (address !== null) this.#byAddress.set(address, (this.#byAddress.get(address) ?? 0) + 1);
    if (address !== null) socket.setKeepAlive(true, keepAliveMs);
    socket.once('close', () => this.#gone(connection));
    if (secure === null) this.read(socket, socket, null);
    else if (proxied) this.#headThenSecure(connection, secure);
    else secure(socket);
  }

  /** Reads messages from `carrier`, which runs on the accepted `socket`. `peer` is a better name of the sender, if there is one. */
  read(socket: Socket, carrier: Socket, peer: string | null): void {
    const connection = this.#open.get(socket);
    if (!connection) {
      carrier.destroy();
      return;
    }
    connection.carrier = carrier;
    if (carrier !== socket || peer !== null)
      connection.feed ??= this.#intake.open(connection.transport, peer ?? connection.address);
    else connection.head = Buffer.alloc(0);
    carrier.on('data', (data: Buffer) => this.#data(connection, data));
    carrier.on('end', () => this.#ended(connection));
    carrier.on('close', () => this.#ended(connection));
    const { address } = connection;
    // Behind a proxy it is not known yet who sends.
    if (connection.feed !== null || (address !== null && !this.#intake.mayProxy(address)))
      this.#turns.join(connection);
  }

  #data(connection: Connection, data: Buffer): void {
    if (connection.feed !== null) {
      this.#intake.add(connection.feed, data);
      if (this.#intake.limit.on) this.#turns.took(connection, data.length);
      if (connection.feed.heldBytes > heldLookBytes && this.#intake.heldBytes() > heldTotalMax) this.#letGo();
      return;
    }
    const head = Buffer.concat([connection.head ?? Buffer.alloc(0), data]);
    connection.head = head;
    const rest = this.#begin(connection, head);
    if (rest === null || connection.socket.destroyed) return;
    connection.head = null;
    connection.feed ??= this.#intake.open(connection.transport, connection.address);
    if (rest.length > 0) this.#intake.give(connection.feed, rest, null);
    if (this.#intake.limit.on) this.#turns.took(connection, head.length);
  }

  /** What the first bytes are: null while that can't be told, else what is left of them as messages. */
  #begin(connection: Connection, head: Buffer): Buffer | null {
    // A ClientHello: the record of a handshake, TLS 1.x.
    if (head[0] === 0x16 && (head.length < 2 || head[1] === 0x03)) {
      if (head.length < 2) return null;
      const { address } = connection;
      connection.head = null;
      this.#refuse(
        connection.socket,
        'tls_on_plain',
        `${address ?? 'a program'} speaks TLS to the plain port: give it the address of \`tls\``,
      );
      return null;
    }
    if (connection.address === null) return head;
    const proxy = readProxyHeader(head);
    if (proxy === 'more') return null;
    if (proxy === null) return head;
    return this.#proxied(connection, proxy.address) ? head.subarray(proxy.length) : null;
  }

  /** A head of a proxy was read: whether its connection goes on. It is never a message, and it is believed only from `proxy_from`. */
  #proxied(connection: Connection, address: string | null): boolean {
    const { socket, transport } = connection;
    if (!this.#intake.mayProxy(connection.address ?? '')) {
      this.#intake.count('proxy_headers_not_believed');
      return true;
    }
    if (address !== null && !this.#intake.mayFrom(address)) {
      this.#refuse(socket, 'denied', `${address} may not send: it is not in allow_from`);
      return false;
    }
    connection.feed = this.#intake.open(
      transport,
      address === null ? connection.address : oneAddress(address),
    );
    return true;
  }

  /** In front of TLS nothing but the head of a proxy can stand. */
  #headThenSecure(connection: Connection, secure: (socket: Socket) => void): void {
    const { socket } = connection;
    const look = (): void => {
      const more = socket.read() as Buffer | null;
      if (more === null) return;
      connection.head = Buffer.concat([connection.head ?? Buffer.alloc(0), more]);
      const proxy = readProxyHeader(connection.head);
      if (proxy === 'more') return;
      socket.removeListener('readable', look);
      const rest = proxy === null ? connection.head : connection.head.subarray(proxy.length);
      connection.head = null;
      if (proxy !== null && !this.#proxied(connection, proxy.address)) return;
      if (rest.length > 0) socket.unshift(rest);
      secure(socket);
    };
    socket.on('readable', look);
  }

  #ended(connection: Connection): void {
    const unread = this.#turns.unread(connection);
    if (unread !== null) this.#data(connection, unread);
    const { feed, head, carrier } = connection;
    connection.head = null;
    if (feed === null && head !== null && head.length > 0) {
      connection.feed = this.#intake.open(connection.transport, connection.address);
      this.#intake.give(connection.feed, head, null);
    }
    if (connection.feed !== null) this.#intake.close(connection.feed);
    carrier?.end();
  }

  #gone(connection: Connection): void {
    this.#ended(connection);
    this.#turns.release(connection);
    // One that made room is gone before its socket is closed: its address gives a place back once.
    if (!this.#open.delete(connection.socket)) return;
    const { address } = connection;
    if (address === null) return;
    const left = (this.#byAddress.get(address) ?? 1) - 1;
    if (left === 0) this.#byAddress.delete(address);
    else this.#byAddress.set(address, left);
  }

  #refuse(socket: Socket, reason: string, message: string): void {
    this.#intake.count(reason);
    this.#intake.say(message, message);
    socket.destroy();
  }

  /** Whether there is a place for one more from an address, perhaps after another one was closed. */
  #makeRoom(address: string | null): boolean {
    const max = this.#intake.config.maxConnections;
    const perAddress = Math.max(1, Math.floor(max * addressShare));
    const ofAddress = address === null ? 0 : (this.#byAddress.get(address) ?? 0);
    if (this.#open.size < max && ofAddress < perAddress) return true;
    const victim = this.#leastNeeded(ofAddress >= perAddress ? address : null);
    if (victim === null) return false;
    this.#intake.count('evicted_connections');
    this.#ended(victim);
    this.#gone(victim);
    victim.socket.destroy();
    return true;
  }

  /** Who never sent a whole message, else who was quiet longest; nobody who is at work. */
  #leastNeeded(address: string | null): Connection | null {
    const now = this.#intake.clock.monotonic();
    let found: Connection | null = null;
    let foundAt = now;
    let dumb = false;
    for (const connection of this.#open.values()) {
      if (address !== null && connection.address !== address) continue;
      if (isBehind(connection)) continue;
      const never = (connection.feed?.taken ?? 0) === 0;
      if (dumb && !never) continue;
      const at = never ? connection.beganAt : (connection.feed?.lastAt ?? connection.beganAt);
      if (now - at < (never ? firstMessageMs : quietMs) || (dumb === never && at >= foundAt)) continue;
      found = connection;
      foundAt = at;
      dumb = never;
    }
    return found;
  }

  /** Too many bytes of unfinished messages: the one that holds most ends. */
  #letGo(): void {
    let found: Connection | null = null;
    for (const connection of this.#open.values())
      if ((connection.feed?.heldBytes ?? 0) > (found?.feed?.heldBytes ?? 0)) found = connection;
    if (!found) return;
    this.#intake.count('evicted_connections');
    this.#ended(found);
    found.socket.destroy();
  }

  /** Closes who was quiet for too long, and who may not send any more. */
  tick(): void {
    const { idleTimeoutMs } = this.#intake.config;
    const now = this.#intake.clock.monotonic();
    for (const connection of [...this.#open.values()]) {
      const at = connection.feed?.lastAt ?? connection.beganAt;
      if (idleTimeoutMs === null || now - at < idleTimeoutMs || isBehind(connection)) continue;
      this.#intake.count('idle_connections_closed');
      this.#ended(connection);
      connection.socket.destroy();
    }
  }

  changed(): void {
    for (const { address, socket } of [...this.#open.values()]) {
      if (address === null || this.#intake.mayFrom(address) || this.#intake.mayProxy(address)) continue;
      this.#refuse(socket, 'denied', `${address} may not send: it is not in allow_from`);
    }
  }

  /** Ends those of one listener, or all: each may finish its message, and what it sent is read. Resolves when they are gone. */
  async end(transport: string | null): Promise<void> {
    const mine = [...this.#open.values()].filter((one) => transport === null || one.transport === transport);
    const { clock } = this.#intake;
    const began = clock.monotonic();
    for (const connection of mine) {
      this.#turns.release(connection);
      (connection.carrier ?? connection.socket).end();
    }
    let left = mine.filter(({ socket }) => this.#open.has(socket));
    while (left.length > 0) {
      await new Promise<void>((resolve) => {
        clock.setTimer(20, resolve);
      });
      const now = clock.monotonic();
      for (const connection of left) {
        const at = Math.max(began, connection.feed?.lastAt ?? 0);
        if (now - at < lastWordsMs && now - began < endMs) continue;
        this.#ended(connection);
        connection.socket.destroy();
      }
      left = left.filter(({ socket }) => this.#open.has(socket));
    }
  }
}
