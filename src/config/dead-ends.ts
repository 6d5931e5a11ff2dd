/**
 * The proof that a rule leads somewhere: for each severity that it can have, whatever its lines hold, some channel is told. Knows the
 * routes, the rule and the `min_severity` of channels; reports nothing, and reads no line.
 */
import type { ChannelConfig } from '../model/config.ts';
import { matchesGlob } from '../model/glob.ts';
import { type FieldOperator, type FieldTest, type Route, type Rule, severities } from '../model/rule.ts';

/** What could tell nobody, and why: no route is sure to take it, or the channels that are told want graver things alone. */
export interface DeadEnd {
  readonly severity: string;
  readonly why: 'no-route' | 'min-severity';
}

/** The first severity of the rule of which nobody might be told; null where somebody always is. */
export function deadEndOf(
  rule: Rule,
  routes: readonly Route[],
  channels: readonly ChannelConfig[],
): DeadEnd | null {
  for (const severity of new Set(rule.severity.map((one) => one.is))) {
    const wanted = channels.filter(({ minSeverity }) => rank(severity) >= rank(minSeverity ?? 'info'));
    if (isTold({ rule, severity }, routes, namesOf(wanted))) continue;
    const why = isTold({ rule, severity }, routes, namesOf(channels)) ? 'min-severity' : 'no-route';
    return { severity, why };
  }
  return null;
}

interface Known {
  readonly rule: Rule;
  readonly severity: string;
}

function namesOf(channels: readonly ChannelConfig[]): ReadonlySet<string> {
  return new Set(channels.map((channel) => channel.name));
}

function rank(severity: string): number {
  return (severities as readonly string[]).indexOf(severity);
}

/** Follows the routes as a match does; where one may or may not hold, both ways must tell somebody. */
function isTold(known: Known, routes: readonly Route[], open: ReadonlySet<string>): boolean {
  if (known.rule.notify.some((name) => open.has(name))) return true;
  for (const { where, notify, also } of routes) {
    const holds = allHold(where, known);
    if (holds === false) continue;
    const tells = notify.some((name) => open.has(name));
    if (tells && holds === true) return true;
    if (!tells && !also) return false;
  }
  return false;
}

/** Null where it is not known before a line was read. */
function allHold(where: readonly FieldTest[], known: Known): boolean | null {
  let sure: boolean | null = true;
  for (const { field, operators } of where) {
    const value = knownValue(field, known);
    for (const operator of operators) {
      const holds = value === null ? null : operatorHolds(operator, value, field);
      if (holds === false) return false;
      if (holds === null) sure = null;
    }
  }
  return sure;
}

/** Only what is known before any line was read: the rule's id, its severity, and its labels. */
function knownValue(field: string, { rule, severity }: Known): string | null {
  if (field === 'severity') return severity;
  if (field === 'rule') return rule.id;
  const label = /^labels\.(.+)$/.exec(field)?.[1];
  // A source may set a label of the same name; only the rule's own is sure.
  return label !== undefined && Object.hasOwn(rule.labels, label) ? (rule.labels[label] ?? null) : null;
}

function operatorHolds(operator: FieldOperator, value: string, field: string): boolean | null {
  switch (operator.op) {
    case 'glob':
      return operator.patterns.some((glob) => matchesGlob(glob, value));
    case 'not':
      return !operator.patterns.some((glob) => matchesGlob(glob, value));
    case 'gte':
    case 'gt':
    case 'lte':
    case 'lt': {
      if (field !== 'severity') return null;
      const order = rank(value) - rank(String(operator.value));
      if (operator.op === 'gte') return order >= 0;
      if (operator.op === 'gt') return order > 0;
      return operator.op === 'lte' ? order <= 0 : order < 0;
    }
    case 'exists':
      return operator.value === (value !== '');
    case 'in_file':
      return operator.values.includes(value);
    case 'matches':
      return null;
  }
}
