/**
 * Decides what an attempt came to: (a service's manners, what came back) -> Delivery. A table per service names the
 * answers whose status alone would mislead; the rest goes by status. It shows what came back as it came, cleaned, cut
 * and without secrets, and never the URL. Pure: no I/O, no clock.
 */
// biome-ignore-all lint/suspicious/noThenProperty: `then` of a Delivery is a word, never a function; awaiting it does nothing.
import type { Delivery, FailureReason } from '../model/seams.ts';
import type { HttpAnswer, HttpFault, HttpResult } from './http.ts';
import { retryAfterMs } from './retry-after.ts';
import { clean, cleanLine, cut } from './text.ts';
import { parseUrl } from './url.ts';

export type Verdict =
  | { readonly outcome: 'delivered' }
  | { readonly outcome: 'retry'; readonly reason: FailureReason }
  | {
      readonly outcome: 'rejected';
      readonly reason: FailureReason;
      readonly then: 'plain' | 'park' | 'drop';
    };

/** How one service speaks. */
export interface Manners {
  /** The service's own word for what happened (an error id, a body that is one word), or null. */
  word(answer: HttpAnswer): string | null;
  /** Verdicts by `STATUS word`, else by `word`. They win over the status. */
  readonly words: Readonly<Record<string, Verdict>>;
  /** Verdict on a 2xx that no word decides. */
  success(answer: HttpAnswer): Verdict;
}

export const delivered: Verdict = { outcome: 'delivered' };
export const retryLater: Verdict = { outcome: 'retry', reason: 'server-error' };
export const tryPlain: Verdict = { outcome: 'rejected', reason: 'client-error', then: 'plain' };
export const tooLarge: Verdict = { outcome: 'rejected', reason: 'too-large', then: 'plain' };
export const parkAuth: Verdict = { outcome: 'rejected', reason: 'auth', then: 'park' };
export const parkMissing: Verdict = { outcome: 'rejected', reason: 'not-found', then: 'park' };
export const parkBadAnswer: Verdict = { outcome: 'rejected', reason: 'bad-answer', then: 'park' };

/** What is shown of an answer, in characters. */
const shownBodyMax = 512;

export interface DecideOptions {
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Host of the URL; all that is ever shown of it. */
  readonly host: string;
  /** This was the plain form already: what it can't pass with, never will. */
  readonly plain: boolean;
  /** Takes secrets out of what came back. */
  readonly hide: (text: string) => string;
}

/** One attempt's outcome. Total: every status and every fault has one. */
export function decideDelivery(manners: Manners, result: HttpResult, options: DecideOptions): Delivery {
  if (result.kind === 'fault') return decideFault(result, options);
  const word = result.status >= 200 ? manners.word(result) : null;
  const verdict = verdictOf(manners, result, word);
  const body = cut(clean(options.hide(result.body)), shownBodyMax);
  if (verdict.outcome === 'delivered') return { outcome: 'delivered', status: result.status, body };
  const shared = { reason: verdict.reason, status: result.status, body };
  const detail = describe(result, word, options);
  if (verdict.outcome === 'retry') {
    return {
      outcome: 'retry',
      ...shared,
      detail,
      retryAfterMs: retryAfterMs(result, options.now),
    };
  }
  const then = verdict.then === 'plain' && options.plain ? 'drop' : verdict.then;
  return { outcome: 'rejected', ...shared, detail, then };
}

function verdictOf(manners: Manners, answer: HttpAnswer, word: string | null): Verdict {
  if (word !== null) {
    for (const key of [`${answer.status} ${word}`, word]) {
      const known = Object.hasOwn(manners.words, key) ? manners.words[key] : undefined;
      if (known) return known;
    }
  }
  if (answer.status >= 200 && answer.status <= 299) return manners.success(answer);
  return verdictOfStatus(answer.status);
}

/** The verdict where only the status speaks. Client errors that no shorter message cures keep the alert until a person acts. */
function verdictOfStatus(status: number): Verdict {
  if (status >= 200 && status <= 299) return delivered;
  // Following a redirect would hand the alert and its signature to a host nobody chose.
  if (status >= 300 && status <= 399) return { outcome: 'rejected', reason: 'redirect', then: 'park' };
  switch (status) {
    case 400:
    case 422:
      return tryPlain;
    case 413:
    case 414:
      return tooLarge;
    case 401:
    case 403:
    case 407:
      return parkAuth;
    case 404:
    case 405:
    case 410:
      return parkMissing;
    case 408:
      return { outcome: 'retry', reason: 'timeout' };
    case 421:
    case 425:
      return retryLater;
    case 429:
      return { outcome: 'retry', reason: 'rate-limited' };
    case 501:
    case 505:
      return { outcome: 'rejected', reason: 'server-error', then: 'park' };
    default:
  }
  if (status >= 400 && status <= 499) return { outcome: 'rejected', reason: 'client-error', then: 'park' };
  if (status >= 500 && status <= 599) return retryLater;
  return { outcome: 'retry', reason: 'bad-answer' };
}

