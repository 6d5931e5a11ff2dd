/**
 * The source `journal`: the systemd journal, read by `journalctl --follow --output=json`. Takes which entries are wanted; keeps the
 * cursor behind the last entry consumed as the place to go on from, so that each entry takes effect once. A journalctl that ends is
 * started again, ever more slowly; one that is missing, or may not read, is a state of the source. Understands nothing of an entry
 * but its cursor.
 */
import type { JournalSourceConfig } from '../model/config.ts';
import { backoffMs } from '../model/duration.ts';
import type { Source, Timer } from '../model/seams.ts';
import { CursorFeed, type Place } from './cursor-feed.ts';
import { type ChildEnd, LineChild } from './line-child.ts';
import type { SourceDeps } from './sources.ts';

/** Still there after so long, it works, though nothing was logged yet; after it has failed it is trusted later. */
const aliveMs = 1_000;
const aliveAgainMs = 15_000;
const backoff = { baseMs: 1_000, capMs: 60_000 };
/** Words on standard error that are passed on, each once. */
const wordsMax = 20;
const program = 'journalctl';
const joinGroup = 'add the user that Tocsin runs as to the group systemd-journal';

export class JournalSource implements Source {
  readonly name: string;
  readonly #config: JournalSourceConfig;
  readonly #deps: SourceDeps;
  readonly #key: string;
  readonly #said = new Set<string>();
  #feed: CursorFeed | null = null;
  #child: LineChild | null = null;
  #timer: Timer | null = null;
  #place: Place = {};
  /** The cursor behind the last entry that was given to the feed. */
  #readTo: string | null = null;
  /** Nothing of the saved cursor is left: where to go on instead, seconds since 1970. */
  #sinceInstead: number | null = null;
  #failures = 0;
  #works = false;
  #limited: string | null = null;
  #stopped = false;

  constructor(config: JournalSourceConfig, deps: SourceDeps) {
    this.name = config.name;
    this.#config = config;
    this.#deps = deps;
    this.#key = `journal:${config.name}`;
  }

  async start(): Promise<void> {
    if (this.#feed !== null || this.#stopped) return;
    this.#open();
    this.#run();
  }

  async drain(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#child?.stop();
    if (this.#feed === null) this.#open();
    const end = await this.#begin(false).ended;
    this.#child = null;
    this.#feed?.finish();
    if (end.failure !== null || (end.code !== 0 && end.signal === null))
      this.#deps.port.state(this.name, 'failing', explainEnd(end));
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#feed?.stop();
    await this.#child?.stop();
    this.#child = null;
  }

  lagBytes(): number {
    return this.#feed?.heldBytes ?? 0;
  }

  #open(): void {
    const { port, clock } = this.#deps;
    const stream = {
      source: this.name,
      key: this.#key,
      path: null,
      host: null,
      labels: this.#config.labels,
      envelope: 'journal',
    } as const;
    const saved = port.position(this.#key);
    if (saved !== null) {
      this.#place = saved.identity;
      const cursor = saved.identity['cursor'];
      if (typeof cursor === 'string' && cursor !== '') this.#readTo = cursor;
    } else {
      // Until the first entry the place is a time: what is logged while nobody looks is not passed over.
      const { start } = this.#config;
      const since =
        start === 'beginning' ? 0 : Math.floor((clock.now() - (start === 'end' ? 0 : start.agoMs)) / 1_000);
      this.#place = { cursor: '', since };
      port.remember({
        key: this.#key,
        source: this.name,
        path: '',
        offset: 0,
        identity: this.#place,
        reader: {},
        updatedAt: clock.now(),
      });
    }
    this.#feed = new CursorFeed({
      port,
      clock,
      stream,
      placeAfter: (lines) => {
        const cursor = lastCursor(lines);
        if (cursor !== null) this.#place = { cursor };
        return this.#place;
      },
    });
  }

  /** Runs it, and runs it again when it ends. */
  #run(): void {
    this.#works = false;
    const child = this.#begin(true);
    const delay = this.#failures === 0 ? aliveMs : aliveAgainMs;
    this.#timer = this.#deps.clock.setTimer(delay, () => this.#isWell());
    void child.ended.then((end) => this.#ended(child, end));
  }

