/**
 * The anchors of one file, and what its aliases stand for. Counts the nodes that there are once aliases are unfolded, so that a few
 * lines can't stand for millions of values; past a limit, or without an anchor, it gives what to say instead of a node.
 */
import type { YamlNode } from './nodes.ts';

/** Nodes after aliases are unfolded; 256 KiB of YAML hold at most about half of it. */
const nodesMax = 200_000;
const aliasesMax = 100;
export type Unfolded =
  | { readonly node: YamlNode }
  | { readonly node: null; readonly message: string; readonly hint: string };

export class Anchors {
  /** Those that are finished, and how many nodes they stand for. */
  readonly #anchors = new Map<string, { readonly node: YamlNode; readonly weight: number }>();
  #weight = 0;
  #aliases = 0;

  /** Counts a node that begins; gives how many began before it. */
  count(): number {
    return this.#weight++;
  }

  /** An anchored node is finished. `before`: what `count` gave for it. */
  keep(name: string, node: YamlNode, before: number): void {
    this.#anchors.set(name, { node, weight: this.#weight - before });
  }

  /** The node of an alias, the same one each time. */
  unfold(name: string): Unfolded {
    this.#aliases += 1;
    const anchor = this.#anchors.get(name);
    this.#weight += anchor?.weight ?? 0;
    if (!anchor) {
      const hint = `text that begins with * needs quotes: '*${name}'`;
      return { node: null, message: `there is no anchor &${name} before this *${name}`, hint };
    }
    if (this.#aliases > aliasesMax || this.#weight > nodesMax) {
      const message = `aliases unfold to more than ${nodesMax} values, or there are more than ${aliasesMax} of them`;
      return { node: null, message, hint: 'put what rules share under `defaults:`' };
    }
    return { node: anchor.node };
  }
}
