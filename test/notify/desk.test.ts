/** What the desk puts into the outbox: in which words, and for whom it accounts. */
import { describe, expect, it } from 'vitest';
import type { OutboxItem } from '../../src/model/intent.ts';
import type { Severity } from '../../src/model/rule.ts';
import { Desk } from '../../src/notify/desk.ts';
import { memoryStore } from '../../src/state/memory.ts';
import { anIntent, aRow, start } from '../support/make.ts';

const minute = 60_000;

function desk(count: number) {
  const store = memoryStore();
  const made = new Desk(store, [{ name: 'eng', budget: [{ count, perMs: minute }] }]);
  const about = (
    id: string,
    severity: Severity,
    matches: { count: number; news: number; repeats: number },
  ) => {
    const { count: total, news, repeats } = matches;
    const intent = anIntent({ id, severity, kind: repeats > 0 ? 'summary' : 'first', repeats });
    const row = { ...intent.row, count: total, new_count: news };
    const { notification } = intent;
    const told = { ...notification.notification, id: `${id}-${total}` };
    const incident = { ...notification.incident, ...row };
    return { ...intent, row, notification: { ...notification, notification: told, incident } };
  };
  const out = (): readonly string[] =>
    made
      .takeFresh()
      .map(
        ({ notification: { incident, notification }, cover }: OutboxItem) =>
          `${notification.kind} ${incident.id} ${incident.count}/${incident.new_count} covers ${cover.opened}+${cover.repeats}`,
      );
  return { desk: made, about, out };
}

