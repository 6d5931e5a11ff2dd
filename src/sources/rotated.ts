/**
 * Names that rotation gives: `app.log.1`, `app.log-20261121.gz`, `app-2026-11-21.log`, `app.log.old`. Takes two names, says
 * whether the second may be an older generation of the first. Looks at no file.
 */

/** `exact`: the whole first name with something behind it. `stem`: something was put before the extension. */
export type Relation = 'exact' | 'stem' | null;

const packed = /\.(?:gz|zst|bz2|xz)$/u;
const exactSuffix = /^(?:[-._~][0-9A-Za-z:+T_.-]*)?$/u;
const stemInfix = /^[-._]?[0-9][0-9T:Z+._-]*$/u;

/** How `name` is related to the live name `base`. */
export function rotatedName(base: string, name: string): Relation {
  if (name === base) return null;
  const plain = name.replace(packed, '');
  if (plain.startsWith(base) && exactSuffix.test(plain.slice(base.length)) && name.length > base.length) {
    return rotationSuffix(plain.slice(base.length)) ? 'exact' : null;
  }
  const dot = base.lastIndexOf('.');
  if (dot <= 0) return null;
  const stem = base.slice(0, dot);
  const extension = base.slice(dot);
  if (!plain.startsWith(stem) || !plain.endsWith(extension) || plain.length <= base.length) return null;
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
