/**
 * Wires the rooms in the order of the flow, swaps what a reload changes, and stops in reverse. It is the only place that knows all
 * of them; it decides nothing about matches, incidents or messages.
 */
import type { Readable } from 'node:stream';
import type { AdminView } from '../admin/admin.ts';
import { createChannel } from '../channels/channels.ts';
import type { LoadOptions } from '../config/config.ts';
import { formatProblem } from '../config/frame.ts';
import { Engine } from '../incidents/engine.ts';
import { compileRules } from '../match/compile.ts';
import { stampOf } from '../match/stamps.ts';
import type { Config, SourceConfig } from '../model/config.ts';
import { type Problem, TocsinError } from '../model/problem.ts';
import type { Channel, Clock, Source } from '../model/seams.ts';
import type { CommitResult, Store } from '../model/store.ts';
import { Desk } from '../notify/desk.ts';
import { createSource } from '../sources/sources.ts';
import { memoryStore } from '../state/memory.ts';
import type { Notice } from '../state/notice.ts';
import { openStore } from '../state/store.ts';
import type { Logger } from '../system/log.ts';
import { watchFolders, watchNothing } from '../system/watch.ts';
import { answerCommand } from './commands.ts';
import { type ConfigWatch, watchConfig } from './config-watch.ts';
import { listenControl } from './control.ts';
import { type EngineTime, liveTime, logTime } from './engine-time.ts';
import { guessStateDir, keepGood, type Loaded, loadAndProve, loadAtStart } from './keeper.ts';
import { daemonMetrics } from './metrics.ts';
import { accepts } from './offline.ts';
import { Pipeline } from './pipeline.ts';
import { SelfWatch } from './self-watch.ts';
import { Sender } from './sender.ts';
import { senderEvents } from './sender-events.ts';
import { statusOf } from './status.ts';

/** In `--once`, what is not delivered so long after the end of the input is said to be undelivered. */
const onceDeliverMs = 60_000;
/** SIGTERM: what is being sent has so long to end; the whole stop stays below 8 s. */
const stopGraceMs = 5_000;
/** A channel that a reload replaced is closed after this: longer than any request takes. */
const oldChannelMs = 30_000;
/** The longest time between two looks at what is due. */
const tickMs = 1_000;

export interface DaemonOptions {
  readonly load: LoadOptions;
  /** Where the state is, when it is not in the configuration. */
  readonly stateDir: string | null;
  readonly temporaryState: boolean;
  readonly once: boolean;
  readonly strict: boolean;
  readonly version: string;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
  /** Where the `console` channel writes. */
  readonly write: (text: string) => void;
  readonly colours: boolean;
  readonly stdin: Readable;
}

/** A configuration that can't run: every problem of it. */
export class ConfigRefused extends TocsinError {
  readonly problems: readonly Problem[];
  constructor(problems: readonly Problem[]) {
    super(
      'E_CONFIG',
      `the configuration has ${problems.filter((one) => one.level === 'error').length} errors`,
    );
    this.problems = problems;
  }
}

export interface ReloadResult {
  readonly outcome: 'applied' | 'unchanged' | 'refused';
  readonly problems: readonly Problem[];
}

export class Daemon {
  readonly options: DaemonOptions;
  readonly store: Store;
  readonly engine: Engine;
  readonly desk: Desk;
  readonly sender: Sender;
  readonly pipeline: Pipeline;
  readonly selfWatch: SelfWatch;
  readonly time: EngineTime;
  readonly startedAt: number;
  readonly notices: readonly Notice[];
  config: Config;
  /** What the files say now, and whether that is what runs. */
  loaded: Loaded;
  loadedAt: number;
  readonly sources = new Map<string, { readonly source: Source; readonly config: SourceConfig }>();
  #channels: Channel[] = [];
  #undo: (() => Promise<void> | void)[] = [];
  #tickTimer: { cancel(): void } | null = null;
  #watch: ConfigWatch | null = null;
  #stopping: Promise<void> | null = null;
  #stateOk = true;
  #reloading: Promise<ReloadResult> = Promise.resolve({ outcome: 'unchanged', problems: [] });

