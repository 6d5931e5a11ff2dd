/**
 * The parts that the schema is put together from. A shape reads a node of YAML into a plain value, reports what is wrong at
 * its place, and describes itself as JSON Schema for editors: one definition for both. A choice of forms is decided by
 * how the value is written (text, list, map), so a problem is always reported inside the form that was meant.
 */
import { parseDuration, parseRate, parseSize } from '../model/duration.ts';
import type { Rate } from '../model/rule.ts';
import { didYouMean } from './nearest.ts';
import {
  describe,
  entryOf,
  quoteShort,
  type YamlEntry,
  type YamlMap,
  type YamlNode,
  type YamlScalar,
} from './nodes.ts';
import type { Reading } from './reading.ts';

export type JsonSchema = { readonly [key: string]: unknown };

/** Reads a node. Undefined means that a problem was reported; `reading.errors` tells whether any was. */
export interface Shape<T> {
  read(node: YamlNode, reading: Reading): T | undefined;
  readonly schema: JsonSchema;
  /** "a text such as 10m", for "expected ...". */
  readonly expects: string;
}
export type Read<S> = S extends Shape<infer T> ? T : never;

/** A value with the node it was read from, for problems that are found later. */
export interface Located<T> {
  readonly value: T;
  readonly node: YamlNode;
}

