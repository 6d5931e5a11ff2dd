/** What happens around a delivery: log lines, words about a failing channel, and the fallback that takes over. */
import type { Config } from '../model/config.ts';
import type { OutboxItem } from '../model/intent.ts';
import { type Severity, severities } from '../model/rule.ts';
import type { Clock } from '../model/seams.ts';
import type { Desk } from '../notify/desk.ts';
import type { Logger } from '../system/log.ts';
import type { SenderEvents } from './answers.ts';
import type { ChannelFacts } from './lanes.ts';
import type { SelfWatch } from './self-watch.ts';

/** A channel that fails for so long is said to fail; a hiccup is not. */
const failingMs = 60_000;

export interface SenderEventDeps {
  readonly log: Logger;
  readonly desk: Desk;
  readonly selfWatch: SelfWatch;
  readonly config: () => Config;
  readonly clock: Clock;
  readonly changed: () => void;
}

export function senderEvents(deps: SenderEventDeps): SenderEvents {
  const { log, selfWatch } = deps;
  const fellBack = new Set<string>();
  const failing = new Map<string, string>();
  const fallBack = (item: OutboxItem): void => {
    const fallback = deps.config().channels.find((channel) => channel.name === item.channel)?.fallback;
    if (!fallback || fellBack.has(item.key) || item.notification.notification.kind === 'self') return;
    if (severities.indexOf(item.severity) < severities.indexOf(fallback.from as Severity)) return;
    fellBack.add(item.key);
    deps.desk.say(fallback.channel, item.notification, item.severity, deps.clock.now());
  };
  const sayFailing = (item: OutboxItem, facts: ChannelFacts): void => {
    selfWatch.begin({
      topic: `channel:${item.channel}`,
      title: `Channel ${item.channel} does not take messages`,
      message: `${facts.lastError ?? ''}\nWhat is meant for it waits, and goes out when it works again.`,
      severity: 'error',
      fields: { channel: item.channel, status: facts.lastStatus },
      not: item.channel,
    });
  };
  return {
    delivered(item, delivery) {
      log.debug(
        {
          channel: item.channel,
          id: item.notification.notification.id,
          attempt: item.attempts,
          status: delivery.status,
        },
        'delivered',
      );
      fellBack.delete(item.key);
      if (!failing.delete(item.channel)) return;
      log.info({ channel: item.channel }, 'the channel takes messages again');
      selfWatch.end({
        topic: `channel:${item.channel}`,
        title: `Channel ${item.channel} takes messages again`,
        message: 'What waited for it goes out now.',
        severity: 'info',
        fields: { channel: item.channel },
        not: item.channel,
      });
    },
    failed(item, delivery, facts) {
      if (facts.state === 'unusable') {
        fallBack(item);
        deps.changed();
        return;
      }
      const reason = delivery.outcome === 'delivered' ? 'ok' : delivery.reason;
      // A repeated failure is logged when it begins and when it changes, not each time.
      if (failing.get(item.channel) !== `${facts.state}:${reason}`) {
        failing.set(item.channel, `${facts.state}:${reason}`);
        log.warn(
          {
            channel: item.channel,
            reason,
            status: delivery.status,
            error: facts.lastError,
            attempt: item.attempts,
          },
          facts.state === 'parked'
            ? 'the channel refuses messages; they are kept'
            : 'delivery failed and will be tried again',
        );
      }
      const long = facts.failingSince !== null && deps.clock.now() - facts.failingSince >= failingMs;
      if (facts.state !== 'parked' && !long) return;
      sayFailing(item, facts);
      fallBack(item);
      deps.changed();
    },
    dead(letter) {
      log.error(
        { channel: letter.channel, id: letter.notification.notification.id, why: letter.why },
        'a message was given up; it is in the dead letters',
      );
      fallBack(letter);
      selfWatch.begin({
        topic: `dead:${letter.channel}`,
        title: `A message for ${letter.channel} could not be delivered`,
        message: `${letter.why}\nIt is kept: tocsin dead-letters list`,
        severity: 'error',
        fields: { channel: letter.channel, title: letter.notification.incident.title },
        not: letter.channel,
      });
      deps.changed();
    },
    changed: deps.changed,
  };
}
