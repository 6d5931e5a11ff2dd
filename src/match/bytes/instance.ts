/**
 * Instances of the innermost loops (`assembly/`, in AssemblyScript: sixteen bytes at a time where JavaScript has one), each with a
 * memory of its own. What an instance works on is copied into it, which costs less than a third of the work itself. Places in
 * it are addresses.
 */
import { code } from './code.ts';

/** As much of it as is used here; its types belong to browsers. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: unknown };
};

/** What the compiled code offers. Numbers are unsigned, but come as signed ones. */
export interface Loops {
  readonly memory: { readonly buffer: ArrayBuffer; grow(pages: number): number };
  recordStarts(from: number, to: number, maxLine: number, shape: number, base: number, out: number): number;
  find(plan: number, from: number, to: number, lanes: number, out: number): number;
  numbersIn(plan: number, from: number, to: number, out: number, room: number): number;
}

/** What `find` and `numbersIn` say where they have no room for all. */
export const tooMany = -1;

const pageBytes = 64 * 1024;

let compiled: object | null = null;

/** Compiles the code, if it wasn't yet. Whoever wants it compiled in a certain way calls this before there is an instance. */
export function compileLoops(): object {
  compiled ??= new WebAssembly.Module(Buffer.from(code, 'base64'));
  return compiled;
}

/** A new instance with a memory of so many bytes at least. */
export function newLoops(bytes: number): Loops {
  const loops = new WebAssembly.Instance(compileLoops()).exports as Loops;
  const missing = bytes - loops.memory.buffer.byteLength;
  if (missing > 0) loops.memory.grow(Math.ceil(missing / pageBytes));
  return loops;
}
