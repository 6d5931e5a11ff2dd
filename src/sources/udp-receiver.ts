/**
 * Reads one UDP socket in a thread of its own, so that the kernel's queue is emptied while the main thread matches. Datagrams are
 * packed into slots of shared memory and given in the order in which they came, with who sent them. The slots are the bound: while all
 * are full the thread reads nothing, so nothing is lost on this side of the kernel, whose own counter tells the rest.
 */
import type { createSocket } from 'node:dgram';
import { type MessagePort, Worker } from 'node:worker_threads';
import type { Clock } from '../model/seams.ts';
import { keepHeapSmallBesideThread } from '../system/heap.ts';

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

/** Where to listen, and what the kernel is asked to keep for the socket while nobody reads. */
export interface UdpAsk {
  readonly type: 'udp4' | 'udp6';
  readonly host: string | null;
  readonly port: number;
  readonly receiveBytes: number;
}

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

interface Setup extends UdpAsk {
  readonly memory: SharedArrayBuffer;
  readonly slots: number;
  readonly slotBytes: number;
  readonly slotMessages: number;
  readonly napMs: number;
  readonly perTurn: number;
  readonly emptyTurns: number;
  readonly lastTurns: number;
}

type Said =
  | { readonly is: 'bound'; readonly address: string; readonly port: number; readonly granted: number }
  | { readonly is: 'refused'; readonly code: string; readonly message: string }
  | {
      readonly is: 'batch';
      readonly slot: number;
      readonly used: number;
      readonly count: number;
      readonly senders: readonly string[];
    }
  | { readonly is: 'error'; readonly message: string }
  | { readonly is: 'drained' };

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
  // The thread runs the text of a function of this file: there is no second file to be found, whatever the program is packed into.
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

/** What the thread does. Its text is all that the thread has: it may use nothing from outside of itself. */
function receive(
  create: typeof createSocket,
  threads: { readonly workerData: Setup; readonly parentPort: MessagePort },
): void {
  const { workerData: setup, parentPort: port } = threads;
  const header = new Int32Array(setup.memory, 0, setup.slots + 1);
  const napping = new Int32Array(new SharedArrayBuffer(4));
  const socket = create({ type: setup.type, recvBufferSize: setup.receiveBytes });
  const known = new Map<string, number>();
  let slot = -1;
  let data: Uint8Array = new Uint8Array(0);
  let ends: Int32Array = new Int32Array(0);
  let from: Int32Array = new Int32Array(0);
  let used = 0;
  let count = 0;
  let last = '';
  let lastPlace = 0;
  let received = 0;
  let turned = 0;
  let armed = false;

  /** A slot that is free. While there is none the thread stands still, and the kernel keeps what comes. */
  function take(): void {
    for (;;) {
      const seen = Atomics.load(header, setup.slots);
      slot = 0;
      while (slot < setup.slots && Atomics.load(header, slot) !== 0) slot++;
      if (slot < setup.slots) break;
      Atomics.wait(header, setup.slots, seen);
    }
    const size = setup.slotBytes + setup.slotMessages * 8;
    const at = header.byteLength + slot * size;
    ends = new Int32Array(setup.memory, at, setup.slotMessages);
    from = new Int32Array(setup.memory, at + setup.slotMessages * 4, setup.slotMessages);
    data = new Uint8Array(setup.memory, at + setup.slotMessages * 8, setup.slotBytes);
    used = 0;
    count = 0;
    last = '';
    known.clear();
  }

  function flush(): void {
    if (count === 0) return;
    Atomics.store(header, slot, 1);
    port.postMessage({ is: 'batch', slot, used, count, senders: [...known.keys()] } satisfies Said);
    count = 0;
    slot = -1;
  }

  function look(): void {
    const more = turned >= setup.perTurn;
    turned = 0;
    if (more) {
      setImmediate(look);
      return;
    }
    armed = false;
    flush();
    Atomics.wait(napping, 0, 0, setup.napMs);
  }

  socket.on('message', (bytes, { address }) => {
    received++;
    turned++;
    if (!armed) {
      armed = true;
      setImmediate(look);
    }
    if (bytes.length === 0) return;
    if (slot >= 0 && (used + bytes.length > setup.slotBytes || count === setup.slotMessages)) flush();
    if (slot < 0) take();
    if (address !== last) {
      last = address;
      lastPlace = known.get(address) ?? known.size;
      known.set(address, lastPlace);
    }
    data.set(bytes, used);
    used += bytes.length;
    ends[count] = used;
    from[count++] = lastPlace;
  });

  function drain(): void {
    let before = received;
    let empty = 0;
    let turns = 0;
    const turn = (): void => {
      empty = received === before ? empty + 1 : 0;
      before = received;
      if (empty < setup.emptyTurns && ++turns < setup.lastTurns) {
        setImmediate(turn);
        return;
      }
      socket.removeAllListeners('message');
      flush();
      port.postMessage({ is: 'drained' } satisfies Said);
    };
    setImmediate(turn);
  }

  port.on('message', (wish: string) => {
    if (wish === 'drain') drain();
    else socket.close(() => port.close());
  });
  socket.once('error', (error: NodeJS.ErrnoException) => {
    port.postMessage({ is: 'refused', code: error.code ?? '', message: error.message } satisfies Said);
    socket.close(() => port.close());
  });
  socket.bind({ port: setup.port, ...(setup.host === null ? {} : { address: setup.host }) }, () => {
    socket.removeAllListeners('error');
    socket.on('error', ({ message }) => port.postMessage({ is: 'error', message } satisfies Said));
    const granted = socket.getRecvBufferSize();
    port.postMessage({ is: 'bound', ...socket.address(), granted } satisfies Said);
  });
}
