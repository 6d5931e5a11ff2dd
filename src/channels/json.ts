/**
 * Reads a JSON object out of a stranger's answer without believing it: no prototype is followed, nothing is thrown.
 */

/** The text as a JSON object, or null when it is not one. */
export function jsonObject(text: string): object | null {
  if (!/^\s*\{/.test(text)) return null;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}

/** An own member of an object, or undefined. */
export function member(object: object, key: string): unknown {
  return Object.hasOwn(object, key) ? (object as Record<string, unknown>)[key] : undefined;
}
