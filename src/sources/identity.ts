/**
 * What makes a file the same file: device, inode, birth time, the hash of its head and the hash of the bytes before the
 * offset. Takes bytes as they are consumed and gives facts that fit into a saved position; tells whether some other bytes
 * begin and go on as these did. Reads nothing by itself.
 */
import { createHash } from 'node:crypto';
import type { BigIntStats } from 'node:fs';
import type { SavedPosition } from '../model/seams.ts';
import { type Inherited, inheritedRecord, parseInherited } from './inherited.ts';

/** Bytes of the head that are hashed; a shorter file is hashed as far as it goes, with its length. */
export const headBytesMax = 1024;
/** Bytes before the offset that are hashed: enough to tell a regrown file from its former self. */
export const markerBytesMax = 256;
const sampleBytes = 32;

/** One file of the disk. */
export interface FileId {
  readonly dev: bigint;
  readonly ino: bigint;
  /** 0 where the file system does not keep it. */
  readonly birthNs: bigint;
}

/** What is known of a stream's content up to `offset`. */
export interface ContentFacts {
  readonly offset: number;
  readonly headLength: number;
  readonly headHash: string;
  /** Where the marker ends: the offset, or a little before it when the offset was committed alone. */
  readonly markerAt: number;
  readonly markerLength: number;
  readonly markerHash: string;
  /** Short hashes of 32 bytes at positions ever farther apart: they tell a file cut shorter from a file begun anew. */
  readonly samples: ReadonlyMap<number, string>;
}

export function fileIdOf(stat: BigIntStats): FileId {
  return { dev: stat.dev, ino: stat.ino, birthNs: stat.birthtimeNs };
}

/** The name of a file among those that exist at the same time. */
export function inodeName(id: { readonly dev: bigint; readonly ino: bigint }): string {
  return `${id.dev}:${id.ino}`;
}

/** The name of a file under which its generations are counted. */
export function generationName(id: FileId): string {
  return `${inodeName(id)}:${id.birthNs}`;
}

/**
 * The key of the stream that a file holds in its n-th generation (a new one begins when its content was replaced). The same
 * facts give the same key, so it is found again after a crash that lost the last commit.
 */
export function streamKey(id: FileId, generation: number): string {
  return `file:${hashOf(Buffer.from(`${id.dev}:${id.ino}:${id.birthNs}:${generation}`), 24)}`;
}

export function hashOf(bytes: Buffer, hexDigits = 32): string {
  return createHash('sha256').update(bytes).digest('hex').slice(0, hexDigits);
}

/** 0, 32, 64, 96, 128, 192, 256, 384 ...: two in each doubling. */
export function nextSampleAt(at: number): number {
  if (at < 2 * sampleBytes) return at + sampleBytes;
  const power = 2 ** Math.floor(Math.log2(at));
  return at === power ? power * 1.5 : power * 2;
}

/** The memory of a stream's content, moved on as bytes are consumed. */
export class ContentMemory {
  #head: Buffer = Buffer.alloc(0);
  #headHash: string | null = null;
  readonly #marker = Buffer.allocUnsafe(markerBytesMax);
  #markerLength = 0;
  #samples: Map<number, string>;
  #samplesText: string | null = null;
  #nextSample = 0;

