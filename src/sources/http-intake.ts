/**
 * One request after another, from its head to its answer: who may send, how much, what it is, and, once what it brought is durable, that it
 * was taken. Where there is no room it says when to try again. It opens no socket.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { HttpSourceConfig } from '../model/config.ts';
import type { Clock, SourcePort } from '../model/seams.ts';
import { addressTest, plainAddress } from './allowed.ts';
import { type Answer, type AnswerForm, writeAnswer } from './http-answer.ts';
import { type Batch, isRefusal, type Refusal } from './http-batch.ts';
import { type BodyKind, kindOfType, readBody } from './http-body.ts';
import { readLogplex } from './http-logplex.ts';
import { Repeats } from './http-repeats.ts';
import { HttpStreams } from './http-streams.ts';
import { showsToken } from './http-token.ts';
import { refuseEncoding, unpack } from './http-unpack.ts';
import { UpstreamLoss } from './upstream-loss.ts';

/** Bodies that are being read, all together. Beyond, senders are asked to come again. */
export const heldBytesMax = 96 * 1024 * 1024;
/** Compressed bodies that are unpacked and taken at the same time: each may grow to the limit. */
const unpackingMax = 2;
/** When to try again, s: there is room again at once, most often. */
const retryBusy = 1;
const retryState = 5;
/** A header of ours that is longer is none. */
const idMax = 128;
/** The same thing is logged again after so long. */
const repeatMs = 3_600_000;
const topicsMax = 1_000;

export interface HttpDeps {
  readonly port: SourcePort;
  readonly clock: Clock;
  readonly warn?: (message: string) => void;
}

/** A request whose head is good. */
interface Accepted {
  readonly kind: BodyKind;
  readonly encoding: string;
  readonly address: string;
}

export class HttpIntake {
  readonly #deps: HttpDeps;
  readonly #streams: HttpStreams;
  readonly #repeats: Repeats;
  readonly #loss: UpstreamLoss;
  readonly #said = new Map<string, number>();
  #config: HttpSourceConfig;
  #mayFrom: (address: string) => boolean = () => true;
  #held = 0;
  #unpacking = 0;
  readonly #waiting: (() => void)[] = [];
  /** Requests that have no answer yet. */
  active = 0;
  /** No more requests: each answer closes its connection. */
  closing = false;

  constructor(config: HttpSourceConfig, deps: HttpDeps) {
    this.#deps = deps;
    this.#config = config;
    this.#streams = new HttpStreams(deps, config);
    this.#repeats = new Repeats(deps, config.name);
    this.#loss = new UpstreamLoss(deps, config.name);
    this.use(config);
  }

