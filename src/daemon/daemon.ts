/**
 * Wires the rooms in the order of the flow, swaps what a reload changes, and stops in reverse. It is the only place that knows all
 * of them; it decides nothing about matches, incidents or messages.
 */
import { Engine } from '../incidents/engine.ts';
import { compileRules } from '../match/compile.ts';
import type { Config } from '../model/config.ts';
import type { CommitResult, Store } from '../model/store.ts';
import { Desk } from '../notify/desk.ts';
import type { Notice } from '../state/notice.ts';
import { prunePositions } from '../state/prune.ts';
import { openStore } from '../state/store.ts';
import { fault } from '../system/fault.ts';
import { AdminDoor } from './admin-door.ts';
import { ChannelSet } from './channel-set.ts';
import { answerCommand } from './commands.ts';
import { type WatchedFiles, watchConfig, watchedFiles } from './config-watch.ts';
import { listenControl } from './control.ts';
import { type EngineTime, liveTime, logTime } from './engine-time.ts';
import { guessStateDir, keepGood, type Loaded, loadAndProve, loadAtStart } from './keeper.ts';
import { daemonMetrics } from './metrics.ts';
import { accepts } from './offline.ts';
import type { DaemonOptions, ReloadResult } from './options.ts';
import { Pipeline } from './pipeline.ts';
import { QuietWatch } from './quiet-watch.ts';
import { notReady } from './readiness.ts';
import { ConfigRefused } from './refused.ts';
import { testDeps } from './rule-tests.ts';
import { SelfWatch } from './self-watch.ts';
import { Sender } from './sender.ts';
import { senderEvents } from './sender-events.ts';
import { SourceSet } from './source-set.ts';
import { statusOf } from './status.ts';
import { Ticker } from './ticker.ts';
import {
  sayAccepted,
  sayLoaded,
  sayNotice,
  sayRefused,
  saySource,
  sayState,
  sayTrouble,
  type WordsDeps,
  whatRuns,
} from './words.ts';

/** SIGTERM: what is being sent has so long to end; the whole stop stays below 8 s. */
const stopGraceMs = 5_000;

export class Daemon {
  readonly options: DaemonOptions;
  readonly store: Store;
  readonly engine: Engine;
  readonly desk: Desk;
  readonly sender: Sender;
  readonly pipeline: Pipeline;
  readonly selfWatch: SelfWatch;
  readonly quietWatch: QuietWatch;
  readonly time: EngineTime;
  readonly startedAt: number;
  readonly notices: readonly Notice[];
  config: Config;
  /** What the files say now, and whether that is what runs. */
  loaded: Loaded;
  loadedAt: number;
  readonly sources: SourceSet;
  readonly #words: WordsDeps;
  readonly #dir: string;
  /** The files of the configuration, and what the last load asked of them. */
  readonly #files: WatchedFiles;
  readonly #channels: ChannelSet;
  #undo: (() => Promise<void> | void)[] = [];
  readonly #ticker: Ticker;
  readonly #admin: AdminDoor;
  #stopping: Promise<void> | null = null;
  #stateOk = true;
  #reloading: Promise<ReloadResult> = Promise.resolve({ outcome: 'unchanged', problems: [] });

