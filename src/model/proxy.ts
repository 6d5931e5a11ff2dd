/** What the environment says of HTTP proxies, checked. Types only: who reads the variables and who goes by them are elsewhere. */
import type { AddressRange } from './address.ts';
import type { Secret } from './config.ts';

export interface HttpProxy {
  /** The variable that names it, for messages. */
  readonly variable: string;
  /** An http or https URL; it may hold a password. */
  readonly url: Secret;
}

/** What is reached without a proxy. */
export type DirectTarget =
  | { readonly kind: 'all' }
  | { readonly kind: 'range'; readonly range: AddressRange }
  /** The name and everything below it; a port of null is any. */
  | { readonly kind: 'name'; readonly name: string; readonly port: number | null };

export interface ProxySettings {
  readonly http: HttpProxy | null;
  readonly https: HttpProxy | null;
  readonly direct: readonly DirectTarget[];
}
