/**
 * Tells a dead source from a quiet one. Looks once a tick at what each source gave, learns its rhythm, and says once when one is
 * quiet for longer than it ever is, or when nothing of it is there any more; and once when it is back. A source that can't be read
 * says so itself, at once. It reads no logs, and never speaks of a source that it doesn't know yet.
 */
import type { SourceConfig } from '../model/config.ts';
import { formatDuration } from '../model/duration.ts';
import type { Clock } from '../model/seams.ts';
import type { Table } from '../model/store.ts';
import type { SourceFacts } from './pipeline.ts';
import { learnedQuietMs, longestGapMs, newRhythm, noted, type Rhythm } from './rhythm.ts';
import type { SelfWatch, SelfWord } from './self-watch.ts';

/** A rotation, a deployment or a restart may leave nothing to read for so long. */
const goneAfterMs = 300_000;
/** What comes this soon after the start was written while nobody looked: it tells nothing of a gap. */
const catchUpMs = 30_000;
/** A source that lives is noted about once a minute. */
const noteMs = 60_000;

export interface QuietWatchDeps {
  readonly clock: Clock;
  readonly rhythms: Table<Rhythm>;
  readonly sources: () => readonly SourceConfig[];
  readonly facts: (source: string) => SourceFacts;
  readonly selfWatch: Pick<SelfWatch, 'begin' | 'end' | 'forget'>;
}

interface Watched {
  bytes: number;
  /** Monotonic ms of its last sign of life, or of our start. */
  activeAt: number;
  /** Whether it lived since our start. */
  lived: boolean;
  /** Not noted yet: how long it was watched, the longest gap in that. */
  watchedMs: number;
  gapMs: number;
  /** Since when nothing of it is there, monotonic ms. */
  emptyAt: number | null;
  told: 'quiet' | 'gone' | null;
  /** Whether a word of an earlier run may still be open. */
  quietOpen: boolean;
  goneOpen: boolean;
}

/** How a source stands, for `status`; null where there is nothing to say. */
export interface QuietStanding {
  readonly state: 'quiet' | 'gone';
  readonly detail: string;
}

export class QuietWatch {
  readonly #deps: QuietWatchDeps;
  readonly #watched = new Map<string, Watched>();
  readonly #startedAt: number;

  constructor(deps: QuietWatchDeps) {
    this.#deps = deps;
    this.#startedAt = deps.clock.monotonic();
  }

  /** Looks at each source. Call it about once a second, before the commit. */
  tick(): void {
    const sources = this.#deps.sources();
    const now = this.#deps.clock.monotonic();
    // A pipe that ended is the end of everything where there are only pipes.
    const pipes = sources.every((source) => source.kind === 'stdin');
    for (const source of sources) if (!pipes) this.#look(source, now);
    if (this.#watched.size > sources.length) this.#forget(new Set(sources.map(({ name }) => name)));
  }

  /** How it stands where that is told, or null. */
  standing(name: string): QuietStanding | null {
    const watched = this.#watched.get(name);
    if (!watched?.told) return null;
    const forMs = this.#deps.clock.monotonic() - (watched.emptyAt ?? watched.activeAt);
    const detail = watched.told === 'quiet' ? 'nothing came' : 'nothing of it is there';
    return { state: watched.told, detail: `${detail} for ${inWords(forMs)}` };
  }

  #look(source: SourceConfig, now: number): void {
    const facts = this.#deps.facts(source.name);
    const watched = this.#of(source.name, facts, now);
    if (facts.bytes !== watched.bytes) this.#lived(source.name, facts, watched, now);
    if (facts.state === 'failing') return;
    const empty = facts.state === 'waiting' || (source.kind === 'stdin' && facts.detail === 'ended');
    if (!empty) this.#isThere(source.name, watched);
    else watched.emptyAt ??= now;
    if (source.quietMs === null || watched.told !== null) return;
    const rhythm = this.#deps.rhythms.get(source.name);
    if (watched.emptyAt !== null && rhythm !== undefined) this.#maybeGone(source, watched, rhythm, now);
    if (watched.told === null) this.#maybeQuiet(source, watched, rhythm, now);
  }

