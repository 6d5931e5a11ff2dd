/**
 * The source `http`: logs that are posted. Listens on one address, tries again where it can't be had, and keeps it open over a change that
 * leaves the address. What a request brings is for `http-intake.ts`.
 */
import { createServer, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { type HostPort, hostPortText, parseHostPort } from '../model/address.ts';
import type { HttpSourceConfig, SourceConfig } from '../model/config.ts';
import type { Clock, Source, SourcePort, Timer } from '../model/seams.ts';
import { plainAddress } from './allowed.ts';
import { type HttpDeps, HttpIntake } from './http-intake.ts';
import { cannotListen } from './syslog-listener.ts';

const tickMs = 1_000;
const retryMs = 5_000;
/** The head of a request must be there within this time, and a request is begun within that time on an open connection. */
const headMs = 10_000;
/** Load balancers keep theirs for 60 s; who closes first loses a request. */
const keepAliveMs = 75_000;
/** How often Node looks at what came too slowly. */
const slowLookMs = 1_000;
const headBytes = 16 * 1024;
/** At the end: requests may finish for so long. */
const lastMs = 4_000;
const lastLookMs = 20;
const backlog = 1_024;

export class HttpSource implements Source {
  readonly name: string;
  readonly #port: SourcePort;
  readonly #clock: Clock;
  readonly #intake: HttpIntake;
  #config: HttpSourceConfig;
  #server: Server | null = null;
  #triedAt = 0;
  #timer: Timer | null = null;
  #stopped: Promise<void> | null = null;
  /** Opening and closing, one after the other. */
  #work: Promise<void> = Promise.resolve();

  constructor(config: HttpSourceConfig, deps: HttpDeps) {
    this.name = config.name;
    this.#port = deps.port;
    this.#clock = deps.clock;
    this.#config = config;
    this.#intake = new HttpIntake(config, deps);
  }

  /** Resolves when the address was tried. One that can't be had is shown, and tried again. */
  async start(): Promise<void> {
    await this.#then(() => this.#open());
    this.#tickLater();
  }

  async change(config: SourceConfig): Promise<void> {
    if (config.kind !== 'http') return;
    await this.#then(async () => {
      const before = this.#config;
      // A token that can't be read now: who had the old one may go on, and nobody else comes in.
      const token = config.unusable === null ? config.token : before.token;
      this.#config = { ...config, token };
      const closes = config.listen !== before.listen || (config.unusable !== null && token === null);
      if (closes) await this.#close(this.#server);
      this.#intake.use(this.#config);
      if (this.#server === null) await this.#open();
      else {
        this.#limit(this.#server);
        this.#say(null);
      }
    });
  }

  /** Nothing is there to be read to an end: whoever sends, sends on. */
  async drain(): Promise<void> {}

  stop(): Promise<void> {
    this.#timer?.cancel();
    this.#intake.closing = true;
    this.#stopped ??= this.#then(async () => {
      await this.#close(this.#server);
      this.#intake.end();
    });
    return this.#stopped;
  }

  lagBytes(): number {
    return this.#intake.heldBytes;
  }

  #then(step: () => Promise<void>): Promise<void> {
    this.#work = this.#work.then(step);
    return this.#work;
  }

  async #open(): Promise<void> {
    this.#triedAt = this.#clock.monotonic();
    const { listen, unusable, token } = this.#config;
    if (unusable !== null && token === null) {
      this.#say(unusable);
      return;
    }
    const address = parseHostPort(listen) ?? { host: listen, port: 0 };
    const server = createServer(
      { maxHeaderSize: headBytes, connectionsCheckingInterval: slowLookMs },
      (request, response) => this.#intake.handle(request, response),
    );
    this.#limit(server);
    server.on('clientError', (error, socket) => this.#badRequest(error, socket as Socket));
    server.on('drop', () => {
      this.#intake.count('refused_connections');
      this.#intake.say('full', `connections were refused: all ${this.#config.maxConnections} are in use`);
    });
    try {
      await begin(server, address);
      this.#server = server;
      this.#say(null);
    } catch (error) {
      this.#say(cannotListen(`http ${listen}`, error).message);
    }
  }

  /** Limits that may change while it listens. */
  #limit(server: Server): void {
    const { maxConnections, requestTimeoutMs } = this.#config;
    server.maxConnections = maxConnections;
    server.headersTimeout = Math.min(headMs, requestTimeoutMs);
    server.requestTimeout = requestTimeoutMs;
    server.keepAliveTimeout = keepAliveMs;
  }

  #say(problem: string | null): void {
    const { unusable, listen } = this.#config;
    if (problem !== null)
      this.#port.state(this.name, 'failing', `${problem}; tried again every ${retryMs / 1000} s`);
    else if (unusable !== null)
      this.#port.state(this.name, 'failing', `the old token holds, the new one can't be read: ${unusable}`);
    else {
      const { port } = (this.#server?.address() as AddressInfo | null) ?? { port: 0 };
      const host = parseHostPort(listen)?.host ?? null;
      this.#port.state(this.name, 'ok', `listens on http ${hostPortText({ host, port })}`);
    }
  }

  /** No new connections; requests that are on their way may finish. */
  async #close(server: Server | null): Promise<void> {
    if (server === null) return;
    this.#server = null;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeIdleConnections();
    const began = this.#clock.monotonic();
    while (this.#intake.active > 0 && this.#clock.monotonic() - began < lastMs)
      await new Promise<void>((resolve) => {
        this.#clock.setTimer(lastLookMs, resolve);
      });
    server.closeAllConnections();
    await closed;
  }

  /** What is no request: TLS on the plain port, a head that is too long or too slow. */
  #badRequest(error: NodeJS.ErrnoException & { readonly rawPacket?: Buffer }, socket: Socket): void {
    const address = plainAddress(socket.remoteAddress ?? 'a program');
    if (error.rawPacket?.[0] === 0x16) {
      this.#intake.count('tls_on_plain');
      this.#intake.say(
        `tls ${address}`,
        `${address} speaks TLS to the plain port: put a proxy with TLS in front, or send http`,
      );
      socket.destroy();
      return;
    }
    if (error.code === 'ECONNRESET' || !socket.writable) {
      socket.destroy();
      return;
    }
    const [status, sentence] =
      error.code === 'HPE_HEADER_OVERFLOW'
        ? ['431 Request Header Fields Too Large', `the head is longer than ${headBytes} bytes`]
        : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
          ? ['408 Request Timeout', 'the request did not come in time']
          : ['400 Bad Request', 'this is no HTTP request'];
    this.#intake.count('http_bad_requests');
    const head = `HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Type: text/plain\r\n`;
    socket.end(`${head}Content-Length: ${sentence.length + 1}\r\n\r\n${sentence}\n`);
  }

  #tickLater(): void {
    if (this.#stopped !== null) return;
    this.#timer = this.#clock.setTimer(tickMs, () => {
      this.#intake.tick();
      const due = this.#server === null && this.#clock.monotonic() - this.#triedAt >= retryMs;
      const work = due
        ? this.#then(async () => {
            if (this.#stopped === null && this.#server === null) await this.#open();
          })
        : Promise.resolve();
      void work.finally(() => this.#tickLater());
    });
  }
}

/** Resolves once the server listens. Later errors of it are about single connections. */
function begin(server: Server, { host, port }: HostPort): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port, backlog, ...(host === null ? {} : { host }) }, () => {
      server.removeListener('error', reject);
      server.on('error', () => undefined);
      resolve();
    });
  });
}
