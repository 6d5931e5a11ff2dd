/**
 * Holds the pack `celery` against real Celery logs whose truth is known: runs the built program on each log
 * of a folder, in whatever envelope it is, takes what it posts to a server on loopback, and compares counts and fields with `ideal.json` (X by the
 * task's shown name, F in all) and with the events in `truth.jsonl`. Not part of `npm test`: the logs are not in the project.
 *
 *   node test/corpus/celery-truth.mjs DIR [--bin dist/main.js] [--large] [--verbose] [LOG...]
 *
 * `--large` posts the storm of `large.log` with all defaults into one chat channel. Exit 1 on any difference.
 */
import { spawn } from 'node:child_process';
import { createReadStream, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const allLogs = [
  'plain',
  'colour',
  'threads',
  'solo',
  'plain-celery-5.2.6',
  'worker-crash-celery-5.2.6',
  'json',
  'structlog',
  'k8s-cri',
  'docker-json-file',
  'supervisor-prefixed',
  'syslog-3164',
  'syslog-5424',
  'beat',
  'ops-alpha',
  'ops-beta',
  'large',
].map((name) => `${name}.log`);
/** Logs of the run that another log is of: they have its truth. */
const sameRun = { 'docker-json-file.log': 'k8s-cri.log', 'syslog-5424.log': 'syslog-3164.log' };
/** Logs in which no task failed for good. */
const nothing = { X_by_shown_task: {}, X: 0, F: 0 };
const runOf = (log) => sameRun[log] ?? log;
const exhaustedRule = 'celery-task-failed-after-final-retry';
/** What a chat room may get of the storm with all defaults. */
const chatMessagesMax = 15;
const runTimeoutMs = 180_000;

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    bin: { type: 'string', default: resolve(dirname(fileURLToPath(import.meta.url)), '../../dist/main.js') },
    large: { type: 'boolean', default: false },
    verbose: { type: 'boolean', default: false },
  },
});
const [dir, ...chosen] = positionals;
if (dir === undefined || !existsSync(join(dir, 'ideal.json'))) {
  process.stderr.write('celery-truth: expected a folder with logs, ideal.json and truth.jsonl\n');
  process.exit(2);
}

