/**
 * One producer within an enveloped stream: where the records begin in the text of its units (`lane-units.ts`). It decides as
 * the index of a plain stream does, by the same shapes and states, but over units whose places in the raw bytes are kept.
 * All that must be kept of it is its open record: a lane without one may be thrown away at any time.
 */

import type { Multiline } from '../model/config.ts';
import { cleanText } from './clean.ts';
import { maxRecordBytes } from './index-records.ts';
import { LaneUnits } from './lane-units.ts';
import { NextByte } from './next-byte.ts';
import { isQuotedHeader } from './quoted-header.ts';
import { begins, continues, type Inherited, RecordStarts } from './record-starts.ts';
import { cutUnit, doubtfulUnit, joinedUnit, kindMask, messageUnit, ownUnit } from './unit-kinds.ts';
import { resized } from './unit-log.ts';

/** An open record waits so many raw bytes of other lanes for its next line. */
export const interleaveBytes = 128 * 1024;
/** And so many ms, when other lanes never fall quiet. */
export const laneQuietMs = 200;

/** Records that there is room for at first, and of which the room is kept for another lane's. */
const firstRecords = 16;
const manyRecords = 128;

const nothing: Buffer = Buffer.alloc(0);

export interface LaneHow {
  /** No more units will come to this lane for now: its records are complete. */
  readonly closing: boolean;
  readonly receivedAt: number;
}

export class Lane {
  readonly units = new LaneUnits();
  /** Where the text of each record begins; `recordAt[records]` is where the last one ends, once `index` was called. */
  recordAt = new Int32Array(firstRecords);
  records = 0;
  /** Records that are given, or needn't be. */
  told = 0;
  /** When bytes of it came last, ms. */
  lastAt = 0;
  readonly #multiline: Multiline;
  readonly #tz: string;
  #starts: RecordStarts;
  #recordUnit = new Int32Array(firstRecords);
  /** Of so many units is known whether they begin a record. */
  #decided = 0;
  /** The open record takes nothing more. */
  #shut = false;
  /** The text that is indexed. */
  #block: Buffer = nothing;
  readonly #escape = new NextByte(0x1b);
  readonly #nul = new NextByte(0);

  constructor(multiline: Multiline, tz: string) {
    this.#multiline = multiline;
    this.#starts = new RecordStarts(multiline);
    this.#tz = tz;
  }

  /** Forgets everything, to be another lane's. What was large is given back. */
  reset(): void {
    this.#starts = new RecordStarts(this.#multiline);
    this.units.clear();
    this.records = this.told = this.#decided = 0;
    this.#shut = false;
    this.lastAt = 0;
    this.trim();
  }

  /** Gives room back that a burst needed, and text that is told, but for the last of it. */
  trim(): void {
    const { waits, units } = this;
    this.#block = nothing;
    this.#escape.forget();
    this.#nul.forget();
    units.trim(waits);
    if (!waits) this.recordAt[this.records] = units.used;
    if (this.recordAt.length > manyRecords && this.records + 1 < firstRecords) this.#resize(firstRecords);
  }

  /** Whether anything waits: an open record, an unfinished unit, records that were not told. */
  get waits(): boolean {
    return this.units.part || this.told < this.records || this.#decided < this.units.count;
  }

