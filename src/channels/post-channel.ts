/**
 * What all channels over HTTP share: render, post once, decide. A channel file gives the rendering and the manners of
 * its service; this gives the promises: never rejects, obeys the deadline and the signal, shows no secret.
 */
// biome-ignore-all lint/suspicious/noThenProperty: `then` of a Delivery is a word, never a function; awaiting it does nothing.
import { type ChannelConfig, Secret } from '../model/config.ts';
import type { Notification } from '../model/notification.ts';
import type { Channel, ChannelDeps, Delivery } from '../model/seams.ts';
import { decideDelivery, type Manners } from './decide.ts';
import { openHttpDoor } from './http.ts';
import { hideSecrets } from './secrets.ts';
import { parseUrl } from './url.ts';

export interface Rendered {
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
}
export interface PostChannelParts {
  readonly manners: Manners;
  /** `plain`: the shortest form without markup. `now`: ms since the epoch, of this attempt. */
  readonly render: (
    notification: Notification,
    options: { readonly plain: boolean; readonly now: number },
  ) => Rendered;
  /** Texts besides the URL that must never be shown. */
  readonly secrets?: readonly string[];
}

/** A channel that posts to `config.options.url`. */
export function createPostChannel(
  config: ChannelConfig,
  deps: ChannelDeps,
  parts: PostChannelParts,
): Channel {
  const url = readUrl(config);
  if (config.unusable !== null || url === null) {
    return unusableChannel(config, config.unusable ?? 'its url is missing or is not an http(s) URL');
  }
  const hide = hideSecrets(url, parts.secrets ?? []);
  const door = openHttpDoor({
    url,
    allowPrivate: config.allowPrivate,
    timeoutMs: config.timeoutMs,
    clock: deps.clock,
    proxies: deps.proxies,
    userAgent: `tocsin/${deps.version}`,
  });
  return {
    name: config.name,
    type: config.type,
    send: async (notification, options) => {
      const { plain } = options;
      let rendered: Rendered;
      try {
        rendered = parts.render(notification, { plain, now: deps.clock.now() });
      } catch (error) {
        return notRendered(error, plain);
      }
      const result = await door.postJson({ ...rendered, signal: options.signal });
      return decideDelivery(parts.manners, result, { now: deps.clock.now(), host: url.host, plain, hide });
    },
    warm: () => door.warm(),
    close: () => door.close(),
  };
}

/** A rendering never throws, and a test says so; if one does all the same, the short form may still get through. */
function notRendered(error: unknown, plain: boolean): Delivery {
  const what = error instanceof Error ? error.name : typeof error;
  return {
    outcome: 'rejected',
    reason: 'client-error',
    status: null,
    body: '',
    detail: `the message could not be rendered (${what})`,
    then: plain ? 'drop' : 'plain',
  };
}

/** A channel that can't be used now: each attempt says why, and what it was given waits until a person acts. */
export function unusableChannel(config: ChannelConfig, why: string): Channel {
  const delivery: Delivery = {
    outcome: 'rejected',
    reason: 'client-error',
    status: null,
    body: '',
    detail: `channel ${config.name} can't be used: ${why}`,
    then: 'park',
  };
  return {
    name: config.name,
    type: config.type,
    send: async () => delivery,
    close: async () => {},
  };
}

/** The text of an option that may be a secret or plain text; null when it is not given. */
export function optionText(config: ChannelConfig, key: string): string | null {
  const value = config.options[key];
  if (value instanceof Secret) return value.reveal();
  return typeof value === 'string' ? value : null;
}

function readUrl(config: ChannelConfig): URL | null {
  const url = parseUrl(optionText(config, 'url')?.trim() ?? '');
  return url && (url.protocol === 'http:' || url.protocol === 'https:') ? url : null;
}
