/**
 * One producer within an enveloped stream: the inner text of its units, one behind the other, and where its records begin.
 * It decides as the index of a plain stream does, by the same shapes and states, but over units whose places in the raw
 * bytes it keeps. All that must be kept of it is its open record: a lane without one may be thrown away at any time.
 */

import type { Multiline } from '../model/config.ts';
import { cleanText } from './clean.ts';
import { maxRecordBytes } from './index-records.ts';
import { NextByte } from './next-byte.ts';
import { isQuotedHeader } from './quoted-header.ts';
import { begins, continues, type Inherited, RecordStarts } from './record-starts.ts';
import { cutUnit, doubtfulUnit, joinedUnit, kindMask, messageUnit, ownUnit } from './unit-kinds.ts';
import { resized } from './unit-log.ts';

/** An open record waits so many raw bytes of other lanes for its next line. */
export const interleaveBytes = 128 * 1024;
/** And so many ms, when other lanes never fall quiet. */
export const laneQuietMs = 200;
/** Text behind the last told record that is kept for the lines before the next one. */
const contextBytes = 4 * 1024;
/** Told text is thrown away once there is so much of it. */
const compactBytes = 64 * 1024;

/** Room that a lane begins with, and units of which it keeps the room for another one. */
const firstText = 512;
const firstUnits = 16;
const manyUnits = 128;

const nothing: Buffer = Buffer.alloc(0);

/** A copy of fewer bytes is faster made one by one. */
const shortBytes = 40;

export interface LaneHow {
  /** No more units will come to this lane for now: its records are complete. */
  readonly closing: boolean;
  readonly receivedAt: number;
}

