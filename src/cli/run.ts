/** `tocsin run`: the daemon, in the foreground, until a signal ends it; or `--once`, until the input ends. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { MessageChannel } from 'node:worker_threads';
import { readProxies } from '../channels/proxy.ts';
import { Daemon } from '../daemon/daemon.ts';
import { finishOnce, finishPipes } from '../daemon/once.ts';
import { ConfigRefused } from '../daemon/refused.ts';
import type { SourceConfig } from '../model/config.ts';
import { TocsinError } from '../model/problem.ts';
import { createLogger, type LogLevel, logLevels } from '../system/log.ts';
import { type CliIo, complain, exitCodes, wantsColour } from './io.ts';
import { type ConfigFlags, configPathOf, loadOptions, printProblems } from './loading.ts';

/** SIGTERM must have ended the process by then, whatever hangs. */
const stopMs = 7_500;

export interface RunFlags extends ConfigFlags {
  readonly once?: boolean;
  readonly strict?: boolean;
  readonly logLevel?: string;
}

export async function run(io: CliIo, files: readonly string[], flags: RunFlags): Promise<number> {
  const configPath = configPathOf(io, flags, files.length > 0);
  const bare = configPath === null;
  const stdin = files.includes('-') || (bare && files.length === 0 && io.hasInput);
  const named = files.filter((file) => file !== '-');
  if (bare && named.length === 0 && !stdin) {
    complain(
      io,
      'nothing to read: name log files, pipe a log in, or write a tocsin.yaml (tocsin run --help)',
    );
    return exitCodes.wrong;
  }
  const missing = flags.once === true ? named.filter((file) => !isThere(io, file)) : [];
  if (missing.length > 0) {
    for (const file of missing) complain(io, `${file}: no such file`);
    return exitCodes.wrong;
  }
  const proxies = readProxies(io.env);
  const load = loadOptions(io, withDefaultPack(flags, bare), configPath, {
    files: named,
    stdin,
    print: (flags.to?.length ?? 0) === 0 && bare,
  });
  const stateDir =
    bare || (flags.once === true && named.length > 0) ? mkdtempSync(join(tmpdir(), 'tocsin-run-')) : null;
  const log = createLogger({
    level: logLevelOf(flags.logLevel),
    clock: io.clock,
    write: (text) => io.stderr.write(text),
    format: io.stderr.isTTY === true ? 'text' : 'json',
    colours: wantsColour(io, io.stderr),
  });
  try {
    const daemon = await Daemon.start({
      load,
      stateDir,
      temporaryState: stateDir !== null,
      once: flags.once === true,
      strict: flags.strict === true,
      version: io.version,
      clock: io.clock,
      random: io.random,
      log,
      write: (text) => io.stdout.write(text),
      colours: wantsColour(io, io.stdout),
      stdin: io.stdin,
      proxies,
    });
    // Said when signals are listened to: who reads it may send one at once.
    const ready = (): void => sayWhatRuns(io, daemon, configPath);
    return await untilEnd(io, daemon, flags.once === true, ready);
  } catch (error) {
    if (!(error instanceof ConfigRefused)) throw error;
    printProblems(io, error.problems, load);
    return exitCodes.wrong;
  } finally {
    if (stateDir !== null) rmSync(stateDir, { recursive: true, force: true });
  }
}

