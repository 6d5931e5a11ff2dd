/**
 * A mount that can hang and fail, as a network's can: `node fuse-server.mjs BACKING MOUNTPOINT` shows the files of one folder in
 * another by FUSE (protocol 7.31, without its library). Takes commands by lines on standard input: `hang`, `go`, `fail ERRNO`,
 * `heal`. Prints `mounted`, then one line for each command done.
 */
import { spawnSync } from 'node:child_process';
import { closeSync, openSync, read, readdirSync, readSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const [backing, mountPoint] = process.argv.slice(2);
const device = openSync('/dev/fuse', 'r+');
const mounted = spawnSync(
  'mount',
  ['-i', '-t', 'fuse', '-o', 'fd=3,rootmode=40000,user_id=0,group_id=0,allow_other', 'hanging', mountPoint],
  { stdio: ['ignore', 'ignore', 'pipe', device] },
);
if (mounted.status !== 0) {
  process.stderr.write(mounted.stderr);
  process.exit(1);
}

const rootId = 1n;
/** Numbers of nodes are the inodes behind them: a file keeps its own when it is renamed. */
const names = new Map();
let hangs = false;
let failure = 0;
const waiting = [];

function pathOf(node) {
  if (node === rootId) return backing;
  for (const name of readdirSync(backing)) {
    if (statSync(join(backing, name), { bigint: true }).ino === node) return join(backing, name);
  }
  return names.get(node) ?? null;
}

function attributes(path, node) {
  const stat = statSync(path, { bigint: true });
  const out = Buffer.alloc(88);
  out.writeBigUInt64LE(node, 0);
  out.writeBigUInt64LE(stat.size, 8);
  for (const [at, ns] of [stat.atimeNs, stat.mtimeNs, stat.ctimeNs].entries()) {
    out.writeBigUInt64LE(ns / 1_000_000_000n, 24 + at * 8);
    out.writeUInt32LE(Number(ns % 1_000_000_000n), 48 + at * 4);
  }
  out.writeUInt32LE(Number(stat.mode), 60);
  out.writeUInt32LE(1, 64);
  out.writeUInt32LE(4096, 80);
  return out;
}

function lookup(name) {
  const path = join(backing, name);
  const stat = statSync(path, { bigint: true });
  names.set(stat.ino, path);
  const out = Buffer.alloc(40);
  out.writeBigUInt64LE(stat.ino, 0);
  return Buffer.concat([out, attributes(path, stat.ino)]);
}

function listing(offset) {
  if (offset > 0) return Buffer.alloc(0);
  const parts = readdirSync(backing).map((name, at) => {
    const text = Buffer.from(name);
    const entry = Buffer.alloc(24 + Math.ceil(text.length / 8) * 8);
    entry.writeBigUInt64LE(statSync(join(backing, name), { bigint: true }).ino, 0);
    entry.writeBigUInt64LE(BigInt(at + 1), 8);
    entry.writeUInt32LE(text.length, 16);
    entry.writeUInt32LE(8, 20);
    text.copy(entry, 24);
    return entry;
  });
  return Buffer.concat(parts);
}

function readFile(node, body) {
  if (failure !== 0) {
    process.stdout.write('refused\n');
    throw Object.assign(new Error('as asked'), { errno: -failure });
  }
  const target = Buffer.alloc(body.readUInt32LE(16));
  const fd = openSync(pathOf(node), 'r');
  try {
    return target.subarray(0, readSync(fd, target, 0, target.length, Number(body.readBigUInt64LE(8))));
  } finally {
    closeSync(fd);
  }
}

function initial() {
  const out = Buffer.alloc(64);
  for (const [at, value] of [7, 31, 0, 0, 0, 65_536, 1].entries()) out.writeUInt32LE(value, at * 4);
  return out;
}

/** What a request gets: bytes, or null where nothing is expected. */
function answer(opcode, node, body) {
  const path = () => pathOf(node) ?? join(backing, '\0gone');
  switch (opcode) {
    case 1:
      return lookup(body.subarray(0, body.indexOf(0)).toString());
    case 2:
    case 36:
    case 42:
      return null;
    case 3:
      return Buffer.concat([Buffer.alloc(16), attributes(path(), node)]);
    case 14:
    case 27: {
      // Bytes are asked of us each time, none are kept by the kernel.
      const out = Buffer.alloc(16);
      out.writeUInt32LE(opcode === 14 ? 1 : 0, 8);
      return out;
    }
    case 15:
      return readFile(node, body);
    case 17:
      return Buffer.alloc(80);
    case 18:
    case 25:
    case 29:
      return Buffer.alloc(0);
    case 26:
      return initial();
    case 28:
      return listing(Number(body.readBigUInt64LE(8)));
    default:
      throw Object.assign(new Error('not here'), { errno: -38 });
  }
}

function reply(request) {
  const opcode = request.readUInt32LE(4);
  let error = 0;
  let data = Buffer.alloc(0);
  try {
    data = answer(opcode, request.readBigUInt64LE(16), request.subarray(40));
  } catch (thrown) {
    error = thrown.errno ?? -2;
  }
  if (data === null) return;
  const head = Buffer.alloc(16);
  head.writeUInt32LE(16 + data.length, 0);
  head.writeInt32LE(error, 4);
  request.copy(head, 8, 8, 16);
  try {
    writeSync(device, Buffer.concat([head, data]));
  } catch {
    // Who asked has gone away.
  }
}

const buffer = Buffer.alloc(256 * 1024);
function listen() {
  read(device, buffer, 0, buffer.length, null, (error, bytes) => {
    if (error && error.code !== 'EINTR') process.exit(0);
    if (!error) {
      const request = Buffer.from(buffer.subarray(0, bytes));
      if (hangs) waiting.push(request);
      else reply(request);
    }
    listen();
  });
}
listen();
process.stdout.write('mounted\n');

createInterface({ input: process.stdin }).on('line', (line) => {
  const [command, value] = line.split(' ');
  if (command === 'hang') hangs = true;
  if (command === 'fail') failure = Number(value);
  if (command === 'heal') failure = 0;
  if (command === 'go') {
    hangs = false;
    for (const request of waiting.splice(0)) reply(request);
  }
  process.stdout.write(`${line}\n`);
});
