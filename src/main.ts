#!/usr/bin/env node
/** The process: its arguments, environment, streams and signals go to the command line; its exit code comes back. Nothing else. */
import { fstatSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { realClock, realRandom } from './system/clock.ts';
import { armFault } from './system/fault.ts';
import { keepHeapSmall } from './system/heap.ts';

keepHeapSmall();
// A reload may be asked for while the daemon still starts: it comes when somebody listens, and is not the end of the process.
let hangUps = 0;
const countHangUp = (): void => {
  hangUps++;
};
if (process.argv.includes('run')) process.on('SIGHUP', countHangUp);
const { cli } = await import('./cli/cli.ts');

/** A terminal is no input, and neither is /dev/null, which services are started with: both are character devices. */
function hasInput(): boolean {
  try {
    return !fstatSync(0).isCharacterDevice();
  } catch {
    return false;
  }
}

const root = new URL('..', import.meta.url);
const { version } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8')) as { version: string };

armFault(process.env['TOCSIN_FAULT_POINT']);
// A closed pipe (`| head`) ends what we print, not what we do.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});

const code = await cli(process.argv, {
  version,
  program: fileURLToPath(import.meta.url),
  packsDir: fileURLToPath(new URL('rules', root)),
  env: process.env,
  cwd: process.cwd(),
  stdin: process.stdin,
  hasInput: hasInput(),
  stdout: process.stdout,
  stderr: process.stderr,
  clock: realClock,
  random: realRandom,
  onSignal: (signal, listener) => {
    process.on(signal, listener);
    if (signal === 'SIGHUP') {
      process.off('SIGHUP', countHangUp);
      if (hangUps > 0) listener();
      hangUps = 0;
    }
    return () => process.off(signal, listener);
  },
  exitNow: (status) => process.exit(status),
});
// What was printed to a pipe is written before the process ends; a pipe that nobody reads does not hold it.
const drained = Promise.all(
  [process.stdout, process.stderr].map((stream) => new Promise((resolve) => stream.write('', resolve))),
);
await Promise.race([drained, new Promise((resolve) => realClock.setTimer(1_000, () => resolve(undefined)))]);
process.exit(code);