/** With `--once` nothing is waited for: a name without wildcards must be a file, or what was meant is not read. */
function isThere(io: CliIo, file: string): boolean {
  return /[*?[{]/.test(file) || existsSync(resolve(io.cwd, file));
}

function logLevelOf(name: string | undefined): LogLevel {
  const known = logLevels.find((level) => level === (name ?? 'info'));
  if (!known)
    throw new TocsinError(
      'E_USAGE',
      `no log level ${JSON.stringify(name)}; write one of ${logLevels.join(', ')}`,
    );
  return known;
}

/** Without a configuration and without a pack the Celery pack is meant: it is what most come for. */
function withDefaultPack(flags: RunFlags, bare: boolean): RunFlags {
  return bare && (flags.pack?.length ?? 0) === 0 && (flags.rules?.length ?? 0) === 0
    ? { ...flags, pack: ['celery'] }
    : flags;
}

function sayWhatRuns(io: CliIo, daemon: Daemon, configPath: string | null): void {
  const { config } = daemon.parts;
  complain(
    io,
    `tocsin ${io.version}${configPath === null ? ', without a configuration' : `, ${configPath}`}`,
  );
  for (const source of config.sources) {
    complain(io, `  reads  ${source.name}: ${whatIsRead(source)}`);
  }
  complain(io, `  rules  ${config.rules.length}: ${shorten(config.rules.map((rule) => rule.id))}`);
  complain(
    io,
    `  tells  ${config.channels.map((channel) => `${channel.name} (${channel.type})${channel.unusable === null ? '' : ` - set aside: ${channel.unusable}`}`).join(', ')}`,
  );
  if (config.admin) complain(io, `  admin  http://${config.admin.listen}`);
}

function whatIsRead(source: SourceConfig): string {
  if (source.kind === 'file') return source.paths.join(', ');
  if (source.kind === 'stdin') return 'standard input';
  if (source.kind === 'journal') {
    const chosen = [...source.units, ...source.userUnits, ...source.identifiers, ...source.matches];
    return `the journal${chosen.length > 0 ? `: ${chosen.join(', ')}` : ''}`;
  }
  if (source.kind === 'http') return `http://${source.listen}`;
  if (source.kind === 'docker') {
    const labels = Object.entries(source.containerLabels).map(([name, value]) => `${name}=${value}`);
    const chosen = [...source.names, ...source.images, ...labels];
    return `docker on ${source.socket}${chosen.length > 0 ? `: ${chosen.join(', ')}` : ''}`;
  }
  return [
    ...source.udp.map((address) => `udp ${address}`),
    ...source.tcp.map((address) => `tcp ${address}`),
    ...source.tls.map(({ listen }) => `tls ${listen}`),
    ...[...source.unix, ...source.unixStream].map((path) => `unix ${path}`),
  ].join(', ');
}

function shorten(names: readonly string[]): string {
  return names.length <= 6
    ? names.join(', ')
    : `${names.slice(0, 5).join(', ')} and ${names.length - 5} more`;
}

/** Runs until a signal; in `--once`, and where all there is to read is a pipe, until the input was read and told. A second signal ends it at once. */
async function untilEnd(io: CliIo, daemon: Daemon, once: boolean, ready: () => void): Promise<number> {
  let stopped: () => void = () => {};
  const stop = new Promise<void>((resolve) => {
    stopped = resolve;
  });
  let signals = 0;
  const onStop = (): void => {
    signals++;
    if (signals > 1) io.exitNow(exitCodes.no);
    stopped();
  };
  const off = [
    io.onSignal('SIGTERM', onStop),
    io.onSignal('SIGINT', onStop),
    io.onSignal('SIGHUP', () => void daemon.reload()),
  ];
  // Nothing else keeps the process alive while all is quiet: timers do not.
  const alive = holdProcess();
  try {
    ready();
    const code = once
      ? await Promise.race([finishOnce(daemon.parts), stop.then(() => exitCodes.no)])
      : await Promise.race([stop.then(() => exitCodes.done), finishPipes(daemon.parts)]);
    const deadline = io.clock.setTimer(stopMs, () => io.exitNow(code));
    await daemon.stop();
    deadline.cancel();
    return code;
  } finally {
    alive();
    for (const cancel of off) cancel();
  }
}

/** A handle that holds the process until it is let go. */
function holdProcess(): () => void {
  const { port1 } = new MessageChannel();
  port1.on('message', () => {});
  return () => port1.close();
}
