/**
 * Globs of rule files: `*` and `?` within a name, `**` over folders, `[...]` for one character. Names that begin with a
 * dot are matched only by a pattern that begins with one, so that `..data` of a mounted ConfigMap is left alone.
 * Takes a way to list folders; reads nothing itself.
 */

/** Whether a text is a glob at all, or a plain path. */
export function isGlob(text: string): boolean {
  return /[*?[]/.test(text);
}

/** One name of a path against one segment of a glob. */
export function segmentPattern(segment: string): RegExp {
  let source = '';
  for (let at = 0; at < segment.length; at++) {
    const character = segment[at] ?? '';
    const close = character === '[' ? segment.indexOf(']', at + 2) : -1;
    if (character === '*') source += '[^/]*';
    else if (character === '?') source += '[^/]';
    else if (close > at) {
      const inside = segment
        .slice(at + 1, close)
        .replace(/[\\^\]]/g, '\\$&')
        .replace(/^!|^\\\^/, '^');
      source += `[${inside}]`;
      at = close;
    } else source += character.replace(/[.+^${}()|\\[\]]/g, '\\$&');
  }
  const hidden = segment.startsWith('.') ? '' : '(?!\\.)';
  try {
    return new RegExp(`^${hidden}${source}$`, 'su');
  } catch {
    // A class that is none, such as `[z-a]`, stands for itself.
    return new RegExp(`^${segment.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')}$`, 'su');
  }
}

export interface FolderEntry {
  readonly name: string;
  readonly folder: boolean;
}
/** Lists a folder; empty where there is none. */
export type ListFolder = (path: string) => readonly FolderEntry[];

/** Folders below one another that `**` goes into. */
const levelsMax = 16;
/** Names looked at for one glob: more is not a folder of rules. */
const entriesMax = 20_000;

/** Absolute paths that an absolute glob stands for, sorted, at most `limit` of them. */
export function expandGlob(glob: string, listFolder: ListFolder, limit: number): string[] {
  const segments = glob.split('/').filter((segment) => segment !== '');
  const found = new Set<string>();
  let looked = 0;
  const walk = (folder: string, index: number, level: number): void => {
    const segment = segments[index];
    if (segment === undefined || found.size >= limit || looked > entriesMax) return;
    const last = index === segments.length - 1;
    if (!isGlob(segment) && !last) {
      walk(`${folder}/${segment}`, index + 1, level);
      return;
    }
    if (segment === '**') {
      walk(folder, index + 1, level);
      if (level >= levelsMax) return;
      for (const entry of listFolder(folder === '' ? '/' : folder)) {
        looked += 1;
        if (entry.folder && !entry.name.startsWith('.')) walk(`${folder}/${entry.name}`, index, level + 1);
      }
      return;
    }
    const pattern = segmentPattern(segment);
    for (const entry of listFolder(folder === '' ? '/' : folder)) {
      looked += 1;
      if (!pattern.test(entry.name)) continue;
      if (last) found.add(`${folder}/${entry.name}`);
      else if (entry.folder) walk(`${folder}/${entry.name}`, index + 1, level);
    }
  };
  walk('', 0, 0);
  return [...found].sort().slice(0, limit);
}
