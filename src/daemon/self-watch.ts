/**
 * The daemon's word about itself: a channel that fails, a source that went, a configuration that was refused. Each is said on
 * another channel than the one it is about, once when it begins and once when it ends, and not more often than every ten minutes.
 */
import { createHash } from 'node:crypto';
import { ownWord } from '../incidents/own-word.ts';
import type { ChannelConfig } from '../model/config.ts';
import type { FieldValue } from '../model/record.ts';
import type { Severity } from '../model/rule.ts';
import type { Table } from '../model/store.ts';
import type { Desk } from '../notify/desk.ts';

/** The same thing is not said again before this, however often it begins and ends. */
const repeatMs = 600_000;

interface SaidDoc {
  /** When something of this topic was last said. */
  at: number;
  open: boolean;
  /** Whether it was said that it began. */
  told?: boolean;
}

export interface SelfWord {
  /** What it is about: `channel:eng`, `config`, `state`. One open word a topic. */
  readonly topic: string;
  readonly title: string;
  readonly message: string;
  readonly severity: Severity;
  readonly fields: Readonly<Record<string, FieldValue>>;
  /** The channel in trouble: it is told last. */
  readonly not: string | null;
  /** It happened, and nothing will say that it is over: the next one is news again. */
  readonly once?: true;
}

export interface SelfWatchDeps {
  readonly desk: Desk;
  readonly said: Table<SaidDoc>;
  readonly channels: () => readonly ChannelConfig[];
  /** Whether a channel works as far as is known. */
  readonly works: (channel: string) => boolean;
  readonly labels: () => Readonly<Record<string, string>>;
  readonly now: () => number;
}

export class SelfWatch {
  readonly #deps: SelfWatchDeps;
  /** Words that come too soon after the last one of their topic. */
  readonly #held = new Map<string, { readonly word: SelfWord; readonly due: number }>();

  constructor(deps: SelfWatchDeps) {
    this.#deps = deps;
  }

  /** Says that something began, or holds it back until it may be said again. Returns whether it was said. */
  begin(word: SelfWord): boolean {
    const now = this.#deps.now();
    const said = this.#deps.said.get(word.topic);
    if (said?.open && said.told !== false) return false;
    if (said && now - said.at < repeatMs) {
      if (!said.open) this.#deps.said.put(word.topic, { at: said.at, open: true, told: false }, null);
      this.#held.set(word.topic, { word, due: said.at + repeatMs });
      return false;
    }
    this.#held.delete(word.topic);
    this.#deps.said.put(word.topic, { at: now, open: !word.once, told: true }, null);
    return this.#tell(word, now);
  }

  /** Says that it is over, if it was said that it began. */
  end(word: SelfWord): boolean {
    const said = this.#deps.said.get(word.topic);
    this.#held.delete(word.topic);
    if (!said?.open) return false;
    this.#deps.said.put(word.topic, { at: said.at, open: false }, null);
    return said.told === false ? false : this.#tell(word, this.#deps.now());
  }

  /** After a start: what was said of these topics may be over, and nobody saw it. If it still holds it is said again, in its time. */
  doubt(prefix: string): void {
    for (const { key, value } of this.#deps.said.scan(prefix, Number.MAX_SAFE_INTEGER))
      this.#deps.said.put(key, { at: value.at, open: false }, null);
  }

  /** What it was about is no more: nothing is said. */
  forget(topic: string): void {
    this.#held.delete(topic);
    if (this.#deps.said.get(topic) !== undefined) this.#deps.said.delete(topic);
  }

  /** Says what was held back and still holds. */
  tick(): void {
    const now = this.#deps.now();
    for (const { word, due } of [...this.#held.values()]) if (due <= now) this.begin(word);
  }

  #tell(word: SelfWord, now: number): boolean {
    const channel = this.#choose(word.not);
    if (!channel) return false;
    const id = createHash('sha256')
      .update(`${word.topic}\u0000${word.title}\u0000${now}`)
      .digest('hex')
      .slice(0, 16);
    const labels = this.#deps.labels();
    const notification = ownWord({
      kind: 'self',
      id,
      title: word.title,
      message: word.message,
      severity: word.severity,
      labels,
      fields: word.fields,
      now,
    });
    this.#deps.desk.say(channel, notification, word.severity, now);
    return true;
  }

  /** The fallback of the channel in trouble, else the first other one that works, else the first other one. */
  #choose(not: string | null): string | null {
    const channels = this.#deps.channels().filter((channel) => channel.unusable === null);
    const others = channels.filter((channel) => channel.name !== not);
    const fallback = channels.find((channel) => channel.name === not)?.fallback?.channel;
    const named = others.find((channel) => channel.name === fallback);
    return (named ?? others.find((channel) => this.#deps.works(channel.name)) ?? others[0])?.name ?? null;
  }
}
