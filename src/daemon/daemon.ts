/**
 * A daemon from its start to its end: loads the configuration, opens the state, starts the parts in the order of the flow, takes one
 * reload at a time, and stops in reverse. How the parts hang together is in `parts.ts`, what a reload does in `reload.ts`.
 */
import { compileLoops } from '../match/bytes/instance.ts';
import type { Notice } from '../state/notice.ts';
import { prunePositions } from '../state/prune.ts';
import { openStore } from '../state/store.ts';
import { compileFully, keepHeapSmallDuring } from '../system/heap.ts';
import { AdminDoor } from './admin-door.ts';
import { answerCommand } from './commands.ts';
import { type WatchedFiles, watchConfig, watchedFiles } from './config-watch.ts';
import { listenControl } from './control.ts';
import { guessStateDir, keepGood, type Loaded, loadAndProve, loadAtStart } from './keeper.ts';
import { daemonMetrics } from './metrics.ts';
import type { DaemonOptions, ReloadResult } from './options.ts';
import { Parts } from './parts.ts';
import { notReady } from './readiness.ts';
import { ConfigRefused } from './refused.ts';
import { reload } from './reload.ts';
import { testDeps } from './rule-tests.ts';
import { statusOf } from './status.ts';
import { Ticker } from './ticker.ts';
import { sayLoaded, sayNotice, sayRefused, whatRuns } from './words.ts';

/** SIGTERM: what is being sent has so long to end; the whole stop stays below 8 s. */
const stopGraceMs = 5_000;

export class Daemon {
  readonly parts: Parts;
  /** What opening the state had to say. */
  readonly #notices: readonly Notice[];
  /** Where the state is. */
  readonly #dir: string;
  /** The files of the configuration, and what the last load asked of them. */
  readonly #files: WatchedFiles;
  /** How to stop what was started, the first one first. */
  #undo: (() => Promise<void> | void)[] = [];
  readonly #ticker: Ticker;
  readonly #admin: AdminDoor;
  #stopping: Promise<void> | null = null;
  #reloading: Promise<ReloadResult> = Promise.resolve({ outcome: 'unchanged', problems: [] });

  /** Starts everything. Throws `ConfigRefused` when nothing can run, a TocsinError when the state can't be used. */
  static async start(given: DaemonOptions): Promise<Daemon> {
    const { clock } = given;
    compileFully(compileLoops);
    const files = watchedFiles(given.load.files);
    const options = { ...given, load: { ...given.load, files } };
    const tests = testDeps(options);
    const first =
      options.stateDir === null ? keepHeapSmallDuring(() => loadAndProve(options.load, tests)) : null;
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
      const loaded = first?.config
        ? first
        : keepHeapSmallDuring(() => loadAtStart(options.load, tests, store));
      if (!loaded.config || (options.strict && hasErrors(loaded))) throw new ConfigRefused(loaded.problems);
      const { config } = loaded;
      const parts = keepHeapSmallDuring(() => new Parts(options, store, config, loaded));
      const daemon = new Daemon(parts, { notices, dir, files });
      later = (notice) => sayNotice(parts.words, notice);
      await daemon.#begin();
      return daemon;
    } catch (error) {
      store.close();
      throw error;
    }
  }

  private constructor(
    parts: Parts,
    begun: { readonly notices: readonly Notice[]; readonly dir: string; readonly files: WatchedFiles },
  ) {
    this.parts = parts;
    this.#notices = begun.notices;
    this.#dir = begun.dir;
    this.#files = begun.files;
    this.#admin = new AdminDoor({
      status: () => statusOf(parts),
      notReady: () => notReady(parts),
      metrics: daemonMetrics(parts),
      reload: () => this.reload(),
    });
    this.#ticker = new Ticker(
      parts.options.clock,
      () => parts.dueAt(),
      () => parts.tick(),
    );
  }

  async #begin(): Promise<void> {
    const { parts } = this;
    const { options, store, sender, words } = parts;
    try {
      this.#undo.push(() => store.close());
      sender.use(parts.channels.make(parts.config.channels));
      this.#undo.push(async () => {
        await sender.stop(stopGraceMs);
        store.setMeta('running', 'no');
      });
      // First of all: what the rest of the start has to say is offered with its commit, and must not be taken for what was left.
      const waiting = sender.resume(store.getMeta('running') === 'yes');
      if (waiting > 0) options.log.info({ messages: waiting }, 'messages of the last run go out now');
      parts.engine.adopt(parts.time.now());
      parts.desk.adopt(parts.time.now());
      parts.selfWatch.doubt('source:');
      if (parts.loaded.origin === 'files') keepGood(store, parts.config, options.clock.now());
      else sayRefused(words, parts.loaded, whatRuns(parts.loaded, parts.loadedAt));
      sayLoaded(words, parts.loaded, parts.config.channels);
      for (const notice of this.#notices) sayNotice(words, notice);
      store.setMeta('running', 'yes');
      prunePositions(store.positions, parts.startedAt);
      // `--once` reads files from their beginning, like files that appear later: `start` is about a daemon that goes on.
      const firstStart = !options.once && store.getMeta('started') === undefined;
      store.setMeta('started', new Date(parts.startedAt).toISOString());
      parts.pipeline.commit();
      if (!options.once) await this.#listen();
      for (const source of parts.config.sources) await parts.sources.start(source, firstStart);
      this.#undo.push(() => this.#stopSources());
      if (!options.once) {
        parts.channels.warm();
        this.#ticker.start();
      }
    } catch (error) {
      await this.#drainUndo();
      throw error;
    }
  }

  async #listen(): Promise<void> {
    const { parts } = this;
    const { options } = parts;
    if (parts.config.path !== null) {
      const control = await listenControl(this.#dir, (request) => answerCommand(this, request));
      if ('close' in control) this.#undo.push(() => control.close());
      else
        options.log.warn(
          { dir: this.#dir, error: control.refused },
          'commands cannot reach this daemon: "tocsin status" reads the state instead',
        );
    }
    await this.#admin.use(parts.config.admin);
    this.#undo.push(() => this.#admin.close());
    const watch = watchConfig({ files: this.#files, clock: options.clock, changed: () => this.reload() });
    this.#undo.push(() => watch.close());
  }

  /** Reads the files again; what runs changes as a whole or not at all. One reload at a time, and none once it stops. */
  reload(): Promise<ReloadResult> {
    const { parts } = this;
    this.#reloading = this.#reloading
      .then((): ReloadResult | Promise<ReloadResult> =>
        this.#stopping === null
          ? reload({ parts, admin: this.#admin, files: this.#files })
          : { outcome: 'unchanged', problems: [] },
      )
      .catch((error: unknown) => {
        // A fault of ours in one edit must not be the end of all later ones.
        parts.options.log.error({ error }, 'the configuration could not be taken up; the old one goes on');
        return { outcome: 'refused', problems: [] };
      });
    return this.#reloading;
  }

  async #stopSources(): Promise<void> {
    await this.parts.sources.stop();
    this.parts.pipeline.commit();
  }

  /** Stops in reverse: nothing new comes in, what was taken is durable, what is pending stays pending. May be called twice. */
  stop(): Promise<void> {
    this.parts.endCommits();
    this.#stopping ??= this.#drainUndo();
    return this.#stopping;
  }

  async #drainUndo(): Promise<void> {
    this.#ticker.stop();
    for (const undo of this.#undo.splice(0).reverse()) await undo();
  }
}

function hasErrors(loaded: Loaded): boolean {
  return loaded.problems.some((problem) => problem.level === 'error');
}
