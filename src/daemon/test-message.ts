/** The message of `send-test`: as a real one looks, and plainly a test. */
import { createHash } from 'node:crypto';
import { ownWord } from '../incidents/own-word.ts';
import type { Notification } from '../model/notification.ts';

export function testNotification(facts: {
  readonly channel: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly now: number;
}): Notification {
  const id = createHash('sha256')
    .update(`test\u0000${facts.channel}\u0000${facts.now}`)
    .digest('hex')
    .slice(0, 16);
  return ownWord({
    kind: 'test',
    id,
    title: `Tocsin test message for ${facts.channel}`,
    message: 'If you can read this, alerts reach this channel. Nothing is wrong.',
    severity: 'info',
    labels: facts.labels,
    fields: { channel: facts.channel },
    now: facts.now,
  });
}
