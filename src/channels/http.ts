/**
 * The door to undici: one POST to one URL, and what came of it. One overall deadline covers the name, the connection,
 * TLS, the headers and the body; at most 64 KiB of an answer are read and never unpacked; a redirect is an answer like
 * any other. It never throws, never shows the URL, and judges nothing: `decide.ts` does.
 */
import type { buildConnector, Dispatcher } from 'undici';
import type { ProxySettings } from '../model/proxy.ts';
import type { Clock } from '../model/seams.ts';
import { isPrivateAddress, literalAddress } from './address.ts';
import { type Resolve, socketLookup, systemResolve } from './lookup.ts';
import { proxyFor } from './proxy.ts';

/** What a server answered. Header names are lower case; a repeated header is joined by commas. */
export interface HttpAnswer {
  readonly kind: 'answer';
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** The first `answerBytesMax` bytes as text. */
  readonly body: string;
}
/** No usable answer came. */
export interface HttpFault {
  readonly kind: 'fault';
  /** `ECONNREFUSED`, `CERT_HAS_EXPIRED`, `DEADLINE`, `STOPPED`, `PRIVATE_ADDRESS`, `BROKEN_ANSWER` ... */
  readonly code: string;
  /** The status, if the headers had come. */
  readonly status: number | null;
  /** The variable that names the proxy on the way, if there was one. */
  readonly proxy?: string;
}
export type HttpResult = HttpAnswer | HttpFault;

export interface HttpRequest {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly signal: AbortSignal;
}

export interface HttpDoor {
  /** One POST of a JSON body. Never rejects. A reused connection that died before any byte came is replaced once. */
  postJson(request: HttpRequest): Promise<HttpResult>;
  /** Loads the library now, so that the first POST does not wait for it. */
  warm(): void;
  close(): Promise<void>;
}

export interface HttpDoorOptions {
  readonly url: URL;
  readonly allowPrivate: boolean;
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly userAgent: string;
  readonly resolve?: Resolve;
  /** Proxies of the environment; a URL may be reached through one of them, or through none. */
  readonly proxies?: ProxySettings | null;
  /** A certificate authority besides the built-in ones; tests use it. */
  readonly ca?: string;
}

/** More of an answer is never read: no service's verdict is longer. */
const answerBytesMax = 64 * 1024;
/** Sockets per channel. A channel sends in order; more than one is for a probe beside a hanging attempt. */
const socketsMax = 4;
const headerBytesMax = 16 * 1024;
const keepAliveMs = 30_000;
const limits = {
  connections: socketsMax,
  pipelining: 1,
  keepAliveTimeout: keepAliveMs,
  maxHeaderSize: headerBytesMax,
  // One deadline rules; undici's own body timeout would not end a drip of single bytes anyway.
  headersTimeout: 0,
  bodyTimeout: 0,
} as const;

/** What undici says where a proxy did not do what it was asked. */
const proxyCodes: Readonly<Record<string, string>> = {
  UND_ERR_ABORTED: 'PROXY_REFUSED',
  UND_ERR_INVALID_ARG: 'PROXY_AUTH',
};
/** What a dead keep-alive connection looks like when it is used again. */
const resetCodes = new Set(['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE', 'ECONNABORTED']);

/** Opens one channel's door. The URL must be http or https. */
export function openHttpDoor(options: HttpDoorOptions): HttpDoor {
  const proxy = proxyFor(options.proxies ?? null, options.url);
  const lookup = socketLookup({
    resolve: options.resolve ?? systemResolve,
    // A proxy is in one's own network as a rule; where it goes from there is looked up and watched over by it.
    allowPrivate: options.allowPrivate || proxy !== null,
    clock: options.clock,
  });
  let connections = 0;
  const counted =
    (connect: buildConnector.connector): buildConnector.connector =>
    (target, callback) => {
      connections += 1;
      connect(target, callback);
    };
  // undici costs 19 MiB and 0.1 s: what never posts never loads it.
  const openAgent = async (): Promise<Dispatcher> => {
    const undici = await import('undici');
    const dial = { lookup, timeout: options.timeoutMs, autoSelectFamily: true };
    const trust = options.ca === undefined ? {} : { ca: options.ca };
    if (proxy === null)
      return new undici.Agent({
        ...limits,
        connect: counted(undici.buildConnector({ ...dial, ...trust })),
      });
    return new undici.ProxyAgent({
      ...limits,
      uri: proxy.url.reveal(),
      // A tunnel for https alone: many proxies allow none to other ports.
      proxyTunnel: false,
      proxyTls: { ...dial, ...trust },
      requestTls: { timeout: options.timeoutMs, ...trust },
      factory: (origin, given) => {
        const { connect } = given as { connect: buildConnector.connector };
        return new undici.Pool(origin, { ...limits, ...given, connect: counted(connect) });
      },
    });
  };
  let opened: Promise<Dispatcher> | null = null;
  const literal = literalAddress(options.url.hostname);

  const post = async (request: HttpRequest): Promise<HttpResult> => {
    if (!options.allowPrivate && literal !== null && isPrivateAddress(literal)) {
      return { kind: 'fault', code: 'PRIVATE_ADDRESS', status: null };
    }
    const limit = openLimit(request.signal, options.clock, options.timeoutMs);
    try {
      opened ??= openAgent();
      const agent = await opened;
      const before = connections;
      const first = await attempt(agent, options, request, limit);
      const reused = connections === before;
      if (first.kind === 'answer' || !reused || first.status !== null || !resetCodes.has(first.code))
        return first;
      const fresh = await openAgent();
      try {
        return await attempt(fresh, options, request, limit);
      } finally {
        fresh.destroy().catch(ignore);
      }
    } finally {
      limit.end();
    }
  };
  return {
    postJson: async (request) => {
      const result = await post(request);
      if (proxy === null || result.kind === 'answer') return result;
      return { ...result, code: proxyCodes[result.code] ?? result.code, proxy: proxy.variable };
    },
    warm: () => {
      opened ??= openAgent();
      // A library that does not load is told by the first message.
      opened.catch(ignore);
    },
    close: async () => {
      const agent = await opened;
      await agent?.destroy().catch(ignore);
    },
  };
}

