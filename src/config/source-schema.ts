/**
 * The keys of a source: its kind, what a record looks like, where reading begins. Zones, patterns and sizes are checked here.
 */

import { formats, multilineNames } from '../model/config.ts';
import { dockerShape } from './docker-schema.ts';
import { httpShape } from './http-schema.ts';
import { journalShape } from './journal-schema.ts';
import { quoteShort } from './nodes.ts';
import { key, object, type ReadKeys, required } from './objects.ts';
import { labels } from './rule-schema.ts';
import { duration, flag, oneOf, pathText, size, text } from './scalars.ts';
import { forms, map, oneOrMany, word } from './shape.ts';
import { syslogShape, syslogSideKeys } from './syslog-schema.ts';
import { pattern } from './texts.ts';

/** 256 KiB of a line are kept unless the source says else. */
export const lineBytesDefault = 256 * 1024;
/** What a first start looks back over. */
export const startDefaultMs = 600_000;

const zone = map(text({ expects: 'a time zone such as Europe/Berlin', max: 64 }), (value, node, reading) => {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: value }).resolvedOptions().timeZone === ''
      ? undefined
      : value;
  } catch {
    return reading.error(
      'E_VALUE',
      node,
      `there is no time zone ${quoteShort(value)}`,
      'write a name from the IANA list, such as UTC or Europe/Berlin',
    );
  }
});

const multiline = forms('auto, none, a language, or { start: PATTERN }', {
  scalar: oneOf(multilineNames),
  map: map(
    object({ start: required(pattern(), 'A line that matches begins a record.') }, { what: 'multiline' }),
    (found) => (found.start ? { start: found.start.text } : undefined),
  ),
});

const start = map(text({ expects: 'beginning, end, or a duration such as 10m' }), (value, node, reading) => {
  if (value === 'beginning' || value === 'end') return value;
  const agoMs = duration('zero').read(node, reading);
  return agoMs === undefined ? undefined : { agoMs };
});

const encoding = map(text({ expects: 'utf-8 or auto' }), (value, node, reading) =>
  ['utf-8', 'utf8', 'auto'].includes(value.toLowerCase())
    ? value.toLowerCase().replace('utf8', 'utf-8')
    : reading.error(
        'E_VALUE',
        node,
        `this version reads utf-8 only, found ${quoteShort(value)}`,
        'write utf-8 or auto, or take the key out',
      ),
);

/** Keys of a source. `file`, `stdin`, `syslog`, `journal`, `docker` and `http` are the kinds: exactly one of them. */
export const sourceKeys = {
  file: key(oneOrMany(pathText, { min: 1 }), 'Paths or globs of log files.'),
  stdin: key(flag(), 'Read standard input.'),
  journal: key(journalShape, 'The systemd journal: true, or { units, identifiers, priority, ... }.'),
  docker: key(
    dockerShape,
    "Containers by Docker's socket: true, or { names, labels, images, exclude, socket }.",
  ),
  syslog: key(syslogShape, 'Listen for syslog: an address for UDP and TCP, or { udp, tcp, tls, unix }.'),
  http: key(httpShape, 'Take logs that are posted over HTTP: an address, or { listen, token, ... }.'),
  ...syslogSideKeys,
  format: key(oneOf(formats), 'What a record looks like.'),
  multiline: key(multiline, 'How lines become records: auto, none, a language, or { start: PATTERN }.'),
  tz: key(zone, 'Time zone of stamps without one.'),
  start: key(start, 'Where the first reading begins: a duration back, beginning or end.'),
  exclude: key(
    oneOrMany(pathText),
    'Names, paths or globs that are left out; a name alone means it in every folder.',
  ),
  encoding: key(encoding, 'utf-8 or auto.'),
  max_line_bytes: key(size(256, 16 * 1024 * 1024), 'Longer lines keep their head; 256KiB by default.'),
  quiet: key(
    word('none', null, duration()),
    'Told when nothing came for so long; learned from its own past by default, `none` for never.',
  ),
  labels: key(labels, 'Labels of everything that comes from here.'),
};
export type SourceValues = ReadKeys<typeof sourceKeys>;
/** The keys that say what is read: a source has exactly one of them. */
export const sourceKinds = ['file', 'stdin', 'syslog', 'journal', 'docker', 'http'] as const;
/** Kinds of sources that later versions have. */
export const laterSourceKinds = ['command', 'kafka', 'redis'] as const;
export const sourceShape = object(sourceKeys, { what: 'a source', later: laterSourceKinds });
