/** Dead sources told apart from quiet ones: what is learned, when it is said, and what must never be an alarm. */
import { describe, expect, it } from 'vitest';
import type { SourceFacts } from '../../src/daemon/pipeline.ts';
import { QuietWatch } from '../../src/daemon/quiet-watch.ts';
import { SelfWatch, type SelfWord } from '../../src/daemon/self-watch.ts';
import type { SourceConfig } from '../../src/model/config.ts';
import type { Store } from '../../src/model/store.ts';
import { Desk } from '../../src/notify/desk.ts';
import { memoryStore } from '../../src/state/memory.ts';
import { FakeClock } from '../support/fake-clock.ts';

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;

function aSource(facts: Partial<SourceConfig> = {}): SourceConfig {
  return {
    kind: 'file',
    name: 'app',
    format: 'auto',
    multiline: 'auto',
    tz: 'UTC',
    maxLineBytes: 1024,
    labels: {},
    paths: ['/var/log/app.log'],
    exclude: [],
    start: 'beginning',
    encoding: 'auto',
    origin: { file: 'tocsin.yaml', line: 1, column: 1, length: 1 },
    ...facts,
  } as SourceConfig;
}

/** A watch over one source whose life is played by the test: real store, real words, time by hand. */
function watched(source: SourceConfig = aSource(), store: Store = memoryStore()) {
  const clock = new FakeClock(Date.UTC(2026, 0, 5));
  const facts: SourceFacts = {
    records: 0,
    bytes: 0,
    dropped: {},
    lastRecordAt: null,
    newestTime: null,
    state: 'ok',
    detail: null,
  };
  const said: string[] = [];
  const make = (): QuietWatch => {
    const real = new SelfWatch({
      desk: new Desk(store, []),
      said: store.table('self_words'),
      channels: () => [],
      works: () => true,
      labels: () => ({}),
      now: () => clock.now(),
    });
    const open = (topic: string): boolean | undefined =>
      store.table<{ open: boolean }>('self_words').get(topic)?.open;
    const listen = (word: SelfWord, say: (word: SelfWord) => boolean): boolean => {
      const before = open(word.topic) === true;
      const result = say(word);
      if (before !== (open(word.topic) === true)) said.push(`${word.title}. ${word.message}`);
      return result;
    };
    return new QuietWatch({
      clock,
      rhythms: store.table('source_rhythms'),
      sources: () => sources,
      facts: () => facts,
      selfWatch: {
        begin: (word) => listen(word, (one) => real.begin(one)),
        end: (word) => listen(word, (one) => real.end(one)),
        forget: (topic) => real.forget(topic),
      },
    });
  };
  let sources: readonly SourceConfig[] = [source];
  let watch = make();
  const pass = async (ms: number, step = minute): Promise<void> => {
    for (let passed = 0; passed < ms; passed += step) {
      clock.skip(Math.min(step, ms - passed));
      watch.tick();
    }
  };
  return {
    clock,
    facts,
    said,
    store,
    pass,
    standing: () => watch.standing(source.name),
    gives: () => {
      facts.bytes += 100;
      watch.tick();
    },
    /** It writes once a `step` for so long. */
    lives: async (ms: number, step = 10 * minute): Promise<void> => {
      for (let passed = 0; passed < ms; passed += step) {
        facts.bytes += 100;
        clock.skip(step);
        watch.tick();
      }
    },
    restart: (downMs: number): void => {
      clock.skip(downMs);
      facts.bytes = 0;
      watch = make();
    },
    configure: (next: readonly SourceConfig[]): void => {
      sources = next;
      watch.tick();
    },
  };
}

