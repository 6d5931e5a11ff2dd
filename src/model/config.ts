/**
 * The configuration as plain data, made by `config/` and nowhere else. It can be copied between threads and kept in the
 * state; secrets are a type of their own.
 */
import type { Origin } from './problem.ts';
import type { Route, Rule } from './rule.ts';

/** A secret never prints: not in a template, not in JSON, not in `util.inspect`. */
export class Secret {
  readonly #value: string;
  constructor(value: string) {
    this.#value = value;
  }
  /** The one way to the text. Occurs in `channels/`, `admin/` and the door of the configuration only, and a test greps for it. */
  reveal(): string {
    return this.#value;
  }
  /** Whether a text is it. Takes as long for a wrong text as for the right one, whatever they have in common. */
  is(text: string): boolean {
    const own = this.#value;
    let different = own.length ^ text.length;
    for (let at = 0; at < text.length; at++)
      different |= text.charCodeAt(at) ^ (own.length === 0 ? 0 : own.charCodeAt(at % own.length));
    return different === 0;
  }
  /** Whether another secret has the same text. */
  equals(other: Secret | null): boolean {
    return other?.is(this.#value) ?? false;
  }
  toString(): string {
    return '[redacted]';
  }
  toJSON(): string {
    return '[redacted]';
  }
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return '[redacted]';
  }
}

/** Names under `multiline`: no joining, what the lines tell, or a language whose traces are known. */
export const multilineNames = [
  'auto',
  'none',
  'python',
  'java',
  'node',
  'go',
  'ruby',
  'dotnet',
  'php',
  'rust',
  'indent',
] as const;
export type Multiline = (typeof multilineNames)[number] | { readonly start: string };
/**
 * What a record looks like. `docker`, `cri`, `syslog`, `journal` and `prefix` are envelopes: the line in them is read as under `auto`;
 * `json` and `logfmt` lines have fields and a message of their own; `celery`, `access` and `rails` have a known head.
 */
export const formats = [
  'auto',
  'plain',
  'celery',
  'json',
  'logfmt',
  'access',
  'rails',
  'docker',
  'cri',
  'syslog',
  'prefix',
  'journal',
] as const;
export type Format = (typeof formats)[number];

