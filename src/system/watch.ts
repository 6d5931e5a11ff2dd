/**
 * The door to chokidar: says that something changed below a folder, sooner than a poll would. It gives hints only. It is
 * never relied upon: events get lost (full queues, network mounts, replaced folders), and chokidar itself drops the last of
 * quick changes. When the system refuses to watch, that is said once and everything goes on by polling.
 */
import { type FSWatcher as PlainWatcher, watch as watchPlain } from 'node:fs';
import type { FSWatcher } from 'chokidar';

export interface WatchHandlers {
  /** Something changed in `dir`; `name` is the entry where the system says which. May come often, late, or not at all. */
  readonly onHint: (dir: string, name: string | null) => void;
  /** Called at most once: watching is not possible, polling goes on alone. */
  readonly onTrouble: (message: string) => void;
}
export interface WatchedFolder {
  /** A folder that was replaced by another of the same name is watched anew. */
  readonly inode: bigint;
  readonly entries: number;
}
export interface FolderWatch {
  /** Watches exactly these folders (not what is below them) from now on. */
  set(folders: ReadonlyMap<string, WatchedFolder>): void;
  /** Whether events of a folder come, as far as is known: it is watched and the system did not refuse. */
  covers(dir: string): boolean;
  close(): Promise<void>;
}
export type CreateWatch = (handlers: WatchHandlers) => FolderWatch;

/** Above this, chokidar's own listing of the folder (every second while it changes) costs more than all the rest. */
const plainAboveEntries = 256;
/** Folders watched at most; beyond, polling serves. */
const foldersMax = 2_000;

/** Watches nothing: for network mounts and for tests of polling. */
export const watchNothing: CreateWatch = () => ({ set() {}, covers: () => false, async close() {} });

/** Watches by the system's own events. */
export const watchFolders: CreateWatch = (handlers) => new Watch(handlers);

class Watch implements FolderWatch {
  readonly #handlers: WatchHandlers;
  readonly #inodes = new Map<string, bigint>();
  readonly #plain = new Map<string, PlainWatcher>();
  /** Folders that chokidar was told to watch. */
  readonly #told = new Set<string>();
  #chokidar: Promise<FSWatcher | null> | null = null;
  #ended = false;

  constructor(handlers: WatchHandlers) {
    this.#handlers = handlers;
  }

  set(folders: ReadonlyMap<string, WatchedFolder>): void {
    if (this.#ended) return;
    for (const [dir, inode] of this.#inodes) {
      if (folders.get(dir)?.inode !== inode) this.#remove(dir);
    }
    for (const [dir, folder] of folders) {
      if (this.#inodes.has(dir) || this.#inodes.size >= foldersMax) continue;
      this.#inodes.set(dir, folder.inode);
      if (folder.entries > plainAboveEntries) this.#addPlain(dir);
      else {
        this.#withChokidar((watcher) => {
          watcher.add(dir);
          if (this.#inodes.has(dir)) this.#told.add(dir);
        });
      }
    }
  }

  covers(dir: string): boolean {
    return !this.#ended && (this.#plain.has(dir) || this.#told.has(dir));
  }

  async close(): Promise<void> {
    this.#ended = true;
    for (const watcher of this.#plain.values()) watcher.close();
    this.#plain.clear();
    const watcher = await this.#chokidar;
    await watcher?.close();
  }

  #remove(dir: string): void {
    this.#inodes.delete(dir);
    this.#told.delete(dir);
    const plain = this.#plain.get(dir);
    if (plain) {
      plain.close();
      this.#plain.delete(dir);
    } else {
      this.#withChokidar((watcher) => watcher.unwatch(dir));
    }
  }

  #addPlain(dir: string): void {
    try {
      const watcher = watchPlain(dir, (_event, name) => this.#handlers.onHint(dir, name));
      watcher.on('error', (error) => this.#trouble(error, dir));
      this.#plain.set(dir, watcher);
    } catch (error) {
      this.#trouble(error, dir);
    }
  }

  #withChokidar(act: (watcher: FSWatcher) => void): void {
    this.#chokidar ??= this.#open();
    void this.#chokidar.then((watcher) => {
      if (watcher && !this.#ended) act(watcher);
    });
  }

  /** Loaded on first use: a run over a pipe or with `--once` never pays for it. */
  async #open(): Promise<FSWatcher | null> {
    const { watch } = await import('chokidar');
    const watcher = watch([], {
      depth: 0,
      ignoreInitial: true,
      atomic: false,
      awaitWriteFinish: false,
      // Folders only: a watch on a file is bound to its inode and goes blind at the first rotation.
      ignored: (path) => !this.#inodes.has(path),
    });
    // `raw` comes straight from the folder's watch, with the name, before chokidar's throttles (50 ms for a change,
    // 1 s for a listing) can swallow it.
    watcher.on('raw', (_event, name, details: unknown) => {
      const dir = watchedPath(details);
      if (dir !== null) this.#handlers.onHint(dir, typeof name === 'string' ? name : null);
    });
    watcher.on('error', (error) => this.#trouble(error, pathOf(error)));
    return watcher;
  }

  /** The system is out of watches: chokidar neither recovers nor falls back by itself, it only says so for each folder. */
  #trouble(error: unknown, dir: string | null): void {
    if (this.#ended) return;
    if (!outOf(error)) {
      // One folder was refused, or is watched no more; where it is not said which, none of them counts as covered.
      if (dir === null) this.#told.clear();
      else this.#told.delete(dir);
      if (dir !== null) this.#plain.delete(dir);
      return;
    }
    const found = error instanceof Error ? error.message : String(error);
    const plain = [...this.#plain.values()];
    this.#ended = true;
    this.#plain.clear();
    for (const watcher of plain) watcher.close();
    void this.#chokidar?.then((watcher) => watcher?.close());
    this.#handlers.onTrouble(
      `file events are not available (${found}); files are polled instead. More watches: sysctl fs.inotify.max_user_watches, fs.inotify.max_user_instances`,
    );
  }
}

/**
 * ENOSPC: fs.inotify.max_user_watches; EMFILE: max_user_instances, or the process's own limit. Any other refusal is about one
 * folder, which is polled like all of them.
 */
function outOf(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : null;
  return code === 'ENOSPC' || code === 'EMFILE' || code === 'ENFILE';
}

function pathOf(error: unknown): string | null {
  return error instanceof Error && 'path' in error && typeof error.path === 'string' ? error.path : null;
}

function watchedPath(details: unknown): string | null {
  if (typeof details !== 'object' || details === null || !('watchedPath' in details)) return null;
  return typeof details.watchedPath === 'string' ? details.watchedPath : null;
}
