/** Words of the daemon about itself: once when it begins, once when it ends, and again when it happens again. */
import { describe, expect, it } from 'vitest';
import { SelfWatch, type SelfWord } from '../../src/daemon/self-watch.ts';
import type { ChannelConfig } from '../../src/model/config.ts';
import { Desk } from '../../src/notify/desk.ts';
import { memoryStore } from '../../src/state/memory.ts';

const minute = 60_000;
const start = Date.UTC(2026, 0, 5, 10);

const channel = (name: string): ChannelConfig => ({
  name,
  type: 'console',
  options: {},
  budget: null,
  fallback: null,
  minSeverity: null,
  timeoutMs: 1_000,
  maxAgeMs: 1_000,
  allowPrivate: true,
  unusable: null,
  origin: { file: 'tocsin.yaml', line: 1, column: 1, length: 1 },
});

function watch() {
  const store = memoryStore();
  const channels = [channel('eng'), channel('ops')];
  const desk = new Desk(store, channels);
  let now = start;
  const make = (): SelfWatch =>
    new SelfWatch({
      desk,
      said: store.table('self_words'),
      channels: () => channels,
      works: () => true,
      labels: () => ({}),
      now: () => now,
    });
  let made = make();
  return {
    word: (facts: Partial<SelfWord> = {}): SelfWord => ({
      topic: 'source:app',
      title: 'trouble',
      message: '',
      severity: 'error',
      fields: {},
      not: 'eng',
      ...facts,
    }),
    begin: (word: SelfWord) => made.begin(word),
    end: (word: SelfWord) => made.end(word),
    later: (ms: number): void => {
      now += ms;
      made.tick();
    },
    restart: (): void => {
      made = make();
      made.doubt('source:');
    },
    told: (): string[] =>
      desk.takeFresh().map((item) => `${item.channel}: ${item.notification.incident.title}`),
  };
}

describe('a word of the daemon', () => {
  it('is said once while it lasts, on another channel than the one it is about, and once when it is over', () => {
    const { word, begin, end, later, told } = watch();
    begin(word());
    later(60 * minute);
    begin(word());
    end(word({ title: 'over' }));
    end(word({ title: 'over' }));
    expect(told()).toEqual(['ops: trouble', 'ops: over']);
  });

  it('I4 is not said again within ten minutes, however often it begins and ends', () => {
    const { word, begin, end, later, told } = watch();
    for (let n = 0; n < 50; n++) {
      begin(word());
      end(word({ title: 'over' }));
      later(1_000);
    }
    expect(told()).toEqual(['ops: trouble', 'ops: over']);
    begin(word());
    later(10 * minute);
    expect(told()).toEqual(['ops: trouble']);
  });

  // Was: the first message that was given up was told, and no later one, ever.
  it('D6 about what has no end is said again when it happens again', () => {
    const { word, begin, later, told } = watch();
    const dead = word({ topic: 'dead:eng', once: true });
    begin(dead);
    begin(dead);
    expect(told()).toEqual(['ops: trouble']);
    later(11 * minute);
    expect(told()).toEqual(['ops: trouble']);
    later(24 * 60 * minute);
    expect(told()).toEqual([]);
    begin(dead);
    expect(told()).toEqual(['ops: trouble']);
  });

  // Was: a source that failed, and was well after the next start, could fail ever after without a word.
  it('I4 about a source is said again by a later run, not sooner than in its time', () => {
    const { word, begin, later, restart, told } = watch();
    begin(word());
    for (let n = 0; n < 5; n++) {
      restart();
      begin(word());
      later(1_000);
    }
    expect(told()).toEqual(['ops: trouble']);
    later(10 * minute);
    expect(told()).toEqual(['ops: trouble']);
  });
});
