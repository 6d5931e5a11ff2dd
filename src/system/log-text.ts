/**
 * A line of the log as it may be shown: JSON without characters that move a cursor, or text for a terminal (time, level, room,
 * message, facts as `name=value`). Whatever the facts hold, one line comes out.
 */
import type { Paint } from './paint.ts';

// C0, DEL, C1, and what ends a line or turns its direction (line and paragraph separators, bidi controls).
const controls = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;
/** Characters of one fact in text; JSON has all of it. */
const factCharactersMax = 2000;

const levelWords: Readonly<
  Record<string, readonly [word: string, colour: 'red' | 'yellow' | 'green' | 'dim']>
> = {
  error: ['ERROR', 'red'],
  warn: ['WARN ', 'yellow'],
  info: ['INFO ', 'green'],
  debug: ['DEBUG', 'dim'],
  trace: ['TRACE', 'dim'],
};

/** A JSON line with its end; control characters become `\uXXXX`, which means the same in JSON. */
export function jsonLine(line: string): string {
  return `${escapeControls(line.trimEnd())}\n`;
}

/** A JSON line of the log -> a line for a person. What is no such line comes out escaped. */
export function textLine(line: string, paint: Paint): string {
  let record: Readonly<Record<string, unknown>>;
  try {
    record = JSON.parse(line) as Readonly<Record<string, unknown>>;
  } catch {
    return jsonLine(line);
  }
  const { level, time, room, msg, ...facts } = record;
  const [word, colour] = levelWords[String(level)] ?? [String(level), 'dim'];
  const where = room === undefined ? '' : `${paint.cyan(escapeControls(String(room)))}: `;
  const told = Object.entries(facts).map(([name, value]) => `${escapeControls(name)}=${factText(value)}`);
  const tail = told.length === 0 ? '' : `  ${paint.dim(told.join(' '))}`;
  return `${paint.dim(String(time).slice(11, 23))} ${paint[colour](word)} ${where}${escapeControls(String(msg))}${tail}\n`;
}

function factText(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  const bare = typeof value === 'string' && !/^[^\s"=]+$/.test(text) ? JSON.stringify(text) : text;
  const shown = escapeControls(bare);
  return shown.length <= factCharactersMax ? shown : `${shown.slice(0, factCharactersMax)}…`;
}

/** Control characters as `\uXXXX`. */
function escapeControls(text: string): string {
  return text.replace(controls, (found) => `\\u${found.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
