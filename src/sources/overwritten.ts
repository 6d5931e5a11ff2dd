/**
 * What becomes of a stream whose bytes before its position are others now: truncated, begun anew, copied and emptied. Takes the
 * stream and how that was found; the file gets a stream for its next generation, and what was not read yet of the old one is
 * read from its copy first, where there is one. Without a copy the rest is gone, and counted by whoever counts drops.
 */
import type { FileSourceConfig } from '../model/config.ts';
import type { SourcePort } from '../model/seams.ts';
import type { Descriptors } from './descriptors.ts';
import { fstatLater, isFault } from './disk.ts';
import { compareContent } from './identity.ts';
import { peekFile } from './medium.ts';
import type { Names } from './names.ts';
import type { Rests } from './rests.ts';
import type { Streams } from './streams.ts';
import type { Tail, TurnEnd } from './tail.ts';
import type { Turns } from './turns.ts';

export interface OverwrittenDeps {
  readonly config: FileSourceConfig;
  readonly deps: { readonly port: SourcePort };
  readonly names: Names;
  readonly rests: Rests;
  readonly turns: Turns;
  readonly descriptors: Descriptors;
  readonly streams: () => Streams;
  readonly orphan: (tail: Tail) => void;
  readonly named: (tail: Tail) => void;
  readonly leave: (tail: Tail, last: 'deliver' | 'drop') => void;
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
    const { config, deps, turns, leave } = this.#with;
    if (tail.role === 'rest') {
      // The copy itself is gone from under us.
      deps.port.count(config.name, 'vanished', 1);
      leave(tail, 'drop');
      return;
    }
    const { fd } = medium;
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
    this.#handOver(tail, next);
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
    turns.want(next);
  }

  /** The paths and the place among the nameless go to the next generation of the same file. */
  #handOver(tail: Tail, next: Tail): void {
    this.#with.descriptors.gone(tail);
    this.#with.descriptors.used(next);
    const entries = this.#with.names.of(tail);
    for (const entry of entries) entry.tail = next;
    if (entries.length === 0) this.#with.orphan(next);
    if (tail.lostNameAt !== null) this.#with.named(tail);
    for (const other of this.#with.streams().all) if (other.after.has(tail)) other.after.add(next);
  }
}
