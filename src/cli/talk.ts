/** Commands that talk to the running daemon, or read its state when none runs: `status`, `silence`, `dead-letters`. */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { loadConfig } from '../config/config.ts';
import { addSilence, endSilence, listSilences } from '../daemon/commands.ts';
import { askDaemon } from '../daemon/control.ts';
import { type DeadLetter, DeadLetters, letterName } from '../daemon/dead-letters.ts';
import { guessStateDir } from '../daemon/keeper.ts';
import { type Status, statusOfState } from '../daemon/status.ts';
import type { Silence } from '../model/intent.ts';
import { TocsinError } from '../model/problem.ts';
import type { Store } from '../model/store.ts';
import { openReadOnly } from '../state/read-only.ts';
import { openStore } from '../state/store.ts';
import { createPaint } from '../system/paint.ts';
import { type CliIo, complain, exitCodes, print, wantsColour } from './io.ts';
import { type ConfigFlags, configPathOf, loadOptions, noConfig } from './loading.ts';

export interface TalkFlags extends ConfigFlags {
  readonly state?: string;
  readonly json?: boolean;
}

/** Where the state is: named, or as the configuration says, even when that has mistakes. */
function stateDirOf(io: CliIo, flags: TalkFlags): string {
  if (flags.state !== undefined) return resolve(io.cwd, flags.state);
  const configPath = configPathOf(io, flags, false);
  if (configPath === null) {
    const here = resolve(io.cwd, '.tocsin');
    if (existsSync(here)) return here;
    throw noConfig();
  }
  if (!existsSync(configPath)) throw new TocsinError('E_NO_CONFIG', `there is no file ${configPath}`);
  const options = loadOptions(io, flags, configPath, { files: [], stdin: false, print: false });
  const parsed = loadConfig(options);
  return parsed.ok ? parsed.value.stateDir : guessStateDir(options);
}

export async function status(io: CliIo, flags: TalkFlags): Promise<number> {
  const dir = stateDirOf(io, flags);
  const asked = await askDaemon(dir, { command: 'status', args: {} });
  const facts = asked ? (asked.data as Status) : readState(dir, (store) => statusOfState(store, io.version));
  if (flags.json) print(io, JSON.stringify(facts, null, 2));
  else printStatus(io, facts, dir);
  return exitCodes.done;
}

function readState<T>(dir: string, read: (store: Store) => T): T {
  const store = openReadOnly(dir);
  try {
    return read(store);
  } finally {
    store.close();
  }
}

function configWords({ ok, origin }: Status['config']): string {
  if (ok) return 'ok';
  if (origin === 'last-good') return 'refused: the last good one runs';
  if (origin === 'partial') return 'refused: what is not broken runs';
  return origin === 'before' ? 'refused: what was loaded before goes on' : 'in part set aside';
}

function printStatus(io: CliIo, facts: Status, dir: string): void {
  const colour = createPaint({ colours: wantsColour(io, io.stdout) });
  print(
    io,
    facts.running
      ? `tocsin ${facts.version}, up ${facts.uptime_s} s, configuration ${facts.config.ok ? 'ok' : colour.red(configWords(facts.config))}`
      : `no daemon runs on ${dir}; this is its state`,
  );
  for (const problem of facts.config.problems) {
    if (problem.level === 'error') print(io, `  ${problem.file}:${problem.line} ${problem.message}`);
  }
  if (!facts.state_ok) print(io, colour.red('the state cannot be written; alerts go on from memory'));
  for (const [name, source] of Object.entries(facts.sources)) {
    const dropped = Object.entries(source.dropped).map(([reason, count]) => `${reason} ${count}`);
    print(
      io,
      `source  ${name}: ${source.state}${source.detail === null ? '' : ` (${source.detail})`}, ${source.records} records, ${source.lag_bytes} bytes behind${dropped.length > 0 ? `, ${dropped.join(', ')}` : ''}`,
    );
  }
  for (const [id, rule] of Object.entries(facts.rules)) {
    if (rule.matched + rule.below > 0)
      print(
        io,
        `rule    ${id}: ${rule.matched} matched, ${rule.below} below, ${rule.incidents} incidents, ${rule.firing} open`,
      );
  }
  for (const [name, channel] of Object.entries(facts.channels)) {
    const { ledger } = channel;
    print(
      io,
      `channel ${name}: ${channel.state}, ${channel.delivered} delivered, ${channel.queued} queued${channel.last_error === null ? '' : `, last error: ${channel.last_error}`}`,
    );
    const sum = `${ledger.matched} matched = ${ledger.notified} notified + ${ledger.counted} counted + ${ledger.pending} pending + ${ledger.silenced} silenced + ${ledger.muted} muted + ${ledger.trial} trial + ${ledger.dead} dead`;
    print(io, `        ${ledger.balanced ? sum : colour.red(`${sum}  DOES NOT ADD UP`)}`);
  }
}

export interface SilenceFlags extends TalkFlags {
  readonly rule?: string;
  readonly where?: readonly string[];
  readonly for?: string;
  readonly until?: string;
  readonly comment?: string;
}

