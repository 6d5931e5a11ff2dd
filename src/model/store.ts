/**
 * The port to what must outlive the process. `state/` implements it over SQLite; tests may use it over a temporary folder.
 * Everything put since the last commit becomes durable together, or not at all: offsets, windows, incidents, outbox.
 */
import type { SavedPosition } from './seams.ts';

/**
 * Documents by key, kept hot in a bounded cache. `get` hands out the live object: change it, then `put` it again.
 * All calls are synchronous and see each other's effects at once, committed or not.
 */
export interface Table<T> {
  get(key: string): T | undefined;
  /** `dueAt` (ms) files it for `due`; null takes it out of there. */
  put(key: string, value: T, dueAt: number | null): void;
  delete(key: string): void;
  /** What is due at `now` or before, earliest first. */
  due(
    now: number,
    limit: number,
  ): readonly { readonly key: string; readonly value: T; readonly dueAt: number }[];
  /** The earliest due time of all, or null. */
  nextDue(): number | null;
  /** How many there are. */
  count(): number;
  /** Keys with this prefix in their order, with their values. */
  scan(prefix: string, limit: number): readonly { readonly key: string; readonly value: T }[];
}

export type CommitResult =
  | { readonly ok: true }
  | { readonly ok: false; readonly code: string; readonly message: string };

export interface Store {
  /** A table by name; asked for again, the same one. Names are [a-z_]+. `cache`: how many documents stay in memory at most. */
  table<T>(name: string, options?: { readonly cache: number }): Table<T>;
  readonly positions: Table<SavedPosition>;
  /** Whether anything was put or deleted since the last commit. */
  dirty(): boolean;
  /**
   * Makes all of it durable in one transaction. A failure (disk full, read-only) loses nothing that is in memory: what was
   * put stays put, is readable, and goes with the next commit that succeeds.
   */
  commit(): CommitResult;
  /** Free-form facts: the last good configuration, the first start. Part of the next commit. */
  getMeta(key: string): string | undefined;
  setMeta(key: string, value: string): void;
  /** Commits, then closes. May be called twice. */
  close(): void;
}
