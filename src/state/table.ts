/**
 * One table of documents: what was put since the last commit in memory, what was used lately in a bounded cache, the rest on
 * disk (`committed-rows.ts`). Every question is answered over all three, so nobody sees the difference. It starts no
 * transaction: `store.ts` calls `write` inside one and `settle` after it, and until then nothing leaves the memory.
 */
import type { Table } from '../model/store.ts';
import { CommittedRows, type ReadDisk } from './committed-rows.ts';
import { checkedKey, decodeDocument, documentSum, encodeDocument } from './document.ts';
import { compareDue, compareKeys, DueHeap } from './due-heap.ts';
import type { Database, Row } from './sqlite.ts';

/** Keys remembered as absent: most matches ask for a few that are not there, several times each. */
const absentMax = 1_000;

/** The disk, as a table sees it. */
export interface Disk {
  readonly read: ReadDisk;
  /** A document can't be read and will be put aside with the next commit. */
  onBadDocument(table: string, key: string, reason: string): void;
  /** A document has no JSON form and stays in memory only. */
  onUnsavable(table: string, key: string, reason: string): void;
}

/** Uncommitted: a document, or its deletion. One object per key until it is settled. */
interface Pending<T> {
  value: T | undefined;
  dueAt: number | null;
  deleted: boolean;
  /** Whether a committed row has this key; null where nobody looked. */
  onDisk: boolean | null;
  /** Why the committed row goes to the quarantine, or null. */
  bad: string | null;
}
interface Cached<T> {
  readonly value: T;
  readonly dueAt: number | null;
}

export class DocumentTable<T> implements Table<T> {
  readonly name: string;
  readonly #disk: Disk;
  #cacheMax: number;
  readonly #pending = new Map<string, Pending<T>>();
  /** Committed documents, the one used last at the end. Never holds a key that is pending. */
  readonly #cache = new Map<string, Cached<T>>();
  readonly #heap: DueHeap;
  readonly #rows: CommittedRows;
  /** Keys that were asked for lately and that no committed row has. */
  readonly #absent = new Set<string>();
  /** After a commit of unknown outcome no memory of what is on disk is trusted. */
  #inDoubt = false;

  constructor(name: string, disk: Disk, cacheMax: number) {
    this.name = name;
    this.#disk = disk;
    this.#cacheMax = cacheMax;
    this.#heap = new DueHeap((due) => this.#pending.get(due.key)?.dueAt === due.dueAt);
    this.#rows = new CommittedRows(name, disk.read, (key) => this.#pending.has(key));
  }

