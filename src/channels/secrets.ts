/**
 * Takes a channel's secrets out of what a server sends back: its URL in all spellings, the parts of it that look like
 * tokens, and the signing secret. A server that echoes the request must not make them public.
 */

/** A part of a path or query this long is taken for a token. */
const tokenChars = 12;
/** With a digit in it, a shorter one is taken for a token too. */
const tokenCharsWithDigit = 6;
const replacement = '[redacted]';

/** Makes the function that hides them. Longest first, so no secret is left in part. */
export function hideSecrets(url: URL, more: readonly string[]): (text: string) => string {
  const found = new Set<string>();
  const add = (text: string): void => {
    if (text.length < 4) return;
    for (const spelling of [text, decoded(text), encodeURIComponent(text), text.replaceAll('/', '\\/')]) {
      if (spelling.length >= 4) found.add(spelling);
    }
  };
  add(url.href);
  const target = url.pathname + url.search;
  if (target.length >= 8) add(target);
  for (const part of [...url.pathname.split('/'), ...url.searchParams.values()]) {
    if (looksLikeToken(part)) add(part);
  }
  for (const value of url.searchParams.values()) if (value.length >= tokenCharsWithDigit) add(value);
  add(url.username);
  add(url.password);
  for (const secret of more) add(secret);
  const secrets = [...found].sort((a, b) => b.length - a.length);
  return (text) => {
    let hidden = text;
    for (const secret of secrets) hidden = hidden.replaceAll(secret, replacement);
    return hidden;
  };
}

function looksLikeToken(part: string): boolean {
  return part.length >= tokenChars || (part.length >= tokenCharsWithDigit && /\d/.test(part));
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
