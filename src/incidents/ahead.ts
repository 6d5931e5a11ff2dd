/**
 * Stamps of an earlier run that are ahead of the time now: the clock was set back while nobody ran, or was wrong then. Such a stamp counts
 * as now, and the distances to what is still to come are kept, so that nothing waits for longer than it was to. Pure.
 */
import type { FoldDoc, IncidentDoc } from './docs.ts';

/** Whether anything was changed. */
export function bringBack(doc: IncidentDoc, now: number): boolean {
  const ahead = Math.max(doc.openedAt, doc.lastMatchAt, doc.lastToldAt ?? 0) - now;
  if (ahead <= 0) return false;
  doc.openedAt -= ahead;
  doc.lastMatchAt -= ahead;
  doc.holdUntil -= ahead;
  if (doc.lastToldAt !== null) doc.lastToldAt -= ahead;
  return true;
}

/** The same for a fold, whose next word is never nearer than its latest match was. */
export function bringFoldBack(fold: FoldDoc, now: number): boolean {
  const ahead = fold.lastMatchAt - now;
  if (ahead <= 0) return false;
  fold.lastMatchAt -= ahead;
  fold.nextAt -= ahead;
  return true;
}
