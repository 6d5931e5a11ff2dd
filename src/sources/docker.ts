/**
 * The source `docker`: the logs of containers, by the Engine's socket. Follows the containers that are meant, those that are there and
 * those that come, and goes on in each behind the last line consumed; one that was removed is read to its end. When to look is told by
 * `docker-events.ts`. Does not read what a logging driver doesn't give back.
 */
import type { DockerSourceConfig } from '../model/config.ts';
import type { Source } from '../model/seams.ts';
import { EngineApi, EngineError } from './docker-api.ts';
import { ContainerChoice, type Listed, nameOf } from './docker-choice.ts';
import { EngineEvents } from './docker-events.ts';
import { type ContainerFacts, DockerLog, keyOf } from './docker-log.ts';
import type { SourceDeps } from './sources.ts';

/** What a container printed last may still be on its way when the Engine says that it is removed. */
const lastWordsMs = 10_000;

export class DockerSource implements Source {
  readonly name: string;
  readonly #config: DockerSourceConfig;
  readonly #deps: SourceDeps;
  readonly #api: EngineApi;
  readonly #events: EngineEvents;
  readonly #choice: ContainerChoice;
  readonly #logs = new Map<string, DockerLog>();
  /** Of containers that were removed, read to their end. */
  readonly #leaving = new Set<DockerLog>();
  /** Containers that are being read, and what waits for their end. */
  readonly #reading = new Map<string, Promise<void>>();
  /** Why a container can't be read, by id. */
  readonly #problems = new Map<string, string>();
  #syncing: Promise<void> = Promise.resolve();
  /** Containers that are older were there before the very first start, ms. */
  readonly #firstAt: number;
  #stopped = false;

