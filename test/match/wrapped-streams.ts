/** Streams in envelopes, written by hand, and a reader driven as a source would drive it. */
import { compileRules } from '../../src/match/compile.ts';
import { openReader } from '../../src/match/open-reader.ts';
import { noCounts, type ReadCounts } from '../../src/match/reader.ts';
import type { Format, Multiline } from '../../src/model/config.ts';
import type { RecordMatch } from '../../src/model/match.ts';
import type { Rule } from '../../src/model/rule.ts';
import { stream } from './make-rule.ts';

export const arrival = Date.UTC(2026, 10, 21, 2, 30);

export interface Play {
  readonly format?: Format;
  readonly multiline?: Multiline;
  readonly maxLineBytes?: number;
  /** Places where the bytes are cut into chunks; all at once without. */
  readonly cuts?: readonly number[];
  /** Of those places, the ones where the reader is made anew from what it saved. */
  readonly kills?: ReadonlySet<number>;
}

export interface Played {
  readonly matches: RecordMatch[];
  readonly records: number;
  readonly counts: ReadCounts;
}

/** Feeds bytes in steps: what was not consumed is presented again. The bytes of a chunk are destroyed after the call. */
export function play(rules: readonly Rule[], data: Buffer, how: Play = {}): Played {
  const compiled = compileRules(rules);
  const options = {
    stream,
    tz: 'UTC',
    format: how.format ?? ('auto' as const),
    multiline: how.multiline ?? ('auto' as const),
    maxLineBytes: how.maxLineBytes ?? 256 * 1024,
  };
  let reader = openReader(options, null);
  let offset = 0;
  let records = 0;
  const counts = noCounts();
  const matches: RecordMatch[] = [];
  const read = (upTo: number): void => {
    const last = upTo === data.length;
    const bytes = Buffer.from(data.subarray(offset, upTo));
    const result = reader.read(compiled, {
      stream,
      data: bytes,
      offset,
      end: last ? 'final' : 'more',
      receivedAt: arrival,
    });
    // What is asked later is asked of a record whose bytes are gone.
    bytes.fill(0x21);
    matches.push(...result.matches);
    records += result.records;
    offset += result.consumed;
    for (const key of Object.keys(counts) as (keyof ReadCounts)[]) counts[key] += result.counts[key];
  };
  const kill = (): void => {
    reader = openReader(options, JSON.parse(JSON.stringify(reader.saved())));
  };
  for (const upTo of [...(how.cuts ?? []), data.length]) {
    read(upTo);
    if (upTo === data.length) break;
    if (!how.kills?.has(upTo)) continue;
    kill();
    // And again before it came as far as it had been.
    const part = offset + Math.floor((upTo - offset) * 0.6);
    if (part === offset) continue;
    read(part);
    kill();
  }
  // Which of two producers' records is complete first hangs on the chunks.
  matches.sort((a, b) => a.record.offset - b.record.offset);
  return { matches, records, counts };
}

/** What is compared of a match. */
export function shownOf(match: RecordMatch): unknown {
  const { record } = match;
  return {
    offset: record.offset,
    length: record.length,
    message: record.message,
    trace: record.trace,
    time: record.time,
    level: record.level,
    truncated: record.truncated,
    rules: match.hits.map((hit) => [hit.rule.id, hit.fields]),
  };
}

export type Wrap = (text: string, lane: 'stdout' | 'stderr', second: number) => string;

const stampAt = (second: number): string =>
  `2026-11-21T02:28:${String(second % 60).padStart(2, '0')}.123456789Z`;

/** Envelopes around one line, or around parts of it where it is long. */
export const wraps: Record<string, Wrap> = {
  docker: (text, lane, second) =>
    partsOf(text)
      .map(
        (part, index, all) =>
          `${JSON.stringify({ log: index + 1 === all.length ? `${part}\n` : part, stream: lane, time: stampAt(second) })}\n`,
      )
      .join(''),
  cri: (text, lane, second) =>
    partsOf(text)
      .map(
        (part, index, all) => `${stampAt(second)} ${lane} ${index + 1 === all.length ? 'F' : 'P'} ${part}\n`,
      )
      .join(''),
};

/** Lines of a syslog file: one program's traces stand raw behind its head, the other's lines each have their own. */
wraps['syslog'] = (text, lane, second) =>
  lane === 'stderr' && (text.startsWith(' ') || text.startsWith('Traceback'))
    ? `${text}\n`
    : `Nov 21 02:28:${String(second % 60).padStart(2, '0')} vm ${lane}[12]: ${text}\n`;

/** A runtime cuts long lines. */
function partsOf(text: string): string[] {
  if (text.length <= 60) return [text];
  return [text.slice(0, 40), ...partsOf(text.slice(40))];
}
