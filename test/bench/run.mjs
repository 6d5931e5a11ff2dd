/**
 * `npm run bench`: the whole daemon over a generated log, beside grep and the peers that are installed, in one run on one machine,
 * as ratios. Also memory, latency and idle cost. Options: --mb 1000 (size of the log), --quick (100 MB), --only NAME.
 * Writes nothing but files in a temporary folder, and prints the table.
 */
import { spawn, spawnSync } from 'node:child_process';
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { httpBench } from './http.mjs';
import { makeLog, rulesOf } from './log.mjs';
import { best, bestOf, cpuSeconds, peakMiB, residentMiB, run } from './measure.mjs';
import { peersBench } from './peers.mjs';
import { rotationBench } from './rotation.mjs';
import { syslogBench, udpBench } from './syslog.mjs';

const main = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const args = process.argv.slice(2);
const option = (name, other) => (args.includes(name) ? args[args.indexOf(name) + 1] : other);
const megabytes = Number(option('--mb', args.includes('--quick') ? '100' : '1000'));
const only = option('--only', '');
const wants = (name) => only === '' || only === name;
const cache = join(tmpdir(), 'tocsin-bench');
mkdirSync(cache, { recursive: true });
const dir = mkdtempSync(join(tmpdir(), 'tocsin-bench-run-'));
process.on('exit', () => rmSync(dir, { recursive: true, force: true }));

const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const has = (command) => spawnSync('sh', ['-c', `command -v ${command}`]).status === 0;

const received = [];
const server = createServer((request, response) => {
  const at = performance.now();
  const parts = [];
  request.on('data', (part) => parts.push(part));
  request.on('end', () => {
    received.push({ at, text: Buffer.concat(parts).toString() });
    response.end('ok');
  });
});
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const url = `http://127.0.0.1:${server.address().port}/hook`;

function configFor(rules, extra = '') {
  const path = join(dir, `tocsin-${rules.length}-${Math.random().toString(36).slice(2)}.yaml`);
  const rulesPath = `${path}.rules`;
  writeFileSync(
    rulesPath,
    `rules:\n${rules.map((rule) => `  - { id: ${rule.id}, match: '${rule.pattern}', by: [] }\n`).join('')}`,
  );
  writeFileSync(
    path,
    `rules: [ ${rulesPath} ]\nchannels: { hook: { type: webhook, url: '${url}' } }\nstate: { dir: ${path}.state }\n${extra}`,
  );
  return path;
}

function patternsFor(rules) {
  const path = join(dir, `patterns-${rules.length}`);
  writeFileSync(
    path,
    `${rules.map((rule) => rule.pattern.replaceAll('(?<', '(?P<').replace(/\(\?P<\w+>/g, '(')).join('\n')}\n`,
  );
  return path;
}

const line = (name, mbs, ratio, memory) =>
  console.log(
    `  ${name.padEnd(34)} ${mbs.toFixed(0).padStart(6)} MB/s  ${ratio.padStart(7)}  ${memory === null ? '' : `${memory.toFixed(0).padStart(5)} MiB`}`,
  );

function onceArgs(config, log) {
  return [main, 'run', '--once', '--config', config, '--log-level', 'warn', log];
}

/** The best of three runs over a log, to its end. */
function bestOnce(config, log) {
  return best(3, process.execPath, onceArgs(config, log));
}

async function throughput() {
  for (const celery of [false, true]) {
    const all = rulesOf(1000);
    const log = join(cache, `${celery ? 'celery' : 'mixed'}-of-10-${megabytes}.log`);
    // The same lines match 10 rules as 1,000, so that nothing but the rules differs.
    makeLog({ path: log, bytes: megabytes * 1e6, rules: all.slice(0, 10), matching: 1000, celery });
    spawnSync('cat', [log], { stdio: ['ignore', 'ignore', 'ignore'] });
    console.log(
      `\n${megabytes} MB of ${celery ? 'Celery' : 'mixed'} lines, one in 1,000 matching (best of 5; ratio to rg -j1 with the same patterns)`,
    );
    const kinds = [1, 10, 20, 100, 1000].map((count) => {
      const rules = all.slice(0, count);
      return { count, config: configFor(rules), patterns: patternsFor(rules), ours: [], grep: [] };
    });
    // In turns: what else the machine does meanwhile slows all of them down.
    for (let turn = 0; turn < 5; turn++) {
      for (const { config, patterns, ours, grep } of kinds) {
        ours.push(await run(process.execPath, onceArgs(config, log)));
        if (has('rg')) grep.push(await run('rg', ['-j1', '-c', '-f', patterns, log]));
      }
    }
    const times = {};
    for (const { count, ours: runs, grep: greps } of kinds) {
      const failed = runs.find(({ code }) => code !== 0);
      if (failed) console.log(`  tocsin failed: ${failed.code} ${failed.stderr.slice(-2000)}`);
      const ours = bestOf(runs);
      times[count] = ours.seconds;
      const speed = megabytes / ours.seconds;
      if (greps.length > 0) {
        const grep = bestOf(greps);
        line(`tocsin, ${count} rules`, speed, (grep.seconds / ours.seconds).toFixed(2), ours.peakMiB);
        line(`rg -j1 -c, ${count} patterns`, megabytes / grep.seconds, '1', grep.peakMiB);
      } else line(`tocsin, ${count} rules`, speed, '', ours.peakMiB);
    }
    console.log(`  1,000 rules cost ${(times[1000] / times[10]).toFixed(2)} x of 10`);
  }
}

