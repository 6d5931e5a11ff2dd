import { describe, expect, it } from 'vitest';
import { conditions, rule } from './make-rule.ts';
import { play, shownOf } from './wrapped-streams.ts';

const wanted = rule('boom', 'Boom (?<what>\\w+)');
const everything = rule('every', conditions({}));

/** A small generator of numbers (mulberry32): the same lines each time. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** A syslog file of so many processes that write at once: lines, and traces of which some are wanted. */
function fileOf(processes: number, records: number, seed: number): Buffer {
  const random = randomOf(seed);
  const lines: string[] = [];
  const open: string[][] = [];
  const writeOne = (): void => {
    const at = Math.floor(random() * open.length);
    const line = open[at]?.shift();
    if (line !== undefined) lines.push(line);
    if (open[at]?.length === 0) open.splice(at, 1);
  };
  for (let record = 0; record < records; record++) {
    const pid = 1000 + Math.floor(random() * processes);
    const head = `Nov 21 02:28:13 web-${pid % 5} worker[${pid}]: `;
    const kind = random();
    const texts =
      kind < 0.9
        ? [`2026-11-21 02:28:13 INFO nothing of note ${record}`]
        : [
            `2026-11-21 02:28:13 ERROR failed ${record}`,
            'Traceback (most recent call last):',
            '  File "a.py", line 1, in f',
            kind < 0.95 ? `Boom number${record}` : `ValueError: ${record}`,
          ];
    open.push(texts.map((text) => `${head}${text}\n`));
    while (open.length > 40) writeOne();
  }
  while (open.length > 0) writeOne();
  return Buffer.from(lines.join(''));
}

describe('a syslog file of many processes', () => {
  it.each([
    [3, 8_000],
    [700, 8_000],
    [20_000, 20_000],
  ])('%i of them: what is wanted is what it would be if every line were read', (processes, records) => {
    const data = fileOf(processes, records, processes);
    const cuts = Array.from({ length: 24 }, (_, index) => Math.floor(((index + 1) * data.length) / 25));
    const whole = play([wanted, everything], data, { format: 'syslog' })
      .matches.map((match) => ({ ...match, hits: match.hits.filter((hit) => hit.rule === wanted) }))
      .filter(({ hits }) => hits.length > 0)
      .map(shownOf);
    expect(whole.length).toBeGreaterThan(records / 40);
    expect(play([wanted], data, { format: 'syslog' }).matches.map(shownOf)).toEqual(whole);
    expect(play([wanted], data, { format: 'syslog', cuts }).matches.map(shownOf)).toEqual(whole);
    const kills = new Set(cuts.filter((_, index) => index % 3 === 0));
    expect(play([wanted], data, { format: 'syslog', cuts, kills }).matches.map(shownOf)).toEqual(whole);
  });

  it('counts what it passes over', () => {
    const data = Buffer.from(
      Array.from({ length: 5_000 }, (_, at) => `Nov 21 02:28:13 web-1 worker[${at}]: line ${at}\n`).join(''),
    );
    expect(play([wanted], data, { format: 'syslog' }).records).toBe(5_000);
    const cuts = [10_000, 90_000, 150_000];
    expect(play([wanted], data, { format: 'syslog', cuts }).records).toBe(5_000);
  });
});