export class Lane {
  text: Buffer = Buffer.allocUnsafe(firstText);
  /** Bytes of text. */
  used = 0;
  /** Where the text of each record begins; `recordAt[records]` is where the last one ends, once `index` was called. */
  recordAt = new Int32Array(firstUnits);
  records = 0;
  /** Records that are given, or needn't be. */
  told = 0;
  /** The last unit is not at its end. */
  part = false;
  /** The unfinished unit is over the limit: what comes of it is left out. */
  isOver = false;
  /** When bytes of it came last, ms. */
  lastAt = 0;
  /** JSON lines came here: they are left out of the lines before a record, their messages stand there. */
  json = false;
  readonly #multiline: Multiline;
  readonly #tz: string;
  #starts: RecordStarts;
  #unitAt = new Int32Array(firstUnits);
  #unitRaw = new Float64Array(firstUnits);
  #unitTo = new Float64Array(firstUnits);
  #unitEnd = new Float64Array(firstUnits);
  #unitKind = new Uint8Array(firstUnits);
  #recordUnit = new Int32Array(firstUnits);
  #units = 0;
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
    this.used = this.records = this.told = this.#units = this.#decided = 0;
    this.part = this.isOver = this.json = this.#shut = false;
    this.lastAt = 0;
    this.trim();
  }

  /** Gives room back that a burst needed, and text that is told, but for the last of it. */
  trim(): void {
    const from =
      this.waits || this.used <= contextBytes ? 0 : this.text.indexOf(0x0a, this.used - contextBytes) + 1;
    const left = this.used - from;
    this.#block = nothing;
    this.#escape.forget();
    this.#nul.forget();
    if (from > 0 || (this.text.length > compactBytes && left * 4 < this.text.length)) {
      const text = Buffer.allocUnsafe(Math.max(firstText, left));
      this.text.copy(text, 0, from, this.used);
      this.text = text;
      this.used = left;
      this.recordAt[0] = left;
    }
    if (this.#unitAt.length > manyUnits && this.#units < firstUnits) this.#resizeUnits(firstUnits);
    if (this.recordAt.length > manyUnits && this.records + 1 < firstUnits) this.#resizeRecords(firstUnits);
  }

  /** Makes room for so many bytes behind the text. */
  reserve(bytes: number): void {
    if (this.used + bytes <= this.text.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.text.length * 2, this.used + bytes));
    this.text.copy(larger, 0, 0, this.used);
    this.text = larger;
  }

  /** Adds bytes to the last unit. */
  append(data: Uint8Array, from: number, to: number): void {
    // Room for the line end too.
    this.reserve(to - from + 1);
    const { text } = this;
    let at = this.used;
    if (to - from > shortBytes) {
      text.set(data.subarray(from, to), at);
      at += to - from;
    } else for (let i = from; i < to; i++) text[at++] = data[i] as number;
    this.used = at;
  }

  /** Begins a unit whose first physical one is at this place of the raw stream. Its text goes to `text` at `used`; then call `close`. */
  open(raw: number, rawTo: number): void {
    if (this.#units + 1 >= this.#unitAt.length) this.#resizeUnits(this.#unitAt.length * 2);
    this.#unitAt[this.#units] = this.used;
    this.#unitRaw[this.#units] = raw;
    this.#unitTo[this.#units] = rawTo;
    this.#unitKind[this.#units] = 0;
    this.#units++;
    this.part = true;
  }

  /** Bytes that the last, unfinished unit has by now. */
  get partBytes(): number {
    return this.used - (this.#unitAt[this.#units - 1] ?? 0);
  }

  /** Ends the last unit: it reaches to `rawEnd`. Its text gets a line end. `flags`: its kind and what is beside it. */
  close(rawEnd: number, flags: number): void {
    const unit = this.#units - 1;
    this.reserve(1);
    this.text[this.used++] = 0x0a;
    this.#unitEnd[unit] = rawEnd;
    this.#unitKind[unit] = flags;
    this.part = false;
  }

  /** Goes on with the last, unfinished unit up to `rawEnd`. */
  reach(rawEnd: number): void {
    this.#unitEnd[this.#units - 1] = rawEnd;
  }

  /** Where the raw bytes of the lane's newest unit end; -1 without one. */
  get rawEnd(): number {
    return this.#units === 0 ? -1 : (this.#unitEnd[this.#units - 1] ?? -1);
  }

  /** Whether anything waits: an open record, an unfinished unit, records that were not told. */
  get waits(): boolean {
    return this.part || this.told < this.records || this.#decided < this.#units;
  }

  /** Where the oldest raw bytes begin that are not done with; only where `waits`. */
  get waitsAt(): number {
    const unit = this.told < this.records ? (this.#recordUnit[this.told] ?? 0) : this.#decided;
    return this.#unitRaw[unit] ?? 0;
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
    return this.#decided === this.#units;
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
      this.#units = this.#decided = unit;
      this.used = this.#unitAt[unit] ?? 0;
      this.recordAt[this.records] = this.used;
    }
    this.#starts.close();
    this.#shut = false;
  }

  /** Raw bytes of a record: from where, to where. */
  rawOf(record: number): number {
    return this.#unitRaw[this.#recordUnit[record] ?? 0] ?? 0;
  }

  /** Blank units behind its last line are nobody's. */
  rawEndOf(record: number): number {
    let last = (record + 1 < this.records ? (this.#recordUnit[record + 1] ?? 0) : this.#decided) - 1;
    const first = this.#recordUnit[record] ?? 0;
    while (last > first && this.#endOf(last) - (this.#unitAt[last] ?? 0) <= 1) last--;
    return this.#unitEnd[last] ?? 0;
  }

  /** Where the first physical unit of a record ends: the one whose envelope speaks for it. */
  firstEndOf(record: number): number {
    return this.#unitTo[this.#recordUnit[record] ?? 0] ?? 0;
  }

  /** Where a unit's text ends, with its line end. */
  #endOf(unit: number): number {
    return unit + 1 < this.#units ? (this.#unitAt[unit + 1] ?? 0) : this.used;
  }

  /** The kind of a record's first unit. */
  kindOf(record: number): number {
    return (this.#unitKind[this.#recordUnit[record] ?? 0] ?? 0) & kindMask;
  }

  /** Whether a unit of it was over the limit. */
  isCut(record: number): boolean {
    const last = record + 1 < this.records ? (this.#recordUnit[record + 1] ?? 0) : this.#decided;
    for (let unit = this.#recordUnit[record] ?? 0; unit < last; unit++)
      if (((this.#unitKind[unit] ?? 0) & cutUnit) !== 0) return true;
    return false;
  }

  /** Decides about the units that came. Gives how many records are complete. */
  index(how: LaneHow): number {
    const units = this.part ? this.#units - 1 : this.#units;
    if (this.#decided < units) this.#block = this.text.subarray(0, this.used);
    while (this.#decided < units) {
      if (!this.#unit(this.#decided, how)) break;
      this.#decided++;
    }
    this.recordAt[this.records] =
      this.#decided < this.#units ? (this.#unitAt[this.#decided] ?? 0) : this.used;
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
    const from = this.#unitAt[unit] ?? 0;
    const next = this.#endOf(unit);
    let to = next - 1;
    const flags = this.#unitKind[unit] ?? 0;
    const raw = this.#unitRaw[unit] ?? 0;
    const starts = this.#starts;
    if (this.#shut || (unit > 0 && starts.open && raw - (this.#unitEnd[unit - 1] ?? 0) > interleaveBytes)) {
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
      const end = this.text.indexOf(0x0a, from);
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
    if (this.records + 2 > this.recordAt.length) this.#resizeRecords(this.recordAt.length * 2);
    this.recordAt[this.records] = at;
    this.#recordUnit[this.records] = unit;
    this.records++;
    this.#starts.open = !this.#starts.alone;
  }

  /** Forgets what was told, but for a little text before it. */
  compact(): void {
    const unit = this.told < this.records ? (this.#recordUnit[this.told] ?? 0) : this.#decided;
    const live = unit < this.#units ? (this.#unitAt[unit] ?? 0) : this.used;
    const shift = live > compactBytes ? live - contextBytes : 0;
    if (shift > 0) {
      this.text.copyWithin(0, shift, this.used);
      this.used -= shift;
    }
    if (unit > 0 || shift > 0) {
      const left = this.#units - unit;
      // Few are left as a rule: one open record.
      for (let i = 0; i < left; i++) {
        const from = i + unit;
        this.#unitAt[i] = (this.#unitAt[from] ?? 0) - shift;
        this.#unitRaw[i] = this.#unitRaw[from] ?? 0;
        this.#unitTo[i] = this.#unitTo[from] ?? 0;
        this.#unitEnd[i] = this.#unitEnd[from] ?? 0;
        this.#unitKind[i] = this.#unitKind[from] ?? 0;
      }
    }
    const open = this.records - this.told;
    for (let i = 0; i < open; i++) {
      this.recordAt[i] = (this.recordAt[i + this.told] ?? 0) - shift;
      this.#recordUnit[i] = (this.#recordUnit[i + this.told] ?? 0) - unit;
    }
    this.#units -= unit;
    this.#decided -= unit;
    this.records = open;
    this.told = 0;
  }

  #resizeUnits(size: number): void {
    this.#unitAt = resized(this.#unitAt, size);
    this.#unitKind = resized(this.#unitKind, size);
    this.#unitRaw = resized(this.#unitRaw, size);
    this.#unitTo = resized(this.#unitTo, size);
    this.#unitEnd = resized(this.#unitEnd, size);
  }

  #resizeRecords(size: number): void {
    this.recordAt = resized(this.recordAt, size);
    this.#recordUnit = resized(this.#recordUnit, size);
  }
}