/** True where nothing is written behind a key. The `#` of an unquoted value begins a comment: that is a silent trap. */
export function reportNothing(node: YamlNode, reading: Reading, expects: string): boolean {
  if (node.kind !== 'scalar' || node.text !== '' || node.style !== 'plain') return false;
  const lineEnd = node.file.text.indexOf('\n', node.end);
  const rest = node.file.text.slice(node.end, lineEnd === -1 ? undefined : lineEnd).trim();
  const comment = /^:?\s*(#.*)$/.exec(rest)?.[1];
  const name = typeof node.key === 'number' ? 'this item' : quoteShort(node.key);
  if (comment !== undefined) {
    const message = `${name} has no value: what stands behind it is taken for a comment, since text that begins with # is one`;
    reading.error(
      'E_YAML_WARNING',
      node,
      message,
      `put the value in quotes: '${comment.replaceAll("'", "''")}'`,
    );
  } else {
    reading.error('E_TYPE', node, `${name} has no value`, `expected ${expects}; or take the key out`);
  }
  return true;
}

/** Reports a value of the wrong form. */
export function wrongForm(node: YamlNode, reading: Reading, expects: string): undefined {
  if (reportNothing(node, reading, expects)) return undefined;
  return reading.error('E_TYPE', node, `expected ${expects}, found ${describe(node)}`, null);
}

function scalarShape<T>(
  expects: string,
  schema: JsonSchema,
  read: (text: string, node: YamlScalar, reading: Reading) => T | undefined,
  environment: 'expanded' | 'as-written' = 'expanded',
): Shape<T> {
  return {
    expects,
    schema,
    read(node, reading) {
      if (node.kind !== 'scalar' || (node.text === '' && node.style === 'plain'))
        return wrongForm(node, reading, expects);
      const text = environment === 'expanded' ? reading.expand(node) : node.text;
      return text === undefined ? undefined : read(text, node, reading);
    },
  };
}

/** Text longer than this is a slip; the largest real value is a block of test lines, which has its own limit. */
const textMax = 64 * 1024;

export interface TextOptions {
  readonly expects?: string;
  readonly schema?: JsonSchema;
  readonly max?: number;
  readonly environment?: 'expanded' | 'as-written';
  readonly allowEmpty?: boolean;
}

/** Text, as it was written: `1.10`, `010` and `no` stay what they are. */
export function text(options: TextOptions = {}): Shape<string> {
  const expects = options.expects ?? 'a text';
  const max = options.max ?? textMax;
  return scalarShape(
    expects,
    options.schema ?? { type: ['string', 'number', 'boolean'] },
    (value, node, reading) => {
      if (value === '' && options.allowEmpty !== true)
        return reading.error('E_VALUE', node, `expected ${expects}, found an empty one`, null);
      if (value.length > max) {
        return reading.error(
          'E_VALUE',
          node,
          `this text has ${value.length} characters, the most is ${max}`,
          null,
        );
      }
      return value;
    },
    options.environment ?? 'expanded',
  );
}

/** A name: what ids, channels and fields are called. */
export function name(expects: string, pattern: RegExp, allowed: string): Shape<string> {
  return scalarShape(expects, { type: 'string', pattern: pattern.source }, (value, node, reading) =>
    pattern.test(value)
      ? value
      : reading.error('E_VALUE', node, `expected ${expects}, found ${quoteShort(value)}`, `write ${allowed}`),
  );
}

export function oneOf<const T extends string>(values: readonly T[]): Shape<T> {
  const expects = `one of ${values.join(', ')}`;
  return scalarShape(expects, { enum: values }, (value, node, reading) => {
    const found = values.find((known) => known === value);
    if (found !== undefined) return found;
    return reading.error(
      'E_VALUE',
      node,
      `expected ${expects}, found ${quoteShort(value)}`,
      didYouMean(value, values, 'write one of'),
    );
  });
}

export function flag(): Shape<boolean> {
  return scalarShape('true or false', { type: 'boolean' }, (value, node, reading) => {
    if (/^(true|false)$/i.test(value) && node.style === 'plain') return value.toLowerCase() === 'true';
    return reading.error(
      'E_TYPE',
      node,
      `expected true or false, found ${quoteShort(value)}`,
      'write true or false, without quotes',
    );
  });
}

/** A whole number in a range, both ends included. */
export function integer(min: number, max: number): Shape<number> {
  const expects = `a whole number from ${min} to ${max}`;
  return scalarShape(expects, { type: 'integer', minimum: min, maximum: max }, (value, node, reading) => {
    const number = /^-?\d{1,15}$/.test(value) && node.style === 'plain' ? Number(value) : Number.NaN;
    if (number >= min && number <= max) return number;
    return reading.error('E_VALUE', node, `expected ${expects}, found ${quoteShort(value)}`, null);
  });
}

const durationSchema = { type: 'string', pattern: '^(\\d+(\\.\\d+)?(ms|s|m|h|d|w))+$' };
/** No wait or window is longer: a year. */
const durationMax = 366 * 86_400_000;

/** A duration such as `10m`, in milliseconds. A bare number has no unit and is an error. */
export function duration(least: 'zero' | 'positive' = 'positive'): Shape<number> {
  return scalarShape('a duration such as 10m', durationSchema, (value, node, reading) =>
    readDuration(value, node, reading, least),
  );
}

function readDuration(
  value: string,
  node: YamlScalar,
  reading: Reading,
  least: 'zero' | 'positive',
): number | undefined {
  const ms = parseDuration(value);
  if (ms === null) {
    const bare = /^\d+(\.\d+)?$/.test(value);
    const message = bare
      ? `the duration ${quoteShort(value)} has no unit`
      : `expected a duration such as 10m, found ${quoteShort(value)}`;
    const hint = bare
      ? `write ${value}s for seconds, ${value}m for minutes`
      : 'write a number with ms, s, m, h, d or w behind it, such as 90s or 1h30m';
    return reading.error('E_DURATION', node, message, hint);
  }
  if (ms === 0 && least === 'positive')
    return reading.error('E_DURATION', node, 'this duration must be longer than nothing', null);
  if (ms > durationMax)
    return reading.error('E_DURATION', node, `${quoteShort(value)} is longer than a year`, null);
  return ms;
}

/** A size in bytes such as `256KiB`. */
export function size(min: number, max: number): Shape<number> {
  return scalarShape('a size such as 256KiB', { type: ['string', 'integer'] }, (value, node, reading) => {
    const bytes = parseSize(value);
    if (bytes === null) {
      return reading.error(
        'E_VALUE',
        node,
        `expected a size such as 256KiB, found ${quoteShort(value)}`,
        'write a number, with KiB or MiB behind it',
      );
    }
    if (bytes >= min && bytes <= max) return bytes;
    return reading.error(
      'E_VALUE',
      node,
      `the size must be from ${min} to ${max} bytes, found ${bytes}`,
      null,
    );
  });
}

const rateSchema = { type: 'string', pattern: '^\\d+\\s+in\\s+\\S+$' };

/** "So many in so long": `5 in 10m`. */
export function rate(): Shape<Rate> {
  return scalarShape('a rate such as 5 in 10m', rateSchema, (value, node, reading) => {
    const found = parseRate(value);
    if (found === null) {
      const inside = /^\s*\d+\s+in\s+(\d+)\s*$/.exec(value)?.[1];
      const hint =
        inside === undefined
          ? 'write a number, "in" and a duration: 5 in 10m'
          : `the duration needs a unit: ${value.trim()}s, or ${value.trim()}m`;
      return reading.error(
        'E_DURATION',
        node,
        `expected a rate such as 5 in 10m, found ${quoteShort(value)}`,
        hint,
      );
    }
    if (found.count < 1 || found.count > 1e9 || found.perMs > durationMax) {
      return reading.error(
        'E_DURATION',
        node,
        `${quoteShort(value)} counts from 1 to 1000000000, within a year`,
        null,
      );
    }
    return found;
  });
}

/** One word that stands for a value (`none`, `never`), or else another shape. */
export function word<T, W>(theWord: string, value: W, otherwise: Shape<T>): Shape<T | W> {
  const expects = `${otherwise.expects}, or ${theWord}`;
  return {
    expects,
    schema: { anyOf: [{ const: theWord }, otherwise.schema] },
    read(node, reading) {
      if (node.kind === 'scalar' && node.text === theWord) return value;
      return otherwise.read(node, reading);
    },
  };
}

/** A list. Items that are wrong are reported and left out. */
export function list<T>(
  item: Shape<T>,
  options: { readonly max?: number; readonly min?: number } = {},
): Shape<T[]> {
  const max = options.max ?? 1000;
  const min = options.min ?? 0;
  const expects = `a list of ${plural(item.expects)}`;
  return {
    expects,
    schema: { type: 'array', items: item.schema, ...(min > 0 ? { minItems: min } : {}) },
    read(node, reading) {
      if (node.kind !== 'list') return wrongForm(node, reading, expects);
      if (node.items.length > max)
        return reading.error(
          'E_VALUE',
          node,
          `this list has ${node.items.length} items, the most is ${max}`,
          null,
        );
      if (node.items.length < min)
        return reading.error('E_VALUE', node, 'this list is empty', `expected ${expects}`);
      const values: T[] = [];
      for (const child of node.items) {
        const value = item.read(child, reading);
        if (value !== undefined) values.push(value);
      }
      return values;
    },
  };
}

function plural(expects: string): string {
  return expects
    .replace(/^an? /, '')
    .replace(/^(\w+)(?=$| )/, (noun) => (noun === 'one' ? noun : `${noun}s`));
}

/** One value, or a list of them. */
export function oneOrMany<T>(item: Shape<T>, options: { readonly min?: number } = {}): Shape<T[]> {
  const many = list(item, options);
  const expects = `${item.expects}, or a list`;
  return {
    expects,
    schema: { anyOf: [item.schema, many.schema] },
    read(node, reading) {
      if (node.kind === 'list') return many.read(node, reading);
      const value = item.read(node, reading);
      return value === undefined ? undefined : [value];
    },
  };
}

/** Different shapes for different forms; the written form chooses. */
export function forms<A = never, B = never, C = never>(
  expects: string,
  by: { readonly scalar?: Shape<A>; readonly list?: Shape<B>; readonly map?: Shape<C> },
): Shape<A | B | C> {
  const known = [by.scalar, by.list, by.map].filter((shape) => shape !== undefined);
  return {
    expects,
    schema: { anyOf: known.map((shape) => shape.schema) },
    read(node, reading): A | B | C | undefined {
      const nothing = node.kind === 'scalar' && node.text === '' && node.style === 'plain';
      const shape = nothing ? undefined : by[node.kind];
      return shape ? shape.read(node, reading) : wrongForm(node, reading, expects);
    },
  };
}

/** A map with free keys: name -> value, in the order written. Nothing behind a key is `nothing` where that is given. */
export function record<T>(
  key: { readonly expects: string; readonly pattern: RegExp },
  value: Shape<T>,
  options: { readonly nothing?: T; readonly max?: number } = {},
): Shape<ReadonlyMap<string, { readonly value: T; readonly entry: YamlEntry }>> {
  const max = options.max ?? 1000;
  const expects = `a map of ${key.expects}`;
  return {
    expects,
    schema: {
      type: 'object',
      propertyNames: { pattern: key.pattern.source },
      additionalProperties: value.schema,
    },
    read(node, reading) {
      if (node.kind !== 'map') return wrongForm(node, reading, expects);
      if (node.entries.length > max)
        return reading.error(
          'E_VALUE',
          node,
          `this map has ${node.entries.length} keys, the most is ${max}`,
          null,
        );
      const values = new Map<string, { value: T; entry: YamlEntry }>();
      for (const entry of node.entries) {
        if (!key.pattern.test(entry.key)) {
          reading.error(
            'E_VALUE',
            entry.keyNode,
            `${quoteShort(entry.key)} can't be used as a name here`,
            `write ${key.expects}`,
          );
          continue;
        }
        const empty =
          entry.value.kind === 'scalar' && entry.value.text === '' && entry.value.style === 'plain';
        const read =
          empty && options.nothing !== undefined ? options.nothing : value.read(entry.value, reading);
        if (read !== undefined) values.set(entry.key, { value: read, entry });
      }
      return values;
    },
  };
}

/** One key of a map with fixed keys. */
export interface Key<T> {
  readonly shape: Shape<T>;
  readonly description: string;
  readonly required: boolean;
}
export function key<T>(shape: Shape<T>, description: string): Key<T> {
  return { shape, description, required: false };
}
export function required<T>(shape: Shape<T>, description: string): Key<T> {
  return { shape, description, required: true };
}

export type Keys = Readonly<Record<string, Key<unknown>>>;
export type ReadKeys<K extends Keys> = { readonly [P in keyof K]?: K[P] extends Key<infer T> ? T : never };

export interface ObjectOptions {
  /** What the map is, for messages: "a rule". */
  readonly what: string;
  /** Keys of the language that this version does not have yet. */
  readonly later?: readonly string[];
}

/** A map with fixed keys. Unknown keys and missing ones are reported; the rest is read all the same. */
export function object<K extends Keys>(keys: K, options: ObjectOptions): Shape<ReadKeys<K>> {
  const names = Object.keys(keys);
  return {
    expects: `a map (${options.what})`,
    schema: objectSchema(keys),
    read(node, reading) {
      if (node.kind !== 'map') return wrongForm(node, reading, `a map (${options.what})`);
      const values: Record<string, unknown> = Object.create(null);
      for (const entry of node.entries) {
        const known = Object.hasOwn(keys, entry.key) ? keys[entry.key] : undefined;
        if (known === undefined) {
          reportUnknownKey(entry, names, options, reading);
          continue;
        }
        const value = known.shape.read(entry.value, reading);
        if (value !== undefined) values[entry.key] = value;
      }
      reportMissing(node, keys, options, reading);
      return values as ReadKeys<K>;
    },
  };
}

/** Says that a key is not known, and which one may have been meant. */
export function reportUnknownKey(
  entry: YamlEntry,
  known: readonly string[],
  options: ObjectOptions,
  reading: Reading,
): void {
  if (entry.key === '<<') return; // Said by the YAML door.
  if (options.later?.includes(entry.key)) {
    const message = `this version does not know the key ${quoteShort(entry.key)} of ${options.what} yet`;
    reading.error('E_UNKNOWN_KEY', entry.keyNode, message, 'take it out: it would have no effect');
    return;
  }
  const hint = didYouMean(entry.key, known, 'its keys are');
  reading.error('E_UNKNOWN_KEY', entry.keyNode, `${options.what} has no key ${quoteShort(entry.key)}`, hint);
}

function reportMissing(node: YamlMap, keys: Keys, options: ObjectOptions, reading: Reading): void {
  for (const [name, { required, shape }] of Object.entries(keys)) {
    if (!required || entryOf(node, name)) continue;
    reading.error(
      'E_MISSING_KEY',
      node,
      `${options.what} needs the key "${name}"`,
      `add \`${name}:\` with ${shape.expects}`,
    );
  }
}

export function objectSchema(keys: Keys): JsonSchema {
  const properties: Record<string, JsonSchema> = {};
  for (const [name, { shape, description }] of Object.entries(keys))
    properties[name] = { ...shape.schema, description };
  const needed = Object.keys(keys).filter((name) => keys[name]?.required);
  return {
    type: 'object',
    properties,
    additionalProperties: false,
    ...(needed.length > 0 ? { required: needed } : {}),
  };
}

/** Keeps the node beside the value. */
export function located<T>(shape: Shape<T>): Shape<Located<T>> {
  return {
    expects: shape.expects,
    schema: shape.schema,
    read(node, reading) {
      const value = shape.read(node, reading);
      return value === undefined ? undefined : { value, node };
    },
  };
}

/** Turns what was read into something else. */
export function map<T, U>(
  shape: Shape<T>,
  turn: (value: T, node: YamlNode, reading: Reading) => U | undefined,
): Shape<U> {
  return {
    expects: shape.expects,
    schema: shape.schema,
    read(node, reading) {
      const value = shape.read(node, reading);
      return value === undefined ? undefined : turn(value, node, reading);
    },
  };
}
