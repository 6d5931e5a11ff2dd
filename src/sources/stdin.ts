/**
 * The source `stdin`: what is piped into the program. Takes a readable, gives its bytes to the pipeline up to its end, with
 * an unterminated last line. There is no position to come back to.
 */
import type { Readable } from 'node:stream';
import type { StdinSourceConfig } from '../model/config.ts';
import type { Clock, Source, SourcePort } from '../model/seams.ts';
import { Pump } from './pump.ts';

export interface StdinDeps {
  readonly port: SourcePort;
  readonly clock: Clock;
  readonly stdin: Readable;
}

export class StdinSource implements Source {
  readonly name: string;
  readonly #deps: StdinDeps;
  readonly #pump: Pump;
  #started = false;

  constructor(config: StdinSourceConfig, deps: StdinDeps) {
    this.name = config.name;
    this.#deps = deps;
    const { port, clock, stdin } = deps;
    // Each run reads another stream: the key tells them apart, so that no id of one run is used again by the next.
    const key = `stdin:${config.name}:${clock.now()}`;
    const stream = { source: config.name, key, path: null, host: null, labels: config.labels };
    this.#pump = new Pump({ port, clock, stream }, stdin);
  }

  async start(): Promise<void> {
    if (this.#started) return;
    this.#started = true;
    this.#deps.port.state(this.name, 'ok', null);
    this.#pump.start();
    void this.#pump.ended().then(() => this.#deps.port.state(this.name, 'ok', 'ended'));
  }

  async drain(): Promise<void> {
    await this.start();
    await this.#pump.ended();
  }

  async stop(): Promise<void> {
    this.#pump.stop();
  }

  lagBytes(): number {
    return this.#pump.heldBytes;
  }
}
