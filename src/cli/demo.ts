/**
 * `tocsin demo`: the real daemon, as a process of its own, on real Celery lines, beside a small local chat room it posts to.
 * Told in four short acts. Needs nothing but a terminal, leaves nothing behind, ends by itself.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { askDaemon } from '../daemon/control.ts';
import type { Status } from '../daemon/status.ts';
import type { Notification } from '../model/notification.ts';
import { TocsinError } from '../model/problem.ts';
import { delay } from '../system/clock.ts';
import { createPaint, type Paint } from '../system/paint.ts';
import { card } from './demo-card.ts';
import { diskLine, stormLines, storyLines } from './demo-lines.ts';
import { type CliIo, exitCodes, print, wantsColour } from './io.ts';

/** A part of the demo that has not come by then will not come. */
const patienceMs = 20_000;

export interface DemoFlags {
  readonly fast?: boolean;
}

interface Stage {
  readonly io: CliIo;
  readonly dir: string;
  readonly paint: Paint;
  readonly received: { readonly room: string; readonly body: Notification }[];
  readonly room: { answer: { readonly status: number; readonly body: string } };
  readonly server: Server;
  readonly pauseMs: number;
  daemon: ChildProcess | null;
  /** What the daemon said of itself. */
  said: string;
}

export async function demo(io: CliIo, flags: DemoFlags): Promise<number> {
  const stage = await setUp(io, flags.fast === true || io.stdout.isTTY !== true);
  const off = io.onSignal('SIGINT', () => {
    stage.daemon?.kill('SIGKILL');
    rmSync(stage.dir, { recursive: true, force: true });
    io.exitNow(exitCodes.no);
  });
  try {
    await startDaemon(stage);
    await actOne(stage);
    await actTwo(stage);
    await actThree(stage);
    await actFour(stage);
    print(
      io,
      `\n${stage.paint.bold('Now with your own log:')}\n  npx tocsin backtest --pack celery YOUR.log`,
    );
    return exitCodes.done;
  } finally {
    off();
    await tearDown(stage);
  }
}

async function setUp(io: CliIo, quick: boolean): Promise<Stage> {
  const dir = mkdtempSync(join(tmpdir(), 'tocsin-demo-'));
  const received: Stage['received'] = [];
  const room = { answer: { status: 200, body: 'ok' } };
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      const name = (request.url ?? '').slice(1);
      received.push({ room: name, body: JSON.parse(Buffer.concat(parts).toString('utf8')) as Notification });
      const answer = name === 'eng' ? room.answer : { status: 200, body: 'ok' };
      response.writeHead(answer.status, { 'content-type': 'text/plain' });
      response.end(answer.body);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  writeFileSync(join(dir, 'worker.log'), '');
  writeFileSync(join(dir, 'tocsin.yaml'), configText(port));
  writeFileSync(join(dir, 'rules.yaml'), rulesText('error'));
  const paint = createPaint({ colours: wantsColour(io, io.stdout) });
  return { io, dir, paint, received, room, server, pauseMs: quick ? 0 : 1_500, daemon: null, said: '' };
}

function configText(port: number): string {
  return `sources:
  worker: { file: worker.log }
packs: [ celery ]
rules: [ rules.yaml ]
channels:
  eng:
    type: webhook
    url: http://127.0.0.1:${port}/eng
    budget: [ 20 in 1m, 60 in 1h, 200 in 1d ]
    fallback: { channel: pager, from: error }
  pager: { type: webhook, url: 'http://127.0.0.1:${port}/pager' }
routes:
  - { notify: eng }
labels: { env: demo }
`;
}

function rulesText(severity: string): string {
  return `rules:
  - id: disk-full
    contains: No space left on device
    severity: ${severity}
    by: []
    tests:
      - { name: a full disk rings, lines: 'OSError: No space left on device', expect: { incidents: 1 } }
`;
}

async function startDaemon(stage: Stage): Promise<void> {
  const child = spawn(
    process.execPath,
    [stage.io.program, 'run', '--config', join(stage.dir, 'tocsin.yaml')],
    {
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  );
  child.stderr?.on('data', (part: Buffer) => {
    stage.said += part.toString('utf8');
  });
  stage.daemon = child;
  await until(stage, 'the daemon to be up', async () => (await statusOf(stage)) !== null);
}

async function statusOf(stage: Stage): Promise<Status | null> {
  const asked = await askDaemon(join(stage.dir, '.tocsin'), { command: 'status', args: {} });
  return asked ? (asked.data as Status) : null;
}

async function until<T>(stage: Stage, what: string, look: () => T | Promise<T>): Promise<NonNullable<T>> {
  const end = stage.io.clock.monotonic() + patienceMs;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (stage.io.clock.monotonic() > end)
      throw new TocsinError('E_DEMO', `the demo waited in vain for ${what}; the daemon said:\n${stage.said}`);
    await pause(stage, 20);
  }
}

/** Waits while holding the process: timers of the clock alone would not. */
async function pause(stage: Stage, ms: number): Promise<void> {
  stage.server.ref();
  await delay(stage.io.clock, ms);
}

function log(stage: Stage, lines: readonly string[]): void {
  appendFileSync(join(stage.dir, 'worker.log'), `${lines.join('\n')}\n`);
}

function act(stage: Stage, title: string): void {
  print(stage.io, `\n${stage.paint.bold(title)}`);
}

