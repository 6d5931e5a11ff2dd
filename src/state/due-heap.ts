/**
 * Which of the uncommitted documents is due first. A binary heap that forgets lazily: an entry whose document has moved on
 * stays until it comes to the top, and the owner says whether it still holds. It bounds itself by rebuilding.
 */

export interface Due {
  readonly key: string;
  readonly dueAt: number;
}

export class DueHeap {
  readonly #holds: (entry: Due) => boolean;
  #entries: Due[] = [];

  /** `holds` says whether an entry is still true of its document. */
  constructor(holds: (entry: Due) => boolean) {
    this.#holds = holds;
  }

  /** Adds an entry. `live` is how many documents there are: with far more entries than that, the stale ones are thrown out. */
  push(entry: Due, live: number): void {
    if (this.#entries.length > 2 * live + 64) this.#rebuild();
    this.#add(entry);
  }

  /** The first entry that holds, or undefined. */
  peek(): Due | undefined {
    for (;;) {
      const top = this.#entries[0];
      if (top === undefined || this.#holds(top)) return top;
      this.#removeTop();
    }
  }

  /** Entries that hold and are due at `now` or before, earliest first, each document once. They stay in the heap. */
  due(now: number, limit: number): readonly Due[] {
    const found: Due[] = [];
    const seen = new Set<string>();
    for (
      let top = this.peek();
      top !== undefined && top.dueAt <= now && found.length < limit;
      top = this.peek()
    ) {
      this.#removeTop();
      if (!seen.has(top.key)) found.push(top);
      seen.add(top.key);
    }
    for (const entry of found) this.#add(entry);
    return found;
  }

  clear(): void {
    this.#entries = [];
  }

  #rebuild(): void {
    const seen = new Set<string>();
    const kept = this.#entries.filter((entry) => {
      if (seen.has(entry.key) || !this.#holds(entry)) return false;
      seen.add(entry.key);
      return true;
    });
    // A sorted array is a heap.
    this.#entries = kept.sort(compareDue);
  }

  #add(entry: Due): void {
    const entries = this.#entries;
    let at = entries.length;
    entries.push(entry);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = entries[parent] as Due;
      if (compareDue(above, entry) <= 0) break;
      entries[at] = above;
      at = parent;
    }
    entries[at] = entry;
  }

  #removeTop(): void {
    const entries = this.#entries;
    const last = entries.pop();
    if (last === undefined || entries.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= entries.length) break;
      const right = entries[child + 1];
      if (right !== undefined && compareDue(right, entries[child] as Due) < 0) child += 1;
      const below = entries[child] as Due;
      if (compareDue(last, below) <= 0) break;
      entries[at] = below;
      at = child;
    }
    entries[at] = last;
  }
}

/** By time, then by key, as the database orders them. */
export function compareDue(a: Due, b: Due): number {
  return a.dueAt - b.dueAt || compareKeys(a.key, b.key);
}

/** Keys as SQLite orders them (bytes of UTF-8 = code points), which is not how JavaScript does beyond U+D7FF. */
export function compareKeys(a: string, b: string): number {
  const end = Math.min(a.length, b.length);
  for (let at = 0; at < end; at++) {
    const left = a.charCodeAt(at);
    const right = b.charCodeAt(at);
    if (left === right) continue;
    // Surrogates stand for code points above U+FFFF, so they come last.
    const leftHigh = (left & 0xf800) === 0xd800;
    const rightHigh = (right & 0xf800) === 0xd800;
    return leftHigh === rightHigh ? left - right : leftHigh ? 1 : -1;
  }
  return a.length - b.length;
}