  /** Starts everything. Throws `ConfigRefused` when nothing can run, a TocsinError when the state can't be used. */
  static async start(options: DaemonOptions): Promise<Daemon> {
    const { clock } = options;
    const tests = testDeps(options);
    const first = options.stateDir === null ? loadAndProve(options.load, tests) : null;
    const dir = options.stateDir ?? first?.config?.stateDir ?? guessStateDir(options.load);
    if (options.strict && first && !first.config) throw new ConfigRefused(first.problems);
    let later: (notice: Notice) => void = () => {};
    const { store, notices } = openStore({
      dir,
      clock,
      temporary: options.temporaryState,
      onNotice: (notice) => later(notice),
    });
    try {
      const loaded = first?.config ? first : loadAtStart(options.load, tests, store);
      if (!loaded.config || (options.strict && loaded.origin !== 'files'))
        throw new ConfigRefused(loaded.problems);
      const daemon = new Daemon(options, store, loaded.config, loaded, notices);
      later = (notice) => daemon.#sayNotice(notice);
      await daemon.#begin();
      return daemon;
    } catch (error) {
      store.close();
      throw error;
    }
  }

  private constructor(
    options: DaemonOptions,
    store: Store,
    config: Config,
    loaded: Loaded,
    notices: readonly Notice[],
  ) {
    const { clock } = options;
    this.options = options;
    this.store = store;
    this.config = config;
    this.loaded = loaded;
    this.notices = notices;
    this.startedAt = clock.now();
    this.loadedAt = this.startedAt;
    this.time = options.once ? logTime(clock) : liveTime(clock);
    this.desk = new Desk(store, config.channels);
    this.engine = new Engine(
      {
        store,
        tell: (intent, now) => this.desk.take(intent, now),
        count: (reason, rule) => options.log.warn({ reason, rule }, 'something was forgotten early'),
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
    this.sender = new Sender({
      store,
      accounts: this.engine.accounts,
      clock,
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
        sourceState: (name, facts) => this.#sourceState(name, facts.state, facts.detail),
      },
      compileRules(config.rules),
    );
  }

  async #begin(): Promise<void> {
    const { options, store } = this;
    try {
      this.#undo.push(() => store.close());
      this.sender.use(this.#makeChannels(this.config));
      this.#undo.push(() => this.sender.stop(stopGraceMs));
      this.engine.adopt(this.time.now());
      if (this.loaded.origin === 'files') keepGood(store, this.config, options.clock.now());
      else this.#sayRefused(this.loaded);
      for (const notice of this.notices) this.#sayNotice(notice);
      const waiting = this.sender.resume();
      if (waiting > 0) options.log.info({ messages: waiting }, 'messages of the last run go out now');
      const firstStart = store.getMeta('started') === undefined;
      store.setMeta('started', new Date(this.startedAt).toISOString());
      this.pipeline.commit();
      if (!options.once) await this.#listen();
      for (const source of this.config.sources) await this.#startSource(source, firstStart);
      this.#undo.push(() => this.#stopSources());
      if (!options.once) this.#tickLater();
    } catch (error) {
      await this.#drainUndo();
      throw error;
    }
  }

  async #listen(): Promise<void> {
    const { options } = this;
    if (!options.temporaryState || options.stateDir !== null || this.config.path !== null) {
      const control = await listenControl(this.config.stateDir, (request) => answerCommand(this, request));
      if (control) this.#undo.push(() => control.close());
      else
        options.log.warn(
          { dir: this.config.stateDir },
          'the path of the state directory is too long for a socket: "tocsin status" reads the state instead',
        );
    }
    if (this.config.admin) {
      const { listenAdmin } = await import('../admin/admin.ts');
      const admin = await listenAdmin(this.config.admin, this.#adminView());
      this.#undo.push(() => admin.close());
    }
    this.#watch = watchConfig({
      config: () => this.config,
      load: options.load,
      clock: options.clock,
      changed: () => void this.reload(),
      warn: (message) => options.log.warn({}, message),
    });
    this.#undo.push(() => this.#watch?.close());
  }

