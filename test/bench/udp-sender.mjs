/**
 * Sends syslog over UDP evenly: `node udp-sender.mjs PORT PIECE RATE SECONDS`. PIECE is a file of messages, a line each; RATE is messages a
 * second. Every millisecond it sends what is due by then, so that there is no burst that the rate does not mean. Prints how many it sent.
 */
import { createSocket } from 'node:dgram';
import { readFileSync } from 'node:fs';

const [port, path, rate, seconds] = process.argv.slice(2);
const messages = readFileSync(path, 'utf8')
  .split('\n')
  .filter((line) => line !== '')
  .map((line) => Buffer.from(line));
/** What a pause of this process left undone is not made up for all at once. */
const burstMs = 20;

const socket = createSocket({ type: 'udp4', sendBufferSize: 4 * 1024 * 1024 });
await new Promise((resolve) => socket.connect(Number(port), '127.0.0.1', resolve));
const perMs = Number(rate) / 1_000;
const ends = performance.now() + Number(seconds) * 1_000;
let sent = 0;
let under = 0;
let last = performance.now();
let credit = 0;
while (last < ends) {
  await new Promise((resolve) => setTimeout(resolve, 1));
  const now = performance.now();
  credit = Math.min(credit + (now - last) * perMs, burstMs * perMs);
  last = now;
  for (; credit >= 1; credit--) {
    under++;
    socket.send(messages[sent++ % messages.length], () => under--);
  }
}
while (under > 0) await new Promise((resolve) => setTimeout(resolve, 1));
socket.close();
process.stdout.write(`count=${sent}\n`);
