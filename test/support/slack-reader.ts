/** Reads a Slack payload as Slack does, and tells what in it would act, and which limits it breaks. */
// biome-ignore-all lint/suspicious/noExplicitAny: payloads are read as a stranger would.

export interface Reading {
  readonly mentions: readonly string[];
  readonly links: readonly string[];
  /** Texts shown as code, unparsed. */
  readonly code: readonly string[];
  readonly problems: readonly string[];
}

export function readSlack(payload: any): Reading {
  const out = {
    mentions: [] as string[],
    links: [] as string[],
    code: [] as string[],
    problems: [] as string[],
  };
  const say = (problem: string): void => void out.problems.push(problem);
  readMrkdwn(payload.text, out);
  let total = 0;
  if ((payload.blocks?.length ?? 0) > 50) say('more than 50 blocks');
  const text = (value: unknown, limit: number, where: string): string => {
    if (typeof value !== 'string' || value.trim() === '') say(`${where}: empty text`);
    const shown = String(value);
    if (shown.length > limit) say(`${where}: ${shown.length} > ${limit}`);
    if (!shown.isWellFormed()) say(`${where}: lone surrogate`);
    if (/[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/.test(shown))
      say(`${where}: control character`);
    total += shown.length;
    return shown;
  };
  const plain = (value: any, limit: number, where: string): void => {
    if (value?.type !== 'plain_text' || value.emoji !== false) say(`${where}: not inert text`);
    if (/<!(here|channel|everyone)|<@U|<!subteam/.test(text(value.text, limit, where)))
      say(`${where}: raw mention`);
  };
  const rich = (element: any): void => {
    switch (element.type) {
      case 'rich_text':
      case 'rich_text_section':
      case 'rich_text_list':
        if (element.elements.length === 0) say(`${element.type}: empty`);
        for (const inner of element.elements) rich(inner);
        break;
      case 'rich_text_preformatted':
        out.code.push(element.elements.map((inner: any) => inner.text).join(''));
        for (const inner of element.elements) rich(inner);
        break;
      case 'text':
        text(element.text, 3000, 'rich text');
        break;
      case 'link':
        out.links.push(element.url);
        total += element.url.length + text(element.text, 300, 'link').length;
        break;
      default:
        out.mentions.push(JSON.stringify(element));
    }
  };
  for (const block of payload.blocks ?? []) {
    if (block.type === 'header') plain(block.text, 150, 'header');
    else if (block.type === 'section') {
      if (block.text) plain(block.text, 3000, 'section');
      if (block.fields && (block.fields.length > 10 || block.fields.length === 0)) say('fields');
      for (const field of block.fields ?? []) plain(field, 2000, 'field');
    } else if (block.type === 'context') {
      if (block.elements.length > 10) say('context elements');
      for (const element of block.elements) plain(element, 2000, 'context');
    } else if (block.type === 'rich_text') rich(block);
    else say(`unknown block ${block.type}`);
  }
  if (total > 9500) say(`all texts: ${total}`);
  return out;
}

/** Top-level text is parsed: `<...>` acts, and so does a bare address. */
function readMrkdwn(text: string, out: { mentions: string[]; links: string[]; problems: string[] }): void {
  if (typeof text !== 'string' || text.trim() === '') out.problems.push('no fallback text');
  if (text.length > 40_000) out.problems.push('fallback too long');
  for (const found of text.matchAll(/<([^>]*)>?/g)) {
    const inner = found[1] ?? '';
    if (/^[!@#]/.test(inner)) out.mentions.push(inner);
    else out.links.push(inner);
  }
  for (const found of text.matchAll(
    /(?:https?|ftp):\/\/[^\s]+|mailto:[^\s\u200b]\S*|www\.[a-z]\S*|\S+@[a-z0-9]\S*\.\S+/gi,
  ))
    out.links.push(found[0]);
  for (const found of text.matchAll(/@(?:here|channel|everyone)/g)) out.mentions.push(found[0]);
}
