/** What `status --json` prints, from the running parts or, without a daemon, from the state alone. */
import { isBalanced, newAccounts } from '../incidents/accounts.ts';
import type { RuleStats } from '../incidents/docs.ts';
import type { Ledger, OutboxItem } from '../model/intent.ts';
import { type ProblemRow, problemRows } from '../model/problem.ts';
import type { Store } from '../model/store.ts';
import type { Parts } from './parts.ts';

export interface LedgerStatus extends Ledger {
  readonly balanced: boolean;
}
export interface ChannelStatus {
  readonly state: string;
  readonly delivered: number;
  readonly retried: number;
  readonly rejected: number;
  readonly queued: number;
  readonly last_status: number | null;
  readonly last_error: string | null;
  readonly ledger: LedgerStatus;
}
export interface SourceStatus {
  readonly kind: string;
  readonly state: string;
  readonly detail: string | null;
  readonly records: number;
  readonly bytes: number;
  readonly lag_bytes: number;
  readonly dropped: Readonly<Record<string, number>>;
  readonly last_record_at: string | null;
}
export interface Status {
  readonly version: string;
  readonly running: boolean;
  readonly uptime_s: number;
  readonly state_ok: boolean;
  readonly config: {
    readonly loaded_at: string;
    readonly ok: boolean;
    readonly origin: string;
    readonly problems: readonly ProblemRow[];
  };
  readonly sources: Readonly<Record<string, SourceStatus>>;
  readonly rules: Readonly<Record<string, RuleStats>>;
  readonly channels: Readonly<Record<string, ChannelStatus>>;
}

function ledgerStatus(ledger: Readonly<Ledger>): LedgerStatus {
  return { ...ledger, balanced: isBalanced(ledger) };
}

/** The status of a running daemon. */
export function statusOf(parts: Parts): Status {
  const { config, loaded, pipeline, engine, sender } = parts;
  const now = parts.options.clock.now();
  const sources: Record<string, SourceStatus> = {};
  for (const source of config.sources) {
    const facts = pipeline.factsOf(source.name);
    const quiet = facts.state === 'failing' ? null : parts.quietWatch.standing(source.name);
    sources[source.name] = {
      kind: source.kind,
      state: quiet?.state ?? facts.state,
      detail: quiet?.detail ?? facts.detail,
      records: facts.records,
      bytes: facts.bytes,
      lag_bytes: parts.sources.lagBytes(source.name),
      dropped: facts.dropped,
      last_record_at: facts.lastRecordAt === null ? null : new Date(facts.lastRecordAt).toISOString(),
    };
  }
  const rules: Record<string, RuleStats> = {};
  for (const rule of config.rules) rules[rule.id] = engine.stats(rule.id);
  const channels: Record<string, ChannelStatus> = {};
  for (const channel of config.channels) {
    const facts = sender.facts(channel.name);
    channels[channel.name] = {
      state: facts?.state ?? 'unusable',
      delivered: facts?.delivered ?? 0,
      retried: facts?.retried ?? 0,
      rejected: facts?.rejected ?? 0,
      queued: facts?.queued ?? 0,
      last_status: facts?.lastStatus ?? null,
      last_error: facts?.lastError ?? null,
      ledger: ledgerStatus(engine.accounts.of(channel.name)),
    };
  }
  return {
    version: parts.options.version,
    running: true,
    uptime_s: Math.max(0, Math.round((now - parts.startedAt) / 1000)),
    state_ok: parts.stateOk,
    config: {
      loaded_at: new Date(parts.loadedAt).toISOString(),
      ok: loaded.origin === 'files' && !loaded.problems.some((problem) => problem.level === 'error'),
      origin: loaded.origin === 'files' && loaded.config === null ? 'before' : loaded.origin,
      problems: problemRows(loaded.problems),
    },
    sources,
    rules,
    channels,
  };
}

/** What the state alone can tell, when no daemon runs. */
export function statusOfState(store: Store, version: string): Status {
  const rules: Record<string, RuleStats> = {};
  for (const { key, value } of store.table<RuleStats>('rule_stats').scan('', 100_000)) rules[key] = value;
  const accounts = newAccounts(store.table<Ledger>('ledgers'));
  const queued = new Map<string, number>();
  for (const { value } of store.table<OutboxItem>('outbox').scan('', 1_000_000))
    queued.set(value.channel, (queued.get(value.channel) ?? 0) + 1);
  const names = new Set([
    ...store
      .table<Ledger>('ledgers')
      .scan('', 10_000)
      .map((one) => one.key),
    ...queued.keys(),
  ]);
  const channels: Record<string, ChannelStatus> = {};
  for (const name of names) {
    channels[name] = {
      state: 'stopped',
      delivered: 0,
      retried: 0,
      rejected: 0,
      queued: queued.get(name) ?? 0,
      last_status: null,
      last_error: null,
      ledger: ledgerStatus(accounts.of(name)),
    };
  }
  return {
    version,
    running: false,
    uptime_s: 0,
    state_ok: true,
    config: { loaded_at: '', ok: true, origin: 'none', problems: [] },
    sources: {},
    rules,
    channels,
  };
}
