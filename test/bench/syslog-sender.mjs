/**
 * Sends syslog over TCP as fast as it is taken: `node syslog-sender.mjs PORT PIECE TIMES`. PIECE is a file of whole messages that is sent
 * TIMES times over one connection. Prints the seconds until all of it was taken and the other side closed or the system had it.
 */
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';

const [port, path, times] = process.argv.slice(2);
const piece = readFileSync(path);
let left = Number(times);
const socket = connect(Number(port), '127.0.0.1');
let began = 0;
const go = () => {
  while (left > 0) {
    left--;
    if (!socket.write(piece)) {
      socket.once('drain', go);
      return;
    }
  }
  socket.end();
};
socket.on('connect', () => {
  began = performance.now();
  go();
});
socket.on('close', () => process.stdout.write(`${((performance.now() - began) / 1000).toFixed(3)}\n`));
socket.resume();
