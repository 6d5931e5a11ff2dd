import { describe, expect, it } from 'vitest';
import { compileRules } from '../../src/match/compile.ts';
import { StreamReader } from '../../src/match/reader.ts';
import type { Chunk } from '../../src/model/seams.ts';
import { aRule, start } from '../support/make.ts';

const stream = { source: 'app', key: 's', path: null, host: null, labels: {} };
const reader = (): StreamReader =>
  new StreamReader({ stream, format: 'auto', multiline: 'auto', tz: 'UTC', maxLineBytes: 262_144 }, null);
const chunk = (text: string, offset: number, end: Chunk['end']): Chunk => ({
  stream,
  data: Buffer.from(text),
  offset,
  end,
  receivedAt: start,
});

describe('lines behind a record', () => {
  const rules = compileRules([aRule({ context: { before: 1, after: 2 } })]);
  const text = 'one\njob failed\ntwo\nthree\nfour\nfive\n';

  it('come with it, as many as the rule wants', () => {
    const { matches } = reader().read(rules, chunk(text, 0, 'final'));
    expect(matches.map(({ record }) => [record.message, record.before, record.after])).toEqual([
      ['job failed', ['one'], ['two', 'three']],
    ]);
  });

  it('are waited for, wherever the bytes are cut, and the record is told once', () => {
    for (let cut = 1; cut < text.length; cut++) {
      const one = reader();
      const first = one.read(rules, chunk(text.slice(0, cut), 0, 'more'));
      const second = one.read(rules, chunk(text.slice(first.consumed), first.consumed, 'final'));
      const told = [...first.matches, ...second.matches].map(({ record }) => record.after);
      expect(told, `cut at ${cut}`).toEqual([['two', 'three']]);
      expect(first.records + second.records).toBe(6);
    }
  });

  it('are those that came when the stream fell quiet', () => {
    const { matches, consumed } = reader().read(rules, chunk('job failed\ntwo\n', 0, 'quiet'));
    expect(matches[0]?.record.after).toEqual(['two']);
    expect(consumed).toBe(15);
  });
});
