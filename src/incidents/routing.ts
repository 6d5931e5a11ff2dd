/** Who is told, how loud, and who wished for quiet. Pure decisions on the facts of a match. */
import { lookupField, testFields } from '../match/where.ts';
import type { Silence } from '../model/intent.ts';
import type { Fields, FieldValue, LogRecord } from '../model/record.ts';
import { type Route, type Rule, type Severity, severities } from '../model/rule.ts';

/** What tests on a match may look at besides its fields. */
export function lookupFor(
  fields: Fields,
  facts: {
    readonly record: LogRecord | null;
    readonly rule: Rule;
    readonly labels: Readonly<Record<string, string>>;
  },
): (path: string) => FieldValue | undefined {
  return (path) => {
    // A label that somebody wrote is that label, whatever a line says of itself: else it could silence its own match.
    const label = path.startsWith('labels.') ? path.slice('labels.'.length) : '';
    if (Object.hasOwn(facts.labels, label)) return facts.labels[label];
    const own = lookupField(fields, path);
    if (own !== undefined) return own;
    if (path === 'rule') return facts.rule.id;
    const { record } = facts;
    switch (path) {
      case 'source':
        return record?.stream.source;
      case 'path':
        return record?.stream.path ?? undefined;
      case 'host':
        return record?.stream.host ?? undefined;
      case 'level':
        return record?.level ?? undefined;
      case 'message':
        return record?.message;
      case 'trace':
        return record?.trace ?? undefined;
      case 'raw':
        return record?.raw;
      default:
        return undefined;
    }
  };
}

/** The first case that holds. The reader of rules makes sure that the last one always does. */
export function severityOf(rule: Rule, lookup: (path: string) => FieldValue | undefined): Severity {
  return rule.severity.find((one) => testFields(one.when, lookup))?.is ?? 'error';
}

/** The louder of two. */
export function louder(a: Severity, b: Severity): Severity {
  return severities.indexOf(a) >= severities.indexOf(b) ? a : b;
}

/**
 * Channels by the routes and the rule's own `notify`, each once, those that are told from this severity on. The rule's id, the
 * severity, the source and labels are what they are, whatever fields of that name a line has: a line must not lead its own match away.
 */
export function routeTo(
  routes: readonly Route[],
  match: { readonly rule: Rule; readonly severity: Severity; readonly source: string },
  lookup: (path: string) => FieldValue | undefined,
  accepts: (channel: string, severity: Severity) => boolean,
): readonly string[] {
  const { rule, severity, source } = match;
  const known = (path: string): FieldValue | undefined => {
    if (path === 'rule') return rule.id;
    if (path === 'severity') return severity;
    return path === 'source' ? source : lookup(path);
  };
  const channels = new Set<string>();
  for (const route of routes) {
    if (!testFields(route.where, known)) continue;
    for (const name of route.notify) channels.add(name);
    if (!route.also) break;
  }
  for (const name of rule.notify) channels.add(name);
  return [...channels].filter((name) => accepts(name, severity));
}

/** Whether a silence that is in force holds for this match. */
export function isSilenced(
  silences: readonly Silence[],
  now: number,
  rule: Rule,
  lookup: (path: string) => FieldValue | undefined,
): boolean {
  for (const silence of silences) {
    if (now < silence.startsAt || now >= silence.endsAt) continue;
    if (silence.rule !== null && silence.rule !== rule.id) continue;
    const holds = Object.entries(silence.where).every(([field, pattern]) =>
      testFields([{ field, operators: [{ op: 'glob', patterns: [pattern] }] }], lookup),
    );
    if (holds) return true;
  }
  return false;
}