/** Lines in envelopes, found out by themselves: a fifth of the log. */
async function envelopes() {
  const rules = rulesOf(20);
  const size = Math.max(50, megabytes / 5);
  console.log(`\nLines in envelopes, format auto, 20 rules, ${size} MB (best of 3)`);
  const stampOf = (time) => new Date(time).toISOString();
  const syslog = (processes) => (text, _time, random) => {
    const pid = Math.floor(random() * processes);
    return `Jan  5 10:00:00 web-${pid % 50} app${pid % 20}[${1000 + pid}]: ${text}`;
  };
  const kinds = {
    'Kubernetes (CRI)': (text, time) => `${stampOf(time).slice(0, -1)}000000Z stdout F ${text}`,
    'Docker (json-file)': (text, time) =>
      JSON.stringify({ log: `${text}\n`, stream: 'stderr', time: stampOf(time) }),
    'syslog file, 8 processes': syslog(8),
    'syslog file, 4,000 processes': syslog(4000),
    'JSON lines': (text, time) => JSON.stringify({ time: stampOf(time), level: 'info', message: text }),
  };
  for (const [name, wrap] of Object.entries(kinds)) {
    const log = join(cache, `${name.replaceAll(/\W+/g, '-')}-${size}.log`);
    makeLog({ path: log, bytes: size * 1e6, rules, matching: 1000, celery: false, wrap });
    const ours = await bestOnce(configFor(rules), log);
    line(name, size / ours.seconds, ours.code === 0 ? '' : `FAILED ${ours.code}`, ours.peakMiB);
  }
}

async function startDaemon(config, openFiles = null) {
  const run = [process.execPath, main, 'run', '--config', config, '--log-level', 'warn'];
  const limited = openFiles === null ? run : ['sh', '-c', `ulimit -n ${openFiles}; exec "$@"`, 'sh', ...run];
  const child = spawn(limited[0], limited.slice(1), { stdio: ['ignore', 'ignore', 'pipe'] });
  await new Promise((resolve) => {
    let said = '';
    child.stderr.on('data', (part) => {
      said += part;
      if (said.includes('tells')) resolve();
    });
  });
  await new Promise((resolve) => setTimeout(resolve, 1500));
  return child;
}

async function latency() {
  const log = join(dir, 'latency.log');
  writeFileSync(log, '');
  const rules = [{ id: 'seen', pattern: 'ping (?<n>\\d+)' }];
  const config = configFor(
    rules,
    `sources: { app: { file: ${log}, multiline: none } }\ndefaults: { by: n, limit: none }\n`,
  );
  writeFileSync(`${config}.rules`, `rules: [ { id: seen, match: 'ping (?<n>\\d+)', by: n, limit: none } ]\n`);
  const child = await startDaemon(config);
  const sent = new Map();
  received.length = 0;
  for (let n = 0; n < 400; n++) {
    sent.set(String(n), performance.now());
    appendFileSync(log, `ping ${n}\n`);
    await new Promise((resolve) => setTimeout(resolve, 20 + (n % 7) * 13));
  }
  await new Promise((resolve) => setTimeout(resolve, 2000));
  const waits = received
    .map((one) => one.at - sent.get(String(JSON.parse(one.text).incident.fields.n)))
    .sort((a, b) => a - b);
  console.log(
    `\nLine written -> request received, quiet machine, 400 lines: ${waits.length} told, p50 ${waits[Math.floor(waits.length * 0.5)]?.toFixed(1)} ms, p99 ${waits[Math.floor(waits.length * 0.99)]?.toFixed(1)} ms, max ${waits.at(-1)?.toFixed(1)} ms`,
  );
  child.kill('SIGKILL');
}

