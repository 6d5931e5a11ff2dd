/**
 * The keys of a source `http`: its address, who may send, its limits. A token that can't be read sets the source aside: it does not
 * listen, since it would take from everybody what it should take from one.
 */
import { type HttpSourceConfig, Secret, type SourceCommon } from '../model/config.ts';
import { entryOf, type YamlNode } from './nodes.ts';
import { key, object, type ReadKeys, required } from './objects.ts';
import type { Reading } from './reading.ts';
import { duration, integer, size, text } from './scalars.ts';
import { forms, located, map, oneOrMany } from './shape.ts';
import { address, range } from './syslog-schema.ts';

/** Vector sends up to 10 MB at once, a collector's batch is smaller. */
const bodyBytesDefault = 16 * 1024 * 1024;
const unpackedBytesDefault = 32 * 1024 * 1024;
const bytesMin = 1_024;
const bytesMax = 256 * 1024 * 1024;
const connectionsDefault = 512;
/** Heroku gives up after 5 s, Fluent Bit and Vector after a minute: who needs longer than this has died. */
const timeoutDefaultMs = 30_000;
const timeoutMaxMs = 3_600_000;

const httpKeys = {
  listen: required(address, 'The address, such as 0.0.0.0:8080.'),
  token: key(
    located(text({ expects: 'a secret', max: 4096, environment: 'as-written' })),
    'What senders must show: as a bearer token, as a password, as `?token=` or as X-Api-Key.',
  ),
  token_file: key(
    located(text({ expects: 'a path', max: 4096, environment: 'as-written' })),
    'A file that holds the token.',
  ),
  max_body_bytes: key(size(bytesMin, bytesMax), 'Longer bodies are refused (413); 16MiB by default.'),
  max_unpacked_bytes: key(
    size(bytesMin, bytesMax),
    'What a compressed body may hold, else it is refused (413); 32MiB by default.',
  ),
  max_connections: key(integer(1, 100_000), 'Connections at the same time; 512 by default.'),
  timeout: key(duration(), 'A whole request must be there within this time; 30s by default.'),
  allow_from: key(oneOrMany(range), 'Addresses and ranges that may send; all by default.'),
};
type HttpValues = ReadKeys<typeof httpKeys>;

/** `http: ADDRESS` is a listener without a token. */
export const httpShape = forms<HttpValues, never, HttpValues>('an address, or { listen, token, ... }', {
  scalar: map(address, (listen): HttpValues => ({ listen })),
  map: map(object(httpKeys, { what: 'http' }), (found) => found),
});

type Own = Omit<HttpSourceConfig, keyof SourceCommon | 'kind'>;

/** Checked keys -> the source's own part; null where it can't be one. */
export function httpOf(found: HttpValues, node: YamlNode, reading: Reading): Own | null {
  const { listen } = found;
  const written = node.kind === 'map' ? entryOf(node, 'http')?.value : undefined;
  // What was written and could not be read was said. Left out, it might have been what keeps others away.
  const values: Readonly<Record<string, unknown>> = found;
  const lost = written?.kind === 'map' && written.entries.some((entry) => values[entry.key] === undefined);
  if (listen === undefined || lost) return null;
  if (found.token && found.token_file) {
    reading.error(
      'E_VALUE',
      found.token_file.node,
      'both "token" and "token_file" are given',
      'keep one of them',
    );
    return null;
  }
  const timeoutMs = found.timeout ?? timeoutDefaultMs;
  if (timeoutMs > timeoutMaxMs) {
    const at = written?.kind === 'map' ? entryOf(written, 'timeout')?.value : undefined;
    reading.error('E_VALUE', at ?? node, 'no request takes longer than an hour', 'write 30s');
    return null;
  }
  const before = reading.problems.length;
  const token = tokenOf(found, reading);
  const problem = reading.problems.slice(before).find((one) => one.level === 'error');
  return {
    listen,
    token: token === undefined ? null : new Secret(token),
    unusable: problem?.message ?? null,
    maxBodyBytes: found.max_body_bytes ?? bodyBytesDefault,
    maxUnpackedBytes: found.max_unpacked_bytes ?? unpackedBytesDefault,
    maxConnections: found.max_connections ?? connectionsDefault,
    requestTimeoutMs: timeoutMs,
    allowFrom: found.allow_from ?? [],
  };
}

function tokenOf({ token, token_file: file }: HttpValues, reading: Reading): string | undefined {
  if (token) return token.node.kind === 'scalar' ? reading.expand(token.node) : undefined;
  return file?.node.kind === 'scalar' ? reading.deps.files.secret(file.node, reading) : undefined;
}
