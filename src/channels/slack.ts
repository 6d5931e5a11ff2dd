/**
 * The channel `slack`: one message to an incoming webhook. Log text stands only where Slack parses nothing
 * (`rich_text_preformatted`, `plain_text`); the one parsed text, the fallback, is escaped. Delivered means that the
 * body is `ok`: a 200 with an error word was not posted.
 */
import type { Notification } from '../model/notification.ts';
import type { ChannelKind } from '../model/seams.ts';
import { type Card, cardOf, oneLine } from './card.ts';
import {
  delivered,
  type Manners,
  parkAuth,
  parkBadAnswer,
  parkMissing,
  retryLater,
  tooLarge,
  tryPlain,
  type Verdict,
} from './decide.ts';
import type { HttpAnswer } from './http.ts';
import { jsonObject, member } from './json.ts';
import { toneMark } from './marks.ts';
import { createPostChannel } from './post-channel.ts';
import { cut } from './text.ts';
import { cutTrace } from './trace.ts';

// Limits: https://docs.slack.dev/reference/block-kit/blocks
const headerMax = 150;
const fieldsPerSection = 10;
/** All texts together. 9,597 characters passed and 11,341 were refused: https://github.com/slackapi/bolt-js/issues/2867 */
const allTextMax = 9000;
const logMax = 2900;
const fieldMax = 240;
const paragraphMax = 1000;
const contextMax = 1200;
const linksTextMax = 1200;
/** The plain form: one short text. */
const plainLogMax = 1000;

const rateLimited: Verdict = { outcome: 'retry', reason: 'rate-limited' };

/** https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks#handling_errors, and the words of the Web API. */
const words: Readonly<Record<string, Verdict>> = {
  invalid_payload: tryPlain,
  invalid_blocks: tryPlain,
  invalid_attachments: tryPlain,
  too_many_attachments: tryPlain,
  no_text: tryPlain,
  msg_too_long: tooLarge,
  msg_blocks_too_long: tooLarge,
  action_prohibited: parkAuth,
  posting_to_general_channel_denied: parkAuth,
  invalid_token: parkAuth,
  invalid_auth: parkAuth,
  not_authed: parkAuth,
  token_revoked: parkAuth,
  token_expired: parkAuth,
  account_inactive: parkAuth,
  not_in_channel: parkAuth,
  channel_not_found: parkMissing,
  user_not_found: parkMissing,
  channel_is_archived: parkMissing,
  is_archived: parkMissing,
  no_service: parkMissing,
  no_service_id: parkMissing,
  no_active_hooks: parkMissing,
  no_team: parkMissing,
  team_disabled: parkMissing,
  rollup_error: retryLater,
  internal_error: retryLater,
  fatal_error: retryLater,
  service_unavailable: retryLater,
  request_timeout: retryLater,
  rate_limited: rateLimited,
  ratelimited: rateLimited,
};

export const slackManners: Manners = {
  words,
  word: (answer) => {
    const body = jsonObject(answer.body);
    const error = body === null ? undefined : member(body, 'error');
    if (typeof error === 'string' && member(body ?? {}, 'ok') !== true) return error;
    const text = answer.body.trim();
    return /^[a-z][a-z_]{2,60}$/.test(text) ? text : null;
  },
  success: (answer) => (saysOk(answer) ? delivered : parkBadAnswer),
};

function saysOk(answer: HttpAnswer): boolean {
  if (answer.body.trim() === 'ok') return true;
  const body = jsonObject(answer.body);
  return body !== null && member(body, 'ok') === true;
}

export const slackKind: ChannelKind = {
  type: 'slack',
  chat: true,
  options: {
    url: {
      kind: 'url',
      required: true,
      description: 'the incoming webhook: https://hooks.slack.com/services/...',
    },
  },
  recognise: (url) => url.hostname === 'hooks.slack.com' || url.hostname === 'hooks.slack-gov.com',
  create: (config, deps) =>
    createPostChannel(config, deps, {
      manners: slackManners,
      render: (notification, { plain }) => ({
        body: JSON.stringify(plain ? renderSlackPlain(notification) : renderSlack(notification)),
        headers: {},
      }),
    }),
};

export interface SlackPayload {
  readonly text: string;
  readonly mrkdwn: false;
  readonly unfurl_links: false;
  readonly unfurl_media: false;
  readonly blocks?: readonly object[];
}

/** One text without markup. */
export function renderSlackPlain(notification: Notification): SlackPayload {
  const card = cardOf(notification);
  const log = card.log === '' ? '' : `\n${cutTrace(card.log, plainLogMax)}`;
  const text = `${toneMark[card.tone]} ${oneLine(card)}${log}\n${card.footer}`;
  return { text: escapeMrkdwn(text), mrkdwn: false, unfurl_links: false, unfurl_media: false };
}

