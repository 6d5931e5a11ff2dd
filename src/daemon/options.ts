/** What a daemon is started with, and what a reload gives. */
import type { Readable } from 'node:stream';
import type { LoadOptions } from '../config/config.ts';
import type { Problem } from '../model/problem.ts';
import type { ProxySettings } from '../model/proxy.ts';
import type { Clock } from '../model/seams.ts';
import type { Logger } from '../system/log.ts';

export interface DaemonOptions {
  readonly load: LoadOptions;
  /** Where the state is, when it is not in the configuration. */
  readonly stateDir: string | null;
  readonly temporaryState: boolean;
  readonly once: boolean;
  readonly strict: boolean;
  readonly version: string;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
  /** Where the `console` channel writes. */
  readonly write: (text: string) => void;
  readonly colours: boolean;
  readonly stdin: Readable;
  readonly proxies: ProxySettings | null;
}

export interface ReloadResult {
  readonly outcome: 'applied' | 'unchanged' | 'refused';
  readonly problems: readonly Problem[];
}
