/**
 * Notices that a file of the configuration changed. It looks at their contents every second, since events are missed on
 * network mounts and on the swaps of a ConfigMap. An edit is taken up when the text has stayed the same for a moment, so that a half-written file is not.
 */
import { createHash } from 'node:crypto';
import type { LoadOptions } from '../config/config.ts';
import type { Config } from '../model/config.ts';
import type { Clock } from '../model/seams.ts';

/** Time between two looks. */
const lookMs = 1_000;

export interface ConfigWatch {
  /** The configuration changed: its files are other ones now. */
  refresh(): void;
  close(): void;
}

export interface ConfigWatchOptions {
  readonly config: () => Config;
  readonly load: LoadOptions;
  readonly clock: Clock;
  readonly changed: () => void;
  readonly warn: (message: string) => void;
}

export function watchConfig(options: ConfigWatchOptions): ConfigWatch {
  const { clock, load } = options;
  let closed = false;
  let timer: { cancel(): void } | null = null;
  let seen = contentHash(options);
  let pending: string | null = null;
  const look = (): void => {
    if (closed) return;
    const now = contentHash(options);
    if (now !== seen && now === pending) {
      seen = now;
      pending = null;
      options.changed();
    } else {
      pending = now === seen ? null : now;
    }
    timer = clock.setTimer(lookMs, look);
  };
  if (load.configPath !== null || options.config().ruleGlobs.length > 0) timer = clock.setTimer(lookMs, look);
  return {
    refresh: () => {
      seen = contentHash(options);
    },
    close: () => {
      closed = true;
      timer?.cancel();
    },
  };
}

/** A hash over the texts of all files that belong to the configuration now. Files that can't be read count as such. */
function contentHash({ config, load }: ConfigWatchOptions): string {
  const current = config();
  const paths = new Set<string>(load.configPath === null ? [] : [load.configPath]);
  for (const path of current.files.keys()) paths.add(path);
  for (const glob of current.ruleGlobs) for (const path of load.files.glob(glob)) paths.add(path);
  const hash = createHash('sha256');
  for (const path of [...paths].sort()) {
    const read = load.files.read(path);
    hash
      .update(`${path}\u0000`)
      .update(read.ok ? read.text : '\u0000unreadable')
      .update('\u0000');
  }
  return hash.digest('hex');
}
