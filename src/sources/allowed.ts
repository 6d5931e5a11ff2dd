/** Whether an address is in a list of addresses and ranges. IPv4 inside IPv6 (`::ffff:10.0.0.1`) is the IPv4 address it is. */
import { BlockList, isIPv4, isIPv6, SocketAddress } from 'node:net';
import { parseRange } from '../model/address.ts';

/** An address as a person writes it. */
export function plainAddress(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address);
  return mapped?.[1] ?? address;
}

/** The one text of an address that a person, or a proxy, may write in several ways. */
export function oneAddress(address: string): string {
  if (!isIPv6(address) || address.includes('%')) return plainAddress(address);
  return plainAddress(new SocketAddress({ address, family: 'ipv6' }).address);
}

/** A test for the ranges; an empty list holds nothing. Ranges that are none are left out: they were refused when they were read. */
export function addressTest(ranges: readonly string[]): (address: string) => boolean {
  const list = new BlockList();
  for (const text of ranges) {
    const range = parseRange(text);
    if (range) list.addSubnet(range.address, range.prefix, range.family);
  }
  return (address) => {
    const plain = plainAddress(address).split('%')[0] ?? '';
    if (isIPv4(plain)) return list.check(plain, 'ipv4');
    return isIPv6(plain) && list.check(plain, 'ipv6');
  };
}
