/**
 * The globs of `where`, `from`, routes and silences: `*` is any run of characters, all else stands for itself. Whoever checks a
 * configuration asks the same function as the running engine. Paths have globs of their own, in the rooms that list folders.
 */

/** Whether the whole of `text` fits the glob; case counts. Linear in the text for each star, whatever the glob. */
export function matchesGlob(glob: string, text: string): boolean {
  const parts = glob.split('*');
  const first = parts[0] ?? '';
  if (parts.length === 1) return glob === text;
  const last = parts[parts.length - 1] ?? '';
  if (text.length < first.length + last.length || !text.startsWith(first) || !text.endsWith(last))
    return false;
  let at = first.length;
  const limit = text.length - last.length;
  for (const part of parts.slice(1, -1)) {
    const found = text.indexOf(part, at);
    if (found < 0 || found + part.length > limit) return false;
    at = found + part.length;
  }
  return true;
}
