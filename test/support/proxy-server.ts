/** A small HTTP proxy on loopback: passes requests on, makes tunnels, and sends every name it is asked for to one port of this machine. */
import { createServer, type IncomingHttpHeaders, request as passOn } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

export interface ProxyServer {
  /** With a user and a password where they are asked for. */
  readonly url: string;
  /** What it was asked for: `POST http://name/path`, `CONNECT name:443`. */
  readonly asked: string[];
  readonly headers: IncomingHttpHeaders[];
}

/** `refuse` is the status that every request gets instead. */
export async function proxyServer(
  targetPort: number,
  options: { readonly refuse?: number } = {},
): Promise<ProxyServer> {
  const asked: string[] = [];
  const heads: IncomingHttpHeaders[] = [];
  const sockets = new Set<Socket>();
  const keep = (socket: Socket): void => {
    sockets.add(socket);
    socket.on('error', () => {});
  };
  const server = createServer((incoming, outgoing) => {
    const { method = '', url = '', headers } = incoming;
    asked.push(`${method} ${url}`);
    heads.push(headers);
    if (options.refuse !== undefined) {
      outgoing.writeHead(options.refuse).end();
      return;
    }
    const { pathname, search } = new URL(url);
    const further = passOn({ host: '127.0.0.1', port: targetPort, method, path: pathname + search, headers });
    further.on('error', () => outgoing.destroy());
    further.on('response', (response) => {
      outgoing.writeHead(response.statusCode ?? 502, response.headers);
      response.pipe(outgoing);
    });
    incoming.pipe(further);
  });
  server.on('connect', (incoming, socket: Socket) => {
    asked.push(`CONNECT ${incoming.url}`);
    heads.push(incoming.headers);
    keep(socket);
    if (options.refuse !== undefined) {
      socket.end(`HTTP/1.1 ${options.refuse} No\r\ncontent-length: 0\r\n\r\n`);
      return;
    }
    const further = connect(targetPort, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      further.pipe(socket).pipe(further);
    });
    keep(further);
  });
  server.on('connection', keep);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { url: `http://user:p%40ss@127.0.0.1:${port}`, asked, headers: heads };
}
