/**
 * Programs that do the same work, where they are installed: mtail, SEC and syslog-ng with 20 patterns over the same log. Each reads
 * a small log and a large one: what the difference takes is its speed, and the small one shows what a start costs.
 */
import { spawn, spawnSync } from 'node:child_process';
import { appendFileSync, copyFileSync, existsSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeLog, rulesOf } from './log.mjs';
import { run } from './measure.mjs';

const ruleCount = 20;
/** The large log is so many times the small one. */
const times = 4;
/** The last line of a log for a program that does not end at the end of it. */
const lastLine = 'THE-END-OF-IT';
const patienceMs = 300_000;

const has = (command) => spawnSync('sh', ['-c', `command -v ${command}`]).status === 0;

const peers = {
  mtail: {
    prepare(dir, patterns) {
      const program = join(dir, 'bench.mtail');
      writeFileSync(
        program,
        patterns
          .map(
            (pattern, index) =>
              `counter c${index}\n/${pattern.replaceAll('/', '\\/')}/ {\n  c${index}++\n}\n`,
          )
          .join(''),
      );
      const fixed = ['--one_shot', '--logtostderr=false', '--log_dir', dir, '--progs', program];
      return (log) => run('mtail', [...fixed, '--logs', log]);
    },
  },
  sec: {
    prepare(dir, patterns) {
      const program = join(dir, 'bench.sec');
      writeFileSync(
        program,
        patterns
          .map(
            (pattern, index) =>
              `type=Single\nptype=RegExp\npattern=${pattern}\ndesc=r${index}\naction=none\n`,
          )
          .join('\n'),
      );
      return (log) => run('sec', [`--conf=${program}`, `--input=${log}`, '--notail', '--fromstart']);
    },
  },
  'syslog-ng': {
    prepare(dir, patterns) {
      return (log) => syslogNg(dir, patterns, log);
    },
  },
};

/** syslog-ng follows its file: it is done when the last line is out. */
async function syslogNg(dir, patterns, log) {
  const place = (name) => join(dir, `ng-${name}`);
  for (const name of ['conf', 'out', 'end', 'persist', 'pid', 'ctl', 'log'])
    rmSync(place(name), { force: true });
  const filters = patterns
    .map(
      (pattern) =>
        `match("${pattern.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}" value("MESSAGE") type("pcre"))`,
    )
    .join(' or ');
  copyFileSync(log, place('log'));
  appendFileSync(place('log'), `${lastLine}\n`);
  writeFileSync(
    place('conf'),
    `@version: 3.38
options { stats-freq(0); };
source s { file("${place('log')}" flags(no-parse) follow-freq(0.1) log-fetch-limit(10000) log-iw-size(100000)); };
filter f { ${filters} };
log { source(s); filter(f); destination { file("${place('out')}"); }; flags(flow-control); };
log { source(s); filter { match("${lastLine}" value("MESSAGE")) }; destination { file("${place('end')}"); }; };
`,
  );
  const began = performance.now();
  const child = spawn(
    'syslog-ng',
    ['-F', '-f', place('conf'), '-R', place('persist'), '-p', place('pid'), '-c', place('ctl')],
    { stdio: 'ignore' },
  );
  const ended = () => existsSync(place('end')) && statSync(place('end')).size > 0;
  while (!ended() && performance.now() - began < patienceMs)
    await new Promise((resolve) => setTimeout(resolve, 10));
  const seconds = (performance.now() - began) / 1000;
  child.kill('SIGKILL');
  return { seconds, peakMiB: null };
}

/** `megabytes`: size of the small log. `tocsin(rules, log)` runs the whole daemon over a log to its end. */
export async function peersBench({ dir, cache, megabytes, tocsin }) {
  const rules = rulesOf(ruleCount);
  const patterns = rules.map((rule) => rule.pattern.replace(/\(\?<\w+>/g, '('));
  const sizes = [megabytes, megabytes * times];
  const logs = sizes.map((size) => join(cache, `mixed-${size}.log`));
  for (const [index, size] of sizes.entries())
    makeLog({ path: logs[index], bytes: size * 1e6, rules, matching: 1000, celery: false });
  console.log(
    `\nPeers, ${ruleCount} rules: seconds for ${sizes[0]} MB and ${sizes[1]} MB, speed of what is between them, and how many times as fast Tocsin is`,
  );
  const ours = [];
  for (const log of logs) ours.push(await tocsin(rules, log));
  const speed = ([small, large]) => (sizes[1] - sizes[0]) / (large.seconds - small.seconds);
  const show = (name, runs, note) =>
    console.log(
      `  ${name.padEnd(10)} ${runs.map((one) => `${one.seconds.toFixed(2).padStart(7)} s`).join('')} ${speed(runs).toFixed(0).padStart(6)} MB/s  ${note}`,
    );
  show('tocsin', ours, '');
  for (const [name, peer] of Object.entries(peers)) {
    if (!has(name)) {
      console.log(`  ${name} is not installed: skipped`);
      continue;
    }
    const over = peer.prepare(dir, patterns);
    const runs = [];
    for (const log of logs) runs.push(await over(log));
    show(
      name,
      runs,
      `${(speed(ours) / speed(runs)).toFixed(1)} times; with the start, ${sizes[1]} MB: ${(runs[1].seconds / ours[1].seconds).toFixed(1)} times`,
    );
  }
}
