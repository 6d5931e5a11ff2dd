/** A word of the daemon itself, or a test -> its notification: the same shape as that of an incident, without a record. */
import { type Notification, wordBody } from '../model/notification.ts';
import type { FieldValue } from '../model/record.ts';
import type { Severity } from '../model/rule.ts';
import { digest } from './keys.ts';
import { envelope, iso } from './tell.ts';

/** What is said, at `now` (ms). The same kind and title are the same problem: its fingerprint hangs on them. */
export function ownWord(facts: {
  readonly kind: 'self' | 'test';
  readonly id: string;
  readonly title: string;
  readonly message: string;
  readonly severity: Severity;
  readonly labels: Readonly<Record<string, string>>;
  readonly fields: Readonly<Record<string, FieldValue>>;
  readonly now: number;
}): Notification {
  const { kind, id, title, message, severity, labels, fields, now } = facts;
  const at = iso(now);
  const body = wordBody({
    id,
    fingerprint: `v1:${digest([kind, title])}`,
    rule: `tocsin-${kind}`,
    title,
    message,
    severity,
    labels,
    fields,
    count: 1,
    first_seen_at: at,
    last_seen_at: at,
  });
  return envelope(id, kind, 1, now, body, null, []);
}
