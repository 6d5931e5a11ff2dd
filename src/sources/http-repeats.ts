/**
 * Knows bodies that come again although they were taken: Logplex's, by the id of their frame, and any whose sender did not get its answer.
 * Frame ids are kept with the state, in the commit of what came with them, so that a restart between the two changes nothing.
 */
import { createHash } from 'node:crypto';
import type { Clock, SavedPosition, SourcePort } from '../model/seams.ts';

/** A sender gives up earlier. */
const keptMs = 600_000;
/** Frame ids in memory, and those of them that outlive a restart. */
const idsMax = 20_000;
const savedMax = 64;
const unansweredMax = 1_000;

export class Repeats {
  readonly #port: SourcePort;
  readonly #clock: Clock;
  readonly #source: string;
  readonly #key: string;
  /** Frame id -> when it was taken; oldest first. */
  readonly #frames = new Map<string, number>();
  readonly #unanswered = new Map<string, number>();

  constructor(deps: { readonly port: SourcePort; readonly clock: Clock }, source: string) {
    this.#port = deps.port;
    this.#clock = deps.clock;
    this.#source = source;
    this.#key = `http:${source}:frames`;
    const saved = deps.port.position(this.#key)?.identity ?? {};
    for (const [id, at] of Object.entries(saved)) if (typeof at === 'number') this.#frames.set(id, at);
  }

  /** Whether a frame was taken within the last ten minutes. */
  isKnown(frame: string): boolean {
    const at = this.#frames.get(frame);
    return at !== undefined && this.#clock.now() - at < keptMs;
  }

  /** A frame is taken. Call it with the last of its bytes: it is committed with them. */
  took(frame: string): void {
    this.#frames.delete(frame);
    this.#frames.set(frame, this.#clock.now());
    this.#forgetOld(this.#frames, idsMax);
    this.#port.remember(this.#position());
  }

  /** A body was taken and its sender was not told so, since it could not be made durable or the connection was gone. */
  leftUnanswered(body: Buffer): void {
    this.#unanswered.set(hashOf(body), this.#clock.now());
    this.#forgetOld(this.#unanswered, unansweredMax);
  }

  /** Whether a body was taken before and its sender not told; then this is the time to tell. */
  wasUnanswered(body: Buffer): boolean {
    if (this.#unanswered.size === 0) return false;
    this.#forgetOld(this.#unanswered, unansweredMax);
    return this.#unanswered.size > 0 && this.#unanswered.delete(hashOf(body));
  }

  #forgetOld(times: Map<string, number>, max: number): void {
    const before = this.#clock.now() - keptMs;
    for (const [id, at] of times) {
      if (at >= before && times.size <= max) return;
      times.delete(id);
    }
  }

  #position(): SavedPosition {
    const identity = Object.fromEntries([...this.#frames].slice(-savedMax));
    const updatedAt = this.#clock.now();
    return { key: this.#key, source: this.#source, path: '', offset: 0, identity, reader: {}, updatedAt };
  }
}

function hashOf(body: Buffer): string {
  return createHash('sha256').update(body).digest('base64');
}
