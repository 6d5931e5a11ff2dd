/**
 * How much of each address may be taken now: a bucket of bytes for each, which fills up again with time. Takes addresses, bytes and
 * the time of a clock that never goes back; gives how long to wait, or whether there was room. It does no I/O and sets no timer.
 */
import type { ByteRate } from '../model/config.ts';

/** Addresses that are remembered. Beyond, the one that sent longest ago is forgotten: it begins with a full bucket when it comes again. */
export const bucketsMax = 8_192;

interface Bucket {
  /** Bytes that may still be taken; below zero, what was taken beyond. */
  level: number;
  /** When the level was true. */
  at: number;
}

export class ByteBuckets {
  #rate: ByteRate;
  readonly #max: number;
  /** In the order of use, the one that was used longest ago first. */
  readonly #buckets = new Map<string, Bucket>();

  /** A bucket holds what the rate allows in its time: `2MiB in 1s` is a burst of a second. */
  constructor(rate: ByteRate, max = bucketsMax) {
    this.#rate = rate;
    this.#max = max;
  }

  /** Addresses that are remembered. */
  get size(): number {
    return this.#buckets.size;
  }

  /** Another rate from `now` on. What was taken stays taken. */
  use(rate: ByteRate, now: number): void {
    for (const bucket of this.#buckets.values()) {
      // A part that was left stays that part: a bucket that was full is full.
      const left = this.#levelAt(bucket, now);
      bucket.level = left > 0 ? (left / this.#rate.bytes) * rate.bytes : left;
      bucket.at = now;
    }
    this.#rate = rate;
  }

  /** Bytes that were read, however many: what goes beyond has to be waited for. Gives how long, ms; 0 is not at all. */
  take(address: string, bytes: number, now: number): number {
    const bucket = this.#of(address, now);
    bucket.level -= bytes;
    return this.#wait(bucket);
  }

  /** Takes bytes if there is room for all of them, and says whether it did. */
  tryTake(address: string, bytes: number, now: number): boolean {
    const bucket = this.#of(address, now);
    if (bucket.level < bytes) return false;
    bucket.level -= bytes;
    return true;
  }

  /** How long this address has to wait, ms; 0 is not at all. */
  wait(address: string, now: number): number {
    const bucket = this.#buckets.get(address);
    if (!bucket) return 0;
    bucket.level = this.#levelAt(bucket, now);
    bucket.at = now;
    return this.#wait(bucket);
  }

  /** Forgets those whose bucket is full again: they are as if they had never sent. */
  forgetFull(now: number): void {
    for (const [address, bucket] of this.#buckets)
      if (this.#levelAt(bucket, now) >= this.#rate.bytes) this.#buckets.delete(address);
  }

  #wait({ level }: Bucket): number {
    return level >= 0 ? 0 : (-level * this.#rate.perMs) / this.#rate.bytes;
  }

  #levelAt({ level, at }: Bucket, now: number): number {
    const { bytes, perMs } = this.#rate;
    return Math.min(bytes, level + (Math.max(0, now - at) * bytes) / perMs);
  }

  #of(address: string, now: number): Bucket {
    const known = this.#buckets.get(address);
    if (known) {
      known.level = this.#levelAt(known, now);
      known.at = now;
      this.#buckets.delete(address);
      this.#buckets.set(address, known);
      return known;
    }
    if (this.#buckets.size >= this.#max) {
      const [oldest] = this.#buckets.keys();
      if (oldest !== undefined) this.#buckets.delete(oldest);
    }
    const bucket = { level: this.#rate.bytes, at: now };
    this.#buckets.set(address, bucket);
    return bucket;
  }
}
