/**
 * Reads MessagePack, as Fluent Bit writes it by default: values one behind the other. Bytes in, values out; null where the bytes are none.
 * Nothing is reserved by a length that the bytes only claim.
 */
import type { FieldValue } from '../model/record.ts';

const depthMax = 64;

/** An extension: its type, and its bytes. */
export class MsgpackExtension {
  readonly type: number;
  readonly data: Buffer;
  constructor(type: number, data: Buffer) {
    this.type = type;
    this.data = data;
  }
}
export type MsgpackValue =
  | FieldValue
  | MsgpackExtension
  | readonly MsgpackValue[]
  | { readonly [key: string]: MsgpackValue };

/** The bytes are no MessagePack, or end within a value. Never leaves this file. */
class Broken extends Error {}

export class MsgpackReader {
  readonly #data: Buffer;
  #at = 0;

  constructor(data: Buffer) {
    this.#data = data;
  }

  /** Where the next value begins. */
  get at(): number {
    return this.#at;
  }

  /** The next value; `null` in a list of its own where there is none, and undefined where the bytes are broken. */
  next(): readonly [MsgpackValue] | null | undefined {
    if (this.#at >= this.#data.length) return null;
    try {
      return [this.#value(0)];
    } catch (error) {
      if (error instanceof Broken || error instanceof RangeError) return undefined;
      throw error;
    }
  }

  #take(bytes: number): number {
    const at = this.#at;
    if (at + bytes > this.#data.length) throw new Broken();
    this.#at += bytes;
    return at;
  }

  #uint(bytes: number): number {
    return this.#data.readUIntBE(this.#take(bytes), bytes);
  }

  #text(bytes: number): string {
    const at = this.#take(bytes);
    return this.#data.toString('utf8', at, at + bytes);
  }

  #bytes(bytes: number): Buffer {
    const at = this.#take(bytes);
    return this.#data.subarray(at, at + bytes);
  }

  #list(length: number, depth: number): MsgpackValue[] {
    const list: MsgpackValue[] = [];
    for (let i = 0; i < length; i++) list.push(this.#value(depth + 1));
    return list;
  }

  #map(length: number, depth: number): MsgpackValue {
    const map: Record<string, MsgpackValue> = Object.create(null);
    for (let i = 0; i < length; i++) {
      const name = this.#value(depth + 1);
      map[typeof name === 'string' ? name : JSON.stringify(name)] = this.#value(depth + 1);
    }
    return map;
  }

  #extension(bytes: number): MsgpackExtension {
    const type = this.#data.readInt8(this.#take(1));
    return new MsgpackExtension(type, this.#bytes(bytes));
  }

  #big(value: bigint): number | string {
    return value >= -9007199254740991n && value <= 9007199254740991n ? Number(value) : value.toString();
  }

  #value(depth: number): MsgpackValue {
    if (depth > depthMax) throw new Broken();
    const byte = this.#uint(1);
    if (byte < 0x80) return byte;
    if (byte < 0x90) return this.#map(byte & 0x0f, depth);
    if (byte < 0xa0) return this.#list(byte & 0x0f, depth);
    if (byte < 0xc0) return this.#text(byte & 0x1f);
    if (byte >= 0xe0) return byte - 0x100;
    return byte < 0xd0 ? this.#lower(byte) : this.#upper(byte, depth);
  }

  /** 0xc0 to 0xcf. */
  #lower(byte: number): MsgpackValue {
    const data = this.#data;
    if (byte === 0xc0) return null;
    if (byte === 0xc2 || byte === 0xc3) return byte === 0xc3;
    // Bytes: what a log holds there is text in an encoding of its own.
    if (byte >= 0xc4 && byte <= 0xc6) return this.#bytes(this.#uint(1 << (byte - 0xc4))).toString('utf8');
    if (byte >= 0xc7 && byte <= 0xc9) return this.#extension(this.#uint(1 << (byte - 0xc7)));
    if (byte === 0xca) return data.readFloatBE(this.#take(4));
    if (byte === 0xcb) return data.readDoubleBE(this.#take(8));
    if (byte >= 0xcc && byte <= 0xce) return this.#uint(1 << (byte - 0xcc));
    if (byte === 0xcf) return this.#big(data.readBigUInt64BE(this.#take(8)));
    throw new Broken();
  }

  /** 0xd0 to 0xdf. */
  #upper(byte: number, depth: number): MsgpackValue {
    const data = this.#data;
    if (byte <= 0xd2) {
      const bytes = 1 << (byte - 0xd0);
      return data.readIntBE(this.#take(bytes), bytes);
    }
    if (byte === 0xd3) return this.#big(data.readBigInt64BE(this.#take(8)));
    if (byte <= 0xd8) return this.#extension(1 << (byte - 0xd4));
    if (byte <= 0xdb) return this.#text(this.#uint(1 << (byte - 0xd9)));
    if (byte <= 0xdd) return this.#list(this.#uint(byte === 0xdc ? 2 : 4), depth);
    return this.#map(this.#uint(byte === 0xde ? 2 : 4), depth);
  }
}
