/**
 * Answers as senders want them: a short sentence, or the JSON that OTLP asks for. Writes one answer to one request; decides nothing.
 */
import type { ServerResponse } from 'node:http';

export interface Answer {
  readonly status: number;
  /** The sentence of a refusal; null is that all is well. */
  readonly message: string | null;
  readonly records?: number;
  /** Records that OTLP is told of as rejected. */
  readonly rejected?: number;
  /** When to try again, s. */
  readonly retryAfter?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Codes of gRPC, which OTLP's errors carry. */
const grpcCodes: Readonly<Record<number, number>> = { 400: 3, 401: 16, 403: 7, 404: 5, 413: 8, 415: 3 };
const grpcUnavailable = 14;

export function writeAnswer(
  response: ServerResponse,
  answer: Answer,
  how: { readonly otlp: boolean; readonly closing: boolean },
): void {
  const { status, message, records = 0, rejected = 0, retryAfter, headers } = answer;
  let type = 'application/json';
  let body: string;
  if (message === null) {
    body = JSON.stringify(how.otlp ? otlpSuccess(rejected) : { records });
  } else if (how.otlp) {
    body = JSON.stringify({ code: grpcCodes[status] ?? grpcUnavailable, message });
  } else {
    type = 'text/plain; charset=utf-8';
    body = `${message}\n`;
  }
  response.writeHead(status, {
    'content-type': type,
    'content-length': Buffer.byteLength(body),
    ...(retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) }),
    ...(how.closing ? { connection: 'close' } : {}),
    ...headers,
  });
  response.end(body);
}

function otlpSuccess(rejected: number): object {
  if (rejected === 0) return {};
  return { partialSuccess: { rejectedLogRecords: rejected, errorMessage: 'some records are no objects' } };
}
