/** What every listener of a syslog source can do, and how the errors of the system read that keep one from its address. */

export interface Listener {
  /** What it is, as `status` says it: `udp 127.0.0.1:514`. */
  readonly name: string;
  /** Why it stopped listening by itself, as a sentence; it must be opened again. Absent or null while it listens. */
  readonly failure?: string | null;
  /** Resolves when it listens; rejects with a sentence of `cannotListen` when the address can't be had. May be called again. */
  open(): Promise<void>;
  /** The address that it has, where the system chose a part of it. */
  bound(): string;
  /** The settings of the source changed. */
  changed(): void;
  /** About once a second while the source runs. */
  tick(): Promise<void>;
  /** Nothing new comes in; what was received is given. Resolves when the address is free. */
  close(): Promise<void>;
}

/** An error of the system as a sentence: what, where, and what to do. */
export function cannotListen(name: string, error: unknown): Error {
  const code = (error as NodeJS.ErrnoException).code ?? '';
  const message = error instanceof Error ? error.message : String(error);
  const known: Readonly<Record<string, string>> = {
    EADDRINUSE: 'another program has this address; stop it, or choose another one',
    EACCES:
      'this user may not use the address; ports below 1024 take CAP_NET_BIND_SERVICE, or choose one above',
    EADDRNOTAVAIL: 'this machine does not have the address',
    ENOTFOUND: 'no address is known for this name',
    EAI_AGAIN: 'no address is known for this name just now',
    ENOENT: 'the folder of this path is missing',
    EMFILE: 'too many files are open; raise `ulimit -n`',
  };
  return new Error(`cannot listen on ${name}: ${known[code] ?? message}`);
}
