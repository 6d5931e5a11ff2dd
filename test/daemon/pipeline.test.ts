import { expect, it } from 'vitest';
import { liveTime } from '../../src/daemon/engine-time.ts';
import { Pipeline } from '../../src/daemon/pipeline.ts';
import { Engine } from '../../src/incidents/engine.ts';
import { compileRules } from '../../src/match/compile.ts';
import type { Chunk } from '../../src/model/seams.ts';
import { Desk } from '../../src/notify/desk.ts';
import { openStore } from '../../src/state/store.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { aRule } from '../support/make.ts';
import { tempDir } from '../support/temp-dir.ts';

/** A pipeline on a store of its own, and the offset that each of its commits made durable. */
function working() {
  const clock = new FakeClock();
  const { store } = openStore({ dir: tempDir(), clock, onNotice: () => {} });
  const rules = [aRule({ by: [] })];
  const engine = new Engine(
    { store, tell: () => {}, count: () => {} },
    {
      rules,
      routes: [{ where: [], notify: ['eng'], also: false }],
      labels: {},
      accepts: () => true,
    },
  );
  const durable: number[] = [];
  const pipeline: Pipeline = new Pipeline(
    {
      store,
      engine,
      desk: new Desk(store, []),
      clock,
      time: liveTime(clock),
      source: () => undefined,
      committed: () => durable.push(store.positions.get('worker.log')?.offset ?? 0),
      sourceState: () => {},
      sourceTrouble: () => {},
    },
    compileRules(rules),
  );
  const line = Buffer.from('2026-01-05 10:00:00 job failed\n');
  let offset = 0;
  const give = (facts: Partial<Chunk>): void => {
    pipeline.take({
      stream: { key: 'worker.log', source: 'worker', path: 'worker.log', host: 'h', labels: {} },
      data: line,
      offset,
      end: 'quiet',
      receivedAt: clock.now(),
      ...facts,
    });
    offset += line.length;
  };
  return { clock, durable, give, lineBytes: line.length };
}

it('a match is durable at once where nothing follows it', async () => {
  const { clock, durable, give, lineBytes } = working();
  await clock.advance(1_000);
  give({});
  await clock.advance(0);
  give({});
  await clock.advance(0);
  expect(durable).toEqual([lineBytes, 2 * lineBytes]);
});

it('matches of a stream that is behind become durable together, 50 ms after the last time at the latest', async () => {
  const { clock, durable, give, lineBytes } = working();
  await clock.advance(1_000);
  give({});
  await clock.advance(0);
  for (let n = 0; n < 20; n++) give({ behind: true });
  await clock.advance(49);
  expect(durable).toEqual([lineBytes]);
  await clock.advance(1);
  expect(durable).toEqual([lineBytes, 21 * lineBytes]);
});
