/**
 * Keeps V8's heap small: a sidecar has little memory, and V8 takes what it can get. Measured on a log of 1 GB: two thirds of the
 * memory at the same speed. The flags must be set before the bulk of the program is loaded.
 */
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';

/** The young generation grows with what is allocated at once; beyond this it costs memory and saves no time. */
const youngBytesMax = 4 * 1024 * 1024;

/**
 * Whether the young generation may grow. Not `yet`: small, it stays beside the processor, and a daemon that waits takes half as much of
 * it. Much work makes it grow, until it is large enough.
 */
let growth: 'as V8 likes' | 'not yet' | 'now' | 'no more' = 'as V8 likes';

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

/** Sets the flags; the young generation does not grow before the first large piece of work. */
export function keepHeapSmall(): void {
  // Collect when a fifth more is in use, not when it has doubled. So small a young generation is collected before other threads are
  // awake to help.
  setFlags(['--heap-growing-percent=20', '--no-parallel-scavenge', ...cheaply]);
  growth = 'not yet';
  stopGrowth();
}

/** To be called after much work of a kind that comes again and again, such as matching many bytes. */
export function keepHeapSmallAfterWork(): void {
  if (growth === 'as V8 likes' || growth === 'no more') return;
  const young = getHeapSpaceStatistics().find((space) => space.space_name === 'new_space');
  if ((young?.space_size ?? 0) >= youngBytesMax) {
    growth = 'no more';
    stopGrowth();
  } else if (growth === 'not yet') {
    growth = 'now';
    letGrow();
  }
}

/** To be called when a thread was started: V8 sets the growth anew with the heap of each. */
export function keepHeapSmallBesideThread(): void {
  if (growth === 'not yet' || growth === 'no more') stopGrowth();
}

/**
 * Does a long piece of work that does not come again, such as reading a configuration of a thousand rules. The young generation stays as
 * it is meanwhile: nobody could say when it is large enough.
 */
export function keepHeapSmallDuring<T>(work: () => T): T {
  stopGrowth();
  try {
    return work();
  } finally {
    if (growth === 'now' || growth === 'as V8 likes') letGrow();
  }
}

function stopGrowth(): void {
  setFlagsFromString('--semi-space-growth-factor=1');
}

function letGrow(): void {
  setFlagsFromString('--semi-space-growth-factor=2');
}
