/** Checked keys of a source -> its configuration, and the source that the command line's files make. Paths become absolute. */

import { basename, dirname, resolve } from 'node:path';
import { isLoopbackHost, parseHostPort } from '../model/address.ts';
import type { FileSourceConfig, SourceConfig } from '../model/config.ts';
import type { Origin } from '../model/problem.ts';
import type { MainValues } from './config-schema.ts';
import { dockerOf } from './docker-schema.ts';
import { isGlob, segmentPattern } from './glob.ts';
import { httpOf } from './http-schema.ts';
import { journalOf } from './journal-schema.ts';
import { originOf, quoteShort, type YamlNode } from './nodes.ts';
import type { Reading } from './reading.ts';
import {
  laterSourceKinds,
  lineBytesDefault,
  type SourceValues,
  sourceKinds,
  startDefaultMs,
} from './source-schema.ts';
import { syslogOf, syslogSideKeys } from './syslog-schema.ts';

type Kind = (typeof sourceKinds)[number];
const kindWords = {
  file: 'a file',
  stdin: 'standard input',
  syslog: 'syslog',
  journal: 'the journal',
  http: 'http',
  docker: 'docker',
} as const;
/** Keys that belong to some kinds alone. */
const keyOwners: Readonly<Record<string, readonly Kind[]>> = {
  start: ['file', 'journal', 'docker'],
  exclude: ['file'],
  encoding: ['file'],
  ...Object.fromEntries(Object.keys(syslogSideKeys).map((name) => [name, ['syslog'] as const])),
};

/** Sources of the main file. One that is broken is left out, its problem carries its name. */
export function makeSources(found: MainValues['sources'], reading: Reading): SourceConfig[] {
  const sources: SourceConfig[] = [];
  for (const [name, { value, entry }] of found ?? []) {
    const source = makeSource(
      name,
      value.value,
      value.node,
      originOf(entry.keyNode),
      reading.within('source', name),
    );
    if (source) sources.push(source);
  }
  return sources;
}

function makeSource(
  name: string,
  values: SourceValues,
  node: YamlNode,
  origin: Origin,
  reading: Reading,
): SourceConfig | null {
  const common = {
    name,
    format: values.format ?? ('auto' as const),
    multiline: values.multiline ?? ('auto' as const),
    tz: values.tz ?? 'UTC',
    maxLineBytes: values.max_line_bytes ?? lineBytesDefault,
    labels: Object.fromEntries([...(values.labels ?? [])].map(([label, { value }]) => [label, value])),
    ...(values.quiet === undefined ? {} : { quietMs: values.quiet }),
    origin,
  };
  const wrote = (key: string) => node.kind === 'map' && node.entries.some((entry) => entry.key === key);
  const kinds = sourceKinds.filter((kind) => (kind === 'stdin' ? values.stdin === true : wrote(kind)));
  if (kinds.length > 1) {
    const two = kinds.slice(0, 2).join(' and ');
    reading.error('E_VALUE', node, `the source "${name}" has two kinds: ${two}`, 'make two sources of it');
    return null;
  }
  const [kind] = kinds;
  for (const entry of node.kind === 'map' && kind !== undefined ? node.entries : []) {
    const owners = keyOwners[entry.key];
    if (owners === undefined || kind === undefined || owners.includes(kind)) continue;
    const message = `"${entry.key}" has no meaning for ${kindWords[kind]}`;
    reading.error('E_VALUE', entry.keyNode, message, 'take it out');
  }
  const start = values.start ?? { agoMs: startDefaultMs };
  if (kind === 'stdin') return reading.errors > 0 ? null : { kind: 'stdin', ...common };
  if (kind === 'journal' && values.journal !== null) {
    if (!values.journal || reading.errors > 0) return null;
    return { kind: 'journal', ...common, ...journalOf(values.journal, dirname(node.file.path)), start };
  }
  if (kind === 'docker' && values.docker !== null) {
    if (!values.docker || reading.errors > 0) return null;
    return { kind: 'docker', ...common, ...dockerOf(values.docker, dirname(node.file.path)), start };
  }
  if (kind === 'syslog') {
    if (!values.syslog) return null;
    const own = syslogOf(values.syslog, values, node, reading);
    return reading.errors > 0 ? null : { kind: 'syslog', ...common, ...own };
  }
  if (kind === 'http') {
    if (!values.http || reading.errors > 0) return null;
    const own = httpOf(values.http, node, reading);
    return own && { kind: 'http', ...common, ...own };
  }
  if (!values.file) {
    if (!wrote('file') && !laterSourceKinds.some(wrote)) {
      reading.error(
        'E_MISSING_KEY',
        node,
        `the source "${name}" says nothing to read`,
        'add `file:` with a path or glob, `syslog:` or `http:` with an address, `journal: true`, `docker: true`, or `stdin: true`',
      );
    }
    return null;
  }
  const folder = dirname(node.file.path);
  return {
    kind: 'file',
    ...common,
    paths: values.file.map((path) => resolve(folder, path)),
    // A name without a folder means that name in every folder.
    exclude: (values.exclude ?? []).map((path) => (path.includes('/') ? resolve(folder, path) : path)),
    start,
    encoding: values.encoding ?? 'auto',
  };
}

