/**
 * The whole engine without a daemon: bytes in, incidents and messages out, nothing sent and nothing kept. `test`, `backtest`
 * and the checks before a reload run on it, so that what they tell is what the daemon would do.
 */
import { Engine } from '../incidents/engine.ts';
import { type CompiledRules, compileRules } from '../match/compile.ts';
import { openReader } from '../match/open-reader.ts';
import type { BudgetWindow, SourceCommon } from '../model/config.ts';
import type { OutboxItem } from '../model/intent.ts';
import type { StreamInfo } from '../model/record.ts';
import type { Route, Rule } from '../model/rule.ts';
import { type Severity, severities } from '../model/rule.ts';
import type { Clock } from '../model/seams.ts';
import type { Store } from '../model/store.ts';
import { Desk } from '../notify/desk.ts';
import { type EngineTime, logTime } from './engine-time.ts';

export interface OfflineChannel {
  readonly name: string;
  readonly budget: readonly BudgetWindow[] | null;
  readonly minSeverity: string | null;
}

export interface OfflineOptions {
  readonly rules: readonly Rule[];
  /** Where they are compiled already. */
  readonly compiled?: CompiledRules;
  readonly routes: readonly Route[];
  readonly channels: readonly OfflineChannel[];
  readonly labels: Readonly<Record<string, string>>;
  readonly store: Store;
  readonly clock: Clock;
  /** Called for each message that would leave, in order. */
  readonly message: (item: OutboxItem) => void;
}

/** How a stream is read: the part of a source's configuration that matters to the reader. */
export type Reading = Pick<SourceCommon, 'format' | 'multiline' | 'tz' | 'maxLineBytes'>;
export const defaultReading: Reading = {
  format: 'auto',
  multiline: 'auto',
  tz: 'UTC',
  maxLineBytes: 262_144,
};

export class Offline {
  readonly engine: Engine;
  readonly desk: Desk;
  readonly #options: OfflineOptions;
  readonly #compiled: CompiledRules;
  readonly #time: EngineTime;
  readonly #outbox;
  records = 0;
  bytes = 0;

  constructor(options: OfflineOptions) {
    this.#options = options;
    this.#time = logTime(options.clock);
    this.#compiled = options.compiled ?? compileRules(options.rules);
    this.#outbox = options.store.table<OutboxItem>('outbox', { cache: 1_000 });
    this.desk = new Desk(options.store, options.channels);
    this.engine = new Engine(
      { store: options.store, tell: (intent, now) => this.desk.take(intent, now), count: () => {} },
      {
        rules: options.rules,
        routes: options.routes,
        labels: options.labels,
        accepts: (channel, severity) => accepts(options.channels, channel, severity),
      },
    );
  }

  /** A reader for one stream of bytes. Hand it the bytes in order; the last call has `final`. */
  stream(
    info: StreamInfo,
    reading: Reading,
  ): (data: Buffer, offset: number, end: 'more' | 'final') => number {
    const reader = openReader({ stream: info, ...reading }, null);
    return (data, offset, end) => {
      const result = reader.read(this.#compiled, {
        stream: info,
        data,
        offset,
        end,
        receivedAt: this.#time.now(),
      });
      this.records += result.records;
      this.bytes += result.consumed;
      for (const match of result.matches) {
        const now = this.#time.at(match.record.time);
        this.#advance(now);
        this.engine.apply(match, now);
      }
      this.engine.settle();
      this.#leave();
      return result.consumed;
    };
  }

  /** The end of the input: everything that is still untold is told. */
  finish(): void {
    const now = this.#time.now();
    this.engine.finish(now);
    this.desk.finish(now);
    this.#leave();
  }

  #advance(now: number): void {
    for (let turn = 0; turn < 100_000; turn++) {
      const due = Math.min(
        this.engine.nextDue() ?? Number.POSITIVE_INFINITY,
        this.desk.nextDue() ?? Number.POSITIVE_INFINITY,
      );
      if (due > now) return;
      const at = Math.max(due, this.#time.floor() > now ? now : 0);
      this.engine.tick(at);
      this.desk.tick(at);
      this.#leave();
    }
  }

  /** Every message counts as delivered the moment it leaves. */
  #leave(): void {
    for (const item of this.desk.takeFresh()) {
      this.#outbox.delete(item.key);
      this.engine.accounts.delivered(item.channel, item.cover);
      this.#options.message(item);
    }
  }
}

/** Whether a channel that exists wants this severity. */
export function accepts(channels: readonly OfflineChannel[], channel: string, severity: string): boolean {
  const known = channels.find((one) => one.name === channel);
  if (!known) return false;
  const least = severities.indexOf((known.minSeverity ?? 'info') as Severity);
  return severities.indexOf(severity as Severity) >= least;
}
