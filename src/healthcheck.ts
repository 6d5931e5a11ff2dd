/**
 * The health check of the container: asks the running daemon's `/healthz` and ends with 0 or 1. Where to ask is TOCSIN_ADMIN, a
 * `host:port` as in `admin.listen`. Stands beside `main.ts` outside the rooms and loads nothing but Node's own HTTP, so that a
 * check every few seconds costs next to nothing.
 */
import { get } from 'node:http';

/** What the README and the image suggest for `admin.listen`. */
const listenDefault = '127.0.0.1:9419';
/** Shorter than the time the container gives: the answer of a living daemon takes milliseconds. */
const deadlineMs = 3_000;

const listen = process.env['TOCSIN_ADMIN'] || listenDefault;
const colon = listen.lastIndexOf(':');
const named = listen.slice(0, Math.max(0, colon)).replace(/^\[|\]$/g, '');
// A daemon that listens everywhere is asked at home.
const everywhere: Readonly<Record<string, string>> = { '': '127.0.0.1', '0.0.0.0': '127.0.0.1', '::': '::1' };

function end(code: number, text: string): void {
  (code === 0 ? process.stdout : process.stderr).write(`${text}\n`);
  process.exitCode = code;
}

const request = get(
  {
    host: everywhere[named] ?? named,
    port: listen.slice(colon + 1),
    path: '/healthz',
    agent: false,
    signal: AbortSignal.timeout(deadlineMs),
  },
  (response) => {
    response.resume();
    end(response.statusCode === 200 ? 0 : 1, `status ${response.statusCode}`);
  },
);
request.on('error', (error) => end(1, `no answer from ${listen}: ${error.message}`));
