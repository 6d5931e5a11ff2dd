/**
 * What the head of a record says, whatever the format: the facts that stand before or around its message. A value; formats make
 * it, records and fields are made from it.
 */
import type { Fields, Level } from '../model/record.ts';

export interface Head {
  /** Characters of the header that the format takes off; 0 where there is none. */
  readonly length: number;
  readonly time: number | null;
  readonly level: Level | null;
  /** The time says its own zone. */
  readonly zoned: boolean;
  /** Celery's process name, or null. */
  readonly process: string | null;
  /** More fields that the format found, or null. */
  readonly fields: Fields | null;
  /** The message where it is not the text behind the header: of a JSON line, say. Null: it is. */
  readonly message: string | null;
  /** The trace where the format has it apart from the message; empty: it may stand in the message. */
  readonly trace: string;
}

/** A head that says nothing; a format puts over it what it found. */
export const noHead: Head = {
  length: 0,
  time: null,
  zoned: false,
  level: null,
  process: null,
  fields: null,
  message: null,
  trace: '',
};
