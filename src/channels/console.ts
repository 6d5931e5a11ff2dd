/**
 * The channel `console`: writes each notification as a readable card to where the program prints, with colours on a
 * terminal and as plain text in a pipe. Log text reaches the terminal cleaned, so it can't move the cursor or set the title.
 */
import type { Notification } from '../model/notification.ts';
import type { ChannelKind } from '../model/seams.ts';
import { createPaint, type Paint } from '../system/paint.ts';
import { type Card, cardOf, oneLine, type Tone } from './card.ts';
import { cutTrace } from './trace.ts';

/** Characters of log text per card: about a screen and a half. */
const logMax = 6000;

export const consoleKind: ChannelKind = {
  type: 'console',
  chat: false,
  options: {},
  recognise: () => false,
  create: (config, deps) => ({
    name: config.name,
    type: 'console',
    send: async (notification, { plain }) => {
      try {
        deps.write(renderConsole(notification, { colours: deps.colours, form: plain ? 'short' : 'full' }));
        return { outcome: 'delivered', status: null, body: '' };
      } catch {
        const detail = 'writing to the console failed';
        return { outcome: 'retry', reason: 'network', status: null, body: '', detail, retryAfterMs: null };
      }
    },
    close: async () => {},
  }),
};

/** The card as text, ending in an empty line. `short` is one line. */
export function renderConsole(
  notification: Notification,
  options: { readonly colours: boolean; readonly form: 'full' | 'short' },
): string {
  const paint = createPaint({ colours: options.colours });
  const card = cardOf(notification);
  if (options.form === 'short') return `${oneLine(card)}\n`;
  const lines = [
    `${tint(paint, card.tone)(paint.bold(card.word))}  ${paint.bold(card.title)}`,
    `  ${card.state}`,
    ...block(card.text, '  '),
    ...factLines(card, paint),
    ...section(card, paint),
    ...card.rows.map(
      (row) => `  ${tint(paint, row.tone)('\u25cf')} ${row.title} ${paint.dim(`(${row.note})`)}`,
    ),
    ...(card.rowsLeft > 0 ? [`  \u2026 and ${card.rowsLeft} more`] : []),
    ...block(card.steps, '  runbook: '),
    ...card.links.map((link) => `  ${paint.dim(`${link.title}:`)} ${link.url}`),
    `  ${paint.dim(card.footer)}`,
  ];
  return `${lines.join('\n')}\n\n`;
}

function section(card: Card, paint: Paint): string[] {
  const bar = paint.dim('\u2502');
  const lines: string[] = [];
  for (const line of card.before) lines.push(`  ${bar} ${paint.dim(line)}`);
  if (card.log !== '')
    for (const line of cutTrace(card.log, logMax).split('\n')) lines.push(`  ${bar} ${line}`);
  for (const line of card.after) lines.push(`  ${bar} ${paint.dim(line)}`);
  return lines;
}

function factLines(card: Card, paint: Paint): string[] {
  const width = Math.min(24, Math.max(0, ...card.facts.map((fact) => fact.name.length)));
  return card.facts.map((fact) => `  ${paint.dim(fact.name.padEnd(width))}  ${fact.value}`);
}

function block(text: string, indent: string): string[] {
  return text === '' ? [] : text.split('\n').map((line, index) => (index === 0 ? indent : '  ') + line);
}

function tint(paint: Paint, tone: Tone): (text: string) => string {
  switch (tone) {
    case 'critical':
      return (text) => paint.inverse(paint.red(text));
    case 'error':
      return paint.red;
    case 'warning':
      return paint.yellow;
    case 'info':
      return paint.blue;
    case 'good':
      return paint.green;
    case 'calm':
      return paint.dim;
  }
}
