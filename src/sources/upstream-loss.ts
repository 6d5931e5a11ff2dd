/** What a sender says that it lost itself before it could send: counted, and told as a trouble of the source until none was lost for a while. */
import type { Clock, SourcePort } from '../model/seams.ts';

/** So long without another loss, and it is over. */
const overMs = 600_000;
const topic = 'lost upstream';

export class UpstreamLoss {
  readonly #deps: { readonly port: SourcePort; readonly clock: Clock };
  readonly #source: string;
  #lastAt: number | null = null;

  constructor(deps: { readonly port: SourcePort; readonly clock: Clock }, source: string) {
    this.#deps = deps;
    this.#source = source;
  }

  add(messages: number): void {
    if (messages <= 0 || !Number.isFinite(messages)) return;
    const { port, clock } = this.#deps;
    const began = this.#lastAt === null;
    this.#lastAt = clock.monotonic();
    port.count(this.#source, 'lost_upstream', messages);
    if (began)
      port.trouble(
        this.#source,
        topic,
        `the sender says that it dropped ${messages} messages before it could send them (Logplex: "Error L10"): more may follow`,
      );
  }

  tick(): void {
    const { port, clock } = this.#deps;
    if (this.#lastAt === null || clock.monotonic() - this.#lastAt < overMs) return;
    this.#lastAt = null;
    port.trouble(this.#source, topic, null);
  }
}
