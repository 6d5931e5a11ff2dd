/**
 * From bytes to durable effects: the one place where a chunk is matched, applied to incidents, and committed together with the
 * offset of its stream. It is the `SourcePort` that sources talk to. It decides when to commit; it does not read and does not send.
 */
import type { Engine } from '../incidents/engine.ts';
import type { CompiledRules } from '../match/compile.ts';
import { openReader } from '../match/open-reader.ts';
import type { Reader } from '../match/reader.ts';
import type { SourceConfig } from '../model/config.ts';
import type { Chunk, Clock, SavedPosition, SourcePort, Timer } from '../model/seams.ts';
import type { CommitResult, Store } from '../model/store.ts';
import type { Desk } from '../notify/desk.ts';
import { fault } from '../system/fault.ts';
import { keepHeapSmallAfterWork } from '../system/heap.ts';
import type { EngineTime } from './engine-time.ts';
import { Positions } from './positions.ts';

/** Under load effects are committed in groups: after so many matches, or so many ms. */
const groupMatches = 5_000;
const groupMs = 50;
/** A stream that gives more than this at once is behind even where its source can't tell: its effects wait for the group. */
const busyBytes = 65_536;
/** Records that are kept as they are until the next commit, each of another incident; with it some KiB of the lines around it. */
const unsettledMax = 256;
/** An offset that moved without a match is saved about once a second: reading those bytes again changes nothing. */
const offsetMs = 1_000;

/** What `status` tells of a source. */
export interface SourceFacts {
  records: number;
  bytes: number;
  dropped: Record<string, number>;
  lastRecordAt: number | null;
  /** Newest stamp of a record, ms. */
  newestTime: number | null;
  state: 'ok' | 'waiting' | 'failing';
  detail: string | null;
}

export interface PipelineDeps {
  readonly store: Store;
  readonly engine: Engine;
  readonly desk: Desk;
  readonly clock: Clock;
  readonly time: EngineTime;
  /** The configuration of a source by its name. */
  readonly source: (name: string) => SourceConfig | undefined;
  /** Called after each commit, whatever became of it. */
  readonly committed: (result: CommitResult) => void;
  /** A source's state changed. */
  readonly sourceState: (source: string, facts: SourceFacts) => void;
  /** A source works, and something about it must be known; null is over. */
  readonly sourceTrouble: (source: string, topic: string, text: string | null) => void;
}

interface Stream {
  readonly reader: Reader;
  readonly source: string;
}

export class Pipeline implements SourcePort {
  readonly #deps: PipelineDeps;
  #compiled: CompiledRules;
  readonly #streams = new Map<string, Stream>();
  readonly #positions: Positions;
  readonly facts = new Map<string, SourceFacts>();
  #matchesSinceCommit = 0;
  #lastCommitAt = Number.NEGATIVE_INFINITY;
  #timer: { readonly at: number; readonly timer: Timer } | null = null;
  #commitSoon = false;
  /** Who waits for the next commit. */
  #waiting: ((durable: boolean) => void)[] = [];

  constructor(deps: PipelineDeps, compiled: CompiledRules) {
    this.#deps = deps;
    this.#compiled = compiled;
    this.#positions = new Positions(deps.store);
  }

  /** Takes a new set of rules; streams go on where they are. */
  use(compiled: CompiledRules): void {
    this.#compiled = compiled;
  }

  /** Forgets how streams of a source are read, so that its changed configuration holds from the next byte on. */
  resetSource(source: string): void {
    for (const [key, stream] of this.#streams) {
      if (stream.source === source) this.#streams.delete(key);
    }
  }

