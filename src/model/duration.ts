/** Durations and sizes as people write them, and the one formula for all waits. */

const unitMs: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

/** "90s", "1h30m", "500ms" -> milliseconds; null when it is not such a text. Zero is allowed, a bare number is not. */
export function parseDuration(text: string): number | null {
  const part = /(\d+(?:\.\d+)?)(ms|s|m|h|d|w)/y;
  let total = 0;
  let at = 0;
  while (at < text.length) {
    part.lastIndex = at;
    const found = part.exec(text);
    if (!found) return null;
    total += Number(found[1]) * (unitMs[found[2] ?? ''] ?? 0);
    at = part.lastIndex;
  }
  return at > 0 && Number.isFinite(total) && total <= Number.MAX_SAFE_INTEGER ? Math.round(total) : null;
}

/** Milliseconds -> the shortest exact text: 5400000 -> "1h30m", 0 -> "0s". */
export function formatDuration(ms: number): string {
  if (ms <= 0) return '0s';
  let rest = Math.round(ms);
  let text = '';
  for (const [unit, size] of [
    ['d', 86_400_000],
    ['h', 3_600_000],
    ['m', 60_000],
    ['s', 1000],
    ['ms', 1],
  ] as const) {
    const count = Math.floor(rest / size);
    if (count > 0) text += `${count}${unit}`;
    rest -= count * size;
  }
  return text;
}

/** "256KiB", "64 KB", "1000" -> bytes; null when it is not such a text. */
export function parseSize(text: string): number | null {
  const found = /^(\d+(?:\.\d+)?)\s*(B|KB|KiB|MB|MiB|GB|GiB)?$/.exec(text);
  if (!found) return null;
  const scale =
    { B: 1, KB: 1e3, KiB: 1024, MB: 1e6, MiB: 1024 ** 2, GB: 1e9, GiB: 1024 ** 3 }[found[2] ?? 'B'] ?? 1;
  return Math.round(Number(found[1]) * scale);
}

/** "5 in 10m" -> a rate; null when it is not such a text. */
export function parseRate(text: string): { count: number; perMs: number } | null {
  const found = /^(\d+)\s+in\s+(\S+)$/.exec(text.trim());
  const perMs = found?.[2] === undefined ? null : parseDuration(found[2]);
  return found && perMs !== null && perMs > 0 ? { count: Number(found[1]), perMs } : null;
}

/** "2MiB in 1s" -> bytes and ms; null when it is not such a text. */
export function parseByteRate(text: string): { bytes: number; perMs: number } | null {
  const found = /^(.+?)\s+in\s+(\S+)$/.exec(text.trim());
  const bytes = found?.[1] === undefined ? null : parseSize(found[1]);
  const perMs = found?.[2] === undefined ? null : parseDuration(found[2]);
  return bytes !== null && perMs !== null && perMs > 0 ? { bytes, perMs } : null;
}

export interface BackoffLimits {
  readonly baseMs: number;
  readonly capMs: number;
}

/** Full jitter: a random wait below base * 2^(attempt-1), capped. `random` gives [0, 1). Attempts count from 1. */
export function backoffMs(attempt: number, limits: BackoffLimits, random: () => number): number {
  const ceiling = Math.min(limits.capMs, limits.baseMs * 2 ** Math.min(attempt - 1, 40));
  return Math.round(ceiling * random());
}
