/**
 * Keeps the number of open files under what the system allows: the one that was read longest ago is closed first, and opened
 * again when it grows. Its offset is not touched by that.
 */
import { readFileSync } from 'node:fs';
import type { Tail } from './tail.ts';

/** Files kept open at most, however much the system allows. */
const openMax = 4_096;
/** Share of the allowance: the rest is for sockets, the database and the program's own files. */
const share = 0.5;
const openMin = 8;
const allowanceUnknown = 256;

/** How many files this process may keep open, from its own limit. */
export function openFilesAllowed(): number {
  let allowed = allowanceUnknown;
  try {
    const found = /^Max open files\s+(\d+)/mu.exec(readFileSync('/proc/self/limits', 'latin1'));
    if (found?.[1]) allowed = Number(found[1]);
  } catch {
    // Not Linux: the guess stays.
  }
  return Math.max(openMin, Math.min(openMax, Math.floor(allowed * share)));
}

export class Descriptors {
  /** In the order of their last use. */
  readonly #open = new Set<Tail>();
  #max: number;

  constructor(max: number) {
    this.#max = Math.max(1, max);
  }

  get size(): number {
    return this.#open.size;
  }

  /** It was used now. Closes others when there are too many; only those that can be found again by a name. */
  used(tail: Tail): void {
    this.#open.delete(tail);
    this.#open.add(tail);
    if (this.#open.size > this.#max) this.#closeOldest(this.#open.size - this.#max);
  }

  gone(tail: Tail): void {
    this.#open.delete(tail);
  }

  /** The system refuses one more (EMFILE, ENFILE): fewer from now on. */
  shrink(): void {
    this.#max = Math.max(1, Math.floor(Math.min(this.#max, this.#open.size) / 2));
    this.#closeOldest(this.#open.size - this.#max);
  }

  #closeOldest(count: number): void {
    let left = count;
    for (const tail of this.#open) {
      if (left <= 0) return;
      if (tail.busy || tail.role === 'rest' || tail.lostNameAt !== null) continue;
      tail.medium?.close();
      tail.medium = null;
      this.#open.delete(tail);
      left--;
    }
  }
}
