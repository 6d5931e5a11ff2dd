/**
 * Shapes of single values: text, names, words of a list, numbers, durations, sizes, rates. Text is taken as it was written,
 * whatever YAML would make of it.
 */

import type { ByteRate } from '../model/config.ts';
import { formatDuration, parseByteRate, parseDuration, parseRate, parseSize } from '../model/duration.ts';
import type { Rate } from '../model/rule.ts';
import { didYouMean } from './nearest.ts';
import { quoteShort, type YamlScalar } from './nodes.ts';
import type { Reading } from './reading.ts';
import { type JsonSchema, type Shape, scalarShape } from './shape.ts';

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
        `the count is from 1 to 1000000000 and the time at most a year, found ${quoteShort(value)}`,
        null,
      );
    }
    return found;
  });
}

const byteRateSchema = {
  type: 'string',
  pattern: '^\\d+(\\.\\d+)?\\s*(B|KB|KiB|MB|MiB|GB|GiB)?\\s+in\\s+\\S+$',
};

/** "So many bytes in so long": `2MiB in 1s`. Both ends of both ranges are included. */
export function byteRate(limits: {
  readonly bytes: readonly [min: number, max: number];
  readonly perMs: readonly [min: number, max: number];
}): Shape<ByteRate> {
  return scalarShape('a rate such as 2MiB in 1s', byteRateSchema, (value, node, reading) => {
    const found = parseByteRate(value);
    if (found === null) {
      const perSecond = /^\s*(\S+?)\s*\/\s*s(?:ec|econd)?\s*$/i.exec(value)?.[1];
      return reading.error(
        'E_DURATION',
        node,
        `expected a rate such as 2MiB in 1s, found ${quoteShort(value)}`,
        perSecond === undefined
          ? 'write a size, "in" and a duration: 2MiB in 1s'
          : `write ${perSecond} in 1s`,
      );
    }
    const [bytesMin, bytesMax] = limits.bytes;
    const [perMin, perMax] = limits.perMs;
    if (found.bytes >= bytesMin && found.bytes <= bytesMax && found.perMs >= perMin && found.perMs <= perMax)
      return found;
    return reading.error(
      'E_VALUE',
      node,
      `${quoteShort(value)} is not from ${bytesMin} to ${bytesMax} bytes in ${formatDuration(perMin)} to ${formatDuration(perMax)}`,
      'write a size and a time within these, such as 2MiB in 1s',
    );
  });
}

/** A path, relative to the file that names it. */
export const pathText = text({ expects: 'a path', max: 4096 });
