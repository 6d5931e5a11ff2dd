/** A file source over a folder of its own, with a port that collects lines. Made anew over the same positions, it is a restart. */

import { Readable } from 'node:stream';
import { onTestFinished } from 'vitest';
import type { FileSourceConfig } from '../../src/model/config.ts';
import type { Clock, Source } from '../../src/model/seams.ts';
import { createSource, type SourceDeps } from '../../src/sources/sources.ts';
import { realClock } from '../../src/system/clock.ts';
import { watchFolders } from '../../src/system/watch.ts';
import { LinePort } from './line-port.ts';
import { waitFor } from './wait-for.ts';

export type Mode = 'events' | 'poll only';

export interface TailingOptions {
  readonly paths: readonly string[];
  readonly exclude?: readonly string[];
  readonly start?: FileSourceConfig['start'];
  readonly firstStart?: boolean;
  readonly mode?: Mode;
  readonly port?: LinePort;
  readonly clock?: Clock;
  readonly more?: Partial<SourceDeps>;
}

export interface Tailing {
  readonly source: Source;
  readonly port: LinePort;
  readonly warnings: string[];
  /** Waits until exactly these lines came (in any order of streams), and nothing else. */
  gets(...lines: string[]): Promise<void>;
  stop(): Promise<void>;
}

export function fileConfig(options: TailingOptions): FileSourceConfig {
  return {
    kind: 'file',
    name: 'logs',
    paths: options.paths,
    exclude: options.exclude ?? [],
    start: options.start ?? 'beginning',
    encoding: 'utf-8',
    format: 'plain',
    multiline: 'none',
    tz: 'UTC',
    maxLineBytes: 256 * 1024,
    labels: {},
    origin: { file: 'test', line: 1, column: 1 } as unknown as FileSourceConfig['origin'],
  };
}

export function makeTailing(options: TailingOptions): Tailing {
  const port = options.port ?? new LinePort();
  const warnings: string[] = [];
  const source = createSource(fileConfig(options), {
    port,
    clock: options.clock ?? realClock,
    watch: watchFolders,
    stdin: Readable.from([]),
    firstStart: options.firstStart ?? port.saved.size === 0,
    timeOf: null,
    pollOnly: options.mode === 'poll only',
    warn: (message) => warnings.push(message),
    ...options.more,
  });
  let stopped: Promise<void> | null = null;
  const stop = (): Promise<void> => {
    stopped ??= source.stop();
    return stopped;
  };
  onTestFinished(stop);
  const gets = async (...lines: string[]): Promise<void> => {
    const wanted = [...lines].sort().join('\n');
    await waitFor(
      `lines ${shorten(lines)}, got ${shorten(port.lines)}`,
      () => port.taken.length >= lines.length,
    ).catch(() => undefined);
    const got = [...port.lines].sort().join('\n');
    if (got !== wanted) throw new Error(`wanted ${shorten(lines)}\ngot    ${shorten(port.lines)}`);
  };
  return { source, port, warnings, gets, stop };
}

/** Started. */
export async function tail(options: TailingOptions): Promise<Tailing> {
  const tailing = makeTailing(options);
  await tailing.source.start();
  return tailing;
}

/** A restart: what was saved is all that is left. */
export function restart(before: Tailing, options: TailingOptions): Promise<Tailing> {
  return tail({ ...options, port: new LinePort(new Map(before.port.saved)), firstStart: false });
}

/** Numbered lines, so that each is itself. */
export function numbered(from: number, to: number, word = 'line'): string[] {
  return Array.from({ length: to - from + 1 }, (_, at) => `${word} ${String(from + at).padStart(6, '0')}`);
}

export function text(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join('');
}

function shorten(lines: readonly string[]): string {
  return lines.length > 12
    ? `${lines.length} lines: ${lines.slice(0, 4).join(' | ')} ... ${lines.slice(-4).join(' | ')}`
    : `${lines.length} lines: ${lines.join(' | ')}`;
}
