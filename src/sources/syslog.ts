/**
 * The source `syslog`: what machines, containers and platforms send. Opens its listeners, tries again where an address can't be had,
 * and keeps those open whose address did not change. What was read is taken before it stops. It does not read a message.
 */
import type { SourceConfig, SyslogSourceConfig } from '../model/config.ts';
import type { Clock, Source, SourcePort, Timer } from '../model/seams.ts';
import { Connections } from './syslog-connections.ts';
import { SyslogIntake } from './syslog-intake.ts';
import type { Listener } from './syslog-listener.ts';
import { TcpListener, UnixStreamListener } from './syslog-stream.ts';
import { TlsListener } from './syslog-tls.ts';
import { UdpListener } from './syslog-udp.ts';
import { UnixDatagramListener } from './syslog-unix.ts';

/** Counters of the kernel, certificates, idle connections: looked at so often. An address that was not to be had is tried again. */
const tickMs = 1_000;
const retryMs = 5_000;

export interface SyslogDeps {
  readonly port: SourcePort;
  readonly clock: Clock;
  readonly warn?: (message: string) => void;
}

interface Slot {
  readonly listener: Listener;
  /** Why it does not listen, or null. */
  refused: string | null;
  triedAt: number;
}

export class SyslogSource implements Source {
  readonly name: string;
  readonly #clock: Clock;
  readonly #intake: SyslogIntake;
  readonly #connections: Connections;
  readonly #slots = new Map<string, Slot>();
  #timer: Timer | null = null;
  #stopped: Promise<void> | null = null;
  /** Opening and closing, one after the other. */
  #work: Promise<void> = Promise.resolve();

  constructor(config: SyslogSourceConfig, deps: SyslogDeps) {
    this.name = config.name;
    this.#clock = deps.clock;
    this.#intake = new SyslogIntake(config, { ...deps, warn: deps.warn ?? (() => undefined) });
    this.#connections = new Connections(this.#intake);
  }

  /** Resolves when each address was tried. What can't be had is shown, and tried again. */
  async start(): Promise<void> {
    await this.#then(() => this.#align());
    this.#tickLater();
  }

  async change(config: SourceConfig): Promise<void> {
    if (config.kind !== 'syslog') return;
    await this.#then(async () => {
      this.#intake.use(config);
      await this.#align();
      this.#connections.changed();
      for (const { listener } of this.#slots.values()) listener.changed();
      // Last, and with nothing to wait for behind it: the pipeline reads these streams anew from here on.
      this.#intake.quiet();
    });
  }

  /** Nothing is there to be read to an end: whoever sends, sends on. */
  async drain(): Promise<void> {}

  stop(): Promise<void> {
    this.#timer?.cancel();
    this.#stopped ??= this.#then(async () => {
      await Promise.all([...this.#slots.values()].map(({ listener }) => listener.close()));
      this.#slots.clear();
      this.#intake.stop();
    });
    return this.#stopped;
  }

  lagBytes(): number {
    return this.#intake.heldBytes();
  }

  #then(step: () => Promise<void>): Promise<void> {
    this.#work = this.#work.then(step);
    return this.#work;
  }

  /** Closes what is not wanted any more, and opens what is new or could not be opened. */
  async #align(): Promise<void> {
    const wanted = this.#wanted();
    for (const [key, { listener }] of this.#slots) {
      if (wanted.has(key)) continue;
      this.#slots.delete(key);
      await listener.close();
    }
    for (const [key, make] of wanted)
      if (!this.#slots.has(key)) this.#slots.set(key, { listener: make(), refused: '', triedAt: 0 });
    await this.#tryClosed();
  }

  async #tryClosed(): Promise<void> {
    for (const slot of this.#slots.values()) {
      if (slot.refused === null) continue;
      slot.triedAt = this.#clock.monotonic();
      try {
        await slot.listener.open();
        slot.refused = null;
      } catch (error) {
        slot.refused = error instanceof Error ? error.message : String(error);
      }
    }
    this.#say();
  }

  #say(): void {
    const slots = [...this.#slots.values()];
    const refused = slots.flatMap((slot) => (slot.refused === null ? [] : [slot.refused]));
    const open = slots.filter((slot) => slot.refused === null).map((slot) => slot.listener.bound());
    if (refused.length === 0) this.#intake.state('ok', `listens on ${open.join(', ')}`);
    else
      this.#intake.state(
        'failing',
        `${refused.join('; ')}; tried again every ${retryMs / 1000} s${open.length > 0 ? `; listens on ${open.join(', ')}` : ''}`,
      );
  }

  /** Listeners by what makes each one itself. */
  #wanted(): Map<string, () => Listener> {
    const { udp, tcp, tls, unix, unixStream } = this.#intake.config;
    const wanted = new Map<string, () => Listener>();
    for (const one of udp) wanted.set(`udp ${one}`, () => new UdpListener(one, this.#intake));
    for (const one of tcp) wanted.set(`tcp ${one}`, () => new TcpListener(one, this.#connections));
    for (const one of tls)
      wanted.set(`tls ${one.listen}`, () => new TlsListener(one, this.#intake, this.#connections));
    for (const one of unix) wanted.set(`unix ${one}`, () => new UnixDatagramListener(one, this.#intake));
    for (const one of unixStream)
      wanted.set(`unix_stream ${one}`, () => new UnixStreamListener(one, this.#connections));
    return wanted;
  }

  #tickLater(): void {
    if (this.#stopped !== null) return;
    this.#timer = this.#clock.setTimer(tickMs, () => {
      void this.#tick().finally(() => this.#tickLater());
    });
  }

  async #tick(): Promise<void> {
    this.#connections.tick();
    this.#intake.limit.tick();
    for (const slot of [...this.#slots.values()]) {
      if (slot.refused === null) await slot.listener.tick();
      const failure = slot.listener.failure ?? null;
      if (slot.refused !== null || failure === null) continue;
      // Told as failing first; it is opened again at once.
      slot.refused = failure;
      slot.triedAt = Number.NEGATIVE_INFINITY;
      this.#say();
    }
    const due = this.#clock.monotonic() - retryMs;
    if ([...this.#slots.values()].some((slot) => slot.refused !== null && slot.triedAt <= due))
      await this.#then(() => (this.#stopped === null ? this.#tryClosed() : Promise.resolve()));
  }
}
