/** Messages that were given up, kept until a person sends them again or drops them. People name one by message id and channel. */
import type { OutboxItem } from '../model/intent.ts';
import type { Store, Table } from '../model/store.ts';

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

  constructor(store: Store) {
    this.#table = store.table<DeadLetter>('dead_letters', { cache: 50 });
  }

  /** Keeps a message that was given up at `now`. */
  keep(item: OutboxItem, why: string, now: number): DeadLetter {
    const letter: DeadLetter = { ...item, diedAt: now, why };
    this.#table.put(item.key, letter, null);
    return letter;
  }

  /** The oldest first by their keys; at most `limit`. */
  list(limit: number): DeadLetter[] {
    return this.#table.scan('', limit).map((one) => one.value);
  }

  find(name: string): DeadLetter | undefined {
    return this.#table.get(this.#keyOf(name));
  }

  /** Forgets one. False when there is none of that name. */
  drop(name: string): boolean {
    const key = this.#keyOf(name);
    if (!this.#table.get(key)) return false;
    this.#table.delete(key);
    return true;
  }

  /** The message of a letter, as it was put first, taken out of the letters; undefined when there is none of that name. */
  take(name: string): OutboxItem | undefined {
    const letter = this.find(name);
    if (!letter) return undefined;
    this.#table.delete(letter.key);
    const { diedAt: _diedAt, why: _why, ...item } = letter;
    return { ...item, nextAttemptAt: 0, plain: false, queuedAt: null };
  }

  #keyOf(name: string): string {
    const at = name.lastIndexOf('@');
    return `${name.slice(at + 1)}\u0000${name.slice(0, at)}`;
  }
}
