/**
 * The first look into a file, before anything of it is delivered: whether it is a log at all, a copy of one that is read
 * already, or begins with a hole. Takes a stream that stands at its beginning; moves it to where its own content begins, or
 * marks it as not to be read.
 */
import { posix } from 'node:path';
import type { FileSourceConfig } from '../model/config.ts';
import type { SourcePort } from '../model/seams.ts';
import { copySource } from './copies.ts';
import { isFault } from './disk.ts';
import { fstatOf } from './files.ts';
import { headBytesMax, markerBytesMax } from './identity.ts';
import { compressionOf, isUtf16, peekFile } from './medium.ts';
import type { Streams } from './streams.ts';
import type { Tail } from './tail.ts';

/** A hole at the front of a file is passed over in steps of this. */
const holeStepBytes = 1024 * 1024;
const zeros = Buffer.alloc(64 * 1024);

export interface FirstLookDeps {
  readonly config: FileSourceConfig;
  readonly deps: { readonly port: SourcePort };
  readonly streams: () => Streams;
  readonly problem: (path: string, text: string | null) => void;
}

export class FirstLook {
  readonly #with: FirstLookDeps;

  constructor(deps: FirstLookDeps) {
    this.#with = deps;
  }

  /** The first bytes tell whether it is a log at all, a copy of one that is read already, or begins with a hole. */
  async lookInto(tail: Tail): Promise<void> {
    const fd = tail.medium?.fd ?? null;
    if (fd === null) {
      tail.fresh = false;
      return;
    }
    const stat = await fstatOf(fd, tail.remote);
    const known = tail.memory.head;
    if (isFault(stat) || (stat.size === 0n && known.length === 0)) return;
    const { config, deps } = this.#with;
    const head = await peekFile(fd, 0, headBytesMax);
    if (!known.equals(head.subarray(0, known.length))) {
      // Emptied or begun anew since it was opened: reading finds so, and what it held is searched in its copies.
      tail.fresh = false;
      return;
    }
    if (compressionOf(head) !== null) {
      tail.ignored = 'compressed';
      tail.fresh = false;
      deps.port.count(config.name, 'compressed_skipped', 1);
      return;
    }
    const file = { fd, stat, path: tail.path, remote: tail.remote };
    const question = { name: nameOf(tail), self: tail, head };
    const source = await copySource(file, this.#with.streams(), question);
    tail.fresh = false;
    if (source !== null) {
      tail.copyOf = source.tail;
      await this.#skipCopied(tail, Number(stat.size));
      return;
    }
    tail.memory.setHead(head);
    if (head[0] === 0) await this.#skipHole(tail, fd, Number(stat.size));
  }

  /** Says so where the text can't be read, for as long as it can't: before the first line, wherever reading begins. */
  async checkEncoding(tail: Tail): Promise<void> {
    const fd = tail.medium?.fd ?? null;
    if (tail.ignored === 'utf-16') {
      if (fd === null || isUtf16(await peekFile(fd, 0, 2))) return;
      // Begun anew by somebody who knows better: reading finds by itself that it is another content.
      this.forget(tail);
      tail.ignored = null;
    } else if (tail.ignored === null && isUtf16(tail.memory.head)) {
      tail.ignored = 'utf-16';
      this.#with.problem(
        tail.path,
        `${tail.path}: unsupported encoding UTF-16, nothing of it is read; have it written as UTF-8, or put it into exclude`,
      );
    }
  }

  /** What was said of this stream is over. */
  forget(tail: Tail): void {
    if (tail.ignored === 'utf-16') this.#with.problem(tail.path, null);
  }

  /** A copy that still grows is being written by `cp`; once its original is gone, what comes is its own. */
  async follow(tail: Tail): Promise<void> {
    const fd = tail.medium?.fd ?? null;
    const original = tail.copyOf;
    if (fd === null || original === null) return;
    const stat = await fstatOf(fd, tail.remote);
    if (isFault(stat)) return;
    const size = Number(stat.size);
    if (size <= tail.offset) return;
    const file = { fd, stat, path: tail.path, remote: tail.remote };
    const source = await copySource(file, this.#with.streams(), {
      name: nameOf(tail),
      self: tail,
      head: null,
    });
    tail.copyOf = source?.tail ?? null;
    if (source !== null) await this.#skipCopied(tail, size);
  }

  async #skipCopied(tail: Tail, size: number): Promise<void> {
    const fd = tail.medium?.fd ?? null;
    if (fd === null) return;
    tail.memory.setHead(await peekFile(fd, 0, headBytesMax));
    tail.skipTo(size, await peekFile(fd, Math.max(0, size - markerBytesMax), Math.min(markerBytesMax, size)));
    tail.remember();
  }

  async #skipHole(tail: Tail, fd: number, size: number): Promise<void> {
    let at = 0;
    while (at < size && !tail.ended) {
      const bytes = await peekFile(fd, at, Math.min(holeStepBytes, size - at));
      if (bytes.length === 0) break;
      if (isHole(bytes)) {
        at += bytes.length;
        continue;
      }
      let first = 0;
      while (bytes[first] === 0) first++;
      at += first;
      break;
    }
    if (at === 0) return;
    const { config, deps } = this.#with;
    deps.port.count(config.name, 'nul_bytes', at);
    tail.memory.setHead(await peekFile(fd, 0, headBytesMax));
    tail.skipTo(at, Buffer.alloc(Math.min(markerBytesMax, at)));
    tail.remember();
  }
}

/** The name that says what the file may be a copy of; one that lost its name has another by now, or none. */
function nameOf(tail: Tail): string | null {
  return tail.lostNameAt === null ? posix.basename(tail.path) : null;
}

/** Whether bytes are nothing but NUL: a hole. */
function isHole(bytes: Buffer): boolean {
  for (let at = 0; at < bytes.length; at += zeros.length) {
    const part = bytes.subarray(at, at + zeros.length);
    if (part.compare(zeros, 0, part.length) !== 0) return false;
  }
  return true;
}
