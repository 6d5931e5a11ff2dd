/**
 * The daemon's ear for the command line: a unix socket in the state directory that takes one JSON request a line and answers one
 * JSON a line. Whoever may open the directory may ask; nothing here is reachable over a network.
 */
import { chmodSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { TocsinError } from '../model/problem.ts';
import { readLines } from '../system/ndjson.ts';

/** Longest request or answer, characters: a status of thousands of rules fits. */
const lineMax = 16 * 1024 * 1024;
/** A unix socket's path has at most 107 bytes on Linux (unix(7)). */
const pathMax = 107;

export interface ControlRequest {
  readonly command: string;
  readonly args: Readonly<Record<string, unknown>>;
}
export type ControlAnswer =
  | { readonly ok: true; readonly data: unknown }
  | { readonly ok: false; readonly code: string; readonly message: string };

export function socketPath(stateDir: string): string {
  return join(stateDir, 'control.sock');
}

/**
 * Listens until closed. `answer` may throw a TocsinError: it is the answer then. Where no socket can be made the reason is given:
 * the daemon does its work without one.
 */
export async function listenControl(
  stateDir: string,
  answer: (request: ControlRequest) => Promise<unknown>,
): Promise<{ close(): Promise<void> } | { readonly refused: string }> {
  const path = socketPath(stateDir);
  if (Buffer.byteLength(path) > pathMax)
    return { refused: `the path of the state directory is too long for a socket: over ${pathMax} bytes` };
  // The state's lock is ours, so a socket that lies here belongs to nobody any more.
  rmSync(path, { force: true });
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => sockets.delete(socket));
    void readLines(socket, (line) => void serve(socket, line, answer), { maxLength: lineMax }).catch(() =>
      socket.destroy(),
    );
  });
  try {
    await listen(server, path);
    chmodSync(path, 0o600);
  } catch (error) {
    server.close();
    return { refused: error instanceof Error ? error.message : String(error) };
  }
  return {
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, resolve);
  });
}

async function serve(
  socket: Socket,
  line: string,
  answer: (request: ControlRequest) => Promise<unknown>,
): Promise<void> {
  let result: ControlAnswer;
  try {
    const request = JSON.parse(line) as Partial<ControlRequest>;
    result = { ok: true, data: await answer({ command: String(request.command), args: request.args ?? {} }) };
  } catch (error) {
    const code = error instanceof TocsinError ? error.code : 'E_CONTROL';
    result = { ok: false, code, message: error instanceof Error ? error.message : String(error) };
  }
  if (socket.writable) socket.write(`${JSON.stringify(result)}\n`);
}

/** Asks a running daemon. Null when none listens there; throws a TocsinError with the daemon's own words when it says no. */
export async function askDaemon(
  stateDir: string,
  request: ControlRequest,
): Promise<{ readonly data: unknown } | null> {
  const socket = await dial(socketPath(stateDir));
  if (!socket) return null;
  try {
    const answer = await new Promise<ControlAnswer>((resolve, reject) => {
      const onLine = (line: string): void => resolve(JSON.parse(line) as ControlAnswer);
      readLines(socket, onLine, { maxLength: lineMax }).then(
        () => reject(new TocsinError('E_CONTROL', 'the daemon hung up without an answer')),
        reject,
      );
      socket.write(`${JSON.stringify(request)}\n`);
    });
    if (!answer.ok) throw new TocsinError(answer.code, answer.message);
    return { data: answer.data };
  } finally {
    socket.destroy();
  }
}

function dial(path: string): Promise<Socket | null> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => resolve(socket));
    socket.once('error', () => resolve(null));
  });
}
