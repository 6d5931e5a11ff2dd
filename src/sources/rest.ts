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
import { rotatedName, stemOf } from './rotated.ts';

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
/** Files of one folder that are opened to look at their heads, the last changed first. */
const candidatesMax = 256;
interface Candidate {
  readonly path: string;
  readonly raw: RawPath;
  readonly stat: BigIntStats;
}

/** Looks for the rest of a stream. `taken`: inodes that can't be it, the live file itself and files that have a stream. */
export async function findRest(
  wanted: Wanted,
  folder: FolderView,
  taken: (inode: string) => boolean,
): Promise<Rest | null> {
  for await (const names of likelyFirst(wanted, folder, taken)) {
    for (const candidate of await candidatesOf(folder, names, taken)) {
      const found = await examine(wanted, candidate, folder.remote).catch(() => null);
      if (found !== null) return found;
    }
  }
  return null;
}

/** Most often the file has another name now, or a copy has a name that rotation gives: then nothing else is looked at. */
async function* likelyFirst(
  wanted: Wanted,
  folder: FolderView,
  taken: (inode: string) => boolean,
): AsyncGenerator<readonly Name[]> {
  const inode = inodeName(wanted.id);
  const renamed = taken(inode) ? null : await folder.ofInode(inode);
  if (renamed !== null) yield [renamed];
  const bases = basesOf(wanted.path);
  const begin = [...new Set(bases.flatMap((base) => folder.startingWith(stemOf(base))))];
  const related = begin.filter((name) => bases.some((base) => rotatedName(base, name.text) !== null));
  yield related;
  // Under any other name a short head proves nothing.
  if (wanted.facts.headLength < tellingHeadBytes) return;
  const seen = new Set(renamed === null ? related : [renamed, ...related]);
  yield folder.names.filter((name) => !seen.has(name));
}

/** What lies under these names, the last changed first. */
async function candidatesOf(
  folder: FolderView,
  names: readonly Name[],
  taken: (inode: string) => boolean,
): Promise<Candidate[]> {
  const found: Candidate[] = [];
  for (const name of names) {
    if (name.kind !== 'file') continue;
    const raw = rawPath(folder.dir, name.raw);
    const stat = folder.remote ? await statLater(raw) : statNow(raw);
    if (isFault(stat) || !stat.isFile() || stat.size === 0n || taken(inodeName(stat))) continue;
    found.push({ path: posix.join(folder.dir, name.text), raw, stat });
  }
  found.sort((a, b) => Number(b.stat.ctimeNs - a.stat.ctimeNs));
  return found.slice(0, candidatesMax);
}

async function examine(wanted: Wanted, candidate: Candidate, remote: boolean): Promise<Rest | null> {
  const { facts } = wanted;
  const renamed = isSameFile(candidate.stat, wanted.id);
  if (!renamed && !isTelling(facts)) return null;
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