  take(chunk: Chunk): number {
    const stream = this.#stream(chunk);
    const result = stream.reader.read(this.#compiled, chunk);
    const facts = this.factsOf(chunk.stream.source);
    facts.records += result.records;
    facts.bytes += result.consumed;
    if (result.records > 0) facts.lastRecordAt = chunk.receivedAt;
    if (result.newestTime !== null) facts.newestTime = Math.max(facts.newestTime ?? 0, result.newestTime);
    for (const [reason, by] of Object.entries(result.counts)) {
      if (by > 0) this.count(chunk.stream.source, reason, by);
    }
    for (const match of result.matches) {
      const now = this.#deps.time.at(match.record.time);
      this.#advance(now);
      this.#deps.engine.apply(match, now);
      fault('matched');
    }
    if (this.#deps.engine.unsettled() > unsettledMax) this.#deps.engine.settle();
    // A match may come from behind an open record, which holds the offset: then the reader's notes move alone.
    if (result.consumed > 0 || result.matches.length > 0) this.#move(chunk, result.consumed, stream);
    this.#matchesSinceCommit += result.matches.length;
    if (result.matches.length > 0) this.#commitInTime(!chunk.behind && chunk.data.length < busyBytes);
    else if (result.consumed > 0) this.#arm(offsetMs);
    if (chunk.end === 'final') this.#streams.delete(chunk.stream.key);
    if (chunk.data.length >= busyBytes) keepHeapSmallAfterWork();
    return result.consumed;
  }

  position(key: string): SavedPosition | null {
    return this.#positions.get(key);
  }

  positions(source: string): readonly SavedPosition[] {
    return this.#positions.of(source);
  }

  remember(position: SavedPosition): void {
    this.#positions.remember(position);
    this.#arm(offsetMs);
  }

  handOver(from: string, to: string): boolean {
    const stream = this.#streams.get(from);
    const position = this.#positions.get(to);
    if (stream === undefined || !stream.reader.handsOver || position === null || this.#streams.has(to))
      return false;
    // The reader's notes are of places behind what was consumed: they hold where the same bytes are given again, in whichever stream.
    this.#positions.begin(position, stream.reader.saved());
    this.#streams.delete(from);
    return true;
  }

  forget(key: string): void {
    this.#positions.forget(key);
    this.#streams.delete(key);
  }

  committed(): Promise<boolean> {
    // Reading bytes without a match again changes nothing, so nothing of them can be lost.
    if (this.#matchesSinceCommit === 0 && !this.#deps.store.dirty()) return Promise.resolve(true);
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      if (this.#waiting.length > 1) return;
      // With the next turn of the loop: what came at the same time is committed together.
      setImmediate(() => {
        if (this.#waiting.length > 0) this.commit();
      });
    });
  }

  count(source: string, reason: string, by: number): void {
    const { dropped } = this.factsOf(source);
    dropped[reason] = (dropped[reason] ?? 0) + by;
  }

  state(source: string, state: SourceFacts['state'], detail: string | null): void {
    const facts = this.factsOf(source);
    if (facts.state === state && facts.detail === detail) return;
    facts.state = state;
    facts.detail = detail;
    this.#deps.sourceState(source, facts);
  }

  trouble(source: string, topic: string, text: string | null): void {
    this.#deps.sourceTrouble(source, topic, text);
  }

  factsOf(source: string): SourceFacts {
    let facts = this.facts.get(source);
    if (!facts) {
      facts = {
        records: 0,
        bytes: 0,
        dropped: {},
        lastRecordAt: null,
        newestTime: null,
        state: 'ok',
        detail: null,
      };
      this.facts.set(source, facts);
    }
    return facts;
  }

  /** Everything due up to `now`, each at its own time, then a commit. */
  tick(now: number): void {
    this.#advance(now);
    if (this.#deps.store.dirty() || this.#positions.hasMoved()) this.commit();
  }

  /** Effects and offsets become durable together. */
  commit(): CommitResult {
    this.#deps.engine.settle();
    this.#commitSoon = false;
    this.#timer?.timer.cancel();
    this.#timer = null;
    this.#positions.put(this.#deps.clock.now());
    this.#matchesSinceCommit = 0;
    this.#lastCommitAt = this.#deps.clock.monotonic();
    const result = this.#deps.store.dirty() ? this.#deps.store.commit() : ({ ok: true } as const);
    this.#deps.committed(result);
    for (const resolve of this.#waiting.splice(0)) resolve(result.ok);
    return result;
  }

  #advance(now: number): void {
    const { engine, desk } = this.#deps;
    // Each step is done at its own due time, so that a jump in time gives the same messages as the time that passed.
    for (let turn = 0; turn < 100_000; turn++) {
      const due = Math.min(
        engine.nextDue() ?? Number.POSITIVE_INFINITY,
        desk.nextDue() ?? Number.POSITIVE_INFINITY,
      );
      if (due > now) return;
      const at = this.#deps.time.live ? now : Math.max(due, this.#deps.time.floor());
      engine.tick(at);
      desk.tick(at);
    }
  }

  #stream(chunk: Chunk): Stream {
    const known = this.#streams.get(chunk.stream.key);
    if (known) return known;
    const config = this.#deps.source(chunk.stream.source);
    const saved = this.#positions.get(chunk.stream.key);
    const stream: Stream = {
      source: chunk.stream.source,
      reader: openReader(
        {
          stream: chunk.stream,
          format: config?.format ?? 'auto',
          multiline: config?.multiline ?? 'auto',
          tz: config?.tz ?? 'UTC',
          maxLineBytes: config?.maxLineBytes ?? 262_144,
          syslog: config?.kind === 'syslog' ? config : null,
        },
        saved?.reader ?? null,
      ),
    };
    this.#streams.set(chunk.stream.key, stream);
    return stream;
  }

  #move(chunk: Chunk, consumed: number, stream: Stream): void {
    const { key, source, path } = chunk.stream;
    this.#positions.reach({
      key,
      source,
      path: path ?? '',
      offset: chunk.offset + consumed,
      reader: stream.reader.saved(),
      updatedAt: chunk.receivedAt,
    });
  }

  /** At once when the stream is caught up, else with the group. Always after the source has noted its identity facts. */
  #commitInTime(caughtUp: boolean): void {
    const since = this.#deps.clock.monotonic() - this.#lastCommitAt;
    if (!caughtUp && this.#matchesSinceCommit < groupMatches && since < groupMs) {
      this.#arm(groupMs - since);
      return;
    }
    if (this.#commitSoon) return;
    this.#commitSoon = true;
    queueMicrotask(() => {
      // Who waits for a commit gets one with this turn of the loop, and others may come into it.
      if (this.#commitSoon && this.#waiting.length === 0) this.commit();
    });
  }

  #arm(delayMs: number): void {
    const at = this.#deps.clock.monotonic() + delayMs;
    if (this.#timer && this.#timer.at <= at) return;
    this.#timer?.timer.cancel();
    const timer = this.#deps.clock.setTimer(delayMs, () => {
      this.#timer = null;
      this.commit();
    });
    this.#timer = { at, timer };
  }
}
