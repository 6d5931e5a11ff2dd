/** `tocsin send-test`: a test message takes the real road, and what came back is shown as it came. */
import { createChannel } from '../channels/channels.ts';
import { readProxies } from '../channels/proxy.ts';
import { deliveryReport } from '../daemon/commands.ts';
import { askDaemon } from '../daemon/control.ts';
import { testNotification } from '../daemon/test-message.ts';
import type { Config } from '../model/config.ts';
import { type CliIo, complain, exitCodes, print, wantsColour } from './io.ts';
import { type ConfigFlags, configPathOf, loadOptions, loadOrComplain } from './loading.ts';

export interface SendTestFlags extends ConfigFlags {
  readonly json?: boolean;
}

type Report = ReturnType<typeof deliveryReport> & {
  readonly channel: string;
  readonly road: 'daemon' | 'direct';
};

/** Sends to each channel named (all of them without names). 1 when any was not delivered. */
export async function sendTest(io: CliIo, names: readonly string[], flags: SendTestFlags): Promise<number> {
  const configPath = configPathOf(io, flags, false);
  if (configPath === null && (flags.to?.length ?? 0) === 0) {
    complain(
      io,
      'no channel to test: there is no tocsin.yaml here; name one with --config FILE, or an address with --to URL',
    );
    return exitCodes.wrong;
  }
  const config = loadOrComplain(
    io,
    loadOptions(io, flags, configPath, { files: [], stdin: false, print: false, needs: ['channels'] }),
  );
  if (!config) return exitCodes.wrong;
  const wanted = names.length > 0 ? names : config.channels.map((channel) => channel.name);
  const unknown = wanted.filter((name) => !config.channels.some((channel) => channel.name === name));
  if (unknown.length > 0) {
    complain(
      io,
      `there is no channel ${unknown.map((name) => JSON.stringify(name)).join(', ')}; there are: ${config.channels.map((channel) => channel.name).join(', ')}`,
    );
    return exitCodes.wrong;
  }
  const reports = await sendTests(io, config, wanted, (report) => {
    if (!flags.json) printReport(io, report);
  });
  if (flags.json) print(io, JSON.stringify(reports, null, 2));
  return reports.every((report) => report.delivered) ? exitCodes.done : exitCodes.no;
}

/** A test message to each of these channels, one after the other; `each` hears of every answer as it comes. */
export async function sendTests(
  io: CliIo,
  config: Config,
  names: readonly string[],
  each: (report: Report) => void,
): Promise<Report[]> {
  const reports: Report[] = [];
  for (const name of names) {
    const report = await sendOne(io, config, name);
    reports.push(report);
    each(report);
  }
  return reports;
}

/** Through the running daemon when there is one, since that is the road an alert takes; else by this process. */
async function sendOne(io: CliIo, config: Config, name: string): Promise<Report> {
  const asked =
    config.path === null
      ? null
      : await askDaemon(config.stateDir, { command: 'send-test', args: { channel: name } });
  if (asked) return { ...(asked.data as ReturnType<typeof deliveryReport>), channel: name, road: 'daemon' };
  const settings = config.channels.find((channel) => channel.name === name);
  if (!settings) throw new TypeError(`no channel ${name}`);
  const channel = createChannel(settings, {
    clock: io.clock,
    write: (text) => io.stdout.write(text),
    colours: wantsColour(io, io.stdout),
    version: io.version,
    proxies: readProxies(io.env),
  });
  try {
    const notification = testNotification({ channel: name, labels: config.labels, now: io.clock.now() });
    const delivery = await channel.send(notification, { signal: new AbortController().signal, plain: false });
    return { ...deliveryReport(delivery), channel: name, road: 'direct' };
  } finally {
    await channel.close();
  }
}

export function printReport(io: CliIo, report: Report): void {
  const head = report.delivered ? 'delivered' : `not delivered: ${report.detail}`;
  print(
    io,
    `${report.channel}: ${head}${report.status === null ? '' : `, status ${report.status}`}${report.road === 'daemon' ? ' (sent by the running daemon)' : ''}`,
  );
  if (report.body.trim() !== '')
    print(io, `  answer: ${report.body.trim().replaceAll('\n', '\n          ')}`);
}
