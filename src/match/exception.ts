/**
 * Reads a trace: which exception, its text, its frames, and the frame of one's own code where it happened. Knows the traces of
 * Python, Java and Kotlin, Node, Go, Ruby, .NET, PHP and Rust by their frames. It is asked for records that a rule wanted, and
 * looks at no more than a bounded piece of a trace. Null where the text is no trace.
 */

/** What a trace says. */
export interface ExceptionFacts {
  /** The class, with its module where the trace has it. */
  readonly type: string;
  readonly message: string;
  /** `file:line in function`, the innermost first. */
  readonly frames: readonly string[];
  /** The innermost frame that is no library's, or null. */
  readonly app_frame: string | null;
  /** What it began with, `type: message`: of chained exceptions the first one. */
  readonly cause: string;
}

/** Frames that are kept, and characters of each and of the message. */
const maxFrames = 20;
const maxFrame = 200;
const maxMessage = 1_000;
/** Characters of a trace that are read: its head and its tail. */
const maxTrace = 65_536;

interface Frame {
  readonly file: string;
  readonly line: string;
  readonly name: string;
}

interface Language {
  /** A frame: its groups are named `file`, `line` and `name`. */
  readonly frame: RegExp;
  /** The innermost frame stands last. */
  readonly last: boolean;
  readonly head: (lines: readonly string[], frames: readonly number[]) => readonly [string, string] | null;
}

/** `name: text`, `name (text)` are told from prose by a name without blanks. */
const typed = /^([A-Za-z_$][\w$.:]*?(?:::[\w]+)*)(?::[ \t]*([\s\S]*))?$/;

function typedLine(line: string): readonly [string, string] | null {
  const found = typed.exec(line.trim());
  return found === null ? null : [found[1] ?? '', found[2] ?? ''];
}

/** Python: the line below the last frame, and all behind it that belongs to its text. */
function pythonHead(lines: readonly string[], frames: readonly number[]): readonly [string, string] | null {
  const last = frames[frames.length - 1] ?? -1;
  for (let at = last + 1; at < lines.length; at++) {
    const line = (lines[at] ?? '').replace(/^[\s|]+/, '');
    const indented = /^[ \t]/.test(lines[at] ?? '') && !/^\s*\|/.test(lines[at] ?? '');
    if (line === '' || indented) continue;
    const head = typedLine(line);
    if (head === null) return null;
    const rest = lines.slice(at + 1).filter((one) => !/^\s*[|+]/.test(one));
    return [head[0], [head[1], ...rest].join('\n').trimEnd()];
  }
  return null;
}

/** The sentence between two chained exceptions of Python. */
const pythonChain =
  /^[\s|]*(?:During handling of the above exception, another|The above exception was the direct cause)/;

/** Python: the exception before the first sentence that goes on from one; null where there is no chain. */
function pythonRoot(lines: readonly string[], frames: readonly number[]): readonly [string, string] | null {
  const end = lines.findIndex((line) => pythonChain.test(line));
  if (end < 0) return null;
  return pythonHead(
    lines.slice(0, end),
    frames.filter((at) => at < end),
  );
}

/** Java, .NET: the last cause is the reason; without one the line above the first frame. */
function causeHead(lines: readonly string[], frames: readonly number[]): readonly [string, string] | null {
  for (let at = lines.length - 1; at >= 0; at--) {
    const cause = /^\s*(?:Caused by: |---> |\[cause\]: )(.*)$/.exec(lines[at] ?? '');
    if (cause !== null) return typedLine(cause[1] ?? '');
  }
  return above(lines, frames);
}

