/**
 * What the kernel threw away because nobody read it in time: the counter of one UDP socket in /proc/net/udp. Takes the address that
 * the socket is bound to; gives how many datagrams are missing since the last look. Where there is no such table it knows of none.
 */
import { readFile } from 'node:fs/promises';
import { isIPv4, isIPv6 } from 'node:net';

export class KernelDrops {
  readonly #path: string;
  readonly #local: string | null;
  #last: number | null = null;

  constructor(address: string, port: number) {
    this.#path = isIPv6(address) ? '/proc/net/udp6' : '/proc/net/udp';
    this.#local = localAddress(address, port);
  }

  /** Datagrams dropped since the last look, or since the socket was made. Never rejects. */
  async since(): Promise<number> {
    if (this.#local === null) return 0;
    let text: string;
    try {
      text = await readFile(this.#path, 'latin1');
    } catch {
      return 0;
    }
    // Its own address is the second column; the third is that of the other side, where a local sender that is connected has ours.
    const row = text
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
      .find((columns) => columns[1] === this.#local);
    // The last column of the table, since Linux 2.6.27.
    const drops = Number(row?.at(-1) ?? Number.NaN);
    if (!Number.isFinite(drops)) return 0;
    const fresh = drops - (this.#last ?? 0);
    this.#last = drops;
    return Math.max(0, fresh);
  }
}

/** An address as the kernel prints it: words of 32 bits, each in this machine's order of bytes. */
function localAddress(address: string, port: number): string | null {
  const bytes = isIPv4(address) ? address.split('.').map(Number) : sixteenBytes(address);
  if (bytes === null) return null;
  let hex = '';
  for (let word = 0; word < bytes.length; word += 4) {
    const four = bytes.slice(word, word + 4).reverse();
    hex += four.map((byte) => byte.toString(16).padStart(2, '0')).join('');
  }
  return `${hex}:${port.toString(16).padStart(4, '0')}`.toUpperCase();
}

function sixteenBytes(address: string): number[] | null {
  const [head = '', tail] = address.split('%')[0]?.split('::') ?? [];
  const groups = (text: string): number[] =>
    text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16));
  const front = groups(head);
  const back = tail === undefined ? [] : groups(tail);
  const all = [...front, ...new Array<number>(Math.max(0, 8 - front.length - back.length)).fill(0), ...back];
  if (all.length !== 8 || all.some((group) => !(group >= 0 && group <= 0xffff))) return null;
  return all.flatMap((group) => [group >> 8, group & 0xff]);
}
