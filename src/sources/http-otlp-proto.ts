/**
 * OTLP/HTTP logs in their protobuf encoding, which collectors and SDKs send by default: reads a request to what its JSON encoding would be,
 * and writes the answers in kind. Fields that it does not know are passed over. Nothing is reserved by a length that the bytes only claim.
 */
import type { FieldValue } from '../model/record.ts';
import type { Json } from './http-facts.ts';

/** Values in values; a deeper one is nobody's log. */
const depthMax = 64;

type Kind = 'text' | 'bool' | 'int' | 'double' | 'fixed64' | 'hex' | 'base64' | (() => Message);
interface Field {
  readonly name: string;
  readonly kind: Kind;
  readonly list?: true;
}
/** Fields of a message by their number. */
type Message = Readonly<Record<number, Field>>;

const keyValue: Message = {
  1: { name: 'key', kind: 'text' },
  2: { name: 'value', kind: () => anyValue },
};
const anyValue: Message = {
  1: { name: 'stringValue', kind: 'text' },
  2: { name: 'boolValue', kind: 'bool' },
  3: { name: 'intValue', kind: 'int' },
  4: { name: 'doubleValue', kind: 'double' },
  5: { name: 'arrayValue', kind: () => ({ 1: { name: 'values', kind: () => anyValue, list: true } }) },
  6: { name: 'kvlistValue', kind: () => ({ 1: { name: 'values', kind: () => keyValue, list: true } }) },
  7: { name: 'bytesValue', kind: 'base64' },
};
const attributes = { name: 'attributes', kind: () => keyValue, list: true } as const;
const logRecord: Message = {
  1: { name: 'timeUnixNano', kind: 'fixed64' },
  2: { name: 'severityNumber', kind: 'int' },
  3: { name: 'severityText', kind: 'text' },
  5: { name: 'body', kind: () => anyValue },
  6: attributes,
  9: { name: 'traceId', kind: 'hex' },
  10: { name: 'spanId', kind: 'hex' },
  11: { name: 'observedTimeUnixNano', kind: 'fixed64' },
  12: { name: 'eventName', kind: 'text' },
};
const scope: Message = {
  1: { name: 'name', kind: 'text' },
  2: { name: 'version', kind: 'text' },
  3: attributes,
};
const scopeLogs: Message = {
  1: { name: 'scope', kind: () => scope },
  2: { name: 'logRecords', kind: () => logRecord, list: true },
};
const resourceLogs: Message = {
  1: { name: 'resource', kind: () => ({ 1: attributes }) },
  2: { name: 'scopeLogs', kind: () => scopeLogs, list: true },
};
const request: Message = { 1: { name: 'resourceLogs', kind: () => resourceLogs, list: true } };

/** The bytes are no such message. Never leaves this file. */
class Broken extends Error {}

/** The request as its JSON encoding, or null where the bytes are none. */
export function decodeOtlp(body: Buffer): Json | null {
  try {
    const found = new Decoder(body).message(request, body.length, 0);
    return { resourceLogs: [], ...found };
  } catch (error) {
    if (error instanceof Broken || error instanceof RangeError) return null;
    throw error;
  }
}

class Decoder {
  readonly #data: Buffer;
  #at = 0;

  constructor(data: Buffer) {
    this.#data = data;
  }

  message(fields: Message, end: number, depth: number): Record<string, FieldValue> {
    if (depth > depthMax) throw new Broken();
    const found: Record<string, FieldValue> = {};
    while (this.#at < end) {
      const tag = Number(this.#varint());
      const wire = tag & 7;
      const field = fields[Math.floor(tag / 8)];
      if (field === undefined) {
        this.#skip(wire);
        continue;
      }
      const value = this.#value(field.kind, wire, depth);
      if (field.list !== true) found[field.name] = value;
      else if (Array.isArray(found[field.name])) (found[field.name] as FieldValue[]).push(value);
      else found[field.name] = [value];
    }
    if (this.#at !== end) throw new Broken();
    return found;
  }

  #value(kind: Kind, wire: number, depth: number): FieldValue {
    if (wire === 0) {
      const number = BigInt.asIntN(64, this.#varint());
      return kind === 'bool' ? number !== 0n : kind === 'int' ? number.toString() : null;
    }
    if (wire === 1) {
      const at = this.#take(8);
      return kind === 'double' ? this.#data.readDoubleLE(at) : this.#data.readBigUInt64LE(at).toString();
    }
    if (wire !== 2) throw new Broken();
    const length = Number(this.#varint());
    if (typeof kind === 'function') {
      const end = this.#at + length;
      if (end > this.#data.length) throw new Broken();
      return this.message(kind(), end, depth + 1);
    }
    const at = this.#take(length);
    const encoding = kind === 'hex' || kind === 'base64' ? kind : 'utf8';
    return this.#data.toString(encoding, at, at + length);
  }

  #skip(wire: number): void {
    if (wire === 0) this.#varint();
    else if (wire === 1) this.#take(8);
    else if (wire === 2) this.#take(Number(this.#varint()));
    else if (wire === 5) this.#take(4);
    else throw new Broken();
  }

  #take(bytes: number): number {
    const at = this.#at;
    if (at + bytes > this.#data.length) throw new Broken();
    this.#at += bytes;
    return at;
  }

  #varint(): bigint {
    let low = 0;
    // Most numbers have less than 28 bits.
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.#data[this.#take(1)] as number;
      low |= (byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt(low);
    }
    let value = BigInt(low);
    for (let shift = 28n; shift < 70n; shift += 7n) {
      const byte = this.#data[this.#take(1)] as number;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw new Broken();
  }
}

/** The answer that all is well; `rejected` records are told of. */
export function encodeSuccess(rejected: number, message: string): Buffer {
  if (rejected === 0) return Buffer.alloc(0);
  return bytesField(1, Buffer.concat([numberField(1, rejected), bytesField(2, Buffer.from(message))]));
}

/** An error, as a `Status`. */
export function encodeStatus(code: number, message: string): Buffer {
  return Buffer.concat([numberField(1, code), bytesField(2, Buffer.from(message))]);
}

function numberField(field: number, value: number): Buffer {
  return Buffer.from([field << 3, ...varint(value)]);
}

function bytesField(field: number, data: Buffer): Buffer {
  return Buffer.concat([Buffer.from([(field << 3) | 2, ...varint(data.length)]), data]);
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80);
  bytes.push(rest);
  return bytes;
}
