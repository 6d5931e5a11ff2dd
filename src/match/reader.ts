/**
 * Reads one stream: bytes in, the records that rules want out, with everything a match needs. It keeps what a stream needs
 * between chunks (an open record, the rest of a line over the limit, a few lines of context) and says how many bytes are
 * done; the source presents the rest again. It never looks at the clock and does no I/O.
 */
import type { Format, Multiline, SyslogContinuation, SyslogFraming } from '../model/config.ts';
import type { RecordMatch, RuleHit } from '../model/match.ts';
import type { StreamInfo } from '../model/record.ts';
import type { Chunk, SavedPosition } from '../model/seams.ts';
import { headOf } from './celery.ts';
import { cleanText, isClean, leadingNuls, markLength } from './clean.ts';
import type { CompiledRules } from './compile.ts';
import { comesFrom } from './conditions.ts';
import { ContextLines, linesAfter } from './context-lines.ts';
import { hitsOf } from './hits.ts';
import { RecordIndex } from './index-records.ts';
import { freshScan, type ScanState, scanRecords } from './scanner.ts';
import { RecordSubject } from './subject.ts';

export interface ReaderOptions {
  readonly stream: StreamInfo;
  readonly format: Format;
  readonly multiline: Multiline;
  /** IANA zone for stamps without one. */
  readonly tz: string;
  readonly maxLineBytes: number;
  /** The stream is a connection or a sender of syslog. */
  readonly syslog?: {
    readonly framing: SyslogFraming;
    readonly continuation?: SyslogContinuation;
    readonly maxFrameBytes: number;
  } | null;
}

export interface ReadCounts {
  /** Lines over the limit: their heads were read, the rest was left out. */
  truncatedLines: number;
  /** Bytes in runs of NUL at the heads of lines, left out. */
  nulBytes: number;
  /** Blocks with invalid UTF-8, which was read as U+FFFD. */
  invalidUtf8: number;
  /** Blocks that had to be cleaned before they could be tested. */
  slowBlocks: number;
  /** Sets that RE2 could not run, and which were cut in two. */
  setFallbacks: number;
  /** Lines that are not what their stream's format says: they were read as text. */
  unparsed: number;
}

/** Counts before anything was read. */
export function noCounts(): ReadCounts {
  return { truncatedLines: 0, nulBytes: 0, invalidUtf8: 0, slowBlocks: 0, setFallbacks: 0, unparsed: 0 };
}

export interface ReadResult {
  /** Bytes done, from the front of the chunk. */
  readonly consumed: number;
  /** Records in those bytes. */
  readonly records: number;
  /** Time of the newest record, ms, or null where none has one. */
  readonly newestTime: number | null;
  readonly matches: readonly RecordMatch[];
  readonly counts: ReadCounts;
}

/** Records at the end of a chunk that are asked for the newest time. */
const timeSamples = 4;
/** With so many bytes at hand a record waits no longer for lines behind it. */
export const fullBytes = 512 * 1024;
/** Bytes of a line in which its time is looked for. */
const headBytes = 512;

/** What reads a stream. Of the two kinds `open-reader.ts` takes the one that a stream needs. */
export interface Reader {
  /** Reads the next bytes. The same bytes may come again with more behind them; they have effects once. */
  read(rules: CompiledRules, chunk: Chunk): ReadResult;
  /** What a later reader needs to go on behind the consumed bytes. */
  saved(): SavedPosition['reader'];
  /** Whether what is open at the end of a file may go on in the next one: its writer rotates wherever its limit is reached. */
  readonly handsOver: boolean;
}

export class StreamReader implements Reader {
  /** Who writes plain lines rotates between records. */
  readonly handsOver = false;
  readonly #options: ReaderOptions;
  readonly #index: RecordIndex;
  #scan: ScanState = freshScan();
  #context: ContextLines | null = null;
  #midLine: boolean;
  /** Where the next chunk must begin for what is remembered to hold. */
  #expected = -1;
  #rules: CompiledRules | null = null;
  #allowed: readonly boolean[] = [];
  #fallbacksSeen = 0;

