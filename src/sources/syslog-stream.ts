/** Listens for syslog over TCP, and over unix sockets of streams. Hands each connection to those that read it. */
import { chmodSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer, type Server } from 'node:net';
import { type HostPort, hostPortText, parseHostPort } from '../model/address.ts';
import type { Connections } from './syslog-connections.ts';
import { cannotListen, type Listener } from './syslog-listener.ts';
import { freeSocketPath, removeSocket, socketMode } from './unix-path.ts';

/** Connections that the kernel keeps for us until we accept them. */
const backlog = 511;

export class TcpListener implements Listener {
  readonly name: string;
  readonly #address: HostPort;
  readonly #connections: Connections;
  #server: Server | null = null;

  constructor(text: string, connections: Connections) {
    this.name = `tcp ${text}`;
    this.#address = parseHostPort(text) ?? { host: text, port: 0 };
    this.#connections = connections;
  }

  async open(): Promise<void> {
    const server = createServer((socket) => this.#connections.accept(socket, this.name, null));
    await listen(server, tcpOptions(this.#address)).catch((error: unknown) => {
      throw cannotListen(this.name, error);
    });
    this.#server = server;
  }

  bound(): string {
    return `tcp ${boundText(this.#server, this.#address)}`;
  }

  changed(): void {}

  async tick(): Promise<void> {}

  async close(): Promise<void> {
    await closeServer(this.#server, () => this.#connections.end(this.name));
    this.#server = null;
  }
}

export class UnixStreamListener implements Listener {
  readonly name: string;
  readonly #path: string;
  readonly #connections: Connections;
  #server: Server | null = null;

  constructor(path: string, connections: Connections) {
    this.name = `unix_stream ${path}`;
    this.#path = path;
    this.#connections = connections;
  }

  async open(): Promise<void> {
    try {
      await freeSocketPath(this.#path);
      const server = createServer((socket) => this.#connections.accept(socket, this.name, null));
      await listen(server, { path: this.#path });
      chmodSync(this.#path, socketMode);
      this.#server = server;
    } catch (error) {
      throw cannotListen(this.name, error);
    }
  }

  bound(): string {
    return this.name;
  }

  changed(): void {}

  async tick(): Promise<void> {}

  async close(): Promise<void> {
    const had = this.#server !== null;
    await closeServer(this.#server, () => this.#connections.end(this.name));
    this.#server = null;
    if (had) removeSocket(this.#path);
  }
}

export function tcpOptions({ host, port }: HostPort): { port: number; host?: string; backlog: number } {
  return { port, backlog, ...(host === null ? {} : { host }) };
}

/** Resolves once the server listens. Later errors of it are not thrown: what they are about is a single connection. */
export function listen(
  server: Server,
  options: {
    readonly port?: number;
    readonly host?: string;
    readonly path?: string;
    readonly backlog?: number;
  },
): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(options, () => {
      server.removeListener('error', reject);
      server.on('error', () => undefined);
      resolve();
    });
  });
}

/** Nothing new is accepted; then `end` lets the open connections finish. */
export async function closeServer(server: Server | null, end: () => Promise<void>): Promise<void> {
  if (server === null) return;
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  await end();
  await closed;
}

export function boundText(server: Server | null, address: HostPort): string {
  const info = server?.address() as AddressInfo | null | undefined;
  return hostPortText({ host: address.host, port: info?.port ?? address.port });
}
