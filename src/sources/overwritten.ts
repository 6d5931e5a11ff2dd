/**
 * What becomes of a stream whose bytes before its position are others now: truncated, begun anew, copied and emptied. Takes the
 * stream and how that was found; the file gets a stream for its next generation, and what was not read yet of the old one is
 * read from its copy first, where there is one. Without a copy the rest is gone, and counted by whoever counts drops.
 */
import type { FileSourceConfig } from '../model/config.ts';
import type { Clock, SourcePort } from '../model/seams.ts';
import type { Descriptors } from './descriptors.ts';
import { fstatLater, isFault } from './disk.ts';
import { compareContent } from './identity.ts';
import { peekFile } from './medium.ts';
import type { Names } from './names.ts';
import type { PathEntry } from './paths.ts';
import type { Rests } from './rests.ts';
import type { Streams } from './streams.ts';
import type { Tail, TurnEnd } from './tail.ts';
import type { Turns } from './turns.ts';
import type { UnseenGenerations } from './unseen.ts';

export interface OverwrittenDeps {
  readonly config: FileSourceConfig;
  readonly deps: { readonly port: SourcePort; readonly clock: Clock };
  readonly names: Names;
  readonly rests: Rests;
  readonly unseen: UnseenGenerations;
  readonly turns: Turns;
  readonly descriptors: Descriptors;
  readonly streams: () => Streams;
  readonly orphan: (tail: Tail) => void;
  readonly named: (tail: Tail) => void;
  readonly leave: (tail: Tail, last: 'deliver' | 'drop') => void;
}

interface Renewal {
  readonly tail: Tail;
  readonly fd: number;
  readonly end: TurnEnd;
  /** The paths that lead to it. */
  readonly entries: readonly PathEntry[];
}

export class Overwritten {
  readonly #with: OverwrittenDeps;

  constructor(deps: OverwrittenDeps) {
    this.#with = deps;
  }

  /** No turn of the stream may run meanwhile. */
  async renew(tail: Tail, end: TurnEnd): Promise<void> {
    const { medium } = tail;
    if (tail.ended || medium === null || medium.fd === null) return;
    const { config, deps, leave } = this.#with;
    if (tail.role === 'rest') {
      // The copy itself is gone from under us.
      deps.port.count(config.name, 'vanished', 1);
      leave(tail, 'drop');
      return;
    }
    const entries = this.#with.names.of(tail);
    // The time it was seen is that of the old content until what came between is known, and noted: a crash may come any time.
    for (const entry of entries) {
      entry.seenAt = Math.min(entry.seenAt, tail.provenAt);
      entry.busy = true;
    }
    try {
      await this.#renew({ tail, fd: medium.fd, end, entries });
    } finally {
      for (const entry of entries) entry.busy = false;
    }
  }

  async #renew({ tail, fd, end, entries }: Renewal): Promise<void> {
    const { config, deps, turns, leave } = this.#with;
    const seenAt = deps.clock.now();
    const stat = await fstatLater(fd);
    if (isFault(stat)) return;
    deps.port.count(config.name, 'truncated', 1);
    const size = Number(stat.size);
    const facts = tail.memory.facts(tail.offset);
    const rest = await this.#with.rests.find(tail, facts);
    const peek = (at: number, length: number): Promise<Buffer> => peekFile(fd, at, length);
    // The beginning of the same content, and no copy beside it: the file was cut, not begun anew.
    const cut =
      end === 'shrunk' &&
      rest === null &&
      size > 0 &&
      (await compareContent(facts, size, peek)) === 'shorter';
    tail.medium = null;
    const file = { fd, stat, path: tail.path, remote: tail.remote };
    const next = await this.#with.streams().renew(file, cut ? 'end' : 'beginning');
    this.#handOver(tail, next, entries);
    await turns.hold(next);
    try {
      if (rest === null) {
        leave(tail, 'drop');
      } else {
        if (rest.size === null || rest.size > tail.offset)
          deps.port.count(config.name, 'copytruncate_recovered', 1);
        tail.continueIn(rest.medium, rest.before);
        tail.endsCut = true;
        next.after.add(tail);
        turns.want(tail);
      }
      // Copied and emptied more than once since anybody looked: those generations are in their copies only.
      for (const { found } of cut ? [] : entries) {
        const before = tail.ended ? [] : [tail];
        for (const earlier of await this.#with.unseen.read(found.path, next, tail.provenAt, before))
          next.after.add(earlier);
      }
      for (const entry of entries) entry.seenAt = seenAt;
    } finally {
      turns.release(next);
    }
    turns.want(next);
  }

  /** The paths and the place among the nameless go to the next generation of the same file. */
  #handOver(tail: Tail, next: Tail, entries: readonly PathEntry[]): void {
    this.#with.descriptors.gone(tail);
    this.#with.descriptors.used(next);
    // Its copies are named after what a link leads to, too.
    for (const name of this.#with.streams().namesOf(tail)) this.#with.streams().named(next, name);
    for (const entry of entries) entry.tail = next;
    if (entries.length === 0) this.#with.orphan(next);
    if (tail.lostNameAt !== null) this.#with.named(tail);
    for (const other of this.#with.streams().all) if (other.after.has(tail)) other.after.add(next);
  }
}
