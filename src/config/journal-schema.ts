/**
 * The keys of a source `journal`: which entries of the systemd journal are wanted. Checked here as far as text can be; whether there
 * is a journal is found out when it runs.
 */
import { resolve } from 'node:path';
import type { JournalSourceConfig, SourceCommon } from '../model/config.ts';
import { quoteShort } from './nodes.ts';
import { key, object, type ReadKeys } from './objects.ts';
import { flag, oneOf, pathText, text } from './scalars.ts';
import { forms, map, oneOrMany } from './shape.ts';

/** As journalctl and syslog call them, worst first, and as the levels of rules are called. */
const priorities = ['emerg', 'alert', 'crit', 'err', 'warning', 'notice', 'info', 'debug'] as const;
const otherNames = { emergency: 0, critical: 2, error: 3 } as const;
const priority = map(oneOf([...priorities, 'emergency', 'critical', 'error']), (name) => {
  const place = (priorities as readonly string[]).indexOf(name);
  return place >= 0 ? place : otherNames[name as keyof typeof otherNames];
});

/** A name becomes an argument of a program: it must not look like an option, nor hold what no name has. */
function nameText(expects: string) {
  return map(text({ expects, max: 256 }), (value, node, reading) =>
    /^-|\p{Cc}/u.test(value)
      ? reading.error('E_VALUE', node, `expected ${expects}, found ${quoteShort(value)}`, null)
      : value,
  );
}

const match = map(text({ expects: 'FIELD=value', max: 1_024 }), (value, node, reading) =>
  value === '+' || /^[A-Z_][A-Z0-9_]*=/.test(value)
    ? value
    : reading.error(
        'E_VALUE',
        node,
        `expected FIELD=value, found ${quoteShort(value)}`,
        'write a field of the journal in capitals: _TRANSPORT=kernel; `+` between two is "or"',
      ),
);

const journalKeys = {
  units: key(
    oneOrMany(nameText('a unit such as nginx.service')),
    'Units, by name or pattern; all by default.',
  ),
  user_units: key(oneOrMany(nameText('a unit such as app.service')), 'Units of users.'),
  identifiers: key(oneOrMany(nameText('an identifier such as sudo')), 'SYSLOG_IDENTIFIER; all by default.'),
  priority: key(priority, `This severity and worse: ${priorities.join(', ')}.`),
  matches: key(oneOrMany(match), 'FIELD=value, as journalctl takes them.'),
  directory: key(pathText, 'Another folder with journal files.'),
};
type JournalValues = ReadKeys<typeof journalKeys>;

/** `journal: true` is all of it. */
export const journalShape = forms<JournalValues | null, never, JournalValues>(
  'true, or { units, identifiers, priority, ... }',
  {
    scalar: map(flag(), (on): JournalValues | null => (on ? {} : null)),
    map: object(journalKeys, { what: 'journal' }),
  },
);

type Own = Omit<JournalSourceConfig, keyof SourceCommon | 'kind' | 'start'>;

/** Checked keys -> the source's own part; paths are relative to `folder`. */
export function journalOf(found: JournalValues, folder: string): Own {
  return {
    units: found.units ?? [],
    userUnits: found.user_units ?? [],
    identifiers: found.identifiers ?? [],
    priority: found.priority ?? null,
    matches: found.matches ?? [],
    directory: found.directory === undefined ? null : resolve(folder, found.directory),
  };
}
