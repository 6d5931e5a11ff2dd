/**
 * Globs over absolute paths: `*`, `?`, `[..]`, `{a,b}` and `**`. Takes the text of a pattern, gives a matcher split by folder,
 * so that whoever walks the disk reads only the folders that can hold a match. Touches no disk itself.
 */

/** One path segment of a pattern. `deep` is `**`: any number of folders, also none. */
export type Segment =
  | { readonly kind: 'literal'; readonly text: string }
  | { readonly kind: 'match'; readonly test: RegExp }
  | { readonly kind: 'deep' };

export interface Glob {
  /** As written. */
  readonly pattern: string;
  /** One list of segments for each alternative of the braces, without the root. */
  readonly alternatives: readonly (readonly Segment[])[];
  /** Whether any segment is more than a plain name. */
  readonly magic: boolean;
}

/** What braces may unfold to; the rest of a wilder pattern is taken literally. */
const alternativesMax = 1_000;

/** Compiles one pattern. Never throws: what is not balanced is taken literally. */
export function compileGlob(pattern: string): Glob {
  const alternatives = unfoldBraces(pattern)
    .slice(0, alternativesMax)
    .map((text) =>
      text
        .split('/')
        .filter((part) => part !== '' && part !== '.')
        .map(toSegment),
    );
  return {
    pattern,
    alternatives,
    magic:
      alternatives.length > 1 || alternatives.some((segments) => segments.some((s) => s.kind !== 'literal')),
  };
}

/** Whether an absolute path is matched. A pattern without a slash looks at the last segment alone. */
export function globMatches(glob: Glob, path: string): boolean {
  if (glob.pattern === path) return true;
  const parts = path.split('/').filter((part) => part !== '');
  const names = glob.pattern.includes('/') ? parts : parts.slice(-1);
  return glob.alternatives.some((segments) => walk(segments, 0, names, 0));
}

/** Whether one name is matched by one segment. */
export function segmentMatches(segment: Segment, name: string): boolean {
  switch (segment.kind) {
    case 'literal':
      return segment.text === name;
    case 'match':
      return segment.test.test(name);
    case 'deep':
      return !name.startsWith('.');
  }
}

function walk(segments: readonly Segment[], at: number, names: readonly string[], from: number): boolean {
  const segment = segments[at];
  const name = names[from];
  if (segment === undefined) return name === undefined;
  if (segment.kind === 'deep') {
    if (walk(segments, at + 1, names, from)) return true;
    return name !== undefined && segmentMatches(segment, name) && walk(segments, at, names, from + 1);
  }
  return name !== undefined && segmentMatches(segment, name) && walk(segments, at + 1, names, from + 1);
}

function toSegment(text: string): Segment {
  if (text === '**') return { kind: 'deep' };
  const source = segmentSource(text);
  return source === null
    ? { kind: 'literal', text: text.replace(/\\(.)/gsu, '$1') }
    : { kind: 'match', test: source };
}

/** The expression of a segment with wild cards, or null for a plain name. */
function segmentSource(text: string): RegExp | null {
  let out = '';
  let magic = false;
  for (let at = 0; at < text.length; at++) {
    const char = text[at] ?? '';
    if (char === '\\' && at + 1 < text.length) {
      at++;
      out += escapeText(text[at] ?? '');
    } else if (char === '*') {
      magic = true;
      out += '[^/]*';
    } else if (char === '?') {
      magic = true;
      out += '[^/]';
    } else if (char === '[') {
      const end = classEnd(text, at);
      if (end < 0) {
        out += '\\[';
        continue;
      }
      magic = true;
      out += classSource(text.slice(at + 1, end));
      at = end;
    } else {
      out += escapeText(char);
    }
  }
  if (!magic) return null;
  // As in a shell, a wild card at the start does not match a hidden name.
  const hidden = /^[*?[]/u.test(text) ? '(?!\\.)' : '';
  try {
    return new RegExp(`^${hidden}${out}$`, 'su');
  } catch {
    // A class such as [z-a]: the pattern is only good as a name.
    return null;
  }
}

function classEnd(text: string, open: number): number {
  let at = open + 1;
  if (text[at] === '!' || text[at] === '^') at++;
  if (text[at] === ']') at++;
  return text.indexOf(']', at);
}

function classSource(body: string): string {
  const negated = body.startsWith('!') || body.startsWith('^');
  const inner = (negated ? body.slice(1) : body).replace(/[\\\]^[]/gu, '\\$&');
  return `[${negated ? '^/' : ''}${inner}]`;
}

function escapeText(char: string): string {
  return /[\\^$.*+?()[\]{}|/]/u.test(char) ? `\\${char}` : char;
}

/** `a{b,c}d` to `abd`, `acd`; nested and side by side. Braces without a comma stay as they are. */
function unfoldBraces(pattern: string): string[] {
  for (let open = 0; open < pattern.length; open++) {
    if (pattern[open] === '\\') {
      open++;
      continue;
    }
    if (pattern[open] !== '{') continue;
    const parts = braceParts(pattern, open);
    if (parts === null) continue;
    const before = pattern.slice(0, open);
    const out: string[] = [];
    for (const part of parts.choices) {
      for (const rest of unfoldBraces(part + parts.after)) {
        out.push(before + rest);
        if (out.length >= alternativesMax) return out;
      }
    }
    return out;
  }
  return [pattern];
}

function braceParts(pattern: string, open: number): { choices: string[]; after: string } | null {
  const choices: string[] = [];
  let depth = 0;
  let start = open + 1;
  for (let at = open; at < pattern.length; at++) {
    const char = pattern[at];
    if (char === '\\') at++;
    else if (char === '{') depth++;
    else if (char === ',' && depth === 1) {
      choices.push(pattern.slice(start, at));
      start = at + 1;
    } else if (char === '}' && --depth === 0) {
      if (choices.length === 0) return null;
      choices.push(pattern.slice(start, at));
      return { choices, after: pattern.slice(at + 1) };
    }
  }
  return null;
}
