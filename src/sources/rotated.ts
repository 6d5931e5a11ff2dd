/**
 * Names that rotation gives: `app.log.1`, `app.log-20261121.gz`, `app-2026-11-21.log`, `app.log.old`. Takes two names, says
 * whether the second may be an older generation of the first. Looks at no file.
 */

/** `exact`: the whole first name with something behind it. `stem`: something was put before the extension. */
export type Relation = 'exact' | 'stem' | null;

const packed = /\.(?:gz|zst|bz2|xz)$/u;
const exactSuffix = /^(?:[-._~][0-9A-Za-z:+T_.-]*)?$/u;
const stemInfix = /^[-._]?[0-9][0-9T:Z+._-]*$/u;

/** What every name that rotation gives to a file begins with: its own without the extension. */
export function stemOf(base: string): string {
  const dot = base.lastIndexOf('.');
  return dot <= 0 ? base : base.slice(0, dot);
}

/** How `name` is related to the live name `base`. */
export function rotatedName(base: string, name: string): Relation {
  if (name === base) return null;
  const plain = name.replace(packed, '');
  if (plain.startsWith(base) && exactSuffix.test(plain.slice(base.length)) && name.length > base.length) {
    return rotationSuffix(plain.slice(base.length)) ? 'exact' : null;
  }
  const stem = stemOf(base);
  if (stem === base) return null;
  const extension = base.slice(stem.length);
  if (!plain.startsWith(stem) || !plain.endsWith(extension) || plain.length <= base.length) return null;
  // `worker-1.log` and `worker-12.log` are two logs.
  if (/\d$/u.test(stem) && /^\d/u.test(plain.slice(stem.length))) return null;
  return stemInfix.test(plain.slice(stem.length, plain.length - extension.length)) ? 'stem' : null;
}

/** A number, a date, or one of the words that rotation uses; not `.err` or `.json`, which are logs of their own. */
function rotationSuffix(text: string): boolean {
  return (
    text === '' ||
    /^[-._]?[0-9][0-9T:Z+._-]*$/u.test(text) ||
    /^(?:~|[-._](?:old|bak|backup|prev|previous|orig|copy|rotated|save|[0-9]+))$/iu.test(text)
  );
}
