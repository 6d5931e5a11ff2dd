/**
 * What the reader must give, worked out the slow and plain way: bytes -> lines -> records -> text -> every rule. Shares the
 * door to RE2 and the reading of heads with the real one, nothing of blocks, indexes, stripes or sets.
 */
import { headOf } from '../../src/match/celery.ts';
import { compilePattern, type Pattern } from '../../src/match/regex.ts';
import { partsOf } from '../../src/match/trace.ts';
import { matchesGlob } from '../../src/model/glob.ts';
import type { Conditions, Rule, TextCondition } from '../../src/model/rule.ts';

export interface Step {
  /** Bytes there are by now. */
  readonly upTo: number;
  readonly end: 'more' | 'quiet' | 'final';
}

export interface NaiveRecord {
  readonly offset: number;
  readonly raw: string;
  readonly truncated: boolean;
}

interface Line {
  readonly start: number;
  readonly end: number;
}

const chain = /^(?:During handling of the above exception|The above exception was the direct cause)/;
const javaChain = /^(?:Caused by:|Suppressed:|\.\.\..\d)/s;
const compiled = new Map<string, Pattern>();

function patternOf(text: string): Pattern {
  let pattern = compiled.get(text);
  if (!pattern) {
    const result = compilePattern(text);
    if (!result.ok) throw new Error(result.message);
    pattern = result.pattern;
    compiled.set(text, pattern);
  }
  return pattern;
}

function clean(bytes: Buffer): string {
  let text = bytes.toString('utf8');
  let nuls = 0;
  while (text[nuls] === '\0') nuls++;
  text = text.slice(nuls);
  text = text.replace(
    /\x1b(?:\[[0-?]*[ -/]*[@-~]?|[\]PX^_][^\n\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]+[0-~]|[0-~])?/g,
    '',
  );
  while (text.endsWith('\r')) text = text.slice(0, -1);
  return text;
}

