/**
 * What the state knew of a source's streams when it started. Takes the saved positions once; finds them by key, by inode and by path
 * from then on. Changes nothing of it: what became of a stream since is known to `streams.ts`.
 */
import type { SavedPosition } from '../model/seams.ts';
import { type FileId, inodeName, parseIdentity, type SavedIdentity } from './identity.ts';

/** A stream as the state has it. */
export interface Saved {
  readonly position: SavedPosition;
  readonly identity: SavedIdentity;
  /** Where reading goes on in the file; below zero in what the stream inherited. */
  readonly offset: number;
}

/** Null where it is no position of a file, or is damaged. */
export function savedOf(position: SavedPosition): Saved | null {
  const identity = parseIdentity(position);
  if (identity === null) return null;
  const { shift, bytes } = identity.inherited;
  // Where the state is damaged, what it lost is passed over.
  return { position, identity, offset: Math.max(position.offset - shift, -bytes.length) };
}

export class SavedStreams {
  readonly all: readonly Saved[];
  readonly #keys: ReadonlySet<string>;
  readonly #byInode: ReadonlyMap<string, readonly Saved[]>;
  readonly #byPath: ReadonlyMap<string, readonly Saved[]>;

  /** Positions whose identity can't be read are left out. */
  constructor(positions: readonly SavedPosition[]) {
    this.all = positions.flatMap((position) => savedOf(position) ?? []);
    this.#keys = new Set(this.all.map(({ position }) => position.key));
    this.#byInode = groupBy(this.all, ({ identity }) => inodeName(identity.id));
    this.#byPath = groupBy(this.all, ({ position }) => position.path);
  }

  has(key: string): boolean {
    return this.#keys.has(key);
  }

  ofInode(inode: string): readonly Saved[] {
    return this.#byInode.get(inode) ?? [];
  }

  ofPath(path: string): readonly Saved[] {
    return this.#byPath.get(path) ?? [];
  }

  /** When a path was last seen with all that it had led to, ms of the wall clock, or null. */
  lastSeenAt(path: string): number | null {
    const times = this.ofPath(path).map(({ identity }) => identity.seenAt);
    return times.length === 0 ? null : Math.max(...times);
  }

  /** Whether it is a file that had a stream, whatever its content was. An inode alone may have been given again. */
  knowsFile(id: FileId): boolean {
    return this.ofInode(inodeName(id)).some(({ identity }) => identity.id.birthNs === id.birthNs);
  }
}

function groupBy(all: readonly Saved[], nameOf: (saved: Saved) => string): Map<string, Saved[]> {
  const groups = new Map<string, Saved[]>();
  for (const saved of all) {
    const name = nameOf(saved);
    const group = groups.get(name);
    if (group === undefined) groups.set(name, [saved]);
    else group.push(saved);
  }
  return groups;
}