  /** `saved`: what `saved()` gave at the offset where reading goes on, or null. */
  constructor(options: ReaderOptions, saved: SavedPosition['reader'] | null) {
    this.#options = options;
    this.#index = new RecordIndex(options);
    this.#midLine = saved?.['midLine'] === true;
    if (typeof saved?.['starts'] === 'string') this.#index.remember(saved['starts']);
    if (saved && typeof saved['trace'] === 'number') {
      this.#index.inherit({
        header: saved['header'] === true,
        hadTrace: saved['hadTrace'] === true,
        trace: saved['trace'],
      });
    }
  }

  /** What a later reader needs to go on behind the consumed bytes. */
  saved(): SavedPosition['reader'] {
    const { inherited, learned } = this.#index;
    return {
      ...(this.#midLine ? { midLine: true } : {}),
      ...(learned === null ? {} : { starts: learned }),
      ...(inherited ?? {}),
    };
  }

  /** Reads the next bytes. The same bytes may come again with more behind them; they have effects once. */
  read(rules: CompiledRules, chunk: Chunk): ReadResult {
    this.#use(rules);
    const counts = noCounts();
    if (this.#expected >= 0 && chunk.offset !== this.#expected) this.#startOver();
    if (this.#expected < 0 && chunk.before) this.#context?.lead(chunk.before, chunk.offset);
    let skipped = 0;
    if (this.#midLine) {
      const end = chunk.data.indexOf(0x0a);
      skipped = end < 0 ? chunk.data.length : end + 1;
      if (end >= 0 || chunk.end === 'final') this.#midLine = false;
    }
    const data = skipped === 0 ? chunk.data : chunk.data.subarray(skipped);
    const offset = chunk.offset + skipped;
    const read = this.#records(rules, data, offset, chunk, counts);
    const consumed = skipped + read.consumed;
    this.#expected = chunk.offset + consumed;
    return { ...read, consumed, counts };
  }

  #startOver(): void {
    this.#index.close();
    this.#midLine = false;
  }

  #use(rules: CompiledRules): void {
    if (this.#rules === rules) return;
    this.#rules = rules;
    this.#allowed = rules.entries.map((entry) => comesFrom(entry.conditions.from, this.#options.stream));
    this.#context = new ContextLines(this.#options.format, rules.before);
    this.#scan = freshScan();
    this.#fallbacksSeen = rules.test.fallbacks;
  }

  #records(
    rules: CompiledRules,
    data: Buffer,
    offset: number,
    chunk: Chunk,
    counts: ReadCounts,
  ): Omit<ReadResult, 'counts'> {
    const index = this.#index;
    const textStart = offset === 0 ? markLength(data) : 0;
    index.read(data, textStart, {
      final: chunk.end === 'final',
      waiting: chunk.end === 'more',
      receivedAt: chunk.receivedAt,
    });
    const count = chunk.end === 'more' ? this.#told(rules, data) : index.count;
    // Blank lines in front belong to nobody; those behind a record belong to it.
    const consumed = count < index.count ? (index.starts[count] ?? 0) : index.scanned;
    if (index.hasNul(data, consumed)) counts.nulBytes += leadingNuls(data.subarray(0, consumed));
    for (const cut of index.cuts.keys()) if (cut < count) counts.truncatedLines++;
    const matches = this.#matches(rules, data, count, textStart, offset, chunk, counts);
    const newestTime = this.#newestTime(data, count, chunk.receivedAt);
    this.#afterwards(chunk, data, offset, consumed);
    return { consumed, records: count, newestTime, matches };
  }

  /** Records that are complete and, where a rule wants lines behind its record, have them; a full buffer waits for nothing. */
  #told(rules: CompiledRules, data: Buffer): number {
    const { complete } = this.#index;
    return rules.after === 0 || data.length > fullBytes ? complete : Math.max(0, complete - rules.after);
  }

  #afterwards(chunk: Chunk, data: Buffer, offset: number, consumed: number): void {
    const index = this.#index;
    this.#context?.end(offset, consumed);
    this.#midLine ||= index.midLine && chunk.end !== 'final';
    index.midLine = false;
    // Records that wait for the lines behind them are read again with those.
    if (chunk.end === 'more' && (this.#rules?.after ?? 0) > 0 && !this.#midLine) index.close();
    else if (chunk.end === 'more') index.resume(index.scanned - consumed);
    else if (this.#midLine) index.resume(data.length - consumed);
    else index.close();
  }

  #matches(
    rules: CompiledRules,
    data: Buffer,
    count: number,
    textStart: number,
    offset: number,
    chunk: Chunk,
    counts: ReadCounts,
  ): RecordMatch[] {
    const matches: RecordMatch[] = [];
    if (count === 0 || rules.entries.length === 0) return matches;
    const { starts, cuts } = this.#index;
    const context = { ...this.#options, receivedAt: chunk.receivedAt };
    this.#context?.begin(data, offset);
    const scanCounts = { slowBlocks: 0, invalidBlocks: 0 };
    const look = (record: number, clean: boolean): boolean => {
      const start = starts[record] ?? 0;
      const cut = cuts.get(record);
      const end = starts[record + 1] ?? 0;
      const from = record === 0 && start === 0 ? textStart : start;
      const text = recordText(data, from, cut ?? end, clean);
      // Clean bytes are the text; what stands behind it are line ends.
      const bytes = clean ? data.subarray(from, from + Buffer.byteLength(text)) : null;
      const subject = new RecordSubject(text, bytes, context);
      const hits = hitsOf(rules, subject, this.#allowed);
      if (hits.length === 0) return false;
      const built = subject.record({
        offset: offset + start,
        length: end - start,
        truncated: cut !== undefined,
        before: this.#context?.before(start, subject.head.process) ?? (() => []),
        after: this.#after(rules, data, end),
      });
      matches.push({
        record: built,
        hits: hits.map(
          ({ entry, captures }): RuleHit => ({
            rule: entry.rule,
            role: entry.role,
            fields: subject.fieldsOf(captures),
          }),
        ),
      });
      return true;
    };
    this.#scanAround(rules, data, count, textStart, scanCounts, look);
    counts.slowBlocks += scanCounts.slowBlocks;
    counts.invalidUtf8 += scanCounts.invalidBlocks;
    counts.setFallbacks += rules.test.fallbacks - this.#fallbacksSeen;
    this.#fallbacksSeen = rules.test.fallbacks;
    return matches;
  }

  /** The bytes are gone when the lines are asked for: they are taken now, where a rule wants them at all. */
  #after(rules: CompiledRules, data: Buffer, end: number): () => readonly string[] {
    if (rules.after === 0) return () => [];
    const lines = linesAfter(data, end, this.#index.scanned, rules.after);
    return () => lines;
  }

  /** Cut records are looked at in any case: where they end, a block does not. */
  #scanAround(
    rules: CompiledRules,
    data: Buffer,
    count: number,
    textStart: number,
    counts: { slowBlocks: number; invalidBlocks: number },
    look: (record: number, clean: boolean) => boolean,
  ): void {
    const { starts, cuts } = this.#index;
    let looked = -1;
    const once = (record: number, clean: boolean): boolean => {
      for (const cut of cuts.keys()) {
        if (cut > looked && cut < record) {
          look(cut, false);
          looked = cut;
        }
      }
      if (record <= looked) return false;
      looked = record;
      return look(record, clean && !cuts.has(record));
    };
    const isText = (from: number, to: number): boolean =>
      this.#index.isPlain(from, to) || isClean(data.subarray(from, to));
    scanRecords(rules, { data, starts, count, textStart, isText }, this.#scan, counts, once);
    for (const cut of cuts.keys()) if (cut > looked && cut < count) once(cut, false);
  }

  #newestTime(data: Buffer, count: number, receivedAt: number): number | null {
    const { starts } = this.#index;
    let newest: number | null = null;
    for (let record = count - 1; record >= Math.max(0, count - timeSamples); record--) {
      const start = starts[record] ?? 0;
      const end = Math.min(starts[record + 1] ?? 0, start + headBytes);
      const text = cleanText(data, start, end);
      const { time } = headOf(text, this.#options.format, this.#options.tz, receivedAt);
      if (time !== null && (newest === null || time > newest)) newest = time;
    }
    return newest;
  }
}

/** The text of a record, without the line ends behind it. */
function recordText(data: Buffer, start: number, end: number, clean: boolean): string {
  let to = end;
  if (clean) {
    while (to > start && data[to - 1] === 0x0a) to--;
    return data.toString('utf8', start, to);
  }
  const text = cleanText(data, start, end);
  to = text.length;
  while (to > 0 && text.charCodeAt(to - 1) === 0x0a) to--;
  return to === text.length ? text : text.slice(0, to);
}
