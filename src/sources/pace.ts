/**
 * Decides what is looked at when: what was active lately often, what sleeps rarely, and the sleepers a slice at a time so that
 * thousands of them cost next to nothing. Pure: it is given the time.
 */

export interface Paced {
  /** When something last happened, monotonic ms. */
  activeAt: number;
}

/** Active in the last 2 s: looked at each 15 ms. A line written is read within 20 ms without any event of the system. */
export const hotEveryMs = 15;
const hotForMs = 2_000;
/** Active in the last minute: within 100 ms. */
export const warmEveryMs = 80;
const warmForMs = 60_000;
/** Everything else: once a second, or as often as this many looks a second allow (each costs about 4 us). */
const coldEveryMs = 1_000;
const looksPerSecondMax = 1_500;

export class Pace<T extends Paced> {
  readonly #hot = new Set<T>();
  readonly #warm = new Set<T>();
  readonly #cold = new Set<T>();
  #last: number | null = null;
  #warmCredit = 0;
  #coldCredit = 0;

  add(item: T): void {
    this.remove(item);
    this.#hot.add(item);
  }

  remove(item: T): void {
    this.#hot.delete(item);
    this.#warm.delete(item);
    this.#cold.delete(item);
  }

  /** Something happened to it: it is looked at often from now on. */
  wake(item: T, now: number): void {
    item.activeAt = now;
    if (!this.#hot.has(item) && (this.#warm.delete(item) || this.#cold.delete(item))) this.#hot.add(item);
  }

  /** What to look at now. */
  due(now: number): T[] {
    const elapsed = Math.max(0, now - (this.#last ?? now - coldEveryMs));
    this.#last = now;
    const due: T[] = [];
    for (const item of this.#hot) {
      due.push(item);
      if (now - item.activeAt > hotForMs) this.#move(item, now);
    }
    this.#warmCredit = this.#slice(
      this.#warm,
      this.#warmCredit,
      elapsed / this.#every(this.#warm, warmEveryMs),
      now,
      due,
    );
    this.#coldCredit = this.#slice(
      this.#cold,
      this.#coldCredit,
      elapsed / this.#every(this.#cold, coldEveryMs),
      now,
      due,
    );
    return due;
  }

  /** How long to wait before the next look. */
  delayMs(): number {
    return this.#hot.size > 0 ? hotEveryMs : this.#warm.size > 0 ? warmEveryMs : 100;
  }

  #every(items: ReadonlySet<T>, wishMs: number): number {
    return Math.max(wishMs, (items.size / looksPerSecondMax) * 1_000);
  }

  #slice(items: Set<T>, credit: number, share: number, now: number, due: T[]): number {
    const wanted = Math.min(items.size, credit + items.size * share);
    const take = Math.floor(wanted + 1e-9);
    let taken = 0;
    for (const item of items) {
      if (taken++ >= take) break;
      due.push(item);
      // To the end of its line, or to another one.
      this.#move(item, now);
    }
    return wanted - take;
  }

  #move(item: T, now: number): void {
    this.remove(item);
    const idle = now - item.activeAt;
    (idle <= hotForMs ? this.#hot : idle <= warmForMs ? this.#warm : this.#cold).add(item);
  }
}
