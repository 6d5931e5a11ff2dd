/**
 * Runs a rotation torture tool against the real daemon: `node test/torture/rotate.mjs TOOL.py [--seeds 5] [--lines 3000] [--rate 1000]
 * [--ops a,b,c] [--kill-every SECONDS] [--poll-only]`. The tool writes numbered lines while it rotates in every way and says which lines must arrive; a rule
 * that matches each line makes an incident of each, and what was posted is given back to the tool to check. Exit 1 on any fault.
 */
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const args = process.argv.slice(2);
const tool = args[0];
const option = (name, other) => (args.includes(name) ? args[args.indexOf(name) + 1] : other);
const seeds = Number(option('--seeds', '5'));
const firstSeed = Number(option('--first-seed', '1'));
const lines = option('--lines', '3000');
const rate = option('--rate', '1000');
const settle = option('--settle-ms', '350');
const killEvery = Number(option('--kill-every', '0'));
const ops = option(
  '--ops',
  'rename,gzip,rename_chain,torn_rename,copytruncate,torn_copytruncate,truncate_regrow,replace,unlink,touch,symlink,chmod',
);
const main = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const env = args.includes('--poll-only') ? { ...process.env, TOCSIN_POLL_ONLY: '1' } : process.env;
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function isOver(config) {
  const asked = spawnSync(process.execPath, [main, 'status', '--config', config, '--json'], {
    encoding: 'utf8',
  });
  try {
    const { channels, sources } = JSON.parse(asked.stdout);
    return channels.hook.queued === 0 && sources.app.lag_bytes === 0;
  } catch {
    return false;
  }
}

async function one(seed) {
  const dir = mkdtempSync(join(tmpdir(), 'tocsin-rotate-'));
  const logs = join(dir, 'logs');
  mkdirSync(logs);
  const posts = [];
  const server = createServer((request, response) => {
    const parts = [];
    request.on('data', (part) => parts.push(part));
    request.on('end', () => {
      posts.push(JSON.parse(Buffer.concat(parts).toString()));
      response.end('ok');
    });
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const config = join(dir, 'tocsin.yaml');
  writeFileSync(
    config,
    `sources: { app: { file: ${logs}/app.log, start: beginning, multiline: none, format: plain } }
rules: [ rules.yaml ]
defaults: { limit: none, remind: [ 1s ] }
channels: { hook: { type: webhook, url: 'http://127.0.0.1:${server.address().port}/hook' } }
`,
  );
  writeFileSync(
    join(dir, 'rules.yaml'),
    `rules: [ { id: each, match: '^T\\d+-(?<n>\\d+) ', by: n }, { id: rest, where: { message: '*' }, except: '^T\\d+-\\d+ ', by: message } ]\n`,
  );
  let said = '';
  let child;
  const start = () => {
    child = spawn(process.execPath, [main, 'run', '--config', config, '--log-level', 'warn'], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env,
    });
    child.stderr.on('data', (part) => {
      said = (said + part).slice(-20_000);
    });
  };
  start();
  // What is truncated before anybody read it is nobody's: a loaded machine may take its time to start.
  for (let turn = 0; turn < 600 && !said.includes('  tells  '); turn++) await wait(50);
  const writer = spawn(
    'python3',
    [
      tool,
      logs,
      '--seed',
      String(seed),
      '--lines',
      lines,
      '--rate',
      rate,
      '--ops',
      ops,
      '--settle-ms',
      settle,
      '--truth',
      join(dir, 'truth.jsonl'),
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  let ended = false;
  let summary = '';
  writer.stdout.on('data', (part) => {
    summary += part;
  });
  writer.once('exit', () => {
    ended = true;
  });
  let kills = 0;
  while (!ended) {
    await wait(killEvery > 0 ? killEvery * 1000 : 50);
    // What was rotated away before anybody ever saw it is nobody's.
    if (killEvery > 0 && !ended && posts.length > 0) {
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGKILL');
      await gone;
      kills++;
      start();
    }
  }
  // The last start may take its time on a loaded machine, and there is always something to tell after a kill: all is told when
  // everything was read, twice in a row, and nothing waits to be sent.
  for (let turn = 0, over = 0, before = -1; turn < 120 && over < 2; turn++) {
    await wait(1500);
    over = posts.length === before && isOver(config) ? over + 1 : 0;
    before = posts.length;
  }
  child.kill('SIGTERM');
  await new Promise((resolve) => child.once('exit', resolve));
  server.close();
  // One line for each match that an incident counts: a line read twice is a count of two, or two incidents.
  const latest = new Map();
  const aside = new Set();
  for (const { incident, record } of posts) {
    // What it says of itself and of its channels is shown, and no line.
    if (record === null) {
      aside.add(incident?.title ?? 'no incident');
      continue;
    }
    const known = latest.get(incident.id);
    if (!known || incident.count > known.count)
      latest.set(incident.id, { count: incident.count, text: known?.text ?? record.message });
  }
  const delivered = join(dir, 'delivered');
  writeFileSync(
    delivered,
    [...latest.values()].flatMap(({ count, text }) => Array(count).fill(`${text}\n`)).join(''),
  );
  const check = spawnSync('python3', [tool, '--check', join(dir, 'truth.jsonl'), delivered], {
    encoding: 'utf8',
  });
  const pass = check.status === 0;
  console.log(
    `seed ${seed}${kills > 0 ? `, ${kills} kills` : ''}: ${pass ? 'pass' : 'FAIL'} ${check.stdout.trim()}${aside.size > 0 ? ` also said: ${[...aside].join('; ')}` : ''}${pass ? '' : `\n${check.stderr}\n${summary.trim()}\n${said.slice(-3000)}\nkept: ${dir}`}`,
  );
  if (pass) rmSync(dir, { recursive: true, force: true });
  return pass;
}

let failed = 0;
for (let seed = firstSeed; seed < firstSeed + seeds; seed++) if (!(await one(seed))) failed++;
process.exit(failed === 0 ? 0 : 1);
