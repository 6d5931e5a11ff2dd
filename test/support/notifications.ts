/** Notifications as the incidents room makes them, for the tests of channels: one per kind, from a real failure of a worker. */
import type {
  IncidentBody,
  Notification,
  NotificationKind,
  RecordBody,
} from '../../src/model/notification.ts';

export const trace = `Traceback (most recent call last):
  File "/srv/app/lib/python3.11/site-packages/celery/app/trace.py", line 585, in trace_task
    R = retval = fun(*args, **kwargs)
                 ^^^^^^^^^^^^^^^^^^^^
  File "/srv/app/lib/python3.11/site-packages/celery/app/trace.py", line 858, in __protected_call__
    return self.run(*args, **kwargs)
           ^^^^^^^^^^^^^^^^^^^^^^^^^
  File "/srv/app/mail/tasks.py", line 42, in send
    smtp.deliver(message)
  File "/srv/app/mail/smtp.py", line 17, in deliver
    raise OSError('connection to smtp.internal refused')
OSError: connection to smtp.internal refused`;

const record: RecordBody = {
  source: 'worker',
  path: '/var/log/celery/worker.log',
  host: 'worker-3',
  time: '2026-01-05T10:00:01.120Z',
  received_at: '2026-01-05T10:00:01.180Z',
  level: 'error',
  message:
    "Task mail.send[4f0c8f0e-6f0e-4c0e-9d5d-0a1b2c3d4e5f] raised unexpected: OSError('connection to smtp.internal refused')",
  trace,
  truncated: false,
  offset: 18_233,
  before: [
    "[2026-01-05 10:00:00,020: INFO/ForkPoolWorker-1] Task mail.send[4f0c8f0e-6f0e-4c0e-9d5d-0a1b2c3d4e5f] retry: Retry in 1s: OSError('connection to smtp.internal refused')",
    '[2026-01-05 10:00:01,050: INFO/MainProcess] Task mail.send[4f0c8f0e-6f0e-4c0e-9d5d-0a1b2c3d4e5f] received',
  ],
  after: [],
  syslog: null,
};

const incident: IncidentBody = {
  id: 'inc_7c1d9e',
  fingerprint: 'v1:9f2c41d07ab3',
  state: 'firing',
  rule: 'celery-task-failed-after-final-retry',
  title: 'Celery task mail.send failed after 3 retries: OSError',
  message: record.message,
  severity: 'error',
  labels: { env: 'production', service: 'lms' },
  fields: {
    process: 'ForkPoolWorker-1',
    task: 'mail.send',
    task_id: '4f0c8f0e-6f0e-4c0e-9d5d-0a1b2c3d4e5f',
    exception: 'OSError',
    retries: 3,
    limit_reached: true,
  },
  count: 1,
  new_count: 1,
  first_seen_at: '2026-01-05T10:00:01.120Z',
  last_seen_at: '2026-01-05T10:00:01.120Z',
  resolved_at: null,
  top: {},
  description: 'The task used up its retries; nobody will run it again.',
  runbook: 'https://wiki.example.com/celery-failures',
  owner: 'mail-team',
  links: [{ title: 'Search the logs', url: 'https://logs.example.com/?q=mail.send' }],
};

const perKind: Record<NotificationKind, Partial<IncidentBody>> = {
  first: {},
  summary: {
    count: 132,
    new_count: 131,
    last_seen_at: '2026-01-05T10:05:00.000Z',
    top: {
      task: [
        ['mail.send', 120],
        ['mail.digest', 12],
      ],
    },
  },
  resolved: {
    state: 'resolved',
    count: 132,
    new_count: 4,
    last_seen_at: '2026-01-05T10:05:00.000Z',
    resolved_at: '2026-01-05T10:25:01.500Z',
  },
  digest: {
    title: 'celery-task-failed-after-final-retry: 345 more in 3 further incidents',
    message: '',
    fields: {},
    count: 345,
    new_count: 345,
    last_seen_at: '2026-01-05T10:05:00.000Z',
    links: [],
  },
  test: {
    title: 'Test message from tocsin',
    message: 'If you can read this, alerts reach this channel.',
    severity: 'info',
    rule: 'test',
    fields: {},
    description: null,
    runbook: null,
    owner: null,
    links: [],
  },
  self: {
    title: 'Channel pager has rejected its messages since 10:00',
    message: 'pager.example.com answered 403; 12 messages wait. Look at its key.',
    severity: 'critical',
    rule: 'tocsin',
    fields: {},
    description: null,
    runbook: null,
    owner: null,
    links: [],
  },
};

const rows: Notification['incidents'] = (['critical', 'error', 'warning'] as const).map(
  (severity, index) => ({
    id: `inc_${index}`,
    rule: 'celery-task-failed-after-final-retry',
    title: `Celery task export.build_${index} failed after ${index} retries: KeyError`,
    severity,
    state: (['firing', 'quiet', 'resolved'] as const)[index] ?? 'firing',
    count: 100 + index,
    new_count: 10 * index,
    labels: {},
    fields: { task: `export.build_${index}` },
  }),
);

/** A notification of a kind; `incident` and `record` are laid over the usual ones. */
export function notificationOf(
  kind: NotificationKind,
  over: { incident?: Partial<IncidentBody>; record?: Partial<RecordBody> } = {},
): Notification {
  const hasRecord = kind === 'first' || kind === 'summary' || kind === 'resolved';
  return {
    version: '1',
    notification: {
      id: 'ntf_5d3f0a',
      kind,
      sequence: kind === 'first' ? 1 : 2,
      sent_at: '2026-01-05T10:00:01.200Z',
      attempt: 1,
    },
    incident: { ...incident, ...perKind[kind], ...over.incident },
    record: hasRecord ? { ...record, ...over.record } : null,
    incidents: kind === 'digest' ? rows : [],
  };
}

export const notificationKinds: readonly NotificationKind[] = [
  'first',
  'summary',
  'resolved',
  'digest',
  'test',
  'self',
];
