/**
 * How a file source stands, in words: reading, waiting for files, or failing at some of them. Takes what could not be read and why;
 * tells the port when that changes, counts it and warns once. Decides nothing about what is read.
 */
import type { SourceDeps } from './sources.ts';

export class Standing {
  readonly #source: string;
  readonly #deps: SourceDeps;
  readonly #reads: () => boolean;
  readonly #problems = new Map<string, string>();
  #said = '';
  #quiet = true;

  /** `reads`: whether anything is read at all now. */
  constructor(source: string, deps: SourceDeps, reads: () => boolean) {
    this.#source = source;
    this.#deps = deps;
    this.#reads = reads;
  }

  /** What is wrong with a path now; null: nothing any more. */
  problem(path: string, text: string | null): void {
    if ((this.#problems.get(path) ?? null) === text) return;
    if (text === null) this.#problems.delete(path);
    else {
      this.#problems.set(path, text);
      this.#deps.port.count(this.#source, 'unreadable', 1);
      this.#deps.warn?.(text);
    }
    // At the start everything is found first, and said in one word then.
    if (!this.#quiet) this.say();
  }

  /** Tells it where it changed. */
  say(): void {
    this.#quiet = false;
    const [first] = this.#problems.values();
    const more = this.#problems.size - 1;
    const reads = this.#reads();
    const detail =
      first !== undefined
        ? `${first}${more > 0 ? ` (and ${more} more)` : ''}`
        : reads
          ? null
          : 'no file is there yet';
    const state = first !== undefined ? 'failing' : reads ? 'ok' : 'waiting';
    const said = `${state} ${detail}`;
    if (said === this.#said) return;
    this.#said = said;
    this.#deps.port.state(this.#source, state, detail);
  }
}
