/**
 * Puts a stranger's text into Mattermost's Markdown so that it shows as written, and nothing in it acts: no mention,
 * link, picture, heading or emoji, and no fence that the text itself can close. Give it cleaned text; what it returns
 * may be longer. Pure.
 */
import { cut } from './text.ts';

const invisibleSpace = '\u200b';
/** Longer runs of backticks are broken: the fence around them would need as many and one more. */
const backtickRunMax = 24;

/** One line of plain text outside code: shown as written, whatever it holds. */
export function mdLine(text: string): string {
  // An underscore inside a word is no markup, and names of fields are full of them.
  return mdInert(text.replace(/[\\`*[\]~|#>]|(?<![a-z0-9])_|_(?![a-z0-9])/gi, '\\$&'));
}

/** One line in which nothing acts, changed by invisible characters only: for places whose Markdown is not certain. */
export function mdInert(text: string): string {
  return (
    mdGuard(text)
      // An entity could spell an @; the parser of the server resolves them.
      .replace(/&(?=[#a-z])/gi, `&${invisibleSpace}`)
      .replace(/<(?=[a-z/?])/gi, `<${invisibleSpace}`)
      .replace(/\](?=\()/g, `]${invisibleSpace}`)
      .replace(/@/g, `@${invisibleSpace}`)
      .replace(/(https?|ftp|mailto|tel|mattermost):/gi, `$1:${invisibleSpace}`)
      .replace(/(www\d{0,3})\./gi, `$1${invisibleSpace}.`)
      // `name.tld/` becomes a link without any scheme.
      .replace(/(\.[a-z]{2,24})\//gi, `$1${invisibleSpace}/`)
      .replace(/:(?=(?:100|1234|[0-9]*[a-z_+-][a-z0-9_+-]*):)/gi, `:${invisibleSpace}`)
  );
}

/** Several lines of plain text outside code: no line begins a list, a quote, a table or a code block. */
export function mdBlock(text: string): string {
  return text
    .split('\n')
    .map((line) => (/^[\s\d=+-]/.test(line) ? invisibleSpace : '') + mdLine(line))
    .join('\n');
}

/** One line as inline code. Empty text gives a dash, since empty code is no code. */
export function mdCode(text: string): string {
  const line = breakRuns(mdGuard(text.replace(/\s*\n\s*/g, ' ')));
  if (line.trim() === '') return '-';
  const ticks = '`'.repeat(1 + longestRun(line));
  const pad = line.startsWith('`') || line.endsWith('`') || / {2}/.test(line) ? ' ' : '';
  return `${ticks}${pad}${line}${pad}${ticks}`;
}

/** A block of code of at most `limit` UTF-16 units, fences included; `shorten` cuts the text itself. */
export function mdFence(
  text: string,
  limit: number,
  shorten: (text: string, limit: number) => string = cut,
): string {
  // Guards lengthen the text, so they come first and the cut is measured after them.
  const safe = breakRuns(mdGuard(text));
  const fence = '`'.repeat(Math.max(3, 1 + longestRun(safe)));
  // A cut can bring signs together that were apart; this guard replaces one for one and adds no length.
  const shown = mdGuard(shorten(safe, limit - 2 * fence.length - 2));
  return `${fence}\n${shown}\n${fence}`;
}

/**
 * The server rewrites `<!here>`, `<@id>` and `<url|text>` even inside code. The first two are broken by an invisible
 * space; the third matches anything between its signs, so its first sign becomes the full-width one.
 */
export function mdGuard(text: string): string {
  if (!text.includes('<')) return text;
  const safe = text.includes('|') ? text.split('\n').map(breakLinks).join('\n') : text;
  return safe.replace(/<(?=[!@])/g, `<${invisibleSpace}`);
}

/** In one line: every `<` of a piece that is followed by `|`, one more piece and `>`. One pass, whatever the line holds. */
function breakLinks(line: string): string {
  const pieces = line.split(/([|>])/);
  for (let at = 0; at + 3 < pieces.length; at += 2) {
    if (pieces[at + 1] === '|' && pieces[at + 2] !== '' && pieces[at + 3] === '>') {
      pieces[at] = pieces[at]?.replaceAll('<', '\uff1c') ?? '';
    }
  }
  return pieces.join('');
}

function breakRuns(text: string): string {
  return text.replace(/`{25,}/g, (run) => run.replace(/`{24}(?=`)/g, `$&${invisibleSpace}`));
}

function longestRun(text: string): number {
  let longest = 0;
  for (const run of text.matchAll(/`+/g)) longest = Math.max(longest, run[0].length);
  return Math.min(longest, backtickRunMax);
}
