/**
 * Takes up an edit of the configuration: reads and proves the files, and swaps what runs as a whole, or leaves everything as it is and
 * says why. Takes the running parts; gives what became of the edit. When the files are looked at, and that one reload waits for
 * another, is decided elsewhere.
 */
import type { Config } from '../model/config.ts';
import type { Problem } from '../model/problem.ts';
import { fault } from '../system/fault.ts';
import type { AdminDoor } from './admin-door.ts';
import type { WatchedFiles } from './config-watch.ts';
import { keepGood, type Loaded, loadAndProve } from './keeper.ts';
import type { ReloadResult } from './options.ts';
import type { Parts } from './parts.ts';
import { testDeps } from './rule-tests.ts';
import { sayAccepted, sayAdmin, sayLoaded, sayRefused, whatRuns } from './words.ts';

/** What a reload changes. */
export interface Reloaded {
  readonly parts: Parts;
  readonly admin: AdminDoor;
  /** The files of the configuration, and what the last load asked of them. */
  readonly files: WatchedFiles;
}

/** Reads the files again; what runs changes as a whole or not at all. */
export async function reload({ parts, admin, files }: Reloaded): Promise<ReloadResult> {
  const { options } = parts;
  files.begin();
  const loaded = keepingState(loadAndProve(options.load, testDeps(options)), parts);
  if (!loaded.config) {
    parts.loaded = { ...loaded, origin: parts.loaded.origin, savedAt: parts.loaded.savedAt };
    sayRefused(parts.words, loaded, whatRuns(parts.loaded, parts.loadedAt));
    parts.pipeline.commit();
    return { outcome: 'refused', problems: loaded.problems };
  }
  const unchanged =
    loaded.config.hash === parts.config.hash &&
    parts.loaded.problems.every((one) => one.level === 'warning') &&
    parts.loaded.origin === 'files';
  if (unchanged) return { outcome: 'unchanged', problems: loaded.problems };
  await swap(parts, admin, loaded.config, loaded);
  return { outcome: 'applied', problems: loaded.problems };
}

/** The state can't move under a running daemon: what is remembered, and who asks for it, would be in another folder. */
function keepingState(loaded: Loaded, { config, options }: Parts): Loaded {
  const next = loaded.config;
  if (next === null || options.stateDir !== null || next.stateDir === config.stateDir) return loaded;
  const file = next.path ?? 'command line';
  const problem: Problem = {
    code: 'E_VALUE',
    level: 'error',
    origin: next.stateOrigin ?? { file, line: 1, column: 1, length: 1 },
    keyPath: 'state.dir',
    message: `the state is in ${config.stateDir} while the daemon runs, and can't move to ${next.stateDir}`,
    hint: 'to move it, stop the daemon, move the folder, and start it again',
    scope: null,
  };
  return { config: null, origin: 'none', problems: [...loaded.problems, problem], savedAt: null };
}

async function swap(parts: Parts, admin: AdminDoor, config: Config, loaded: Loaded): Promise<void> {
  const { log, clock } = parts.options;
  const before = parts.config;
  parts.use(config, loaded);
  fault('reload-swapped');
  keepGood(parts.store, config, clock.now());
  sayAccepted(parts.words, config.rules.length, config.channels.length);
  sayLoaded(parts.words, loaded, config.channels);
  parts.pipeline.commit();
  await parts.sources.swap(config);
  await admin.use(config.admin).then(
    () => sayAdmin(parts.words, null),
    (error: unknown) => sayAdmin(parts.words, error instanceof Error ? error.message : String(error)),
  );
  parts.pipeline.commit();
  const gone = before.rules
    .filter((rule) => !config.rules.some((other) => other.id === rule.id))
    .map((rule) => rule.id);
  log.info(
    {
      rules: config.rules.length,
      channels: config.channels.length,
      sources: config.sources.length,
      removed: gone,
    },
    'the new configuration runs',
  );
}