function describe(answer: HttpAnswer, word: string | null, options: DecideOptions): string {
  const said = word === null ? '' : ` "${cut(cleanLine(options.hide(word)), 100)}"`;
  if (answer.status >= 300 && answer.status <= 399) {
    const target = locationHost(answer.headers['location']);
    return options.hide(
      `${options.host} answered ${answer.status}, a redirect to ${target}; redirects are never followed: write the final URL`,
    );
  }
  return `${options.host} answered ${answer.status}${said}`;
}

function locationHost(location: string | undefined): string {
  if (location === undefined || location === '') return 'nowhere (no Location header)';
  if (!/^[a-z][a-z0-9+.-]*:/i.test(location) && !location.startsWith('//'))
    return 'another path on the same host';
  const url = parseUrl(location.startsWith('//') ? `http:${location}` : location);
  if (!url) return 'something that is not a URL';
  const scheme = url.protocol === 'http:' || url.protocol === 'https:' ? '' : `${url.protocol}//`;
  return cut(cleanLine(`${scheme}${url.host || '(no host)'}`), 120);
}

/** What the codes of failed connections mean, and to which of our reasons they belong. */
const faults: Readonly<Record<string, readonly [FailureReason, string]>> = {
  DEADLINE: ['timeout', 'gave no complete answer within the timeout'],
  STOPPED: ['network', 'was not waited for: the attempt was stopped'],
  DNS_TIMEOUT: ['timeout', 'could not be looked up in time: the name server is silent'],
  ENOTFOUND: ['network', 'is a name that does not exist'],
  ENODATA: ['network', 'is a name without addresses'],
  EAI_AGAIN: ['network', 'could not be looked up: the name server has trouble'],
  ECONNREFUSED: ['network', 'refused the connection: nothing listens there'],
  ECONNRESET: ['network', 'broke the connection'],
  EPIPE: ['network', 'broke the connection'],
  UND_ERR_SOCKET: ['network', 'closed the connection before a complete answer'],
  UND_ERR_CLOSED: ['network', 'was not asked: the channel is closing'],
  UND_ERR_DESTROYED: ['network', 'was not asked: the channel is closing'],
  EHOSTUNREACH: ['network', 'is not reachable from here'],
  ENETUNREACH: ['network', 'is not reachable: no network'],
  ETIMEDOUT: ['timeout', 'did not take the connection in time'],
  UND_ERR_CONNECT_TIMEOUT: ['timeout', 'did not take the connection in time'],
  PROXY_REFUSED: ['network', 'was not asked: the proxy refused the way there'],
  PROXY_AUTH: ['network', 'was not asked: the proxy wants a user and a password in its URL'],
  UND_ERR_HEADERS_OVERFLOW: ['bad-answer', 'answered with too many headers'],
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: ['bad-answer', 'sent less than it announced'],
  BROKEN_ANSWER: ['bad-answer', 'sent an answer that is not HTTP'],
  CERT_HAS_EXPIRED: ['tls', 'shows an expired certificate'],
  CERT_NOT_YET_VALID: ['tls', 'shows a certificate that is not valid yet: look at the clock here'],
  DEPTH_ZERO_SELF_SIGNED_CERT: ['tls', 'shows a self-signed certificate'],
  SELF_SIGNED_CERT_IN_CHAIN: ['tls', 'shows a certificate of an authority unknown here'],
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: ['tls', 'shows a certificate of an authority unknown here'],
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: ['tls', 'shows a certificate of an authority unknown here'],
  ERR_TLS_CERT_ALTNAME_INVALID: ['tls', 'shows a certificate for another name'],
  EPROTO: ['tls', 'does not speak TLS as it should'],
};

function decideFault(fault: HttpFault, options: DecideOptions): Delivery {
  const { code } = fault;
  const shared = { status: fault.status, body: '' };
  if (code === 'PRIVATE_ADDRESS') {
    const detail = `${options.host} is a private address, and this channel has allow_private: false (${code})`;
    return { outcome: 'rejected', reason: 'network', ...shared, detail, then: 'park' };
  }
  const known = Object.hasOwn(faults, code) ? faults[code] : undefined;
  const [reason, words] = known ?? [reasonOfCode(code), 'could not be reached'];
  const after = fault.status === null ? '' : `, after status ${fault.status}`;
  const way = fault.proxy === undefined ? '' : `, through the proxy of ${fault.proxy}`;
  const detail = `${options.host} ${words}${after}${way} (${code})`;
  return { outcome: 'retry', reason, ...shared, detail, retryAfterMs: null };
}

function reasonOfCode(code: string): FailureReason {
  if (/^(?:CERT_|ERR_TLS|ERR_SSL|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|HOSTNAME_)/.test(code)) return 'tls';
  if (/^(?:HPE_|UND_ERR_RES|UND_ERR_HEADERS)/.test(code)) return 'bad-answer';
  return /TIMEOUT|TIMEDOUT/.test(code) ? 'timeout' : 'network';
}
