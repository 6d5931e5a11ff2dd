/**
 * How far each stream was read, with what its reader and its source noted: the newest in memory, what was committed in the store. Takes
 * what moved, and gives it to the store when the effects of those bytes go there; when that is, is decided by the pipeline.
 */
import type { SavedPosition } from '../model/seams.ts';
import type { Store } from '../model/store.ts';

/** A place that effects reached: what was consumed, and what the reader notes of the open records behind it. */
export type Reached = Pick<SavedPosition, 'key' | 'source' | 'path' | 'offset' | 'reader' | 'updatedAt'>;

export class Positions {
  readonly #saved: Store['positions'];
  /** What the sources told of their streams; the offset in it is the pipeline's. */
  readonly #known = new Map<string, SavedPosition>();
  readonly #moved = new Set<string>();

  constructor(store: Store) {
    this.#saved = store.positions;
  }

  get(key: string): SavedPosition | null {
    return this.#known.get(key) ?? this.#saved.get(key) ?? null;
  }

  /** Those of one source. */
  of(source: string): readonly SavedPosition[] {
    const all = new Map<string, SavedPosition>();
    for (const { key, value } of this.#saved.scan('', 1_000_000)) all.set(key, value);
    for (const [key, value] of this.#known) all.set(key, value);
    return [...all.values()].filter((one) => one.source === source);
  }

  /** What a source tells of a stream. */
  remember(position: SavedPosition): void {
    const known = this.#known.get(position.key);
    // Ours moves with the effects. A source that passed over bytes on its own (a copy that was read, a hole) is further.
    const further = known === undefined || position.offset > known.offset;
    this.#note(further ? position : { ...position, offset: known.offset, reader: known.reader });
  }

  /** A stream was taken further. What its source told of it stays. */
  reach(place: Reached): void {
    const { offset, reader, updatedAt } = place;
    this.#note({ ...place, identity: {}, ...this.get(place.key), offset, reader, updatedAt });
  }

  /** A stream begins with what the reader of another one left open. */
  begin(position: SavedPosition, reader: SavedPosition['reader']): void {
    this.#note({ ...position, reader });
  }

  forget(key: string): void {
    this.#known.delete(key);
    this.#moved.delete(key);
    this.#saved.delete(key);
  }

  /** Whether something moved since it was last put into the store. */
  hasMoved(): boolean {
    return this.#moved.size > 0;
  }

  /** Puts what moved into the store: part of its next commit. */
  put(now: number): void {
    for (const key of this.#moved) {
      const position = this.#known.get(key);
      if (position) this.#saved.put(key, { ...position, updatedAt: now }, null);
    }
    this.#moved.clear();
  }

  #note(position: SavedPosition): void {
    this.#known.set(position.key, position);
    this.#moved.add(position.key);
  }
}
