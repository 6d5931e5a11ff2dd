/**
 * Answers as senders want them: a short sentence, or the JSON that OTLP asks for. Writes one answer to one request; decides nothing.
 */
import type { ServerResponse } from 'node:http';
import { encodeStatus, encodeSuccess } from './http-otlp-proto.ts';

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

const rejectedWords = 'some records are no objects';
const protobuf = 'application/x-protobuf';

/** How a sender wants its answer: OTLP in one of its encodings, or anything. */
export type AnswerForm = 'otlp-json' | 'otlp-protobuf' | 'plain';

/** Writes an answer. `closing`: its connection ends with it. */
export function writeAnswer(
  response: ServerResponse,
  answer: Answer,
  how: { readonly form: AnswerForm; readonly closing: boolean },
): void {
  const { status, retryAfter, headers } = answer;
  const [type, body] = bodyOf(answer, how.form);
  response.writeHead(status, {
    'content-type': type,
    'content-length': Buffer.byteLength(body),
    ...(retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) }),
    ...(how.closing ? { connection: 'close' } : {}),
    ...headers,
  });
  response.end(body);
}

function bodyOf(answer: Answer, form: AnswerForm): readonly [type: string, body: string | Buffer] {
  const { status, message, records = 0, rejected = 0 } = answer;
  const code = grpcCodes[status] ?? grpcUnavailable;
  if (form === 'otlp-protobuf')
    return [
      protobuf,
      message === null ? encodeSuccess(rejected, rejectedWords) : encodeStatus(code, message),
    ];
  if (message !== null && form === 'plain') return ['text/plain; charset=utf-8', `${message}\n`];
  const body = message !== null ? { code, message } : form === 'plain' ? { records } : jsonSuccess(rejected);
  return ['application/json', JSON.stringify(body)];
}

function jsonSuccess(rejected: number): object {
  if (rejected === 0) return {};
  return { partialSuccess: { rejectedLogRecords: rejected, errorMessage: rejectedWords } };
}
