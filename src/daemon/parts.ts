/**
 * The parts of a daemon, wired in the order of the flow: each is made here, and hears here of those that it may know of. Holds which
 * configuration runs, and has what the parts did committed. Starts nothing and stops nothing; it decides nothing about matches,
 * incidents or messages.
 */
import { Engine } from '../incidents/engine.ts';
import { compileRules } from '../match/compile.ts';
import type { Config } from '../model/config.ts';
import type { CommitResult, Store } from '../model/store.ts';
import { Desk } from '../notify/desk.ts';
import { ChannelSet } from './channel-set.ts';
import { type EngineTime, liveTime, logTime } from './engine-time.ts';
import type { Loaded } from './keeper.ts';
import { accepts } from './offline.ts';
import type { DaemonOptions } from './options.ts';
import { Pipeline } from './pipeline.ts';
import { QuietWatch } from './quiet-watch.ts';
import { SelfWatch } from './self-watch.ts';
import { Sender } from './sender.ts';
import { senderEvents } from './sender-events.ts';
import { SourceSet } from './source-set.ts';
import { saySource, sayState, sayTrouble, type WordsDeps } from './words.ts';

export class Parts {
  readonly options: DaemonOptions;
  readonly store: Store;
  readonly startedAt: number;
  readonly time: EngineTime;
  readonly channels: ChannelSet;
  readonly desk: Desk;
  readonly engine: Engine;
  readonly selfWatch: SelfWatch;
  readonly quietWatch: QuietWatch;
  readonly sender: Sender;
  readonly pipeline: Pipeline;
  readonly sources: SourceSet;
  readonly words: WordsDeps;
  config: Config;
  /** What the files say now, and whether that is what runs. */
  loaded: Loaded;
  loadedAt: number;
  /** Whether the state on disk is being written. */
  stateOk = true;
  #commitQueued = false;
  #commitsEnded = false;

  constructor(options: DaemonOptions, store: Store, config: Config, loaded: Loaded) {
    const { clock } = options;
    this.options = options;
    this.store = store;
    this.config = config;
    this.loaded = loaded;
    this.startedAt = clock.now();
    this.loadedAt = this.startedAt;
    this.time = options.once ? logTime(clock) : liveTime(clock);
    const { write, colours, version, proxies } = options;
    this.channels = new ChannelSet({ clock, write, colours, version, proxies });
    this.desk = new Desk(store, config.channels);
    this.engine = new Engine(
      {
        store,
        tell: (intent, now) => this.desk.take(intent, now),
        count: (reason, rule) =>
          options.log.warn({ reason, rule }, 'decided with less than the rule asks for'),
      },
      engineSettings(config),
    );
    this.selfWatch = new SelfWatch({
      desk: this.desk,
      said: store.table('self_words', { cache: 100 }),
      channels: () => this.config.channels,
      works: (name) => this.sender.facts(name)?.state === 'ok',
      labels: () => this.config.labels,
      now: () => clock.now(),
    });
    this.quietWatch = new QuietWatch({
      clock,
      rhythms: store.table('source_rhythms', { cache: 100 }),
      sources: () => this.config.sources,
      facts: (name) => this.pipeline.factsOf(name),
      selfWatch: this.selfWatch,
    });
    this.sender = this.#makeSender();
    this.pipeline = this.#makePipeline();
    this.sources = new SourceSet({
      pipeline: this.pipeline,
      clock,
      stdin: options.stdin,
      events: !options.once,
      log: options.log,
    });
    this.words = { log: options.log, selfWatch: this.selfWatch, files: options.load.files };
  }

  #makeSender(): Sender {
    const { options, store, engine, desk, selfWatch, time } = this;
    const { log, clock, random } = options;
    return new Sender({
      store,
      accounts: engine.accounts,
      clock: time.clock,
      random,
      events: senderEvents({
        log,
        desk,
        selfWatch,
        config: () => this.config,
        clock,
        changed: () => this.#changed(),
      }),
    });
  }

  #makePipeline(): Pipeline {
    const { options, store, engine, desk, time } = this;
    return new Pipeline(
      {
        store,
        engine,
        desk,
        clock: options.clock,
        time,
        source: (name) => this.config.sources.find((source) => source.name === name),
        committed: (result) => this.#committed(result),
        sourceState: (name, facts) => {
          saySource(this.words, name, facts.state, facts.detail);
          this.#changed();
        },
        sourceTrouble: (name, topic, text) => {
          sayTrouble(this.words, name, topic, text);
          this.#changed();
        },
      },
      compileRules(this.config.rules),
    );
  }

  /** Gives another configuration to all parts at once, but for the sources: to swap those takes its time. */
  use(config: Config, loaded: Loaded): void {
    const compiled = compileRules(config.rules);
    const now = this.time.now();
    this.config = config;
    this.loaded = loaded;
    this.loadedAt = this.options.clock.now();
    this.desk.use(config.channels, now);
    this.sender.use(this.channels.make(config.channels));
    this.engine.swap(engineSettings(config), now);
    this.pipeline.use(compiled);
  }

  /** When the next thing is due: ms of the wall clock, or infinity. */
  dueAt(): number {
    return Math.min(this.engine.nextDue() ?? Infinity, this.desk.nextDue() ?? Infinity);
  }

  /** Does what is due. */
  tick(): void {
    this.selfWatch.tick();
    this.quietWatch.tick();
    this.pipeline.tick(this.time.now());
    this.engine.pruneHistory(this.options.clock.now());
  }

  /** From here on what changes is committed by who stops the parts, in its order. */
  endCommits(): void {
    this.#commitsEnded = true;
  }

  /** The sender changed something: durable with the next turn of the loop, many changes in one commit. */
  #changed(): void {
    if (this.#commitQueued) return;
    this.#commitQueued = true;
    setImmediate(() => {
      this.#commitQueued = false;
      if (!this.#commitsEnded) this.pipeline.commit();
    });
  }

  /** Durable messages go to the sender. Without a state they go too: an alert that may be repeated is better than none. */
  #committed(result: CommitResult): void {
    if (result.ok !== this.stateOk) {
      this.stateOk = result.ok;
      sayState(this.words, result);
    }
    const fresh = this.desk.takeFresh();
    if (fresh.length > 0) this.sender.offer(fresh);
  }
}

function engineSettings(config: Config): ConstructorParameters<typeof Engine>[1] {
  const { rules, routes, labels, channels } = config;
  return { rules, routes, labels, accepts: (channel, severity) => accepts(channels, channel, severity) };
}
