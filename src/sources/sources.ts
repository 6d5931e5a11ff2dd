/**
 * The door of this room: makes the source that a piece of configuration means. Takes the port to the pipeline and what the
 * source may touch; gives a source that was not started yet.
 */
import type { Readable } from 'node:stream';
import type { SourceConfig } from '../model/config.ts';
import type { Clock, Source, SourcePort } from '../model/seams.ts';
import type { CreateWatch } from '../system/watch.ts';
import type { TimeOf } from './begin.ts';
import { DockerSource } from './docker.ts';
import { FileSource } from './file.ts';
import { HttpSource } from './http.ts';
import { JournalSource } from './journal.ts';
import { StdinSource } from './stdin.ts';
import { SyslogSource } from './syslog.ts';

export interface SourceDeps {
  readonly port: SourcePort;
  readonly clock: Clock;
  /** How folders are watched: `watchFolders`, or `watchNothing` to poll only. */
  readonly watch: CreateWatch;
  readonly stdin: Readable;
  /** Nothing was ever read with this state: files that are there now begin where `start` says. */
  readonly firstStart: boolean;
  /** Reads the time of a line, for `start: 10m`; null where no format is known. */
  readonly timeOf: TimeOf | null;
  /** No events at all, only polling. */
  readonly pollOnly?: boolean;
  /** Says something odd that a person should know, once; nothing is lost by it. */
  readonly warn?: (message: string) => void;
  /** How long a file that lost its name is kept open after its last byte, ms. Default 30 s. */
  readonly rotateWaitMs?: number;
  /** Files kept open at most. Default: half of what the system allows. */
  readonly openFilesMax?: number;
}

/** Makes a source. Never throws: what is wrong with the world is said when it starts. */
export function createSource(config: SourceConfig, deps: SourceDeps): Source {
  switch (config.kind) {
    case 'file':
      return new FileSource(config, deps);
    case 'stdin':
      return new StdinSource(config, deps);
    case 'syslog':
      return new SyslogSource(config, deps);
    case 'docker':
      return new DockerSource(config, deps);
    case 'journal':
      return new JournalSource(config, deps);
    case 'http':
      return new HttpSource(config, deps);
  }
}
