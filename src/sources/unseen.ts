/**
 * Finds the generations of a path that came and went unseen: rotated twice between two looks, or while nobody ran. Takes a path
 * and since when it was not seen; gives their streams, the oldest first, opened and waiting for one another. Packed ones are
 * read where they lie. What belongs to the live file is not decided here.
 */
import { posix } from 'node:path';
import type { Clock } from '../model/seams.ts';
import { copySource } from './copies.ts';
import { closeQuietly, isFault, type Name, type RawPath, rawPath, statLater, statNow } from './disk.ts';
import { foldersOf, openFile } from './files.ts';
import { fileIdOf, inodeName } from './identity.ts';
import type { Listing } from './listing.ts';
import { compressionOf, GzipMedium, gzipHead, peekFile } from './medium.ts';
import { rotatedName, stemOf } from './rotated.ts';
import type { OpenFile, Streams } from './streams.ts';
import type { Tail } from './tail.ts';
import type { Turns } from './turns.ts';

/** A generation that nobody has read; `packed` is its place where it is compressed, and how it begins. */
interface Unseen {
  readonly file: OpenFile;
  readonly packed: { readonly raw: RawPath; readonly head: Buffer } | null;
  readonly name: string;
  /** Its name is that of the path with something behind it: no other log has such a name. */
  readonly exact: boolean;
}

/** The clock of the disk ticks in up to 10 ms: a file may look this much older than it is. */
const clockGrainMs = 20;

export interface UnseenDeps {
  readonly deps: { readonly clock: Clock };
  readonly listing: Listing;
  readonly turns: Turns;
  readonly streams: () => Streams;
  readonly orphan: (tail: Tail) => void;
}

export class UnseenGenerations {
  readonly #with: UnseenDeps;

  constructor(deps: UnseenDeps) {
    this.#with = deps;
  }

  /** Generations of a path that were never seen under it: rotated twice between two looks, or while nobody ran. */
  async read(path: string, live: Tail | null, sinceMs: number, before: readonly Tail[]): Promise<Tail[]> {
    const chain = [...before];
    let last = before.at(-1) ?? null;
    for (const candidate of await this.#find(path, live, sinceMs, before)) {
      const tail = await this.#open(candidate);
      for (const earlier of chain) tail.after.add(earlier);
      tail.predecessor = candidate.exact ? last : null;
      if (candidate.exact) last = tail;
      chain.push(tail);
      this.#with.turns.want(tail);
    }
    if (live !== null) live.predecessor = last;
    return chain;
  }

  async #open({ file, packed }: Unseen): Promise<Tail> {
    if (packed !== null) {
      closeQuietly(file.fd);
      return this.#with.streams().openPacked(file, new GzipMedium(packed.raw), packed.head);
    }
    const tail = await this.#with.streams().open(file, { initial: false, atPath: false });
    this.#with.orphan(tail);
    return tail;
  }

  async #find(path: string, live: Tail | null, sinceMs: number, before: readonly Tail[]): Promise<Unseen[]> {
    const bases = [...new Set([posix.basename(path), ...(live ? this.#with.streams().namesOf(live) : [])])];
    const found: Unseen[] = [];
    for (const dir of foldersOf(path)) {
      const view = await this.#with.listing.view(dir, this.#with.deps.clock.now());
      const { remote } = view;
      const names = new Set(bases.flatMap((base) => view.startingWith(stemOf(base))));
      // While it is being compressed both are there; the archive counts where the file is gone by the time it is looked at.
      const present = new Set<string>();
      for (const name of plainFirst(names)) {
        const relations = bases
          .map((base) => rotatedName(base, name.text))
          .filter((relation) => relation !== null);
        if (relations.length === 0 || name.kind !== 'file') continue;
        if (name.text.endsWith('.gz') && present.has(name.text.slice(0, -3))) continue;
        const raw = rawPath(dir, name.raw);
        const stat = remote ? await statLater(raw) : statNow(raw);
        if (isFault(stat) || stat.size === 0n || !stat.isFile()) continue;
        present.add(name.text);
        const inode = inodeName(stat);
        // An archive that the glob matches is open as well, to be left alone; here it is a generation.
        const open = this.#with.streams().byInode.has(inode) && !name.text.endsWith('.gz');
        if (open || live?.inode === inode) continue;
        // Without a birth time the last change has to do, and then only a name that can't be another log's.
        const exact = relations.includes('exact');
        const changedNs = exact ? stat.mtimeNs : 0n;
        // A file that is known already may have been emptied and filled again: its times tell nothing then, its content does.
        const known = this.#with.streams().saved.knowsFile(fileIdOf(stat));
        const bornNs = stat.birthtimeNs > 0n && !known ? stat.birthtimeNs : changedNs;
        if (!(known && exact) && Number(bornNs / 1_000_000n) < sinceMs - clockGrainMs) continue;
        const file = await openFile(path, raw, remote);
        if ('code' in file) {
          if (file.code === 'ENOENT') present.delete(name.text);
          continue;
        }
        const unseen = await this.#examine(file, raw, name.text, before).catch((error: unknown) => {
          for (const one of [{ file }, ...found.splice(0)]) closeQuietly(one.file.fd);
          throw error;
        });
        if (unseen !== null) found.push({ ...unseen, exact });
        else closeQuietly(file.fd);
      }
    }
    return found.sort(byAge);
  }

  /** Null for what is no log, and for a copy of something that was read. */
  async #examine(
    file: OpenFile,
    raw: RawPath,
    name: string,
    before: readonly Tail[],
  ): Promise<Omit<Unseen, 'exact'> | null> {
    const packed = compressionOf(await peekFile(file.fd, 0, 8));
    if (packed === 'other') return null;
    if (packed === 'gzip') {
      const head = await gzipHead(file.fd);
      return head === null || head.length === 0 || (await this.#with.streams().knowsHead(head))
        ? null
        : { file, packed: { raw, head }, name };
    }
    const source = await copySource(file, this.#with.streams(), {
      name: null,
      near: before.filter(({ ended }) => !ended),
      self: null,
      head: null,
    });
    return source === null ? { file, packed: null, name } : null;
  }
}

function plainFirst(names: Iterable<Name>): Name[] {
  const packed = (name: Name): number => (name.text.endsWith('.gz') ? 1 : 0);
  return [...names].sort((a, b) => packed(a) - packed(b));
}

/** The oldest first: by the last write, and where the clock of the disk is too coarse, the higher number is the older. */
function byAge(a: Unseen, b: Unseen): number {
  const written = Number(a.file.stat.mtimeNs - b.file.stat.mtimeNs);
  return written !== 0 ? written : b.name.localeCompare(a.name, 'en', { numeric: true });
}
