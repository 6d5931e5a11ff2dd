/**
 * How a record travels whose sender said more of it than its text: facts, the name of its producer, text, one behind the other in one
 * message of a stream. Written by sources whose senders pack records (an HTTP body), read by `match/`. Control characters part the three:
 * JSON has none of its own, and a name is written without.
 */
import type { FieldValue, Level } from './record.ts';

/** In front of the facts; a message that begins with anything else is text from its first byte on. */
export const factsMark = 0x01;
/** Between the facts and the name of the producer, and between that and the text. */
export const laneMark = 0x02;
export const textMark = 0x03;

/** What a sender says of a record beside its text. */
export interface CarriedFacts {
  /** ms since the epoch, or null. */
  readonly time: number | null;
  readonly level: Level | null;
  readonly fields: Readonly<Record<string, FieldValue>>;
}

/** The bytes in front of a record's text. `lane`: which of the stream's producers it is from; lines of one belong together. */
export function carriedHead(facts: CarriedFacts, lane: string): string {
  const { time, level, fields } = facts;
  return `\u0001${JSON.stringify({ time, level, fields })}\u0002${lane.replace(/[\u0000-\u001f]/g, ' ')}\u0003`;
}
