/**
 * The drain under load, 200 bytes a message and 100 rules, one message in 1,000 matching: a minute of `loggen` over TCP (received must be
 * sent), the highest rate over TCP (one producer; three with forms of their own), and syslog-ng and rsyslog writing the same to a file; the
 * highest rate over UDP without a loss. Takes what the benchmark's main file gives it; prints its lines.
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { askDaemon } from '../../build/daemon/control.js';
import { cpuSeconds, freePort, peakMiB, run, thousands } from './measure.mjs';

const sender = fileURLToPath(new URL('./syslog-sender.mjs', import.meta.url));
const evenSender = fileURLToPath(new URL('./udp-sender.mjs', import.meta.url));
const messageBytes = 200;
const perPiece = 1_000;
const turns = 3;
const rsyslogDir = process.env.TOCSIN_RSYSLOG_DIR ?? '/tmp/tocsin-rsyslog';

const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const has = (command) => spawnSync('sh', ['-c', `command -v ${command}`]).status === 0;

/** Heads of messages as senders write them; `at` is a number below 1,000. */
const forms = {
  5424: (at) => `<38>1 2026-01-05T10:00:00.${String(at).padStart(3, '0')}Z web${at % 3} worker 1234 - - `,
  3164: (at) => `<38>Jan  5 10:00:00 web${at % 3} worker[1234]: `,
  rsyslog: (at) =>
    `<38>2026-01-05T10:00:00.${String(at).padStart(3, '0')}000+00:00 web${at % 3} worker[1234]: `,
};

/** 1,000 messages of 200 bytes in one form, one of which a rule matches. Gives the file. */
function makePiece(dir, form, rules) {
  const path = join(dir, `syslog-piece-${form}`);
  const lines = Array.from({ length: perPiece }, (_, index) => {
    const text =
      index === perPiece / 2
        ? rules[7].line(index)
        : `request ${String(index).padStart(6, '0')} served from the cache`;
    return `${`${forms[form](index)}${text} `.padEnd(messageBytes - 1, 'x')}\n`;
  });
  writeFileSync(path, lines.join(''));
  return path;
}

/** Sends each piece over a connection of its own, all at once, until the messages are sent. Gives how many those are. */
async function produce(port, pieces, messages) {
  const times = Math.floor(messages / perPiece / pieces.length);
  await Promise.all(
    pieces.map((piece) => run(process.execPath, [sender, String(port), piece, String(times)])),
  );
  return times * pieces.length * perPiece;
}

/** A daemon that is a drain. `drain()` tells what it has received so far. */
async function startDrain({ configFor, startDaemon, rulesOf }) {
  const rules = rulesOf(100);
  const port = await freePort();
  const config = configFor(rules, `sources: { drain: { syslog: '127.0.0.1:${port}' } }\n`);
  const child = await startDaemon(config);
  const drain = async () =>
    (await askDaemon(`${config}.state`, { command: 'status', args: {} })).data.sources.drain;
  return { rules, port, child, drain };
}

/** `configFor(rules, more)` writes a configuration, `startDaemon(config)` runs it. `seconds`: how long loggen runs. */
export async function syslogBench(make) {
  const { dir, seconds, messages } = make;
  const { rules, port, child, drain } = await startDrain(make);
  /** Waits until no more records come; gives how many came since `before`, and when the last one did. */
  const settled = async (before, wanted) => {
    let last = await drain();
    let at = performance.now();
    for (;;) {
      await wait(50);
      const now = await drain();
      if (now.records !== last.records) at = performance.now();
      last = now;
      if (now.records - before.records >= wanted || performance.now() - at > 2_000) break;
    }
    return { ...last, got: last.records - before.records, at };
  };
  console.log(`\nSyslog, ${messageBytes} bytes a message, 100 rules, one message in 1,000 matching`);
  if (has('loggen')) await steady(port, seconds, drain, settled);
  else console.log('  loggen is not installed (Debian: syslog-ng-core): no steady minute');
  const pieces = Object.keys(forms).map((form) => makePiece(dir, form, rules));
  const producers = { 'one producer': pieces.slice(0, 1), 'three producers, mixed': pieces };
  const ours = {};
  for (const [name, those] of Object.entries(producers))
    ours[name] = await highestTcp(name, those, { port, messages, drain, settled, child });
  child.kill('SIGKILL');
  for (const [name, those] of Object.entries(producers)) await peers(dir, name, those, messages, ours[name]);
}

