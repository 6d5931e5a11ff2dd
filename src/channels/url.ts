/** Reads URLs without throwing, and says which of them may become a link in a message. */

/** A link longer than this is left out: no chat service takes it. */
const linkMax = 2000;

/** The URL, or null when the text is none. */
export function parseUrl(text: string): URL | null {
  try {
    return new URL(text);
  } catch {
    return null;
  }
}

/** The text as an http(s) URL that may be a link of ours, in its normal spelling; null for anything else. */
export function webLink(text: string | null): string | null {
  if (text === null) return null;
  const url = parseUrl(text.trim());
  if (!url || (url.protocol !== 'http:' && url.protocol !== 'https:')) return null;
  // What a URL may hold but the markup of a chat room may not.
  const href = url.href.replace(
    /[|<>()[\]\\`"'*@!\s]/g,
    (found) => `%${found.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  );
  return href.length > linkMax ? null : href;
}
