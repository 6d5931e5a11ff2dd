/**
 * What a body becomes before it is matched: lines as they came, or messages one behind the other with the places where they end. A body
 * that is nothing of the kind is a refusal, with the sentence that its sender reads.
 */
import { type CarriedFacts, carriedHead, factsMark } from '../model/carried.ts';

/** The records of one body. */
export interface Batch {
  /** In what each message stands; null: lines, as a file has them. */
  readonly envelope: 'carried' | 'logplex' | null;
  /** Lines end with a line feed, the last one too. */
  readonly data: Buffer;
  /** Where messages end in `data`; null for lines. */
  readonly frames: Int32Array | null;
  readonly records: number;
  /** What was odd about it, by reason. */
  readonly counts: Readonly<Record<string, number>>;
}

/** Why a body is not taken: the status of the answer, and what to do about it. */
export interface Refusal {
  readonly status: number;
  readonly message: string;
}

export function isRefusal(found: Batch | Refusal): found is Refusal {
  return 'status' in found;
}

export const emptyBatch: Batch = {
  envelope: null,
  data: Buffer.alloc(0),
  frames: null,
  records: 0,
  counts: {},
};

/** Bytes that a batch begins with. */
const firstBytes = 16 * 1024;

/** Packs records behind one another. */
export class BatchWriter {
  #data = Buffer.allocUnsafe(firstBytes);
  #used = 0;
  #frames: Int32Array<ArrayBuffer> = new Int32Array(64);
  #records = 0;

  /** A record whose sender said more than its text. */
  record(facts: CarriedFacts, lane: string, text: string): void {
    this.#text(carriedHead(facts, lane));
    this.#text(text);
    this.#end();
  }

  /** A record that is text alone, or a JSON line. */
  bytes(data: Buffer, from: number, to: number): void {
    // Nobody who sends text may say facts with it.
    if (data[from] === factsMark) this.#text(carriedHead({ time: null, level: null, fields: {} }, ''));
    this.#room(to - from);
    data.copy(this.#data, this.#used, from, to);
    this.#used += to - from;
    this.#end();
  }

  finish(counts: Batch['counts'] = {}): Batch {
    return {
      envelope: 'carried',
      data: this.#data.subarray(0, this.#used),
      frames: this.#frames.subarray(0, this.#records),
      records: this.#records,
      counts,
    };
  }

  #text(text: string): void {
    // A character of UTF-16 has at most 3 bytes of UTF-8.
    this.#room(text.length * 3);
    this.#used += this.#data.write(text, this.#used, 'utf8');
  }

  #end(): void {
    // Two records never touch, and one without text has a place of its own too.
    this.#room(1);
    this.#data[this.#used++] = 0x0a;
    if (this.#records === this.#frames.length) {
      const more = new Int32Array(this.#frames.length * 2);
      more.set(this.#frames);
      this.#frames = more;
    }
    this.#frames[this.#records++] = this.#used;
  }

  #room(bytes: number): void {
    if (this.#used + bytes <= this.#data.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.#data.length * 2, this.#used + bytes));
    this.#data.copy(larger, 0, 0, this.#used);
    this.#data = larger;
  }
}