/** `task=mail.*` -> a test on a field or label. */
function whereOf(tests: readonly string[]): Record<string, string> {
  const where: Record<string, string> = {};
  for (const test of tests) {
    const equals = test.indexOf('=');
    if (equals < 1)
      throw new TocsinError('E_USAGE', `--where wants field=value, found ${JSON.stringify(test)}`);
    where[test.slice(0, equals)] = test.slice(equals + 1);
  }
  return where;
}

/** Through the daemon, or straight into the state when none runs. */
async function onState<T>(
  io: CliIo,
  flags: TalkFlags,
  command: string,
  args: Record<string, unknown>,
  direct: (store: Store) => T,
): Promise<T> {
  const dir = stateDirOf(io, flags);
  const asked = await askDaemon(dir, { command, args });
  if (asked) return asked.data as T;
  const { store } = openStore({ dir, clock: io.clock });
  try {
    const result = direct(store);
    const committed = store.commit();
    if (!committed.ok) throw new TocsinError(committed.code, committed.message);
    return result;
  } finally {
    store.close();
  }
}

export async function silenceAdd(io: CliIo, flags: SilenceFlags): Promise<number> {
  const args = {
    ...(flags.rule === undefined ? {} : { rule: flags.rule }),
    where: whereOf(flags.where ?? []),
    ...(flags.for === undefined ? {} : { for: flags.for }),
    ...(flags.until === undefined ? {} : { until: flags.until }),
    ...(flags.comment === undefined ? {} : { comment: flags.comment }),
  };
  const silence = await onState(io, flags, 'silence-add', args, (store) =>
    addSilence(store, args, io.clock.now(), null),
  );
  if (flags.json) print(io, JSON.stringify(silence, null, 2));
  else print(io, `silence ${describe(silence)}\nend it with: tocsin silence end ${silence.id}`);
  return exitCodes.done;
}

export async function silenceList(io: CliIo, flags: TalkFlags): Promise<number> {
  const dir = stateDirOf(io, flags);
  const asked = await askDaemon(dir, { command: 'silence-list', args: {} });
  const list = asked
    ? (asked.data as Silence[])
    : readState(dir, (store) => listSilences(store, io.clock.now()));
  if (flags.json) print(io, JSON.stringify(list, null, 2));
  else if (list.length === 0) print(io, 'no silences');
  else for (const silence of list) print(io, describe(silence));
  return exitCodes.done;
}

export async function silenceEnd(io: CliIo, id: string, flags: TalkFlags): Promise<number> {
  const silence = await onState(io, flags, 'silence-end', { id }, (store) =>
    endSilence(store, id, io.clock.now()),
  );
  if (flags.json) print(io, JSON.stringify(silence, null, 2));
  else print(io, `silence ${silence.id} is over`);
  return exitCodes.done;
}

function describe(silence: Silence): string {
  const tests = Object.entries(silence.where).map(([field, value]) => `${field}=${value}`);
  const what = [...(silence.rule === null ? [] : [`rule ${silence.rule}`]), ...tests].join(', ');
  return `${silence.id}: ${what}, until ${new Date(silence.endsAt).toISOString()}${silence.comment === null ? '' : ` (${silence.comment})`}`;
}

/** A letter as data: with the name that `retry` and `drop` want, without the key of its row. */
function named({ key: _, ...letter }: DeadLetter): Omit<DeadLetter, 'key'> & { readonly id: string } {
  return { id: letterName(letter), ...letter };
}

export async function deadLetters(
  io: CliIo,
  action: string,
  key: string | undefined,
  flags: TalkFlags,
): Promise<number> {
  const dir = stateDirOf(io, flags);
  if (action === 'list' || action === 'show') {
    const asked = await askDaemon(dir, { command: 'dead-letters-list', args: {} });
    const all = asked
      ? (asked.data as DeadLetter[])
      : readState(dir, (store) => new DeadLetters(store).list(1_000));
    const letters = all.filter((letter) => key === undefined || letterName(letter) === key);
    if (key !== undefined && letters.length === 0)
      throw new TocsinError(
        'E_UNKNOWN',
        `there is no dead letter ${JSON.stringify(key)}; see "tocsin dead-letters list"`,
      );
    if (flags.json || action === 'show') print(io, JSON.stringify(letters.map(named), null, 2));
    else if (letters.length === 0) print(io, 'no dead letters');
    else
      for (const letter of letters)
        print(
          io,
          `${letterName(letter)}  ${letter.channel}  ${new Date(letter.diedAt).toISOString()}  ${letter.notification.incident.title}\n    ${letter.why}`,
        );
    return exitCodes.done;
  }
  const result = await askDaemon(dir, { command: `dead-letters-${action}`, args: { id: key } });
  if (!result) {
    complain(io, `no daemon runs on ${dir}; start it first: a message can only be sent by it`);
    return exitCodes.no;
  }
  print(io, `${action === 'retry' ? 'queued again' : 'dropped'}: ${key}`);
  return exitCodes.done;
}
