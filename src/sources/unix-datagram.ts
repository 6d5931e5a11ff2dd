/**
 * The door to `unix-dgram`: sockets for datagrams between programs of one machine, which Node does not have. Loaded when the first
 * one is wanted; where it was not compiled, that is an error with what to do.
 */
import { createRequire } from 'node:module';

export interface UnixDatagrams {
  close(): void;
}

interface Socket {
  on(event: 'error', listener: (error: Error) => void): void;
  on(event: 'listening', listener: () => void): void;
  bind(path: string): void;
  close(): void;
}
interface Package {
  createSocket(type: 'unix_dgram', listener: (data: Buffer) => void): Socket;
}

/** Makes the socket at the path, and calls for each datagram; its bytes may be kept. Throws when it can't be made. */
export function openUnixDatagrams(path: string, message: (data: Buffer) => void): UnixDatagrams {
  let found: Package;
  try {
    found = createRequire(import.meta.url)('unix-dgram') as Package;
  } catch (error) {
    throw new Error(
      `the package unix-dgram is not compiled here: run \`npm rebuild unix-dgram\`, or use unix_stream (${error instanceof Error ? (error.message.split('\n')[0] ?? '') : ''})`,
    );
  }
  let failed: Error | null = null;
  const socket = found.createSocket('unix_dgram', message);
  socket.on('error', (error) => {
    failed ??= error;
  });
  socket.bind(path);
  if (failed !== null) {
    socket.close();
    throw failed;
  }
  return { close: () => socket.close() };
}
