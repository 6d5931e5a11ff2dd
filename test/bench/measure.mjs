/** Runs a program and measures it: wall seconds, processor seconds, the most memory it held. Reads /proc, so Linux only. */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';

const ticksPerSecond = 100;

/** User and system seconds of a process so far. */
export function cpuSeconds(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

export function peakMiB(pid) {
  return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;
}

export function residentMiB(pid) {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;
}

/** Resolves when the program ends: { seconds, cpu, peakMiB, code, stdout, stderr }. */
export function run(command, args, options = {}) {
  return new Promise((resolve, reject) => {
    const began = performance.now();
    const child = spawn(command, args, {
      stdio: [options.stdin ?? 'ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...options.env },
    });
    let peak = 0;
    let cpu = 0;
    let stdout = '';
    let stderr = '';
    const look = setInterval(() => {
      try {
        peak = Math.max(peak, peakMiB(child.pid));
        cpu = cpuSeconds(child.pid);
      } catch {
        // It has just ended.
      }
    }, 10);
    child.stdout.on('data', (part) => {
      if (stdout.length < 1e6) stdout += part;
    });
    child.stderr.on('data', (part) => {
      if (stderr.length < 1e6) stderr += part;
    });
    child.on('error', reject);
    child.on('close', (code) => {
      clearInterval(look);
      resolve({ seconds: (performance.now() - began) / 1000, cpu, peakMiB: peak, code, stdout, stderr });
    });
  });
}

/** The best of several runs by wall time, with the largest memory of all. */
export function bestOf(runs) {
  const fastest = runs.reduce((a, b) => (b.seconds < a.seconds ? b : a));
  return { ...fastest, peakMiB: Math.max(...runs.map((one) => one.peakMiB)) };
}

/** A program run several times. */
export async function best(times, command, args, options) {
  const runs = [];
  for (let turn = 0; turn < times; turn++) runs.push(await run(command, args, options));
  return bestOf(runs);
}

/** A port of 127.0.0.1 that nobody listens on. */
export async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A number as people read it. */
export const thousands = (number) => Math.round(number).toLocaleString('en-US');
