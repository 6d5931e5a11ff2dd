/** Reads a Mattermost payload as its server and clients do, rewriting first, and tells what in it would act. */
// biome-ignore-all lint/suspicious/noExplicitAny: payloads are read as a stranger would.
import type { Reading } from './slack-reader.ts';

export function readMattermost(payload: any): Reading {
  const out = {
    mentions: [] as string[],
    links: [] as string[],
    code: [] as string[],
    problems: [] as string[],
  };
  const read = (text: unknown, limit: number, where: string): void => {
    if (typeof text !== 'string' || text === '') {
      if (where !== 'attachment') out.problems.push(`${where}: no text`);
      return;
    }
    if ([...text].length > limit) out.problems.push(`${where}: ${[...text].length} runes > ${limit}`);
    if (!text.isWellFormed()) out.problems.push(`${where}: lone surrogate`);
    if (/[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/.test(text))
      out.problems.push(`${where}: control character`);
    const rewritten = rewrite(text);
    if (rewritten !== text)
      out.problems.push(`${where}: the server would rewrite ${JSON.stringify(text.slice(0, 80))}`);
    readMarkdown(rewritten, out);
  };
  read(payload.text, 16_383, 'text');
  for (const attachment of payload.attachments ?? []) {
    if (!/^#[0-9a-f]{6}$/.test(attachment.color)) out.problems.push('color');
    read(attachment.fallback, 2000, 'fallback');
    read(attachment.text, 16_383, 'attachment');
    for (const field of attachment.fields ?? []) {
      read(field.title, 500, 'field title');
      read(field.value, 2000, 'field value');
    }
    if (attachment.footer !== undefined) read(attachment.footer, 300, 'footer');
  }
  if (payload.props?.card !== undefined) read(payload.props.card, 100_000, 'card');
  if (JSON.stringify({ ...payload.props, attachments: payload.attachments }).length > 760_000)
    out.problems.push('props');
  if (Buffer.byteLength(JSON.stringify(payload)) > 300_000) out.problems.push('body');
  return out;
}

/** What the server does to every text, also inside code. */
function rewrite(text: string): string {
  return text
    .replace(/<!(channel|here|all)>/g, '@$1')
    .replace(/<@(\w+)>/g, '@$1')
    .replace(/<([^\n<|>]+)\|([^|\n>]+)>/g, '[$2]($1)');
}

interface Out {
  readonly mentions: string[];
  readonly links: string[];
  readonly code: string[];
}

/** Fences by lines, then code spans, escapes, entities, links and mentions in what is left. */
function readMarkdown(text: string, out: Out): void {
  const lines = text.split('\n');
  let prose: string[] = [];
  const flush = (): void => {
    if (prose.length > 0) readInline(prose.join('\n'), out);
    prose = [];
  };
  for (let at = 0; at < lines.length; at++) {
    const open = /^ {0,3}(`{3,}|~{3,})([^`]*)$/.exec(lines[at] ?? '');
    if (!open) {
      if (/^(?: {4}|\t)/.test(lines[at] ?? '')) out.links.push(`indented code: ${lines[at]}`);
      else prose.push(lines[at] ?? '');
      continue;
    }
    flush();
    const fence = open[1] ?? '';
    const inner: string[] = [];
    at += 1;
    for (; at < lines.length; at++) {
      const close = new RegExp(`^ {0,3}${fence[0]}{${fence.length},}\\s*$`);
      if (close.test(lines[at] ?? '')) break;
      inner.push(lines[at] ?? '');
    }
    if (at >= lines.length) out.links.push('a fence that never closes');
    out.code.push(inner.join('\n'));
  }
  flush();
}

function readInline(text: string, out: Out): void {
  let plain = '';
  for (let at = 0; at < text.length; ) {
    if (text[at] === '\\' && /[\\`*{}[\]()#+\-.!_>~|]/.test(text[at + 1] ?? '')) {
      // Escaped: shown, but no markup. A letter stands for it, so that nothing is found around it.
      plain += '\u0001';
      at += 2;
      continue;
    }
    if (text[at] === '`') {
      const run = /^`+/.exec(text.slice(at))?.[0] ?? '`';
      const end = closing(text, at + run.length, run.length);
      if (end > 0) {
        out.code.push(text.slice(at + run.length, end));
        plain += '\u0002';
        at = end + run.length;
        continue;
      }
      plain += run;
      at += run.length;
      continue;
    }
    plain += text[at];
    at += 1;
  }
  const decoded = plain
    .replace(/&commat;/g, '@')
    .replace(/&#(\d+);/g, (_whole, code) => String.fromCodePoint(Number(code)))
    .replace(/&#x([0-9a-f]+);/gi, (_whole, code) => String.fromCodePoint(Number.parseInt(code, 16)));
  const withoutLinks = decoded.replace(/!?\[([^\]]*)\]\(([^)\s]*)[^)]*\)/g, (_whole, title, url) => {
    out.links.push(url);
    return title;
  });
  for (const found of withoutLinks.matchAll(
    /(?:https?|ftp|mailto|tel):[/a-z0-9%][^\s]*|www\d{0,3}\.[a-z0-9]\S*|[a-z0-9.-]+\.[a-z]{2,4}\/\S*|[a-z0-9.]+@[a-z0-9-]+\.[a-z]+/gi,
  )) {
    out.links.push(found[0]);
  }
  for (const found of withoutLinks.matchAll(/@[\p{L}\p{N}:._-]+/gu)) out.mentions.push(found[0]);
  for (const found of withoutLinks.matchAll(/^(?:#{1,6} |> ?|[-*+] (?!\S* )|\d+[.)] |\|)/gm)) {
    if (found.index > 0 && found[0] !== '- ') out.links.push(`block markup ${found[0]}`);
  }
}

function closing(text: string, from: number, length: number): number {
  for (const run of text.slice(from).matchAll(/`+/g)) {
    if (run[0].length === length) return from + run.index;
  }
  return -1;
}
