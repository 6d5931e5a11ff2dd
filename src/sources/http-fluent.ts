/**
 * Bodies of Fluent Bit in its own default format: MessagePack, entries `[time, record]` or `[[time, metadata], record]` behind one another.
 */
import { type Batch, BatchWriter, type Refusal } from './http-batch.ts';
import { isObject, type Json, timeOf } from './http-facts.ts';
import { isShipped, writeShipped, writeTimed } from './http-shipped.ts';
import { MsgpackExtension, MsgpackReader, type MsgpackValue } from './msgpack.ts';

/** Type of the extension that is a time: seconds and nanoseconds. */
const timeType = 0;

export function readFluent(body: Buffer): Batch | Refusal {
  const reader = new MsgpackReader(body);
  const writer = new BatchWriter();
  let entries = 0;
  for (;;) {
    const at = reader.at;
    const found = reader.next();
    if (found === null) return writer.finish();
    if (found === undefined)
      return { status: 400, message: `the body is not MessagePack: broken in the value at byte ${at}` };
    for (const [time, record] of entriesOf(found[0])) {
      entries++;
      const plain = plainOf(record) as Json;
      if (isShipped(plain)) writeShipped(writer, plain, time);
      else writeTimed(writer, plain, time);
    }
    if (entries === 0 && reader.at < body.length)
      return { status: 400, message: 'the body is MessagePack without records: expected [time, record]' };
  }
}

/** The entries in a value: it is one, a list of them, or a record without a time. */
function* entriesOf(value: MsgpackValue): Generator<readonly [number | null, MsgpackValue]> {
  if (isMap(value)) {
    yield [null, value];
    return;
  }
  if (!Array.isArray(value)) return;
  const list = value as readonly MsgpackValue[];
  const [head, record] = list;
  if (record !== undefined && isMap(record) && !isMap(head)) {
    const time = Array.isArray(head) ? (head as readonly MsgpackValue[])[0] : head;
    // What Fluent Bit puts around a group of OTLP records has a negative time and is no record.
    if (typeof time === 'number' && time < 0) return;
    yield [timeOfValue(time), record];
    return;
  }
  for (const one of list) yield* entriesOf(one);
}

function isMap(value: MsgpackValue | undefined): boolean {
  return isObject(value) && !(value instanceof MsgpackExtension);
}

function timeOfValue(value: MsgpackValue | undefined): number | null {
  if (value instanceof MsgpackExtension) {
    if (value.type !== timeType || value.data.length !== 8) return null;
    return value.data.readUInt32BE(0) * 1000 + Math.floor(value.data.readUInt32BE(4) / 1_000_000);
  }
  return timeOf(value);
}

/** A value without extensions. */
function plainOf(value: MsgpackValue): MsgpackValue {
  if (value instanceof MsgpackExtension) {
    const time = timeOfValue(value);
    return time === null ? null : new Date(time).toISOString();
  }
  if (Array.isArray(value)) return (value as readonly MsgpackValue[]).map(plainOf);
  if (!isObject(value)) return value;
  const map: Record<string, MsgpackValue> = {};
  for (const [name, one] of Object.entries(value)) map[name] = plainOf(one as MsgpackValue);
  return map;
}
