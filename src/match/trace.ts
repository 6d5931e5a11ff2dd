/**
 * Parts a record's text into message and trace, and cuts what is too long to keep. Decisions are made on the whole text;
 * only what is stored and shown is cut.
 */

/** Lines and characters of a message or trace that are kept: head and tail (the exception stands at the tail). */
const maxLines = 500;
export const maxText = 65_536;

/** Where a trace begins: Python, exception groups, Java and Node frames, Java's causes, Go. At the head of a line. */
const traceStart =
  /(?<=\n)(?:Traceback \(most recent call last\):|[ \t]+\+ Exception Group Traceback|[ \t]+at |Caused by: |goroutine \d+ \[)/;
const headless = 'Traceback (most recent call last):';

export interface Parts {
  readonly message: string;
  /** Empty where there is none. */
  readonly trace: string;
}

function withoutBlankEnd(text: string): string {
  let end = text.length;
  while (end > 0 && text.charCodeAt(end - 1) === 10) end--;
  return end === text.length ? text : text.slice(0, end);
}

/** The last line that is not indented: what a bare Python trace is about. */
function exceptionLine(trace: string): string {
  let end = trace.length;
  while (end > 0) {
    const start = trace.lastIndexOf('\n', end - 1) + 1;
    const first = trace.charCodeAt(start);
    if (start < end && first !== 32 && first !== 9 && first !== 10) return trace.slice(start, end);
    end = start - 1;
  }
  return trace;
}

/** Message and trace of a record without its header. A record that is a bare trace has its exception line as message. */
export function partsOf(body: string): Parts {
  if (body.startsWith(headless)) return { message: exceptionLine(body), trace: body };
  if (!body.includes('\n')) return { message: body, trace: '' };
  const at = body.search(traceStart);
  if (at < 0) return { message: body, trace: '' };
  return { message: withoutBlankEnd(body.slice(0, at)), trace: body.slice(at) };
}

/** Message and trace of a record whose head was read: as the head has them, else as they stand behind it. */
export function partsOfHead(
  head: { readonly length: number; readonly message: string | null; readonly trace: string },
  raw: string,
): Parts {
  if (head.message === null) return partsOf(head.length === 0 ? raw : raw.slice(head.length));
  return head.trace === '' ? partsOf(head.message) : { message: head.message, trace: head.trace };
}

/** Text within the limits: head and tail, and between them a line that says how much was left out. */
export function cutText(text: string): { readonly text: string; readonly cut: boolean } {
  let result = text;
  if (text.length > maxLines) {
    const lines = text.split('\n');
    if (lines.length > maxLines) {
      const head = Math.floor(maxLines * 0.4);
      const tail = maxLines - head - 1;
      const left = lines.length - head - tail;
      result = [...lines.slice(0, head), `... [${left} lines left out]`, ...lines.slice(-tail)].join('\n');
    }
  }
  if (result.length > maxText) {
    const half = maxText / 2 - 32;
    const head = result.slice(0, half).toWellFormed();
    const tail = result.slice(-half).toWellFormed();
    result = `${head}\n... [${result.length - 2 * half} characters left out]\n${tail}`;
  }
  return { text: result, cut: result !== text };
}
