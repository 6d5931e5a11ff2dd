/**
 * The streams of one HTTP source: one for each sender and kind of records, so that lines of two senders never touch. Takes batches, hands
 * them to the pipeline a piece at a time, and tells when they are taken. Each body is complete with its end.
 */
import type { Clock, SourcePort } from '../model/seams.ts';
import { Feed } from './feed.ts';
import type { Batch } from './http-batch.ts';

/** Bytes of one `take`: between two, other work has its turn. */
const pieceBytes = 256 * 1024;
/** Senders that are kept apart; who was quiet longest makes room. */
const streamsMax = 256;

interface Stream {
  readonly feed: Feed;
  /** Bodies of one sender are taken one after the other. */
  work: Promise<void> | null;
}

export class HttpStreams {
  readonly #deps: { readonly port: SourcePort; readonly clock: Clock };
  readonly #source: string;
  #labels: Readonly<Record<string, string>>;
  readonly #streams = new Map<string, Stream>();
  /** Streams are told apart from those of another run. */
  readonly #begun: number;
  #made = 0;
  #ended = false;

  constructor(
    deps: { readonly port: SourcePort; readonly clock: Clock },
    source: { readonly name: string; readonly labels: Readonly<Record<string, string>> },
  ) {
    this.#deps = deps;
    this.#source = source.name;
    this.#labels = source.labels;
    this.#begun = deps.clock.now();
  }

  /** Labels changed: streams begin anew with them. */
  use(labels: Readonly<Record<string, string>>): void {
    this.#labels = labels;
    for (const { feed, work } of this.#streams.values())
      if (work === null) feed.end();
      else void work.then(() => feed.end());
    this.#streams.clear();
  }

  /**
   * Hands a batch of a sender on. `taken` runs at once when the last byte was taken, before anything can be committed. Rejects when the
   * source ended before that.
   */
  async take(sender: string, batch: Batch, taken: () => void): Promise<void> {
    this.#mustRun();
    const stream = this.#of(sender, batch.envelope);
    if (stream.work === null && batch.data.length <= pieceBytes) {
      stream.feed.give(batch.data, batch.frames, 'quiet');
      taken();
      return;
    }
    const before = stream.work ?? Promise.resolve();
    const work = before.then(() => this.#inPieces(stream.feed, batch)).then(taken);
    const settled = work.then(
      () => undefined,
      () => undefined,
    );
    stream.work = settled;
    void settled.then(() => {
      if (stream.work === settled) stream.work = null;
    });
    await work;
  }

  /** Nothing will come: all of them are complete. */
  end(): void {
    this.#ended = true;
    for (const { feed } of this.#streams.values()) feed.end();
    this.#streams.clear();
  }

  async #inPieces(feed: Feed, { data, frames }: Batch): Promise<void> {
    let frame = 0;
    for (let at = 0; at < data.length; ) {
      let end = Math.min(data.length, at + pieceBytes);
      let own: Int32Array | null = null;
      if (frames !== null) {
        const first = frame;
        while (frame < frames.length && ((frames[frame] as number) <= end || frame === first)) frame++;
        end = frames[frame - 1] as number;
        own = frames.slice(first, frame);
        for (let index = 0; index < own.length; index++) own[index] = (own[index] as number) - at;
      }
      feed.give(data.subarray(at, end), own, end === data.length ? 'quiet' : 'more');
      at = end;
      if (at < data.length) await new Promise((resolve) => setImmediate(resolve));
      this.#mustRun();
    }
  }

  /** What is taken from here on would be nobody's: its sender must send it again. */
  #mustRun(): void {
    if (this.#ended) throw new Error('the source has stopped');
  }

  #of(sender: string, envelope: Batch['envelope']): Stream {
    const key = `${envelope ?? 'lines'}:${sender}`;
    let stream = this.#streams.get(key);
    if (stream) this.#streams.delete(key);
    else {
      if (this.#streams.size >= streamsMax) this.#makeRoom();
      const id = `http:${this.#source}:${key}:${this.#begun}.${++this.#made}`;
      const info = {
        source: this.#source,
        key: id,
        path: null,
        host: sender,
        labels: this.#labels,
        ...(envelope === null ? {} : { envelope }),
      };
      stream = { feed: new Feed(this.#deps, info), work: null };
    }
    // The one that was used last stands last.
    this.#streams.set(key, stream);
    return stream;
  }

  #makeRoom(): void {
    for (const [key, { feed, work }] of this.#streams) {
      if (work !== null) continue;
      feed.end();
      this.#streams.delete(key);
      return;
    }
  }
}
