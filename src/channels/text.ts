/**
 * Makes text from logs harmless and short before any channel adds markup: terminal escapes go, control, bidi and
 * zero-width characters become visible, line ends become \n, lone surrogates become U+FFFD. Cuts fall on borders of
 * what a reader sees as one character and always say how much is missing. It knows no channel's markup.
 */

/** Marks stacked on one letter beyond this are left out: five thousand of them cover a whole screen. */
const stackedMarksMax = 8;
/** How far back from a cut a border is looked for; a longer single "character" is cut inside. */
const borderWindow = 256;

// CSI; OSC and the string sequences with their end; any other two-byte escape; an ESC alone.
const terminalEscapes =
  /(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b\n]*(?:\x07|\x1b\\)|\x1b[PX^_][^\x1b\n]*\x1b\\|\x1b[ -/]*[0-~]|\x1b/g;
// C0 without \t and \n, DEL, C1.
const controls = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]/g;
// Bidi marks and overrides, zero-width and other invisible characters, interlinear marks, tag characters.
const invisibles =
  /[\u00ad\u061c\u115f\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb]|[\u{e0000}-\u{e007f}]/gu;
const joinedEmoji = /\p{Extended_Pictographic}[\u{1f3fb}-\u{1f3ff}\ufe0f]?$/u;
const emojiAhead = /^\p{Extended_Pictographic}/u;
const stackedMarks = new RegExp(`(\\p{M}{${stackedMarksMax}})\\p{M}+`, 'gu');

const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' });

/** Any text -> the same for a reader, in which nothing acts. Keeps \n and \t. */
export function clean(text: string): string {
  if (/^[\x20-\x7e\n\t]*$/.test(text)) return text;
  return text
    .toWellFormed()
    .replace(terminalEscapes, '')
    .replace(/\r\n?|[\u2028\u2029\u0085]/g, '\n')
    .replace(controls, showControl)
    .replace(invisibles, showInvisible)
    .replace(stackedMarks, '$1');
}

/** As `clean`, in one line: for titles, names and values. */
export function cleanLine(text: string): string {
  return clean(text)
    .replace(/[\n\t]+/g, ' ')
    .trim();
}

function showControl(character: string): string {
  const code = character.charCodeAt(0);
  return code === 0 ? '\u2400' : `\\x${code.toString(16).padStart(2, '0')}`;
}

function showInvisible(character: string, offset: number, whole: string): string {
  // The joiner inside one emoji (a family, a profession) is part of the picture.
  if (
    character === '\u200d' &&
    joinedEmoji.test(whole.slice(Math.max(0, offset - 4), offset)) &&
    emojiAhead.test(whole.slice(offset + 1, offset + 3))
  ) {
    return character;
  }
  return `\\u{${(character.codePointAt(0) ?? 0).toString(16).toUpperCase()}}`;
}

/** The last border between visible characters at or before `index` (UTF-16 units). */
export function borderBefore(text: string, index: number): number {
  if (index <= 0) return 0;
  if (index >= text.length) return text.length;
  const from = Math.max(0, index - borderWindow);
  const found = graphemes.segment(text.slice(from, index + borderWindow)).containing(index - from);
  const border = from + (found?.index ?? index - from);
  if (border > from || from === 0) return border;
  // One endless "character": at least no surrogate pair is torn.
  return isLowSurrogate(text, index) ? index - 1 : index;
}

/** The first border between visible characters at or after `index`. */
export function borderAfter(text: string, index: number): number {
  const before = borderBefore(text, index);
  if (before === index) return index;
  const from = Math.max(0, before);
  const found = graphemes.segment(text.slice(from, from + 2 * borderWindow)).containing(0);
  const end = from + (found?.segment.length ?? 1);
  return isLowSurrogate(text, end) ? end + 1 : end;
}

function isLowSurrogate(text: string, index: number): boolean {
  const code = text.charCodeAt(index);
  return code >= 0xdc00 && code <= 0xdfff;
}

/** At most `limit` UTF-16 units (never more code points or runes than that); what is left out is counted at the end. */
export function cut(text: string, limit: number): string {
  if (text.length <= limit) return text;
  const room = limit - marker(text.length).length;
  if (room <= 0) return text.slice(0, borderBefore(text, limit));
  const end = borderBefore(text, room);
  return text.slice(0, end) + marker(text.length - end);
}

function marker(missing: number): string {
  return `\u2026 (+${missing} chars)`;
}

/** As `cut`, but keeps the beginning and the end: the share of the head is a third. */
export function cutMiddle(text: string, limit: number): string {
  if (text.length <= limit) return text;
  const gap = `\n\u2026 (${text.length} chars left out)\n`;
  const room = limit - gap.length;
  if (room < 40) return cut(text, limit);
  const head = borderBefore(text, Math.floor(room / 3));
  const tail = borderAfter(text, text.length - (room - Math.floor(room / 3)));
  return `${text.slice(0, head)}\n\u2026 (${tail - head} chars left out)\n${text.slice(tail)}`;
}

/** At most `limit` bytes of UTF-8, cut between code points, without a marker. */
export function cutBytes(text: string, limit: number): string {
  // A UTF-16 unit is at most three bytes, so short texts need no measuring.
  if (text.length * 3 <= limit) return text;
  const bytes = Buffer.from(text, 'utf8');
  if (bytes.length <= limit) return text;
  let end = limit;
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return bytes.toString('utf8', 0, end);
}
