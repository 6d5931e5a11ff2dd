/**
 * The channel `webhook`: posts the notification as it is, one JSON object, to any URL. A `secret` signs it as Standard
 * Webhooks asks. Any 2xx is delivered; the body of an answer is shown and not interpreted.
 */
import { createHmac } from 'node:crypto';
import type { Notification } from '../model/notification.ts';
import type { ChannelKind } from '../model/seams.ts';
import { delivered, type Manners } from './decide.ts';
import { createPostChannel, optionText } from './post-channel.ts';
import { cutBytes } from './text.ts';

/** `record.message` is cut at this many bytes of UTF-8. */
export const messageBytesMax = 64 * 1024;
/** The second, short form after a refusal for its size or content. */
const plainMessageBytesMax = 4 * 1024;
/** Rows of a digest in the short form. */
const plainRowsMax = 20;

const manners: Manners = {
  word: () => null,
  words: {},
  success: () => delivered,
};

export const webhookKind: ChannelKind = {
  type: 'webhook',
  chat: false,
  options: {
    url: { kind: 'url', required: true, description: 'where to post; http or https' },
    secret: {
      kind: 'secret',
      required: false,
      description: 'signs each post (Standard Webhooks): whsec_ and base64, or any text',
    },
  },
  recognise: () => true,
  create: (config, deps) => {
    const secret = optionText(config, 'secret');
    return createPostChannel(config, deps, {
      manners,
      secrets: secret === null ? [] : [secret],
      render: (notification, { plain, now }) => {
        const body = renderWebhook(notification, { plain, now });
        return { body, headers: signHeaders({ id: notification.notification.id, body, now, secret }) };
      },
    });
  },
};

/** The body: the notification with the time of this attempt. Control characters stay (JSON escapes them); lone surrogates can't. */
export function renderWebhook(
  notification: Notification,
  options: { readonly plain: boolean; readonly now: number },
): string {
  const { record } = notification;
  const limit = options.plain ? plainMessageBytesMax : messageBytesMax;
  const message = record === null ? '' : cutBytes(record.message, limit);
  const body: Notification = {
    ...notification,
    notification: {
      ...notification.notification,
      sent_at: new Date(options.now).toISOString(),
      // Whoever sends counts attempts; one that is on its way is at least the first.
      attempt: Math.max(1, notification.notification.attempt),
    },
    record: record && {
      ...record,
      message,
      truncated: record.truncated || message.length < record.message.length,
      ...(options.plain
        ? { trace: record.trace && cutBytes(record.trace, limit), before: [], after: [] }
        : {}),
    },
    incidents: options.plain ? notification.incidents.slice(0, plainRowsMax) : notification.incidents,
  };
  return JSON.stringify(body, (_key, value: unknown) =>
    typeof value === 'string' ? value.toWellFormed() : value,
  );
}

/** `webhook-id` is the same on each attempt; time and signature are of this one. */
export function signHeaders(parts: {
  readonly id: string;
  readonly body: string;
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly secret: string | null;
}): Record<string, string> {
  const id = parts.id.replace(/[^\x21-\x7e]/g, '_');
  const timestamp = String(Math.floor(parts.now / 1000));
  const headers = { 'webhook-id': id, 'webhook-timestamp': timestamp };
  if (parts.secret === null || parts.secret === '') return headers;
  const key = parts.secret.startsWith('whsec_')
    ? Buffer.from(parts.secret.slice('whsec_'.length), 'base64')
    : Buffer.from(parts.secret, 'utf8');
  const digest = createHmac('sha256', key).update(`${id}.${timestamp}.${parts.body}`).digest('base64');
  return { ...headers, 'webhook-signature': `v1,${digest}` };
}