  /** Starts everything. Throws `ConfigRefused` when nothing can run, a TocsinError when the state can't be used. */
  static async start(given: DaemonOptions): Promise<Daemon> {
    const { clock } = given;
    const files = watchedFiles(given.load.files);
    const options = { ...given, load: { ...given.load, files } };
    const tests = testDeps(options);
    const first = options.stateDir === null ? loadAndProve(options.load, tests) : null;
    const dir = options.stateDir ?? first?.config?.stateDir ?? guessStateDir(options.load);
    if (options.strict && first && hasErrors(first)) throw new ConfigRefused(first.problems);
    let later: (notice: Notice) => void = () => {};
    const { store, notices } = openStore({
      dir,
      clock,
      temporary: options.temporaryState,
      onNotice: (notice) => later(notice),
    });
    try {
      const loaded = first?.config ? first : loadAtStart(options.load, tests, store);
      if (!loaded.config || (options.strict && hasErrors(loaded))) throw new ConfigRefused(loaded.problems);
      const daemon = new Daemon(options, { store, notices, dir, files }, loaded.config, loaded);
      later = (notice) => sayNotice(daemon.#words, notice);
      await daemon.#begin();
      return daemon;
    } catch (error) {
      store.close();
      throw error;
    }
  }

  private constructor(
    options: DaemonOptions,
    state: {
      readonly store: Store;
      readonly notices: readonly Notice[];
      readonly dir: string;
      readonly files: WatchedFiles;
    },
    config: Config,
    loaded: Loaded,
  ) {
    const { store, notices, dir, files } = state;
    const { clock } = options;
    this.options = options;
    this.store = store;
    this.config = config;
    this.loaded = loaded;
    this.notices = notices;
    this.#dir = dir;
    this.#files = files;
    this.startedAt = clock.now();
    this.loadedAt = this.startedAt;
    this.time = options.once ? logTime(clock) : liveTime(clock);
    const { write, colours, version, proxies } = options;
    this.#channels = new ChannelSet({ clock, write, colours, version, proxies });
    this.desk = new Desk(store, config.channels);
    this.engine = new Engine(
      {
        store,
        tell: (intent, now) => this.desk.take(intent, now),
        count: (reason, rule) =>
          options.log.warn({ reason, rule }, 'decided with less than the rule asks for'),
      },
      this.#engineSettings(config),
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
    this.sender = new Sender({
      store,
      accounts: this.engine.accounts,
      clock: this.time.clock,
      random: options.random,
      events: senderEvents({
        log: options.log,
        desk: this.desk,
        selfWatch: this.selfWatch,
        config: () => this.config,
        clock,
        changed: () => this.#changed(),
      }),
    });
    this.pipeline = new Pipeline(
      {
        store,
        engine: this.engine,
        desk: this.desk,
        clock,
        time: this.time,
        source: (name) => this.config.sources.find((source) => source.name === name),
        committed: (result) => this.#committed(result),
        sourceState: (name, facts) => {
          saySource(this.#words, name, facts.state, facts.detail);
          this.#changed();
        },
        sourceTrouble: (name, topic, text) => {
          sayTrouble(this.#words, name, topic, text);
          this.#changed();
        },
      },
      compileRules(config.rules),
    );
    this.sources = new SourceSet({
      pipeline: this.pipeline,
      clock,
      stdin: options.stdin,
      events: !options.once,
      log: options.log,
    });
    this.#admin = new AdminDoor({
      status: () => statusOf(this),
      notReady: () => notReady(this),
      metrics: daemonMetrics(this),
      reload: () => this.reload(),
    });
    this.#ticker = new Ticker(
      clock,
      () => this.#dueAt(),
      () => this.#tick(),
    );
    this.#words = { log: options.log, selfWatch: this.selfWatch, files: options.load.files };
  }

  async #begin(): Promise<void> {
    const { options, store } = this;
    try {
      this.#undo.push(() => store.close());
      this.sender.use(this.#channels.make(this.config.channels));
      this.#undo.push(async () => {
        await this.sender.stop(stopGraceMs);
        store.setMeta('running', 'no');
      });
      this.engine.adopt(this.time.now());
      this.desk.adopt(this.time.now());
      if (this.loaded.origin === 'files') keepGood(store, this.config, options.clock.now());
      else sayRefused(this.#words, this.loaded, whatRuns(this.loaded, this.loadedAt));
      sayLoaded(this.#words, this.loaded, this.config.channels);
      for (const notice of this.notices) sayNotice(this.#words, notice);
      const waiting = this.sender.resume(store.getMeta('running') === 'yes');
      store.setMeta('running', 'yes');
      if (waiting > 0) options.log.info({ messages: waiting }, 'messages of the last run go out now');
      prunePositions(store.positions, this.startedAt);
      const firstStart = store.getMeta('started') === undefined;
      store.setMeta('started', new Date(this.startedAt).toISOString());
      this.pipeline.commit();
      if (!options.once) await this.#listen();
      for (const source of this.config.sources) await this.sources.start(source, firstStart);
      this.#undo.push(() => this.#stopSources());
      if (!options.once) {
        this.#channels.warm();
        this.#ticker.start();
      }
    } catch (error) {
      await this.#drainUndo();
      throw error;
    }
  }

  async #listen(): Promise<void> {
    const { options } = this;
    if (this.config.path !== null) {
      const control = await listenControl(this.#dir, (request) => answerCommand(this, request));
      if ('close' in control) this.#undo.push(() => control.close());
      else
        options.log.warn(
          { dir: this.#dir, error: control.refused },
          'commands cannot reach this daemon: "tocsin status" reads the state instead',
        );
    }
    await this.#admin.use(this.config.admin);
    this.#undo.push(() => this.#admin.close());
    const watch = watchConfig({ files: this.#files, clock: options.clock, changed: () => this.reload() });
    this.#undo.push(() => watch.close());
  }

  /** Reads the files again; what runs changes as a whole or not at all. One reload at a time. */
  reload(): Promise<ReloadResult> {
    this.#reloading = this.#reloading
      .then(() => this.#reloadNow())
      .catch((error: unknown) => {
        // A fault of ours in one edit must not be the end of all later ones.
        this.options.log.error({ error }, 'the configuration could not be taken up; the old one goes on');
        return { outcome: 'refused', problems: [] };
      });
    return this.#reloading;
  }

  async #reloadNow(): Promise<ReloadResult> {
    const { options } = this;
    if (this.#stopping !== null) return { outcome: 'unchanged', problems: [] };
    this.#files.begin();
    const loaded = loadAndProve(options.load, testDeps(options));
    if (!loaded.config) {
      this.loaded = { ...loaded, origin: this.loaded.origin, savedAt: this.loaded.savedAt };
      sayRefused(this.#words, loaded, whatRuns(this.loaded, this.loadedAt));
      this.pipeline.commit();
      return { outcome: 'refused', problems: loaded.problems };
    }
    const unchanged =
      loaded.config.hash === this.config.hash &&
      this.loaded.problems.every((one) => one.level === 'warning') &&
      this.loaded.origin === 'files';
    if (unchanged) return { outcome: 'unchanged', problems: loaded.problems };
    await this.#apply(loaded.config, loaded);
    return { outcome: 'applied', problems: loaded.problems };
  }

  async #apply(config: Config, loaded: Loaded): Promise<void> {
    const { options } = this;
    const compiled = compileRules(config.rules);
    const before = this.config;
    const now = this.time.now();
    this.config = config;
    this.loaded = loaded;
    this.loadedAt = options.clock.now();
    this.desk.use(config.channels);
    this.sender.use(this.#channels.make(config.channels));
    this.engine.swap(this.#engineSettings(config), now);
    this.pipeline.use(compiled);
    fault('reload-swapped');
    keepGood(this.store, config, options.clock.now());
    sayAccepted(this.#words, config.rules.length, config.channels.length);
    sayLoaded(this.#words, loaded, config.channels);
    this.pipeline.commit();
    await this.sources.swap(config);
    await this.#admin
      .use(config.admin)
      .catch((error: unknown) =>
        options.log.error({ error }, 'the admin pages are not to be had at the new address'),
      );
    const gone = before.rules
      .filter((rule) => !config.rules.some((other) => other.id === rule.id))
      .map((rule) => rule.id);
    options.log.info(
      {
        rules: config.rules.length,
        channels: config.channels.length,
        sources: config.sources.length,
        removed: gone,
      },
      'the new configuration runs',
    );
  }

  async #stopSources(): Promise<void> {
    await this.sources.stop();
    this.pipeline.commit();
  }

  /** Stops in reverse: nothing new comes in, what was taken is durable, what is pending stays pending. May be called twice. */
  stop(): Promise<void> {
    this.#stopping ??= this.#drainUndo();
    return this.#stopping;
  }

  async #drainUndo(): Promise<void> {
    this.#ticker.stop();
    for (const undo of this.#undo.splice(0).reverse()) await undo();
  }

  #engineSettings(config: Config): ConstructorParameters<typeof Engine>[1] {
    const { rules, routes, labels, channels } = config;
    return { rules, routes, labels, accepts: (channel, severity) => accepts(channels, channel, severity) };
  }

  #dueAt(): number {
    return Math.min(this.engine.nextDue() ?? Infinity, this.desk.nextDue() ?? Infinity);
  }

  #tick(): void {
    this.selfWatch.tick();
    this.quietWatch.tick();
    this.pipeline.tick(this.time.now());
    this.engine.pruneHistory(this.options.clock.now());
  }

  #commitQueued = false;
  /** The sender changed something: durable with the next turn of the loop, many changes in one commit. */
  #changed(): void {
    if (this.#commitQueued) return;
    this.#commitQueued = true;
    setImmediate(() => {
      this.#commitQueued = false;
      if (!this.#closed) this.pipeline.commit();
    });
  }

  get #closed(): boolean {
    return this.#stopping !== null && this.#undo.length === 0;
  }

  /** Durable messages go to the sender. Without a state they go too: an alert that may be repeated is better than none. */
  #committed(result: CommitResult): void {
    if (result.ok !== this.#stateOk) {
      this.#stateOk = result.ok;
      sayState(this.#words, result);
    }
    const fresh = this.desk.takeFresh();
    if (fresh.length > 0) this.sender.offer(fresh);
  }

  /** Whether the state on disk is being written. */
  get stateOk(): boolean {
    return this.#stateOk;
  }
}

function hasErrors(loaded: Loaded): boolean {
  return loaded.problems.some((problem) => problem.level === 'error');
}
