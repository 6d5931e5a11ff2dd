/**
 * What shapes are, and how they are put together: lists, one-or-many, maps with free keys, choices of forms. A shape reads a
 * node of YAML into a plain value, reports what is wrong at its place, and describes itself as JSON Schema for editors: one
 * definition for both. A choice of forms is decided by how the value is written (text, list, map), so a problem is always
 * reported inside the form that was meant.
 */

import { describe, quoteShort, type YamlEntry, type YamlNode, type YamlScalar } from './nodes.ts';
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
  if (node.lost) return true;
  const lineEnd = node.file.text.indexOf('\n', node.end);
  const rest = node.file.text.slice(node.end, lineEnd === -1 ? undefined : lineEnd).trim();
  const comment = /^:?\s*(#\S.*)$/.exec(rest)?.[1];
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

/** Reports a value of the wrong form. The hint says which form to write. */
export function wrongForm(
  node: YamlNode,
  reading: Reading,
  expects: string,
  hint: string | null = null,
): undefined {
  if (reportNothing(node, reading, expects)) return undefined;
  return reading.error('E_TYPE', node, `expected ${expects}, found ${describe(node)}`, hint);
}

/** `[ERROR]` and `{{ x }}` are meant as text: the one reads as a list of words, the other as a map whose key is no word. */
function quoteHint(node: YamlNode): string | null {
  const asText =
    (node.kind === 'list' && node.file.text[node.start] === '[') ||
    (node.kind === 'map' && node.entries.length === 0);
  return asText ? 'put quotes around text that begins with { or [' : null;
}

/** A shape of scalars: nothing written is reported, the environment is put in (or not), and the text is read on. */
export function scalarShape<T>(
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
        return wrongForm(node, reading, expects, quoteHint(node));
      const text = environment === 'expanded' ? reading.expand(node) : node.text;
      return text === undefined ? undefined : read(text, node, reading);
    },
  };
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
  const expects = `a list, each item ${item.expects}`;
  return {
    expects,
    schema: { type: 'array', items: item.schema, ...(min > 0 ? { minItems: min } : {}) },
    read(node, reading) {
      if (node.kind !== 'list')
        return wrongForm(
          node,
          reading,
          expects,
          'write it as a list, with [ ] around it, or with `- ` before each item',
        );
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
  options: { readonly expects: string; readonly nothing?: T; readonly max?: number },
): Shape<ReadonlyMap<string, { readonly value: T; readonly entry: YamlEntry }>> {
  const max = options.max ?? 1000;
  const { expects } = options;
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
