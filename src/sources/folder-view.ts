/**
 * The names in a folder as they were at one time, found by how they begin and by the inode behind them, so that thousands of files that
 * are rotated at once are not each searched among all of them. Takes a listing; asks the disk for inodes once, when the first is wanted.
 */
import { isFault, type Name, rawPath, statLater, statNow } from './disk.ts';
import { inodeName } from './identity.ts';

export class FolderView {
  readonly dir: string;
  readonly remote: boolean;
  readonly names: readonly Name[];
  #sorted: readonly Name[] | null = null;
  #byInode: Promise<ReadonlyMap<string, Name>> | null = null;

  constructor(dir: string, names: readonly Name[], remote: boolean) {
    this.dir = dir;
    this.names = names;
    this.remote = remote;
  }

  /** Names that begin so, in the order of their characters. */
  startingWith(beginning: string): readonly Name[] {
    this.#sorted ??= [...this.names].sort((a, b) => (a.text < b.text ? -1 : a.text > b.text ? 1 : 0));
    const sorted = this.#sorted;
    let from = 0;
    for (let to = sorted.length; from < to; ) {
      const middle = (from + to) >> 1;
      if ((sorted[middle]?.text ?? '') < beginning) from = middle + 1;
      else to = middle;
    }
    let end = from;
    while (sorted[end]?.text.startsWith(beginning) === true) end++;
    return sorted.slice(from, end);
  }

  /** The name that led to a file (`inodeName`) when it was first asked for one, or null. */
  async ofInode(inode: string): Promise<Name | null> {
    this.#byInode ??= this.#inodes();
    return (await this.#byInode).get(inode) ?? null;
  }

  async #inodes(): Promise<ReadonlyMap<string, Name>> {
    const found = new Map<string, Name>();
    for (const name of this.names) {
      if (name.kind !== 'file') continue;
      const raw = rawPath(this.dir, name.raw);
      const stat = this.remote ? await statLater(raw) : statNow(raw);
      if (!isFault(stat)) found.set(inodeName(stat), name);
    }
    return found;
  }
}
