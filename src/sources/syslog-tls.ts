/**
 * Listens for syslog over TLS (RFC 5425): its own certificate, those of the clients where they are asked for, and new files while it
 * runs. Connections that are open stay open when the certificate changes. A certificate that can't be used leaves the old one.
 */
import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createServer as createPlainServer, type Server, type Socket } from 'node:net';
import {
  createSecureContext,
  createServer,
  type PeerCertificate,
  type SecureContextOptions,
  type TLSSocket,
  type Server as TlsServer,
} from 'node:tls';
import { type HostPort, parseHostPort } from '../model/address.ts';
import type { SyslogTlsConfig } from '../model/config.ts';
import { plainAddress } from './allowed.ts';
import type { Connections } from './syslog-connections.ts';
import type { SyslogIntake } from './syslog-intake.ts';
import { cannotListen, type Listener } from './syslog-listener.ts';
import { boundText, closeServer, listen, tcpOptions } from './syslog-stream.ts';

const handshakeMs = 10_000;
const fingerprint = /^sha256:([0-9A-Fa-f:]{64,95})$/i;

interface Files {
  readonly context: SecureContextOptions;
  /** All of their text: an unchanged one needs nothing. */
  readonly text: string;
}

export class TlsListener implements Listener {
  readonly name: string;
  readonly #intake: SyslogIntake;
  readonly #connections: Connections;
  readonly #address: HostPort;
  #config: SyslogTlsConfig;
  #server: Server | null = null;
  #tls: TlsServer | null = null;
  #text = '';
  #broken: string | null = null;

  constructor(config: SyslogTlsConfig, intake: SyslogIntake, connections: Connections) {
    this.name = `tls ${config.listen}`;
    this.#config = config;
    this.#intake = intake;
    this.#connections = connections;
    this.#address = parseHostPort(config.listen) ?? { host: config.listen, port: 0 };
  }

