/**
 * Reads one UDP socket in a thread of its own, so that the kernel's queue is emptied while the main thread matches. Datagrams are
 * packed into slots of shared memory and given in the order in which they came, with who sent them. The slots are the bound: while all
 * are full the thread reads nothing, so nothing is lost on this side of the kernel, whose own counter tells the rest.
 */
import { Worker } from 'node:worker_threads';
import type { Clock } from '../model/seams.ts';
import { keepHeapSmallBesideThread } from '../system/heap.ts';
import { receive, type Said, type Setup, type UdpAsk } from './udp-thread.ts';

/** Of each slot: bytes (more than the largest datagram), and datagrams. All slots hold 42,000 datagrams of 200 bytes. */
const slotBytes = 128 * 1024;
const slotMessages = 2_048;
const slots = 64;
/**
 * After what was there was handed on, nothing is read for so long: a thread that is woken for each datagram costs both sides more than
 * the datagram does. The first one after a silence is never held up.
 */
const napMs = 2;
/** libuv reads so many datagrams of a socket in one turn of the loop: after fewer, there are no more. */
const perTurn = 32;
/** At the end: so many empty turns of the loop, and what was received is read; so many at most, however much still comes. */
const emptyTurns = 3;
const lastTurns = 2_000;
/** The thread ends by itself; one that does not is ended after so long. */
const endMs = 1_000;
/** The heap of the thread: it keeps nothing. */
const heap = { maxYoungGenerationSizeMb: 2, maxOldGenerationSizeMb: 64 };

/** Some datagrams, one behind the other. All of it is valid during the call only. */
export interface Datagrams {
  readonly data: Buffer;
  /** Where each of them ends. */
  readonly ends: Int32Array;
  /** Who sent each of them: a place in `senders`. */
  readonly from: Int32Array;
  /** Addresses, each once. */
  readonly senders: readonly string[];
}

export interface UdpEvents {
  readonly datagrams: (some: Datagrams) => void;
  /** The socket had an error, and goes on. */
  readonly error: (message: string) => void;
  /** The thread ended without being asked to: nothing is received any more. */
  readonly died: (message: string) => void;
}

export interface UdpReceiver {
  readonly address: string;
  readonly port: number;
  /** Bytes that the kernel granted; it counts its own cost per datagram too. */
  readonly granted: number;
  /** Resolves when what the kernel holds was read and given, and reads nothing from then on. The address is still taken. */
  drain(): Promise<void>;
  /** Resolves when the address is free and the thread is gone. */
  close(): Promise<void>;
}

/**
 * Binds the socket and reads it from then on. Rejects with the error of the system when the address can't be had, or when there can be no
 * thread.
 */
export function openUdpReceiver(ask: UdpAsk, clock: Clock, events: UdpEvents): Promise<UdpReceiver> {
  const memory = new SharedArrayBuffer(headerBytes() + slots * (slotBytes + slotMessages * 8));
  const setup: Setup = {
    ...ask,
    memory,
    slots,
    slotBytes,
    slotMessages,
    napMs,
    perTurn,
    emptyTurns,
    lastTurns,
  };
  // The thread runs the text of a function: there is no second file to be found, whatever the program is packed into.
  const program = `(${receive})(require('node:dgram').createSocket, require('node:worker_threads'))`;
  const worker = new Worker(program, {
    eval: true,
    name: 'udp',
    workerData: setup,
    env: {},
    execArgv: [],
    resourceLimits: heap,
  });
  const copy = Buffer.allocUnsafeSlow(slotBytes);
  let ending = false;
  let gone = false;
  let fault: Error = new Error('its thread ended');
  let drained: (() => void) | null = null;
  const exit = new Promise<void>((resolve) => {
    worker.once('exit', () => {
      gone = true;
      drained?.();
      resolve();
    });
  });
  worker.on('error', (error: Error) => {
    fault = error;
  });
  const receiver = (bound: Extract<Said, { is: 'bound' }>): UdpReceiver => ({
    ...bound,
    drain: () => {
      ending = true;
      if (gone) return exit;
      worker.postMessage('drain');
      return new Promise((resolve) => {
        drained = resolve;
      });
    },
    close: async () => {
      ending = true;
      worker.postMessage('close');
      const timer = clock.setTimer(endMs, () => void worker.terminate());
      await exit;
      timer.cancel();
    },
  });
  return new Promise((resolve, reject) => {
    let open = false;
    void exit.then(() => {
      if (!open) reject(fault);
      else if (!ending) events.died(fault.message);
    });
    worker.on('message', (said: Said) => {
      if (said.is === 'batch') {
        try {
          events.datagrams(unpack(memory, said, copy));
        } finally {
          giveBack(memory, said.slot);
        }
      } else if (said.is === 'error') events.error(said.message);
      else if (said.is === 'drained') drained?.();
      else if (said.is === 'refused') fault = Object.assign(new Error(said.message), { code: said.code });
      else {
        open = true;
        keepHeapSmallBesideThread();
        resolve(receiver(said));
      }
    });
  });
}

/** In front of the slots: for each whether it is full, then how often one was given back. */
function headerBytes(): number {
  return (slots + 1) * 4;
}

function unpack(
  memory: SharedArrayBuffer,
  { slot, used, count, senders }: Extract<Said, { is: 'batch' }>,
  copy: Buffer,
): Datagrams {
  const at = headerBytes() + slot * (slotBytes + slotMessages * 8);
  copy.set(new Uint8Array(memory, at + slotMessages * 8, used));
  return {
    data: copy.subarray(0, used),
    ends: Int32Array.from(new Int32Array(memory, at, count)),
    from: new Int32Array(memory, at + slotMessages * 4, count),
    senders,
  };
}

function giveBack(memory: SharedArrayBuffer, slot: number): void {
  const header = new Int32Array(memory, 0, slots + 1);
  Atomics.store(header, slot, 0);
  Atomics.add(header, slots, 1);
  Atomics.notify(header, slots);
}
