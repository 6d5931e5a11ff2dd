/**
 * Finds nesting that is too deep before the text reaches the parser, whose recursion can abort the process. Takes the
 * flat tokens of the lexer (which has no recursion) and follows brackets of flow collections and columns of block ones: a
 * dash, a key or a value further right is one level more. It may count one level too many for a value on its key's line,
 * never one too few.
 */

/** Marks of the lexer without a width: document start, end of a flow collection, "a scalar follows". */
export const marks: ReadonlySet<string> = new Set(['\u0002', '\u0018', '\u001f']);

/** The offset at which the nesting passes `limit`, or null. Stops reading tokens there. */
export function findTooDeep(tokens: Iterable<string>, limit: number): number | null {
  /** Columns of the open block levels. */
  const columns: number[] = [];
  let flow = 0;
  let at = 0;
  let lineStart = 0;
  let blankLine = true;
  for (const token of tokens) {
    if (token.length === 1 && marks.has(token)) continue;
    const first = token[0] ?? '';
    if (first === '{' || first === '[') flow += 1;
    else if ((first === '}' || first === ']') && token.length === 1) flow = Math.max(0, flow - 1);
    else if (flow === 0 && (first === ':' ? blankLine : !/[\s#,&!]/.test(first)))
      open(columns, at - lineStart);
    if (flow + columns.length > limit) return at;
    at += token.length;
    const newline = token.lastIndexOf('\n');
    if (newline !== -1) lineStart = at - (token.length - newline - 1);
    blankLine = newline !== -1 || (blankLine && first === ' ');
  }
  return null;
}

function open(columns: number[], column: number): void {
  while (columns.length > 0 && (columns.at(-1) ?? 0) >= column) columns.pop();
  columns.push(column);
}