  #adminView(): AdminView {
    return {
      status: () => statusOf(this),
      notReady: () => this.notReady(),
      metrics: daemonMetrics(this),
      reload: () => this.reload(),
    };
  }

  /** What keeps the daemon from doing all of its work, a short phrase each. */
  notReady(): readonly string[] {
    const missing: string[] = [];
    if (this.loaded.origin !== 'files')
      missing.push(
        `the configuration was refused, ${this.loaded.origin === 'partial' ? 'a part of it' : 'the last good one'} runs`,
      );
    else if (this.loaded.problems.some((problem) => problem.level === 'error'))
      missing.push('the last edit of the configuration was refused');
    if (!this.#stateOk) missing.push('the state cannot be written');
    for (const [name, facts] of this.pipeline.facts)
      if (facts.state === 'failing') missing.push(`source ${name} fails`);
    for (const channel of this.config.channels) {
      const state = this.sender.facts(channel.name)?.state;
      if (state === 'parked' || state === 'unusable') missing.push(`channel ${channel.name} is ${state}`);
    }
    return missing;
  }

  /** Reads the files again; what runs changes as a whole or not at all. One reload at a time. */
  reload(): Promise<ReloadResult> {
    this.#reloading = this.#reloading.then(() => this.#reloadNow());
    return this.#reloading;
  }

  async #reloadNow(): Promise<ReloadResult> {
    const { options } = this;
    if (this.#stopping !== null) return { outcome: 'unchanged', problems: [] };
    const loaded = loadAndProve(options.load, testDeps(options));
    if (!loaded.config) {
      this.loaded = { ...loaded, origin: this.loaded.origin };
      this.#sayRefused(loaded);
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
    this.sender.use(this.#makeChannels(config));
    this.engine.swap(this.#engineSettings(config), now);
    this.pipeline.use(compiled);
    keepGood(this.store, config, options.clock.now());
    this.selfWatch.end({
      topic: 'config',
      title: 'The configuration is accepted again',
      message: `${config.rules.length} rules, ${config.channels.length} channels`,
      severity: 'info',
      fields: {},
      not: null,
    });
    this.pipeline.commit();
    await this.#swapSources(before, config);
    this.#watch?.refresh();
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

  async #swapSources(before: Config, after: Config): Promise<void> {
    for (const old of before.sources) {
      const next = after.sources.find((source) => source.name === old.name);
      if (next && JSON.stringify({ ...next, origin: null }) === JSON.stringify({ ...old, origin: null }))
        continue;
      const running = this.sources.get(old.name);
      this.sources.delete(old.name);
      await running?.source.stop();
      this.pipeline.resetSource(old.name);
    }
    for (const source of after.sources) {
      if (!this.sources.has(source.name)) await this.#startSource(source, false);
    }
  }

  async #startSource(config: SourceConfig, firstStart: boolean): Promise<void> {
    const { options } = this;
    const source = createSource(config, {
      port: this.pipeline,
      clock: options.clock,
      watch: options.once ? watchNothing : watchFolders,
      stdin: options.stdin,
      firstStart,
      timeOf: (line) => stampOf(line.toString('latin1', 0, 64), config.tz, options.clock.now())?.time ?? null,
      warn: (message) => options.log.warn({ source: config.name }, message),
    });
    this.sources.set(config.name, { source, config });
    try {
      await source.start();
    } catch (error) {
      // A source that can't begin is no reason to stop the others: it is said, and shown as failing.
      this.pipeline.state(config.name, 'failing', error instanceof Error ? error.message : String(error));
    }
  }

  async #stopSources(): Promise<void> {
    await Promise.all([...this.sources.values()].map(({ source }) => source.stop()));
    this.pipeline.commit();
  }

  /** `--once`: everything there is, to the end; then what is untold, then delivery. Gives the exit code. */
  async finishOnce(): Promise<number> {
    const { clock, log } = this.options;
    await Promise.all([...this.sources.values()].map(({ source }) => source.drain()));
    this.pipeline.commit();
    const now = this.time.now();
    this.engine.finish(now);
    this.desk.finish(now);
    this.pipeline.commit();
    let late = false;
    await Promise.race([
      this.sender.settled(),
      new Promise<void>((resolve) => {
        clock.setTimer(onceDeliverMs, () => {
          late = true;
          resolve();
        });
      }),
    ]);
    const left = this.sender.queued();
    if (left > 0) {
      for (const channel of this.config.channels) {
        const facts = this.sender.facts(channel.name);
        if (facts && facts.queued > 0)
          log.error(
            { channel: channel.name, messages: facts.queued, error: facts.lastError },
            late ? 'not delivered within 60 s' : 'not delivered',
          );
      }
    }
    const failing = [...this.pipeline.facts.values()].some((facts) => facts.state === 'failing');
    const dead = this.config.channels.some((channel) => this.engine.accounts.of(channel.name).dead > 0);
    return left > 0 || failing || dead ? 1 : 0;
  }

  /** Stops in reverse: nothing new comes in, what was taken is durable, what is pending stays pending. May be called twice. */
  stop(): Promise<void> {
    this.#stopping ??= this.#drainUndo();
    return this.#stopping;
  }

  async #drainUndo(): Promise<void> {
    this.#tickTimer?.cancel();
    for (const undo of this.#undo.splice(0).reverse()) await undo();
  }

  #engineSettings(config: Config): ConstructorParameters<typeof Engine>[1] {
    const { rules, routes, labels, channels } = config;
    return { rules, routes, labels, accepts: (channel, severity) => accepts(channels, channel, severity) };
  }

  #makeChannels(config: Config): Parameters<Sender['use']>[0] {
    const { options } = this;
    const next: Channel[] = [];
    const list = config.channels.map((one) => {
      const channel = createChannel(one, {
        clock: options.clock,
        write: options.write,
        colours: options.colours,
        version: options.version,
      });
      next.push(channel);
      return { config: one, channel: one.unusable === null ? channel : null };
    });
    const old = this.#channels;
    this.#channels = next;
    // A request under way ends on the old channel; its answer still counts.
    for (const channel of old) options.clock.setTimer(oldChannelMs, () => void channel.close());
    return list;
  }

  #tickLater(): void {
    const now = this.options.clock.now();
    const due = Math.min(
      this.engine.nextDue() ?? Number.POSITIVE_INFINITY,
      this.desk.nextDue() ?? Number.POSITIVE_INFINITY,
    );
    const wait = Math.max(5, Math.min(tickMs, due - now));
    this.#tickTimer = this.options.clock.setTimer(wait, () => {
      this.pipeline.tick(this.time.now());
      this.engine.pruneHistory(now);
      this.#tickLater();
    });
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
    if (!result.ok && this.#stateOk) {
      this.options.log.error(
        { code: result.code },
        `the state can't be written, alerts go on from memory: ${result.message}`,
      );
      this.#stateOk = false;
      this.selfWatch.begin({
        topic: 'state',
        title: 'Tocsin cannot write its state',
        message: `${result.message}\nAlerts go on from memory. After a crash some may be repeated or missing.`,
        severity: 'critical',
        fields: { code: result.code },
        not: null,
      });
    } else if (result.ok && !this.#stateOk) {
      this.#stateOk = true;
      this.options.log.info({}, 'the state is written again');
      this.selfWatch.end({
        topic: 'state',
        title: 'Tocsin writes its state again',
        message: 'Nothing was lost meanwhile.',
        severity: 'info',
        fields: {},
        not: null,
      });
    }
    const fresh = this.desk.takeFresh();
    if (fresh.length > 0) this.sender.offer(fresh);
  }

  /** Whether the state on disk is being written. */
  get stateOk(): boolean {
    return this.#stateOk;
  }

  #sourceState(name: string, state: string, detail: string | null): void {
    const { log } = this.options;
    if (state === 'failing') {
      log.error({ source: name, detail }, 'a source fails');
      this.selfWatch.begin({
        topic: `source:${name}`,
        title: `Source ${name} cannot be read`,
        message: detail ?? '',
        severity: 'error',
        fields: { source: name },
        not: null,
      });
    } else if (state === 'ok') {
      log.info({ source: name, detail }, 'a source is read');
      this.selfWatch.end({
        topic: `source:${name}`,
        title: `Source ${name} is read again`,
        message: detail ?? '',
        severity: 'info',
        fields: { source: name },
        not: null,
      });
    } else {
      log.info({ source: name, detail }, 'a source waits');
    }
    this.#changed();
  }

  #sayRefused(loaded: Loaded): void {
    const { log } = this.options;
    const errors = loaded.problems.filter((one) => one.level === 'error');
    const stay =
      this.loaded.origin === 'partial'
        ? 'What is not broken runs.'
        : this.loaded.origin === 'last-good'
          ? `The last good configuration, of ${this.loaded.savedAt ?? 'before'}, runs.`
          : `The rules loaded at ${new Date(this.loadedAt).toISOString()} go on.`;
    const frames = errors.map((problem) => formatProblem(problem, this.options.load.files));
    for (const [index, problem] of errors.entries()) {
      log.error(
        {
          code: problem.code,
          file: problem.origin.file,
          line: problem.origin.line,
          column: problem.origin.column,
        },
        frames[index] ?? problem.message,
      );
    }
    log.error({ errors: errors.length }, `the configuration was refused. ${stay}`);
    this.selfWatch.begin({
      topic: 'config',
      title: `The configuration was refused: ${errors.length} ${errors.length === 1 ? 'error' : 'errors'}`,
      message: `${stay}\n\n${frames.slice(0, 5).join('\n\n')}`,
      severity: 'error',
      fields: { errors: errors.length },
      not: null,
    });
  }

  #sayNotice(notice: Notice): void {
    this.options.log[notice.level === 'error' ? 'error' : notice.level === 'warning' ? 'warn' : 'info'](
      { code: notice.code, path: notice.path },
      notice.message,
    );
    if (notice.level !== 'error') return;
    this.selfWatch.begin({
      topic: `state:${notice.code}`,
      title: 'The state of Tocsin was not as it was left',
      message: notice.message,
      severity: 'error',
      fields: { code: notice.code },
      not: null,
    });
  }
}

/** An empty store in memory for each rule test. */
export function testDeps(options: Pick<DaemonOptions, 'clock'>): { store: () => Store; clock: Clock } {
  return { store: memoryStore, clock: options.clock };
}
