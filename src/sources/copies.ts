/**
 * Tells a copy of a log from a log: `cp app.log app.log.1` must not be read a second time. Takes an open file and the streams
 * that run or ended lately; compares names first, since two logs may well begin alike, and then content.
 */
import { compareContent, hashOf, headBytesMax, markerBytesMax, tellingHeadBytes } from './identity.ts';
import { peekFile } from './medium.ts';
import { rotatedName } from './rotated.ts';
import type { OpenFile, Streams } from './streams.ts';
import type { Tail } from './tail.ts';

export interface CopySource {
  /** The stream that is copied, or null where it has ended. */
  readonly tail: Tail | null;
}
export interface CopyQuestion {
  /** The file's own name, which says whether it may be a copy at all; null where that was looked at before. */
  readonly name: string | null;
  /** Streams that are asked before all others, since it lies beside them. */
  readonly near?: readonly Tail[];
  /** The file's own stream. */
  readonly self: Tail | null;
  /** The first bytes, where they were read already. */
  readonly head: Buffer | null;
}

/** The stream that a file is a copy of, or null when it is a log of its own. */
export async function copySource(
  file: OpenFile,
  streams: Streams,
  question: CopyQuestion,
): Promise<CopySource | null> {
  const { name, self, near = [] } = question;
  const size = Number(file.stat.size);
  const head = question.head ?? (await peekFile(file.fd, 0, Math.min(headBytesMax, size)));
  const rest = name === null ? streams.all : originals(name, (one) => streams.byName.get(one));
  for (const other of inOrder(near, rest)) {
    if (other === self || other.copyOf !== null || other.ended) continue;
    if (!mayBeCopy(streams.namesOf(other), name, head.length)) continue;
    if (await isCopyOf(file, size, head, other)) return { tail: other };
  }
  const { ended } = streams;
  for (const { names, facts } of name === null
    ? ended.beginningAs(head)
    : originals(name, (one) => ended.named(one))) {
    if (!mayBeCopy(names, name, head.length)) continue;
    const verdict = await compareContent(facts, size, (at, bytes) => peekFile(file.fd, at, bytes));
    if (verdict !== 'other') return { tail: null };
  }
  return null;
}

function* inOrder<T>(first: Iterable<T>, then: Iterable<T>): Generator<T> {
  yield* first;
  yield* then;
}

/** The streams after which a file of this name may be named: its name begins, or begins and ends, as theirs. */
function originals<T>(name: string, named: (name: string) => Iterable<T> | undefined): Set<T> {
  const found = new Set<T>();
  const endings = [''];
  for (let at = name.indexOf('.'); at >= 0; at = name.indexOf('.', at + 1)) endings.push(name.slice(at));
  for (let length = 1; length < name.length; length++) {
    const beginning = name.slice(0, length);
    for (const ending of endings) {
      for (const one of named(beginning + ending) ?? []) found.add(one);
    }
  }
  return found;
}

function mayBeCopy(originals: ReadonlySet<string>, name: string | null, headLength: number): boolean {
  if (name === null) return true;
  for (const original of originals) {
    const relation = rotatedName(original, name);
    if (relation === 'exact' || (relation === 'stem' && headLength === headBytesMax)) return true;
  }
  return false;
}

async function isCopyOf(file: OpenFile, size: number, head: Buffer, other: Tail): Promise<boolean> {
  await refreshHead(other);
  const known = other.memory.head;
  const length = Math.min(head.length, known.length);
  if (length === 0 || head.compare(known, 0, length, 0, length) !== 0) return false;
  const facts = other.memory.facts(other.offset);
  if (facts.offset > 0) {
    // Shorter: it is still being copied, or the original was read further before it was truncated.
    const verdict = await compareContent(facts, size, (at, bytes) => peekFile(file.fd, at, bytes));
    if (verdict !== 'other') return true;
  }
  // The original was not read that far yet: the ends must agree.
  const fd = other.medium?.fd ?? null;
  if (fd === null) return false;
  // It was truncated before it was read, and nobody has noticed yet: its bytes are in the copy now.
  const first = await peekFile(fd, 0, length);
  if (length >= tellingHeadBytes && known.compare(first, 0, first.length, 0, length) !== 0) return true;
  const from = Math.max(0, size - markerBytesMax);
  const mine = await peekFile(file.fd, from, size - from);
  const theirs = await peekFile(fd, from, size - from);
  return mine.length > 0 && mine.length === theirs.length && hashOf(mine) === hashOf(theirs);
}

/** The head as it is by now, of a file of which nothing was read yet. */
export async function refreshHead(tail: Tail): Promise<void> {
  const fd = tail.medium?.fd ?? null;
  if (fd === null || tail.offset > 0 || tail.memory.head.length >= headBytesMax) return;
  tail.memory.setHead(await peekFile(fd, 0, headBytesMax).catch(() => Buffer.alloc(0)));
}
