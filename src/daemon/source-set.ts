/** The sources that run: started, swapped on a reload where they changed, drained for `--once`, stopped together. */
import type { Readable } from 'node:stream';
import { stampOf } from '../match/stamps.ts';
import type { Config, SourceConfig } from '../model/config.ts';
import type { Clock, Source, Timer } from '../model/seams.ts';
import { createSource } from '../sources/sources.ts';
import type { Logger } from '../system/log.ts';
import { watchFolders, watchNothing } from '../system/watch.ts';
import type { Pipeline } from './pipeline.ts';

/** Characters of a line in which its stamp is looked for. */
const stampText = 64;
/** What a source may take to begin before the next one does. */
const startPatienceMs = 2_000;

export interface SourceSetDeps {
  readonly pipeline: Pipeline;
  readonly clock: Clock;
  readonly stdin: Readable;
  /** Events of the file system are of use: not where everything is read once. */
  readonly events: boolean;
  readonly log: Logger;
}

export class SourceSet {
  readonly #deps: SourceSetDeps;
  readonly #running = new Map<string, { readonly source: Source; readonly config: SourceConfig }>();

  constructor(deps: SourceSetDeps) {
    this.#deps = deps;
  }

  /** Starts one. A source that can't begin, or takes its time to, is no reason to stop the others: it is said, and shown as failing. */
  async start(config: SourceConfig, firstStart: boolean): Promise<void> {
    const { pipeline, clock, stdin, events, log } = this.#deps;
    const source = createSource(config, {
      port: pipeline,
      clock,
      watch: events ? watchFolders : watchNothing,
      stdin,
      firstStart,
      timeOf: (line) => stampOf(line.toString('latin1', 0, stampText), config.tz, clock.now())?.time ?? null,
      warn: (message) => log.warn({ source: config.name }, message),
    });
    this.#running.set(config.name, { source, config });
    let begun = false;
    const starting = source
      .start()
      .catch((error: unknown) =>
        pipeline.state(config.name, 'failing', error instanceof Error ? error.message : String(error)),
      )
      .finally(() => {
        begun = true;
      });
    let timer: Timer | null = null;
    let progressBefore = source.startProgress?.() ?? 0;
    const patience = new Promise<void>((resolve) => {
      const look = (): void => {
        resolve();
        if (begun) return;
        const progress = source.startProgress?.() ?? 0;
        // Many files, or a slow disk: it begins when all was looked at, and the others meanwhile.
        if (progress > progressBefore) {
          progressBefore = progress;
          timer = clock.setTimer(startPatienceMs, look);
          return;
        }
        // A mount that does not answer: it begins when that does.
        const detail = 'its files do not answer: is a mount hanging?';
        pipeline.state(config.name, 'failing', detail);
        log.warn({ source: config.name }, detail);
      };
      timer = clock.setTimer(startPatienceMs, look);
    });
    void starting.then(() => (timer as Timer | null)?.cancel());
    await Promise.race([starting, patience]);
  }

  /** Stops what is gone or changed, starts what is new or changed; the rest goes on where it is. */
  async swap(after: Config): Promise<void> {
    for (const [name, { source, config }] of this.#running) {
      const next = after.sources.find((other) => other.name === name);
      if (next && isSame(next, config)) continue;
      if (next?.kind === config.kind && source.change) {
        await source.change(next);
        this.#running.set(name, { source, config: next });
      } else {
        this.#running.delete(name);
        await source.stop();
      }
      this.#deps.pipeline.resetSource(name);
    }
    for (const config of after.sources) {
      if (!this.#running.has(config.name)) await this.start(config, false);
    }
  }

  /** Resolves when everything there is was taken to its end. */
  async drain(): Promise<void> {
    await Promise.all([...this.#running.values()].map(({ source }) => source.drain()));
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#running.values()].map(({ source }) => source.stop()));
  }

  /** Bytes known to be there and not yet taken; 0 for a source that does not run. */
  lagBytes(name: string): number {
    return this.#running.get(name)?.source.lagBytes() ?? 0;
  }
}

/** Whether a source would do the same under both; where it is written does not count, and what a secret is does. */
function isSame(one: SourceConfig, other: SourceConfig): boolean {
  const text = (config: SourceConfig): string => JSON.stringify({ ...config, origin: null });
  if (text(one) !== text(other)) return false;
  if (one.kind !== 'http' || other.kind !== 'http') return true;
  return one.token === null ? other.token === null : one.token.equals(other.token);
}
