/** What a source is made with in tests: a port that keeps lines, time that is moved by hand, and what it warned of. */
import { Readable } from 'node:stream';
import { watchNothing } from '../../src/system/watch.ts';
import type { FakeClock } from './fake-clock.ts';
import type { LinePort } from './line-port.ts';

/** The source's side, and the list that its warnings go to. */
export function sourceDeps(port: LinePort, clock: FakeClock) {
  const warnings: string[] = [];
  const deps = {
    port,
    clock,
    watch: watchNothing,
    stdin: Readable.from([]),
    firstStart: true,
    timeOf: null,
    warn: (text: string) => warnings.push(text),
  };
  return { deps, warnings };
}
