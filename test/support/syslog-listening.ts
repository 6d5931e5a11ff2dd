/** A syslog source on real sockets, with a port that reads messages as the pipeline does: framed, and their heads taken off. */
import { createSocket } from 'node:dgram';
import { connect, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { SyslogFramer } from '../../src/match/syslog-framing.ts';
import { parseSyslog, type SyslogMessage } from '../../src/match/syslog-parse.ts';
import type { SyslogSourceConfig } from '../../src/model/config.ts';
import type { Chunk, Clock, SavedPosition, SourcePort } from '../../src/model/seams.ts';
import { SyslogSource } from '../../src/sources/syslog.ts';
import { realClock } from '../../src/system/clock.ts';

export interface TakenMessage {
  readonly text: string;
  readonly key: string;
  readonly host: string | null;
  readonly envelope: SyslogMessage['envelope'];
}

export class MessagePort implements SourcePort {
  readonly messages: TakenMessage[] = [];
  readonly counts = new Map<string, number>();
  readonly states: string[] = [];
  readonly troubles: string[] = [];
  readonly forgotten: string[] = [];
  /** Runs inside each `take`. */
  onTake: ((chunk: Chunk) => void) | null = null;
  takes = 0;
  received = 0;
  keep = true;
  readonly #streams = new Map<string, { framer: SyslogFramer; offset: number }>();
  readonly #config: () => SyslogSourceConfig;

  constructor(config: () => SyslogSourceConfig) {
    this.#config = config;
  }

  get texts(): string[] {
    return this.messages.map((one) => one.text);
  }

  counted(reason: string): number {
    return this.counts.get(reason) ?? 0;
  }

  take(chunk: Chunk): number {
    this.takes++;
    this.onTake?.(chunk);
    const { data, offset, stream, frames, end } = chunk;
    let known = this.#streams.get(stream.key);
    if (!known) {
      known = { framer: new SyslogFramer({ ...this.#config(), inflates: true }), offset: 0 };
      this.#streams.set(stream.key, known);
    }
    if (known.offset !== offset) throw new Error(`${stream.key}: offset ${offset}, expected ${known.offset}`);
    let consumed = data.length;
    if (frames) {
      let from = 0;
      for (const to of frames) {
        this.#message(chunk, data, from, to);
        from = to;
      }
      if (from !== data.length) throw new Error('the last message does not end with the data');
    } else {
      const { framer } = known;
      consumed = framer.read(data, end === 'final');
      for (let at = 0; at < framer.count; at++)
        this.#message(chunk, framer.bytes(at), framer.from[at] ?? 0, framer.to[at] ?? 0);
    }
    known.offset += consumed;
    if (end === 'final') this.#streams.delete(stream.key);
    return consumed;
  }

  #message({ stream, receivedAt }: Chunk, data: Buffer, from: number, to: number): void {
    this.received++;
    if (!this.keep) return;
    const { envelope, ...found } = parseSyslog(data, from, to, { tz: this.#config().tz, receivedAt });
    this.messages.push({
      text: data.toString('utf8', found.from, found.to),
      key: stream.key,
      host: stream.host,
      envelope,
    });
  }

  position(): SavedPosition | null {
    return null;
  }
  positions(): readonly SavedPosition[] {
    return [];
  }
  remember(): void {}
  handOver(): boolean {
    return false;
  }

  forget(key: string): void {
    this.forgotten.push(key);
  }
  committed(): Promise<boolean> {
    return Promise.resolve(true);
  }

  count(_source: string, reason: string, by: number): void {
    this.counts.set(reason, (this.counts.get(reason) ?? 0) + by);
  }
  state(_source: string, state: string, detail: string | null): void {
    this.states.push(`${state}: ${detail}`);
  }
  trouble(_source: string, topic: string, text: string | null): void {
    this.troubles.push(text ?? `${topic} is over`);
  }
}

export function syslogConfig(given: Partial<SyslogSourceConfig> = {}): SyslogSourceConfig {
  return {
    kind: 'syslog',
    name: 'drain',
    format: 'auto',
    multiline: 'none',
    tz: 'UTC',
    maxLineBytes: 262_144,
    labels: {},
    origin: { file: 'test', line: 1, column: 1, length: 1 },
    udp: [],
    tcp: [],
    tls: [],
    unix: [],
    unixStream: [],
    framing: 'auto',
    continuation: 'auto',
    maxFrameBytes: 262_144,
    allowFrom: [],
    proxyFrom: [],
    maxConnections: 512,
    idleTimeoutMs: null,
    peerLimit: null,
    ...given,
  };
}

export interface Listening {
  readonly source: SyslogSource;
  readonly port: MessagePort;
  readonly warnings: string[];
  /** Ports in the order of `udp, tcp, tls`, as they were bound. */
  ports(): number[];
  change(given: Partial<SyslogSourceConfig>): Promise<void>;
  stop(): Promise<void>;
}

/** Started; stopped when the test is over. */
export async function listening(
  given: Partial<SyslogSourceConfig>,
  clock: Clock = realClock,
): Promise<Listening> {
  let config = syslogConfig(given);
  const port = new MessagePort(() => config);
  const warnings: string[] = [];
  const source = new SyslogSource(config, { port, clock, warn: (message) => warnings.push(message) });
  await source.start();
  const stop = (): Promise<void> => source.stop();
  onTestFinished(stop);
  return {
    source,
    port,
    warnings,
    ports: () =>
      [...(port.states.at(-1) ?? '').matchAll(/(?:udp|tcp|tls) \S*?:(\d+)/g)].map((found) =>
        Number(found[1]),
      ),
    change: (more) => {
      config = { ...config, ...more };
      return source.change(config);
    },
    stop,
  };
}

export function tlsFile(name: string): string {
  return fileURLToPath(new URL(`../fixtures/syslog/tls/${name}.pem`, import.meta.url));
}

/** A connection; its errors are not thrown. */
export async function dial(to: number | string): Promise<Socket> {
  const socket = typeof to === 'string' ? connect(to) : connect(to, '127.0.0.1');
  socket.on('error', () => undefined);
  await new Promise((resolve) => {
    socket.once('connect', resolve);
    socket.once('close', resolve);
  });
  onTestFinished(() => void socket.destroy());
  return socket;
}

/** Resolves when the bytes are with the system. */
export function write(socket: Socket, data: string | Buffer): Promise<void> {
  return new Promise((resolve) => {
    socket.write(data, () => resolve());
  });
}

export function sendDatagrams(
  port: number,
  datagrams: readonly (string | Buffer)[],
  host = '127.0.0.1',
): Promise<void> {
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
  return new Promise((resolve, reject) => {
    let left = datagrams.length;
    for (const data of datagrams)
      socket.send(data, port, host, (error) => {
        if (error) reject(error);
        if (--left > 0) return;
        socket.close();
        resolve();
      });
  });
}
