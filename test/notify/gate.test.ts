import { describe, expect, it } from 'vitest';
import { admit, digestDue, newGate, roomAt, takeWaiting } from '../../src/notify/gate.ts';
import { anIntent, aRow, start } from '../support/make.ts';

const budget = [
  { count: 10, perMs: 60_000 },
  { count: 60, perMs: 3_600_000 },
];

describe('the budget of a channel', () => {
  it('lets everything leave where there is no budget', () => {
    const gate = newGate();
    const verdicts = Array.from({ length: 100 }, (_, index) =>
      admit(gate, null, anIntent({ id: `i${index}` }), start),
    );
    expect(new Set(verdicts)).toEqual(new Set(['leaves']));
  });

  it('never lets more leave in any window than it holds, whatever the mix', () => {
    const gate = newGate();
    const left: number[] = [];
    for (let second = 0; second < 7200; second++) {
      const now = start + second * 1000;
      const severity = second % 7 === 0 ? 'critical' : 'error';
      if (
        admit(gate, budget, anIntent({ id: `i${second}`, rule: `r${second % 3}`, severity }), now) ===
        'leaves'
      )
        left.push(now);
      const due = digestDue(gate, budget, now);
      if (due !== null && due <= now) {
        takeWaiting(gate, now);
        left.push(now);
      }
    }
    for (const window of budget) {
      for (const at of left)
        expect(left.filter((other) => other > at - window.perMs && other <= at).length).toBeLessThanOrEqual(
          window.count,
        );
    }
    expect(left.length).toBeGreaterThan(60);
  });

  it('keeps a tenth for critical', () => {
    const gate = newGate();
    for (let index = 0; index < 50; index++)
      admit(gate, budget, anIntent({ id: `i${index}`, rule: `r${index}` }), start);
    expect(gate.sent).toHaveLength(8);
    expect(admit(gate, budget, anIntent({ id: 'c', severity: 'critical' }), start)).toBe('leaves');
  });

  it('lets a new problem through while one rule storms', () => {
    const gate = newGate();
    for (let index = 0; index < 50; index++)
      admit(gate, budget, anIntent({ id: `i${index}`, rule: 'storm' }), start);
    expect(admit(gate, budget, anIntent({ id: 'other', rule: 'quiet' }), start + 1)).toBe('leaves');
  });

  it('turns what waited into one digest that accounts for all of it', () => {
    const gate = newGate();
    const intents = Array.from({ length: 700 }, (_, index) =>
      anIntent({ id: `i${index}`, rule: 'storm', repeats: 2 }),
    );
    const left = intents.filter((intent) => admit(gate, budget, intent, start) === 'leaves').length;
    const taken = takeWaiting(gate, start);
    expect(taken.cover).toEqual({ opened: 700 - left, repeats: (700 - left) * 2 });
    expect(taken.rows.length).toBeLessThanOrEqual(500);
    expect(taken.unnamed.opened).toBe(700 - left - taken.rows.length);
    expect(gate.waiting).toEqual([]);
  });

  it('folds a second word about the same incident into its waiting row', () => {
    const gate = newGate();
    for (let index = 0; index < 20; index++) admit(gate, budget, anIntent({ id: `i${index}` }), start);
    const waiting = gate.waiting.length;
    admit(gate, budget, anIntent({ id: 'i19', kind: 'summary', repeats: 5 }), start + 1);
    expect(gate.waiting).toHaveLength(waiting);
    expect(gate.waiting.at(-1)).toMatchObject({ opened: 2, repeats: 5 });
  });

  it('names every row of a fold that has to wait, and counts its matches once', () => {
    const gate = newGate();
    for (let index = 0; index < 20; index++) admit(gate, budget, anIntent({ id: `i${index}` }), start);
    const before = takeWaiting(gate, start).rows.length;
    expect(before).toBeGreaterThan(0);
    for (let index = 0; index < 3; index++)
      admit(gate, budget, anIntent({ id: `d${index}`, kind: 'digest' }), start);
    gate.waiting = [];
    const rows = [aRow({ id: 'a' }), aRow({ id: 'b' })];
    expect(admit(gate, budget, anIntent({ id: 'fold', kind: 'digest', repeats: 9, rows }), start)).toBe(
      'waits',
    );
    expect(gate.waiting.map((one) => one.row.id)).toEqual(['a', 'b']);
    expect(takeWaiting(gate, start).cover).toEqual({ opened: 1, repeats: 9 });
  });

  it('says when there is room again', () => {
    const gate = newGate();
    for (let index = 0; index < 50; index++)
      admit(gate, budget, anIntent({ id: `i${index}`, rule: `r${index}` }), start);
    expect(roomAt(gate, budget, 'single', 'x', start + 10)).toBe(start + 60_000);
    expect(roomAt(gate, budget, 'single', 'x', start + 60_000)).toBe(start + 60_000);
  });

  // Was: the digest was as grave as the first word that waited, so its fallback and its colour were those of that.
  it('makes a digest as grave as the gravest word that waits, which leaves with what is kept for critical', () => {
    const gate = newGate();
    const small = [{ count: 10, perMs: 60_000 }];
    for (let n = 0; n < 9; n++)
      admit(gate, small, anIntent({ id: `i${n}`, severity: 'critical' }), start + n);
    expect(admit(gate, small, anIntent({ id: 'a', severity: 'warning' }), start + 10)).toBe('waits');
    expect(digestDue(gate, small, start + 10)).toBeGreaterThan(start + 10);
    admit(gate, small, anIntent({ id: 'b', severity: 'critical' }), start + 11);
    expect(admit(gate, small, anIntent({ id: 'a', severity: 'critical' }), start + 12)).toBe('waits');
    expect(digestDue(gate, small, start + 12)).toBe(start + 60_000);
    expect(takeWaiting(gate, start + 60_000).severity).toBe('critical');
  });
});
