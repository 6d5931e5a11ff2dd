/** Answers the command line through the control socket: one function a command. Throws a TocsinError as its no. */
import { createHash } from 'node:crypto';
import { didYouMean } from '../config/nearest.ts';
import { parseDuration } from '../model/duration.ts';
import type { Silence } from '../model/intent.ts';
import { TocsinError } from '../model/problem.ts';
import type { Delivery } from '../model/seams.ts';
import type { Store, Table } from '../model/store.ts';
import type { ControlRequest } from './control.ts';
import type { Daemon } from './daemon.ts';
import type { Parts } from './parts.ts';
import { statusOf } from './status.ts';
import { testNotification } from './test-message.ts';

export async function answerCommand(daemon: Daemon, request: ControlRequest): Promise<unknown> {
  const { args } = request;
  const { parts } = daemon;
  switch (request.command) {
    case 'status':
      return statusOf(parts);
    case 'silence-add': {
      const rules = parts.config.rules.map((rule) => rule.id);
      const silence = addSilence(parts.store, args, parts.options.clock.now(), rules);
      parts.engine.reloadSilences();
      parts.pipeline.commit();
      return silence;
    }
    case 'silence-list':
      return listSilences(parts.store, parts.options.clock.now());
    case 'silence-end': {
      const silence = endSilence(parts.store, String(args['id']), parts.options.clock.now());
      parts.engine.reloadSilences();
      parts.pipeline.commit();
      return silence;
    }
    case 'dead-letters-list':
      return parts.sender.letters.list(1_000);
    case 'dead-letters-retry':
    case 'dead-letters-drop': {
      const id = String(args['id']);
      const retry = request.command === 'dead-letters-retry';
      const done = retry ? parts.sender.retry(id) : parts.sender.letters.drop(id);
      parts.pipeline.commit();
      if (!done)
        throw new TocsinError(
          'E_UNKNOWN',
          `there is no dead letter ${JSON.stringify(id)}, or its channel is gone; see "tocsin dead-letters list"`,
        );
      return { id };
    }
    case 'send-test':
      return sendTestThrough(parts, String(args['channel']));
    default:
      throw new TocsinError('E_CONTROL', `this daemon knows no command ${JSON.stringify(request.command)}`);
  }
}

/** The same lane, the same channel object, the same request as an alert's. */
async function sendTestThrough(parts: Parts, name: string): Promise<unknown> {
  const notification = testNotification({
    channel: name,
    labels: parts.config.labels,
    now: parts.options.clock.now(),
  });
  const under = parts.sender.test(name, notification);
  if (under) return deliveryReport(await under);
  const unusable = parts.config.channels.find((channel) => channel.name === name)?.unusable;
  const detail =
    unusable ?? `the running daemon has no channel ${JSON.stringify(name)}; is the configuration reloaded?`;
  return { delivered: false, status: null, body: '', detail };
}

function silenceTable(store: Store): Table<Silence> {
  return store.table<Silence>('silences', { cache: 500 });
}

/**
 * Adds a silence: `rule`, `where` (field or label -> text with `*`), `for` (a duration) or `until` (ISO), `comment`. At least a rule
 * or a test is needed, and an end: a silence without one is how alerts are lost. `rules` are those that there are, null where that is
 * not known: a silence of a rule that is not there would keep nothing quiet.
 */
export function addSilence(
  store: Store,
  args: Readonly<Record<string, unknown>>,
  now: number,
  rules: readonly string[] | null,
): Silence {
  const rule = typeof args['rule'] === 'string' ? args['rule'] : null;
  if (rule !== null && rules !== null && !rules.includes(rule))
    throw new TocsinError(
      'E_SILENCE',
      `there is no rule ${JSON.stringify(rule)}; ${didYouMean(rule, rules, 'the rules are') ?? 'there are none'}`,
    );
  const where: Record<string, string> = {};
  for (const [field, value] of Object.entries((args['where'] as Record<string, unknown> | undefined) ?? {}))
    where[field] = String(value);
  if (rule === null && Object.keys(where).length === 0) {
    throw new TocsinError(
      'E_SILENCE',
      'a silence needs a rule or a test: --rule celery-task-failed, or --where task=mail.*',
    );
  }
  const endsAt = endOf(args, now);
  const id = createHash('sha256')
    .update(JSON.stringify([rule, where, endsAt, now]))
    .digest('hex')
    .slice(0, 8);
  const silence: Silence = {
    id,
    rule,
    where,
    startsAt: now,
    endsAt,
    comment: typeof args['comment'] === 'string' ? args['comment'] : null,
  };
  silenceTable(store).put(id, silence, endsAt);
  return silence;
}

function endOf(args: Readonly<Record<string, unknown>>, now: number): number {
  if (typeof args['until'] === 'string' && args['for'] !== undefined)
    throw new TocsinError('E_SILENCE', 'a silence has one end: give --for or --until, not both');
  if (typeof args['until'] === 'string') {
    const at = Date.parse(args['until']);
    if (!Number.isFinite(at) || at <= now)
      throw new TocsinError(
        'E_SILENCE',
        `--until is no time in the future: ${JSON.stringify(args['until'])}; write 2026-01-31T18:00:00Z`,
      );
    return at;
  }
  const length = typeof args['for'] === 'string' ? parseDuration(args['for']) : null;
  if (length === null || length <= 0)
    throw new TocsinError(
      'E_SILENCE',
      `a silence needs an end: --for 2h, or --until 2026-01-31T18:00:00Z${args['for'] === undefined ? '' : `; found --for ${JSON.stringify(args['for'])}`}`,
    );
  return now + length;
}

/** Silences in force. */
export function listSilences(store: Store, now: number): Silence[] {
  return silenceTable(store)
    .scan('', 10_000)
    .map((one) => one.value)
    .filter((silence) => silence.endsAt > now);
}

/** Ends a silence now. Throws when there is none of that id. */
export function endSilence(store: Store, id: string, now: number): Silence {
  const silence = silenceTable(store).get(id);
  if (!silence || silence.endsAt <= now)
    throw new TocsinError(
      'E_UNKNOWN',
      `there is no silence ${JSON.stringify(id)} in force; see "tocsin silence list"`,
    );
  silence.endsAt = now;
  silenceTable(store).put(id, silence, now);
  return silence;
}

/** A delivery as `send-test` tells it: what came back, as it came. */
export function deliveryReport(delivery: Delivery): {
  readonly delivered: boolean;
  readonly status: number | null;
  readonly body: string;
  readonly detail: string;
} {
  return {
    delivered: delivery.outcome === 'delivered',
    status: delivery.status,
    body: delivery.body,
    detail: delivery.outcome === 'delivered' ? 'delivered' : delivery.detail,
  };
}
