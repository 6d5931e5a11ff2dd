/** A notification as a small card for the terminal of the demo. Log text is cleaned before it is shown. */
import { cleanLine } from '../channels/text.ts';
import { exceptionOf } from '../match/exception.ts';
import type { Notification } from '../model/notification.ts';
import type { Paint } from '../system/paint.ts';

const width = 100;

export function card(notification: Notification, paint: Paint): string {
  const { incident, record } = notification;
  const rows: string[] = [];
  const row = (name: string, value: unknown): void => {
    if (value === null || value === undefined || value === '') return;
    const text = cleanLine(String(value));
    rows.push(
      `   ${paint.dim('|')} ${paint.dim(name.padEnd(9))} ${text.length > width ? `${text.slice(0, width - 1)}…` : text}`,
    );
  };
  row('task', incident.fields['task']);
  row('id', incident.fields['task_id']);
  row(
    'retries',
    incident.fields['retries'] === undefined ? null : `${String(incident.fields['retries'])} seen`,
  );
  const found = record?.trace ? exceptionOf(record.trace, record.message) : null;
  row('cause', found?.cause ?? record?.message);
  row('at', found?.app_frame);
  row('first step', firstStep(incident.runbook));
  const head = `   ${paint.dim('+--')} ${paint.red(`[${incident.severity}]`)} ${paint.bold(cleanLine(incident.title))}`;
  return [head, ...rows, `   ${paint.dim('+--')}`].join('\n');
}

/** The first line of a runbook that is a step. */
function firstStep(runbook: string | null): string | null {
  const lines = (runbook ?? '').split('\n').map((line) => line.replace(/^[\s#*\d.-]+/, '').trim());
  return lines.find((line) => line.length > 10) ?? null;
}
