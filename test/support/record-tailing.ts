/** A file source whose bytes are read as the pipeline reads them: what comes out are records. Made anew over the same positions, it is a restart. */
import { compileRules } from '../../src/match/compile.ts';
import { openReader } from '../../src/match/open-reader.ts';
import type { Reader } from '../../src/match/reader.ts';
import type { Format, Multiline } from '../../src/model/config.ts';
import type { LogRecord } from '../../src/model/record.ts';
import type { Chunk, SavedPosition } from '../../src/model/seams.ts';
import { rule } from '../match/make-rule.ts';
import { LinePort } from './line-port.ts';
import { type Tailing, type TailingOptions, tail } from './tailing.ts';

/** Every record with anything in it. */
const everything = compileRules([rule('everything', '(?s).')]);

export interface ReadAs {
  readonly format?: Format;
  readonly multiline?: Multiline;
  readonly maxLineBytes?: number;
  readonly tz?: string;
}

export class RecordPort extends LinePort {
  readonly records: LogRecord[] = [];
  readonly #as: ReadAs;
  readonly #readers = new Map<string, Reader>();

  constructor(as: ReadAs, saved: Map<string, SavedPosition> = new Map()) {
    super(saved);
    this.#as = as;
  }

  get messages(): string[] {
    return this.records.map((record) => record.message);
  }

  override take(chunk: Chunk): number {
    const { key } = chunk.stream;
    this.onTake?.(chunk);
    this.chunks.push({ end: chunk.end, bytes: chunk.data.length, at: performance.now() });
    let reader = this.#readers.get(key);
    if (!reader) {
      const { format = 'auto', multiline = 'none', maxLineBytes = 256 * 1024, tz = 'UTC' } = this.#as;
      const options = { stream: chunk.stream, format, multiline, tz, maxLineBytes };
      reader = openReader(options, this.saved.get(key)?.reader ?? null);
      this.#readers.set(key, reader);
    }
    const { consumed, matches, counts } = reader.read(everything, chunk);
    this.records.push(...matches.map((match) => match.record));
    for (const [reason, by] of Object.entries(counts)) if (by > 0) this.count('', reason, by);
    const known = this.saved.get(key);
    if (known) this.saved.set(key, { ...known, offset: chunk.offset + consumed, reader: reader.saved() });
    if (chunk.end === 'final') this.#readers.delete(key);
    return consumed;
  }

  /** Offset and notes move with what was taken; a source that passed over bytes on its own is further. */
  override remember(position: SavedPosition): void {
    const known = this.saved.get(position.key);
    const further = known === undefined || position.offset > known.offset;
    super.remember(further ? position : { ...position, offset: known.offset, reader: known.reader });
  }

  override handOver(from: string, to: string): boolean {
    const reader = this.#readers.get(from);
    const position = this.saved.get(to);
    if (!reader?.handsOver || !position) return false;
    this.saved.set(to, { ...position, reader: reader.saved() });
    this.#readers.delete(from);
    return true;
  }
}

/** Started. */
export async function tailRecords(
  options: TailingOptions,
  as: ReadAs = {},
  saved?: Map<string, SavedPosition>,
): Promise<Tailing & { readonly port: RecordPort }> {
  const port = new RecordPort(as, saved);
  const tailing = await tail({ ...options, port, firstStart: saved === undefined });
  return { ...tailing, port };
}
