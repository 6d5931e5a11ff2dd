/**
 * Takes colours and other terminal escapes out of text. A sequence never reaches over a line end, so cleaning a block and
 * cleaning its lines one by one is the same. Control characters that are no escape sequence stay: channels show them.
 */

/** CSI, OSC (ended by BEL or ST, or by the line's end), other string sequences, charset choices, single escapes. */
// biome-ignore lint/complexity/useRegexLiterals: control characters are easier to read escaped in a string
const escapes = new RegExp(
  '\\u001b(?:\\[[0-?]*[ -/]*[@-~]?|[\\]PX^_][^\\n\\u0007\\u001b]*(?:\\u0007|\\u001b\\\\)?|[ -/]+[0-~]|[0-~])?',
  'g',
);

/** Text without escape sequences; a lone ESC goes too. Linear in the text. */
export function stripAnsi(text: string): string {
  return text.includes('\u001b') ? text.replace(escapes, '') : text;
}
