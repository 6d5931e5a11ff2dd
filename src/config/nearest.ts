/** "Did you mean": the known word nearest to what was written, or nothing where none is near enough. */

/** Words longer than this are not compared: nobody means them, and the comparison grows with the square. */
const wordMax = 64;
const wordMin = 3;

/**
 * The candidate within a third of the word's length (at least 1, at most 3 edits; a swap of neighbours is one edit), else the only one
 * that begins with the word (`crit`). Case, `-` and `_` don't count as differences. Null when none is near, and for words of one or two
 * letters: any other such word would be.
 */
export function nearest(word: string, candidates: Iterable<string>): string | null {
  const wanted = fold(word);
  if (wanted.length === 0 || wanted.length > wordMax) return null;
  if (wanted.length < wordMin) return [...candidates].find((known) => fold(known) === wanted) ?? null;
  const limit = Math.max(1, Math.min(3, Math.floor(wanted.length / 3)));
  const begun: string[] = [];
  let best: string | null = null;
  let bestDistance = limit + 1;
  for (const candidate of candidates) {
    const known = fold(candidate);
    if (known.startsWith(wanted)) begun.push(candidate);
    if (known.length > wordMax || Math.abs(known.length - wanted.length) > limit) continue;
    const distance = editDistance(wanted, known);
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best ?? (begun.length === 1 ? (begun[0] ?? null) : null);
}

/** A hint: `did you mean "x"?`, else the list of what is known; null where nothing is. */
export function didYouMean(word: string, candidates: readonly string[], otherwise: string): string | null {
  const near = nearest(word, candidates);
  if (near !== null) return `did you mean "${near}"?`;
  return candidates.length > 0 ? `${otherwise}: ${candidates.join(', ')}` : null;
}

function fold(text: string): string {
  return text.toLowerCase().replace(/[-_\s\u00a0]/g, '');
}

function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let cost = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + same);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        cost = Math.min(cost, (beforeLast[j - 2] ?? 0) + 1);
      }
      row.push(cost);
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length] ?? 0;
}
