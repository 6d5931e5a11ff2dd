/** From the options of a command to a configuration: which file, which packs, which channels; and how its problems are printed. */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { channelKinds } from '../channels/channels.ts';
import { type LoadOptions, loadConfig } from '../config/config.ts';
import { diskFiles } from '../config/files.ts';
import { countProblems, formatProblem } from '../config/frame.ts';
import type { Config } from '../model/config.ts';
import { type Parsed, type Problem, TocsinError } from '../model/problem.ts';
import { ruleLanguage } from '../rules/language.ts';
import { createPaint } from '../system/paint.ts';
import { type CliIo, complain, wantsColour } from './io.ts';

export interface ConfigFlags {
  readonly config?: string;
  readonly pack?: readonly string[];
  readonly to?: readonly string[];
  readonly rules?: readonly string[];
}

/** The configuration that is meant: the one named, else `tocsin.yaml` here when nothing on the command line stands for it. */
export function configPathOf(io: CliIo, flags: ConfigFlags, hasFiles: boolean): string | null {
  if (flags.config !== undefined) return resolve(io.cwd, flags.config);
  if (
    hasFiles ||
    (flags.pack?.length ?? 0) > 0 ||
    (flags.to?.length ?? 0) > 0 ||
    (flags.rules?.length ?? 0) > 0
  )
    return null;
  for (const name of ['tocsin.yaml', 'tocsin.yml']) {
    const path = resolve(io.cwd, name);
    if (existsSync(path)) return path;
  }
  return null;
}

/** What the command line names besides flags, and what the command can't do without. */
export interface Extra {
  readonly files: readonly string[];
  readonly stdin: boolean;
  /** Whether to print when nothing says where messages go. */
  readonly print: boolean;
  /** All of it by default. */
  readonly needs?: NonNullable<LoadOptions['needs']>;
}

export function loadOptions(
  io: CliIo,
  flags: ConfigFlags,
  configPath: string | null,
  extra: Extra,
): LoadOptions {
  return {
    files: diskFiles,
    language: ruleLanguage,
    configPath,
    cwd: io.cwd,
    packsDir: io.packsDir,
    extra: {
      packs: [...(flags.pack ?? [])],
      files: extra.files.map((file) => resolve(io.cwd, file)),
      stdin: extra.stdin,
      to: [...(flags.to ?? [])],
      print: extra.print,
      ...(flags.rules ? { rules: flags.rules.map((file) => resolve(io.cwd, file)) } : {}),
    },
    env: io.env,
    channelKinds,
    ...(extra.needs ? { needs: extra.needs } : {}),
  };
}

/** Loads, or prints everything that is wrong and gives null. */
export function loadOrComplain(io: CliIo, options: LoadOptions): Config | null {
  const parsed: Parsed<Config> = loadConfig(options);
  if (parsed.ok) return parsed.value;
  printProblems(io, parsed.problems, options);
  return null;
}

/** Each problem with its frame and hint, then a line that counts them. */
export function printProblems(io: CliIo, problems: readonly Problem[], options: LoadOptions): void {
  const colour = createPaint({ colours: wantsColour(io, io.stderr) });
  for (const problem of problems) complain(io, `${formatProblem(problem, options.files, colour)}\n`);
  complain(io, countProblems(problems));
}

/** A state directory is needed to talk to a daemon. */
export function noConfig(): TocsinError {
  return new TocsinError(
    'E_NO_CONFIG',
    'there is no tocsin.yaml here; name one with --config FILE, or a state directory with --state DIR',
  );
}
