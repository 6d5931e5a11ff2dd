/**
 * Tells when there is something to look at in the Engine: its events say what comes and goes, and since events may be lost, everything
 * is looked at again now and then too. Keeps the connection, and opens it again with longer and longer waits when it breaks off. What
 * is there, and what becomes of it, is not its business.
 */
import { backoffMs } from '../model/duration.ts';
import type { Clock, Timer } from '../model/seams.ts';
import type { EngineApi, EngineStream } from './docker-api.ts';

const backoff = { baseMs: 1_000, capMs: 60_000 };
/** Events may be lost: everything is looked at again so often. */
const resyncMs = 60_000;
/** And so soon where the log of a container broke off. */
const soonMs = 1_000;
/** An event has some KiB; characters behind this without a line feed are none. */
const eventMax = 1_000_000;
const eventsPath = `/events?filters=${encodeURIComponent('{"type":["container"]}')}`;

export interface EngineEventsDeps {
  readonly api: EngineApi;
  readonly clock: Clock;
  /** Looks at what there is now. Rejects when the Engine does not answer. */
  readonly look: () => Promise<void>;
  /** A container was removed. */
  readonly removed: (id: string) => void;
  /** The connection broke off, or could not be had, for the nth time in a row; it is tried again. */
  readonly lost: (what: string, failures: number) => void;
}

export class EngineEvents {
  readonly #deps: EngineEventsDeps;
  #stream: EngineStream | null = null;
  #timer: Timer | null = null;
  #failures = 0;
  #closed = false;

  constructor(deps: EngineEventsDeps) {
    this.#deps = deps;
  }

  /** Listens for events first, so that nothing comes between them and the list. */
  async open(): Promise<void> {
    if (this.#closed) return;
    try {
      let rest = '';
      const stream = await this.#deps.api.stream(eventsPath, (data) => {
        const lines = (rest + data.toString('utf8')).split('\n');
        rest = lines.pop() ?? '';
        if (rest.length > eventMax) rest = '';
        for (const line of lines) this.#happened(line);
      });
      // Closed while it was being opened: nobody else knows of it.
      if (this.#closed) {
        stream.close();
        return;
      }
      this.#stream = stream;
      await this.#deps.look();
      this.#failures = 0;
      this.#lookIn(resyncMs);
      void stream.ended.then(() => this.#lost(new Error('the engine closed the connection')));
    } catch (error) {
      this.#lost(error);
    }
  }

  /** A log broke off, but its container may still run: looks again soon. Where the connection is gone, its next opening looks anyway. */
  lookSoon(): void {
    if (this.#stream !== null) this.#lookIn(soonMs);
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#stream?.close();
  }

  #lost(error: unknown): void {
    if (this.#closed) return;
    this.#stream?.close();
    this.#stream = null;
    this.#timer?.cancel();
    const delay = backoffMs(++this.#failures, backoff, () => 1);
    const what = `${this.#deps.api.explain(error)}; tried again in ${Math.round(delay / 1_000)} s`;
    this.#deps.lost(what, this.#failures);
    this.#timer = this.#deps.clock.setTimer(delay, () => void this.open());
  }

  #lookIn(delayMs: number): void {
    if (this.#closed) return;
    this.#timer?.cancel();
    this.#timer = this.#deps.clock.setTimer(delayMs, () => {
      if (this.#stream === null || this.#closed) return;
      void this.#deps.look().then(
        () => this.#lookIn(resyncMs),
        (error: unknown) => this.#lost(error),
      );
    });
  }

  #happened(line: string): void {
    let event: {
      readonly Action?: string;
      readonly status?: string;
      readonly Actor?: { readonly ID?: string };
      readonly id?: string;
    };
    try {
      event = JSON.parse(line) as typeof event;
    } catch {
      return;
    }
    const action = event.Action ?? event.status ?? '';
    const id = event.Actor?.ID ?? event.id;
    if (id === undefined) return;
    if (action === 'destroy' || action === 'remove') this.#deps.removed(id);
    else if (action === 'start' || action === 'rename' || action === 'die')
      void this.#deps.look().catch((error: unknown) => this.#lost(error));
  }
}