/** The card in blocks; `text` is what a phone shows. */
export function renderSlack(notification: Notification): SlackPayload {
  const card = cardOf(notification);
  const mark = toneMark[card.tone];
  const budget = new Budget();
  // What must be there takes its room first; the order of the blocks is another one.
  const header = plainText(budget.take(inert(`${mark} ${card.title}`), headerMax));
  const state = budget.take(`${card.word}${card.state === '' ? '' : ` \u00b7 ${card.state}`}`, 400);
  const footer = budget.take(inert(card.footer), 500);
  const log = budget.take(card.log === '' ? '' : cutTrace(card.log, logMax), logMax);
  const facts = fieldSections(card, budget);
  const links = linkBlock(card, budget);
  const paragraphs = [card.text, card.steps]
    .map((text) => budget.take(inert(text), paragraphMax))
    .filter((text) => text !== '')
    .map((text) => ({ type: 'section', text: plainText(text) }));
  const blocks: object[] = [
    { type: 'header', text: header },
    { type: 'section', text: plainText(state) },
    ...facts,
    ...paragraphs.slice(0, 1),
    ...(log === '' ? [] : [richText([preformatted(log)])]),
    ...rowBlock(card, budget),
    ...contextBlock(card, budget),
    ...paragraphs.slice(1),
    ...links,
    { type: 'context', elements: [plainText(footer)] },
  ];
  return {
    text: escapeMrkdwn(`${mark} ${oneLine(card)}`),
    mrkdwn: false,
    unfurl_links: false,
    unfurl_media: false,
    blocks,
  };
}

/** What is left of the limit on all texts together. */
class Budget {
  #left = allTextMax;
  left(): number {
    return this.#left;
  }
  take(text: string, limit: number): string {
    const taken = cut(text, Math.max(0, Math.min(limit, this.#left)));
    this.#left -= taken.length;
    return taken;
  }
}

function fieldSections(card: Card, budget: Budget): object[] {
  const fields: object[] = [];
  for (const fact of card.facts) {
    if (budget.left() < fact.name.length + 2) break;
    const text = budget.take(inert(`${fact.name}\n${fact.value}`), fact.name.length + 1 + fieldMax);
    fields.push(plainText(text));
  }
  const sections: object[] = [];
  for (let at = 0; at < fields.length; at += fieldsPerSection) {
    sections.push({ type: 'section', fields: fields.slice(at, at + fieldsPerSection) });
  }
  return sections;
}

function linkBlock(card: Card, budget: Budget): object[] {
  const elements: object[] = [];
  let spent = 0;
  for (const link of card.links) {
    spent += link.url.length + link.title.length;
    if (spent > linksTextMax) continue;
    budget.take(link.url + link.title, linksTextMax);
    if (elements.length > 0) elements.push({ type: 'text', text: ' \u00b7 ' });
    elements.push({ type: 'link', url: link.url, text: link.title });
  }
  return elements.length === 0 ? [] : [richText([{ type: 'rich_text_section', elements }])];
}

function rowBlock(card: Card, budget: Budget): object[] {
  const items: object[] = [];
  for (const row of card.rows) {
    const title = `${toneMark[row.tone]} ${row.title}`;
    if (budget.left() < title.length + row.note.length + 80) break;
    budget.take(title + row.note, title.length + row.note.length);
    items.push({
      type: 'rich_text_section',
      elements: [
        { type: 'text', text: title },
        { type: 'text', text: `  ${row.note}`, style: { bold: true } },
      ],
    });
  }
  const left = card.rowsLeft + card.rows.length - items.length;
  const more =
    left > 0
      ? [{ type: 'rich_text_section', elements: [{ type: 'text', text: `\u2026 and ${left} more` }] }]
      : [];
  if (items.length === 0 && more.length === 0) return [];
  const list =
    items.length === 0 ? [] : [{ type: 'rich_text_list', style: 'bullet', indent: 0, elements: items }];
  return [richText([...list, ...more])];
}

function contextBlock(card: Card, budget: Budget): object[] {
  const parts: object[] = [];
  for (const [label, lines] of [
    ['Lines before', card.before],
    ['Lines after', card.after],
  ] as const) {
    const text = lines.join('\n');
    if (text.trim() === '' || budget.left() < 100) continue;
    parts.push(
      { type: 'rich_text_section', elements: [{ type: 'text', text: label, style: { bold: true } }] },
      preformatted(budget.take(text, contextMax)),
    );
  }
  return parts.length === 0 ? [] : [richText(parts)];
}

/** Slack parses nothing in a `plain_text`; the invisible space is for those who copy it to where something does. */
function inert(text: string): string {
  return text.replace(/<(?=[!@#])/g, '<\u200b');
}

function plainText(text: string): object {
  return { type: 'plain_text', text: text.trim() === '' ? '-' : text, emoji: false };
}

function richText(elements: readonly object[]): object {
  return { type: 'rich_text', elements };
}

function preformatted(text: string): object {
  return { type: 'rich_text_preformatted', elements: [{ type: 'text', text: text === '' ? '-' : text }] };
}

/** Text for the one place that Slack parses: entities for & < >, and addresses that it would turn into links broken. */
function escapeMrkdwn(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replace(/@(?=\S)/g, '@\u200b')
    .replace(/\b(https?|ftp|mailto|tel|slack):/gi, '$1:\u200b')
    .replace(/\bwww\./gi, 'www\u200b.');
}
