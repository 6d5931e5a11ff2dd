/**
 * Which containers a source means, by name, label and image. Takes the configuration and an entry of the Engine's list, gives yes or no.
 * Asks nothing of the Engine, and does not know whether a container runs.
 */
import type { DockerSourceConfig } from '../model/config.ts';

/** An entry of the Engine's list of containers. */
export interface Listed {
  readonly Id: string;
  readonly Names?: readonly string[];
  readonly Image?: string;
  readonly Labels?: Readonly<Record<string, string>>;
  readonly State?: string;
  /** Seconds. */
  readonly Created?: number;
}

export class ContainerChoice {
  readonly #names: readonly RegExp[];
  readonly #exclude: readonly RegExp[];
  readonly #images: readonly RegExp[];
  readonly #labels: readonly (readonly [string, RegExp])[];

  constructor(config: DockerSourceConfig) {
    this.#names = config.names.map(wildcard);
    this.#exclude = config.exclude.map(wildcard);
    this.#images = config.images.map(wildcard);
    this.#labels = Object.entries(config.containerLabels).map(([name, value]) => [name, wildcard(value)]);
  }

  isMeant(one: Listed): boolean {
    const name = nameOf(one);
    if (this.#names.length > 0 && !this.#names.some((test) => test.test(name))) return false;
    if (this.#exclude.some((test) => test.test(name))) return false;
    if (this.#images.length > 0 && !this.#images.some((test) => test.test(one.Image ?? ''))) return false;
    return this.#labels.every(([label, test]) => {
      const value = one.Labels?.[label];
      return value !== undefined && test.test(value);
    });
  }
}

/** The name of a container for people; the head of its id where it has none. */
export function nameOf(one: Listed): string {
  return (one.Names?.[0] ?? one.Id.slice(0, 12)).replace(/^\//, '');
}

/** `*` is anything; the whole text must match. */
function wildcard(pattern: string): RegExp {
  const parts = pattern.split('*').map((part) => part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`, 'su');
}
