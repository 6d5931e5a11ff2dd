/**
 * Named points at which a test may kill the process, as a power cut would. Not armed (the normal case) a point costs one
 * boolean test. It reads no environment: `main.ts` hands over what was asked for.
 */

let armed: { readonly name: string; left: number } | null = null;

/**
 * Arms one point: `name` or `name:nth` (the nth passing kills; 1 is the first). Undefined or an empty text disarms.
 * Throws a RangeError when `nth` is not a whole number above zero.
 */
export function armFault(spec: string | undefined): void {
  if (spec === undefined || spec === '') {
    armed = null;
    return;
  }
  const colon = spec.lastIndexOf(':');
  const nth = colon < 0 ? 1 : Number(spec.slice(colon + 1));
  if (!Number.isSafeInteger(nth) || nth < 1)
    throw new RangeError(`fault point ${JSON.stringify(spec)}: write NAME or NAME:NTH with NTH from 1`);
  armed = { name: colon < 0 ? spec : spec.slice(0, colon), left: nth };
}

/** Marks a point. When it is the armed one and its turn has come, the process dies here by SIGKILL: nothing is flushed. */
export function fault(name: string): void {
  if (armed === null) return;
  if (armed.name !== name) return;
  armed.left -= 1;
  if (armed.left <= 0) process.kill(process.pid, 'SIGKILL');
}
