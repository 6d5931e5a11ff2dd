/**
 * Gives each file its stream: the key, the generation, and where reading goes on. Takes open files and what the state saved;
 * keeps which stream belongs to which inode now, and what the streams that ended looked like. Decides by content: a saved
 * offset is used only where the head and the bytes before it are still the ones that were read.
 */
import type { BigIntStats } from 'node:fs';
import { posix } from 'node:path';
import type { FileSourceConfig } from '../model/config.ts';
import type { SavedPosition } from '../model/seams.ts';
import { type Beginning, cutHere, findBeginning, type TimeOf } from './begin.ts';
import { containerOfPath } from './container-path.ts';
import { refreshHead } from './copies.ts';
import { EndedStreams, headTest } from './ended.ts';
import {
  type ContentFacts,
  ContentMemory,
  compareContent,
  type FileId,
  fileIdOf,
  generationName,
  headBytesMax,
  inodeName,
  isTelling,
  markerBytesMax,
  type Peek,
  provenLength,
  streamKey,
} from './identity.ts';
import { noInheritance } from './inherited.ts';
import { FileMedium, type Medium, peekFile } from './medium.ts';
import type { Rest } from './rest.ts';
import { type Saved, SavedStreams, savedOf } from './saved-streams.ts';
import { Tail, type TailDeps } from './tail.ts';

/** A file just opened. Whoever takes it owns the descriptor. */
export interface OpenFile {
  readonly fd: number;
  readonly stat: BigIntStats;
  readonly path: string;
  readonly remote: boolean;
}

/** Generations that are looked up in the state, at most. */
const generationsMax = 100_000;
/** Inodes whose last generation is remembered in memory; the oldest are forgotten, and found in the state. */
const inodesMax = 50_000;

export class Streams {
  /** inode -> the stream of its present content. */
  readonly byInode = new Map<string, Tail>();
  readonly all = new Set<Tail>();
  /** File name without folders -> the streams whose files were seen under it: copies are named after one of them. */
  readonly byName = new Map<string, Set<Tail>>();
  readonly #names = new Map<Tail, Set<string>>();
  readonly ended: EndedStreams;
  /** Keys of streams that run. */
  readonly #running = new Set<string>();
  /** Keys that ran in this process and ended, with where they ended: newer than what the state may have. */
  readonly #left = new Map<string, SavedPosition>();
  readonly #generations = new Map<string, number>();
  readonly saved: SavedStreams;
  readonly #deps: TailDeps;
  readonly #config: FileSourceConfig;
  readonly #timeOf: TimeOf | null;

  constructor(deps: TailDeps, config: FileSourceConfig, timeOf: TimeOf | null) {
    this.#deps = deps;
    this.#config = config;
    this.#timeOf = timeOf;
    this.saved = new SavedStreams(deps.port.positions(config.name));
    this.ended = new EndedStreams(this.saved.all, (key) => deps.port.forget(key));
  }

  /** What was saved for a path and runs nowhere yet, the oldest first. */
  unclaimed(): Saved[] {
    return this.saved.all
      .filter(
        ({ position, identity }) =>
          !identity.done && !this.#running.has(position.key) && !this.#left.has(position.key),
      )
      .sort((a, b) => a.position.updatedAt - b.position.updatedAt);
  }

  /**
   * The stream of an open file. `initial`: it was there before the very first start, so the configured start counts.
   * `atPath`: a position saved for the same path may be continued if the content is the same.
   */
  async open(file: OpenFile, how: { readonly initial: boolean; readonly atPath: boolean }): Promise<Tail> {
    const peek: Peek = (position, length) => peekFile(file.fd, position, length);
    const size = Number(file.stat.size);
    const id = fileIdOf(file.stat);
    const known = this.#known(id);
    for (const saved of this.#candidates(file, known, how.atPath)) {
      const verdict = await compareContent(saved.identity.facts, size, peek);
      const resumed = verdict === 'same' ? await this.#resume(file, saved, peek) : null;
      if (resumed !== null) return resumed;
      if (verdict === 'shorter' && inodeName(saved.identity.id) === inodeName(id)) {
        this.#deps.port.count(this.#config.name, 'truncated', 1);
        this.#leave(saved.position);
        // Where it was cut is not known any more; up to here it is the same.
        return this.#begin(file, await cutHere(provenLength(saved.identity.facts, size), peek), peek, true);
      }
      if (inodeName(saved.identity.id) === inodeName(id)) {
        this.#deps.port.count(this.#config.name, 'truncated', 1);
      }
    }
    const start = how.initial
      ? await findBeginning(this.#config.start, size, peek, this.#timeOf)
      : { offset: 0, skipLine: false };
    return this.#begin(file, start, peek, false);
  }

  /** The content of a file was replaced while it was read: its next generation. */
  async renew(file: OpenFile, at: 'beginning' | 'end'): Promise<Tail> {
    const peek: Peek = (position, length) => peekFile(file.fd, position, length);
    const start =
      at === 'beginning' ? { offset: 0, skipLine: false } : await cutHere(Number(file.stat.size), peek);
    return this.#begin(file, start, peek, at === 'end');
  }

  /** The old file goes on without its stream, which moved to a new one: what is written to it now is a generation of its own. */
  async leaveBehind(file: OpenFile, from: number): Promise<Tail> {
    const peek: Peek = (position, length) => peekFile(file.fd, position, length);
    return this.#begin(file, { offset: from, skipLine: false }, peek, true);
  }

  /** The stream's file was seen under this name. */
  named(tail: Tail, name: string): void {
    const names = this.#names.get(tail) ?? new Set();
    this.#names.set(tail, names.add(name));
    const tails = this.byName.get(name) ?? new Set();
    this.byName.set(name, tails.add(tail));
  }

  namesOf(tail: Tail): ReadonlySet<string> {
    return this.#names.get(tail) ?? new Set();
  }

  /** A compressed generation that was never seen as a file: read once, from front to back. Its head tells it before that. */
  openPacked(file: OpenFile, medium: Medium, head: Buffer): Tail {
    const id = fileIdOf(file.stat);
    const memory = new ContentMemory();
    memory.setHead(head);
    const generation = this.#nextGeneration(id);
    const tail = new Tail(this.#deps, {
      stream: this.#stream(streamKey(id, generation), file.path),
      path: file.path,
      id,
      generation,
      offset: 0,
      inherited: noInheritance,
      memory,
      before: Buffer.alloc(0),
      skipLine: false,
      remote: file.remote,
    });
    tail.medium = medium;
    tail.role = 'rest';
    tail.fresh = false;
    this.#claim(tail);
    tail.remember();
    return tail;
  }