function isHeader(line: string): boolean {
  return (
    (/^\[?\d\d\d\d-..-..[ T]..:..:\d\d/s.test(line) && /^\[?...\d-..-..[ T].\d:..:.\d/s.test(line)) ||
    /^\[?[A-S].. .\d .\d:..:.\d/s.test(line)
  );
}

/** Cuts a range of bytes at line feeds. */
function linesOf(data: Buffer, upTo: number): Line[] {
  const lines: Line[] = [];
  let start = 0;
  while (start < upTo) {
    const feed = data.indexOf(10, start);
    const end = feed < 0 || feed >= upTo ? upTo : feed;
    lines.push({ start, end });
    start = end + 1;
  }
  return lines;
}

function cutWhole(data: Buffer, start: number, end: number): number {
  for (let back = 1; back <= 3 && end - back >= start; back++) {
    const byte = data[end - back] ?? 0;
    if (byte >= 0xc0) {
      const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
      return back < length ? end - back : end;
    }
    if (byte < 0x80) break;
  }
  return end;
}

/** Records of a stream whose bytes came in these steps (the last one is final). Multiline is `auto` or `none`. */
export function naiveRecords(
  data: Buffer,
  steps: readonly Step[],
  options: { readonly multiline: 'auto' | 'none'; readonly maxLineBytes: number },
): NaiveRecord[] {
  const max = options.maxLineBytes;
  const mark = data.subarray(0, 3).equals(Buffer.from([0xef, 0xbb, 0xbf])) ? 3 : 0;
  const head = (line: Line): number => {
    let at = line.start === 0 ? mark : line.start;
    while (at < line.end && data[at] === 0) at++;
    return at;
  };
  // Lines before which everything was closed by a quiet time.
  const closed = new Set<number>();
  for (const step of steps) {
    if (step.end !== 'quiet') continue;
    const feed = step.upTo === 0 ? -1 : data.lastIndexOf(10, step.upTo - 1);
    const open = { start: feed + 1, end: step.upTo };
    if (step.upTo - head(open) <= max) closed.add(feed + 1);
  }
  const records: { offset: number; texts: string[]; truncated: boolean }[] = [];
  let open = false;
  let header = false;
  let hadTrace = false;
  let trace = 0;
  let force = false;
  for (const line of linesOf(data, data.length)) {
    if (closed.has(line.start)) {
      open = header = hadTrace = force = false;
      trace = 0;
    }
    const from = head(line);
    const long = line.end - from > max;
    const text = clean(data.subarray(from, long ? from + max : line.end));
    const kept = long ? clean(data.subarray(from, cutWhole(data, from, from + max))) : text;
    if (!long && text === '') {
      if (open && records.length > 0) records[records.length - 1]?.texts.push('');
      continue;
    }
    let begins = true;
    if (options.multiline === 'auto') {
      if (isHeader(text)) {
        header = true;
        hadTrace = false;
        trace = 0;
        force = false;
      } else if (force) force = false;
      else if (header && open) {
        if (/^\{(?:".*|)\}$/s.test(text) && !hadTrace) header = false;
        else {
          begins = false;
          if (text.startsWith('Traceback (most recent call last):')) hadTrace = true;
        }
      } else {
        let goes = true;
        if (/^[ \t]/.test(text)) goes = true;
        else if (text.startsWith('Traceback (most recent call last):')) {
          trace = 1;
          hadTrace = true;
        } else if (trace === 1) trace = 2;
        else if (/^goroutine \d/.test(text)) trace = 3;
        else if (
          !(trace === 2 && chain.test(text)) &&
          !javaChain.test(text) &&
          !(trace === 3 && (text.endsWith(')') || text.startsWith('created by '))) &&
          text !== '}'
        ) {
          goes = false;
          trace = 0;
          hadTrace = false;
        }
        begins = !(goes && open);
        if (begins) header = false;
      }
    }
    if (begins || !open) records.push({ offset: from, texts: [kept], truncated: long });
    else {
      const last = records[records.length - 1];
      last?.texts.push(kept);
      if (last && long) last.truncated = true;
    }
    open = true;
    if (long) force = true;
  }
  return records.map(({ offset, texts, truncated }) => ({
    offset,
    raw: texts.join('\n').replace(/\n+$/, ''),
    truncated,
  }));
}

interface NaiveSubject {
  readonly raw: string;
  readonly body: string;
  readonly message: string;
  readonly trace: string;
}

function textHolds(condition: TextCondition, subject: NaiveSubject, into: Record<string, string>): boolean {
  const one = (test: TextCondition['tests'][number]): boolean => {
    const texts =
      condition.scope === 'message'
        ? [subject.message]
        : condition.scope === 'trace'
          ? subject.trace === ''
            ? []
            : [subject.trace]
          : [subject.body, subject.raw];
    for (const text of texts) {
      if (test.kind === 'literal') {
        if (text.includes(test.text)) return true;
        continue;
      }
      const found = patternOf(test.text).exec(text);
      if (!found) continue;
      for (const [name, value] of Object.entries(found.groups)) {
        if (value !== undefined && into[name] === undefined) into[name] = value;
      }
      return true;
    }
    return false;
  };
  return condition.mode === 'all' ? condition.tests.every(one) : condition.tests.some(one);
}

function holds(conditions: Conditions, subject: NaiveSubject, into: Record<string, string>): boolean {
  if (!conditions.text.every((condition) => textHolds(condition, subject, into))) return false;
  if (conditions.except.some((except) => holds(except, subject, {}))) return false;
  return conditions.where.every((test) =>
    test.operators.every((operator) => {
      if (operator.op !== 'glob') throw new Error('the oracle knows globs only');
      const value = subject[test.field as keyof NaiveSubject];
      return operator.patterns.some((glob) => matchesGlob(glob, value));
    }),
  );
}

export interface NaiveHit {
  readonly offset: number;
  readonly rule: string;
  readonly captures: Record<string, string>;
}

/** Every rule on every record. */
export function naiveHits(
  records: readonly NaiveRecord[],
  rules: readonly Rule[],
  format: 'auto' | 'plain',
): NaiveHit[] {
  const hits: NaiveHit[] = [];
  for (const { offset, raw } of records) {
    const body = raw.slice(headOf(raw, format, 'UTC', 0).length);
    const subject = { raw, body, ...partsOf(body) };
    for (const rule of rules) {
      const captures: Record<string, string> = {};
      if (holds(rule.conditions, subject, captures)) hits.push({ offset, rule: rule.id, captures });
    }
  }
  return hits;
}
