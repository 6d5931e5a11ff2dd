/**
 * Streams that came to their end: what they looked like, so that a copy of one is known when it turns up, be it after a crash or a
 * day later as an archive. Takes streams as they end and what the state saved of earlier ones; keeps a bounded number, in memory
 * and in the state, and has the oldest forgotten. Opens no file.
 */
import { posix } from 'node:path';
import { type ContentFacts, hashOf, headBytesMax } from './identity.ts';
import type { Saved } from './saved-streams.ts';

/** One stream that ended. */
export interface Ended {
  readonly key: string;
  /** File names without folders under which it was seen: copies are named after one of them. */
  readonly names: ReadonlySet<string>;
  readonly facts: ContentFacts;
  /** It will never go on; what the state holds of it is kept for its copies alone. */
  readonly gone: boolean;
}

/**
 * Ended streams of one source that are remembered: a thousand files rotated in one go, or years of one file. About 1 KiB each in
 * the state.
 */
export const endedMax = 1024;

export class EndedStreams {
  /** By key, the oldest first. */
  readonly #all = new Map<string, Ended>();
  readonly #byName = new Map<string, Set<Ended>>();
  readonly #forget: (key: string) => void;

  /** `saved`: all that the state holds of the source. `forget`: nothing of this stream is needed any more. */
  constructor(saved: readonly Saved[], forget: (key: string) => void) {
    this.#forget = forget;
    const done = saved.filter(({ identity }) => identity.done);
    done.sort((a, b) => a.position.updatedAt - b.position.updatedAt);
    for (const { position, identity } of done) {
      const names = new Set([posix.basename(position.path)]);
      this.add({ key: position.key, names, facts: identity.facts, gone: true });
    }
  }

  /** A stream ended. One of which nothing was read has no copies. */
  add(ended: Ended): void {
    this.revive(ended.key);
    if (ended.facts.offset === 0 || ended.facts.headLength === 0) {
      if (ended.gone) this.#forget(ended.key);
      return;
    }
    this.#all.set(ended.key, ended);
    for (const name of ended.names) {
      const sharers = this.#byName.get(name) ?? new Set();
      this.#byName.set(name, sharers.add(ended));
    }
    if (this.#all.size <= endedMax) return;
    const [oldest] = this.#all.values();
    if (!oldest) return;
    this.revive(oldest.key);
    if (oldest.gone) this.#forget(oldest.key);
  }

  /** A stream of this key runs (again): it is no more among those that ended. */
  revive(key: string): void {
    const ended = this.#all.get(key);
    if (!ended) return;
    this.#all.delete(key);
    for (const name of ended.names) {
      const sharers = this.#byName.get(name);
      sharers?.delete(ended);
      if (sharers?.size === 0) this.#byName.delete(name);
    }
  }

  /** Those seen under this very name. */
  named(name: string): Iterable<Ended> {
    return this.#byName.get(name) ?? [];
  }

  /** Those of which a file with this head may be a copy; a file shorter than their head must be compared further. */
  beginningAs(head: Buffer): Ended[] {
    const same = headTest(head);
    return [...this.#all.values()].filter(
      ({ facts }) => facts.headLength > head.length || same(facts.headLength, facts.headHash),
    );
  }

  /** Whether content that begins like this is that of one of them, as far as the first bytes tell. */
  knowsHead(head: Buffer): boolean {
    const same = headTest(head);
    for (const { facts } of this.#all.values()) {
      // A short one was read whole: what goes on behind its end is another.
      if (facts.headLength < headBytesMax && head.length > facts.headLength) continue;
      if (same(facts.headLength, facts.headHash)) return true;
    }
    return false;
  }
}

/** Tells whether `head` begins with bytes of this length and hash. Remembers the hashes it has made. */
export function headTest(head: Buffer): (length: number, hash: string) => boolean {
  const hashes = new Map<number, string>();
  return (length, expected) => {
    if (length === 0 || length > head.length) return false;
    const hash = hashes.get(length) ?? hashOf(head.subarray(0, length));
    hashes.set(length, hash);
    return hash === expected;
  };
}