  /** Whether content that begins like this was read already, as far as anybody remembers. */
  async knowsHead(head: Buffer): Promise<boolean> {
    const same = headTest(head);
    const begins = (facts: ContentFacts): boolean =>
      same(facts.headLength, facts.headHash) && (isTelling(facts) || facts.headLength === head.length);
    for (const tail of this.all) {
      await refreshHead(tail);
      if (begins(tail.memory.facts(tail.offset))) return true;
    }
    if (this.ended.knowsHead(head)) return true;
    return this.saved.all.some(({ identity }) => !identity.done && begins(identity.facts));
  }

  /** A saved stream whose rest was found elsewhere. */
  resumeElsewhere(saved: Saved, rest: Rest, remote: boolean): Tail {
    const { before, head, medium } = rest;
    const tail = this.#make({ ...saved, path: saved.position.path, before, remote, id: saved.identity.id });
    tail.medium = medium;
    tail.memory.setHead(head);
    return tail;
  }

  /** A saved stream whose file is nowhere: what it inherited is delivered all the same. */
  endWithoutFile(saved: Saved): void {
    const before = Buffer.alloc(0);
    const tail = this.#make({
      ...saved,
      path: saved.position.path,
      before,
      remote: false,
      id: saved.identity.id,
    });
    tail.finish('deliver', true);
    this.end(tail, true);
  }

  /**
   * The stream ended: it is remembered for a while, so that copies of it are known. `gone`: for ever, and what the state holds
   * of it stays there for that only. Were it deleted at once, a crash before the next generation is noted would have a copy
   * look like a file that nobody has read.
   */
  end(tail: Tail, gone: boolean): void {
    this.all.delete(tail);
    this.#running.delete(tail.stream.key);
    if (tail.remembered !== null) this.#leave(tail.remembered);
    if (this.byInode.get(tail.inode) === tail) this.byInode.delete(tail.inode);
    const names = this.namesOf(tail);
    this.#names.delete(tail);
    for (const name of names) {
      const tails = this.byName.get(name);
      tails?.delete(tail);
      if (tails?.size === 0) this.byName.delete(name);
    }
    this.ended.add({ key: tail.stream.key, names, facts: tail.memory.facts(tail.offset), gone });
  }

  /** The stream reads another file from now on. */
  moved(tail: Tail, from: string): void {
    if (this.byInode.get(from) === tail) this.byInode.delete(from);
    this.byInode.set(tail.inode, tail);
  }

  /** Null where the file was begun anew meanwhile: a head noted from its new content would hide the copy of the old. */
  async #resume(file: OpenFile, saved: Saved, peek: Peek): Promise<Tail | null> {
    const { offset } = saved.identity.facts;
    const from = Math.max(0, offset - markerBytesMax);
    const before = await peek(from, offset - from);
    const head = await peek(0, headBytesMax);
    if ((await compareContent(saved.identity.facts, Number(file.stat.size), peek)) !== 'same') return null;
    const id = fileIdOf(file.stat);
    const tail = this.#make({ ...saved, path: file.path, before, remote: file.remote, id });
    tail.medium = new FileMedium(file.fd);
    tail.memory.setHead(head);
    tail.saw(file.stat);
    this.byInode.set(tail.inode, tail);
    tail.remember();
    return tail;
  }

  async #begin(file: OpenFile, start: Beginning, peek: Peek, looked: boolean): Promise<Tail> {
    const id = fileIdOf(file.stat);
    const generation = this.#nextGeneration(id);
    const key = streamKey(id, generation);
    const from = Math.max(0, start.offset - markerBytesMax);
    const memory = new ContentMemory();
    // Noted before anything of it is read: by then it may be compressed, and found by its head only.
    memory.setHead(await peek(0, headBytesMax));
    const tail = new Tail(this.#deps, {
      stream: this.#stream(key, file.path),
      path: file.path,
      id,
      generation,
      offset: start.offset,
      inherited: noInheritance,
      memory,
      before: start.offset > 0 ? await peek(from, start.offset - from) : Buffer.alloc(0),
      skipLine: start.skipLine,
      remote: file.remote,
    });
    tail.medium = new FileMedium(file.fd);
    tail.fresh = !looked && start.offset === 0;
    tail.saw(file.stat);
    this.#claim(tail);
    this.byInode.set(tail.inode, tail);
    tail.remember();
    return tail;
  }

  #make(
    from: Saved & {
      readonly path: string;
      readonly before: Buffer;
      readonly remote: boolean;
      readonly id: FileId;
    },
  ): Tail {
    const { position, identity } = from;
    const tail = new Tail(this.#deps, {
      stream: this.#stream(position.key, from.path),
      path: from.path,
      id: from.id,
      generation: identity.generation,
      offset: from.offset,
      inherited: identity.inherited,
      memory: new ContentMemory(identity.facts.samples),
      before: from.before,
      skipLine: identity.skipLine,
      remote: from.remote,
    });
    tail.fresh = from.offset === 0;
    this.#claim(tail);
    return tail;
  }

  #stream(key: string, path: string): Tail['stream'] {
    const { name, labels } = this.#config;
    const fields = containerOfPath(path);
    return { source: name, key, path, host: null, labels, ...(fields && { fields }) };
  }

  #claim(tail: Tail): void {
    this.all.add(tail);
    this.#running.add(tail.stream.key);
    this.ended.revive(tail.stream.key);
    this.named(tail, posix.basename(tail.path));
    const name = generationName(tail.id);
    this.#generations.delete(name);
    this.#generations.set(name, tail.generation);
    if (this.#generations.size > inodesMax) {
      const [oldest] = this.#generations.keys();
      if (oldest !== undefined) this.#generations.delete(oldest);
    }
  }

  #leave(position: SavedPosition): void {
    this.#left.set(position.key, position);
    if (this.#left.size <= inodesMax) return;
    const [oldest] = this.#left.keys();
    if (oldest !== undefined) this.#left.delete(oldest);
  }

  /** Where a stream stands by the newest knowledge. */
  #latest(key: string): Saved | null {
    const position = this.#left.get(key) ?? this.#deps.port.position(key);
    return position === null ? null : savedOf(position);
  }

  /** The newest generation of a file that the state or this process knows, or null. */
  #known(id: FileId): { generation: number; saved: Saved | null } | null {
    let found: { generation: number; saved: Saved | null } | null = null;
    const note = (generation: number, saved: Saved | null): void => {
      if (
        found === null ||
        generation > found.generation ||
        (generation === found.generation && saved !== null)
      ) {
        found = { generation, saved };
      }
    };
    for (const saved of this.saved.ofInode(inodeName(id))) {
      if (saved.identity.id.birthNs === id.birthNs) note(saved.identity.generation, saved);
    }
    const remembered = this.#generations.get(generationName(id));
    if (remembered !== undefined) note(remembered, null);
    let next = (found as { generation: number } | null)?.generation ?? 0;
    for (; next < generationsMax; next++) {
      const saved = this.#latest(streamKey(id, next));
      if (saved === null) {
        if (found !== null && next === (found as { generation: number }).generation) continue;
        break;
      }
      note(next, inodeName(saved.identity.id) === inodeName(id) ? saved : null);
    }
    return found;
  }

  #nextGeneration(id: FileId): number {
    const known = this.#known(id);
    return known === null ? 0 : known.generation + 1;
  }

  #candidates(file: OpenFile, known: { saved: Saved | null } | null, atPath: boolean): Saved[] {
    const id = fileIdOf(file.stat);
    const list: Saved[] = known?.saved ? [known.saved] : [];
    // One that ended is gone on with where the file is still that one; the same content elsewhere, or again, is news.
    const open = (saved: Saved): boolean => !saved.identity.done;
    const more = this.saved.ofInode(inodeName(id)).filter(open).reverse();
    const samePath = atPath
      ? this.saved
          .ofPath(file.path)
          .filter((s) => open(s) && s.identity.facts.markerLength > 0)
          .reverse()
      : [];
    for (const saved of [...more, ...samePath]) if (!list.includes(saved)) list.push(saved);
    return list
      .filter(({ position }) => !this.#running.has(position.key))
      .map((saved) => this.#latest(saved.position.key) ?? saved);
  }
}
