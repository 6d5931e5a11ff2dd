/**
 * Reads TypeScript as far as the house rules need it: which modules a file names, and its code without comments, strings and
 * patterns, so that a rule about words of code is not met by a word in a sentence. A scanner of its own: no compiler is loaded.
 */

/** A file's code with the text of comments, strings and patterns taken out; lines stay where they were. */
export function codeOnly(text: string): string {
  return scan(text).code;
}

/** Modules that a file names in `import`, `export ... from`, `import()` and `require()`, in their order. */
export function modulesOf(text: string): string[] {
  const { strings, code } = scan(text);
  const modules: string[] = [];
  // A string stands in the code as a pair of quotes; those after these words name modules.
  const named = /(?<![\w$.])(?:(?:from|import)\s*\(?|require\s*\(|createRequire\([^)]*\)\s*\()\s*''/g;
  for (const found of code.matchAll(named)) {
    const at = found.index + found[0].length - 2;
    const module = strings.get(at);
    if (module !== undefined) modules.push(module);
  }
  return modules;
}

interface Scanned {
  readonly code: string;
  /** Offset in `code` of the opening quote -> the string's text. */
  readonly strings: ReadonlyMap<number, string>;
}

/** What may stand before a `/` that begins a pattern and does not divide. */
const beforePattern = /(?:^|[(,=:[!&|?{};+\-*%~^<>\n]|\b(?:return|typeof|case|in|of|await|yield))\s*$/;

function scan(text: string): Scanned {
  const strings = new Map<number, string>();
  let code = '';
  // Depth of braces inside each open `${` of a template.
  const templates: number[] = [];
  let at = 0;
  const keepLines = (part: string): string => part.replace(/[^\n]/g, '');
  while (at < text.length) {
    const two = text.slice(at, at + 2);
    const one = text[at] ?? '';
    if (two === '//') {
      const end = text.indexOf('\n', at);
      at = end < 0 ? text.length : end;
    } else if (two === '/*') {
      const end = text.indexOf('*/', at + 2);
      const stop = end < 0 ? text.length : end + 2;
      code += ` ${keepLines(text.slice(at, stop))}`;
      at = stop;
    } else if (one === "'" || one === '"') {
      const end = endOfString(text, at, one);
      strings.set(code.length, text.slice(at + 1, end - 1));
      code += "''";
      at = end;
    } else if (one === '`' || (one === '}' && templates.at(-1) === 0)) {
      if (one === '}') templates.pop();
      const part = templatePart(text, at + 1);
      code += `''${keepLines(text.slice(at, part.end))}`;
      if (part.opens) {
        templates.push(0);
        code += '+';
      }
      at = part.end;
    } else if (one === '/' && beforePattern.test(code.slice(-20))) {
      at = endOfPattern(text, at);
      code += "''";
    } else {
      const depth = templates.at(-1);
      if (depth !== undefined && one === '{') templates[templates.length - 1] = depth + 1;
      if (depth !== undefined && one === '}') templates[templates.length - 1] = depth - 1;
      code += one;
      at++;
    }
  }
  return { code, strings };
}

function endOfString(text: string, start: number, quote: string): number {
  let at = start + 1;
  while (at < text.length && text[at] !== quote && text[at] !== '\n') at += text[at] === '\\' ? 2 : 1;
  return at + 1;
}

function templatePart(text: string, start: number): { readonly end: number; readonly opens: boolean } {
  let at = start;
  while (at < text.length) {
    if (text[at] === '\\') at += 2;
    else if (text[at] === '`') return { end: at + 1, opens: false };
    else if (text[at] === '$' && text[at + 1] === '{') return { end: at + 2, opens: true };
    else at++;
  }
  return { end: at, opens: false };
}

function endOfPattern(text: string, start: number): number {
  let at = start + 1;
  let inClass = false;
  while (at < text.length && text[at] !== '\n') {
    const one = text[at];
    if (one === '\\') at++;
    else if (one === '[') inClass = true;
    else if (one === ']') inClass = false;
    else if (one === '/' && !inClass) break;
    at++;
  }
  at++;
  while (/[a-z]/.test(text[at] ?? '')) at++;
  return at;
}