export interface SourceCommon {
  readonly name: string;
  readonly format: Format;
  readonly multiline: Multiline;
  /** IANA zone for stamps without one. */
  readonly tz: string;
  readonly maxLineBytes: number;
  readonly labels: Readonly<Record<string, string>>;
  /** Quiet for longer, it is told, ms; null is never; absent is learned from its own past. */
  readonly quietMs?: number | null;
  readonly origin: Origin;
}
export interface FileSourceConfig extends SourceCommon {
  readonly kind: 'file';
  /** Absolute globs. */
  readonly paths: readonly string[];
  readonly exclude: readonly string[];
  /** Where a file is begun that was there at the very first start: ms back from its newest record, or a name. */
  readonly start: 'beginning' | 'end' | { readonly agoMs: number };
  readonly encoding: string;
}
export interface StdinSourceConfig extends SourceCommon {
  readonly kind: 'stdin';
}
/** How messages of a connection are told apart; `auto` decides for each. */
export type SyslogFraming = 'auto' | 'lf' | 'octet' | 'nul';
/** What a line without PRI is, behind a message with one: `auto` has its shape decide, `join` adds it to that message. */
export type SyslogContinuation = 'auto' | 'join';
/** At most so many bytes in so many ms. */
export interface ByteRate {
  readonly bytes: number;
  readonly perMs: number;
}
export interface SyslogTlsConfig {
  /** `HOST:PORT` */
  readonly listen: string;
  /** Absolute paths of PEM files: the chain of the server, its key, and who signs the certificates of clients. */
  readonly cert: string;
  readonly key: string;
  readonly ca: string | null;
  /** Clients by a name of their certificate (`*.` for a label), or by `sha256:` and the fingerprint. Empty: all that `ca` signed. */
  readonly allow: readonly string[];
}
export interface SyslogSourceConfig extends SourceCommon {
  readonly kind: 'syslog';
  /** `HOST:PORT` each. */
  readonly udp: readonly string[];
  readonly tcp: readonly string[];
  readonly tls: readonly SyslogTlsConfig[];
  /** Absolute paths of unix sockets: for datagrams, for streams. */
  readonly unix: readonly string[];
  readonly unixStream: readonly string[];
  readonly framing: SyslogFraming;
  readonly continuation: SyslogContinuation;
  readonly maxFrameBytes: number;
  /** Addresses and ranges that may send; empty is all. */
  readonly allowFrom: readonly string[];
  /** Addresses and ranges of proxies whose PROXY header is believed. */
  readonly proxyFrom: readonly string[];
  readonly maxConnections: number;
  /** A connection without a byte for so long is closed; null is never. */
  readonly idleTimeoutMs: number | null;
  /** What is taken of one address, over all its connections and datagrams; null is all. */
  readonly peerLimit: ByteRate | null;
}
/** Where reading begins at the very first start: ms back from now, or a name. */
export type Start = FileSourceConfig['start'];
export interface JournalSourceConfig extends SourceCommon {
  readonly kind: 'journal';
  /** Units, by name or pattern; empty is all. */
  readonly units: readonly string[];
  readonly userUnits: readonly string[];
  /** SYSLOG_IDENTIFIER; empty is all. */
  readonly identifiers: readonly string[];
  /** 0 to 7: this severity and worse; null is all. */
  readonly priority: number | null;
  /** `FIELD=value`, as journalctl takes them. */
  readonly matches: readonly string[];
  /** Another place of the journal, absolute; null is the system's. */
  readonly directory: string | null;
  readonly start: Start;
}
export interface HttpSourceConfig extends SourceCommon {
  readonly kind: 'http';
  /** `HOST:PORT` */
  readonly listen: string;
  /** What a sender must show, or null where everybody may send. */
  readonly token: Secret | null;
  /** Why it may not listen (a token that can't be read), or null. */
  readonly unusable: string | null;
  /** Bytes of a body as it comes, and of what is in a compressed one. */
  readonly maxBodyBytes: number;
  readonly maxUnpackedBytes: number;
  readonly maxConnections: number;
  /** A whole request must be there within this time. */
  readonly requestTimeoutMs: number;
  /** Addresses and ranges that may send; empty is all. */
  readonly allowFrom: readonly string[];
}
export interface DockerSourceConfig extends SourceCommon {
  readonly kind: 'docker';
  /** Path of the Engine's socket, absolute. */
  readonly socket: string;
  /** Names with `*`; empty is all. */
  readonly names: readonly string[];
  readonly exclude: readonly string[];
  readonly images: readonly string[];
  /** Labels that a container must have, with their values (`*` is any). */
  readonly containerLabels: Readonly<Record<string, string>>;
  readonly start: Start;
}
export type SourceConfig =
  | FileSourceConfig
  | StdinSourceConfig
  | SyslogSourceConfig
  | JournalSourceConfig
  | DockerSourceConfig
  | HttpSourceConfig;

/** At most `count` messages in `perMs`. */
export interface BudgetWindow {
  readonly count: number;
  readonly perMs: number;
}
export interface ChannelConfig {
  readonly name: string;
  readonly type: string;
  /** Keys of the type itself, already checked by the type's own schema: url, secret, ... */
  readonly options: Readonly<Record<string, unknown>>;
  /** Null is no budget. */
  readonly budget: readonly BudgetWindow[] | null;
  readonly fallback: { readonly channel: string; readonly from: string } | null;
  readonly minSeverity: string | null;
  readonly timeoutMs: number;
  readonly maxAgeMs: number;
  readonly allowPrivate: boolean;
  /** Why this channel can't be used now (an unset variable, an unreadable secret), or null. It is set aside; the rest runs. */
  readonly unusable: string | null;
  readonly origin: Origin;
}

export interface Config {
  /** The main file, or null without one. */
  readonly path: string | null;
  readonly sources: readonly SourceConfig[];
  readonly channels: readonly ChannelConfig[];
  readonly routes: readonly Route[];
  readonly labels: Readonly<Record<string, string>>;
  /** Absolute. */
  readonly stateDir: string;
  /** Where that is written; absent where it is the default. */
  readonly stateOrigin?: Origin;
  readonly admin: { readonly listen: string; readonly token: Secret | null } | null;
  readonly rules: readonly Rule[];
  /** Every file that was read, path -> text: for the last good copy, for watching, for frames. */
  readonly files: ReadonlyMap<string, string>;
  /** Globs of rule files, absolute: for watching. */
  readonly ruleGlobs: readonly string[];
  /** Absolute paths of files that secrets were read from: for watching only, their text is kept nowhere. */
  readonly secretFiles?: readonly string[];
  /** Hash of all of it: an unchanged one needs no reload. */
  readonly hash: string;
}