  /** Where the oldest raw bytes begin that are not done with; only where `waits`. */
  get waitsAt(): number {
    return this.units.rawAt[this.#waitsFrom] ?? 0;
  }

  /** The oldest unit that is not done with. */
  get #waitsFrom(): number {
    return this.told < this.records ? (this.#recordUnit[this.told] ?? 0) : this.#decided;
  }

  /** What must be kept to read on in the middle of a record that was cut. */
  get inherited(): Inherited | null {
    return this.#starts.inherited;
  }

  inherit(state: Inherited): void {
    this.#starts.inherit(state);
  }

  /** How its records begin, as far as it taught it. */
  get learned(): string | null {
    return this.#starts.learned;
  }

  remember(shape: string): void {
    this.#starts.remember(shape);
  }

  /** Whether a line begins a record whatever stands before it. */
  surely(line: Buffer, from: number, to: number): boolean {
    return this.#starts.surely(line, from, to);
  }

  /** Of every unit is known whether it begins a record. */
  get decided(): boolean {
    return this.#decided === this.units.count;
  }

  /** The raw place of the record that may go on, after `index`; null where none is open. */
  get openAt(): number | null {
    return this.#isOpen && this.told < this.records ? this.rawOf(this.records - 1) : null;
  }

  /** Forgets the open record, as if its units had never come. Only after `index`, and where all is decided. */
  giveBack(): void {
    if (this.#isOpen && this.told < this.records) {
      this.records--;
      const unit = this.#recordUnit[this.records] ?? 0;
      this.units.dropFrom(unit);
      this.#decided = unit;
      this.recordAt[this.records] = this.units.used;
    }
    this.#starts.close();
    this.#shut = false;
  }

  /** Raw bytes of a record: from where, to where. */
  rawOf(record: number): number {
    return this.units.rawAt[this.#recordUnit[record] ?? 0] ?? 0;
  }

  /** Blank units behind its last line are nobody's. */
  rawEndOf(record: number): number {
    const { units } = this;
    let last = this.#unitsEnd(record) - 1;
    const first = this.#recordUnit[record] ?? 0;
    while (last > first && units.textEndOf(last) - (units.textAt[last] ?? 0) <= 1) last--;
    return units.rawEnds[last] ?? 0;
  }

  /** Where the first physical unit of a record ends: the one whose envelope speaks for it. */
  firstEndOf(record: number): number {
    return this.units.rawTo[this.#recordUnit[record] ?? 0] ?? 0;
  }

  /** The unit behind a record's last one. */
  #unitsEnd(record: number): number {
    return record + 1 < this.records ? (this.#recordUnit[record + 1] ?? 0) : this.#decided;
  }

  /** The kind of a record's first unit. */
  kindOf(record: number): number {
    return (this.units.flags[this.#recordUnit[record] ?? 0] ?? 0) & kindMask;
  }

  /** Whether a unit of it was over the limit. */
  isCut(record: number): boolean {
    const end = this.#unitsEnd(record);
    for (let unit = this.#recordUnit[record] ?? 0; unit < end; unit++)
      if (((this.units.flags[unit] ?? 0) & cutUnit) !== 0) return true;
    return false;
  }

  /** Decides about the units that came. Gives how many records are complete. */
  index(how: LaneHow): number {
    const { units } = this;
    const count = units.part ? units.count - 1 : units.count;
    if (this.#decided < count) this.#block = units.text.subarray(0, units.used);
    while (this.#decided < count) {
      if (!this.#unit(this.#decided, how)) break;
      this.#decided++;
    }
    this.recordAt[this.records] =
      this.#decided < units.count ? (units.textAt[this.#decided] ?? 0) : units.used;
    if (how.closing) {
      this.#starts.close();
      this.#shut = false;
      return this.records;
    }
    return this.#isOpen ? this.records - 1 : this.records;
  }

  get #isOpen(): boolean {
    return this.#starts.open && !this.#starts.force && !this.#shut;
  }

  #unit(unit: number, how: LaneHow): boolean {
    const { units } = this;
    const from = units.textAt[unit] ?? 0;
    const next = units.textEndOf(unit);
    let to = next - 1;
    const flags = units.flags[unit] ?? 0;
    const raw = units.rawAt[unit] ?? 0;
    const starts = this.#starts;
    if (this.#shut || (unit > 0 && starts.open && raw - (units.rawEnds[unit - 1] ?? 0) > interleaveBytes)) {
      starts.close();
      this.#shut = false;
    }
    const kind = flags & kindMask;
    if (kind === ownUnit || (kind === doubtfulUnit && !starts.inTrace)) {
      starts.close();
      this.#push(unit, from);
      this.#shut = true;
      return true;
    }
    if ((flags & messageUnit) !== 0) {
      const end = units.text.indexOf(0x0a, from);
      if (end < to) to = end;
    }
    if (to === from) return true;
    const joined = (flags & joinedUnit) !== 0 && starts.open && !starts.force;
    const verdict = joined ? false : this.#verdict(from, to, next, how);
    if (verdict === null) return false;
    if (verdict || !starts.open) this.#push(unit, from);
    else if (next - (this.recordAt[this.records - 1] ?? 0) > maxRecordBytes) {
      starts.cut();
      this.#push(unit, from);
    }
    if ((flags & cutUnit) !== 0) starts.force = true;
    return true;
  }

  /** Whether a line begins a record; null where it can't be told yet. */
  #verdict(from: number, to: number, next: number, how: LaneHow): boolean | null {
    const starts = this.#starts;
    const data = this.#block;
    let line = data;
    let at = from;
    let end = to;
    if (this.#escape.isWithin(data, from, to) || this.#nul.isWithin(data, from, to)) {
      line = Buffer.from(cleanText(data, from, to));
      at = 0;
      end = line.length;
      if (end === 0) return false;
    } else if (starts.quickly) {
      const quick = starts.quick(data, from, to);
      if (quick === begins) return true;
      if (quick === continues) return false;
    }
    const recordStart = this.recordAt[this.records - 1] ?? 0;
    return starts.asks(line, at, end, () =>
      isQuotedHeader({ data, recordStart, line, from: at, next }, this.#tz, {
        waiting: !how.closing,
        receivedAt: how.receivedAt,
      }),
    );
  }

  #push(unit: number, at: number): void {
    if (this.records + 2 > this.recordAt.length) this.#resize(this.recordAt.length * 2);
    this.recordAt[this.records] = at;
    this.#recordUnit[this.records] = unit;
    this.records++;
    this.#starts.open = !this.#starts.alone;
  }

  /** Forgets what was told, but for a little text before it. */
  compact(): void {
    const unit = this.#waitsFrom;
    const shift = this.units.dropBefore(unit);
    const open = this.records - this.told;
    for (let i = 0; i < open; i++) {
      this.recordAt[i] = (this.recordAt[i + this.told] ?? 0) - shift;
      this.#recordUnit[i] = (this.#recordUnit[i + this.told] ?? 0) - unit;
    }
    this.#decided -= unit;
    this.records = open;
    this.told = 0;
  }

  #resize(size: number): void {
    this.recordAt = resized(this.recordAt, size);
    this.#recordUnit = resized(this.#recordUnit, size);
  }
}
