/**
 * Keeps V8's heap small: a sidecar has little memory, and V8 takes what it can get. Measured on a log of 1 GB: two thirds of the
 * memory at the same speed. The flags must be set before the bulk of the program is loaded.
 */
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';
import type { Clock } from '../model/seams.ts';

/** The young generation grows with what is allocated at once; beyond this it costs memory and saves no time. */
const youngBytesMax = 4 * 1024 * 1024;
/** Time between two looks at it, ms; they end when it has grown that far. */
const lookMs = 100;

/** Whether the young generation has grown as far as it may. */
let grown = false;

/** How WebAssembly is compiled: undici's when it runs, and once. It takes 30 MiB to do better. */
const cheaply = ['--liftoff', '--liftoff-only', '--wasm-lazy-compilation'];
/** At once, as fast as can be. */
const fully = ['--no-liftoff-only', '--no-liftoff', '--no-wasm-lazy-compilation'];

function setFlags(flags: readonly string[]): void {
  for (const flag of flags) setFlagsFromString(flag);
}

/** Does work that compiles WebAssembly of our own: it runs most of the time. */
export function compileFully(compile: () => void): void {
  setFlags(fully);
  try {
    compile();
  } finally {
    setFlags(cheaply);
  }
}

/** Sets the flags, and stops the growth of the young generation when it is large enough. */
export function keepHeapSmall(clock: Clock): void {
  // Collect when a fifth more is in use, not when it has doubled.
  setFlags(['--heap-growing-percent=20', ...cheaply]);
  const look = (): void => {
    const young = getHeapSpaceStatistics().find((space) => space.space_name === 'new_space');
    grown = (young?.space_size ?? 0) >= youngBytesMax;
    if (grown) stopGrowth();
    else clock.setTimer(lookMs, look);
  };
  look();
}

/** To be called when a thread was started: V8 sets the growth anew with the heap of each. */
export function keepHeapSmallBesideThread(): void {
  if (grown) stopGrowth();
}

/**
 * Does a long piece of work during which no timer comes, such as reading a configuration of a thousand rules. The young generation
 * stays as it is meanwhile: nobody could say when it is large enough.
 */
export function keepHeapSmallDuring<T>(work: () => T): T {
  stopGrowth();
  try {
    return work();
  } finally {
    if (!grown) setFlagsFromString('--semi-space-growth-factor=2');
  }
}

function stopGrowth(): void {
  setFlagsFromString('--semi-space-growth-factor=1');
}
