/**
 * Proxies by the customary variables: HTTP_PROXY, HTTPS_PROXY, NO_PROXY, the small spelling first. Reads and checks them once, and says for
 * a URL which proxy it goes through. This machine itself is never asked for through a proxy. It opens no connection.
 */
import { BlockList, isIP } from 'node:net';
import { isLoopbackHost, parseRange } from '../model/address.ts';
import { Secret } from '../model/config.ts';
import { TocsinError } from '../model/problem.ts';
import type { DirectTarget, HttpProxy, ProxySettings } from '../model/proxy.ts';
import { literalAddress } from './address.ts';
import { parseUrl } from './url.ts';

type Env = Readonly<Record<string, string | undefined>>;

/** The settings, or null where no proxy is set. Throws a TocsinError `E_PROXY` that names the variable and never shows a proxy's value. */
export function readProxies(env: Env): ProxySettings | null {
  const http = readProxy(env, 'http_proxy');
  const https = readProxy(env, 'https_proxy');
  if (http === null && https === null) return null;
  const [variable, text] = variableOf(env, 'no_proxy') ?? ['NO_PROXY', ''];
  const entries = text.split(/[\s,]+/).filter((entry) => entry !== '');
  // With one variable alone, TLS goes through its proxy too: a network with a proxy lets nothing else out.
  return { http, https: https ?? http, direct: entries.map((entry) => readDirect(variable, entry)) };
}

/** The proxy for a URL, or null where the way is direct. */
export function proxyFor(settings: ProxySettings | null, url: URL): HttpProxy | null {
  const proxy = url.protocol === 'https:' ? settings?.https : settings?.http;
  if (!settings || !proxy || isLoopbackHost(url.hostname)) return null;
  const port = url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port);
  return settings.direct.some((one) => isDirect(one, url.hostname.toLowerCase(), port)) ? null : proxy;
}

function variableOf(env: Env, name: string): readonly [string, string] | null {
  for (const variable of [name, name.toUpperCase()]) {
    const text = env[variable]?.trim() ?? '';
    if (text !== '') return [variable, text];
  }
  return null;
}

function readProxy(env: Env, name: string): HttpProxy | null {
  const found = variableOf(env, name);
  if (found === null) return null;
  const [variable, text] = found;
  const url = parseUrl(text.includes('://') ? text : `http://${text}`);
  const example = 'write http://proxy.example.com:3128';
  if (!url) throw new TocsinError('E_PROXY', `the environment variable ${variable} is no URL; ${example}`);
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw new TocsinError(
      'E_PROXY',
      `the environment variable ${variable} names a proxy of the kind ${url.protocol.slice(0, -1)}, and only http and https are known; ${example}`,
    );
  return { variable, url: new Secret(url.href) };
}

function readDirect(variable: string, entry: string): DirectTarget {
  if (entry === '*') return { kind: 'all' };
  const range = parseRange(entry.replace(/^\[(.*)\]$/, '$1'));
  if (range) return { kind: 'range', range };
  const found = /^(?:\*?\.)?([a-z0-9_-]+(?:\.[a-z0-9_-]+)*)\.?(?::(\d{1,5}))?$/i.exec(entry);
  if (!found)
    throw new TocsinError(
      'E_PROXY',
      `the environment variable ${variable} holds ${JSON.stringify(entry.slice(0, 100))}, which is no name, address or range; write names and ranges with commas between: .example.com,10.0.0.0/8`,
    );
  const port = found[2] === undefined ? null : Number(found[2]);
  return { kind: 'name', name: (found[1] ?? '').toLowerCase(), port };
}

function isDirect(target: DirectTarget, host: string, port: number): boolean {
  if (target.kind === 'all') return true;
  if (target.kind === 'name')
    return (
      (target.port === null || target.port === port) &&
      (host === target.name || host.endsWith(`.${target.name}`))
    );
  const address = literalAddress(host);
  if (address === null) return false;
  const { range } = target;
  const list = new BlockList();
  list.addSubnet(range.address, range.prefix, range.family);
  return list.check(address, isIP(address) === 4 ? 'ipv4' : 'ipv6');
}
