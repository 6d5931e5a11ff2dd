/**
 * Finds the unread rest of a stream whose file is no longer at its path: renamed, copied before a truncation, or compressed.
 * Takes what is remembered of the content and the names in a folder; gives an open medium that stands at the offset. Tells
 * apart by content, never by name alone.
 */
import type { BigIntStats } from 'node:fs';
import { posix } from 'node:path';
import {
  closeQuietly,
  isFault,
  type Name,
  openLater,
  openNow,
  type RawPath,
  rawPath,
  statLater,
  statNow,
} from './disk.ts';
import { basesOf } from './files.ts';
import type { FolderView } from './folder-view.ts';
import {
  type ContentFacts,
  compareContent,
  type FileId,
  fileIdOf,
  hashOf,
  headBytesMax,
  inodeName,
  isTelling,
  markerBytesMax,
  tellingHeadBytes,
} from './identity.ts';
import { compressionOf, FileMedium, GzipMedium, gzipHead, type Medium, peekFile } from './medium.ts';
import { rotatedName } from './rotated.ts';

export interface Wanted {
  readonly path: string;
  readonly id: FileId;
  readonly facts: ContentFacts;
}
export interface Rest {
  /** `renamed`: the same file. `copy`: a copy of its content. `gzip`: a compressed one. */
  readonly how: 'renamed' | 'copy' | 'gzip';
  readonly path: string;
  readonly id: FileId;
  readonly medium: Medium;
  /** The first bytes of the content. */
  readonly head: Buffer;
  /** Bytes before the offset. */
  readonly before: Buffer;
  /** Size of the file, or null where it is compressed. */
  readonly size: number | null;
}
/** With the names that rotated files of the path are named after. */
interface Asking extends Wanted {
  readonly bases: readonly string[];
}
/** Files of one folder that are opened to look at their heads, the last changed first. */
const candidatesMax = 256;
interface Candidate {
  readonly path: string;
  readonly raw: RawPath;
  readonly stat: BigIntStats;
  readonly related: boolean;
}

/** Looks for the rest of a stream. `taken`: inodes that can't be it, the live file itself and files that have a stream. */
export async function findRest(
  wanted: Wanted,
  folder: FolderView,
  taken: (inode: string) => boolean,
): Promise<Rest | null> {
  const inode = inodeName(wanted.id);
  const asking = { ...wanted, bases: basesOf(wanted.path) };
  // Most often the file itself has another name now: then the others need not be looked at.
  const renamed = taken(inode) ? null : await folder.ofInode(inode);
  const itself = renamed === null ? null : await candidateOf(asking, folder, renamed, taken);
  const found = itself === null ? null : await examine(wanted, itself, folder.remote).catch(() => null);
  if (found?.how === 'renamed') return found;
  found?.medium.close();
  const candidates = await listCandidates(asking, folder, taken);
  for (const candidate of candidates) {
    const found = await examine(wanted, candidate, folder.remote).catch(() => null);
    if (found !== null) return found;
  }
  return null;
}

async function listCandidates(
  wanted: Asking,
  folder: FolderView,
  taken: (inode: string) => boolean,
): Promise<Candidate[]> {
  const found: Candidate[] = [];
  for (const name of folder.names) {
    const candidate = await candidateOf(wanted, folder, name, taken);
    if (candidate !== null) found.push(candidate);
  }
  const same = inodeName(wanted.id);
  const rank = (c: Candidate): number => (inodeName(c.stat) === same ? 0 : c.related ? 1 : 2);
  found.sort((a, b) => rank(a) - rank(b) || Number(b.stat.ctimeNs - a.stat.ctimeNs));
  return found.slice(0, candidatesMax);
}

async function candidateOf(
  wanted: Asking,
  folder: FolderView,
  name: Name,
  taken: (inode: string) => boolean,
): Promise<Candidate | null> {
  if (name.kind !== 'file') return null;
  const raw = rawPath(folder.dir, name.raw);
  const stat = folder.remote ? await statLater(raw) : statNow(raw);
  if (isFault(stat) || !stat.isFile() || stat.size === 0n || taken(inodeName(stat))) return null;
  const related = wanted.bases.some((base) => rotatedName(base, name.text) !== null);
  return { path: posix.join(folder.dir, name.text), raw, stat, related };
}

async function examine(wanted: Wanted, candidate: Candidate, remote: boolean): Promise<Rest | null> {
  const { facts } = wanted;
  const renamed = isSameFile(candidate.stat, wanted.id);
  // A copy with a short head needs a name that rotation gives.
  const likely = facts.headLength >= tellingHeadBytes || (candidate.related && isTelling(facts));
  if (!renamed && !likely) return null;
  const fd = remote ? await openLater(candidate.raw) : openNow(candidate.raw);
  let keep = false;
  try {
    const id = fileIdOf(candidate.stat);
    const base = { path: candidate.path, id };
    if (compressionOf(await peekFile(fd, 0, 8)) === 'gzip') {
      return await examineGzip(facts, candidate, fd, id);
    }
    const size = Number(candidate.stat.size);
    const verdict = await compareContent(facts, size, (position, length) => peekFile(fd, position, length));
    if (verdict !== 'same') return null;
    const from = Math.max(0, facts.offset - markerBytesMax);
    const before = await peekFile(fd, from, facts.offset - from);
    const head = await peekFile(fd, 0, headBytesMax);
    keep = true;
    return { ...base, how: renamed ? 'renamed' : 'copy', medium: new FileMedium(fd), head, before, size };
  } finally {
    if (!keep) closeQuietly(fd);
  }
}

async function examineGzip(
  facts: ContentFacts,
  candidate: Candidate,
  fd: number,
  id: FileId,
): Promise<Rest | null> {
  const head = await gzipHead(fd);
  if (head === null || head.length < facts.headLength) return null;
  if (hashOf(head.subarray(0, facts.headLength)) !== facts.headHash) return null;
  const medium = new GzipMedium(candidate.raw);
  try {
    const marked = await medium.skipTo(facts.markerAt);
    const marker = marked.before.subarray(Math.max(0, marked.before.length - facts.markerLength));
    const holds = facts.markerLength === 0 || hashOf(marker) === facts.markerHash;
    const { reached, before } = await medium.skipTo(facts.offset);
    if (reached && holds) return { how: 'gzip', path: candidate.path, id, medium, head, before, size: null };
  } catch {
    // A damaged or half written archive: not the one, or not yet.
  }
  medium.close();
  return null;
}

/** The inode alone may have been given to another file by now; the birth time tells, where there is one. */
function isSameFile(stat: BigIntStats, id: FileId): boolean {
  if (inodeName(stat) !== inodeName(id)) return false;
  return stat.birthtimeNs === id.birthNs || stat.birthtimeNs === 0n || id.birthNs === 0n;
}
