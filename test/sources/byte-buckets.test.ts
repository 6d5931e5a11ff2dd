import { expect, it } from 'vitest';
import { ByteBuckets } from '../../src/sources/byte-buckets.ts';

const rate = { bytes: 1_000, perMs: 1_000 };

it('an address may send a bucket at once; what it sends beyond is waited for', () => {
  const buckets = new ByteBuckets(rate);
  expect(buckets.take('a', 1_000, 0)).toBe(0);
  expect(buckets.take('a', 500, 0)).toBe(500);
  expect(buckets.wait('a', 200)).toBeCloseTo(300);
  expect(buckets.wait('a', 500)).toBe(0);
  expect(buckets.take('a', 1, 500)).toBe(1);
});

it('over a long time exactly the rate is taken, however it is sent', () => {
  const buckets = new ByteBuckets({ bytes: 65_536, perMs: 250 });
  let now = 0;
  let taken = 0;
  for (let turn = 0; turn < 5_000; turn++) {
    const bytes = 1 + ((turn * 7_919) % 65_536);
    taken += bytes;
    now += buckets.take('a', bytes, now);
  }
  expect(taken - 65_536).toBeCloseTo((now * 65_536) / 250, 0);
});

it('addresses do not know of each other', () => {
  const buckets = new ByteBuckets(rate);
  expect(buckets.take('a', 100_000, 0)).toBe(99_000);
  expect(buckets.take('b', 1_000, 0)).toBe(0);
});

it('a datagram passes as a whole or takes nothing, and smaller ones pass beside it', () => {
  const buckets = new ByteBuckets(rate);
  expect(buckets.tryTake('a', 900, 0)).toBe(true);
  expect(buckets.tryTake('a', 200, 0)).toBe(false);
  expect(buckets.tryTake('a', 100, 0)).toBe(true);
  expect(buckets.tryTake('a', 1, 0)).toBe(false);
  expect(buckets.tryTake('a', 200, 200)).toBe(true);
});

it('a bucket is never fuller than full, and time that stands still or goes back gives nothing', () => {
  const buckets = new ByteBuckets(rate);
  buckets.take('a', 1_000, 5_000);
  expect(buckets.tryTake('a', 1, 4_000)).toBe(false);
  expect(buckets.tryTake('a', 1_001, 1_000_000)).toBe(false);
  expect(buckets.tryTake('a', 1_000, 1_000_000)).toBe(true);
});

it('G1 addresses without number: so many are remembered, the one that sent longest ago is forgotten first', () => {
  const buckets = new ByteBuckets(rate, 3);
  for (const [at, address] of ['a', 'b', 'c'].entries()) buckets.take(address, 3_000, at);
  buckets.take('a', 1, 3);
  buckets.take('d', 1, 4);
  expect(buckets.size).toBe(3);
  expect(buckets.wait('b', 4)).toBe(0);
  expect(buckets.wait('a', 4)).toBeGreaterThan(1_900);
});

it('idle addresses are forgotten once their bucket is full, and not before', () => {
  const buckets = new ByteBuckets(rate);
  buckets.take('a', 10, 0);
  buckets.take('b', 5_000, 0);
  buckets.forgetFull(9);
  expect(buckets.size).toBe(2);
  buckets.forgetFull(10);
  expect(buckets.size).toBe(1);
  buckets.forgetFull(5_000);
  expect(buckets.size).toBe(0);
});

it('another rate: full stays full, half stays half, and a debt is paid at the new rate', () => {
  const buckets = new ByteBuckets(rate);
  buckets.take('half', 500, 0);
  buckets.take('debtor', 3_000, 0);
  buckets.use({ bytes: 4_000, perMs: 1_000 }, 0);
  expect(buckets.wait('debtor', 0)).toBe(500);
  expect(buckets.tryTake('half', 2_001, 0)).toBe(false);
  expect(buckets.tryTake('half', 2_000, 0)).toBe(true);
});