  constructor(config: DockerSourceConfig, deps: SourceDeps) {
    this.name = config.name;
    this.#config = config;
    this.#deps = deps;
    this.#api = new EngineApi(config.socket, deps.clock);
    this.#events = new EngineEvents({
      api: this.#api,
      clock: deps.clock,
      look: () => this.#sync(),
      removed: (id) => this.#removed(id),
      lost: (what, failures) => this.#lost(what, failures),
    });
    this.#choice = new ContainerChoice(config);
    // Those that came since anything was saved last are new; without anything saved, those that come from now on.
    const saved = deps.port.positions(config.name).map(({ updatedAt }) => updatedAt);
    this.#firstAt = saved.length > 0 ? Math.max(...saved) : deps.clock.now();
  }

  async start(): Promise<void> {
    await this.#events.open();
  }

  async drain(): Promise<void> {
    this.#events.close();
    await this.#syncing;
    this.#stopped = true;
    this.#stopLogs();
    await Promise.all(this.#reading.values());
    this.#logs.clear();
    try {
      for (const listed of await this.#list()) {
        const log = new DockerLog(await this.#inspect(listed), this.#since(listed), this.#logDeps());
        await log.read(false);
        log.finish();
      }
    } catch (error) {
      this.#deps.port.state(this.name, 'failing', this.#api.explain(error));
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#events.close();
    this.#stopLogs();
    await this.#syncing;
    this.#stopLogs();
    await Promise.all(this.#reading.values());
  }

  #stopLogs(): void {
    for (const log of [...this.#logs.values(), ...this.#leaving]) log.stop();
  }

  lagBytes(): number {
    let held = 0;
    for (const log of this.#logs.values()) held += log.heldBytes;
    return held;
  }

  /** An engine that restarts is gone for a moment: that is not a failure yet. */
  #lost(what: string, failures: number): void {
    if (failures > 1 || this.#logs.size === 0) this.#deps.port.state(this.name, 'failing', what);
    else this.#deps.warn?.(what);
  }

  /** One look at a time at what there is: new ones are followed, those that were removed are forgotten. */
  #sync(): Promise<void> {
    const turn = this.#syncing.then(() => this.#syncNow());
    this.#syncing = turn.catch(() => undefined);
    return turn;
  }

  async #syncNow(): Promise<void> {
    if (this.#stopped) return;
    const listed = await this.#list();
    const ids = new Set(listed.map(({ Id }) => Id));
    for (const id of this.#logs.keys()) if (!ids.has(id)) this.#removed(id);
    for (const { key, source } of this.#deps.port.positions(this.name)) {
      const id = key.slice(keyOf(source, '').length);
      if (!ids.has(id) && !this.#reading.has(id)) this.#deps.port.forget(key);
    }
    for (const one of listed) {
      if (this.#stopped || this.#reading.has(one.Id)) continue;
      const runs = one.State === 'running' || one.State === 'paused' || one.State === undefined;
      const log = this.#logs.get(one.Id);
      // One that has stopped was read to its end, or stopped while nobody looked.
      if (!runs && (log !== undefined || !this.#isOurs(one))) continue;
      await this.#follow(one, log);
    }
    this.#say();
  }

  /** A container that has stopped is read where it was read before, or came while nobody looked. */
  #isOurs(one: Listed): boolean {
    if (this.#deps.port.position(keyOf(this.name, one.Id)) !== null) return true;
    return (one.Created ?? 0) * 1_000 > this.#firstAt;
  }

  async #follow(one: Listed, known: DockerLog | undefined): Promise<void> {
    let log = known;
    if (log === undefined) {
      try {
        log = new DockerLog(await this.#inspect(one), this.#since(one), this.#logDeps());
      } catch (error) {
        if (error instanceof EngineError && error.status === 404) return;
        throw error;
      }
      this.#logs.set(one.Id, log);
    }
    const opened = (): void => {
      if (this.#problems.delete(one.Id)) this.#say();
    };
    const ended = log.read(true, opened).catch((error: unknown) => this.#unreadable(one, error));
    const reading = ended.then(() => {
      this.#reading.delete(one.Id);
      // It ends when the container stops, but also when the connection breaks: then it still runs.
      if (!this.#problems.has(one.Id)) this.#events.lookSoon();
    });
    this.#reading.set(one.Id, reading);
  }

  #unreadable(one: Listed, error: unknown): void {
    if (this.#stopped || (error instanceof EngineError && error.status === 404)) return;
    const text = `${nameOf(one)}: ${error instanceof Error ? error.message : String(error)}`;
    if (this.#problems.get(one.Id) !== text) {
      this.#deps.port.count(this.name, 'unreadable', 1);
      this.#deps.warn?.(text);
    }
    this.#problems.set(one.Id, text);
    this.#say();
  }

  #removed(id: string): void {
    const log = this.#logs.get(id);
    this.#problems.delete(id);
    this.#logs.delete(id);
    if (log === undefined) return;
    this.#leaving.add(log);
    const leave = (): void => {
      if (this.#leaving.delete(log) && !this.#stopped) log.remove();
    };
    const timer = this.#deps.clock.setTimer(lastWordsMs, leave);
    void (this.#reading.get(id) ?? Promise.resolve()).then(() => {
      timer.cancel();
      leave();
    });
    this.#say();
  }

  #say(): void {
    if (this.#stopped) return;
    const [first] = this.#problems.values();
    const more = this.#problems.size - 1;
    const { port } = this.#deps;
    if (first !== undefined)
      port.state(this.name, 'failing', `${first}${more > 0 ? ` (and ${more} more)` : ''}`);
    else if (this.#logs.size === 0) port.state(this.name, 'waiting', 'no container is there that is meant');
    else port.state(this.name, 'ok', null);
  }

  async #list(): Promise<Listed[]> {
    const listed = (await this.#api.json('/containers/json?all=1')) as unknown;
    if (!Array.isArray(listed)) throw new Error('the engine gave no list of containers');
    return (listed as Listed[]).filter((one) => typeof one.Id === 'string' && this.#choice.isMeant(one));
  }

  async #inspect(one: Listed): Promise<ContainerFacts> {
    const found = (await this.#api.json(`/containers/${one.Id}/json`)) as {
      readonly Config?: { readonly Tty?: boolean };
    };
    return {
      id: one.Id,
      name: nameOf(one),
      image: one.Image ?? '',
      labels: one.Labels ?? {},
      tty: found.Config?.Tty === true,
    };
  }

  /** Where a log is begun that was never read, seconds: the configured start for what was there before, else its beginning. */
  #since(one: Listed): number {
    const { start } = this.#config;
    if (start === 'beginning' || (one.Created ?? 0) * 1_000 > this.#firstAt) return 0;
    return Math.floor((this.#deps.clock.now() - (start === 'end' ? 0 : start.agoMs)) / 1_000);
  }

  #logDeps(): ConstructorParameters<typeof DockerLog>[2] {
    const { port, clock } = this.#deps;
    return { api: this.#api, port, clock, source: this.name, labels: this.#config.labels };
  }
}
