/**
 * The log of one container: followed from the place in the state, through stops and starts of the container, until it is removed.
 * Takes the API and what the Engine says of the container; gives its lines to the pipeline in the form of CRI. Which containers are
 * followed is decided elsewhere.
 */
import type { Clock, SourcePort } from '../model/seams.ts';
import { labelFields } from './container-path.ts';
import { CursorFeed } from './cursor-feed.ts';
import type { EngineApi, EngineStream } from './docker-api.ts';
import { DockerFrames, type DockerLine } from './docker-frames.ts';
import { DockerPlace } from './docker-place.ts';

/** What is asked of a container. */
export interface ContainerFacts {
  readonly id: string;
  readonly name: string;
  readonly image: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly tty: boolean;
}

export interface DockerLogDeps {
  readonly api: EngineApi;
  readonly port: SourcePort;
  readonly clock: Clock;
  readonly source: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** Lines behind this are not needed for the place: it knows the last ones only. */
const placeLines = 200;

export class DockerLog {
  readonly key: string;
  readonly #facts: ContainerFacts;
  readonly #deps: DockerLogDeps;
  readonly #feed: CursorFeed;
  /** Behind what was consumed, and behind what was given to the feed. */
  readonly #consumed: DockerPlace;
  readonly #given: DockerPlace;
  #stream: EngineStream | null = null;
  #stopped = false;

  /** `since`: where to begin without a place in the state, seconds; 0 is the beginning. */
  constructor(facts: ContainerFacts, since: number, deps: DockerLogDeps) {
    this.#facts = facts;
    this.#deps = deps;
    this.key = keyOf(deps.source, facts.id);
    const saved = deps.port.position(this.key);
    this.#consumed = saved === null ? new DockerPlace() : DockerPlace.from(saved.identity);
    if (saved === null) {
      if (since > 0) this.#consumed.beginAt(since);
      this.#remember();
    }
    this.#given = this.#consumed.copy();
    const { name, image, id, labels } = facts;
    this.#feed = new CursorFeed({
      port: deps.port,
      clock: deps.clock,
      stream: {
        source: deps.source,
        key: this.key,
        path: null,
        host: null,
        labels: deps.labels,
        envelope: 'cri',
        fields: { container: { name, id, image, ...labelFields(labels) } },
      },
      placeAfter: (lines) => {
        for (const line of lastLines(lines)) this.#consumed.note(line);
        return this.#consumed.place();
      },
    });
  }

  get heldBytes(): number {
    return this.#feed.heldBytes;
  }

  /**
   * Reads from the place on; with `follow` until the container stops, else to the end of what is there. Resolves at that end. Rejects
   * as the API does, or where what it sends is no log.
   */
  async read(follow: boolean, opened: () => void = () => {}): Promise<void> {
    const frames = new DockerFrames(this.#facts.tty);
    const known = this.#given.copy();
    const { since } = known;
    const query = `stdout=1&stderr=1&timestamps=1${follow ? '&follow=1' : ''}${since === '' ? '' : `&since=${since}`}`;
    let wrong: Error | null = null;
    let stream: EngineStream | null = null;
    const take = (data: Buffer): void => {
      if (wrong !== null || this.#stopped) return;
      try {
        this.#take(frames.take(data), known);
      } catch (error) {
        wrong = error instanceof Error ? error : new Error(String(error));
        stream?.close();
      }
    };
    stream = await this.#deps.api.stream(`/containers/${this.#facts.id}/logs?${query}`, take);
    this.#stream = stream;
    opened();
    if (this.#stopped || wrong !== null) stream.close();
    await stream.ended;
    if (this.#stream === stream) this.#stream = null;
    if (wrong !== null) throw wrong;
  }

  /** The container is gone for ever: what is open is complete, and nothing of it is kept. */
  remove(): void {
    this.finish();
    this.#deps.port.forget(this.key);
  }

  finish(): void {
    this.#feed.finish();
    this.stop();
  }

  stop(): void {
    this.#stopped = true;
    this.#feed.stop();
    this.#stream?.close();
  }

  #take(lines: readonly DockerLine[], known: DockerPlace): void {
    const fresh = lines.filter((line) => !known.passes(line));
    if (fresh.length === 0) return;
    for (const line of fresh.slice(-placeLines)) this.#given.note(line);
    this.#feed.push(Buffer.concat(fresh.map(({ line }) => line)));
  }

  #remember(): void {
    const { port, clock, source } = this.#deps;
    port.remember({
      key: this.key,
      source,
      path: '',
      offset: 0,
      identity: this.#consumed.place(),
      reader: {},
      updatedAt: clock.now(),
    });
  }
}

/** The key of a container's stream. */
export function keyOf(source: string, id: string): string {
  return `docker:${source}:${id}`;
}

/** The last lines as they were given, with their times. */
function lastLines(lines: Buffer): DockerLine[] {
  const found: DockerLine[] = [];
  for (let end = lines.lastIndexOf(0x0a); end >= 0 && found.length < placeLines; ) {
    const before = end === 0 ? -1 : lines.lastIndexOf(0x0a, end - 1);
    const line = lines.subarray(before + 1, end + 1);
    const stamp = line.toString('latin1', 0, Math.min(40, line.indexOf(0x20)));
    const [second = '', rest = ''] = stamp.split('.');
    const fraction = /^\d*/.exec(rest)?.[0] ?? '';
    const zone = rest === '' ? '' : rest.slice(fraction.length);
    const seconds = Math.floor(Date.parse(`${second}${zone}`) / 1_000);
    if (Number.isFinite(seconds))
      found.push({ time: `${String(seconds).padStart(10, '0')}.${fraction.padEnd(9, '0')}`, line });
    end = before;
  }
  return found.reverse();
}
