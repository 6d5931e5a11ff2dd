/**
 * What the thread of a UDP socket does: it binds the socket, packs what comes into slots of shared memory, and says which of them are
 * full. Its text is all that the thread has, so that it may use nothing from outside of itself. The other side is `udp-receiver.ts`.
 */
import type { createSocket } from 'node:dgram';
import type { MessagePort } from 'node:worker_threads';

/** Where to listen, and what the kernel is asked to keep for the socket while nobody reads. */
export interface UdpAsk {
  readonly type: 'udp4' | 'udp6';
  readonly host: string | null;
  readonly port: number;
  readonly receiveBytes: number;
}

/** What the thread is told at its start: the memory with its slots, and the limits, which are named where they are set. */
export interface Setup extends UdpAsk {
  readonly memory: SharedArrayBuffer;
  readonly slots: number;
  readonly slotBytes: number;
  readonly slotMessages: number;
  readonly napMs: number;
  readonly perTurn: number;
  readonly emptyTurns: number;
  readonly lastTurns: number;
}

/** What the thread says. */
export type Said =
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

/** The program of the thread. */
export function receive(
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
