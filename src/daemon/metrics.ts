/** The numbers of the daemon for Prometheus, taken from its status when they are asked for. No label ever comes from a log line. */
import { createMetrics } from '../system/metrics.ts';
import type { Parts } from './parts.ts';
import { statusOf } from './status.ts';

/** Gives the text of `/metrics`. */
export function daemonMetrics(parts: Parts): () => Promise<string> {
  const metrics = createMetrics();
  const gauge = (name: string, help: string, labels: readonly string[] = []) =>
    metrics.gauge({ name, help, labels });
  const up = gauge('uptime_seconds', 'Seconds since the start.');
  const configOk = gauge(
    'config_last_reload_success',
    '1 when the files as they are now run, 0 when they were refused.',
  );
  const stateOk = gauge('state_ok', '1 while the state can be written.');
  const records = gauge('source_records', 'Log records read.', ['source']);
  const bytes = gauge('source_bytes', 'Bytes consumed.', ['source']);
  const lag = gauge('source_lag_bytes', 'Bytes known to be there and not yet consumed.', ['source']);
  const dropped = gauge('source_dropped', 'Lost or odd, by reason.', ['source', 'reason']);
  const ruleMatches = gauge('rule_matches', 'Matches that belong to an incident.', ['rule']);
  const ruleBelow = gauge('rule_below', 'Records that met the rule but not its count or window.', ['rule']);
  const ruleFiring = gauge('rule_open_incidents', 'Incidents open now.', ['rule']);
  const channelUp = gauge('channel_ok', '1 while the channel takes messages.', ['channel']);
  const deliveries = gauge('channel_deliveries', 'Attempts by outcome.', ['channel', 'outcome']);
  const queued = gauge('channel_queued', 'Messages waiting.', ['channel']);
  const ledger = gauge('ledger_matches', 'The account: where each match routed to a channel is.', [
    'channel',
    'place',
  ]);
  const balanced = gauge('ledger_balanced', '1 while the account adds up.', ['channel']);
  metrics.beforeRender(() => {
    const status = statusOf(parts);
    up.set(status.uptime_s, {});
    configOk.set(status.config.ok ? 1 : 0, {});
    stateOk.set(status.state_ok ? 1 : 0, {});
    for (const [source, facts] of Object.entries(status.sources)) {
      records.set(facts.records, { source });
      bytes.set(facts.bytes, { source });
      lag.set(facts.lag_bytes, { source });
      for (const [reason, count] of Object.entries(facts.dropped)) dropped.set(count, { source, reason });
    }
    for (const [rule, facts] of Object.entries(status.rules)) {
      ruleMatches.set(facts.matched, { rule });
      ruleBelow.set(facts.below, { rule });
      ruleFiring.set(facts.firing, { rule });
    }
    for (const [channel, facts] of Object.entries(status.channels)) {
      channelUp.set(facts.state === 'ok' ? 1 : 0, { channel });
      for (const outcome of ['delivered', 'retried', 'rejected'] as const)
        deliveries.set(facts[outcome], { channel, outcome });
      queued.set(facts.queued, { channel });
      const { balanced: adds, ...places } = facts.ledger;
      for (const [place, count] of Object.entries(places)) ledger.set(count, { channel, place });
      balanced.set(adds ? 1 : 0, { channel });
    }
  });
  return async () => (await metrics.render()).text;
}
