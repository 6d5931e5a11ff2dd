import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { WindowDoc } from '../../src/incidents/docs.ts';
import { addToWindow, lateMs } from '../../src/incidents/windows.ts';

const minute = 60_000;
const empty = (): WindowDoc => ({ times: [], values: null });

describe('a count in a sliding window', () => {
  it('is full at the match that makes the number', () => {
    const doc = empty();
    const spec = { atLeast: 3, withinMs: minute, distinct: null };
    expect([0, 10_000, 20_000].map((time) => addToWindow(doc, spec, time, ''))).toEqual([0, 0, 3]);
  });

  it('forgets what slid out', () => {
    const doc = empty();
    const spec = { atLeast: 3, withinMs: minute, distinct: null };
    expect([0, 10_000, 61_000, 65_000].map((time) => addToWindow(doc, spec, time, ''))).toEqual([0, 0, 0, 3]);
  });

  it('counts a record that comes late and out of order', () => {
    const doc = empty();
    const spec = { atLeast: 3, withinMs: minute, distinct: null };
    expect([100_000, 110_000, 105_000].map((time) => addToWindow(doc, spec, time, ''))).toEqual([0, 0, 3]);
    expect(addToWindow(doc, spec, 110_000 - lateMs - minute - 1, '')).toBe('late');
  });

  it('counts distinct values once each', () => {
    const doc: WindowDoc = { times: [], values: [] };
    const spec = { atLeast: 3, withinMs: minute, distinct: 'ip' };
    expect(['a', 'b', 'a', 'a', 'c'].map((ip, index) => addToWindow(doc, spec, index * 1000, ip))).toEqual([
      0, 0, 0, 0, 3,
    ]);
  });

  it('agrees with counting every window by hand, in any order of arrival', () => {
    const spec = { atLeast: 4, withinMs: minute, distinct: null };
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 1_200_000 }), { maxLength: 60 }), (times) => {
        const doc = empty();
        const seen: number[] = [];
        for (const time of times) {
          seen.push(time);
          const full = addToWindow(doc, spec, time, '');
          // Some window of this length that ends at a seen time and holds the new one has enough.
          const byHand = seen.some(
            (end) =>
              end >= time &&
              end - time < minute &&
              seen.filter((one) => one > end - minute && one <= end).length >= 4,
          );
          expect(full !== 0).toBe(byHand);
        }
      }),
    );
  });
});
