/** What happens around a delivery: log lines, words about a failing channel, and the fallback that takes over. */
import { noCover } from '../incidents/docs.ts';
import { rowOf } from '../incidents/tell.ts';
import type { Config } from '../model/config.ts';
import type { OutboxItem } from '../model/intent.ts';
import { type Severity, severities } from '../model/rule.ts';
import type { Clock } from '../model/seams.ts';
import type { Desk } from '../notify/desk.ts';
import type { Logger } from '../system/log.ts';
import type { SenderEvents } from './answers.ts';
import { type ChannelFacts, isDown } from './lanes.ts';
import type { SelfWatch } from './self-watch.ts';

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
  const failing = new Map<string, string>();
  /** Within the budget of the fallback; in the account the matches stay with the channel they were meant for. */
  const fallBack = ({ channel, notification, severity, cover, others }: OutboxItem): boolean => {
    const fallback = deps.config().channels.find((one) => one.name === channel)?.fallback;
    const { kind } = notification.notification;
    if (!fallback || kind === 'self' || others?.includes(fallback.channel)) return false;
    // A digest of what others could not take goes no further: two that stand in for each other would never end.
    if (kind === 'digest' && cover.opened + cover.repeats === 0) return false;
    if (severities.indexOf(severity) < severities.indexOf(fallback.from as Severity)) return false;
    const { incident } = notification;
    deps.desk.take(
      {
        channels: [fallback.channel],
        notification,
        row: rowOf(incident),
        cover: noCover,
        rule: incident.rule,
        severity,
      },
      deps.clock.now(),
    );
    return true;
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
      if (failing.delete(item.channel))
        log.info({ channel: item.channel }, 'the channel takes messages again');
      // An earlier run may have said that it does not.
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
      if (isDown(facts, deps.clock.now())) sayFailing(item, facts);
    },
    waits: fallBack,
    dead(letter, forgotten) {
      log.error(
        { channel: letter.channel, id: letter.notification.notification.id, why: letter.why },
        'a message was given up; it is in the dead letters',
      );
      if (forgotten > 0)
        log.error({ messages: forgotten }, 'the dead letters are full: the oldest ones are forgotten');
      if (!letter.fellBack) fallBack(letter);
      selfWatch.begin({
        topic: `dead:${letter.channel}`,
        title: `A message for ${letter.channel} could not be delivered`,
        message: `${letter.why}\nIt is kept: tocsin dead-letters list`,
        severity: 'error',
        fields: { channel: letter.channel, title: letter.notification.incident.title },
        not: letter.channel,
        once: true,
      });
      deps.changed();
    },
    changed: deps.changed,
  };
}