  async open(): Promise<void> {
    const files = await this.#read().catch((error: unknown) => {
      throw new Error(`cannot listen on ${this.name}: ${wordsOf(error)}`);
    });
    this.#text = files.text;
    const tls = createServer({
      ...files.context,
      // Who is let in is decided below, where a pinned certificate needs no signer, and where it can be said who was not.
      requestCert: true,
      rejectUnauthorized: false,
      handshakeTimeout: handshakeMs,
    });
    tls.on('secureConnection', (socket) => this.#secure(socket));
    tls.on('tlsClientError', (error, socket) => this.#failed(error, socket));
    const server = createPlainServer((socket) =>
      this.#connections.accept(socket, this.name, (accepted) => tls.emit('connection', accepted)),
    );
    await listen(server, tcpOptions(this.#address)).catch((error: unknown) => {
      throw cannotListen(this.name, error);
    });
    this.#server = server;
    this.#tls = tls;
  }

  bound(): string {
    return `tls ${boundText(this.#server, this.#address)}`;
  }

  changed(): void {
    this.#config = this.#intake.config.tls.find((one) => one.listen === this.#config.listen) ?? this.#config;
    void this.tick();
  }

  /** New files are taken up: for connections from now on. */
  async tick(): Promise<void> {
    try {
      const files = await this.#read();
      if (files.text !== this.#text && this.#tls !== null) {
        this.#tls.setSecureContext(files.context);
        this.#text = files.text;
        this.#intake.count('tls_certificates_reloaded');
      }
      if (this.#broken !== null) this.#intake.trouble(this.name, null);
      this.#broken = null;
    } catch (error) {
      const broken = wordsOf(error);
      if (broken !== this.#broken)
        this.#intake.trouble(
          this.name,
          `${this.name}: the new certificate cannot be used: ${broken}. The old one goes on.`,
        );
      this.#broken = broken;
    }
  }

  async #read(): Promise<Files> {
    const { cert, key, ca } = this.#config;
    const read = async (path: string): Promise<string> => {
      try {
        return await readFile(path, 'utf8');
      } catch (error) {
        throw new Error(`${path} cannot be read (${(error as NodeJS.ErrnoException).code})`);
      }
    };
    const [certText, keyText, caText] = await Promise.all([
      read(cert),
      read(key),
      ca === null ? null : read(ca),
    ]);
    const context: SecureContextOptions = {
      cert: certText,
      key: keyText,
      minVersion: 'TLSv1.2',
      ...(caText === null ? {} : { ca: caText }),
    };
    const text = JSON.stringify([certText, keyText, caText]);
    if (text !== this.#text) {
      // Throws where the text is no certificate, no key, or the key of another certificate.
      createSecureContext(context);
      new X509Certificate(certText);
    }
    return { context, text };
  }

  #secure(socket: TLSSocket): void {
    const raw = rawOf(socket);
    const address = plainAddress(socket.remoteAddress ?? '');
    socket.on('error', () => undefined);
    const refusal = this.#refusal(socket);
    if (refusal !== null) {
      this.#intake.count('tls_clients_refused');
      this.#intake.say(`client ${this.name} ${refusal}`, `${this.name}: ${address} was refused: ${refusal}`);
      socket.destroy();
      return;
    }
    this.#connections.read(raw, socket, null);
  }

  /** Why a client may not send, or null. */
  #refusal(socket: TLSSocket): string | null {
    const { ca, allow } = this.#config;
    if (ca === null && allow.length === 0) return null;
    const peer = socket.getPeerCertificate();
    if (!peer || Object.keys(peer).length === 0) return 'it has no certificate';
    if (allow.some((one) => isFingerprintOf(one, peer))) return null;
    const names = allow.filter((one) => !fingerprint.test(one));
    const known = namesOf(peer);
    if (ca === null || (names.length === 0 && allow.length > 0))
      return `its certificate (${known.join(', ')}, sha256:${peer.fingerprint256}) is not in allow`;
    if (!socket.authorized)
      return `its certificate (${known.join(', ')}) is not signed by ca: ${String(socket.authorizationError)}`;
    if (names.length === 0 || names.some((name) => known.some((one) => isName(name, one)))) return null;
    return `no name of its certificate (${known.join(', ')}) is in allow`;
  }

  #failed(error: Error, socket: TLSSocket): void {
    const { code = '' } = error as NodeJS.ErrnoException;
    const plain =
      code === 'ERR_SSL_WRONG_VERSION_NUMBER' ||
      code === 'ERR_SSL_HTTP_REQUEST' ||
      code === 'ERR_SSL_PACKET_LENGTH_TOO_LONG';
    const address = plainAddress(socket.remoteAddress ?? 'a program');
    if (plain) {
      this.#intake.count('plain_on_tls');
      this.#intake.say(
        `plain ${this.name} ${address}`,
        `${address} speaks plain text to ${this.name}: give it the address of \`tcp\`, or switch TLS on there`,
      );
    } else {
      this.#intake.count('tls_handshakes_failed');
      if (code !== 'ECONNRESET')
        this.#intake.say(
          `handshake ${this.name} ${code}`,
          `${this.name}: the handshake with ${address} failed: ${error.message}`,
        );
    }
    socket.destroy();
  }

  async close(): Promise<void> {
    await closeServer(this.#server, () => this.#connections.end(this.name));
    this.#server = null;
    this.#tls = null;
  }
}

/** The accepted socket that TLS runs on. */
function rawOf(socket: TLSSocket): Socket {
  return (socket as unknown as { readonly _parent: Socket })._parent;
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function isFingerprintOf(allowed: string, peer: PeerCertificate): boolean {
  const digits = fingerprint.exec(allowed)?.[1];
  return (
    digits !== undefined &&
    digits.replaceAll(':', '').toUpperCase() === peer.fingerprint256.replaceAll(':', '').toUpperCase()
  );
}

/** Names of a certificate: those of its extension; the common name only where it has none (RFC 6125). */
function namesOf(peer: PeerCertificate): string[] {
  const alternative = (peer.subjectaltname ?? '')
    .split(', ')
    .map((one) => /^(?:DNS|IP Address|URI):"?(.*?)"?$/.exec(one)?.[1])
    .filter((name) => name !== undefined);
  const { CN } = peer.subject;
  return alternative.length > 0 || CN === undefined ? alternative : [CN].flat();
}

/** Whether a name is the allowed one; `*.` in front of the allowed one stands for one label. */
function isName(allowed: string, name: string): boolean {
  const wanted = allowed.toLowerCase();
  const given = name.toLowerCase();
  if (!wanted.startsWith('*.')) return wanted === given;
  const dot = given.indexOf('.');
  return dot > 0 && given.slice(dot) === wanted.slice(1);
}
