/** Makers of plain data for tests: each gives a whole value, and takes what a test cares about. */

import type { Intent } from '../../src/model/intent.ts';
import type {
  IncidentBody,
  IncidentRow,
  Notification,
  NotificationKind,
} from '../../src/model/notification.ts';
import type { Fields, LogRecord } from '../../src/model/record.ts';
import type { Rule, Severity } from '../../src/model/rule.ts';

export const start = Date.UTC(2026, 0, 5, 10, 0, 0);
const origin = { file: 'rules.yaml', line: 1, column: 1, length: 1 };

export function aRule(facts: Partial<Rule> = {}): Rule {
  return {
    id: 'task-failed',
    title: null,
    description: null,
    message: null,
    severity: [{ when: [], is: 'error' }],
    labels: {},
    owner: null,
    runbook: null,
    links: [],
    conditions: {
      text: [{ mode: 'any', tests: [{ kind: 'literal', text: 'failed', origin }], scope: 'record' }],
      where: [],
      except: [],
      from: null,
    },
    whereStory: [],
    fields: [],
    collect: null,
    precededBy: null,
    join: [],
    by: ['task'],
    count: null,
    holdMs: 0,
    remindMs: [300_000, 3_600_000, 14_400_000, 86_400_000],
    resolve: null,
    limit: { count: 5, perMs: 60_000 },
    context: { before: 5, after: 0 },
    notify: [],
    tests: [],
    countingHash: 'h1',
    origin,
    ...facts,
  };
}

export function aRecord(facts: Partial<LogRecord> = {}): LogRecord {
  return {
    stream: { source: 'worker', key: 'stream-1', path: '/var/log/worker.log', host: null, labels: {} },
    offset: 0,
    length: 10,
    receivedAt: start,
    time: start,
    level: 'error',
    message: 'task failed',
    trace: null,
    raw: 'task failed',
    fields: {},
    truncated: false,
    before: [],
    after: [],
    syslog: null,
    ...facts,
  };
}

export function aRow(facts: Partial<IncidentRow> = {}): IncidentRow {
  return {
    id: 'i1',
    rule: 'task-failed',
    title: 'task failed',
    severity: 'error',
    state: 'firing',
    count: 1,
    new_count: 1,
    labels: {},
    fields: {},
    ...facts,
  };
}

export function aNotification(
  facts: { kind?: NotificationKind; id?: string; row?: IncidentRow; rows?: IncidentRow[] } = {},
): Notification {
  const row = facts.row ?? aRow();
  const incident: IncidentBody = {
    ...row,
    fingerprint: 'v1:0',
    message: 'task failed',
    first_seen_at: '2026-01-05T10:00:00.000Z',
    last_seen_at: '2026-01-05T10:00:00.000Z',
    resolved_at: null,
    top: {},
    description: null,
    runbook: null,
    owner: null,
    links: [],
  };
  return {
    version: '1',
    notification: {
      id: facts.id ?? 'n1',
      kind: facts.kind ?? 'first',
      sequence: 1,
      sent_at: '2026-01-05T10:00:00.000Z',
      attempt: 0,
    },
    incident,
    record: null,
    incidents: facts.rows ?? [],
  };
}

export function anIntent(
  facts: {
    id?: string;
    rule?: string;
    severity?: Severity;
    kind?: NotificationKind;
    channels?: string[];
    repeats?: number;
    rows?: IncidentRow[];
  } = {},
): Intent {
  const row = aRow({
    id: facts.id ?? 'i1',
    rule: facts.rule ?? 'task-failed',
    severity: facts.severity ?? 'error',
  });
  return {
    channels: facts.channels ?? ['eng'],
    notification: aNotification({
      id: `n-${row.id}`,
      kind: facts.kind ?? 'first',
      row,
      rows: facts.rows ?? [],
    }),
    row,
    cover: { opened: 1, repeats: facts.repeats ?? 0 },
    rule: row.rule,
    severity: row.severity,
  };
}

/** A hit of a rule with its role and fields. */
export function aHit(
  rule: Rule,
  fields: Fields,
  role: 'match' | 'collect' | 'preceded_by' | 'resolve' | 'until' = 'match',
): { rule: Rule; role: typeof role; fields: Fields } {
  return { rule, role, fields };
}
