/**
 * kill -9 at random moments while lines are written and the log is rotated. Afterwards: every line told exactly once as an incident of
 * its own, the counts of grouped incidents exact, and whatever was posted twice carries the same id. Prints one JSON line; exit 1 on
 * any fault, and then says which lines were told twice or never, in which generation of the log, and what was killed around it.
 * Options: --kills 30 --rate 200 --seed 1 --keep (leaves the folder, with the state), --envelope cri or syslog (the lines stand in
 * one, each is followed by a line of its own producer that goes on with it, and by lines of others that no rule wants).
 */
import { spawn } from 'node:child_process';
import {
  closeSync,
  copyFileSync,
  createReadStream,
  createWriteStream,
  mkdtempSync,
  openSync,
  renameSync,
  rmSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { createGzip } from 'node:zlib';

const args = process.argv.slice(2);
const number = (name, other) => (args.includes(name) ? Number(args[args.indexOf(name) + 1]) : other);
const kills = number('--kills', 30);
const rate = number('--rate', 200);
const seed = number('--seed', Math.floor(Math.random() * 1e9));
const envelope = args.includes('--envelope') ? args[args.indexOf('--envelope') + 1] : '';
const main = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

let state = seed >>> 0;
function random() {
  state = (state + 0x6d2b79f5) >>> 0;
  let t = state;
  t = Math.imul(t ^ (t >>> 15), t | 1);
  t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
}
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const began = performance.now();
const sinceBegan = () => Math.round(performance.now() - began);

/** What stops all of it: a wait that has no end would look like a slow machine. */
function fail(text) {
  console.log(JSON.stringify({ seed, fault: text, pass: false }));
  console.error(timeline(), said.slice(-4000), `\nkept: ${dir}`);
  child?.kill('SIGKILL');
  process.exit(1);
}
async function until(what, deadlineMs, holds) {
  const end = performance.now() + deadlineMs;
  while (!holds()) {
    if (performance.now() > end) fail(`${what}: not within ${deadlineMs} ms`);
    await wait(20);
  }
}
const gone = () => child.exitCode !== null || child.signalCode !== null;

const dir = mkdtempSync(join(tmpdir(), 'tocsin-kill-'));
const log = join(dir, 'app.log');
const posts = [];
const server = createServer((request, response) => {
  const parts = [];
  request.on('data', (part) => parts.push(part));
  request.on('end', () => {
    posts.push({ id: request.headers['webhook-id'], body: JSON.parse(Buffer.concat(parts).toString()) });
    response.end('ok');
  });
});
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
writeFileSync(
  join(dir, 'tocsin.yaml'),
  `sources: { app: { file: app.log, start: beginning } }
rules: [ rules.yaml ]
defaults: { limit: none, remind: [ 1s ] }
channels: { hook: { type: webhook, url: 'http://127.0.0.1:${server.address().port}/hook' } }
`,
);
writeFileSync(
  join(dir, 'rules.yaml'),
  `rules:
  - { id: each, match: 'seq=(?<n>\\d+) ', by: n }
  - { id: kinds, match: 'kind=(?<kind>\\d+) ', by: kind }
`,
);

let child = null;
let said = '';
function start() {
  child = spawn(
    process.execPath,
    [main, 'run', '--config', join(dir, 'tocsin.yaml'), '--log-level', 'warn'],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  child.stderr.on('data', (part) => {
    said = (said + part).slice(-20_000);
  });
}

let fd = openSync(log, 'a');
let n = 0;
let rotations = 0;
const byKind = new Map();
/** What each generation of the log held, and when it was rotated away: `from` and `to` are the first and the last line. */
const generations = [];
const happened = [];
let writing = true;
const zips = [];

/** A line as its producer's envelope has it. */
function enveloped(text, producer) {
  if (envelope === 'cri')
    return `2026-01-05T10:00:00.123456789Z ${producer % 2 === 0 ? 'stdout' : 'stderr'} F ${text}\n`;
  if (envelope === 'syslog') return `Jan  5 10:00:00 web-${producer % 7} worker[${producer}]: ${text}\n`;
  return `${text}\n`;
}

function nextText() {
  return `2026-01-05 10:00:00 ERROR seq=${n} kind=${n % 10} failed ${'x'.repeat(Math.floor(random() * 200))}`;
}

function counted() {
  const kind = String(n % 10);
  byKind.set(kind, (byKind.get(kind) ?? 0) + 1);
  n++;
}

/** A line in two parts, as a container runtime that rotates between them leaves it. */
function putAcross(old, fresh) {
  const text = nextText();
  const part = (tag, some) => `2026-01-05T10:00:00.123456789Z stdout ${tag} ${some}\n`;
  const half = Math.floor(random() * text.length);
  writeSync(old, part('P', text.slice(0, half)));
  writeSync(fresh, part('F', text.slice(half)));
  counted();
}

function put(to = fd) {
  const text = nextText();
  if (envelope === '') writeSync(to, `${text}\n`);
  else {
    const producer = Math.floor(random() * 40);
    const quiet = Array.from({ length: 3 }, () =>
      enveloped('2026-01-05 10:00:00 INFO nothing of note', Math.floor(random() * 40)),
    );
    writeSync(to, enveloped(text, producer) + enveloped('  more of it', producer) + quiet.join(''));
  }
  counted();
}

async function rotate() {
  rotations++;
  const to = `${log}.${rotations}`;
  const kind = random();
  const name = kind < 0.33 ? 'gzip' : kind < 0.66 ? 'rename' : 'copytruncate';
  happened.push({ at: sinceBegan(), n, text: `${name} ${rotations} begins` });
  if (kind < 0.66) {
    const old = fd;
    renameSync(log, to);
    put(old);
    fd = openSync(log, 'a');
    put(old);
    if (envelope === 'cri') putAcross(old, fd);
    closeSync(old);
    // What comes after this belongs to the next.
    generations.push({ number: rotations, name, to: n - 1 });
    happened.push({ at: sinceBegan(), n, text: `${name} ${rotations} done` });
    if (kind < 0.33) {
      zips.push(
        wait(1000).then(async () => {
          await pipeline(createReadStream(to), createGzip(), createWriteStream(`${to}.gz.tmp`));
          renameSync(`${to}.gz.tmp`, `${to}.gz`);
          unlinkSync(to);
        }),
      );
    }
    return;
  }
  copyFileSync(log, to);
  truncateSync(log, 0);
  generations.push({ number: rotations, name, to: n - 1 });
  happened.push({ at: sinceBegan(), n, text: `${name} ${rotations} done` });
}

/** What happened, with the ranges of lines that were told other than once. */
function timeline(odd = []) {
  const lines = happened.map(({ at, n: seq, text }) => `${at} ms @${seq} ${text}`);
  for (const { what, numbers } of odd) {
    let from = 0;
    for (const { number: of, name, to } of [...generations, { number: 'live', name: '', to: Infinity }]) {
      const inside = numbers.filter((one) => one >= from && one <= to);
      if (inside.length > 0)
        lines.push(`${what}: ${inside.length} of ${of} ${name} (${from}..${to}): ${ranges(inside)}`);
      from = to + 1;
    }
  }
  return lines.join('\n');
}

function ranges(sorted) {
  const parts = [];
  for (const one of sorted) {
    const last = parts.at(-1);
    if (last && last[1] === one - 1) last[1] = one;
    else parts.push([one, one]);
  }
  return parts.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(' ');
}

async function write() {
  const began = performance.now();
  let nextRotation = began + 3000;
  const first = n;
  while (writing) {
    while (n - first < ((performance.now() - began) / 1000) * rate) put();
    if (performance.now() > nextRotation) {
      await rotate();
      nextRotation = performance.now() + 1500 + random() * 4000;
    }
    await wait(5);
  }
}

// A file that was rotated away before anybody ever saw it is nobody's: the first line is told before the storm begins.
put();
start();
await until('the first post', 30_000, () => posts.length > 0);
const writer = write();
let killed = 0;
for (; killed < kills; killed++) {
  await wait(Math.max(50, -Math.log(1 - random()) * 700));
  if (gone())
    fail(`the program ended by itself (${child.exitCode ?? child.signalCode}) after kill ${killed}`);
  child.kill('SIGKILL');
  happened.push({ at: sinceBegan(), n, text: `kill ${killed + 1}` });
  await until('the end of the killed program', 10_000, gone);
  if (random() < 0.3) await wait(random() * 500);
  start();
  happened.push({ at: sinceBegan(), n, text: 'start' });
}
writing = false;
await writer;
await Promise.all(zips);
closeSync(fd);

const counts = () => {
  const latest = new Map();
  for (const { body } of posts) {
    if (body.incident.rule !== 'kinds') continue;
    const known = latest.get(body.incident.id);
    if (!known || body.incident.count > known.incident.count) latest.set(body.incident.id, body);
  }
  const sums = new Map();
  for (const body of latest.values())
    sums.set(body.incident.fields.kind, (sums.get(body.incident.fields.kind) ?? 0) + body.incident.count);
  return sums;
};
const seen = () =>
  new Set(
    posts.filter((one) => one.body.incident.rule === 'each').map((one) => Number(one.body.incident.fields.n)),
  );
// As long as messages come it is only slow.
let last = posts.length;
let lastAt = performance.now();
const end = performance.now() + 180_000;
while (performance.now() < end && performance.now() - lastAt < 30_000) {
  const sums = counts();
  if (seen().size === n && [...byKind].every(([kind, count]) => sums.get(kind) === count)) break;
  await wait(250);
  if (posts.length > last) lastAt = performance.now();
  last = posts.length;
}
child.kill('SIGTERM');
await until('the end after SIGTERM', 30_000, gone);
server.close();

const sums = counts();
const told = seen();
const missing = [];
for (let one = 0; one < n; one++) if (!told.has(one)) missing.push(one);
const wrongCounts = [...byKind]
  .filter(([kind, count]) => sums.get(kind) !== count)
  .map(([kind, count]) => ({ kind, written: count, told: sums.get(kind) ?? 0 }));
const ids = new Map();
let repeats = 0;
let otherIds = 0;
for (const { id, body } of posts) {
  if (id !== body.notification.id) otherIds++;
  const what = `${body.incident.rule}:${body.incident.fields.n ?? body.incident.fields.kind}:${body.incident.id}:${body.notification.sequence}`;
  const known = ids.get(what);
  if (known === undefined) ids.set(what, id);
  else if (known === id) repeats++;
  else otherIds++;
}
const twice = new Map();
for (const { body } of posts) {
  if (body.incident.rule !== 'each' || body.notification.kind !== 'first') continue;
  const of = twice.get(body.incident.fields.n) ?? new Set();
  twice.set(body.incident.fields.n, of.add(body.incident.id));
}
const split = [...twice].filter(([, of]) => of.size > 1).map(([one]) => one);
const readTwice = posts
  .filter(({ body }) => body.incident.rule === 'each' && body.incident.count > 1)
  .map(({ body }) => Number(body.incident.fields.n))
  .sort((a, b) => a - b);
const result = {
  seed,
  kills: killed,
  lines: n,
  rotations,
  posts: posts.length,
  missing: missing.length,
  missingFirst: missing.slice(0, 10),
  wrongCounts,
  repeatsWithSameId: repeats,
  repeatsWithOtherId: otherIds,
  toldTwice: split.length,
  readTwice: readTwice.length,
  readTwiceFrom: readTwice[0],
  readTwiceTo: readTwice.at(-1),
  toldTwiceFirst: split.slice(0, 10),
};
const good = missing.length === 0 && wrongCounts.length === 0 && otherIds === 0 && split.length === 0;
console.log(JSON.stringify({ ...result, pass: good }));
const byNumber = (numbers) => [...new Set(numbers.map(Number))].sort((a, b) => a - b);
const odd = [
  { what: 'never told', numbers: missing },
  { what: 'read twice', numbers: byNumber(readTwice) },
  { what: 'two incidents', numbers: byNumber(split) },
];
if (!good) console.error(timeline(odd), `\n${said.slice(-1000)}\nkept: ${dir}`);
else if (!args.includes('--keep')) rmSync(dir, { recursive: true, force: true });
process.exit(good ? 0 : 1);
