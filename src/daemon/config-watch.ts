/**
 * Notices that a file of the configuration changed: any file, glob or secret that the last load asked for, whether that load was
 * accepted or not. It looks at their contents, since events are missed on network mounts and on the swaps of a ConfigMap. An edit
 * is taken up when the files have stayed the same for a second, so that a half-written one is not.
 */
import { createHash } from 'node:crypto';
import type { ConfigFiles, ReadResult } from '../config/files.ts';
import type { Clock } from '../model/seams.ts';

/** Time between two looks. */
const lookMs = 500;
/** So many looks in a row must see the same. */
const sameLooks = 2;

export interface WatchedFiles extends ConfigFiles {
  /** Forgets what was asked for until now: a load begins. */
  begin(): void;
  /** A hash over all that was asked for, as the load saw it. */
  seen(): string;
  /** The same hash over what is there now. */
  now(): string;
}

/** Files that remember what was asked of them. Texts of secrets are kept as a hash only, like all others. */
export function watchedFiles(files: ConfigFiles): WatchedFiles {
  let asked = new Map<string, { readonly was: string; readonly is: () => string }>();
  const note = (what: string, was: string, is: () => string): void => {
    if (!asked.has(what)) asked.set(what, { was, is });
  };
  const read = (path: string, within?: string | null): ReadResult => {
    const result = files.read(path, within);
    note(`file ${path}`, hashOfRead(result), () => hashOfRead(files.read(path, within)));
    return result;
  };
  return {
    read,
    readSecret(path) {
      const result = files.readSecret(path);
      note(`secret ${path}`, hashOfRead(result), () => hashOfRead(files.readSecret(path)));
      return result;
    },
    glob(pattern) {
      const paths = files.glob(pattern);
      note(`glob ${pattern}`, paths.join('\n'), () => files.glob(pattern).join('\n'));
      return paths;
    },
    begin() {
      asked = new Map();
    },
    seen: () => hashOf([...asked].map(([what, { was }]) => `${what}\u0000${was}`)),
    now: () => hashOf([...asked].map(([what, { is }]) => `${what}\u0000${is()}`)),
  };
}

function hashOfRead(result: ReadResult): string {
  return result.ok ? hashOf([result.text]) : `unreadable ${result.code}`;
}

function hashOf(texts: readonly string[]): string {
  const hash = createHash('sha256');
  for (const text of texts) hash.update(text).update('\u0001');
  return hash.digest('hex');
}

export interface ConfigWatchOptions {
  readonly files: WatchedFiles;
  readonly clock: Clock;
  /** Loads again; `files` was begun anew when it resolves. */
  readonly changed: () => Promise<unknown>;
}

/** Looks until closed. */
export function watchConfig({ files, clock, changed }: ConfigWatchOptions): { close(): void } {
  let closed = false;
  let timer: { cancel(): void } | null = null;
  let pending: string | null = null;
  let same = 0;
  const look = async (): Promise<void> => {
    const now = files.now();
    if (now === files.seen()) {
      pending = null;
    } else if (now !== pending) {
      pending = now;
      same = 0;
    } else {
      same++;
      if (same >= sameLooks) {
        pending = null;
        await changed();
      }
    }
    if (!closed) timer = clock.setTimer(lookMs, () => void look());
  };
  timer = clock.setTimer(lookMs, () => void look());
  return {
    close: () => {
      closed = true;
      timer?.cancel();
    },
  };
}