  #of(name: string, facts: SourceFacts, now: number): Watched {
    let watched = this.#watched.get(name);
    if (watched === undefined) {
      watched = {
        bytes: facts.bytes,
        activeAt: now,
        lived: false,
        watchedMs: 0,
        gapMs: 0,
        emptyAt: null,
        told: null,
        quietOpen: true,
        goneOpen: true,
      };
      if (facts.bytes > 0) watched.bytes = -1;
      this.#watched.set(name, watched);
    }
    return watched;
  }

  /** Bytes came: the gap before them is learned, and what was said of it is over. */
  #lived(name: string, facts: SourceFacts, watched: Watched, now: number): void {
    const { clock, rhythms } = this.#deps;
    const wall = clock.now();
    const known = rhythms.get(name);
    const quietMs = now - watched.activeAt;
    let gap = quietMs;
    if (!watched.lived && known !== undefined) {
      // Quiet when we came, and long after: then it was quiet all along. Else nobody knows.
      gap = now - this.#startedAt < catchUpMs ? 0 : Math.max(quietMs, wall - known.lastAt);
    }
    watched.bytes = facts.bytes;
    watched.activeAt = now;
    watched.lived = true;
    watched.watchedMs += gap;
    watched.gapMs = Math.max(watched.gapMs, gap);
    // Noted now and then, so that a busy source costs no writes.
    if (known === undefined) {
      rhythms.put(name, newRhythm(wall), null);
    } else if (watched.gapMs > longestGapMs(known) || Math.abs(wall - known.lastAt) >= noteMs) {
      rhythms.put(name, noted(known, watched.watchedMs, watched.gapMs, wall), null);
      watched.watchedMs = watched.gapMs = 0;
    }
    if (!watched.quietOpen) return;
    watched.quietOpen = false;
    if (watched.told === 'quiet') watched.told = null;
    this.#deps.selfWatch.end(backWord('quiet', name, `Quiet for ${inWords(gap)}.`));
  }

  #isThere(name: string, watched: Watched): void {
    watched.emptyAt = null;
    if (!watched.goneOpen) return;
    watched.goneOpen = false;
    if (watched.told === 'gone') watched.told = null;
    this.#deps.selfWatch.end(backWord('gone', name, 'It is read again.'));
  }

  #maybeGone(source: SourceConfig, watched: Watched, rhythm: Rhythm, now: number): void {
    const since = watched.emptyAt ?? now;
    const ended = source.kind === 'stdin';
    const usual = Math.max(goneAfterMs, longestGapMs(rhythm));
    if (!ended && now - since < Math.min(usual, source.quietMs ?? usual)) return;
    watched.told = 'gone';
    watched.goneOpen = true;
    this.#deps.selfWatch.begin({
      topic: `gone:${source.name}`,
      title: `Source ${source.name} is gone`,
      message: `${ended ? 'What was piped in has ended.' : `Nothing of it is there for ${inWords(now - since)}.`} It gave its last line at ${new Date(rhythm.lastAt).toISOString()}. Alerts from it will not come.`,
      severity: 'error',
      fields: { source: source.name },
      not: null,
    });
  }

  #maybeQuiet(source: SourceConfig, watched: Watched, rhythm: Rhythm | undefined, now: number): void {
    const limit = source.quietMs ?? (rhythm === undefined ? null : learnedQuietMs(rhythm));
    const quietMs = now - watched.activeAt;
    if (limit === null || quietMs < limit) return;
    watched.told = 'quiet';
    watched.quietOpen = true;
    const why =
      source.quietMs === undefined && rhythm !== undefined
        ? `In the last days it was never quiet for longer than ${inWords(longestGapMs(rhythm))}.`
        : `Its \`quiet\` is ${formatDuration(limit)}.`;
    const last =
      rhythm === undefined
        ? 'It never gave a line.'
        : `It gave its last line at ${new Date(watched.lived ? this.#deps.clock.now() - quietMs : rhythm.lastAt).toISOString()}.`;
    this.#deps.selfWatch.begin({
      topic: `quiet:${source.name}`,
      title: `Source ${source.name} is quiet`,
      message: `Nothing came for ${inWords(quietMs)}. ${why} ${last} Look whether what writes it still runs.`,
      severity: source.quietMs === undefined ? 'warning' : 'error',
      fields: { source: source.name, quiet_s: Math.round(quietMs / 1000) },
      not: null,
    });
  }

  /** Sources that are not configured any more. */
  #forget(names: ReadonlySet<string>): void {
    for (const name of this.#watched.keys()) {
      if (names.has(name)) continue;
      this.#watched.delete(name);
      this.#deps.rhythms.delete(name);
      for (const topic of [`quiet:${name}`, `gone:${name}`]) this.#deps.selfWatch.forget(topic);
    }
  }
}

function backWord(topic: 'quiet' | 'gone', name: string, message: string): SelfWord {
  const title = `Source ${name} is ${topic === 'quiet' ? 'heard' : 'there'} again`;
  return {
    topic: `${topic}:${name}`,
    title,
    message,
    severity: 'info',
    fields: { source: name },
    not: null,
  };
}

/** To the second below an hour, to the minute above it. */
function inWords(ms: number): string {
  const unit = ms < 3_600_000 ? 1_000 : 60_000;
  return formatDuration(Math.floor(ms / unit) * unit);
}
