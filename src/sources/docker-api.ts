/**
 * The few questions that are asked of Docker's Engine, over its unix socket: one answer as JSON, or one that never ends. Takes paths of
 * the API, gives values or bytes. Knows nothing of logs. https://docs.docker.com/reference/api/engine/
 */
import { type IncomingMessage, request } from 'node:http';
import type { Clock } from '../model/seams.ts';

/** A list of thousands of containers has some MiB. */
const answerMax = 32 * 1024 * 1024;
const answerMs = 15_000;

/** The Engine said no. */
export class EngineError extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.name = 'EngineError';
    this.status = status;
  }
}

export interface EngineStream {
  /** Resolves when it has ended, however. */
  readonly ended: Promise<void>;
  close(): void;
}

export class EngineApi {
  readonly #socketPath: string;
  readonly #clock: Clock;

  constructor(socketPath: string, clock: Clock) {
    this.#socketPath = socketPath;
    this.#clock = clock;
  }

  /** Rejects with an `EngineError`, or with what the system says of the socket. */
  async json(path: string): Promise<unknown> {
    const response = await this.#get(path);
    return JSON.parse(await bodyOf(response));
  }

  /** Opens an answer that goes on; resolves once it has begun. Rejects as `json` does. */
  async stream(path: string, onData: (data: Buffer) => void): Promise<EngineStream> {
    const response = await this.#get(path);
    response.on('data', onData);
    const ended = new Promise<void>((resolve) => {
      response.on('close', resolve);
      response.on('error', () => resolve());
    });
    return { ended, close: () => response.destroy() };
  }

  /** What went wrong, in words that say what to do about the socket. */
  explain(error: unknown): string {
    const socket = this.#socketPath;
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    if (code === 'ENOENT') return `${socket} is not there: is the engine running?`;
    if (code === 'EACCES' || code === 'EPERM')
      return `${socket} may not be opened: add the user that Tocsin runs as to the group docker`;
    if (code === 'ECONNREFUSED') return `nobody answers on ${socket}: is the engine running?`;
    return `${socket}: ${error instanceof Error ? error.message : String(error)}`;
  }

  /** The head of an answer must come in time; what follows may be quiet for days. */
  #get(path: string): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const asked = request({
        socketPath: this.#socketPath,
        path,
        headers: { host: 'docker' },
        agent: false,
      });
      const timer = this.#clock.setTimer(answerMs, () =>
        asked.destroy(new Error('the engine does not answer')),
      );
      asked.on('close', () => timer.cancel());
      asked.on('error', reject);
      asked.on('response', (response) => {
        timer.cancel();
        const status = response.statusCode ?? 0;
        if (status >= 200 && status < 300) {
          resolve(response);
          return;
        }
        bodyOf(response).then(
          (body) => reject(new EngineError(status, messageOf(body, status))),
          (error: unknown) => reject(error),
        );
      });
      asked.end();
    });
  }
}

async function bodyOf(response: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of response as AsyncIterable<Buffer>) {
    parts.push(part);
    bytes += part.length;
    if (bytes > answerMax) throw new Error('the answer of the engine is too long');
  }
  return Buffer.concat(parts).toString('utf8');
}

/** `{"message":"..."}` */
function messageOf(body: string, status: number): string {
  try {
    const { message } = JSON.parse(body) as { readonly message?: unknown };
    if (typeof message === 'string') return message.slice(0, 300);
  } catch {
    // Not the Engine's own answer.
  }
  return `status ${status}`;
}