interface Limit {
  readonly signal: AbortSignal;
  /** Resolves with the code of the fault once the deadline passed or the caller gave up. */
  readonly reached: Promise<string>;
  end(): void;
}

function openLimit(outer: AbortSignal, clock: Clock, timeoutMs: number): Limit {
  const controller = new AbortController();
  let finish: (code: string) => void = ignore;
  const reached = new Promise<string>((resolve) => {
    finish = (code) => {
      resolve(code);
      controller.abort(new Error(code));
    };
  });
  const stop = (): void => finish('STOPPED');
  const timer = clock.setTimer(timeoutMs, () => finish('DEADLINE'));
  if (outer.aborted) stop();
  else outer.addEventListener('abort', stop, { once: true });
  return {
    signal: controller.signal,
    reached,
    end: () => {
      timer.cancel();
      outer.removeEventListener('abort', stop);
    },
  };
}

async function attempt(
  agent: Dispatcher,
  options: HttpDoorOptions,
  request: HttpRequest,
  limit: Limit,
): Promise<HttpResult> {
  const seen: { status: number | null } = { status: null };
  const exchanged = exchange(agent, options, request, limit.signal, seen).catch(
    (error: unknown): HttpResult => ({ kind: 'fault', code: codeOf(error), status: seen.status }),
  );
  // undici hears of an abort only once it is connected, so the deadline is raced as well.
  const reached = limit.reached.then((code): HttpResult => ({ kind: 'fault', code, status: seen.status }));
  const result = await Promise.race([reached, exchanged]);
  if (result.kind === 'fault' && limit.signal.aborted) return reached;
  return result;
}

async function exchange(
  agent: Dispatcher,
  options: HttpDoorOptions,
  request: HttpRequest,
  signal: AbortSignal,
  seen: { status: number | null },
): Promise<HttpAnswer> {
  const { url } = options;
  const response = await agent.request({
    origin: url.origin,
    path: url.pathname + url.search,
    method: 'POST',
    headers: {
      'content-type': 'application/json; charset=utf-8',
      'user-agent': options.userAgent,
      accept: '*/*',
      // An answer is never unpacked, so none may come packed.
      'accept-encoding': 'identity',
      ...credentials(url),
      ...request.headers,
    },
    body: request.body,
    signal,
  });
  seen.status = response.statusCode;
  response.body.on('error', ignore);
  const headers: Record<string, string> = Object.create(null);
  for (const [name, value] of Object.entries(response.headers)) {
    if (value !== undefined) headers[name.toLowerCase()] = Array.isArray(value) ? value.join(', ') : value;
  }
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of response.body) {
    const bytes = part as Buffer;
    parts.push(size + bytes.length > answerBytesMax ? bytes.subarray(0, answerBytesMax - size) : bytes);
    size += bytes.length;
    // Leaving the loop destroys the body and its socket: an endless answer ends here.
    if (size >= answerBytesMax) break;
  }
  // undici frees the connection one turn of the loop later; a next POST at once would open another.
  await new Promise<void>((resolve) => setImmediate(resolve));
  return {
    kind: 'answer',
    status: response.statusCode,
    headers,
    body: Buffer.concat(parts).toString('utf8'),
  };
}

/** `https://user:password@host/`: sent as a header, as every HTTP client does. */
function credentials(url: URL): Record<string, string> {
  if (url.username === '' && url.password === '') return {};
  const pair = `${decode(url.username)}:${decode(url.password)}`;
  return { authorization: `Basic ${Buffer.from(pair, 'utf8').toString('base64')}` };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The code of an error, its cause's, or that of the first of several; the message may hold the URL and is never used. */
function codeOf(error: unknown): string {
  let at: unknown = error;
  let found = 'BROKEN_ANSWER';
  for (let depth = 0; depth < 4 && typeof at === 'object' && at !== null; depth++) {
    const { code, cause } = at as { code?: unknown; cause?: unknown };
    if (typeof code === 'string' && /^[A-Z][A-Z0-9_]{1,60}$/.test(code)) found = code;
    at = cause;
  }
  return found;
}

function ignore(): void {
  // Nothing is left to be done with this outcome.
}
