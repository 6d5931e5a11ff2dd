/** Messages that were given up, kept until a person sends them again or drops them. People name one by message id and channel. */
import type { OutboxItem } from '../model/intent.ts';
import type { Store, Table } from '../model/store.ts';

/** Characters of JSON that all letters have together at most; then the oldest go. */
const lettersMax = 16 * 1024 * 1024;

export interface DeadLetter extends OutboxItem {
  readonly diedAt: number;
  readonly why: string;
}

/** The name of a letter for people: `5f0c...@eng`. */
export function letterName(letter: Pick<DeadLetter, 'notification' | 'channel'>): string {
  return `${letter.notification.notification.id}@${letter.channel}`;
}

export class DeadLetters {
  readonly #table: Table<DeadLetter>;
  /** Size of each by its key, the oldest first. Known from the first one on that is kept. */
  #sizes: Map<string, number> | null = null;
  #sum = 0;

  constructor(store: Store) {
    this.#table = store.table<DeadLetter>('dead_letters', { cache: 50 });
  }

  /** Keeps a message that was given up at `now`. `forgotten`: how many older ones had to go for it. */
  keep(
    item: OutboxItem,
    why: string,
    now: number,
  ): { readonly letter: DeadLetter; readonly forgotten: number } {
    const letter: DeadLetter = { ...item, diedAt: now, why };
    const sizes = this.#known();
    this.#table.put(item.key, letter, null);
    const size = JSON.stringify(letter).length;
    this.#sum += size - (sizes.get(item.key) ?? 0);
    sizes.delete(item.key);
    sizes.set(item.key, size);
    return { letter, forgotten: this.#makeRoom(sizes) };
  }

  #known(): Map<string, number> {
    if (this.#sizes) return this.#sizes;
    const letters = [...this.#table.scan('', Number.MAX_SAFE_INTEGER)].sort(
      (a, b) => a.value.diedAt - b.value.diedAt,
    );
    this.#sizes = new Map(letters.map(({ key, value }) => [key, JSON.stringify(value).length]));
    for (const size of this.#sizes.values()) this.#sum += size;
    return this.#sizes;
  }

  #makeRoom(sizes: Map<string, number>): number {
    let forgotten = 0;
    for (const key of sizes.keys()) {
      if (this.#sum <= lettersMax) break;
      this.#forget(key);
      forgotten++;
    }
    return forgotten;
  }

  #forget(key: string): void {
    this.#table.delete(key);
    this.#sum -= this.#sizes?.get(key) ?? 0;
    this.#sizes?.delete(key);
  }

  /** The oldest first by their keys; at most `limit`. */
  list(limit: number): DeadLetter[] {
    return this.#table.scan('', limit).map((one) => one.value);
  }

  /** Whether a message was given up at `from` (ms) or later. */
  anySince(from: number): boolean {
    return this.list(Number.MAX_SAFE_INTEGER).some((letter) => letter.diedAt >= from);
  }

  find(name: string): DeadLetter | undefined {
    return this.#table.get(this.#keyOf(name));
  }

  /** Forgets one. False when there is none of that name. */
  drop(name: string): boolean {
    const key = this.#keyOf(name);
    if (!this.#table.get(key)) return false;
    this.#forget(key);
    return true;
  }

  /** The message of a letter, as it was put first, taken out of the letters; undefined when there is none of that name. */
  take(name: string): OutboxItem | undefined {
    const letter = this.find(name);
    if (!letter) return undefined;
    this.#forget(letter.key);
    const { diedAt: _diedAt, why: _why, ...item } = letter;
    return { ...item, nextAttemptAt: 0, plain: false, queuedAt: null };
  }

  #keyOf(name: string): string {
    const at = name.lastIndexOf('@');
    return `${name.slice(at + 1)}\u0000${name.slice(0, at)}`;
  }
}
