/**
 * Thousands of files of one folder that are rotated at once, as each night: how long until the first lines of all the new ones are read,
 * and what it costs. Renamed, and copied and truncated; while the daemon runs, and while it does not. Prints its lines.
 */
import { appendFileSync, copyFileSync, mkdirSync, renameSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { askDaemon } from '../../build/daemon/control.js';
import { cpuSeconds, thousands } from './measure.mjs';

const files = 2_000;
const patienceMs = 120_000;
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const ways = {
  renamed: (path) => renameSync(path, `${path}.1`),
  'copied and truncated': (path) => {
    copyFileSync(path, `${path}.1`);
    truncateSync(path);
  },
};

export async function rotationBench({ configFor, startDaemon, rulesOf, dir }) {
  console.log(`\n${thousands(files)} files of one folder, rotated at once, 20 rules`);
  for (const [way, rotate] of Object.entries(ways))
    for (const runs of [true, false]) await once(way, rotate, runs, { configFor, startDaemon, rulesOf, dir });
}

async function once(way, rotate, runs, { configFor, startDaemon, rulesOf, dir }) {
  const logs = join(dir, `rotated-${way.replaceAll(' ', '-')}-${runs}`);
  mkdirSync(logs);
  const paths = Array.from({ length: files }, (_, n) => join(logs, `worker-${n}.log`));
  for (const path of paths) writeFileSync(path, `first line of ${path}\n`);
  const config = configFor(rulesOf(20), `sources: { many: { file: '${logs}/*.log' } }\n`);
  const records = async () =>
    (await askDaemon(`${config}.state`, { command: 'status', args: {} })).data.sources.many.records;
  let child = await startDaemon(config);
  await wait(10_000);
  let before = await records();
  let cpu = cpuSeconds(child.pid);
  if (!runs) {
    child.kill('SIGTERM');
    await new Promise((resolve) => child.once('exit', resolve));
    before = cpu = 0;
  }
  for (const path of paths) {
    rotate(path);
    appendFileSync(path, `new line of ${path}\n`);
  }
  const began = performance.now();
  if (!runs) child = await startDaemon(config);
  let got = 0;
  for (; got < files && performance.now() - began < patienceMs; await wait(100))
    got = (await records()) - before;
  const seconds = (performance.now() - began) / 1000;
  console.log(
    `  ${way} ${runs ? 'while it runs' : 'while it does not run'}: ${thousands(got)} new lines read after ${seconds.toFixed(1)} s, ${(cpuSeconds(child.pid) - cpu).toFixed(1)} s of processor`,
  );
  child.kill('SIGKILL');
}
