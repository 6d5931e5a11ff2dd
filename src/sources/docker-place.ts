/**
 * How far a container's log was read, where there are no offsets: the time to ask from, and the lines that are known from there on.
 * Two lines may have one time, and a line of stderr may come behind a later one of stdout: so the last instant before the newest line
 * is asked for again, and what is known of it is passed over. Pure.
 */
import { createHash } from 'node:crypto';
import type { Place } from './cursor-feed.ts';
import type { DockerLine } from './docker-frames.ts';

/** A line may be written so much later than one with a later stamp. */
const windowNs = 100_000_000;
/** Lines that are known by their hash; of a busier instant only the last are, and it is asked for from behind the others. */
const knownMax = 64;

interface Known {
  readonly time: string;
  readonly hash: string;
}

export class DockerPlace {
  #since = '';
  #newest = '';
  #known: Known[] = [];

  static from(place: Place): DockerPlace {
    const own = new DockerPlace();
    own.#newest = String(place['cursor'] ?? '');
    own.#since = String(place['since'] ?? '');
    const seen = String(place['seen'] ?? '');
    own.#known = seen === '' ? [] : seen.split(',').map((hash) => ({ time: own.#newest, hash }));
    return own;
  }

  /** What the state keeps. */
  place(): Place {
    return {
      cursor: this.#newest,
      since: this.#since,
      seen: this.#known.map(({ hash }) => hash).join(','),
    };
  }

  /** The time to ask from, seconds with nanoseconds; empty is everything. */
  get since(): string {
    return this.#since;
  }

  beginAt(seconds: number): void {
    this.#since = `${String(seconds).padStart(10, '0')}.000000000`;
  }

  copy(): DockerPlace {
    const other = new DockerPlace();
    other.#since = this.#since;
    other.#newest = this.#newest;
    other.#known = [...this.#known];
    return other;
  }

  /** Whether a line that is sent again was read; each known line counts once. Ask it of a copy. */
  passes({ time, line }: DockerLine): boolean {
    if (time < this.#since) return true;
    if (this.#known.length === 0) return false;
    const hash = hashOf(line);
    const at = this.#known.findIndex((known) => known.hash === hash);
    if (at < 0) return false;
    this.#known.splice(at, 1);
    return true;
  }

  /** A line was read. */
  note({ time, line }: DockerLine): void {
    if (time > this.#newest) this.#newest = time;
    this.#known.push({ time, hash: hashOf(line) });
    const from = minus(this.#newest, windowNs);
    if (from > this.#since) this.#since = from;
    this.#known = this.#known.filter((known) => known.time >= this.#since);
    while (this.#known.length > knownMax) {
      const oldest = this.#known.reduce((least, one) => (one.time < least ? one.time : least), this.#newest);
      const behind = plusOne(oldest);
      this.#known = this.#known.filter((known) => known.time > oldest);
      this.#since = behind;
    }
  }
}

function hashOf(line: Buffer): string {
  return createHash('sha1').update(line).digest('base64url').slice(0, 10);
}

function parts(time: string): [number, number] {
  const dot = time.indexOf('.');
  return [Number(time.slice(0, dot)), Number(time.slice(dot + 1))];
}

function text(seconds: number, nanos: number): string {
  return `${String(seconds).padStart(10, '0')}.${String(nanos).padStart(9, '0')}`;
}

function minus(time: string, ns: number): string {
  const [seconds, nanos] = parts(time);
  return nanos >= ns ? text(seconds, nanos - ns) : text(Math.max(0, seconds - 1), nanos - ns + 1_000_000_000);
}

function plusOne(time: string): string {
  const [seconds, nanos] = parts(time);
  return nanos < 999_999_999 ? text(seconds, nanos + 1) : text(seconds + 1, 0);
}
