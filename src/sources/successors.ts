/**
 * What becomes of a path when another file is behind it: the same content going on in another file (an editor's save), or a new
 * stream that waits until its predecessors are read, those among them that nobody saw included, and begins with what the last of them
 * left open. Takes the path and the opened file, whose descriptor it owns from then on; the old file stays readable as long as
 * something may come there.
 */
import type { Clock } from '../model/seams.ts';
import type { Descriptors } from './descriptors.ts';
import { closeQuietly, fstatLater, isFault } from './disk.ts';
import { fstatOf } from './files.ts';
import { compareContent, inodeName } from './identity.ts';
import { FileMedium, peekFile } from './medium.ts';
import type { Names } from './names.ts';
import type { PathEntry } from './paths.ts';
import type { OpenFile, Streams } from './streams.ts';
import type { Tail } from './tail.ts';
import type { Turns } from './turns.ts';
import type { UnseenGenerations } from './unseen.ts';

export interface SuccessorsDeps {
  readonly deps: { readonly clock: Clock };
  readonly names: Names;
  readonly unseen: UnseenGenerations;
  readonly turns: Turns;
  readonly descriptors: Descriptors;
  readonly streams: () => Streams;
  readonly orphan: (tail: Tail) => void;
  readonly named: (tail: Tail) => void;
  readonly starting: () => boolean;
  readonly problem: (path: string, text: string | null) => void;
}

export class Successors {
  readonly #with: SuccessorsDeps;

  constructor(deps: SuccessorsDeps) {
    this.#with = deps;
  }

  /** A file that no stream reads yet is behind this path. */
  async open(entry: PathEntry, file: OpenFile): Promise<void> {
    const { turns, names } = this.#with;
    const old = entry.tail ?? entry.previous;
    // The path may have changed once more while it was being opened.
    const raced = this.#with.streams().byInode.get(inodeName(file.stat));
    if (raced && !raced.ended) {
      closeQuietly(file.fd);
      if (raced !== entry.tail) await names.attach(entry, raced);
      return;
    }
    const tail = await this.#streamOf(entry, old, file);
    this.#with.problem(entry.found.path, null);
    if (tail === old) {
      await this.#moveOver(entry, old, file);
      return;
    }
    // While everything is found at the start nothing is read, and all of it may be more than can be open at once.
    this.#with.descriptors.used(tail);
    // The time it was seen stays the old one until everything between is known, and noted: a crash may come any time.
    const { seenAt, place } = entry;
    await turns.hold(tail);
    try {
      await names.point(entry, tail);
      entry.initial = false;
      if (seenAt > 0 && !this.#with.starting()) {
        await this.#between(entry, tail, old, seenAt);
        // A link leads to another log now, whose lines are not those of the one before.
        if (place !== null && place !== entry.place) tail.predecessor = null;
        entry.seenAt = entry.lookedAt;
      }
    } finally {
      turns.release(tail);
    }
    turns.want(tail);
  }

  /**
   * Before the first byte of a file is read, what its predecessor left open goes over to it; false where more was written to that one
   * since it was read to its end. Asked once: what comes there later is on its own.
   */
  async begins(tail: Tail): Promise<boolean> {
    const old = tail.predecessor;
    const { turns } = this.#with;
    if (old === null) return true;
    const fd = old.medium?.fd ?? null;
    const goesOn = old.role === 'live' && old.ignored === null && old.copyOf === null;
    const stat = fd === null || tail.letPredecessorRead || !goesOn ? null : await fstatOf(fd, old.remote);
    if (stat !== null && !isFault(stat) && Number(stat.size) > old.readPosition && !old.ended) {
      tail.letPredecessorRead = true;
      old.caughtUp = false;
      tail.after.add(old);
      turns.want(old);
      turns.want(tail);
      return false;
    }
    tail.predecessor = null;
    if (goesOn && !old.ended && !old.busy && !turns.holds(old)) tail.goOnFrom(old);
    return true;
  }

  /** The stream that reads this file: the path's old one where the file goes on with its content. Closes what can't be read. */
  async #streamOf(entry: PathEntry, old: Tail | null, file: OpenFile): Promise<Tail> {
    try {
      if (old !== null && (await goesOnIn(old, file))) return old;
      return await this.#with.streams().open(file, { initial: entry.initial, atPath: old === null });
    } catch (error) {
      closeQuietly(file.fd);
      throw error;
    }
  }

  async #moveOver(entry: PathEntry, old: Tail, file: OpenFile): Promise<void> {
    const { turns } = this.#with;
    await turns.hold(old);
    try {
      await this.#swap(entry, old, file);
    } finally {
      turns.release(old);
    }
    turns.want(old);
  }

  async #swap(entry: PathEntry, old: Tail, file: OpenFile): Promise<void> {
    const from = old.inode;
    const left = old.medium;
    const oldId = old.id;
    old.moveTo(new FileMedium(file.fd), {
      dev: file.stat.dev,
      ino: file.stat.ino,
      birthNs: file.stat.birthtimeNs,
    });
    this.#with.streams().moved(old, from);
    old.saw(file.stat);
    entry.tail = old;
    entry.previous = null;
    this.#with.named(old);
    entry.seenAt = entry.lookedAt;
    this.#with.names.notePlace(entry);
    this.#with.descriptors.used(old);
    if (left !== null && left.fd !== null) await this.#keepBehind(old, left.fd, oldId.ino);
  }

  /** Somebody may still write to the old file: what comes after our position there is read too. */
  async #keepBehind(old: Tail, fd: number, ino: bigint): Promise<void> {
    const stat = await fstatLater(fd);
    if (isFault(stat) || stat.ino !== ino) {
      closeQuietly(fd);
      return;
    }
    const file = { fd, stat, path: old.path, remote: old.remote };
    const from = Math.min(Number(stat.size), old.readPosition);
    const behind = await this.#with.streams().leaveBehind(file, from);
    behind.caughtUp = true;
    this.#with.orphan(behind);
    this.#with.turns.want(behind);
  }

  /** The new file waits until its predecessors are read; generations that came and went unseen are among them. */
  async #between(entry: PathEntry, tail: Tail, old: Tail | null, seenAt: number): Promise<void> {
    const before = old === null || old.ended ? [] : [old];
    for (const earlier of before) tail.after.add(earlier);
    const last = await this.#with.unseen.read(entry.found.path, tail, seenAt, before);
    for (const earlier of last) tail.after.add(earlier);
  }
}

/** An editor's save: another file with the same content up to our offset. */
async function goesOnIn(old: Tail, file: OpenFile): Promise<boolean> {
  if (old.ended || old.offset === 0 || old.copyOf !== null || old.ignored !== null) return false;
  const facts = old.memory.facts(old.offset);
  if (facts.markerLength === 0) return false;
  const verdict = await compareContent(facts, Number(file.stat.size), (at, length) =>
    peekFile(file.fd, at, length),
  );
  return verdict === 'same';
}
