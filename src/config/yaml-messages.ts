/**
 * What the YAML parser complains about, in words that say what to write instead. Takes the parser's code, message and
 * place; gives our code, message and hint. Unknown complaints pass through as they came.
 */
import type { ProblemCode } from '../model/problem.ts';
import { quoteShort } from './nodes.ts';

export interface YamlComplaint {
  readonly code: ProblemCode;
  readonly message: string;
  readonly hint: string | null;
}

/** `offset` is where the parser points to in `text`. */
export function explainYaml(code: string, message: string, text: string, offset: number): YamlComplaint {
  const lineEnd = text.indexOf('\n', offset);
  const rest = text.slice(offset, lineEnd === -1 ? undefined : lineEnd).trimEnd();
  if (text[offset - 1] === '$' && rest.startsWith('{')) {
    return {
      code: 'E_YAML_SYNTAX',
      message: 'inside { } or [ ] a brace begins a map, so this variable is none',
      hint: `put it in quotes: '\${NAME}'`,
    };
  }
  const known = complaints[code];
  if (known)
    return {
      code: 'E_YAML_SYNTAX',
      ...known(rest, message, text.slice(text.lastIndexOf('\n', offset - 1) + 1, offset)),
    };
  if (code === 'MULTIPLE_DOCS') {
    return {
      code: 'E_YAML_DOCUMENTS',
      message: 'a second document begins here (---)',
      hint: 'one file is one document: take the line --- out, or make two files',
    };
  }
  return { code: 'E_YAML_SYNTAX', message: firstLine(message), hint: null };
}

/** `rest` is the line from the place on, `before` the line up to it. */
type Explain = (rest: string, message: string, before: string) => { message: string; hint: string | null };

const complaints: Readonly<Record<string, Explain>> = {
  TAB_AS_INDENT: () => ({ message: 'a tab is used for indentation', hint: 'indent with spaces' }),
  TAG_RESOLVE_FAILED: (rest) => ({
    message: `${quoteShort(firstWord(rest))} is taken for a YAML tag and would be lost, since text that begins with ! is one`,
    hint: `put the value in quotes: ${quoted(valueAt(rest))}`,
  }),
  BAD_DQ_ESCAPE: (rest) => ({
    message: `in double quotes ${quoteShort(rest.slice(0, 2))} is no escape that YAML knows`,
    hint: "use single quotes for patterns: 'Task (\\S+) failed'",
  }),
  BAD_SCALAR_START: (rest) => ({
    message: `a value can't begin with ${quoteShort(rest.slice(0, 1))} without quotes`,
    hint: `put the value in quotes: ${quoted(valueAt(rest))}`,
  }),
  BLOCK_AS_IMPLICIT_KEY: () => ({
    message: 'a colon with a blank after it inside a value begins another key',
    hint: "put the whole value in quotes: 'Task failed: timeout'",
  }),
  BAD_ALIAS: (rest) => ({
    message: `${quoteShort(firstWord(rest))} is taken for a YAML alias, since text that begins with * is one`,
    hint: `put the value in quotes: ${quoted(valueAt(rest))}`,
  }),
  MULTILINE_IMPLICIT_KEY: () => ({
    message: 'this line has no colon after its key, or a value that goes on in the next line',
    hint: 'write `key: value`; a long text goes into quotes or below `key: |`',
  }),
  MISSING_CHAR: (_rest, message) =>
    /quote/.test(message)
      ? { message: 'the quote that is opened here is not closed', hint: 'close it at the end of the value' }
      : {
          message: firstLine(message),
          hint: /must end with|Expected .*[\]}]/.test(message)
            ? 'close the bracket that was opened before'
            : 'write `key: value`, with a blank after the colon',
        },
  BAD_INDENT: (_rest, message) => ({
    message: firstLine(message),
    hint: 'keys of one map, and the dashes of one list, stand below each other in the same column',
  }),
  UNEXPECTED_TOKEN: (_rest, message, before) => {
    const closed = /['"\]}]$/.exec(before.trimEnd())?.[0];
    return closed === undefined || /^\s*$/.test(before)
      ? unexpected(message)
      : {
          message: `the value ends at the ${closed} before this, so the rest of the line belongs to nothing`,
          hint:
            closed === "'"
              ? "write a ' inside single quotes twice, as in 'it''s'; or quote the whole value"
              : "put the whole value in single quotes, as in '[ERROR] failed'",
        };
  },
};

function unexpected(message: string): { message: string; hint: string } {
  return {
    message: firstLine(message),
    hint: 'look at the indentation of this line and of the one before; text with : # { [ in it goes into quotes',
  };
}

/** The value that begins a text: to the end of the line, or to the `}` or `]` that closes a map or a list around it. */
function valueAt(rest: string): string {
  const close = /\s*[}\],]+$/.exec(rest);
  return close === null || close.index === 0 ? rest : rest.slice(0, close.index);
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

function firstLine(text: string): string {
  return (text.split('\n')[0] ?? text).replace(/ at line \d+, column \d+:?$/, '');
}

function firstWord(text: string): string {
  return text.split(/\s/)[0] ?? text;
}
