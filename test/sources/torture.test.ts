/**
 * Numbered lines under every kind of rotation, in an order that a seed decides: each line arrives once, none torn, none foreign.
 * The second half restarts the source again and again, as after a kill: only what was saved goes on.
 */
import {
  closeSync,
  copyFileSync,
  existsSync,
  ftruncateSync,
  openSync,
  readFileSync,
  renameSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { LinePort } from '../support/line-port.ts';
import { type Mode, type Tailing, tail } from '../support/tailing.ts';
import { tempDir } from '../support/temp-dir.ts';
import { waitFor } from '../support/wait-for.ts';

/** mulberry32: small, seeded, the same everywhere. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296) * below);
  };
}

class Rotator {
  readonly written: string[] = [];
  readonly #log: string;
  readonly #below: (below: number) => number;
  #fd: number;
  #rotations = 0;
  #packLater: string | null = null;

  constructor(log: string, seed: number) {
    this.#log = log;
    this.#below = random(seed);
    this.#fd = openSync(log, 'a');
  }

  below(n: number): number {
    return this.#below(n);
  }

  write(fd = this.#fd): void {
    const line = `${String(this.written.length).padStart(6, '0')} ${'é任x'.repeat(this.#below(40))}.`;
    this.written.push(line);
    const bytes = Buffer.from(`${line}\n`);
    const cut = this.#below(5) === 0 ? this.#below(bytes.length) : bytes.length;
    writeSync(fd, bytes.subarray(0, cut));
    if (cut < bytes.length) writeSync(fd, bytes.subarray(cut));
  }

  rename(): void {
    const old = this.#fd;
    const half = Buffer.from(`${String(this.written.length).padStart(6, '0')} in two halves.\n`);
    this.written.push(half.toString().trim());
    writeSync(old, half.subarray(0, 9));
    renameSync(this.#log, this.#newName());
    if (this.#below(2) === 0) writeFileSync(this.#log, '');
    writeSync(old, half.subarray(9));
    for (let i = this.#below(4); i > 0; i--) this.write(old);
    this.#fd = openSync(this.#log, 'a');
    this.write(this.#below(2) === 0 ? old : this.#fd);
    closeSync(old);
  }

  renameAndPack(): void {
    this.rename();
    this.#packLater = `${this.#log}.${this.#rotations}`;
  }

  pack(): void {
    const file = this.#packLater;
    this.#packLater = null;
    if (file === null || !existsSync(file)) return;
    writeFileSync(`${file}.gz`, gzipSync(readFileSync(file)));
    unlinkSync(file);
  }

  copyAndTruncate(): void {
    copyFileSync(this.#log, this.#newName());
    ftruncateSync(this.#fd);
    for (let i = this.#below(3) * 20; i > 0; i--) this.write();
  }

  replace(): void {
    const old = this.#fd;
    this.#fd = openSync(`${this.#log}.new`, 'a');
    this.write();
    renameSync(`${this.#log}.new`, this.#log);
    for (let i = this.#below(3); i > 0; i--) this.write(old);
    closeSync(old);
  }

  remove(): void {
    const old = this.#fd;
    unlinkSync(this.#log);
    for (let i = this.#below(3); i > 0; i--) this.write(old);
    closeSync(old);
    this.#fd = openSync(this.#log, 'a');
  }

  close(): void {
    closeSync(this.#fd);
  }

  #newName(): string {
    return `${this.#log}.${++this.#rotations}`;
  }
}

function missing(rotator: Rotator, taken: readonly string[]): string {
  const seen = new Map<string, number>();
  for (const line of taken) seen.set(line, (seen.get(line) ?? 0) + 1);
  const lost = rotator.written.filter((line) => !seen.has(line));
  const twice = [...seen].filter(([, times]) => times > 1).map(([line]) => line);
  const known = new Set(rotator.written);
  const foreign = taken.filter((line) => !known.has(line));
  return JSON.stringify({ lost: lost.slice(0, 5), twice: twice.slice(0, 5), foreign: foreign.slice(0, 5) });
}
const allRight = JSON.stringify({ lost: [], twice: [], foreign: [] });

const runs: [Mode, string, number][] = [
  ['events', 'app.log', 1],
  ['events', 'app.log*', 2],
  ['poll only', 'app.log', 3],
  ['poll only', 'app.log*', 4],
];

describe.each(runs)('T77 T79 B14 rotation in every way, %s, %s, seed %i', (mode, pattern, seed) => {
  it('while it is read', async () => {
    const dir = tempDir();
    const rotator = new Rotator(join(dir, 'app.log'), seed);
    const { port } = await tail({ paths: [join(dir, pattern)], mode });
    const operations = ['rename', 'renameAndPack', 'copyAndTruncate', 'replace', 'remove'] as const;
    for (let round = 0; round < 40; round++) {
      for (let i = rotator.below(60); i > 0; i--) rotator.write();
      const operation = operations[rotator.below(operations.length)] ?? 'rename';
      // What is removed or truncated before anybody saw the file is lost to everyone; renamed files are found.
      if (operation !== 'rename' || rotator.below(3) > 0) {
        await waitFor('lines', () => port.taken.length >= rotator.written.length).catch(() => undefined);
      }
      rotator[operation]();
      if (rotator.below(2) === 0) rotator.pack();
    }
    rotator.write();
    await waitFor('the last lines', () => port.taken.length >= rotator.written.length).catch(() => undefined);
    expect(missing(rotator, port.lines)).toBe(allRight);
    rotator.close();
  });

  it('T59 T78 while it is restarted', async () => {
    const dir = tempDir();
    const rotator = new Rotator(join(dir, 'app.log'), seed + 100);
    let port = new LinePort();
    let tailing: Tailing = await tail({ paths: [join(dir, pattern)], mode, port });
    const taken: string[] = [];
    const operations = ['rename', 'renameAndPack', 'copyAndTruncate'] as const;
    rotator.write();
    await waitFor('the first line', () => port.taken.length === 1);
    for (let round = 0; round < 25; round++) {
      // What was taken and not saved never had an effect: both are frozen at the same moment.
      const saved = new Map(port.saved);
      taken.push(...port.lines);
      const stopping = tailing.stop();
      port.onTake = () => {
        throw Object.assign(new Error('killed'), { code: 'KILLED' });
      };
      await stopping;
      for (let n = rotator.below(3); n >= 0; n--) {
        for (let i = 1 + rotator.below(40); i > 0; i--) rotator.write();
        rotator[operations[rotator.below(operations.length)] ?? 'rename']();
        rotator.pack();
      }
      port = new LinePort(saved);
      tailing = await tail({ paths: [join(dir, pattern)], mode, port, firstStart: false });
      await waitFor('all', () => taken.length + port.taken.length >= rotator.written.length).catch(
        () => undefined,
      );
      expect([round, missing(rotator, [...taken, ...port.lines])]).toEqual([round, allRight]);
    }
    rotator.close();
  });
});
