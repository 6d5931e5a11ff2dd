/** Small counts with a limit: values of a field, and how often a rule spoke for itself. */
import type { Fields } from '../model/record.ts';
import type { Rate } from '../model/rule.ts';
import type { SpokenDoc } from './docs.ts';

/** Fields counted of an incident, values counted of a field, characters of a value; what is beyond is left out of `top`. */
const topFieldsMax = 8;
const topValuesMax = 50;
const topTextMax = 120;
/** Every match has its own of these. */
const unique = new Set(['time', 'level', 'collected']);

/** Counts the text fields of a match, except those that the incident is keyed by. */
export function bumpTop(
  top: Record<string, Record<string, number>>,
  fields: Fields,
  by: readonly string[],
): void {
  for (const name in fields) {
    const value = fields[name];
    if (typeof value !== 'string' || value === '' || value.length > topTextMax) continue;
    if (unique.has(name) || by.includes(name)) continue;
    let values = top[name];
    if (!values) {
      if (Object.keys(top).length >= topFieldsMax) continue;
      values = {};
      top[name] = values;
    }
    const known = Object.hasOwn(values, value) ? (values[value] ?? 0) : 0;
    if (known === 0 && Object.keys(values).length >= topValuesMax) continue;
    // Log text may be any key, `__proto__` too.
    Object.defineProperty(values, value, {
      value: known + 1,
      enumerable: true,
      configurable: true,
      writable: true,
    });
  }
}

/** Whether one more incident may speak for itself under `limit`; if so it is booked. */
export function spokenRoom(doc: SpokenDoc, limit: Rate | null, now: number): boolean {
  if (limit === null) return true;
  // A time ahead of now was written by a clock that was wrong, and says nothing of lately.
  doc.times = doc.times.filter((at) => at <= now && at > now - limit.perMs);
  if (doc.times.length >= limit.count) return false;
  doc.times.push(now);
  return true;
}
