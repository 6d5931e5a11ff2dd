import { describe, expect, it } from 'vitest';
import type { Chunk, SourcePort } from '../../src/model/seams.ts';
import { Feed } from '../../src/sources/feed.ts';
import { realClock } from '../../src/system/clock.ts';

/** Checks what is presented against the bytes of the whole stream, and leaves `lag` bytes of it unconsumed. */
function portOver(whole: Buffer, lag: () => number) {
  const seen = { consumed: 0, takes: 0, wrong: 0 };
  const take = ({ data, offset, end, frames }: Chunk): number => {
    seen.takes++;
    if (offset !== seen.consumed || !data.equals(whole.subarray(offset, offset + data.length))) seen.wrong++;
    if (
      frames &&
      (frames.at(-1) !== data.length || frames.some((at, index) => at <= (frames[index - 1] ?? 0)))
    )
      seen.wrong++;
    const done = end === 'more' ? Math.max(0, data.length - lag()) : data.length;
    seen.consumed += done;
    return done;
  };
  const port = { take, forget: () => undefined } as unknown as SourcePort;
  const feed = new Feed(
    { port, clock: realClock },
    { source: 'drain', key: 'one', path: null, host: null, labels: {} },
  );
  return { feed, seen };
}

function bytes(length: number): Buffer {
  const whole = Buffer.alloc(length);
  for (let at = 0, state = 7; at < length; at++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    whole[at] = state >>> 24;
  }
  return whole;
}

describe('a stream that can not be read again', () => {
  for (const [name, lag, piece] of [
    ['an unfinished message', 150, 40_000],
    ['much that waits for its next line', 131_072, 65_536],
    ['more than the room of a busy stream', 700_000, 65_536],
    ['small pieces', 90, 333],
  ] as const) {
    it(`what was not consumed is presented again with what follows: ${name}`, () => {
      const whole = bytes(3_000_000);
      let turn = 0;
      const { feed, seen } = portOver(whole, () => (++turn % 7) * Math.floor(lag / 6));
      for (let at = 0; at < whole.length; at += piece) {
        // The caller uses its bytes again.
        const given = Buffer.from(whole.subarray(at, at + piece));
        if (turn % 3 === 0) {
          feed.add(given);
          feed.flush();
        } else feed.give(given, null);
        given.fill(0);
        if (turn % 50 === 49) feed.quiet();
      }
      feed.end();
      expect(seen.wrong).toBe(0);
      expect(seen.consumed).toBe(whole.length);
    });
  }

  it('the ends of messages go with what waits', () => {
    const whole = bytes(2_000_000);
    let turn = 0;
    const { feed, seen } = portOver(whole, () => (++turn % 4) * 40_000);
    for (let at = 0; at < whole.length; at += 50_000)
      feed.give(
        whole.subarray(at, at + 50_000),
        Int32Array.from({ length: 250 }, (_, n) => (n + 1) * 200),
      );
    feed.end();
    expect(seen.wrong).toBe(0);
    expect(seen.consumed).toBe(whole.length);
  });
});