  use(config: HttpSourceConfig): void {
    const labels = JSON.stringify(this.#config.labels) !== JSON.stringify(config.labels);
    this.#config = config;
    this.#mayFrom = config.allowFrom.length === 0 ? () => true : addressTest(config.allowFrom);
    if (labels) this.#streams.use(config.labels);
  }

  get heldBytes(): number {
    return this.#held;
  }

  /** What takes its time: a loss upstream that is over. */
  tick(): void {
    this.#loss.tick();
  }

  end(): void {
    this.#streams.end();
  }

  /** Takes one request. Never throws. */
  handle(request: IncomingMessage, response: ServerResponse): void {
    this.active++;
    let open = true;
    const done = (): void => {
      if (open) this.active--;
      open = false;
    };
    response.once('close', done);
    const form = formOf(request);
    void this.#answerOf(request, response)
      .catch((error: unknown): Answer => {
        this.say('fault', `a request could not be taken: ${error instanceof Error ? error.message : error}`);
        return { status: 500, message: 'this request could not be taken' };
      })
      .then((answer) => {
        if (answer !== null && !response.destroyed)
          writeAnswer(response, answer, { form, closing: this.closing });
        else done();
      });
  }

  /** Logs something odd, the same topic once an hour. */
  say(topic: string, message: string): void {
    const now = this.#deps.clock.monotonic();
    const said = this.#said.get(topic);
    if (said !== undefined && now - said < repeatMs) return;
    if (this.#said.size >= topicsMax) this.#said.clear();
    this.#said.set(topic, now);
    this.#deps.warn?.(message);
  }

  count(reason: string, by = 1): void {
    if (by > 0) this.#deps.port.count(this.#config.name, reason, by);
  }

  async #answerOf(request: IncomingMessage, response: ServerResponse): Promise<Answer | null> {
    const accepted = this.#accept(request);
    if ('status' in accepted) return accepted;
    let held = 0;
    const hold = (bytes: number): boolean => {
      held += bytes;
      this.#held += bytes;
      return this.#held <= heldBytesMax || this.#held === held;
    };
    let slot = false;
    try {
      const body = await readAll(request, this.#config.maxBodyBytes, hold);
      if (body === null) return null;
      if ('status' in body) return this.#refused(body);
      if (accepted.encoding !== '' || body[0] === 0x1f) {
        slot = true;
        await this.#slot();
      }
      return await this.#take(request, response, accepted, body);
    } finally {
      this.#held -= held;
      if (slot) this.#free();
    }
  }

  /** What the head of a request says: what is to be read, or the answer. */
  #accept(request: IncomingMessage): Accepted | Answer {
    const address = plainAddress(request.socket.remoteAddress ?? '');
    const { token, maxBodyBytes } = this.#config;
    const { headers, method = '' } = request;
    const url = new URL(request.url?.startsWith('/') ? request.url : '/', 'http://host');
    if (!this.#mayFrom(address)) {
      this.count('http_denied');
      this.say(`denied ${address}`, `${address} may not send: it is not in allow_from`);
      return { status: 403, message: `${address} may not send here: it is not in allow_from` };
    }
    if (method === 'GET' || method === 'HEAD') return { status: 200, message: 'logs are taken here by POST' };
    if (method !== 'POST' && method !== 'PUT')
      return { status: 405, message: 'logs are taken here by POST', headers: { allow: 'POST, PUT' } };
    if (token !== null && !showsToken(request, url.searchParams, token)) {
      this.count('http_unauthorized');
      const what = /token|basic|bearer/i.test(`${headers.authorization ?? ''}${url.search}`)
        ? 'a wrong'
        : 'no';
      this.say(`token ${address}`, `${address} was refused: it shows ${what} token, and its logs are lost`);
      const message = `${what} token: send it as "Authorization: Bearer TOKEN", as the password of Basic, as ?token=, or as X-Api-Key`;
      return { status: 401, message, headers: { 'www-authenticate': 'Basic realm="logs", Bearer' } };
    }
    if (/\/v1\/(traces|metrics|profiles)\/?$/.test(url.pathname))
      return { status: 404, message: 'only logs are taken here: send /v1/logs' };
    const encoding = String(headers['content-encoding'] ?? '')
      .trim()
      .toLowerCase();
    const kind =
      headers['logplex-msg-count'] === undefined ? kindOfType(headers['content-type'] ?? '') : 'logplex';
    const refusal = refuseEncoding(encoding) ?? (typeof kind === 'string' ? null : kind);
    if (refusal !== null) return this.#refused(refusal);
    if (Number(headers['content-length'] ?? 0) > maxBodyBytes) return this.#refused(tooLarge(maxBodyBytes));
    return {
      kind: kind as BodyKind,
      encoding: encoding === 'identity' ? '' : encoding,
      address,
    };
  }

  async #take(
    request: IncomingMessage,
    response: ServerResponse,
    accepted: Accepted,
    packed: Buffer,
  ): Promise<Answer> {
    const { headers } = request;
    const frame = accepted.kind === 'logplex' ? headerText(headers['logplex-frame-id']) : null;
    const known = frame === null ? this.#repeats.wasUnanswered(packed) : this.#repeats.isKnown(frame);
    let batch: Batch | null = null;
    let committed: Promise<boolean> | null = null;
    if (known) this.count('http_repeated');
    else {
      const body = await unpack(packed, accepted.encoding, this.#config.maxUnpackedBytes);
      if ('status' in body) return this.#refused(body);
      const found =
        accepted.kind === 'logplex' ? this.#logplex(request, body) : readBody(body, accepted.kind);
      if (isRefusal(found)) return this.#refused(found);
      batch = found;
      for (const [reason, by] of Object.entries(batch.counts)) this.count(reason, by);
      const sender = headerText(headers['logplex-drain-token']) ?? accepted.address;
      await this.#streams.take(sender, batch, () => {
        if (frame !== null) this.#repeats.took(frame);
        // Asked for at once, so that bodies that come together are committed together.
        committed = this.#deps.port.committed();
      });
    }
    const durable = await (committed ?? this.#deps.port.committed());
    if ((!durable || response.destroyed) && frame === null) this.#repeats.leftUnanswered(packed);
    if (!durable) {
      this.count('http_not_durable');
      return {
        status: 503,
        message: 'the state cannot be written now: send it again',
        retryAfter: retryState,
      };
    }
    return {
      status: 200,
      message: null,
      records: batch?.records ?? 0,
      rejected: batch?.counts['otlp_rejected'] ?? 0,
    };
  }

