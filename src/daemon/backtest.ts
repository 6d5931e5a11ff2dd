/**
 * What would have been told: the whole engine over old logs, in the logs' own time, with budgets and limits. Sends nothing.
 * Reads plain and gzip'ed files (and zstd where this Node can), one after the other in the order of their names as given.
 */
import { closeSync, createReadStream, openSync, readSync } from 'node:fs';
import { pipeline } from 'node:stream';
import * as zlib from 'node:zlib';
import { compileLoops } from '../match/bytes/instance.ts';
import type { Config } from '../model/config.ts';
import type { OutboxItem } from '../model/intent.ts';
import { TocsinError } from '../model/problem.ts';
import type { Clock } from '../model/seams.ts';
import type { Store } from '../model/store.ts';
import { compileFully } from '../system/heap.ts';
import { defaultReading, Offline } from './offline.ts';

export interface BacktestMessage {
  readonly at: string;
  readonly channel: string;
  readonly kind: string;
  readonly severity: string;
  readonly rule: string;
  readonly title: string;
  readonly count: number;
}
export interface BacktestRule {
  readonly matched: number;
  readonly below: number;
  readonly incidents: number;
  readonly messages: number;
}
export interface BacktestReport {
  readonly records: number;
  readonly bytes: number;
  readonly from: string | null;
  readonly to: string | null;
  readonly matches: number;
  readonly messages: readonly BacktestMessage[];
  /** The most messages that one channel got within one minute. */
  readonly peakPerMinute: number;
  /** Share of the matches that made no message of their own, 0..1. */
  readonly heldBack: number;
  readonly rules: Readonly<Record<string, BacktestRule>>;
}

export interface BacktestOptions {
  readonly config: Config;
  readonly files: readonly string[];
  readonly store: Store;
  readonly clock: Clock;
  /** Bytes read so far, of how many (before decompression). */
  readonly progress: (done: number) => void;
}

/** Runs it. Throws a TocsinError for a file that can't be read. */
export async function backtest(options: BacktestOptions): Promise<BacktestReport> {
  const { config } = options;
  compileFully(compileLoops);
  const messages: BacktestMessage[] = [];
  const offline = new Offline({
    rules: config.rules,
    routes: config.routes,
    channels: config.channels,
    labels: config.labels,
    store: options.store,
    clock: options.clock,
    message: (item) => messages.push(messageOf(item)),
  });
  let done = 0;
  for (const path of options.files) {
    await feed(offline, path, (bytes) => {
      done += bytes;
      options.progress(done);
    });
  }
  offline.finish();
  return report(config, offline, messages);
}

function messageOf(item: OutboxItem): BacktestMessage {
  const { incident, notification } = item.notification;
  return {
    at: new Date(item.createdAt).toISOString(),
    channel: item.channel,
    kind: notification.kind,
    severity: incident.severity,
    rule: incident.rule,
    title: incident.title,
    count: incident.count,
  };
}

async function feed(offline: Offline, path: string, progress: (bytes: number) => void): Promise<void> {
  const take = offline.stream(
    { source: 'backtest', key: path, path, host: null, labels: {} },
    defaultReading,
  );
  let rest: Buffer = Buffer.alloc(0);
  let offset = 0;
  const stream = open(path, progress);
  try {
    for await (const part of stream) {
      const data = rest.length === 0 ? (part as Buffer) : Buffer.concat([rest, part as Buffer]);
      const consumed = take(data, offset, 'more');
      offset += consumed;
      rest = data.subarray(consumed);
    }
  } catch (error) {
    throw new TocsinError('E_READ', `cannot read ${path}: ${(error as Error).message}`, { cause: error });
  }
  take(rest, offset, 'final');
}

function open(path: string, progress: (bytes: number) => void): AsyncIterable<unknown> {
  const magic = magicOf(path);
  const file = createReadStream(path, { highWaterMark: 1 << 20 });
  file.on('data', (part) => progress(part.length));
  if (magic.startsWith('1f8b')) return pipeline(file, zlib.createGunzip({ chunkSize: 1 << 20 }), () => {});
  if (!magic.startsWith('28b52ffd')) return file;
  const zstd = (zlib as unknown as Record<string, (() => zlib.Gunzip) | undefined>)['createZstdDecompress'];
  if (!zstd) {
    throw new TocsinError(
      'E_READ',
      `cannot read ${path}: it is zstd, which Node ${process.versions.node} cannot unpack; use Node 22.15 or newer, or unpack it with "zstd -d"`,
    );
  }
  return pipeline(file, zstd(), () => {});
}

function magicOf(path: string): string {
  try {
    const handle = openSync(path, 'r');
    try {
      const head = Buffer.alloc(4);
      readSync(handle, head, 0, 4, 0);
      return head.toString('hex');
    } finally {
      closeSync(handle);
    }
  } catch (error) {
    throw new TocsinError('E_READ', `cannot read ${path}: ${(error as Error).message}`, { cause: error });
  }
}

function report(config: Config, offline: Offline, messages: readonly BacktestMessage[]): BacktestReport {
  const rules: Record<string, BacktestRule> = {};
  let matches = 0;
  for (const rule of config.rules) {
    const stats = offline.engine.stats(rule.id);
    matches += stats.matched;
    if (stats.matched === 0 && stats.below === 0) continue;
    const own = messages.filter((one) => one.rule === rule.id).length;
    rules[rule.id] = {
      matched: stats.matched,
      below: stats.below,
      incidents: stats.incidents,
      messages: own,
    };
  }
  const routed = config.channels.reduce(
    (sum, channel) => sum + offline.engine.accounts.of(channel.name).matched,
    0,
  );
  return {
    records: offline.records,
    bytes: offline.bytes,
    from: messages[0]?.at ?? null,
    to: messages.at(-1)?.at ?? null,
    matches,
    messages,
    peakPerMinute: peak(messages),
    heldBack: routed === 0 ? 0 : Math.max(0, 1 - messages.length / routed),
    rules,
  };
}

function peak(messages: readonly BacktestMessage[]): number {
  let most = 0;
  const byChannel = new Map<string, number[]>();
  for (const message of messages) {
    const times = byChannel.get(message.channel) ?? [];
    byChannel.set(message.channel, times);
    const at = Date.parse(message.at);
    times.push(at);
    while ((times[0] ?? at) <= at - 60_000) times.shift();
    most = Math.max(most, times.length);
  }
  return most;
}
