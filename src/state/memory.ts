/**
 * The store's port over memory alone: for trying rules and for backtests, where nothing must outlive the process. Commits always
 * succeed and change nothing.
 */
import type { SavedPosition } from '../model/seams.ts';
import type { Store, Table } from '../model/store.ts';
import { DueHeap } from './due-heap.ts';

class MemoryTable<T> implements Table<T> {
  readonly #values = new Map<string, T>();
  readonly #dueOf = new Map<string, number>();
  readonly #heap = new DueHeap((entry) => this.#dueOf.get(entry.key) === entry.dueAt);

  get(key: string): T | undefined {
    return this.#values.get(key);
  }

  put(key: string, value: T, dueAt: number | null): void {
    this.#values.set(key, value);
    if (dueAt === null) {
      this.#dueOf.delete(key);
    } else if (this.#dueOf.get(key) !== dueAt) {
      this.#dueOf.set(key, dueAt);
      this.#heap.push({ key, dueAt }, this.#dueOf.size);
    }
  }

  delete(key: string): void {
    this.#values.delete(key);
    this.#dueOf.delete(key);
  }

  due(
    now: number,
    limit: number,
  ): readonly { readonly key: string; readonly value: T; readonly dueAt: number }[] {
    return this.#heap.due(now, limit).flatMap(({ key, dueAt }) => {
      const value = this.#values.get(key);
      return value === undefined ? [] : [{ key, value, dueAt }];
    });
  }

  nextDue(): number | null {
    return this.#heap.peek()?.dueAt ?? null;
  }

  count(): number {
    return this.#values.size;
  }

  scan(prefix: string, limit: number): readonly { readonly key: string; readonly value: T }[] {
    const keys = [...this.#values.keys()].filter((key) => key.startsWith(prefix)).sort();
    return keys.slice(0, limit).map((key) => ({ key, value: this.#values.get(key) as T }));
  }
}

/** An empty store in memory. */
export function memoryStore(): Store {
  const tables = new Map<string, Table<unknown>>();
  const meta = new Map<string, string>();
  const table = <T>(name: string): Table<T> => {
    let known = tables.get(name);
    if (!known) {
      known = new MemoryTable<unknown>();
      tables.set(name, known);
    }
    return known as Table<T>;
  };
  return {
    table,
    positions: table<SavedPosition>('positions'),
    dirty: () => false,
    commit: () => ({ ok: true }),
    getMeta: (key) => meta.get(key),
    setMeta: (key, value) => {
      meta.set(key, value);
    },
    close: () => {},
  };
}
