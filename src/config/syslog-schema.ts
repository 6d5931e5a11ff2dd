/**
 * The keys of a source `syslog`: its addresses, who may send, how messages are told apart, its limits. Addresses, ranges and the names
 * of certificates are checked here; whether an address can be had is found out when it runs.
 */
import { resolve } from 'node:path';
import { hostPortText, parseHostPort, parseRange } from '../model/address.ts';
import type {
  SourceCommon,
  SyslogContinuation,
  SyslogFraming,
  SyslogSourceConfig,
  SyslogTlsConfig,
} from '../model/config.ts';
import { entryOf, quoteShort, type YamlNode } from './nodes.ts';
import { key, object, type ReadKeys, required } from './objects.ts';
import type { Reading } from './reading.ts';
import { byteRate, duration, integer, oneOf, pathText, size, text } from './scalars.ts';
import { forms, located, map, oneOrMany, word } from './shape.ts';

/** Peers keep 8 KiB to 100 KiB of a message. */
const frameBytesDefault = 256 * 1024;
/** RFC 5424, section 6.1, has every receiver take 480; less is for tests. */
const frameBytesMin = 64;
const frameBytesMax = 16 * 1024 * 1024;
const connectionsDefault = 512;
/** A sender that is quiet is not gone: those that were cut off lose the message that finds it out. */
const idleDefaultMs = 3_600_000;
/** The largest datagram fits, else it could never pass. Above, there is nothing that would need a limit. */
const peerLimitBytes = [64 * 1024, 1024 ** 3] as const;
/** A timer is no finer; and who has to wait is not to wait for long. */
const peerLimitMs = [1_000, 60_000] as const;
const fingerprint = /^sha256:([0-9A-Fa-f]{64}|[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){31})$/i;

export const address = map(
  text({ expects: 'an address such as 0.0.0.0:5514', max: 256 }),
  (value, node, reading) => {
    const found = parseHostPort(value);
    if (found) return hostPortText(found);
    const hint = /^\d{1,5}$/.test(value)
      ? `write 0.0.0.0:${value} for all addresses of this machine, or 127.0.0.1:${value} for itself alone`
      : /^[A-Za-z0-9.-]+$/.test(value)
        ? `add the port: ${value}:514`
        : 'write host:port, with an IPv6 address in brackets: [::]:5514';
    return reading.error(
      'E_VALUE',
      node,
      `expected an address such as 0.0.0.0:5514, found ${quoteShort(value)}`,
      hint,
    );
  },
);

export const range = map(
  text({ expects: 'an address or a range such as 10.0.0.0/8', max: 64 }),
  (value, node, reading) =>
    parseRange(value)
      ? value
      : reading.error(
          'E_VALUE',
          node,
          `expected an address or a range such as 10.0.0.0/8, found ${quoteShort(value)}`,
          /[a-z]/i.test(value) && !value.includes(':')
            ? 'write the address itself: names are not looked up'
            : 'write an address, with / and the number of its leading bits behind it for a range',
        ),
);

const tlsKeys = {
  listen: required(address, 'The address: port 6514 is the one of syslog over TLS.'),
  cert: required(
    pathText,
    'The certificate of this server with its chain, a PEM file. A new file is taken up as it is written.',
  ),
  key: required(pathText, 'Its private key, a PEM file.'),
  ca: key(pathText, 'Who signs the certificates of clients, a PEM file: only clients with one may send.'),
  allow: key(
    oneOrMany(located(text({ expects: 'a name in a certificate, or sha256: and a fingerprint', max: 256 }))),
    'Clients that may send: names of their certificates (`*.example.com` for any label), or `sha256:` and the fingerprint.',
  ),
};
const tls = map(object(tlsKeys, { what: 'tls' }), (found, node, reading): SyslogTlsConfig | undefined => {
  for (const one of found.allow ?? []) {
    const isFingerprint = one.value.toLowerCase().startsWith('sha256:');
    if (isFingerprint && !fingerprint.test(one.value))
      reading.error(
        'E_VALUE',
        one.node,
        'a SHA-256 fingerprint has 64 hexadecimal digits',
        'openssl x509 -noout -fingerprint -sha256 -in CLIENT.pem',
      );
    if (!isFingerprint && found.ca === undefined && (node.kind !== 'map' || !entryOf(node, 'ca')))
      reading.error(
        'E_VALUE',
        one.node,
        `the name ${quoteShort(one.value)} proves nothing while any certificate is taken`,
        'add `ca:` with who signs the certificates of clients, or allow by fingerprint',
      );
  }
  if (found.listen === undefined || found.cert === undefined || found.key === undefined) return undefined;
  const folder = node.file.path;
  const path = (value: string): string => resolve(folder, '..', value);
  return {
    listen: found.listen,
    cert: path(found.cert),
    key: path(found.key),
    ca: found.ca === undefined ? null : path(found.ca),
    allow: (found.allow ?? []).map(({ value }) => value),
  };
});