  get(key: string): T | undefined {
    const name = checkedKey(key);
    const pending = this.#pending.get(name);
    if (pending !== undefined) return pending.value;
    const cached = this.#cache.get(name);
    if (cached !== undefined) {
      this.#cache.delete(name);
      this.#cache.set(name, cached);
      return cached.value;
    }
    if (this.#absent.has(name)) return undefined;
    const row = this.#rows.get(name);
    if (row === undefined) this.#miss(name);
    return row ? this.#take(row) : undefined;
  }

  put(key: string, value: T, dueAt: number | null): void {
    if (dueAt !== null && !Number.isFinite(dueAt))
      throw new RangeError(
        `${this.name}: the due time of ${JSON.stringify(key)} is ${dueAt}; give ms or null`,
      );
    const name = checkedKey(key);
    const pending = this.#pending.get(name);
    if (pending === undefined) {
      const onDisk = this.#cache.delete(name) ? true : this.#absent.delete(name) ? false : null;
      this.#pending.set(name, {
        value,
        dueAt,
        deleted: false,
        onDisk: this.#inDoubt ? null : onDisk,
        bad: null,
      });
    } else {
      pending.value = value;
      pending.deleted = false;
      if (pending.dueAt === dueAt) return;
      pending.dueAt = dueAt;
    }
    if (dueAt !== null) this.#heap.push({ key: name, dueAt }, this.#pending.size);
  }

  delete(key: string): void {
    const name = checkedKey(key);
    const pending = this.#pending.get(name);
    // In doubt the row may come back with the next connection: then a deletion is always written.
    if (!this.#inDoubt && !this.#isOnDisk(name, pending)) {
      this.#pending.delete(name);
      return;
    }
    this.#cache.delete(name);
    if (pending === undefined) {
      this.#pending.set(name, { value: undefined, dueAt: null, deleted: true, onDisk: null, bad: null });
      return;
    }
    pending.value = undefined;
    pending.dueAt = null;
    pending.deleted = true;
  }

  due(
    now: number,
    limit: number,
  ): readonly { readonly key: string; readonly value: T; readonly dueAt: number }[] {
    const next = this.nextDue();
    if (next === null || next > now || limit <= 0) return [];
    const found = [...this.#heap.due(now, limit), ...this.#rows.due(now, limit)].sort(compareDue);
    const documents: { key: string; value: T; dueAt: number }[] = [];
    for (const { key, dueAt } of found) {
      if (documents.length >= limit) break;
      const value = this.get(key);
      // A row that can't be read has just gone to the quarantine.
      if (value !== undefined) documents.push({ key, value, dueAt });
    }
    return documents;
  }

  nextDue(): number | null {
    const uncommitted = this.#heap.peek()?.dueAt ?? Number.POSITIVE_INFINITY;
    const next = Math.min(uncommitted, this.#rows.nextDue());
    return next === Number.POSITIVE_INFINITY ? null : next;
  }

  count(): number {
    let count = this.#rows.count();
    for (const [key, pending] of this.#pending) {
      const onDisk = this.#isOnDisk(key, pending);
      if (onDisk && pending.deleted) count -= 1;
      if (!onDisk && !pending.deleted) count += 1;
    }
    return count;
  }

  scan(prefix: string, limit: number): readonly { readonly key: string; readonly value: T }[] {
    const start = checkedKey(prefix);
    const uncommitted: { key: string; value: T }[] = [];
    for (const [key, pending] of this.#pending)
      if (!pending.deleted && key.startsWith(start)) uncommitted.push({ key, value: pending.value as T });
    const committed = this.#committedScan(start, limit);
    return [...uncommitted, ...committed]
      .sort((a, b) => compareKeys(a.key, b.key))
      .slice(0, Math.max(0, limit));
  }

  /** Changes how many committed documents stay in memory. */
  resize(cacheMax: number): void {
    this.#cacheMax = cacheMax;
    this.#trim();
  }

  /** How many documents wait for a commit. */
  uncommitted(): number {
    return this.#pending.size;
  }

  /** Writes what is pending. Runs inside a transaction whose table exists; memory changes only with `settle`. Returns how the number of rows changed. */
  write(database: Database, now: number): number {
    const sql = this.#rows.statements(database);
    let change = 0;
    for (const [key, pending] of this.#pending) {
      if (pending.bad !== null) sql.quarantine.run(pending.bad, now, key);
      if (pending.deleted) {
        change -= sql.remove.run(key);
        continue;
      }
      const encoded = encodeDocument(pending.value);
      if (!('text' in encoded)) {
        this.#disk.onUnsavable(this.name, key, encoded.reason);
        continue;
      }
      const values = [
        pending.dueAt,
        encoded.text,
        documentSum(key, pending.dueAt, encoded.text),
        key,
      ] as const;
      if (pending.onDisk !== false && sql.update.run(...values) > 0) continue;
      sql.insert.run(...values);
      change += 1;
    }
    return change;
  }

  /** The transaction is durable: what was pending is now cached. */
  settle(change: number): void {
    for (const [key, pending] of this.#pending) {
      if (pending.deleted) continue;
      this.#cache.set(key, { value: pending.value as T, dueAt: pending.dueAt });
    }
    this.#trim();
    this.#pending.clear();
    this.#heap.clear();
    this.#rows.settle(this.#inDoubt ? null : change);
    this.#inDoubt = false;
  }

  /** A commit failed in a way that leaves its outcome open, or the connection changed: what is on disk must be asked again. */
  distrust(): void {
    this.#inDoubt = true;
    this.#rows.distrust();
    this.#absent.clear();
    for (const pending of this.#pending.values()) pending.onDisk = null;
  }

  /** The rows on disk are gone: everything still in memory is written again with the next commit. */
  revive(): void {
    for (const [key, { value, dueAt }] of this.#cache) {
      this.#pending.set(key, { value, dueAt, deleted: false, onDisk: null, bad: null });
      if (dueAt !== null) this.#heap.push({ key, dueAt }, this.#pending.size);
    }
    this.#cache.clear();
    for (const pending of this.#pending.values()) pending.bad = null;
    this.distrust();
  }

  #miss(key: string): void {
    // In doubt a row may come back with the next connection.
    if (this.#inDoubt) return;
    if (this.#absent.size >= absentMax) this.#absent.clear();
    this.#absent.add(key);
  }

  #isOnDisk(key: string, pending: Pending<T> | undefined): boolean {
    if (pending?.bad) return true;
    if (pending === undefined && this.#cache.has(key)) return true;
    if (pending?.onDisk != null) return pending.onDisk;
    if (pending === undefined && this.#absent.has(key)) return false;
    const found = this.#rows.has(key);
    if (pending !== undefined) pending.onDisk = found;
    return found;
  }

  /** Decodes a row into the cache, or marks it for the quarantine. */
  #take(row: Row): T | undefined {
    const decoded = decodeDocument(row);
    const key = String(row['key']);
    if (!decoded.ok) {
      this.#pending.set(key, {
        value: undefined,
        dueAt: null,
        deleted: true,
        onDisk: true,
        bad: decoded.reason,
      });
      this.#disk.onBadDocument(this.name, key, decoded.reason);
      return undefined;
    }
    // The one place where text becomes a document: its type is the promise of whoever put it, held by the checksum.
    const value = decoded.value as T;
    this.#cache.set(key, { value, dueAt: decoded.dueAt });
    this.#trim();
    return value;
  }

  #trim(): void {
    let over = this.#cache.size - this.#cacheMax;
    if (over <= 0) return;
    for (const key of this.#cache.keys()) {
      this.#cache.delete(key);
      over -= 1;
      if (over <= 0) return;
    }
  }

  #committedScan(prefix: string, limit: number): readonly { key: string; value: T }[] {
    const found: { key: string; value: T }[] = [];
    if (limit <= 0) return found;
    for (const { key, row } of this.#rows.scan(prefix)) {
      const cached = this.#cache.get(key);
      const value = cached === undefined ? this.#take(row) : cached.value;
      if (value !== undefined) found.push({ key, value });
      if (found.length >= limit) break;
    }
    return found;
  }
}
