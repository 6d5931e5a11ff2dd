/**
 * kill -9 at random moments while lines are written and the log is rotated. Afterwards: every line told exactly once as an incident of
 * its own, the counts of grouped incidents exact, and whatever was posted twice carries the same id. Prints one JSON line; exit 1 on
 * any fault. Options: --kills 30 --rate 200 --seed 1 --keep (leaves the folder).
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
const rotationsAt = [];
let writing = true;
const zips = [];

function put(to = fd) {
  const kind = n % 10;
  writeSync(
    to,
    `2026-01-05 10:00:00 ERROR seq=${n} kind=${kind} failed ${'x'.repeat(Math.floor(random() * 200))}\n`,
  );
  byKind.set(String(kind), (byKind.get(String(kind)) ?? 0) + 1);
  n++;
}

async function rotate() {
  rotations++;
  const to = `${log}.${rotations}`;
  const kind = random();
  rotationsAt.push(`${kind < 0.33 ? 'gzip' : kind < 0.66 ? 'rename' : 'copytruncate'} -> ${rotations} @${n}`);
  if (kind < 0.66) {
    const old = fd;
    renameSync(log, to);
    put(old);
    fd = openSync(log, 'a');
    put(old);
    closeSync(old);
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
while (posts.length === 0) await wait(20);
const writer = write();
let killed = 0;
const events = [];
for (; killed < kills; killed++) {
  await wait(Math.max(50, -Math.log(1 - random()) * 700));
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  events.push(`kill@${n}`);
  await gone;
  if (random() < 0.3) await wait(random() * 500);
  start();
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
const end = performance.now() + 30_000;
while (performance.now() < end) {
  const sums = counts();
  if (seen().size === n && [...byKind].every(([kind, count]) => sums.get(kind) === count)) break;
  await wait(100);
}
child.kill('SIGTERM');
await new Promise((resolve) => child.once('exit', resolve));
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
if (!good) console.error(rotationsAt.join('\n'), events.join(' '), said.slice(-4000), `\nkept: ${dir}`);
else if (!args.includes('--keep')) rmSync(dir, { recursive: true, force: true });
process.exit(good ? 0 : 1);
