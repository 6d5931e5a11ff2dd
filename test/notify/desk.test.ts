/** What the desk puts into the outbox: in which words, and for whom it accounts. */
import { describe, expect, it } from 'vitest';
import type { OutboxItem } from '../../src/model/intent.ts';
import type { Severity } from '../../src/model/rule.ts';
import { Desk } from '../../src/notify/desk.ts';
import { memoryStore } from '../../src/state/memory.ts';
import { anIntent, start } from '../support/make.ts';

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
});