  constructor(samples: ReadonlyMap<number, string> = new Map()) {
    this.#samples = new Map(samples);
    for (const at of this.#samples.keys()) this.#nextSample = Math.max(this.#nextSample, nextSampleAt(at));
  }

  get head(): Buffer {
    return this.#head;
  }

  /** Sets the head as the file shows it now; it only grows. */
  setHead(head: Buffer): void {
    if (head.length <= this.#head.length && this.#headHash !== null) return;
    this.#head = Buffer.from(head.subarray(0, headBytesMax));
    this.#headHash = null;
  }

  /** Grows the head from bytes that were read at `position`. */
  growHead(bytes: Buffer, position: number): void {
    const have = this.#head.length;
    if (have >= headBytesMax || position > have || position + bytes.length <= have) return;
    const more = bytes.subarray(have - position, have - position + headBytesMax - have);
    this.#head = Buffer.concat([this.#head, more]);
    this.#headHash = null;
  }

  /** Sets the bytes before the offset, where reading begins in the middle. */
  setMarker(before: Buffer): void {
    const bytes = before.subarray(Math.max(0, before.length - markerBytesMax));
    bytes.copy(this.#marker);
    this.#markerLength = bytes.length;
  }

  /** `consumed` bytes from the front of `data`, which begins at `offset`, are behind us now. */
  advance(data: Buffer, consumed: number, offset: number): void {
    if (consumed >= markerBytesMax) {
      data.copy(this.#marker, 0, consumed - markerBytesMax, consumed);
      this.#markerLength = markerBytesMax;
    } else {
      const keep = Math.min(this.#markerLength, markerBytesMax - consumed);
      this.#marker.copy(this.#marker, 0, this.#markerLength - keep, this.#markerLength);
      data.copy(this.#marker, keep, 0, consumed);
      this.#markerLength = keep + consumed;
    }
    const end = offset + consumed;
    while (this.#nextSample + sampleBytes <= end) {
      const from = this.#nextSample - offset;
      if (from >= 0) {
        this.#samples.set(this.#nextSample, hashOf(data.subarray(from, from + sampleBytes), 8));
        this.#samplesText = null;
      }
      this.#nextSample = nextSampleAt(this.#nextSample);
    }
  }

  /** `offset` is below zero where a stream is still in what it inherited: nothing of the file itself is consumed then. */
  facts(position: number): ContentFacts {
    const offset = Math.max(0, position);
    this.#headHash ??= hashOf(this.#head);
    return {
      offset,
      headLength: this.#head.length,
      headHash: this.#headHash,
      markerAt: offset,
      markerLength: this.#markerLength,
      markerHash: hashOf(this.#marker.subarray(0, this.#markerLength)),
      samples: this.#samples,
    };
  }

  samplesText(): string {
    this.#samplesText ??= [...this.#samples].map(([at, hash]) => `${at}:${hash}`).join(',');
    return this.#samplesText;
  }
}

/** What the saved identity of a file holds, parsed. */
export interface SavedIdentity {
  readonly id: FileId;
  readonly inherited: Inherited;
  readonly generation: number;
  readonly facts: ContentFacts;
  /** Read to its end and left: nothing of it needs to be searched for. */
  readonly done: boolean;
  /** The rest of a cut line is to be skipped before anything is delivered. */
  readonly skipLine: boolean;
  /** When its path was last seen to lead to what was then known, ms. */
  readonly seenAt: number;
}

/** A head as long as this proves a content under any name, also where nothing of it was read yet. */
export const tellingHeadBytes = 256;

/**
 * Whether these facts can tell one content from another: it was read to some place, or its head is long enough. The few bytes that
 * a file shows while its first line is being written begin many others too.
 */
export function isTelling(facts: ContentFacts): boolean {
  return facts.headLength >= tellingHeadBytes || (facts.headLength > 0 && facts.offset > 0);
}

/** The identity as it is saved. */
export function identityRecord(
  id: FileId,
  generation: number,
  memory: ContentMemory,
  flags: {
    readonly offset: number;
    readonly done: boolean;
    readonly skipLine: boolean;
    readonly seenAt: number;
    readonly inherited: Inherited;
  },
): Record<string, string | number> {
  const facts = memory.facts(flags.offset);
  return {
    kind: 'file',
    dev: String(id.dev),
    ino: String(id.ino),
    birth: String(id.birthNs),
    generation,
    at: facts.offset,
    headLength: facts.headLength,
    head: facts.headHash,
    markerLength: facts.markerLength,
    marker: facts.markerHash,
    samples: memory.samplesText(),
    done: flags.done ? 1 : 0,
    skipLine: flags.skipLine ? 1 : 0,
    seenAt: flags.seenAt,
    ...inheritedRecord(flags.inherited, flags.offset),
  };
}

/** Reads a saved identity back, or null when it is not one of a file or is damaged. */
export function parseIdentity(position: SavedPosition): SavedIdentity | null {
  const { identity } = position;
  if (identity['kind'] !== 'file') return null;
  try {
    const samples = new Map<number, string>();
    for (const part of String(identity['samples'] ?? '').split(',')) {
      const [at, hash] = part.split(':');
      if (at && hash) samples.set(Number(at), hash);
    }
    // A marker noted for a later offset than the saved one can't be: then it proves nothing.
    const markerAt = Number(identity['at'] ?? 0);
    const inherited = parseInherited(identity);
    const offset = Math.max(0, position.offset - inherited.shift);
    const markerHolds = markerAt <= offset;
    return {
      id: {
        dev: BigInt(identity['dev'] ?? ''),
        ino: BigInt(identity['ino'] ?? ''),
        birthNs: BigInt(identity['birth'] ?? 0),
      },
      generation: Number(identity['generation'] ?? 0),
      inherited,
      facts: {
        offset,
        headLength: Number(identity['headLength'] ?? 0),
        headHash: String(identity['head'] ?? ''),
        markerAt,
        markerLength: markerHolds ? Number(identity['markerLength'] ?? 0) : 0,
        markerHash: String(identity['marker'] ?? ''),
        samples,
      },
      done: identity['done'] === 1,
      skipLine: identity['skipLine'] === 1,
      seenAt: Number(identity['seenAt'] ?? position.updatedAt),
    };
  } catch {
    return null;
  }
}

/** Reads up to `length` bytes at `position`; fewer at the end. */
export type Peek = (position: number, length: number) => Promise<Buffer>;

/**
 * Whether a file of `size` bytes has the content that is remembered: `same` up to the offset, `shorter` where it was cut and
 * what is left is the same, `other` where it is something else.
 */
export async function compareContent(
  facts: ContentFacts,
  size: number,
  peek: Peek,
): Promise<'same' | 'shorter' | 'other'> {
  if (size >= facts.headLength) {
    const head = await peek(0, facts.headLength);
    if (head.length < facts.headLength || hashOf(head) !== facts.headHash) return 'other';
  }
  // A head was seen that is longer than this file: read that far or not, it is not all of it.
  if (size >= facts.offset && size >= facts.headLength) {
    const marker = await peek(facts.markerAt - facts.markerLength, facts.markerLength);
    if (hashOf(marker) !== facts.markerHash && facts.markerLength > 0) return 'other';
    return 'same';
  }
  let proven = size >= facts.headLength && facts.headLength > 0;
  for (const [at, hash] of facts.samples) {
    if (at + sampleBytes > size) continue;
    if (hashOf(await peek(at, sampleBytes), 8) !== hash) return 'other';
    proven = true;
  }
  return proven && size > 0 ? 'shorter' : 'other';
}

/** Up to where a file that was found to be `shorter` is known to be the same. */
export function provenLength(facts: ContentFacts, size: number): number {
  let proven = size >= facts.headLength ? facts.headLength : 0;
  for (const at of facts.samples.keys()) {
    if (at + sampleBytes <= size) proven = Math.max(proven, at + sampleBytes);
  }
  return proven;
}