/** A source with a glob of names in the folder of `path` that takes it too. */
function takenByGlob(path: string, files: readonly FileSourceConfig[]): string | undefined {
  const takes = (glob: string): boolean =>
    dirname(glob) === dirname(path) &&
    isGlob(basename(glob)) &&
    segmentPattern(basename(glob)).test(basename(path));
  return files.find(
    ({ paths, exclude }) => exclude.length === 0 && !paths.includes(path) && paths.some(takes),
  )?.name;
}

/** Warns where two sources name the same file or glob, or one a file that a glob of the other takes: each of its lines would count twice. */
export function warnOfSameFiles(
  sources: readonly SourceConfig[],
  found: MainValues['sources'],
  reading: Reading,
): void {
  const owners = new Map<string, string>();
  const files = sources.filter((source) => source.kind === 'file');
  for (const source of files) {
    for (const path of source.paths) {
      const owner = owners.get(path) ?? (isGlob(path) ? undefined : takenByGlob(path, files));
      const node = found?.get(source.name)?.entry.keyNode;
      if (owner !== undefined && owner !== source.name && node) {
        reading.warn(
          'W_SAME_FILE',
          node,
          `the sources "${owner}" and "${source.name}" both read ${quoteShort(path)}`,
          'give the file to one of them',
        );
      }
      owners.set(path, source.name);
    }
  }
}

/** Warns of syslog that anybody may send who reaches an address of this machine: nothing of it proves who the sender is. */
export function warnOfOpenAddresses(
  sources: readonly SourceConfig[],
  found: MainValues['sources'],
  reading: Reading,
): void {
  for (const source of sources) {
    if (source.kind !== 'syslog' || source.allowFrom.length > 0) continue;
    // A sender with a certificate that is asked for has proved who it is.
    const secure = source.tls.filter(({ ca, allow }) => ca === null && allow.length === 0);
    const open = [...source.udp, ...source.tcp, ...secure.map(({ listen }) => listen)].find((address) => {
      const host = parseHostPort(address)?.host ?? null;
      return host === null || !isLoopbackHost(host);
    });
    const node = found?.get(source.name)?.entry.keyNode;
    if (open === undefined || !node) continue;
    reading.warn(
      'W_OPEN_ADDRESS',
      node,
      `the source "${source.name}" listens on ${open} and takes messages from everybody who reaches it`,
      'name who may send: `allow_from: [ 10.0.0.0/8, 127.0.0.1 ]`; or listen on 127.0.0.1 for this machine alone',
    );
  }
}

/** Two sources on one address: the second could never have it. */
export function refuseSameAddress(
  sources: readonly SourceConfig[],
  found: MainValues['sources'],
  reading: Reading,
): void {
  const owners = new Map<string, string>();
  for (const source of sources) {
    for (const address of addressesOf(source)) {
      const owner = owners.get(address);
      const node = found?.get(source.name)?.entry.keyNode;
      if (owner !== undefined && node && !address.endsWith(':0'))
        reading.error(
          'E_VALUE',
          node,
          owner === source.name
            ? `the source "${owner}" listens twice on ${address}`
            : `the sources "${owner}" and "${source.name}" both listen on ${address}`,
          'give the address to one of them',
        );
      owners.set(address, source.name);
    }
  }
}

/** What a source listens on, each with its kind of socket. */
function addressesOf(source: SourceConfig): string[] {
  if (source.kind === 'http') return [`tcp ${source.listen}`];
  if (source.kind !== 'syslog') return [];
  const streams = [...source.tcp, ...source.tls.map(({ listen }) => listen)].map((one) => `tcp ${one}`);
  const paths = [...source.unix, ...source.unixStream].map((path) => `unix ${path}`);
  return [...source.udp.map((one) => `udp ${one}`), ...streams, ...paths];
}

/** What the command line names: log files are read from their beginning. */
export function commandLineSources(
  extra: { readonly files: readonly string[]; readonly stdin: boolean; readonly cwd: string },
  taken: ReadonlySet<string>,
): SourceConfig[] {
  const origin: Origin = { file: 'command line', line: 1, column: 1, length: 1 };
  const common = {
    format: 'auto',
    multiline: 'auto',
    tz: 'UTC',
    maxLineBytes: lineBytesDefault,
    labels: {},
    origin,
  } as const;
  const sources: SourceConfig[] = [];
  if (extra.files.length > 0) {
    const source: FileSourceConfig = {
      kind: 'file',
      name: freeName('files', taken),
      ...common,
      paths: extra.files.map((path) => resolve(extra.cwd, path)),
      exclude: [],
      start: 'beginning',
      encoding: 'auto',
    };
    sources.push(source);
  }
  if (extra.stdin) sources.push({ kind: 'stdin', name: freeName('stdin', taken), ...common });
  return sources;
}

/** The name itself, or with the first number that makes it a new one. */
export function freeName(name: string, taken: ReadonlySet<string>): string {
  if (!taken.has(name)) return name;
  for (let number = 2; ; number++) if (!taken.has(`${name}-${number}`)) return `${name}-${number}`;
}
