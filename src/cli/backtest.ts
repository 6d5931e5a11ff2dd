/** `tocsin backtest`: what would have been told over old logs. Sends nothing. */
import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { type BacktestReport, backtest } from '../daemon/backtest.ts';
import { testDeps } from '../daemon/rule-tests.ts';
import { createPaint } from '../system/paint.ts';
import { type CliIo, complain, exitCodes, print, wantsColour } from './io.ts';
import { type ConfigFlags, configPathOf, loadOptions, loadOrComplain } from './loading.ts';
import { progressBar } from './progress.ts';

export interface BacktestFlags extends ConfigFlags {
  readonly json?: boolean;
}

/** Messages shown one by one; the rest is in the JSON. */
const shownMessages = 40;

export async function backtestCommand(
  io: CliIo,
  logs: readonly string[],
  flags: BacktestFlags,
): Promise<number> {
  const config = loadFor(io, flags);
  if (!config) return exitCodes.wrong;
  const files = logs.map((log) => resolve(io.cwd, log));
  const total = files.reduce((sum, file) => sum + (statSync(file, { throwIfNoEntry: false })?.size ?? 0), 0);
  const bar = progressBar(io, 'reading', total);
  const store = testDeps(io).store();
  try {
    const report = await backtest({
      config,
      files,
      store,
      clock: io.clock,
      progress: (done) => bar.at(done),
    });
    bar.done();
    if (flags.json) print(io, JSON.stringify(report, null, 2));
    else printReport(io, report);
    return exitCodes.done;
  } finally {
    bar.done();
    store.close();
  }
}

/** Without a configuration one chat channel with its default budget stands for the room. */
function loadFor(io: CliIo, flags: BacktestFlags): ReturnType<typeof loadOrComplain> {
  const configPath = configPathOf(io, flags, false);
  if (configPath !== null)
    return loadOrComplain(io, loadOptions(io, flags, configPath, { files: [], stdin: false, print: false }));
  const pack =
    (flags.pack?.length ?? 0) > 0 || (flags.rules?.length ?? 0) > 0 ? (flags.pack ?? []) : ['celery'];
  const to =
    (flags.to?.length ?? 0) > 0
      ? flags.to
      : ['https://hooks.slack.com/services/T00000000/B00000000/backtest'];
  return loadOrComplain(
    io,
    loadOptions(io, { ...flags, pack, ...(to ? { to } : {}) }, null, {
      files: [],
      stdin: false,
      print: false,
      // Channels that rules name are in the configuration; the one of here hears of all.
      needs: ['rules'],
    }),
  );
}

function many(count: number, one: string, several: string): string {
  return `${count} ${count === 1 ? one : several}`;
}

function printReport(io: CliIo, report: BacktestReport): void {
  const colour = createPaint({ colours: wantsColour(io, io.stdout) });
  for (const message of report.messages.slice(0, shownMessages)) {
    const loud = message.severity === 'critical' || message.severity === 'error' ? colour.red : colour.yellow;
    print(
      io,
      `${message.at.slice(0, 19).replace('T', ' ')}  ${loud(message.severity.padEnd(8))} ${message.kind.padEnd(8)} ${String(message.count).padStart(6)} x  ${message.title}`,
    );
  }
  if (report.messages.length > shownMessages)
    print(io, `... and ${report.messages.length - shownMessages} more (--json shows all)`);
  print(io, '');
  for (const [id, rule] of Object.entries(report.rules)) {
    print(
      io,
      `${id}: ${many(rule.matched, 'match', 'matches')}, ${many(rule.incidents, 'incident', 'incidents')}${rule.below > 0 ? `, ${rule.below} below its count` : ''}`,
    );
  }
  const megabytes = (report.bytes / 1e6).toFixed(1);
  print(
    io,
    colour.bold(
      `${many(report.records, 'record', 'records')} (${megabytes} MB), ${many(report.matches, 'match', 'matches')} -> ${many(report.messages.length, 'message', 'messages')}, at most ${report.peakPerMinute} in a minute; ${(report.heldBack * 100).toFixed(1)} % held back`,
    ),
  );
  if (report.records === 0) complain(io, 'no record was read: are these the right files?');
}
