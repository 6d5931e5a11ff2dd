/**
 * Addresses as people write them: `127.0.0.1:514`, `[::1]:514`, `:514` for all of the machine's, and ranges such as `10.0.0.0/8`. Pure text;
 * whether an address can be had is found out by whoever listens there.
 */

export interface HostPort {
  /** A name or an address; null is every address of the machine. */
  readonly host: string | null;
  readonly port: number;
}

/** `HOST:PORT`, with IPv6 in brackets; `:PORT` and `*:PORT` are every address. Null where it is none of that. */
export function parseHostPort(text: string): HostPort | null {
  const found = /^(?:\[([0-9A-Fa-f:.%]+)\]|([^\s:[\]]*)):(\d{1,5})$/.exec(text);
  const port = Number(found?.[3]);
  if (!found || port > 65_535) return null;
  const host = found[1] ?? found[2] ?? '';
  return { host: host === '' || host === '*' ? null : host, port };
}

export function hostPortText({ host, port }: HostPort): string {
  if (host === null) return `*:${port}`;
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Whether a host is this machine and nobody else: `localhost` and names below it, 127.0.0.0/8, ::1. Every address of the machine is not. */
export function isLoopbackHost(host: string): boolean {
  const bare = host.replace(/^\[|\]$/g, '').toLowerCase();
  if (bare === 'localhost' || bare.endsWith('.localhost')) return true;
  if (isIPv4(bare)) return bare.startsWith('127.');
  // `::ffff:7f00:1` is 127.0.0.1 as a URL spells it.
  return bare === '::1' || /^(?:0+:){7}0*1$|^::ffff:(?:127\.|7f[0-9a-f]{2}:)/.test(bare);
}

/** A range of addresses: all that begin with the first `prefix` bits of `address`. */
export interface AddressRange {
  readonly address: string;
  readonly prefix: number;
  readonly family: 'ipv4' | 'ipv6';
}

/** `10.0.0.0/8`, `fd00::/8`, or one address. Null where it is none. */
export function parseRange(text: string): AddressRange | null {
  const slash = text.indexOf('/');
  const address = slash < 0 ? text : text.slice(0, slash);
  const family = familyOf(address);
  if (family === null) return null;
  const bits = family === 'ipv4' ? 32 : 128;
  if (slash < 0) return { address, prefix: bits, family };
  const length = text.slice(slash + 1);
  const prefix = Number(length);
  return /^\d{1,3}$/.test(length) && prefix <= bits ? { address, prefix, family } : null;
}

function familyOf(address: string): AddressRange['family'] | null {
  if (isIPv4(address)) return 'ipv4';
  return isIPv6(address) ? 'ipv6' : null;
}

function isIPv4(text: string): boolean {
  const parts = text.split('.');
  return parts.length === 4 && parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255);
}

function isIPv6(text: string): boolean {
  const halves = text.split('::');
  if (halves.length > 2 || !text.includes(':')) return false;
  let groups = 0;
  for (const [half, written] of halves.entries()) {
    const parts = written === '' ? [] : written.split(':');
    for (const [at, part] of parts.entries()) {
      const last = half === halves.length - 1 && at === parts.length - 1;
      if (last && isIPv4(part)) groups++;
      else if (!/^[0-9A-Fa-f]{1,4}$/.test(part)) return false;
      groups++;
    }
  }
  return halves.length === 2 ? groups < 8 : groups === 8;
}
