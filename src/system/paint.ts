/**
 * The door to picocolors: colours for a terminal, or plain text. Whether to colour is decided once, by whoever knows
 * the terminal and the environment, and handed in; nothing is looked up here.
 */
import pc from 'picocolors';

/** Ways to paint a piece of text. Without colours each gives the text back unchanged. */
export interface Paint {
  bold(text: string): string;
  dim(text: string): string;
  red(text: string): string;
  yellow(text: string): string;
  green(text: string): string;
  blue(text: string): string;
  cyan(text: string): string;
  inverse(text: string): string;
}

export function createPaint(options: { readonly colours: boolean }): Paint {
  return pc.createColors(options.colours);
}

/** Colours are for a terminal, unless NO_COLOR (https://no-color.org) is set to anything but the empty text. */
export function wantsColours(facts: {
  readonly terminal: boolean;
  readonly noColor: string | undefined;
}): boolean {
  return facts.terminal && (facts.noColor === undefined || facts.noColor === '');
}
