/**
 * Shapes of maps with fixed keys. Unknown keys are errors with the key that may have been meant, missing ones are
 * reported, and the other keys are read all the same, so that every problem comes at once.
 */

import { didYouMean, nearest } from './nearest.ts';
import { entryOf, quoteShort, type YamlEntry, type YamlMap, type YamlNode } from './nodes.ts';
import type { Reading } from './reading.ts';
import { type JsonSchema, type Shape, wrongForm } from './shape.ts';
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
  const needed = names.filter((name) => keys[name]?.required);
  return {
    expects: `a map (${options.what})`,
    schema: objectSchema(keys),
    read(node, reading) {
      if (node.kind !== 'map') return wrongForm(node, reading, `a map (${options.what})`, writeKeys(keys));
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
      for (const name of needed) if (!entryOf(node, name)) reportMissing(node, name, keys, options, reading);
      return values as ReadKeys<K>;
    },
  };
}

/** Keys shown as an example where no map was written. */
const shownKeys = 3;

/** `write { channel: ..., from: ... }`: the keys that must be there, else the first ones. */
function writeKeys(keys: Keys): string {
  const all = Object.keys(keys);
  const needed = all.filter((name) => keys[name]?.required);
  const [first = ''] = all;
  const shown = needed.length > 0 ? needed : all.length > shownKeys ? [first] : all;
  return `write { ${shown.map((name) => `${name}: ...`).join(', ')} }`;
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
  // A letter of another alphabet may look the same: the message tells them apart.
  const odd = /[^\p{ASCII}]/u.exec(entry.key)?.[0]?.codePointAt(0)?.toString(16).toUpperCase();
  const named = odd === undefined ? '' : `, with the character U+${odd.padStart(4, '0')} in it`;
  const message = `${options.what} has no key ${quoteShort(entry.key)}${named}`;
  reading.error('E_UNKNOWN_KEY', entry.keyNode, message, hint);
}

function reportMissing(
  node: YamlMap,
  name: string,
  keys: Keys,
  options: ObjectOptions,
  reading: Reading,
): void {
  if (wasMeant(node, name, Object.keys(keys))) return;
  reading.error(
    'E_MISSING_KEY',
    node,
    `${options.what} needs the key "${name}"`,
    `add \`${name}:\` with ${keys[name]?.shape.expects}`,
  );
}

/** Whether an unknown key of the map was meant to be this one: that was said already. */
export function wasMeant(node: YamlMap, name: string, known: readonly string[]): boolean {
  return node.entries.some((entry) => !known.includes(entry.key) && nearest(entry.key, known) === name);
}

/** Whether one of these keys is written, or a slip of the pen for one, which was said already. */
export function writesOneOf(node: YamlNode, names: readonly string[], known: readonly string[]): boolean {
  if (node.kind !== 'map') return false;
  return names.some((name) => entryOf(node, name) !== undefined || wasMeant(node, name, known));
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
