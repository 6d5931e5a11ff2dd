/** A port that takes lines: keeps what a pipeline would see, in order, and what it would have saved. Positions outlive it, as in a state. */
import type { Chunk, SavedPosition, SourcePort } from '../../src/model/seams.ts';

export interface TakenLine {
  readonly text: string;
  readonly key: string;
  readonly path: string | null;
  readonly offset: number;
  readonly at: number;
  readonly end: Chunk['end'];
}

export class LinePort implements SourcePort {
  readonly taken: TakenLine[] = [];
  readonly saved: Map<string, SavedPosition>;
  readonly counts = new Map<string, number>();
  readonly states: string[] = [];
  readonly troubles: string[] = [];
  readonly chunks: { readonly end: Chunk['end']; readonly bytes: number; readonly at: number }[] = [];
  /** Runs inside each `take`: to be slow, or to look. */
  onTake: ((chunk: Chunk) => void) | null = null;
  onLine: ((line: string) => void) | null = null;
  /** Keeps lines in `taken`; off for large inputs. */
  keep = true;
  #next = new Map<string, number>();

  constructor(saved: Map<string, SavedPosition> = new Map()) {
    this.saved = saved;
  }

  get lines(): string[] {
    return this.taken.map((line) => line.text);
  }

  /** Streams that are read to their end and will never go on. */
  get left(): string[] {
    return [...this.saved.values()].filter(({ identity }) => identity['done'] === 1).map(({ key }) => key);
  }

  count_(reason: string): number {
    return this.counts.get(reason) ?? 0;
  }

  take(chunk: Chunk): number {
    const { stream, data, offset, end } = chunk;
    const expected = this.#next.get(stream.key) ?? this.saved.get(stream.key)?.offset;
    // The contract: bytes begin where the pipeline stopped last (or where the source said it would go on).
    if (expected !== undefined && expected !== offset) {
      throw new Error(`stream ${stream.key}: offset ${offset}, expected ${expected}`);
    }
    this.onTake?.(chunk);
    this.chunks.push({ end, bytes: data.length, at: performance.now() });
    const consumed = end === 'final' ? data.length : data.lastIndexOf(10) + 1;
    if (consumed > 0) {
      this.#next.set(stream.key, offset + consumed);
      this.#split(chunk, consumed);
      const known = this.saved.get(stream.key);
      if (known) this.saved.set(stream.key, { ...known, offset: offset + consumed });
    }
    return consumed;
  }

  #split(chunk: Chunk, consumed: number): void {
    let at = 0;
    while (at < consumed) {
      const found = chunk.data.indexOf(10, at);
      const stop = found < 0 || found >= consumed ? consumed : found;
      let from = at;
      while (from < stop && chunk.data[from] === 0) from++;
      const text = chunk.data.toString('utf8', from, stop);
      this.onLine?.(text);
      if (this.keep) {
        const { key, path } = chunk.stream;
        this.taken.push({
          text,
          key,
          path,
          offset: chunk.offset + at,
          at: performance.now(),
          end: chunk.end,
        });
      }
      at = stop + 1;
    }
  }

  position(key: string): SavedPosition | null {
    return this.saved.get(key) ?? null;
  }

  positions(source: string): readonly SavedPosition[] {
    return [...this.saved.values()].filter((position) => position.source === source);
  }

  remember(position: SavedPosition): void {
    this.#next.set(position.key, position.offset);
    this.saved.set(position.key, position);
  }

  handOver(_from: string, _to: string): boolean {
    return false;
  }

  forget(key: string): void {
    this.saved.delete(key);
    this.#next.delete(key);
  }

  committed(): Promise<boolean> {
    return Promise.resolve(true);
  }

  count(_source: string, reason: string, by: number): void {
    this.counts.set(reason, (this.counts.get(reason) ?? 0) + by);
  }

  state(_source: string, state: string, detail: string | null): void {
    this.states.push(detail === null ? state : `${state}: ${detail}`);
  }

  trouble(_source: string, topic: string, text: string | null): void {
    this.troubles.push(text === null ? `${topic} is over` : `${topic}: ${text}`);
  }
}
