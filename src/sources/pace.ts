/**
 * Decides what is looked at when: what was active lately often, what sleeps rarely, and the sleepers a slice at a time so that
 * thousands of them cost next to nothing. What the system announces by events is looked at more rarely still, since the
 * events wake it. Pure: it is given the time.
 */

export interface Paced {
  /** When something last happened, monotonic ms. */
  activeAt: number;
}

/** One rhythm: each of its items once in `everyMs`, or as often as so many looks a second allow (each costs about 5 us). */
interface Lane<T> {
  readonly items: Set<T>;
  readonly everyMs: number;
  readonly looksPerSecondMax: number;
  /** Looks that are due but not a whole one yet. */
  credit: number;
}

/** Active in the last 2 s: looked at each 15 ms. A line written is read within 20 ms without any event of the system. */
const hotEveryMs = 15;
const hotForMs = 2_000;
/** Active in the last minute: within 100 ms. */
const warmEveryMs = 80;
const warmForMs = 60_000;
/** Everything else. */
const coldEveryMs = 1_000;
/**
 * Where events tell of a change the poll is there for the one that got lost: active, active in the last minute, asleep. The first is
 * less than the quiet time of a stream: a successor whose event got lost is found before what it may inherit is told as complete.
 */
const hotAnnouncedEveryMs = 150;
const warmAnnouncedEveryMs = 1_000;
const coldAnnouncedEveryMs = 8_000;
const looksPerSecond = 1_500;
const looksAnnouncedPerSecond = 100;
/** Time between two slices of sleepers. */
const sliceMs = 100;
const sliceAnnouncedMs = 250;

export class Pace<T extends Paced> {
  readonly #announced: (item: T) => boolean;
  readonly #hot = new Set<T>();
  readonly #hotAnnounced = lane<T>(hotAnnouncedEveryMs, looksPerSecond);
  readonly #warm = lane<T>(warmEveryMs, looksPerSecond);
  readonly #warmAnnounced = lane<T>(warmAnnouncedEveryMs, looksAnnouncedPerSecond);
  readonly #cold = lane<T>(coldEveryMs, looksPerSecond);
  readonly #coldAnnounced = lane<T>(coldAnnouncedEveryMs, looksAnnouncedPerSecond);
  readonly #lanes = [this.#hotAnnounced, this.#warm, this.#warmAnnounced, this.#cold, this.#coldAnnounced];
  #last: number | null = null;

  /** `announced`: whether events are relied upon to tell of a change of this item. */
  constructor(announced: (item: T) => boolean) {
    this.#announced = announced;
  }

  add(item: T): void {
    this.remove(item);
    this.#hot.add(item);
  }

  remove(item: T): void {
    this.#hot.delete(item);
    for (const { items } of this.#lanes) items.delete(item);
  }

  /** Something happened to it, now or at `at` (monotonic ms): how often it is looked at counts from then. */
  wake(item: T, at: number): void {
    item.activeAt = at;
    if (this.#hot.has(item) || this.#hotAnnounced.items.has(item)) return;
    // What is announced goes on to its own lane with the next look.
    if (this.#lanes.some(({ items }) => items.delete(item))) this.#hot.add(item);
  }

  /** Events are relied upon no more, or again: what sleeps is placed anew. */
  reconsider(now: number): void {
    for (const { items } of this.#lanes) for (const item of [...items]) this.#place(item, now);
  }

  /** What to look at now. */
  due(now: number): T[] {
    const elapsed = Math.max(0, now - (this.#last ?? now - coldEveryMs));
    this.#last = now;
    const due = [...this.#hot];
    for (const item of due) this.#place(item, now);
    for (const one of this.#lanes) this.#slice(one, elapsed, now, due);
    return due;
  }

  /** How long to wait before the next look. */
  delayMs(): number {
    if (this.#hot.size > 0) return hotEveryMs;
    if (this.#warm.items.size > 0) return warmEveryMs;
    if (this.#cold.items.size > 0) return sliceMs;
    return this.#hotAnnounced.items.size > 0 ? hotAnnouncedEveryMs : sliceAnnouncedMs;
  }

  #slice(one: Lane<T>, elapsed: number, now: number, due: T[]): void {
    const { size } = one.items;
    const every = Math.max(one.everyMs, (size / one.looksPerSecondMax) * 1_000);
    const wanted = Math.min(size, one.credit + (size * elapsed) / every);
    const take = Math.floor(wanted + 1e-9);
    let taken = 0;
    for (const item of one.items) {
      if (taken++ >= take) break;
      due.push(item);
      // To the end of its line, or to another one.
      this.#place(item, now);
    }
    one.credit = wanted - take;
  }

  #place(item: T, now: number): void {
    this.remove(item);
    const idle = now - item.activeAt;
    if (idle <= hotForMs) (this.#announced(item) ? this.#hotAnnounced.items : this.#hot).add(item);
    else if (idle <= warmForMs) (this.#announced(item) ? this.#warmAnnounced : this.#warm).items.add(item);
    else (this.#announced(item) ? this.#coldAnnounced : this.#cold).items.add(item);
  }
}

function lane<T>(everyMs: number, looksPerSecondMax: number): Lane<T> {
  return { items: new Set<T>(), everyMs, looksPerSecondMax, credit: 0 };
}
