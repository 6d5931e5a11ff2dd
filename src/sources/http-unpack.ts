/**
 * Unpacks a compressed body, up to a limit: gzip, deflate, brotli, and zstd where this Node has it. Bytes in, bytes out, or the refusal
 * that the sender reads.
 */
import { promisify } from 'node:util';
import * as zlib from 'node:zlib';
import type { Refusal } from './http-batch.ts';

type Unpack = (data: Buffer, options: { readonly maxOutputLength: number }) => Promise<Buffer>;

/** Since Node 22.15. */
const zstd = (zlib as { readonly zstdDecompress?: typeof zlib.brotliDecompress }).zstdDecompress;

const known: Readonly<Record<string, Unpack>> = {
  gzip: promisify(zlib.gunzip) as Unpack,
  'x-gzip': promisify(zlib.gunzip) as Unpack,
  deflate: promisify(zlib.inflate) as Unpack,
  br: promisify(zlib.brotliDecompress) as Unpack,
  ...(zstd === undefined ? {} : { zstd: promisify(zstd) as unknown as Unpack }),
};
export const encodings = Object.keys(known).filter((name) => name !== 'x-gzip');

/** Smaller ones are unpacked at once: a turn through the pool of threads costs more. */
const smallBytes = 16 * 1024;

/** A refusal where a body of this `Content-Encoding` can't be read, else null. */
export function refuseEncoding(encoding: string): Refusal | null {
  if (encoding === '' || encoding === 'identity' || Object.hasOwn(known, encoding)) return null;
  const message =
    encoding === 'zstd'
      ? 'this Node.js cannot read zstd (22.15 and later can): send gzip'
      : `the Content-Encoding ${JSON.stringify(encoding.slice(0, 40))} is not known: send one of ${encodings.join(', ')}, or none`;
  return { status: 415, message };
}

/** What is in a body. */
export async function unpack(body: Buffer, encoding: string, max: number): Promise<Buffer | Refusal> {
  let name = encoding === 'identity' ? '' : encoding;
  // gzip that forgot to say so: no text begins like that.
  if (name === '' && body[0] === 0x1f && body[1] === 0x8b) name = 'gzip';
  if (name === '' || body.length === 0) return body;
  const read = known[name];
  if (read === undefined) return refuseEncoding(name) ?? body;
  try {
    if (body.length <= smallBytes && read === known['gzip'])
      return zlib.gunzipSync(body, { maxOutputLength: max });
    return await read(body, { maxOutputLength: max });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE')
      return { status: 413, message: `the unpacked body is larger than ${max} bytes: send smaller batches` };
    return { status: 400, message: `the body is not ${name} as its Content-Encoding says` };
  }
}
