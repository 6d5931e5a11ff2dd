/** How urgent a card looks at a glance, the same in every chat room: a mark before the title, and a colour where there is one. */
import type { Tone } from './card.ts';

/** Unicode, since `:names:` are switched off wherever log text may stand. */
export const toneMark: Readonly<Record<Tone, string>> = {
  critical: '\u{1f6a8}',
  error: '\u{1f534}',
  warning: '\u{1f7e0}',
  info: '\u{1f535}',
  good: '\u{1f7e2}',
  calm: '\u26aa',
};

/** #rrggbb. */
export const toneColour: Readonly<Record<Tone, string>> = {
  critical: '#8b0000',
  error: '#d63232',
  warning: '#e8912d',
  info: '#2d6fe8',
  good: '#2e8b57',
  calm: '#9aa0a6',
};
