/** Times and numbers as a person reads them in a message. Pure. */
import { cleanLine, cut } from './text.ts';

/** `2026-01-05T10:00:01.123Z` -> `2026-01-05 10:00:01 UTC`; anything else stays readable. */
export function stamp(iso: string): string {
  const found = /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.\d+)?Z$/.exec(iso);
  return found ? `${found[1]} ${found[2]} UTC` : cut(cleanLine(iso), 40) || '?';
}

/** `1234567` -> `1,234,567`. */
export function number(value: number): string {
  return Number.isFinite(value) ? Math.round(value).toLocaleString('en-US') : '?';
}