describe('the desk', () => {
  // Was: what waited left later, with a lower count than had been told.
  it('lets what waits of an incident leave with its grave word, so that no count goes back', () => {
    const { desk: made, about, out } = desk(4);
    for (const [at, id] of ['a', 'b', 'c'].entries())
      made.take(about(id, 'error', { count: 1, news: 1, repeats: 0 }), start + at);
    expect(out()).toHaveLength(2);
    made.take(about('c', 'critical', { count: 3, news: 2, repeats: 2 }), start + 10);
    expect(out()).toEqual(['summary c 3/3 covers 2+2']);
    made.tick(start + 2 * minute);
    expect(out()).toEqual([]);
  });

  // Was: the news of the last word alone.
  it('tells in a message that waited alone all that came of its incident meanwhile', () => {
    const { desk: made, about, out } = desk(1);
    made.take(about('a', 'error', { count: 1, news: 1, repeats: 0 }), start);
    made.take(about('b', 'error', { count: 1, news: 1, repeats: 0 }), start + 1);
    made.take(about('b', 'error', { count: 5, news: 4, repeats: 3 }), start + 2);
    out();
    made.tick(start + minute + 1);
    expect(out()).toEqual(['summary b 5/5 covers 2+3']);
  });

  // Was: "0 more in 2 incidents", as if they went on.
  it('says of a digest how many of its incidents are over', () => {
    const { desk: made, about } = desk(1);
    const titles = (): string[] =>
      made.takeFresh().map(({ notification: { incident } }) => `${incident.state}: ${incident.title}`);
    const over = (id: string) => {
      const intent = about(id, 'error', { count: 1, news: 0, repeats: 0 });
      const row = { ...intent.row, state: 'resolved' as const };
      const incident = { ...intent.notification.incident, state: 'resolved' as const, new_count: 0 };
      return {
        ...intent,
        row,
        cover: { opened: 0, repeats: 0 },
        notification: { ...intent.notification, incident },
      };
    };
    made.take(about('a', 'error', { count: 1, news: 1, repeats: 0 }), start);
    for (const id of ['b', 'c']) made.take(over(id), start + 1);
    titles();
    made.tick(start + minute + 1);
    expect(titles()).toEqual(['resolved: 2 incidents resolved: the budget of this channel was used up']);
    made.take(over('d'), start + minute + 2);
    made.take(about('e', 'error', { count: 1, news: 1, repeats: 0 }), start + minute + 3);
    made.tick(start + 3 * minute);
    expect(titles()).toEqual([
      'firing: 1 more in 2 incidents, 1 of them resolved: the budget of this channel was used up',
    ]);
  });

  // Was: the row of a fold stayed as it was, and was told after the grave word with a lower count.
  it('tells of a row of a fold that waits what was told of its incident meanwhile', () => {
    const { desk: made, about, out } = desk(2);
    for (const id of ['a', 'b']) made.take(about(id, 'error', { count: 1, news: 1, repeats: 0 }), start);
    const rows = ['c', 'd'].map((id) => aRow({ id, count: 3, new_count: 3 }));
    made.take(anIntent({ id: 'fold', kind: 'digest', rows }), start + 1);
    out();
    made.take(about('c', 'critical', { count: 4, news: 1, repeats: 1 }), start + 2);
    made.take(about('d', 'critical', { count: 5, news: 2, repeats: 1 }), start + 3);
    expect(out()).toEqual(['summary c 4/4 covers 1+1']);
    made.tick(start + 2 * minute);
    const [digest] = made.takeFresh();
    expect(digest?.notification.incidents.map(({ id, count, new_count }) => [id, count, new_count])).toEqual([
      ['b', 1, 1],
      ['c', 4, 0],
      ['d', 5, 5],
    ]);
  });

  // Was: 31 MB for three folds of 200 names, written with each commit: every row kept the whole message it came in.
  it('F12 keeps little of each row that waits with others', () => {
    const store = memoryStore();
    const made = new Desk(store, [{ name: 'eng', budget: [{ count: 1, perMs: minute }] }]);
    made.take(anIntent({ id: 'a' }), start);
    for (let fold = 0; fold < 3; fold++) {
      const rows = Array.from({ length: 200 }, (_, n) => aRow({ id: `${fold}-${n}` }));
      made.take(anIntent({ id: `fold-${fold}`, kind: 'digest', rows }), start + 1);
    }
    expect(JSON.stringify(store.table('gates').get('eng')).length).toBeLessThan(300_000);
  });

  it('counts in the title of a digest also those that a fold did not name', () => {
    const { desk: made } = desk(1);
    made.take(anIntent({ id: 'a' }), start);
    const fold = anIntent({ id: 'fold', kind: 'digest', rows: [aRow({ id: 'b' }), aRow({ id: 'c' })] });
    made.take({ ...fold, cover: { opened: 700, repeats: 100 } }, start + 1);
    made.tick(start + 2 * minute);
    expect(made.takeFresh().at(-1)?.notification.incident.title).toContain('800 more in 700 incidents');
  });

  // Was: it left when the old budget would have let it, a day later.
  it('lets what waits leave as soon as an edit of the budget lets it', () => {
    const store = memoryStore();
    const made = new Desk(store, [{ name: 'eng', budget: [{ count: 1, perMs: 1_440 * minute }] }]);
    for (const id of ['a', 'b']) made.take(anIntent({ id }), start);
    made.takeFresh();
    made.use([{ name: 'eng', budget: [{ count: 2, perMs: minute }] }], start + 2 * minute);
    expect(made.nextDue()).toBe(start + 2 * minute);
    made.tick(start + 2 * minute);
    expect(made.takeFresh()).toHaveLength(1);
  });

  // Was: forgotten, so that a fallback that had been told was told once more when the channel did not take it.
  it('knows of a message that waited alone who else is told it', () => {
    const { desk: made } = desk(1);
    const channels = ['eng', 'pager'];
    for (const id of ['a', 'b']) made.take(anIntent({ id, channels }), start);
    made.takeFresh();
    made.tick(start + 2 * minute);
    expect(made.takeFresh().map(({ channel, others }) => [channel, others])).toEqual([['eng', channels]]);
  });

  // Was: what waited of an incident was told after the fold that named it, with a lower count.
  it.each([1, 2])('lets no count go back where a fold passes %i that wait', (waiting) => {
    const { desk: made, about } = desk(4);
    for (const id of ['a', 'b']) made.take(about(id, 'error', { count: 1, news: 1, repeats: 0 }), start);
    const ids = ['c', 'd'].slice(0, waiting);
    for (const id of ids) made.take(about(id, 'error', { count: 2, news: 2, repeats: 1 }), start + 1);
    made.takeFresh();
    const rows = ids.map((id) => aRow({ id, count: 5, new_count: 3 }));
    made.take(anIntent({ id: 'fold', severity: 'critical', kind: 'digest', rows }), start + 2);
    made.tick(start + 2 * minute);
    const [fold, later] = made.takeFresh().map(({ notification }) => notification.incidents);
    expect(fold?.map((row) => [row.id, row.count, row.new_count])).toEqual(ids.map((id) => [id, 5, 3]));
    expect(later?.map((row) => [row.id, row.count, row.new_count])).toEqual(ids.map((id) => [id, 5, 2]));
  });
});
