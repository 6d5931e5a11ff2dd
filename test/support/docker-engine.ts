/**
 * An Engine for tests: a real HTTP server on a unix socket that answers the four questions the source asks, as Docker's documentation of
 * the API has it (list, inspect, events, logs). It keeps logs as the json-file driver does. It is not Docker.
 */
import { createServer, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { tempDir } from './temp-dir.ts';

interface Line {
  readonly nanos: bigint;
  readonly stream: 'stdout' | 'stderr';
  readonly text: string;
}

export class Container {
  readonly id: string;
  name: string;
  readonly image: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly tty: boolean;
  readonly created: number;
  state: 'running' | 'exited' = 'running';
  readonly lines: Line[] = [];
  readonly followers = new Set<(line: Line | null) => void>();
  /** The logging driver gives nothing back. */
  unreadable = false;
  constructor(facts: {
    id: string;
    name: string;
    image: string;
    labels: Record<string, string>;
    tty: boolean;
    created: number;
  }) {
    this.id = facts.id;
    this.name = facts.name;
    this.image = facts.image;
    this.labels = facts.labels;
    this.tty = facts.tty;
    this.created = facts.created;
  }
}

export interface DockerEngine {
  readonly socket: string;
  /** Paths asked for. */
  readonly asked: string[];
  run(
    name: string,
    more?: Partial<{ image: string; labels: Record<string, string>; tty: boolean }>,
  ): Container;
  /** `print` with a text without a line end is a part. `nanos`: the time; one microsecond after the last by default. */
  print(container: Container, text: string, stream?: 'stdout' | 'stderr', nanos?: bigint): void;
  stopContainer(container: Container): void;
  startContainer(container: Container): void;
  remove(container: Container): void;
  /** Breaks every open connection. */
  cut(): void;
  close(): Promise<void>;
}

const stampOf = (nanos: bigint): string => {
  const seconds = Number(nanos / 1_000_000_000n);
  return `${new Date(seconds * 1000).toISOString().slice(0, 19)}.${String(nanos % 1_000_000_000n).padStart(9, '0')}Z`;
};

function nanosOf(since: string | null): bigint {
  const [seconds = '0', fraction = ''] = (since ?? '0').split('.');
  return BigInt(seconds) * 1_000_000_000n + BigInt(fraction.padEnd(9, '0').slice(0, 9) || '0');
}

function encoded(container: Container, { nanos, stream, text }: Line): Buffer {
  const payload = Buffer.from(`${stampOf(nanos)} ${container.tty ? text.replace(/\n$/, '\r\n') : text}`);
  if (container.tty) return payload;
  const header = Buffer.alloc(8);
  header[0] = stream === 'stdout' ? 1 : 2;
  header.writeUInt32BE(payload.length, 4);
  return Buffer.concat([header, payload]);
}

export async function dockerEngine(startAt = Date.UTC(2026, 0, 5, 9)): Promise<DockerEngine> {
  const socket = join(tempDir(), 'docker.sock');
  const containers = new Map<string, Container>();
  const listeners = new Set<ServerResponse>();
  const asked: string[] = [];
  let number = 0;
  let last = BigInt(startAt) * 1_000_000n;
  const event = (action: string, { id, name, image }: Container): void => {
    const text = JSON.stringify({
      Type: 'container',
      Action: action,
      Actor: { ID: id, Attributes: { name, image } },
    });
    for (const response of listeners) response.write(`${text}\n`);
  };
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://docker');
    asked.push(url.pathname + url.search);
    const json = (status: number, value: unknown): void => {
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(value));
    };
    if (url.pathname === '/events') {
      response.writeHead(200);
      response.flushHeaders();
      listeners.add(response);
      response.on('close', () => listeners.delete(response));
      return;
    }
    if (url.pathname === '/containers/json') {
      const all = [...containers.values()].map((one) => ({
        Id: one.id,
        Names: [`/${one.name}`],
        Image: one.image,
        Labels: one.labels,
        State: one.state,
        Created: one.created,
      }));
      json(200, all);
      return;
    }
    const [, , id = '', what = ''] = url.pathname.split('/');
    const container = containers.get(id);
    if (!container) json(404, { message: `No such container: ${id}` });
    else if (what === 'json') json(200, { Id: id, Config: { Tty: container.tty } });
    else if (container.unreadable)
      json(501, { message: 'configured logging driver does not support reading' });
    else {
      response.writeHead(200);
      response.flushHeaders();
      const since = nanosOf(url.searchParams.get('since'));
      for (const line of container.lines) if (line.nanos >= since) response.write(encoded(container, line));
      if (url.searchParams.get('follow') !== '1' || container.state !== 'running') {
        response.end();
        return;
      }
      const follower = (line: Line | null): void => {
        if (line === null) response.end();
        else if (line.nanos >= since) response.write(encoded(container, line));
      };
      container.followers.add(follower);
      response.on('close', () => container.followers.delete(follower));
    }
  });
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  const close = async (): Promise<void> => {
    server.closeAllConnections();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  };
  onTestFinished(close);
  const stopContainer = (container: Container): void => {
    container.state = 'exited';
    for (const follower of [...container.followers]) follower(null);
    event('die', container);
  };
  return {
    socket,
    asked,
    run(name, more = {}) {
      number++;
      const container = new Container({
        id: number.toString(16).padStart(64, '0'),
        name,
        image: 'shop:1',
        labels: {},
        tty: false,
        created: Number(last / 1_000_000_000n),
        ...more,
      });
      containers.set(container.id, container);
      event('start', container);
      return container;
    },
    print(container, text, stream = 'stdout', nanos) {
      last = nanos ?? last + 1_000n;
      const line = { nanos: last, stream, text };
      container.lines.push(line);
      for (const follower of container.followers) follower(line);
    },
    stopContainer,
    startContainer(container) {
      container.state = 'running';
      event('start', container);
    },
    remove(container) {
      if (container.state === 'running') stopContainer(container);
      containers.delete(container.id);
      event('destroy', container);
    },
    cut: () => server.closeAllConnections(),
    close,
  };
}
