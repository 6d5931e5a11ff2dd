/**
 * The list of channel kinds: one file each, one line here. Also tells which kind a bare URL is for, and makes a channel
 * from its configuration.
 */
import type { ChannelConfig } from '../model/config.ts';
import type { Channel, ChannelDeps, ChannelKind } from '../model/seams.ts';
import { consoleKind } from './console.ts';
import { mattermostKind } from './mattermost.ts';
import { unusableChannel } from './post-channel.ts';
import { slackKind } from './slack.ts';
import { webhookKind } from './webhook.ts';

/** Every kind. `webhook` takes any URL, so it comes last among those that recognise one. */
export const channelKinds: readonly ChannelKind[] = [slackKind, mattermostKind, webhookKind, consoleKind];

/** The kind a bare URL is for; an unknown host is a `webhook`. */
export function recogniseChannel(url: URL): ChannelKind {
  return channelKinds.find((kind) => kind.recognise(url)) ?? webhookKind;
}

/** A channel of its kind. Never throws: one that can't be used says why at each attempt. */
export function createChannel(config: ChannelConfig, deps: ChannelDeps): Channel {
  const kind = channelKinds.find((known) => known.type === config.type);
  if (!kind) return unusableChannel(config, `there is no channel type ${JSON.stringify(config.type)}`);
  if (config.unusable !== null) return unusableChannel(config, config.unusable);
  return kind.create(config, deps);
}
