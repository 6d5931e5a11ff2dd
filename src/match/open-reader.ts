/**
 * Chooses how a stream is read: as plain lines, or unwrapped. With `format: auto` the first lines decide, and later ones may
 * decide anew, since a file may begin with a banner or change its ways. Takes and gives what both readers do.
 */
import type { Format } from '../model/config.ts';
import type { Chunk, SavedPosition } from '../model/seams.ts';
import type { CompiledRules } from './compile.ts';
import { EnvelopedReader } from './enveloped-reader.ts';
import { CarriedEnvelope, FrameUnits } from './formats/carried.ts';
import { CriEnvelope } from './formats/cri.ts';
import { firstLines, formatOf, laterLines } from './formats/detect.ts';
import { DockerEnvelope } from './formats/docker.ts';
import { JournalEnvelope } from './formats/journal.ts';
import { LineFraming } from './formats/line-framing.ts';
import { PrefixEnvelope } from './formats/prefix.ts';
import { SyslogLine, syslogFile } from './formats/syslog.ts';
import { SyslogEnvelope, SyslogUnits } from './formats/syslog-drain.ts';
import { payloadsOf } from './payload.ts';
import { type Reader, type ReaderOptions, type ReadResult, StreamReader } from './reader.ts';
import type { Envelope, Wrapping } from './unwrap.ts';

/** Formats that are not read as plain lines. */
const wrapped: ReadonlySet<string> = new Set([
  'docker',
  'cri',
  'syslog',
  'prefix',
  'journal',
  'json',
  'logfmt',
]);

/** A byte may be spelled in so many (`255,`), and this is for the envelope's own facts. */
const envelopeGrowth = 4;
const envelopeBytes = 256 * 1024;

function envelopeOf(format: Format): Envelope | null {
  if (format === 'docker') return new DockerEnvelope();
  if (format === 'cri') return new CriEnvelope();
  if (format === 'syslog') return new SyslogLine(syslogFile);
  if (format === 'journal') return new JournalEnvelope();
  if (format === 'prefix') return new PrefixEnvelope();
  return null;
}

/** The way to unwrap a stream of lines in a format. */
function wrappingOf(format: Format, declared: Format, maxLineBytes: number): Wrapping {
  return {
    framing: new LineFraming(maxLineBytes),
    envelope: envelopeOf(format),
    // In an envelope, and where nothing was declared, each line may be what it is.
    payloads: payloadsOf(declared === format ? format : 'auto'),
  };
}

/** A reader for a stream; `saved` is what its reader gave before. */
export function openReader(options: ReaderOptions, saved: SavedPosition['reader'] | null): Reader {
  if (options.syslog) return syslogReader(options, options.syslog, saved);
  const { envelope } = options.stream;
  if (envelope === 'carried' || envelope === 'logplex') return messages(options, envelope, saved);
  if (envelope !== undefined) return envelopedStream(options, envelope, saved);
  if (options.format === 'auto') return new AutoReader(options, saved);
  if (!wrapped.has(options.format)) return new StreamReader(options, saved);
  return new EnvelopedReader(
    { ...options, format: innerFormat(options.format) },
    wrappingOf(options.format, options.format, options.maxLineBytes),
    saved,
  );
}

function syslogReader(
  options: ReaderOptions,
  how: NonNullable<ReaderOptions['syslog']>,
  saved: SavedPosition['reader'] | null,
): Reader {
  const wrapping = {
    framing: new SyslogUnits(how),
    envelope: new SyslogEnvelope(how.maxFrameBytes, {
      structured: true,
      joins: how.continuation === 'join',
    }),
    payloads: payloadsOf(options.format),
  };
  return new EnvelopedReader({ ...options, format: innerFormat(options.format) }, wrapping, saved);
}

/** A stream whose source says in what its lines stand. The limit is one of the text inside, which an envelope may spell at length. */
function envelopedStream(
  options: ReaderOptions,
  envelope: 'cri' | 'journal',
  saved: SavedPosition['reader'] | null,
): Reader {
  const wrapping = {
    framing: new LineFraming(options.maxLineBytes * envelopeGrowth + envelopeBytes),
    envelope: envelopeOf(envelope),
    payloads: payloadsOf(options.format),
  };
  return new EnvelopedReader({ ...options, format: innerFormat(options.format) }, wrapping, saved);
}

/** Messages that come one by one, each packed with what is known of it. */
function messages(
  options: ReaderOptions,
  envelope: 'carried' | 'logplex',
  saved: SavedPosition['reader'] | null,
): Reader {
  const wrapping = {
    framing: new FrameUnits(),
    envelope:
      envelope === 'carried'
        ? new CarriedEnvelope()
        : new SyslogEnvelope(options.maxLineBytes, { structured: false }),
    payloads: payloadsOf(options.format),
  };
  return new EnvelopedReader({ ...options, format: innerFormat(options.format) }, wrapping, saved);
}

/** How text inside a format is read. */
function innerFormat(format: Format): Format {
  return wrapped.has(format) ? 'auto' : format;
}

/** Decides by itself. */
class AutoReader implements Reader {
  readonly #options: ReaderOptions;
  #reader: Reader | null = null;
  /** What is read now; `plain` is all that has no envelope. */
  #format: Format = 'plain';
  #saved: SavedPosition['reader'] | null;

  constructor(options: ReaderOptions, saved: SavedPosition['reader'] | null) {
    this.#options = options;
    this.#saved = saved;
    const format = saved?.['format'];
    if (typeof format === 'string' && wrapped.has(format)) this.#become(format as Format);
    else if (saved !== null && saved['midLine'] === true) this.#become('plain');
  }

  read(rules: CompiledRules, chunk: Chunk): ReadResult {
    if (this.#format === 'plain') {
      const lines = this.#reader === null ? firstLines : laterLines;
      const found = formatOf(chunk.data, chunk.end === 'final', lines);
      if (found !== null && found !== 'plain') this.#become(found);
    }
    if (this.#reader === null) this.#become('plain');
    return (this.#reader as Reader).read(rules, chunk);
  }

  get handsOver(): boolean {
    return this.#reader?.handsOver === true;
  }

  saved(): SavedPosition['reader'] {
    const saved = this.#reader?.saved() ?? {};
    return this.#format === 'plain' ? saved : { format: this.#format, ...saved };
  }

  #become(format: Format): void {
    if (this.#reader !== null && format === this.#format) return;
    this.#format = format;
    const options = this.#options;
    // A plain reader in the middle of a line over the limit leaves the rest of it to be passed over.
    const midLine = this.#reader?.saved()['midLine'] === true;
    const saved = midLine ? { midUnit: true } : this.#saved;
    this.#saved = null;
    this.#reader =
      format === 'plain'
        ? new StreamReader(options, saved)
        : new EnvelopedReader(options, wrappingOf(format, 'auto', options.maxLineBytes), saved);
  }
}
