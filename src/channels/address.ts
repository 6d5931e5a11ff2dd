/**
 * Says whether an IP address is a place that a public webhook can't be: loopback, private, link-local, carrier NAT,
 * and every way of writing those in IPv6. Used for channels with `allow_private: false`, on the address that is
 * really dialled. It looks nothing up and knows no names.
 */
import { BlockList, isIP } from 'node:net';

/** Special-purpose networks of the IANA registries for IPv4 and IPv6 that no public receiver answers from. */
const privateNetworks: readonly (readonly [string, number])[] = [
  ['0.0.0.0', 8], // "this network"; Linux dials loopback for it
  ['10.0.0.0', 8],
  ['100.64.0.0', 10], // carrier NAT
  ['127.0.0.0', 8],
  ['169.254.0.0', 16], // link-local, and the metadata services of clouds
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24], // 6to4 relays
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
  ['::', 96], // unspecified, loopback, and IPv4 written inside IPv6 the old way
  ['::ffff:0:0:0', 96], // translated IPv4
  ['64:ff9b::', 96], // NAT64: any IPv4 address may hide in it
  ['64:ff9b:1::', 48],
  ['100::', 64],
  ['2001::', 23], // Teredo, ORCHID, benchmarks
  ['2001:db8::', 32],
  ['2002::', 16], // 6to4: any IPv4 address may hide in it
  ['3fff::', 20],
  ['5f00::', 16],
  ['fc00::', 7],
  ['fe80::', 10],
  ['fec0::', 10],
  ['ff00::', 8],
];

const blocked = new BlockList();
for (const [network, prefix] of privateNetworks) {
  blocked.addSubnet(network, prefix, network.includes(':') ? 'ipv6' : 'ipv4');
}

/** True for an address of a private or special network, and for anything that is not an IP address at all. */
export function isPrivateAddress(address: string): boolean {
  const bare = address.replace(/%.*$/, '');
  const family = isIP(bare);
  if (family === 0) return true;
  // The list of node compares v4-mapped addresses (::ffff:a.b.c.d) with the IPv4 networks by itself.
  return blocked.check(bare, family === 4 ? 'ipv4' : 'ipv6');
}

/** The address in a URL's host when it is a literal one (`127.1` and `0x7f.1` are already normalised there), else null. */
export function literalAddress(hostname: string): string | null {
  const bare = hostname.startsWith('[') ? hostname.slice(1, -1) : hostname;
  return isIP(bare) === 0 ? null : bare;
}
