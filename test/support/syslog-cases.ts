/** The syslog messages of test/fixtures/syslog: what senders send, as bytes, and what a reader must make of it. */
import { readFileSync } from 'node:fs';

/** Text with runs: a text, or a list of texts and of `[text, times]`. */
type Runs = string | readonly (string | readonly [string, number])[];

export interface SyslogCase {
  readonly name: string;
  readonly transport: 'udp' | 'tcp' | 'tls' | 'unix-dgram' | 'http-logplex';
  readonly framing: 'auto' | 'lf' | 'octet' | 'nul';
  readonly maxFrameBytes: number;
  /** Milliseconds. */
  readonly receivedAt: number;
  readonly tz: string;
  readonly bytes: Buffer;
  readonly messages: readonly ExpectedMessage[];
}
export interface ExpectedMessage {
  readonly message: string;
  readonly pri: number | null;
  readonly facility: number | null;
  readonly severity: number | null;
  readonly version: number | null;
  readonly timestamp: string | null;
  readonly hostname: string | null;
  readonly appname: string | null;
  readonly procid: string | null;
  readonly msgid: string | null;
  readonly structured_data: unknown;
}

interface RawCase {
  name: string;
  transport: SyslogCase['transport'];
  framing: SyslogCase['framing'];
  max: number;
  at: string;
  tz: string;
  bytes: Runs;
  messages: (Partial<ExpectedMessage> & { message: Runs })[];
}

function written(runs: Runs): string {
  if (typeof runs === 'string') return runs;
  return runs.map((run) => (typeof run === 'string' ? run : run[0].repeat(run[1]))).join('');
}

export function syslogCases(): SyslogCase[] {
  const file = new URL('../fixtures/syslog/messages.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as RawCase[]).map((raw) => ({
    name: raw.name,
    transport: raw.transport,
    framing: raw.framing,
    maxFrameBytes: raw.max,
    receivedAt: Date.parse(raw.at),
    tz: raw.tz,
    bytes: Buffer.from(written(raw.bytes), 'latin1'),
    messages: raw.messages.map(({ message, ...given }) => {
      const pri = given.pri ?? null;
      return {
        version: null,
        timestamp: null,
        hostname: null,
        appname: null,
        procid: null,
        msgid: null,
        structured_data: null,
        ...given,
        pri,
        facility: pri === null ? null : pri >> 3,
        severity: pri === null ? null : pri & 7,
        message: written(message),
      };
    }),
  }));
}
