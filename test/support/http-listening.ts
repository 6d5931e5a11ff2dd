/** An HTTP source on a real socket, with a port that reads records as the pipeline does, and a plain client for it. */
import { type IncomingHttpHeaders, request } from 'node:http';
import { onTestFinished } from 'vitest';
import { compileRules } from '../../src/match/compile.ts';
import { openReader } from '../../src/match/open-reader.ts';
import type { Reader } from '../../src/match/reader.ts';
import type { HttpSourceConfig } from '../../src/model/config.ts';
import type { LogRecord } from '../../src/model/record.ts';
import type { Chunk, Clock, SavedPosition, SourcePort } from '../../src/model/seams.ts';
import { HttpSource } from '../../src/sources/http.ts';
import { realClock } from '../../src/system/clock.ts';
import { rule } from '../match/make-rule.ts';

/** Every record with anything in it. */
const everything = compileRules([rule('everything', '.')]);

export class RecordPort implements SourcePort {
  readonly records: LogRecord[] = [];
  readonly counts = new Map<string, number>();
  readonly states: string[] = [];
  readonly troubles: string[] = [];
  readonly saved: Map<string, SavedPosition>;
  takes = 0;
  /** What `committed` says. */
  commit: () => Promise<boolean> = () => Promise.resolve(true);
  readonly #readers = new Map<string, { reader: Reader; offset: number }>();
  readonly #config: () => HttpSourceConfig;

  constructor(config: () => HttpSourceConfig, saved: Map<string, SavedPosition>) {
    this.#config = config;
    this.saved = saved;
  }

  get messages(): string[] {
    return this.records.map((one) => one.message);
  }

  counted(reason: string): number {
    return this.counts.get(reason) ?? 0;
  }

  take(chunk: Chunk): number {
    this.takes++;
    const { stream } = chunk;
    let known = this.#readers.get(stream.key);
    if (!known) {
      const options = { ...this.#config(), stream };
      known = { reader: openReader(options, null), offset: 0 };
      this.#readers.set(stream.key, known);
    }
    if (known.offset !== chunk.offset) throw new Error(`offset ${chunk.offset}, expected ${known.offset}`);
    const { consumed, matches, counts } = known.reader.read(everything, chunk);
    known.offset += consumed;
    for (const [reason, by] of Object.entries(counts)) this.count('', reason, by);
    this.records.push(...matches.map((match) => match.record));
    return consumed;
  }

  position(key: string): SavedPosition | null {
    return this.saved.get(key) ?? null;
  }
  positions(): readonly SavedPosition[] {
    return [];
  }
  remember(position: SavedPosition): void {
    this.saved.set(position.key, position);
  }
  handOver(): boolean {
    return false;
  }

  forget(key: string): void {
    this.#readers.delete(key);
  }
  committed(): Promise<boolean> {
    return this.commit();
  }
  count(_source: string, reason: string, by: number): void {
    if (by > 0) this.counts.set(reason, this.counted(reason) + by);
  }
  state(_source: string, state: string, detail: string | null): void {
    this.states.push(`${state}: ${detail}`);
  }
  trouble(_source: string, topic: string, text: string | null): void {
    this.troubles.push(text ?? `${topic} is over`);
  }
}

export function httpConfig(given: Partial<HttpSourceConfig> = {}): HttpSourceConfig {
  return {
    kind: 'http',
    name: 'intake',
    format: 'auto',
    multiline: 'auto',
    tz: 'UTC',
    maxLineBytes: 262_144,
    labels: {},
    origin: { file: 'test', line: 1, column: 1, length: 1 },
    listen: '127.0.0.1:0',
    token: null,
    unusable: null,
    maxBodyBytes: 1024 * 1024,
    maxUnpackedBytes: 4 * 1024 * 1024,
    maxConnections: 64,
    requestTimeoutMs: 10_000,
    allowFrom: [],
    ...given,
  };
}

export interface Answered {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

export interface SendOptions {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** One request; `null` where the connection broke. */
export function send(
  port: number,
  body: Buffer | string,
  options: SendOptions = {},
): Promise<Answered | null> {
  const { method = 'POST', path = '/', headers = {} } = options;
  return new Promise((resolve) => {
    const sent = request({ agent: false, host: '127.0.0.1', port, method, path, headers }, (answer) => {
      let text = '';
      answer.on('data', (part: Buffer) => (text += part.toString()));
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text }));
      answer.on('error', () => resolve(null));
    });
    sent.on('error', () => resolve(null));
    sent.end(body);
  });
}

export interface HttpListening {
  readonly source: HttpSource;
  readonly port: RecordPort;
  readonly warnings: string[];
  /** The port it is bound to. */
  bound(): number;
  post(
    body: Buffer | string,
    type?: string,
    headers?: Readonly<Record<string, string>>,
  ): Promise<Answered | null>;
  change(given: Partial<HttpSourceConfig>): Promise<void>;
}

/** Started; stopped when the test is over. */
export async function httpListening(
  given: Partial<HttpSourceConfig> = {},
  more: { readonly clock?: Clock; readonly saved?: Map<string, SavedPosition> } = {},
): Promise<HttpListening> {
  let config = httpConfig(given);
  const { clock = realClock, saved = new Map() } = more;
  const port = new RecordPort(() => config, saved);
  const warnings: string[] = [];
  const source = new HttpSource(config, { port, clock, warn: (message) => warnings.push(message) });
  await source.start();
  onTestFinished(() => source.stop());
  const bound = (): number => Number(/:(\d+)$/.exec(port.states.at(-1) ?? '')?.[1] ?? 0);
  return {
    source,
    port,
    warnings,
    bound,
    post: (body, type = 'text/plain', headers = {}) =>
      send(bound(), body, { headers: { 'content-type': type, ...headers } }),
    change: (changed) => {
      config = { ...config, ...changed };
      return source.change(config);
    },
  };
}