/** The line above the first frame, without what a runtime puts before it. */
function above(lines: readonly string[], frames: readonly number[]): readonly [string, string] | null {
  for (let at = (frames[0] ?? 0) - 1; at >= 0; at--) {
    const line = (lines[at] ?? '')
      .replace(/^(?:Exception in thread "[^"]*" |Unhandled [eE]xception[.:] |Uncaught (?:Exception: )?)/, '')
      .replace(/^PHP Fatal error: {1,2}Uncaught /, '')
      .replace(/^Fatal error: Uncaught /, '')
      .replace(/ in \S+:\d+$/, '');
    if (line.trim() === '' || line === 'Stack trace:') continue;
    // Of a line of a log only the part that names an exception.
    const named =
      /(?:^|[\s:(])((?:[\w$]+[.\\])*[A-Z][\w$]*(?:Error|Exception|Throwable|Failure|Panic))\b(?:: ?([\s\S]*))?/.exec(
        line,
      );
    if (named !== null) return [named[1] ?? '', named[2] ?? ''];
    return typedLine(line);
  }
  return null;
}

function goHead(lines: readonly string[]): readonly [string, string] | null {
  for (const line of lines) {
    const found = /^(panic|fatal error): (.*)$/.exec(line);
    if (found !== null) return [found[1] ?? '', found[2] ?? ''];
  }
  return ['goroutine', lines[0] ?? ''];
}

function rubyHead(lines: readonly string[], frames: readonly number[]): readonly [string, string] | null {
  for (const line of lines.slice(0, (frames[0] ?? 0) + 1)) {
    const found = /(?:: |^)([^\n]*?) ?\(([A-Z][\w:]*)\)\s*$/.exec(line) ?? null;
    if (found !== null) return [found[2] ?? '', found[1] ?? ''];
    const rails = /^([A-Z][\w:]*) \((.*)\):?\s*$/.exec(line);
    if (rails !== null) return [rails[1] ?? '', rails[2] ?? ''];
  }
  return above(lines, frames);
}

function rustHead(lines: readonly string[]): readonly [string, string] | null {
  const at = lines.findIndex((line) => line.includes(' panicked at '));
  if (at < 0) return null;
  const inline = /panicked at '(.*)', /.exec(lines[at] ?? '');
  return ['panic', inline?.[1] ?? lines[at + 1] ?? ''];
}

const languages: readonly Language[] = [
  { frame: /^\s+at (?<file>[^\n]+\.rs):(?<line>\d+)(?::\d+)?/, last: false, head: rustHead },
  {
    frame: /^\s*(?:\| +)?File "(?<file>[^"\n]+)", line (?<line>\d+)(?:, in (?<name>[^\n]+))?/,
    last: true,
    head: pythonHead,
  },
  { frame: /^\s+at (?<name>[^\n]+?) in (?<file>[^\n]+):line (?<line>\d+)/, last: false, head: causeHead },
  {
    frame:
      /^\s+at (?:async )?(?:(?<name>[^(\n]+) \()?(?<file>(?:file:\/\/|node:|[A-Za-z]:\\|\/|\.|webpack)[^\n()]*?):(?<line>\d+):\d+\)?/,
    last: false,
    head: causeHead,
  },
  {
    frame: /^\s+at (?<name>[\w$.<>/@-]+)\((?<file>[^:()\n]+)(?::(?<line>\d+))?\)/,
    last: false,
    head: causeHead,
  },
  { frame: /^\s+at (?<name>[\w$.<>`[\],& +]+)\([^\n]*\)\s*$/, last: false, head: causeHead },
  { frame: /^#\d+ (?<file>[^\n(]+)\((?<line>\d+)\): (?<name>[^\n(]+)/, last: false, head: above },
  {
    frame: /^\s*(?:from )?(?<file>[^\s:][^:\n]*):(?<line>\d+):in [`'](?<name>[^'\n]+)'/,
    last: false,
    head: rubyHead,
  },
  { frame: /^\t(?<file>[^\s:][^\n]*\.go):(?<line>\d+)(?: \+0x[\da-f]+)?/, last: false, head: goHead },
];

/** Paths of libraries and runtimes. */
const library =
  /site-packages|dist-packages|site-p\/|\/lib\/python\d|Python\d*\\Lib\\|<frozen |<string>|node_modules|^node:|internal\/|\/gems\/|\/ruby\/\d|<internal:|\/vendor\/|\/usr\/(?:lib|local\/go|share)\/|\/rustc\/|\.cargo\/registry|\/go\/pkg\/mod\/|\/runtime\/(?:panic|proc)/;
const libraryName =
  /^(?:java|javax|jakarta|sun|jdk|com\.sun|kotlin|kotlinx|scala|org\.(?:springframework|apache|hibernate|junit|eclipse|jboss|postgresql)|io\.(?:netty|micrometer)|System|Microsoft|std|core|tokio|runtime|rust_begin_unwind)(?:[.:]|$)/;

/** The facts of a trace, or null. `message` is the record's, for traces that do not name their exception. */
export function exceptionOf(trace: string, message: string): ExceptionFacts | null {
  const text =
    trace.length <= maxTrace ? trace : `${trace.slice(0, maxTrace / 2)}\n${trace.slice(-maxTrace / 2)}`;
  const lines = text.split('\n');
  for (const language of languages) {
    const places: number[] = [];
    const frames: Frame[] = [];
    for (const [at, line] of lines.entries()) {
      const groups = language.frame.exec(line)?.groups;
      if (groups === undefined) continue;
      places.push(at);
      const name = groups['name']?.trim() ?? (language.head === goHead ? goName(lines[at - 1]) : '');
      frames.push({ file: groups['file'] ?? '', line: groups['line'] ?? '', name });
    }
    if (frames.length === 0) continue;
    const ordered = language.last
      ? lastBlock(lines, places, frames).reverse()
      : firstBlock(lines, places, frames);
    const head =
      language.head(lines, places) ?? above([...message.split('\n'), ''], [message.split('\n').length]);
    const root = language.head === pythonHead ? pythonRoot(lines, places) : null;
    return factsOf(head, root ?? head, ordered);
  }
  return null;
}

function goName(line: string | undefined): string {
  return (line ?? '').replace(/\([^()]*\)$/, '').replace(/^created by /, '');
}

/** Of chained Python traces the last one is the exception that was raised. */
function lastBlock(lines: readonly string[], places: readonly number[], frames: readonly Frame[]): Frame[] {
  let from = 0;
  for (let i = 1; i < places.length; i++)
    if (lines.slice(places[i - 1], places[i]).some((line) => line.includes('Traceback (most recent')))
      from = i;
  return frames.slice(from);
}

/** Of Java's causes the last one is the reason: its frames. */
function firstBlock(lines: readonly string[], places: readonly number[], frames: readonly Frame[]): Frame[] {
  let from = 0;
  for (let i = 1; i < places.length; i++)
    if (lines.slice(places[i - 1], places[i]).some((line) => /^\s*Caused by: /.test(line))) from = i;
  return frames.slice(from);
}

type Named = readonly [string, string] | null;

function factsOf(head: Named, root: Named, frames: readonly Frame[]): ExceptionFacts {
  const own = frames.find(({ file, name }) => !library.test(file) && !libraryName.test(name));
  const cause = root === null ? '' : root[1] === '' ? root[0] : `${root[0]}: ${root[1]}`;
  return {
    type: (head?.[0] ?? '').slice(0, maxFrame),
    message: (head?.[1] ?? '').slice(0, maxMessage).toWellFormed(),
    frames: frames.slice(0, maxFrames).map(shown),
    app_frame: own === undefined ? null : shown(own),
    cause: cause.slice(0, maxMessage).toWellFormed(),
  };
}

function shown({ file, line, name }: Frame): string {
  const place = line === '' ? file : `${file}:${line}`;
  const text = place === '' ? name : name === '' ? place : `${place} in ${name}`;
  return text.slice(0, maxFrame).toWellFormed();
}
