/**
 * The stage in front of the index for streams whose lines come in an envelope: a container runtime's, syslog's, a process
 * manager's. It cuts raw bytes into units (lines, frames, datagrams) and tells of each where its inner text is, and which
 * lane it belongs to: one producer within the stream, so that a trace of one process is not cut by lines of another. All of
 * it works on bytes and on one `Unit` that is filled anew for each: nothing is allocated per line. What an envelope says
 * beyond its text is read again, as values, for records that a rule wanted. It knows nothing of rules and records.
 */
import type { FieldValue, Level, SyslogEnvelope } from '../model/record.ts';
import type { PayloadKinds } from './payload.ts';

const nothing: Buffer = Buffer.alloc(0);

/** One physical unit of a chunk. Framing fills the first part, the envelope the second. */
export class Unit {
  /** The unit's bytes in the chunk, without what ends it. */
  from = 0;
  to = 0;
  /** Where the unit after it begins. */
  next = 0;
  /** The unit was over the limit: its head is taken, the rest is left out. */
  cut = false;

  /** Where the inner text stands: in the chunk itself, or in a buffer of the envelope's own that holds until the next unit. */
  text: Buffer = nothing;
  textFrom = 0;
  textTo = 0;
  /** The bytes that name the lane; none: the stream's one lane. */
  laneData: Buffer = nothing;
  laneFrom = 0;
  laneTo = 0;
  /** The inner line is not at its end: the lane's next unit goes on with it. */
  part = false;
  /** The inner text is a whole message: line ends within it are its own. */
  message = false;
  /** It has no envelope, and yet belongs to the lane that is named. */
  bare = false;
  /** It goes on with the open record of its lane, whatever it looks like. */
  joins = false;

  /** It stands in no envelope: all of it is text, of the lane without a name. */
  isText(data: Buffer): void {
    this.text = data;
    this.textFrom = this.from;
    this.textTo = this.to;
    this.laneData = data;
    this.laneFrom = this.laneTo = this.from;
    this.part = this.message = this.bare = this.joins = false;
  }

  /** Lets the bytes of the chunk go: a reader that waits must not keep them. */
  forget(): void {
    this.text = nothing;
    this.laneData = nothing;
  }
}

/** How a chunk is to be cut. */
export interface FramingHow {
  /** An unfinished last unit counts as finished. */
  readonly final: boolean;
  /** Ends of messages inside the data, for sources that know them (datagrams); null where the bytes are a stream. */
  readonly frames: ArrayLike<number> | null;
}

/** Cuts bytes into units. Sees each byte of a stream once, in order; may keep what it learned of the stream's ways. */
export interface Framing {
  /** Fills `from`, `to`, `next` and `cut` for the unit at `at`; false where it is not there as a whole yet. */
  next(data: Buffer, at: number, unit: Unit, how: FramingHow): boolean;
  /** The unit that comes next begins in the middle of one over the limit, which is to be passed over. Plain data for the state. */
  midUnit: boolean;
}

/** What an envelope says of its line, as values. */
export interface EnvelopeFacts {
  /** ms since the epoch, or null. */
  readonly time: number | null;
  readonly level: Level | null;
  readonly fields: Readonly<Record<string, FieldValue>>;
  readonly syslog: SyslogEnvelope | null;
}

/** What an envelope needs to know to read times. */
export interface EnvelopeContext {
  /** IANA zone for stamps without one. */
  readonly tz: string;
  readonly receivedAt: number;
}

/** Takes the envelope off one unit. */
export interface Envelope {
  /** Its name as a format. */
  readonly name: string;
  /** A unit without this envelope goes on with the lane of the one before it: its sender wrote a text of several lines. */
  readonly goesOn?: boolean;
  /** Its writer begins a new file between any two units: what is open at the end of one file goes on in the next. */
  readonly rotatesAnywhere?: boolean;
  /**
   * Fills the second part of the unit from its bytes; false where they are no such envelope, and nothing is to be relied on.
   * Must be cheap: every unit of every stream passes here.
   */
  read(data: Buffer, unit: Unit): boolean;
  /** The facts of a unit that `read` said yes to; `data` from `from` to `to` are its bytes. */
  facts(data: Buffer, from: number, to: number, context: EnvelopeContext): EnvelopeFacts;
  /** Lets the bytes of the chunk go, where it keeps hold of them. */
  forget?(): void;
}

/** How the units of a stream are found and unwrapped. */
export interface Wrapping {
  readonly framing: Framing;
  /** Null: lines without an envelope. */
  readonly envelope: Envelope | null;
  readonly payloads: PayloadKinds;
}
