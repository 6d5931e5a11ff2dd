/** The engine with everything it says, and time as a number: what is due on the way to a record happens at its own time. */
import { Engine, type EngineSettings } from '../../src/incidents/engine.ts';
import type { Intent } from '../../src/model/intent.ts';
import type { RecordMatch } from '../../src/model/match.ts';
import type { Fields, LogRecord } from '../../src/model/record.ts';
import type { Rule } from '../../src/model/rule.ts';
import { memoryStore } from '../../src/state/memory.ts';
import { aHit, aRecord } from './make.ts';

export function rig(
  rules: readonly Rule[],
  options: {
    severities?: Record<string, string[]>;
    routes?: EngineSettings['routes'];
    store?: ReturnType<typeof memoryStore>;
    /** Offset of the first record: those of an earlier run on the same store are before it. */
    offset?: number;
  } = {},
) {
  const store = options.store ?? memoryStore();
  const told: { intent: Intent; at: number }[] = [];
  const odd: string[] = [];
  const settings = (list: readonly Rule[]): EngineSettings => ({
    rules: list,
    routes: options.routes ?? [{ where: [], notify: ['eng'], also: false }],
    labels: { env: 'test' },
    accepts: (channel, severity) => options.severities?.[channel]?.includes(severity) ?? true,
  });
  const engine = new Engine(
    { store, tell: (intent, at) => told.push({ intent, at }), count: (reason) => odd.push(reason) },
    settings(rules),
  );
  let offset = options.offset ?? 0;
  const apply = (match: RecordMatch, now: number): void => {
    tickTo(now);
    engine.apply(match, now);
  };
  const tickTo = (now: number): void => {
    for (let due = engine.nextDue(); due !== null && due <= now; due = engine.nextDue()) engine.tick(due);
  };
  return {
    store,
    engine,
    told,
    odd,
    kinds: () => told.map(({ intent }) => `${intent.notification.notification.kind}:${intent.row.count}`),
    match: (rule: Rule, fields: Fields, now: number, record: Partial<LogRecord> = {}) =>
      apply(
        {
          record: aRecord({ offset: offset++, time: now, receivedAt: now, ...record }),
          hits: [aHit(rule, fields)],
        },
        now,
      ),
    hits: (hits: RecordMatch['hits'], now: number, record: Partial<LogRecord> = {}) =>
      apply({ record: aRecord({ offset: offset++, time: now, receivedAt: now, ...record }), hits }, now),
    tickTo,
    swap: (list: readonly Rule[], now: number) => engine.swap(settings(list), now),
  };
}