async function actOne(stage: Stage): Promise<void> {
  const { io, paint } = stage;
  act(stage, '1  Three retries pass in silence. The final failure rings once.');
  const story = storyLines();
  const records = story.filter((line) => line.startsWith('['));
  for (const line of records.filter((one) => one.includes(' retry: ')))
    print(io, paint.dim(`   worker.log  ${line.slice(0, 120)}`));
  log(stage, story);
  const alert = await until(stage, 'the first alert', () =>
    stage.received.find((one) => one.body.notification.kind === 'first'),
  );
  print(io, card(alert.body, paint));
  const noisy = story.filter((line) => /error|traceback|retry|exception/i.test(line)).length;
  print(
    io,
    paint.dim(
      `   A grep for error|traceback|retry would have sent ${noisy} messages for this. Tocsin sent ${stage.received.length}.`,
    ),
  );
  await pause(stage, stage.pauseMs * 3);
}

async function actTwo(stage: Stage): Promise<void> {
  const { io, paint } = stage;
  act(stage, '2  A storm of 10,000 lines. A new error gets through in the middle.');
  const before = stage.received.length;
  const { lines, failures } = stormLines(10_000);
  const half = Math.floor(lines.length / 2);
  log(stage, lines.slice(0, half));
  log(stage, [diskLine()]);
  log(stage, lines.slice(half));
  const fresh = await until(stage, 'the new error', () =>
    stage.received.slice(before).find((one) => one.body.incident.rule === 'disk-full'),
  );
  print(io, `   in the middle: ${paint.bold(fresh.body.incident.title)}`);
  const counted = await until(stage, 'the storm to be counted', async () => {
    const status = await statusOf(stage);
    const ledger = status?.channels['eng']?.ledger;
    return ledger && ledger.matched >= failures + 2 ? ledger : null;
  });
  await until(stage, 'the fold', () =>
    stage.received.slice(before).find((one) => one.body.notification.kind === 'digest'),
  );
  for (const one of stage.received.slice(before))
    print(
      io,
      paint.dim(`   ${one.body.notification.kind.padEnd(8)} ${one.body.incident.title.slice(0, 110)}`),
    );
  const sum = `${counted.matched} matched = ${counted.notified} notified + ${counted.counted} counted + ${counted.pending} pending + ${counted.dead} dead`;
  print(
    io,
    `   ${failures} failures in ${lines.length} lines -> ${stage.received.length - before} messages. The account: ${sum}${counted.balanced ? ', balanced.' : ' DOES NOT ADD UP'}`,
  );
  await pause(stage, stage.pauseMs * 2);
}

async function actThree(stage: Stage): Promise<void> {
  const { io, paint } = stage;
  act(stage, '3  The room answers 403. It is shown as it came, the fallback takes over; then kill -9.');
  stage.room.answer = { status: 403, body: '{"error":"token revoked"}' };
  const before = stage.received.length;
  log(stage, storyLines('reports.tasks.nightly', 'b7d1'));
  const refused = await until(stage, 'the refused alert', () =>
    stage.received.slice(before).find((one) => one.room === 'eng'),
  );
  await until(stage, 'the fallback', () =>
    stage.received
      .slice(before)
      .find((one) => one.room === 'pager' && one.body.notification.id === refused.body.notification.id),
  );
  const status = await until(
    stage,
    'the status',
    async () => (await statusOf(stage))?.channels['eng']?.last_error,
  );
  print(io, `   eng:   ${paint.red(status)}`);
  print(io, '   pager: took over, with the same message');
  stage.daemon?.kill('SIGKILL');
  await until(stage, 'the end of the daemon', () => stage.daemon?.signalCode === 'SIGKILL');
  stage.room.answer = { status: 200, body: 'ok' };
  const mark = stage.received.length;
  await startDaemon(stage);
  const again = await until(stage, 'the message to come again', () =>
    stage.received
      .slice(mark)
      .find((one) => one.room === 'eng' && one.body.notification.id === refused.body.notification.id),
  );
  print(
    io,
    `   killed with -9, started again: the same message came again, id ${again.body.notification.id}, count ${again.body.incident.count}`,
  );
  await pause(stage, stage.pauseMs * 2);
}

async function actFour(stage: Stage): Promise<void> {
  const { io, paint } = stage;
  act(stage, '4  Somebody edits a rule wrongly. The old rules go on.');
  stage.said = '';
  writeFileSync(join(stage.dir, 'rules.yaml'), rulesText('eror'));
  const problem = await until(stage, 'the refusal', async () => {
    const status = await statusOf(stage);
    return status && !status.config.ok
      ? (status.config.problems[0] as { line: number; column: number; message: string; hint: string | null })
      : null;
  });
  print(io, `   rules.yaml:${problem.line}:${problem.column}: ${paint.red(problem.message)}`);
  if (problem.hint !== null) print(io, `   hint: ${problem.hint}`);
  const before = stage.received.length;
  log(stage, storyLines('mail.tasks.digest', 'c9e2'));
  const still = await until(stage, 'an alert under the old rules', () =>
    stage.received.slice(before).find((one) => one.body.incident.fields['task'] === 'mail.tasks.digest'),
  );
  print(io, `   and the old rules go on: ${still.body.incident.title}`);
}

async function tearDown(stage: Stage): Promise<void> {
  const { daemon } = stage;
  if (daemon && daemon.exitCode === null && daemon.signalCode === null) {
    const gone = new Promise<void>((resolve) => daemon.once('exit', () => resolve()));
    daemon.kill('SIGTERM');
    const hard = stage.io.clock.setTimer(9_000, () => daemon.kill('SIGKILL'));
    await gone;
    hard.cancel();
  }
  stage.server.closeAllConnections();
  await new Promise<void>((resolve) => stage.server.close(() => resolve()));
  rmSync(stage.dir, { recursive: true, force: true });
}
