/** Makes the channels of a configuration, and lets go of the ones before, once nothing is under way on them any more. */
import { createChannel } from '../channels/channels.ts';
import type { ChannelConfig } from '../model/config.ts';
import type { Channel, ChannelDeps } from '../model/seams.ts';

/** A channel that a reload replaced is closed after this: longer than any request takes. */
const oldChannelMs = 30_000;

export interface MadeChannel {
  readonly config: ChannelConfig;
  /** Null for one that can't be used; its configuration says why. */
  readonly channel: Channel | null;
}

export class ChannelSet {
  readonly #deps: ChannelDeps;
  #channels: Channel[] = [];

  constructor(deps: ChannelDeps) {
    this.#deps = deps;
  }

  /** Loads what the first message of each needs. */
  warm(): void {
    for (const channel of this.#channels) channel.warm?.();
  }

  make(configs: readonly ChannelConfig[]): MadeChannel[] {
    const made = configs.map((config) => ({ config, channel: createChannel(config, this.#deps) }));
    // A request under way ends on the old channel; its answer still counts.
    for (const channel of this.#channels) this.#deps.clock.setTimer(oldChannelMs, () => void channel.close());
    this.#channels = made.map((one) => one.channel);
    return made.map(({ config, channel }) => ({
      config,
      channel: config.unusable === null ? channel : null,
    }));
  }
}