describe('a source that is quiet for longer than it ever is', () => {
  it('is told once with a `quiet` of its own, and once when it is heard again', async () => {
    const one = watched(aSource({ quietMs: hour }));
    one.gives();
    await one.pass(59 * minute);
    expect(one.said).toEqual([]);
    await one.pass(5 * hour);
    expect(one.said).toEqual([
      'Source app is quiet. Nothing came for 1h. Its `quiet` is 1h. It gave its last line at 2026-01-05T00:00:00.000Z. Look whether what writes it still runs.',
    ]);
    expect(one.standing()).toEqual({ state: 'quiet', detail: 'nothing came for 5h59m' });
    one.gives();
    expect(one.said[1]).toBe('Source app is heard again. Quiet for 5h59m.');
    expect(one.standing()).toBeNull();
    await one.pass(30 * minute);
    expect(one.said).toHaveLength(2);
  });

  it('with a `quiet` of its own is told too where it never gave a line', async () => {
    const one = watched(aSource({ quietMs: hour }));
    await one.pass(2 * hour);
    expect(one.said).toHaveLength(1);
    expect(one.said[0]).toContain('It never gave a line.');
  });

  it('is never told at its start: less than a day is no rhythm, less than a week knows no weekend', async () => {
    const young = watched();
    await young.lives(20 * hour);
    await young.pass(30 * day, hour);
    expect(young.said).toEqual([]);
    const tuesday = watched();
    await tuesday.lives(4 * day);
    await tuesday.pass(64 * hour);
    expect(tuesday.said).toEqual([]);
    await tuesday.pass(10 * hour);
    expect(tuesday.said).toHaveLength(1);
  });

  it('learns: busy for a week, an hour of nothing is news', async () => {
    const one = watched();
    await one.lives(8 * day, 5 * minute);
    await one.pass(59 * minute);
    expect(one.said).toEqual([]);
    await one.pass(2 * minute);
    expect(one.said).toHaveLength(1);
    expect(one.said[0]).toContain('never quiet for longer than 5m.');
  });

  it('learns nights and weekends: neither is an alarm, a Monday without a line is', async () => {
    const one = watched();
    for (let date = 0; date < 28; date++) {
      if (date % 7 >= 5) await one.pass(day);
      else {
        await one.pass(8 * hour);
        await one.lives(10 * hour);
        await one.pass(6 * hour);
      }
    }
    expect(one.said).toEqual([]);
    await one.pass(4 * day);
    expect(one.said).toHaveLength(1);
    expect(one.said[0]).toContain('never quiet for longer than 2d14h');
  });

  it('keeps what it learned over restarts; the time it did not run is no silence', async () => {
    const one = watched();
    await one.lives(8 * day, 5 * minute);
    one.restart(3 * day);
    await one.pass(50 * minute);
    expect(one.said).toEqual([]);
    await one.pass(20 * minute);
    expect(one.said).toHaveLength(1);
    one.restart(minute);
    await one.pass(3 * hour);
    expect(one.said).toHaveLength(1);
    one.gives();
    expect(one.said[1]).toMatch(/^Source app is heard again/);
  });

  it('what is read at once after a start was written before: the gap is not learned', async () => {
    const one = watched();
    await one.lives(8 * day, 5 * minute);
    one.restart(5 * day);
    one.gives();
    await one.pass(61 * minute);
    expect(one.said).toHaveLength(1);
  });

  it('nights are learned also where it is restarted in the middle of each', async () => {
    const one = watched();
    for (let date = 0; date < 14; date++) {
      await one.lives(12 * hour);
      await one.pass(6 * hour);
      one.restart(minute);
      await one.pass(6 * hour);
    }
    one.gives();
    await one.pass(20 * hour);
    expect(one.said).toEqual([]);
  });

  it('`quiet: none` is never told, and a clock set forward is not a silence', async () => {
    const never = watched(aSource({ quietMs: null }));
    await never.lives(8 * day);
    await never.pass(30 * day, hour);
    expect(never.said).toEqual([]);
    const jumped = watched();
    await jumped.lives(8 * day, 5 * minute);
    jumped.clock.jump(jumped.clock.now() + 90 * day);
    await jumped.pass(50 * minute);
    expect(jumped.said).toEqual([]);
  });

  it('one that fails says so itself, and is not called quiet as well', async () => {
    const one = watched(aSource({ quietMs: hour }));
    one.gives();
    one.facts.state = 'failing';
    await one.pass(10 * hour);
    expect(one.said).toEqual([]);
  });
});

describe('a source of which nothing is there any more', () => {
  it('is told after five minutes, and when it is there again', async () => {
    const one = watched();
    one.gives();
    one.facts.state = 'waiting';
    await one.pass(4 * minute);
    expect(one.said).toEqual([]);
    await one.pass(2 * hour);
    expect(one.said).toHaveLength(1);
    expect(one.said[0]).toMatch(
      /^Source app is gone\. Nothing of it is there for 5m\. It gave its last line at/,
    );
    expect(one.standing()).toMatchObject({ state: 'gone' });
    one.facts.state = 'ok';
    await one.pass(minute);
    expect(one.said[1]).toBe('Source app is there again. It is read again.');
    expect(one.standing()).toBeNull();
  });

  it('is not told where nothing of it was ever there, nor where it is away each night', async () => {
    const never = watched();
    never.facts.state = 'waiting';
    await never.pass(10 * day, hour);
    expect(never.said).toEqual([]);
    const nightly = watched();
    for (let date = 0; date < 3; date++) {
      await nightly.lives(14 * hour);
      if (date > 0) nightly.facts.state = 'waiting';
      await nightly.pass(10 * hour);
      nightly.facts.state = 'ok';
    }
    expect(nightly.said).toEqual([]);
  });

  it('is told again after a restart only if it came back meanwhile', async () => {
    const one = watched();
    one.gives();
    one.facts.state = 'waiting';
    await one.pass(hour);
    one.restart(minute);
    await one.pass(hour);
    expect(one.said).toHaveLength(1);
    one.restart(minute);
    one.facts.state = 'ok';
    await one.pass(minute);
    expect(one.said[1]).toMatch(/there again/);
  });

  it('a source that is not configured any more is forgotten, with what was said of it', async () => {
    const one = watched(aSource({ quietMs: hour }));
    one.gives();
    await one.pass(2 * hour);
    expect(one.said).toHaveLength(1);
    one.configure([aSource({ name: 'other' })]);
    expect(one.store.table('self_words').get('quiet:app')).toBeUndefined();
    expect(one.store.table('source_rhythms').get('app')).toBeUndefined();
  });

  it('standard input that ended beside other sources is told at once', async () => {
    const one = watched(aSource({ kind: 'stdin' }));
    one.configure([aSource({ kind: 'stdin' }), aSource({ name: 'file', quietMs: null })]);
    one.gives();
    one.facts.detail = 'ended';
    await one.pass(2_000, 1_000);
    expect(one.said).toHaveLength(1);
    expect(one.said[0]).toContain('What was piped in has ended.');
  });
});
