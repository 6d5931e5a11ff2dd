/**
 * Whether a request shows the token, in one of the ways that senders have: `Authorization: Bearer`, the password (or the user) of Basic,
 * `?token=`, or a header of its own. It compares only; it keeps nothing.
 */
import type { IncomingMessage } from 'node:http';
import type { Secret } from '../model/config.ts';

/** Longer ones are none of ours. */
const tokenMax = 4_096;

export function showsToken(request: IncomingMessage, query: URLSearchParams, token: Secret): boolean {
  return shown(request, query).some((text) => text.length <= tokenMax && token.is(text));
}

function shown({ headers }: IncomingMessage, query: URLSearchParams): string[] {
  const found = [query.get('token') ?? '', String(headers['x-api-key'] ?? '')];
  const [, scheme = '', rest = ''] = /^(\S+) +(.*?) *$/.exec(headers.authorization ?? '') ?? [];
  if (scheme.toLowerCase() === 'bearer') found.push(rest);
  if (scheme.toLowerCase() === 'basic') {
    const pair = Buffer.from(rest, 'base64').toString('utf8');
    const colon = pair.indexOf(':');
    found.push(pair.slice(colon + 1));
    // A URL with nothing but the token in front of the host.
    if (colon > 0 && colon === pair.length - 1) found.push(pair.slice(0, colon));
  }
  return found.filter((text) => text !== '');
}
