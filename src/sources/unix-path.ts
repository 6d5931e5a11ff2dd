/**
 * Paths of unix sockets: makes one free where a program that is gone has left its socket, and takes ours away. It never removes
 * what is no socket, and none that somebody listens on.
 */
import { existsSync, lstatSync, unlinkSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname } from 'node:path';

/** The kernel's `sun_path`, with the zero at its end. */
const pathBytesMax = 107;
/** Programs of any user may log. Who may not is kept out by the folder. */
export const socketMode = 0o666;

/** Resolves when a socket may be made at the path; rejects with a sentence when it may not. */
export async function freeSocketPath(path: string): Promise<void> {
  if (Buffer.byteLength(path) > pathBytesMax)
    throw new Error(
      `the path has ${Buffer.byteLength(path)} bytes, the most for a socket is ${pathBytesMax}`,
    );
  if (!existsSync(dirname(path))) throw new Error('the folder of this path is missing');
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (!found) return;
  if (!found.isSocket())
    throw new Error('there is a file that is no socket; remove it, or choose another path');
  if (await isUsed(path)) throw new Error('another program listens there; stop it, or choose another path');
  removeSocket(path);
}

/** Whether a program has the socket open. One for datagrams answers that it is of another type. */
function isUsed(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', (error: NodeJS.ErrnoException) =>
      resolve(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT'),
    );
  });
}

export function removeSocket(path: string): void {
  try {
    if (lstatSync(path).isSocket()) unlinkSync(path);
  } catch {
    // It is gone already.
  }
}
