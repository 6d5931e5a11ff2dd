/**
 * Turns a host name into addresses for a connection about to be made. Each look-up has its own limit of time, and only
 * a few run at once, since they block threads that file reading needs too. With `allowPrivate: false` private
 * addresses are taken out here, on what is dialled next, so a name that changes its mind gains nothing.
 */
import { lookup as systemLookup } from 'node:dns/promises';
import type { LookupFunction } from 'node:net';
import type { Clock } from '../model/seams.ts';
import { isPrivateAddress } from './address.ts';

export interface ResolvedAddress {
  readonly address: string;
  readonly family: number;
}
/** Asks for all addresses of a name; rejects with a `code` as `node:dns` does. */
export type Resolve = (hostname: string) => Promise<readonly ResolvedAddress[]>;

/** One look-up may take this long; a connection attempt can begin again sooner than the whole deadline. */
export const lookupMs = 5_000;
/** getaddrinfo occupies a thread of libuv's four, which reading files needs too: never more than this many at once. */
export const lookupsAtOnce = 2;

/** A failed look-up, with a code that `decide` knows. */
export class LookupError extends Error {
  readonly code: string;
  constructor(code: string) {
    super(code);
    this.name = 'LookupError';
    this.code = code;
  }
}

/** Makes a resolver that shares running look-ups of one name and never has more than `lookupsAtOnce` of them open. */
export function limitedResolve(ask: Resolve): Resolve {
  const open = new Map<string, Promise<readonly ResolvedAddress[]>>();
  const waiting: (() => void)[] = [];
  let running = 0;
  const run = async (hostname: string): Promise<readonly ResolvedAddress[]> => {
    if (running >= lookupsAtOnce) await new Promise<void>((resolve) => waiting.push(resolve));
    else running += 1;
    try {
      return await ask(hostname);
    } finally {
      open.delete(hostname);
      // The slot is handed on, so `running` stays as it is.
      const next = waiting.shift();
      if (next) next();
      else running -= 1;
    }
  };
  return (hostname) => {
    const known = open.get(hostname);
    if (known) return known;
    const started = run(hostname);
    open.set(hostname, started);
    return started;
  };
}

/** The system's resolver behind one cap for the whole process, since the threads are one pool for the whole process. */
export const systemResolve: Resolve = limitedResolve((hostname) => systemLookup(hostname, { all: true }));

/** The `lookup` of a socket: addresses within `lookupMs`, private ones taken out unless they are allowed. */
export function socketLookup(options: {
  readonly resolve: Resolve;
  readonly allowPrivate: boolean;
  readonly clock: Clock;
}): LookupFunction {
  const find = async (hostname: string): Promise<ResolvedAddress[]> => {
    const found = await withinLimit(options.resolve(hostname), options.clock);
    if (found.length === 0) throw new LookupError('ENODATA');
    const allowed = options.allowPrivate ? found : found.filter((entry) => !isPrivateAddress(entry.address));
    if (allowed.length === 0) throw new LookupError('PRIVATE_ADDRESS');
    return [...allowed];
  };
  return (hostname, settings, callback) => {
    find(hostname).then(
      (found) => {
        const first = found[0];
        if (settings.all || !first) callback(null, found);
        else callback(null, first.address, first.family);
      },
      (error: NodeJS.ErrnoException) => callback(error, ''),
    );
  };
}

function withinLimit<T>(promise: Promise<T>, clock: Clock): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = clock.setTimer(lookupMs, () => reject(new LookupError('DNS_TIMEOUT')));
    promise.then(resolve, reject).finally(() => timer.cancel());
  });
}
