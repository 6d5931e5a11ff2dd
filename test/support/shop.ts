/** A small shop to watch: a folder with a configuration of one log, one rule and one webhook, as many end-to-end tests want it. */
import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { tempDir } from './temp-dir.ts';

/** One incident per `what`; and one more rule that counts alone. */
export const boomRules = `rules:
  - id: boom
    title: 'Boom in {{ what }}'
    match: 'boom in (?<what>\\S+)'
    by: what
`;

export interface Shop {
  readonly dir: string;
  readonly log: string;
  /** Appends lines. */
  write(...lines: string[]): void;
  /** Writes a file of the folder. */
  file(name: string, text: string): void;
}

/** `channels` is the YAML below that key; more keys of the main file stand in `rest`. */
export function shop(options: {
  readonly channels: string;
  readonly rules?: string;
  readonly rest?: string;
}): Shop {
  const dir = tempDir();
  const log = join(dir, 'app.log');
  const file = (name: string, text: string): void => writeFileSync(join(dir, name), text);
  file('app.log', '');
  file('rules.yaml', options.rules ?? boomRules);
  file(
    'tocsin.yaml',
    `sources: { app: { file: app.log } }
rules: [ rules.yaml ]
channels:
${options.channels
  .split('\n')
  .map((line) => `  ${line}`)
  .join('\n')}
${options.rest ?? ''}
`,
  );
  return {
    dir,
    log,
    write: (...lines) => appendFileSync(log, lines.map((line) => `${line}\n`).join('')),
    file,
  };
}