  #logplex({ headers }: IncomingMessage, body: Buffer): Batch {
    const announced = Number(headers['logplex-msg-count'] ?? Number.NaN);
    const { batch, lost } = readLogplex(body, Number.isSafeInteger(announced) ? announced : null);
    const dropped = Number(headers['logplex-loss-count'] ?? 0) + Number(headers['logshuttle-drops'] ?? 0);
    this.#loss.add(lost + (dropped > 0 ? dropped : 0));
    return batch;
  }

  #refused(refusal: Refusal): Answer {
    const { status, message } = refusal;
    const reason =
      status === 413 ? 'http_too_large' : status === 503 ? 'http_busy' : `http_refused_${status}`;
    this.count(reason);
    if (status !== 503) this.say(`${status} ${message}`, `a body was refused (${status}): ${message}`);
    return { status, message, ...(status === 503 ? { retryAfter: retryBusy } : {}) };
  }

  /** Waits for a place among those that unpack. */
  async #slot(): Promise<void> {
    if (this.#unpacking >= unpackingMax)
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
      });
    else this.#unpacking++;
  }

  /** The place goes to who waits longest. */
  #free(): void {
    const next = this.#waiting.shift();
    if (next) next();
    else this.#unpacking--;
  }
}

function tooLarge(max: number): Refusal {
  return { status: 413, message: `the body is larger than ${max} bytes: send smaller batches` };
}

function formOf({ url, headers }: IncomingMessage): AnswerForm {
  if (/^application\/(x-)?protobuf\b/i.test(headers['content-type'] ?? '')) return 'otlp-protobuf';
  return /\/v1\/logs\/?(?:\?|$)/.test(url ?? '') ? 'otlp-json' : 'plain';
}

function headerText(value: string | readonly string[] | undefined): string | null {
  return typeof value === 'string' && value !== '' && value.length <= idMax ? value : null;
}

/** The whole body; null where its sender went away. `hold` is told of each byte, and says no where there is no room. */
function readAll(
  request: IncomingMessage,
  max: number,
  hold: (bytes: number) => boolean,
): Promise<Buffer | Refusal | null> {
  return new Promise((resolve) => {
    const parts: Buffer[] = [];
    let bytes = 0;
    const stop = (found: Refusal): void => {
      request.removeAllListeners('data');
      parts.length = 0;
      // What still comes is read and thrown away, so that the sender gets to read the answer.
      request.resume();
      resolve(found);
    };
    request.on('data', (part: Buffer) => {
      bytes += part.length;
      if (bytes > max) stop(tooLarge(max));
      else if (!hold(part.length))
        stop({ status: 503, message: 'too much is being sent at once: send it again' });
      else parts.push(part);
    });
    request.on('end', () => resolve(parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts)));
    request.on('error', () => resolve(null));
    request.on('close', () => resolve(null));
  });
}
