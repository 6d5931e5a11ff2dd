/** A port of 127.0.0.1 that nobody listens on, for addresses that must stand in a configuration: by TCP and by UDP, and each once. */
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';

const given = new Set<number>();

export async function freePort(): Promise<number> {
  for (;;) {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = address === null || typeof address === 'string' ? 0 : address.port;
    const free = await isFreeByUdp(port);
    await new Promise((resolve) => server.close(resolve));
    if (!free || given.has(port)) continue;
    given.add(port);
    return port;
  }
}

function isFreeByUdp(port: number): Promise<boolean> {
  const socket = createSocket('udp4');
  return new Promise((resolve) => {
    socket.once('error', () => {
      socket.close();
      resolve(false);
    });
    socket.bind(port, '127.0.0.1', () => socket.close(() => resolve(true)));
  });
}