  #begin(follow: boolean): LineChild {
    this.#child = new LineChild(program, this.#arguments(follow), {
      lines: (lines) => {
        this.#isWell();
        this.#failures = 0;
        this.#readTo = lastCursor(lines) ?? this.#readTo;
        this.#feed?.push(lines);
      },
      said: (line) => this.#warn(line),
      oversized: () => this.#deps.port.count(this.name, 'oversized', 1),
    });
    return this.#child;
  }

  /** All boots and all journals of the place: `--follow` alone would leave out what was logged before a reboot. */
  #arguments(follow: boolean): string[] {
    const { units, userUnits, identifiers, priority, matches, directory } = this.#config;
    const since = this.#sinceInstead ?? Number(this.#place['since'] ?? 0);
    return [
      '--output=json',
      '--all',
      '--merge',
      ...(follow ? ['--follow', '--no-tail'] : []),
      ...(this.#readTo !== null
        ? [`--after-cursor=${this.#readTo}`]
        : since > 0
          ? [`--since=@${since}`]
          : []),
      ...units.map((unit) => `--unit=${unit}`),
      ...userUnits.map((unit) => `--user-unit=${unit}`),
      ...identifiers.map((one) => `--identifier=${one}`),
      ...(priority === null ? [] : [`--priority=${priority}`]),
      ...(directory === null ? [] : [`--directory=${directory}`]),
      ...matches,
    ];
  }

  #isWell(): void {
    if (this.#works || this.#stopped) return;
    this.#works = true;
    this.#timer?.cancel();
    this.#deps.port.state(this.name, 'ok', this.#limited);
  }

  #ended(child: LineChild, end: ChildEnd): void {
    if (this.#stopped || child !== this.#child) return;
    this.#timer?.cancel();
    const { port, clock } = this.#deps;
    if (/seek to cursor|invalid cursor/i.test(end.words) && this.#readTo !== null) this.#loseCursor();
    const delay = backoffMs(this.#failures + 1, backoff, () => 1);
    const what = `${explainEnd(end)}; started again in ${Math.round(delay / 1_000)} s`;
    // It may be killed by chance: only what does not come up again fails.
    const failing = end.failure !== null || !this.#works || this.#failures > 0;
    this.#failures++;
    port.count(this.name, 'restarted', 1);
    if (failing) port.state(this.name, 'failing', what);
    else this.#deps.warn?.(what);
    this.#timer = clock.setTimer(delay, () => this.#run());
  }

  /** The saved cursor is none: it goes on from the time of the last entry consumed. Some entries may come twice, none is lost. */
  #loseCursor(): void {
    const saved = this.#deps.port.position(this.#key);
    this.#readTo = null;
    this.#sinceInstead = Math.floor((saved?.updatedAt ?? this.#deps.clock.now()) / 1_000);
    this.#deps.port.count(this.name, 'cursor_lost', 1);
  }

  #warn(line: string): void {
    if (/not seeing messages from other users/i.test(line)) {
      this.#limited = `only entries of its own user are seen: ${joinGroup}`;
      this.#deps.warn?.(this.#limited);
      if (this.#works) this.#deps.port.state(this.name, 'ok', this.#limited);
      return;
    }
    if (/^(?:-- |Users in |\s*Pass -q)/.test(line) || this.#said.size >= wordsMax || this.#said.has(line))
      return;
    this.#said.add(line);
    this.#deps.warn?.(`${program}: ${line}`);
  }
}

/** Why it ended, in words. */
function explainEnd({ failure, code, signal, words }: ChildEnd): string {
  if (failure === 'ENOENT') return `${program} was not found: the source needs it, it is part of systemd`;
  if (failure === 'EACCES') return `${program} may not be run: permission denied`;
  if (failure !== null) return `${program} could not be started: ${failure}`;
  if (/insufficient permissions|permission denied/i.test(words))
    return `the journal may not be read: ${joinGroup}`;
  const last = words.split('\n').at(-1) ?? '';
  const how = signal === null ? `with code ${code}` : `by ${signal}`;
  return `${program} ended ${how}${last === '' ? '' : `: ${last.slice(0, 300)}`}`;
}

const cursorKey = '"__CURSOR"';

/** The cursor of the last whole line, or null. A quote within a value is escaped, so the key can't be part of one. */
function lastCursor(lines: Buffer): string | null {
  for (let end = lines.lastIndexOf(0x0a); end >= 0; ) {
    const before = end === 0 ? -1 : lines.lastIndexOf(0x0a, end - 1);
    const at = lines.subarray(before + 1, end).indexOf(cursorKey);
    if (at >= 0) {
      const text = lines.toString('latin1', before + 1 + at + cursorKey.length, end);
      const found = /^\s*:\s*"([^"\\]+)"/.exec(text.slice(0, 1_024))?.[1];
      if (found !== undefined) return found;
    }
    end = before;
  }
  return null;
}
