/**
 * The channel `mattermost`: one message to an incoming webhook. Log text stands in code fences longer than any run of
 * backticks in it; everything else that a log can choose is neutralised. The server's error ids decide what a refusal
 * means, since its statuses mislead: 501 is for ever, a 400 may be its database.
 */
// biome-ignore-all lint/suspicious/noThenProperty: `then` of a Verdict is a word, never a function.
import type { Notification } from '../model/notification.ts';
import type { ChannelKind } from '../model/seams.ts';
import { type Card, cardOf, oneLine } from './card.ts';
import {
  delivered,
  type Manners,
  parkBadAnswer,
  parkMissing,
  tooLarge,
  tryPlain,
  type Verdict,
} from './decide.ts';
import { jsonObject, member } from './json.ts';
import { mdBlock, mdCode, mdFence, mdGuard, mdInert, mdLine } from './markdown.ts';
import { toneColour, toneMark } from './marks.ts';
import { createPostChannel } from './post-channel.ts';
import { cut } from './text.ts';
import { cutTrace } from './trace.ts';

// The server takes 16,383 runes of message (4,000 in old databases) and splits what is longer without regard to fences;
// props with attachments may have 760,000 runes. What a person reads is far shorter.
const textMax = 3800;
const logMax = 4000;
const contextMax = 1500;
const fieldMax = 240;
/** The client cuts a footer at 300. */
const footerMax = 280;
const plainLogMax = 1000;
/** The panel beside the message, for a traceback that was cut. */
const panelMax = 20_000;
/** Chat rooms show short fields in pairs. */
const shortField = 40;

const disabled: Verdict = { outcome: 'rejected', reason: 'client-error', then: 'park' };

/** https://github.com/mattermost/mattermost: web/webhook.go, model/incoming_webhook.go, app/webhook.go */
const words: Readonly<Record<string, Verdict>> = {
  'web.incoming_webhook.disabled.app_error': disabled,
  // Also said when the database failed, so the alerts are kept and it is asked again.
  '400 web.incoming_webhook.invalid.app_error': parkMissing,
  '400 web.incoming_webhook.user.app_error': parkMissing,
  '400 web.incoming_webhook.channel.app_error': parkMissing,
  '400 web.incoming_webhook.text.app_error': tryPlain,
  '400 api.context.invalid_param.app_error': tryPlain,
  // A body over the size limit looks like bad JSON to the server.
  '400 model.incoming_hook.parse_data.app_error': tooLarge,
  '400 web.incoming_webhook.split_props_length.app_error': tooLarge,
};

export const mattermostManners: Manners = {
  words,
  word: (answer) => {
    const body = jsonObject(answer.body);
    const id = body === null ? undefined : member(body, 'id');
    return typeof id === 'string' && id !== '' ? id : null;
  },
  success: (answer) => {
    const body = jsonObject(answer.body);
    const status = body === null ? undefined : member(body, 'status_code');
    const isError = typeof status === 'number' && status >= 400;
    // A page is the login of a proxy, or of the server behind a wrong path: nothing was posted.
    return isError || /^\s*</.test(answer.body) ? parkBadAnswer : delivered;
  },
};

export const mattermostKind: ChannelKind = {
  type: 'mattermost',
  chat: true,
  options: {
    url: {
      kind: 'url',
      required: true,
      description: 'the incoming webhook: https://SERVER/hooks/ and 26 characters',
    },
  },
  recognise: (url) => /\/hooks\/[a-z0-9]{26}\/?$/.test(url.pathname),
  create: (config, deps) =>
    createPostChannel(config, deps, {
      manners: mattermostManners,
      render: (notification, { plain }) => ({
        body: JSON.stringify(plain ? renderMattermostPlain(notification) : renderMattermost(notification)),
        headers: {},
      }),
    }),
};

export interface MattermostAttachment {
  readonly fallback: string;
  readonly color: string;
  readonly text: string;
  readonly fields?: readonly { readonly title: string; readonly value: string; readonly short: boolean }[];
  readonly footer?: string;
}
export interface MattermostPayload {
  readonly text: string;
  readonly attachments?: readonly MattermostAttachment[];
  readonly props?: { readonly card: string };
}

/** One text: the line and the log in a fence. */
export function renderMattermostPlain(notification: Notification): MattermostPayload {
  const card = cardOf(notification);
  const log = card.log === '' ? '' : `\n${mdFence(card.log, plainLogMax, cutTrace)}`;
  return { text: `${toneMark[card.tone]} ${mdLine(oneLine(card))}${log}` };
}

/** Title and state are the message; facts and links come first below it, the log text last, since it is long. */
export function renderMattermost(notification: Notification): MattermostPayload {
  const card = cardOf(notification);
  const mark = toneMark[card.tone];
  const state = card.state === '' ? '' : `\n${mdLine(card.state)}`;
  const shown = card.log === '' ? '' : mdFence(card.log, logMax, cutTrace);
  const isCut = shown.length < card.log.length;
  const shared = {
    fallback: mdInert(cut(`${mark} ${oneLine(card)}`, 500)),
    color: toneColour[card.tone],
  };
  const links = card.links.map((link) => `[${mdLine(link.title)}](${link.url})`).join(' \u00b7 ');
  const facts = {
    ...shared,
    text: joinParts([mdBlock(card.text), rowsText(card), mdBlock(card.steps), links]),
    fields: card.facts.map((fact) => ({
      title: mdLine(fact.name),
      value: mdCode(cut(fact.value, fieldMax)),
      short: fact.value.length <= shortField,
    })),
  };
  const logText = joinParts([
    shown,
    contextText('Lines before', card.before),
    contextText('Lines after', card.after),
  ]);
  const footer = cut(mdInert(card.footer), footerMax);
  return {
    text: `#### ${mark} ${card.word}: ${mdLine(card.title)}${state}`,
    attachments: logText === '' ? [{ ...facts, footer }] : [facts, { ...shared, text: logText, footer }],
    ...(isCut ? { props: { card: mdFence(card.log, panelMax, cutTrace) } } : {}),
  };
}

/** Parts are safe alone; the guard goes over their seams too. */
function joinParts(parts: readonly string[]): string {
  return mdGuard(parts.filter((part) => part !== '').join('\n\n'));
}

function rowsText(card: Card): string {
  const lines: string[] = [];
  let size = 0;
  for (const row of card.rows) {
    const line = `- ${toneMark[row.tone]} ${mdLine(row.title)} **${row.note}**`;
    size += line.length + 1;
    if (size > textMax) break;
    lines.push(line);
  }
  const left = card.rowsLeft + card.rows.length - lines.length;
  if (left > 0) lines.push(`- \u2026 and ${left} more`);
  return lines.join('\n');
}

function contextText(label: string, lines: readonly string[]): string {
  const text = lines.join('\n');
  return text.trim() === '' ? '' : `**${label}**\n${mdFence(text, contextMax)}`;
}