const framing = oneOf(['auto', 'lf', 'octet', 'nul'] as const satisfies readonly SyslogFraming[]);
const continuation = oneOf(['auto', 'join'] as const satisfies readonly SyslogContinuation[]);
/** Keys that may stand beside `syslog:` as well as in it. */
export const syslogSideKeys = {
  continuation: key(
    continuation,
    'What a line without `<PRI>` is, behind a message with one on the same connection: `auto` has its shape decide, `join` adds it to that message.',
  ),
  framing: key(framing, 'How messages of a connection are told apart; auto decides for each.'),
  max_frame_bytes: key(
    size(frameBytesMin, frameBytesMax),
    'Longer messages keep their head; 256KiB by default.',
  ),
  allow_from: key(oneOrMany(range), 'Addresses and ranges that may send; all by default.'),
};
const syslogKeys = {
  udp: key(oneOrMany(address), 'Addresses for datagrams.'),
  tcp: key(oneOrMany(address), 'Addresses for connections.'),
  tls: key(oneOrMany(tls), 'Addresses for connections over TLS: { listen, cert, key, ca, allow }.'),
  unix: key(oneOrMany(pathText), 'Paths of sockets for datagrams, as /dev/log is one.'),
  unix_stream: key(oneOrMany(pathText), 'Paths of sockets for connections.'),
  ...syslogSideKeys,
  proxy_from: key(
    oneOrMany(range),
    'Addresses and ranges of proxies: the sender in their PROXY header is believed.',
  ),
  max_connections: key(
    integer(1, 100_000),
    'Connections at the same time, half of them from one address; 512 by default.',
  ),
  idle_timeout: key(
    word('none', null, duration()),
    'A connection without a byte for so long is closed; 1h by default, `none` for never.',
  ),
  peer_limit: key(
    word('none', null, byteRate({ bytes: peerLimitBytes, perMs: peerLimitMs })),
    'Bytes taken of one address, such as `2MiB in 1s`: its connections wait, its datagrams beyond are dropped and counted; `none` by default.',
  ),
};
const syslogObject = object(syslogKeys, { what: 'syslog' });
type SyslogValues = ReadKeys<typeof syslogKeys>;

/** `syslog: ADDRESS` is UDP and TCP there. */
export const syslogShape = forms<SyslogValues, never, SyslogValues>(
  'an address, or { udp, tcp, tls, unix }',
  {
    scalar: map(address, (one): SyslogValues => ({ udp: [one], tcp: [one] })),
    map: map(syslogObject, (found, node, reading) => {
      const named = ['udp', 'tcp', 'tls', 'unix', 'unix_stream'];
      if (node.kind === 'map' && !named.some((one) => entryOf(node, one)))
        return reading.error(
          'E_MISSING_KEY',
          node,
          'syslog has no address to listen on',
          'add `udp: 0.0.0.0:5514` or `tcp: 0.0.0.0:5514`',
        );
      return found;
    }),
  },
);

type Own = Omit<SyslogSourceConfig, keyof SourceCommon | 'kind'>;

/** Checked keys -> the source's own part. `beside` are those written beside `syslog:`. */
export function syslogOf(
  found: SyslogValues,
  beside: Pick<SyslogValues, keyof typeof syslogSideKeys>,
  node: YamlNode,
  reading: Reading,
): Own {
  const inside = node.kind === 'map' ? entryOf(node, 'syslog')?.value : undefined;
  for (const name of Object.keys(syslogSideKeys)) {
    const outer = node.kind === 'map' ? entryOf(node, name) : undefined;
    if (outer && inside?.kind === 'map' && entryOf(inside, name))
      reading.error(
        'E_VALUE',
        outer.keyNode,
        `"${name}" is written twice: in syslog, and beside it`,
        'take one of them out',
      );
  }
  const folder = node.file.path;
  const paths = (list: readonly string[] | undefined): string[] =>
    (list ?? []).map((path) => resolve(folder, '..', path));
  return {
    udp: found.udp ?? [],
    tcp: found.tcp ?? [],
    tls: found.tls ?? [],
    unix: paths(found.unix),
    unixStream: paths(found.unix_stream),
    framing: found.framing ?? beside.framing ?? 'auto',
    continuation: found.continuation ?? beside.continuation ?? 'auto',
    maxFrameBytes: found.max_frame_bytes ?? beside.max_frame_bytes ?? frameBytesDefault,
    allowFrom: found.allow_from ?? beside.allow_from ?? [],
    proxyFrom: found.proxy_from ?? [],
    maxConnections: found.max_connections ?? connectionsDefault,
    idleTimeoutMs: found.idle_timeout === undefined ? idleDefaultMs : found.idle_timeout,
    peerLimit: found.peer_limit ?? null,
  };
}
