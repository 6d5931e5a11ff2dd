/**
 * Shortens a traceback for a person on call: the head, the frames of their own code and the last lines stay, frames of
 * libraries go first, from the middle; each gap says how many lines it hides. Python first; Java, Node and Ruby by
 * the same rule. Pure.
 */
import { cutMiddle } from './text.ts';

/** A frame of a library or the runtime: it rarely says what to do. */
const libraryFrame =
  /[/\\](?:site-p[a-z-]*|dist-packages|node_modules|gems|vendor)[/\\]|\/lib\/python\d|Python\d*\\Lib\\|<frozen |<string>|\(node:|at node:|^\s*at (?:java|javax|jdk|sun|com\.sun|org\.springframework|org\.apache|io\.netty|kotlin|scala)\./;
const frameStart = /^\s+(?:File "|at )/;
/** Lines that are always kept, from the front and from the end. */
const headLines = 2;
const tailLines = 4;
/** A line longer than this is cut where lines are few and the text is too long. */
const lineMax = 400;
/** Work is bounded: of a longer text only both ends are looked at. */
const textMax = 65_536;

/** At most `limit` UTF-16 units of the text. */
export function cutTrace(text: string, limit: number): string {
  if (text.length <= limit) return text;
  const lines = cutMiddle(text, textMax)
    .split('\n')
    .map((line) => (line.length > lineMax ? cutMiddle(line, lineMax).replaceAll('\n', ' ') : line));
  const kept = keepOwnFrames(lines);
  const joined = withGaps(lines, kept);
  if (joined.length <= limit) return joined;
  return cutMiddle(joined, limit);
}

function keepOwnFrames(lines: readonly string[]): boolean[] {
  let inLibrary = false;
  const library = lines.map((line) => {
    if (frameStart.test(line)) inLibrary = libraryFrame.test(line);
    // A line that is not indented is a header, a cause or the error itself.
    else if (/^\S/.test(line)) inLibrary = false;
    return inLibrary;
  });
  let tail = Math.max(0, lines.length - tailLines);
  // The source line of a frame that is hidden says nothing alone.
  while (library[tail] === true && !frameStart.test(lines[tail] ?? '')) tail += 1;
  return library.map((isLibrary, index) => !isLibrary || index < headLines || index >= tail);
}

function withGaps(lines: readonly string[], kept: readonly boolean[]): string {
  const shown: string[] = [];
  let hidden = 0;
  for (const [index, line] of lines.entries()) {
    if (kept[index] !== true) {
      hidden += 1;
      continue;
    }
    if (hidden > 0) shown.push(`  \u2026 ${hidden} lines of libraries`);
    hidden = 0;
    shown.push(line);
  }
  return shown.join('\n');
}