function loggen(args) {
  return run('loggen', [...args, '--size', String(messageBytes), '-Q']);
}

function sentBy({ stdout, stderr }) {
  return Number(/count=(\d+)/.exec(stdout + stderr)?.[1] ?? 0);
}

async function steady(port, seconds, drain, settled) {
  const before = await drain();
  const done = await loggen([
    '-i',
    '-S',
    '--rate',
    '20000',
    '-I',
    String(seconds),
    '127.0.0.1',
    String(port),
  ]);
  const sent = sentBy(done);
  const { got } = await settled(before, sent);
  console.log(
    `  loggen, TCP, 20,000/s for ${seconds} s: sent ${thousands(sent)}, received ${thousands(got)}${sent === got ? '' : '  LOST'}`,
  );
}

async function highestTcp(name, pieces, { port, messages, drain, settled, child }) {
  let best = 0;
  for (let turn = 0; turn < turns; turn++) {
    const before = await drain();
    const cpu = cpuSeconds(child.pid);
    const began = performance.now();
    const sent = await produce(port, pieces, messages);
    const { got, at } = await settled(before, sent);
    const rate = sent / ((Math.max(at, began + 1) - began) / 1000);
    const perMessage = ((cpuSeconds(child.pid) - cpu) / sent) * 1e6;
    best = Math.max(best, rate);
    console.log(
      `  TCP as fast as it is taken, ${name}: ${thousands(rate)}/s, ${thousands(got)} of ${thousands(sent)}${got === sent ? '' : '  LOST'}, ` +
        `${perMessage.toFixed(2)} µs of processor a message, peak ${peakMiB(child.pid).toFixed(0)} MiB`,
    );
  }
  return best;
}

/**
 * The highest rate over UDP without a loss: of a sender that sends evenly, and of `loggen`, each of whose runs begins with as many as it may
 * send in a second, all at once. The first run warms up.
 */
export async function udpBench(make) {
  const { dir, seconds } = make;
  const { rules, port, child, drain } = await startDrain(make);
  const piece = makePiece(dir, '5424', rules);
  const evenly = (rate, during) =>
    run(process.execPath, [evenSender, String(port), piece, String(rate), String(during)]);
  const bursting = (rate, during) =>
    loggen(['-i', '-D', '--rate', String(rate), '-I', String(during), '127.0.0.1', String(port)]);
  const kept = Number(readFileSync('/proc/sys/net/core/rmem_max', 'latin1')) / 1024;
  console.log(
    `\nSyslog over UDP, ${messageBytes} bytes a message, 100 rules, net.core.rmem_max ${thousands(kept)} KiB`,
  );
  await datagrams('to warm up', evenly, 50_000, 2, { drain, child });
  for (const rate of [50_000, 75_000, 100_000, 110_000, 125_000])
    await datagrams('sent evenly', evenly, rate, seconds, { drain, child });
  if (!has('loggen')) console.log('  loggen is not installed (Debian: syslog-ng-core): no bursts');
  else
    for (const rate of [50_000, 75_000, 100_000, 125_000])
      await datagrams('loggen', bursting, rate, seconds, { drain, child });
  child.kill('SIGKILL');
}

