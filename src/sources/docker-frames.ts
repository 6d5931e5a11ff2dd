/**
 * What `/containers/ID/logs?timestamps=1` sends, as lines in the form of CRI, which says the same: time, stream, whole or part, text.
 * Takes bytes as they come: frames with a header of eight bytes, or, from a container with a terminal, bare lines. Gives lines.
 */

/** `time` is seconds and nanoseconds as text, so that it compares as text. */
export interface DockerLine {
  readonly time: string;
  readonly line: Buffer;
}

const headerBytes = 8;
const lineFeed = 10;
const carriageReturn = 13;
/** Docker cuts messages at 16 KiB; other drivers may not. More is no frame. */
const frameMax = 16 * 1024 * 1024;
/** A terminal's line may be held so long for its end; then it is given as a part. */
const heldMax = 1024 * 1024;
const partBytes = 16 * 1024;
/** The longest stamp: nanoseconds and an offset. */
const stampMax = 36;
const stampShape = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d) /;
const nothing: Buffer = Buffer.alloc(0);

export class DockerFrames {
  readonly #tty: boolean;
  #held: Buffer = nothing;
  #stamp = '1970-01-01T00:00:00.000000000Z';
  #time = '0000000000.000000000';

  constructor(tty: boolean) {
    this.#tty = tty;
  }

  /** The lines that are complete now. Throws where the bytes are no frames. */
  take(data: Buffer): DockerLine[] {
    const bytes = this.#held.length === 0 ? data : Buffer.concat([this.#held, data]);
    const lines: DockerLine[] = [];
    const at = this.#tty ? this.#terminal(bytes, lines) : this.#frames(bytes, lines);
    this.#held = at >= bytes.length ? nothing : Buffer.from(bytes.subarray(at));
    return lines;
  }

  #frames(bytes: Buffer, lines: DockerLine[]): number {
    let at = 0;
    while (bytes.length - at >= headerBytes) {
      const kind = bytes[at] as number;
      const length = bytes.readUInt32BE(at + 4);
      if (kind > 3 || bytes[at + 1] !== 0 || bytes[at + 2] !== 0 || bytes[at + 3] !== 0 || length > frameMax)
        throw new Error('the engine sent something that is no frame of a log');
      if (bytes.length - at < headerBytes + length) break;
      const from = at + headerBytes;
      this.#message(bytes.subarray(from, from + length), kind === 2 ? 'stderr' : 'stdout', lines);
      at = from + length;
    }
    return at;
  }

  /** A frame is one message; some engines put several into one. What has no line end is a part. */
  #message(message: Buffer, stream: string, lines: DockerLine[]): void {
    for (let at = 0; at < message.length; ) {
      const end = message.indexOf(lineFeed, at);
      lines.push(this.#line(message.subarray(at, end < 0 ? message.length : end), stream, end < 0));
      at = end < 0 ? message.length : end + 1;
    }
  }

  #terminal(bytes: Buffer, lines: DockerLine[]): number {
    let at = 0;
    for (let end = bytes.indexOf(lineFeed); end >= 0; end = bytes.indexOf(lineFeed, at)) {
      lines.push(this.#line(bytes.subarray(at, end), 'stdout', false));
      at = end + 1;
    }
    if (bytes.length - at > heldMax) {
      lines.push(this.#line(bytes.subarray(at), 'stdout', true));
      at = bytes.length;
    }
    return at;
  }

  #line(text: Buffer, stream: string, part: boolean): DockerLine {
    let body = this.#withoutStamp(text);
    // A long line of a terminal has a stamp in front of each of its parts.
    if (this.#tty && body.length > partBytes) body = this.#joined(body);
    const to = body.at(-1) === carriageReturn && !part ? body.length - 1 : body.length;
    const head = Buffer.from(`${this.#stamp} ${stream} ${part ? 'P' : 'F'} `);
    return {
      time: this.#time,
      line: Buffer.concat([head, body.subarray(0, to), Buffer.from([lineFeed])]),
    };
  }

  #joined(body: Buffer): Buffer {
    const parts: Buffer[] = [];
    let rest = body;
    while (rest.length > partBytes) {
      const after = rest.subarray(partBytes);
      if (!stampShape.test(after.toString('latin1', 0, stampMax))) break;
      parts.push(rest.subarray(0, partBytes));
      rest = this.#withoutStamp(after);
    }
    return Buffer.concat([...parts, rest]);
  }

  /** Notes the stamp in front. A line without one has that of the line before it. */
  #withoutStamp(text: Buffer): Buffer {
    const found = stampShape.exec(text.toString('latin1', 0, stampMax));
    if (!found) return text;
    const [whole, second = '', fraction = '', zone = 'Z'] = found;
    const seconds = Math.floor(Date.parse(`${second}${zone}`) / 1_000);
    if (!Number.isFinite(seconds) || seconds < 0) return text;
    this.#stamp = whole.trimEnd();
    this.#time = `${String(seconds).padStart(10, '0')}.${fraction.padEnd(9, '0')}`;
    return text.subarray(whole.length);
  }
}