/** A server that keeps every body, by the path it came to. */
async function startServer() {
  const posts = [];
  const server = createServer((request, response) => {
    const parts = [];
    request.on('data', (part) => parts.push(part));
    request.on('end', () => {
      posts.push({
        path: request.url,
        id: request.headers['webhook-id'] ?? null,
        body: JSON.parse(Buffer.concat(parts).toString('utf8')),
      });
      response.end('ok');
    });
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  return { posts, url: `http://127.0.0.1:${server.address().port}`, close: () => server.close() };
}

/** Runs the program on one log with `--once`. Gives its exit code, what it said and how long it took. */
function runTocsin(args) {
  const started = performance.now();
  const child = spawn(process.execPath, [options.bin, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (part) => (said += part));
  const timer = setTimeout(() => child.kill('SIGKILL'), runTimeoutMs);
  return new Promise((done) => {
    child.on('close', (code) => {
      clearTimeout(timer);
      done({ code, said, seconds: (performance.now() - started) / 1000 });
    });
  });
}

/** Events of one log that end a task as failed. */
async function failuresOf(log) {
  const failures = [];
  const file = join(dir, log === 'large.log' ? 'truth-large.jsonl' : 'truth.jsonl');
  for await (const line of createInterface({ input: createReadStream(file) })) {
    if (!line.includes('"failure"')) continue;
    const event = JSON.parse(line);
    if (event.log === runOf(log) && event.event === 'failure') failures.push(event);
  }
  return failures;
}

/** The last count of each incident, whether it spoke for itself or in a list. */
function incidentsOf(posts) {
  const incidents = new Map();
  const note = (row) => {
    if (row !== null && row !== undefined && row.id !== undefined)
      incidents.set(row.id, { ...incidents.get(row.id), ...row });
  };
  for (const { body } of posts) {
    for (const row of body.incidents ?? []) note(row);
    if (body.notification?.kind !== 'digest') note(body.incident);
  }
  return [...incidents.values()];
}

function tally(entries) {
  const counts = {};
  for (const [name, count] of entries) counts[name] = (counts[name] ?? 0) + count;
  return Object.fromEntries(Object.entries(counts).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function differences(what, wanted, got) {
  const names = new Set([...Object.keys(wanted), ...Object.keys(got)]);
  return [...names]
    .filter((name) => (wanted[name] ?? 0) !== (got[name] ?? 0))
    .map((name) => `${what} ${name}: expected ${wanted[name] ?? 0}, got ${got[name] ?? 0}`);
}

const isWorkerLost = (event) => event.class.endsWith('worker_lost');

/** `first` carries the fields of one failure: they are those of the event with the same id. */
function checkFields(posts, failures) {
  const wrong = [];
  for (const { body } of posts) {
    if (body.notification.kind !== 'first' || body.incident.labels.outcome !== 'failed') continue;
    const { task, task_id: id, exception, retries, limit_reached: reached } = body.incident.fields;
    if (body.incident.rule === 'celery-worker-lost') continue;
    const events = failures.filter((event) => event.task_id === id);
    const fits = events.some(
      (event) =>
        event.shown_name === task &&
        event.exc_type === exception &&
        String(event.retry_lines_before ?? event.retries) === String(retries) &&
        String(event.exhausted) === reached,
    );
    const wanted = events.map((event) => [
      event.shown_name,
      event.exc_type,
      event.retry_lines_before,
      event.exhausted,
    ]);
    if (!fits)
      wrong.push(
        `fields of ${id}: expected ${JSON.stringify(wanted)}, got ${JSON.stringify([task, exception, retries, reached])}`,
      );
  }
  return wrong;
}

/** One log against its truth. Gives a row for the table, and what differs. */
async function checkLog(log, ideal, work) {
  const config = join(work, 'tocsin.yaml');
  writeFileSync(config, 'defaults: { limit: none }\n');
  const server = await startServer();
  const run = await runTocsin([
    'run',
    '--once',
    '--config',
    config,
    '--pack',
    'celery',
    '--to',
    `${server.url}/hook`,
    join(dir, log),
  ]);
  server.close();
  rmSync(join(work, '.tocsin'), { recursive: true, force: true });
  const wrong = run.code === 0 ? [] : [`exit ${run.code}: ${run.said.slice(-2000)}`];
  const ids = server.posts.map((post) => post.body.notification.id);
  for (const id of new Set(ids.filter((one, index) => ids.indexOf(one) !== index)))
    wrong.push(`the notification ${id} was posted twice`);
  for (const post of server.posts)
    if (post.id !== post.body.notification.id)
      wrong.push(`the header webhook-id ${post.id} is not the id in the body`);

  const incidents = incidentsOf(server.posts);
  const failed = incidents.filter((one) => one.labels?.outcome === 'failed');
  const exhausted = incidents.filter((one) => one.rule === exhaustedRule);
  const sum = (list) => list.reduce((total, one) => total + one.count, 0);
  wrong.push(
    ...differences(
      'X of',
      ideal.X_by_shown_task,
      tally(exhausted.map((one) => [one.fields.task, one.count])),
    ),
  );
  if (sum(exhausted) !== ideal.X) wrong.push(`X: expected ${ideal.X}, got ${sum(exhausted)}`);
  if (sum(failed) !== ideal.F) wrong.push(`F: expected ${ideal.F}, got ${sum(failed)}`);

  const failures = (await failuresOf(log)).filter((event) => !event.expected || log.includes('5.2.6'));
  const kinds = failures.map((event) => [
    isWorkerLost(event) ? 'unknown WorkerLostError' : `${event.shown_name} ${event.exc_type}`,
    1,
  ]);
  wrong.push(
    ...differences(
      'failures of',
      tally(kinds),
      tally(failed.map((one) => [`${one.fields.task} ${one.fields.exception}`, one.count])),
    ),
  );
  wrong.push(...checkFields(server.posts, failures));
  const perRule = tally(incidents.map((one) => [one.rule, one.count]));
  return {
    row: [
      log,
      ideal.F,
      sum(failed),
      ideal.X,
      sum(exhausted),
      incidents.length,
      server.posts.length,
      run.seconds.toFixed(1),
    ],
    wrong,
    perRule,
  };
}

/** Everything that a chat post says, as one text. */
function textOf(value) {
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return String(value);
  if (value === null || typeof value !== 'object') return '';
  return Object.values(value).map(textOf).join('\n');
}

/** Names as a chat shows them: without what neutralises markup. */
const bare = (text) => text.replace(/\\|\u200b|\u200c|\u200d|\u2060|\ufeff|`|\*/g, '');

/** The storm with all defaults: one chat channel, and a webhook beside it that tells the numbers. */
async function checkStorm() {
  const server = await startServer();
  const room = `/hooks/${'abcdefghijklmnopqrstuvwxyz'}`;
  const run = await runTocsin([
    'run',
    '--once',
    '--pack',
    'celery',
    '--to',
    `${server.url}${room}`,
    '--to',
    `${server.url}/hook`,
    join(dir, 'large.log'),
  ]);
  server.close();
  const wrong = run.code === 0 ? [] : [`exit ${run.code}: ${run.said.slice(-2000)}`];
  const chat = server.posts.filter((post) => post.path === room);
  const said = chat.map((post) => bare(textOf(post.body)));
  if (chat.length === 0 || chat.length > chatMessagesMax)
    wrong.push(`messages in the chat: expected 1 to ${chatMessagesMax}, got ${chat.length}`);
  const failures = await failuresOf('large.log');
  const wanted = tally(failures.map((event) => [`${event.shown_name} ${event.exc_type}`, 1]));
  for (const [name, count] of Object.entries(wanted)) {
    const [task, exception] = name.split(' ');
    const telling = said.filter((text) => text.includes(task) && text.includes(exception));
    if (telling.length === 0) wrong.push(`the chat never names ${name}`);
    const numbers = [String(count), count.toLocaleString('en-US')];
    if (
      !telling.some((text) =>
        numbers.some((number) => new RegExp(`(?<![\\d,.])${number}(?![\\d,]|\\.\\d)`).test(text)),
      )
    )
      wrong.push(`the chat never tells the total of ${name}, ${count}`);
  }
  const failed = incidentsOf(server.posts.filter((post) => post.path === '/hook')).filter(
    (one) => one.labels?.outcome === 'failed',
  );
  wrong.push(
    ...differences(
      'failures of',
      wanted,
      tally(failed.map((one) => [`${one.fields.task} ${one.fields.exception}`, one.count])),
    ),
  );
  process.stdout.write(
    `storm: ${failures.length} failures of ${Object.keys(wanted).length} kinds in ${chat.length} chat messages, ${run.seconds.toFixed(1)} s\n`,
  );
  if (options.verbose) for (const text of said) process.stdout.write(`${'-'.repeat(80)}\n${text}\n`);
  return wrong;
}

function report(title, wrong) {
  for (const one of wrong) process.stdout.write(`${title}: ${one}\n`);
  return wrong.length;
}

const work = mkdtempSync(join(tmpdir(), 'tocsin-truth-'));
let failed = 0;
try {
  if (options.large) {
    failed += report('storm', await checkStorm());
  } else {
    const ideal = JSON.parse(readFileSync(join(dir, 'ideal.json'), 'utf8'));
    const rows = [['log', 'F', 'got', 'X', 'got', 'incidents', 'posts', 'seconds']];
    for (const log of chosen.length > 0 ? chosen : allLogs) {
      const result = await checkLog(log, ideal[runOf(log)] ?? nothing, work);
      rows.push(result.row);
      failed += report(log, result.wrong);
      if (options.verbose) process.stdout.write(`${log}: ${JSON.stringify(result.perRule)}\n`);
    }
    for (const row of rows)
      process.stdout.write(
        `${row.map((cell, index) => (index === 0 ? String(cell).padEnd(30) : String(cell).padStart(10))).join('')}\n`,
      );
  }
} finally {
  rmSync(work, { recursive: true, force: true });
}
process.exitCode = failed === 0 ? 0 : 1;