async function datagrams(name, send, rate, during, { drain, child }) {
  const before = await drain();
  const cpu = cpuSeconds(child.pid);
  const sent = sentBy(await send(rate, during));
  // The kernel's counter is read once a second.
  await wait(2_500);
  const after = await drain();
  const got = after.records - before.records;
  const lost = (after.dropped.udp_kernel_drops ?? 0) - (before.dropped.udp_kernel_drops ?? 0);
  const perMessage = ((cpuSeconds(child.pid) - cpu) / sent) * 1e6;
  console.log(
    `  ${name}, ${thousands(rate)}/s asked for ${during} s: ${thousands(sent)} sent (${thousands(sent / during)}/s), ${thousands(got)} received, ` +
      `${thousands(lost)} dropped by the kernel and counted, ${thousands(sent - got - lost)} lost without a word, ${perMessage.toFixed(1)} µs of processor a datagram`,
  );
}

/** syslog-ng and rsyslog taking the same messages over TCP into a file. */
async function peers(dir, producers, pieces, messages, ours) {
  for (const [name, make] of [
    ['syslog-ng', syslogNg],
    ['rsyslog', rsyslog],
  ]) {
    const port = await freePort();
    const out = join(dir, `${name}-${pieces.length}.out`);
    const peer = make(dir, port, out);
    if (peer === null) {
      console.log(`  ${name} is not installed: skipped`);
      continue;
    }
    await wait(1_500);
    let best = 0;
    for (let turn = 0; turn < turns; turn++) {
      const size = existsSync(out) ? statSync(out).size : 0;
      const began = performance.now();
      const sent = await produce(port, pieces, messages);
      let last = -1;
      let at = performance.now();
      for (; performance.now() - at < 2_000; await wait(20)) {
        const now = existsSync(out) ? statSync(out).size : 0;
        if (now !== last) at = performance.now();
        last = now;
      }
      if (last > size) best = Math.max(best, sent / ((at - began) / 1000));
    }
    console.log(
      `  ${name}, TCP into a file, ${producers}: ${thousands(best)}/s; Tocsin ${(ours / best).toFixed(1)} times that`,
    );
    peer.kill('SIGKILL');
  }
}

function syslogNg(dir, port, out) {
  if (!has('syslog-ng')) return null;
  const config = join(dir, 'drain-ng.conf');
  writeFileSync(
    config,
    `@version: 3.38
options { stats-freq(0); use-dns(no); dns-cache(no); keep-hostname(yes); };
source n { network(ip("127.0.0.1") port(${port}) transport("tcp") flags(syslog-protocol) log-iw-size(100000) log-fetch-limit(10000)); };
destination d { file("${out}" template("$ISODATE $HOST $MSGHDR$MSG\\n")); };
log { source(n); destination(d); flags(flow-control); };
`,
  );
  return spawn(
    'syslog-ng',
    [
      '-F',
      '--no-caps',
      '-f',
      config,
      '-R',
      join(dir, 'd.persist'),
      '-p',
      join(dir, 'd.pid'),
      '-c',
      join(dir, 'd.ctl'),
    ],
    { stdio: 'ignore' },
  );
}

function rsyslog(dir, port, out) {
  const unpacked = join(rsyslogDir, 'usr/sbin/rsyslogd');
  const command = existsSync(unpacked) ? unpacked : 'rsyslogd';
  if (command === 'rsyslogd' && !has('rsyslogd')) return null;
  const libraries = join(rsyslogDir, 'usr/lib/x86_64-linux-gnu');
  const config = join(dir, 'drain-rsyslog.conf');
  writeFileSync(
    config,
    `global(workDirectory="${dir}" net.enableDNS="off")
module(load="imtcp")
input(type="imtcp" port="${port}" address="127.0.0.1")
*.* action(type="omfile" file="${out}" flushOnTXEnd="off" ioBufferSize="64k")
`,
  );
  return spawn(
    command,
    [
      ...(command === unpacked ? ['-M', join(libraries, 'rsyslog')] : []),
      '-n',
      '-f',
      config,
      '-i',
      join(dir, 'r.pid'),
    ],
    {
      stdio: 'ignore',
      env: { ...process.env, ...(command === unpacked ? { LD_LIBRARY_PATH: libraries } : {}) },
    },
  );
}