/** What many files cost: `active` of them get a line a second. Every line must be told once. */
async function idle(files, active, openFiles) {
  const logs = join(dir, `many-${files}-${openFiles ?? 'all'}`);
  mkdirSync(logs);
  const path = (n) => join(logs, `worker-${n}.log`);
  for (let n = 0; n < files; n++) writeFileSync(path(n), `line of file ${n}\n`);
  const config = configFor(
    rulesOf(20),
    `sources: { many: { file: '${logs}/*.log' } }\ndefaults: { limit: none }\n`,
  );
  appendFileSync(`${config}.rules`, `  - { id: ping, match: 'ping (?<n>[0-9-]+)', by: n }\n`);
  const child = await startDaemon(config, openFiles);
  await wait(20_000);
  received.length = 0;
  const before = cpuSeconds(child.pid);
  const seconds = 20;
  // A line a second each. First lines that no rule wants: an alert costs more than the files do.
  const writes = async (word) => {
    for (let second = 0; second < seconds; second++) {
      for (let n = 0; n < active; n++) {
        appendFileSync(path(Math.floor((n * files) / active)), `${word} ${second}-${n}\n`);
      }
      await wait(1_000);
    }
  };
  await writes('quiet');
  const used = cpuSeconds(child.pid) - before;
  if (active > 0) await writes('ping');
  const alerting = cpuSeconds(child.pid) - before - used;
  await wait(1_000);
  const told = new Map();
  for (const { text } of received) {
    const { n } = JSON.parse(text).incident.fields;
    told.set(n, (told.get(n) ?? 0) + 1);
  }
  const once = [...told.values()].filter((times) => times === 1).length;
  const limit = openFiles === undefined ? '' : `, at most ${openFiles} open`;
  const lines =
    active === 0
      ? ''
      : `; where each line is an alert ${((alerting / seconds) * 100).toFixed(2)} %, ${once} of ${active * seconds} told once`;
  console.log(
    `\nIdle with ${files} files, ${active} active${limit}: ${((used / seconds) * 100).toFixed(2)} % of a core, ${residentMiB(child.pid).toFixed(0)} MiB resident, peak ${peakMiB(child.pid).toFixed(0)} MiB${lines}`,
  );
  child.kill('SIGKILL');
}

async function everyLine() {
  const log = join(cache, 'every.log');
  const lines = 1_000_000;
  makeEvery(log, lines);
  const path = join(dir, 'every.yaml');
  writeFileSync(`${path}.rules`, `rules: [ { id: seen, match: 'job (?<kind>\\w+) number', by: kind } ]\n`);
  writeFileSync(
    path,
    `rules: [ ${path}.rules ]\nchannels: { hook: { type: webhook, url: '${url}' } }\nstate: { dir: ${path}.state }\n`,
  );
  const ours = await best(2, process.execPath, [
    main,
    'run',
    '--once',
    '--config',
    path,
    '--log-level',
    'warn',
    log,
  ]);
  console.log(
    `\nEvery line matches, by a field of 100 values: ${(lines / ours.seconds / 1000).toFixed(0)} thousand records/s, peak ${ours.peakMiB.toFixed(0)} MiB${ours.code === 0 ? '' : ` FAILED ${ours.stderr.slice(-500)}`}`,
  );
}

function makeEvery(path, lines) {
  let text = '';
  writeFileSync(path, '');
  for (let n = 0; n < lines; n++) {
    text += `2026-01-05 10:00:00 worker: job kind${n % 100} number ${n} did not end well, status ${n % 7}\n`;
    if (text.length > 1 << 20) {
      appendFileSync(path, text);
      text = '';
    }
  }
  appendFileSync(path, text);
}

console.log(`Node ${process.version}, ${cpus().length} x ${cpus()[0]?.model}`);
if (wants('throughput')) await throughput();
if (wants('envelopes')) await envelopes();
if (wants('every')) await everyLine();
if (wants('peers'))
  await peersBench({
    dir,
    cache,
    megabytes: Math.max(25, megabytes / 20),
    tocsin: (rules, log) => bestOnce(configFor(rules), log),
  });
if (wants('latency')) await latency();
if (wants('idle')) {
  await idle(1000, 0);
  await idle(5000, 10);
  await idle(5000, 10, 256);
}
if (wants('rotation')) await rotationBench({ configFor, startDaemon, rulesOf, dir });
if (wants('syslog')) {
  const quick = args.includes('--quick');
  const size = quick ? { seconds: 10, messages: 1_000_000 } : { seconds: 60, messages: 5_000_000 };
  await syslogBench({ configFor, startDaemon, rulesOf, dir, ...size });
}
if (wants('udp')) {
  const seconds = args.includes('--quick') ? 5 : 20;
  await udpBench({ configFor, startDaemon, rulesOf, dir, seconds });
}
if (wants('http')) await httpBench({ configFor, startDaemon, rulesOf });
server.close();
process.exit(0);
