/** A real HTTP server on loopback that keeps what it was sent and answers from a script. */
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';

export interface Received {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** The body as JSON, or undefined. */
  readonly json: any;
}
export interface Answer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** `hang`: never answer; `reset`: break the connection; or do it by hand. */
  readonly act?: 'hang' | 'reset' | ((response: ServerResponse) => void);
}

export interface WebhookServer {
  readonly url: string;
  readonly received: Received[];
  /** Answers for the next requests, in order; after them 200 `ok`. */
  readonly script: Answer[];
  /** The answer when the script is empty. */
  fallback: Answer;
  close(): Promise<void>;
}

export async function webhookServer(): Promise<WebhookServer> {
  const received: Received[] = [];
  const script: Answer[] = [];
  const state: { fallback: Answer } = { fallback: { status: 200, body: 'ok' } };
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      const text = Buffer.concat(parts).toString('utf8');
      let json: unknown;
      try {
        json = JSON.parse(text);
      } catch {
        json = undefined;
      }
      received.push({
        method: request.method ?? '',
        url: request.url ?? '',
        headers: request.headers,
        text,
        json,
      });
      const answer = script.shift() ?? state.fallback;
      if (answer.act === 'hang') return;
      if (answer.act === 'reset') {
        request.socket.destroy();
        return;
      }
      if (typeof answer.act === 'function') {
        answer.act(response);
        return;
      }
      response.writeHead(answer.status ?? 200, answer.headers ?? {});
      response.end(answer.body ?? 'ok');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  onTestFinished(close);
  return {
    url: `http://127.0.0.1:${port}/hook`,
    received,
    script,
    get fallback() {
      return state.fallback;
    },
    set fallback(answer: Answer) {
      state.fallback = answer;
    },
    close,
  };
}
