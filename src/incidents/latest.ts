/**
 * The latest record of each incident, until it is written down: of a thousand repeats only the last one is looked at. Memory
 * only; whoever commits or tells an incident has it settled before.
 */
import type { LogRecord } from '../model/record.ts';
import type { Rule } from '../model/rule.ts';
import type { IncidentDoc } from './docs.ts';
import { recordBody } from './tell.ts';

export class LatestRecords {
  readonly #unsettled = new Map<
    IncidentDoc,
    { readonly record: LogRecord; readonly context: Rule['context'] }
  >();

  /** How many incidents wait for their record. */
  get size(): number {
    return this.#unsettled.size;
  }

  note(doc: IncidentDoc, record: LogRecord, context: Rule['context']): void {
    this.#unsettled.set(doc, { record, context });
  }

  /** Writes the record of one incident into it. */
  settle(doc: IncidentDoc): void {
    const latest = this.#unsettled.get(doc);
    if (!latest) return;
    doc.record = recordBody(latest.record, latest.context);
    this.#unsettled.delete(doc);
  }

  settleAll(): void {
    for (const [doc, { record, context }] of this.#unsettled) doc.record = recordBody(record, context);
    this.#unsettled.clear();
  }
}
