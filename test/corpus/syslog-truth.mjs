/**
 * Holds the pack `celery` against a worker whose log came as syslog datagrams: sends each as it was sent then to a daemon that runs,
 * over a real socket, and compares what the daemon tells with `ideal.json` (X by the task's shown name, F in all). Not part of
 * `npm test`: the datagrams are not in the project.
 *
 *   node test/corpus/syslog-truth.mjs DIR [--bin dist/main.js] [--over udp,tcp,octet,unix] [--verbose]
 *
 * DIR holds syslog-udp-datagrams.jsonl ({ "b64" } a line) and ideal.json. Exit 1 on any difference.
 */
import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

/** The totals are told in a summary after so long. */
const remindMs = 8_000;
/** Datagrams in one go; between two, the loop turns. */
const perTurn = 20;
const startMs = 20_000;

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    bin: { type: 'string', default: resolve(dirname(fileURLToPath(import.meta.url)), '../../dist/main.js') },
    over: { type: 'string', default: 'udp,tcp,octet,unix' },
    verbose: { type: 'boolean', default: false },
  },
});
const [dir] = positionals;
const file = join(dir ?? '', 'syslog-udp-datagrams.jsonl');
if (dir === undefined || !existsSync(file)) {
  process.stderr.write('syslog-truth: expected a folder with syslog-udp-datagrams.jsonl and ideal.json\n');
  process.exit(2);
}
const datagrams = readFileSync(file, 'utf8')
  .trimEnd()
  .split('\n')
  .map((line) => Buffer.from(JSON.parse(line).b64, 'base64'));
const ideals = JSON.parse(readFileSync(join(dir, 'ideal.json'), 'utf8'));
// The same run of the worker, as rsyslog wrote it.
const ideal = ideals['syslog-udp-datagrams.jsonl'] ?? ideals['syslog-3164.log'];

const wait = (ms) => new Promise((done) => setTimeout(done, ms));

async function overUdp(port) {
  const socket = createSocket('udp4');
  for (const [index, data] of datagrams.entries()) {
    await new Promise((done, failed) =>
      socket.send(data, port, '127.0.0.1', (error) => (error ? failed(error) : done())),
    );
    if (index % perTurn === 0) await wait(2);
  }
  socket.close();
}

async function overUnix(path) {
  const socket = createRequire(import.meta.url)('unix-dgram').createSocket('unix_dgram');
  for (const data of datagrams) {
    // The kernel keeps ten datagrams and then refuses one more for now: a sender waits.
    const sent = () =>
      new Promise((done) => socket.send(data, 0, data.length, path, (error) => done(!error)));
    while (!(await sent())) await wait(1);
  }
  socket.close();
}

async function overTcp(port, counted) {
  const socket = connect(port, '127.0.0.1');
  for (const data of datagrams) {
    // What Python's handler does over TCP: the text with its line ends, and a NUL. Counted, as rsyslog does.
    const frame = counted
      ? Buffer.concat([Buffer.from(`${data.length} `), data])
      : Buffer.concat([data, Buffer.from([0])]);
    await new Promise((done) => socket.write(frame, done));
  }
  socket.end();
}

async function freePort() {
  const server = createServer();
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}

/** One way to send all of it. Gives what differs. */
async function check(way) {
  const work = mkdtempSync(join(tmpdir(), 'tocsin-syslog-truth-'));
  const posts = [];
  const server = createServer((request, response) => {
    const parts = [];
    request.on('data', (part) => parts.push(part));
    request.on('end', () => {
      posts.push(JSON.parse(Buffer.concat(parts).toString('utf8')));
      response.end('ok');
    });
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  const port = await freePort();
  const path = join(work, 'log.sock');
  writeFileSync(
    join(work, 'tocsin.yaml'),
    `sources: { drain: { syslog: { udp: '127.0.0.1:${port}', tcp: '127.0.0.1:${port}', unix: ${path} } } }
packs: [ celery ]
defaults: { limit: none, remind: [ ${remindMs / 1000}s, 24h ] }
channels: { hook: { type: webhook, url: 'http://127.0.0.1:${server.address().port}/hook' } }
`,
  );
  const child = spawn(process.execPath, [options.bin, 'run'], {
    cwd: work,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (part) => (said += part));
  const ended = new Promise((done) => child.on('close', done));
  try {
    for (const end = Date.now() + startMs; !/^ {2}tells /m.test(said); await wait(50))
      if (Date.now() > end || child.exitCode !== null) throw new Error(`the daemon did not start: ${said}`);
    if (way === 'udp') await overUdp(port);
    else if (way === 'unix') await overUnix(path);
    else await overTcp(port, way === 'octet');
    // The totals are complete once the summaries are there and nothing more comes.
    await wait(remindMs + 2_000);
    for (let before = -1; before !== posts.length; await wait(1_500)) before = posts.length;
  } finally {
    child.kill('SIGTERM');
    await ended;
    server.close();
    rmSync(work, { recursive: true, force: true });
  }
  return compare(way, posts);
}

function compare(way, posts) {
  const incidents = new Map();
  for (const { incident, incidents: rows, notification } of posts) {
    for (const row of rows ?? []) incidents.set(row.id, { ...incidents.get(row.id), ...row });
    if (notification.kind !== 'digest')
      incidents.set(incident.id, { ...incidents.get(incident.id), ...incident });
  }
  const all = [...incidents.values()];
  const failed = all.filter((one) => one.labels?.outcome === 'failed');
  const exhausted = all.filter((one) => one.rule === 'celery-task-failed-after-final-retry');
  const sum = (list) => list.reduce((total, one) => total + one.count, 0);
  const byTask = {};
  for (const { fields, count } of exhausted) byTask[fields.task] = (byTask[fields.task] ?? 0) + count;
  const wrong = [];
  for (const task of new Set([...Object.keys(ideal.X_by_shown_task), ...Object.keys(byTask)]))
    if ((ideal.X_by_shown_task[task] ?? 0) !== (byTask[task] ?? 0))
      wrong.push(
        `${way}: X of ${task}: expected ${ideal.X_by_shown_task[task] ?? 0}, got ${byTask[task] ?? 0}`,
      );
  if (sum(failed) !== ideal.F) wrong.push(`${way}: F: expected ${ideal.F}, got ${sum(failed)}`);
  process.stdout.write(
    `${way.padEnd(8)} datagrams ${datagrams.length}  F ${ideal.F}/${sum(failed)}  X ${ideal.X}/${sum(exhausted)}  incidents ${all.length}  posts ${posts.length}\n`,
  );
  if (options.verbose)
    for (const one of all)
      process.stdout.write(`  ${one.rule} ${one.count} ${one.fields.task} ${one.fields.exception}\n`);
  return wrong;
}

let failures = 0;
for (const way of options.over.split(',')) {
  for (const one of await check(way)) {
    process.stdout.write(`${one}\n`);
    failures++;
  }
}
process.exit(failures > 0 ? 1 : 0);
