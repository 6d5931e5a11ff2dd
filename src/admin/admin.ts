/**
 * What the daemon says of itself over HTTP: `/healthz` (the process turns), `/readyz` (it does its work), `/metrics` for Prometheus,
 * `/api/v1/status`, and with a token `/api/v1/reload`. Read-only pages hold no line text, no URL and no secret.
 */
import { timingSafeEqual } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { serve } from '@hono/node-server';
import { Hono } from 'hono';
import { secureHeaders } from 'hono/secure-headers';
import type { Secret } from '../model/config.ts';
import { TocsinError } from '../model/problem.ts';

/** What the admin pages are made of; the daemon gives it. */
export interface AdminView {
  status(): unknown;
  /** Empty when ready, else what is missing, a short phrase each. */
  notReady(): readonly string[];
  metrics(): Promise<string>;
  /** What a change needs; null allows none. */
  token(): Secret | null;
  reload(): Promise<{ readonly outcome: string; readonly problems: readonly unknown[] }>;
}

export interface AdminConfig {
  readonly listen: string;
  readonly token: Secret | null;
}

/** The pages, without a socket. */
function adminApp(view: AdminView, port: () => number): Hono {
  const app = new Hono();
  app.use('*', secureHeaders());
  app.use('*', async (context, next) => {
    // A browser led here by a name it was told to trust (DNS rebinding) sends that name.
    const host = (context.req.header('host') ?? '').replace(/:\d+$/, '').toLowerCase();
    const known = host === '' || host === 'localhost' || /^[\d.]+$/.test(host) || host.startsWith('[');
    if (!known && (context.req.method !== 'GET' || context.req.path.startsWith('/api/')))
      return context.text('unknown host\n', 403);
    return next();
  });
  app.get('/healthz', (context) => context.json({ ok: true }));
  app.get('/readyz', (context) => {
    const missing = view.notReady();
    return context.json({ ready: missing.length === 0, missing }, missing.length === 0 ? 200 : 503);
  });
  app.get('/metrics', async (context) =>
    context.text(await view.metrics(), 200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' }),
  );
  app.get('/api/v1/status', (context) => context.json(view.status() as object));
  app.post('/api/v1/reload', async (context) => {
    const token = view.token();
    if (!allowed(context.req.header('authorization'), token)) {
      return context.json(
        { error: token === null ? 'set admin.token to allow changes' : 'a bearer token is needed' },
        401,
      );
    }
    const result = await view.reload();
    return context.json(result as object, result.outcome === 'refused' ? 422 : 200);
  });
  app.notFound((context) => context.json({ error: `no such page: ${context.req.path}`, port: port() }, 404));
  return app;
}

function allowed(header: string | undefined, token: Secret | null): boolean {
  if (token === null || header === undefined) return false;
  const given = Buffer.from(header);
  const wanted = Buffer.from(`Bearer ${token.reveal()}`);
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}

/** Listens until closed. Throws a TocsinError that names the address when it can't. */
export async function listenAdmin(
  listen: string,
  view: AdminView,
): Promise<{ readonly port: number; close(): Promise<void> }> {
  const colon = listen.lastIndexOf(':');
  const hostname = listen.slice(0, colon).replace(/^\[|\]$/g, '');
  let bound = Number(listen.slice(colon + 1));
  const app = adminApp(view, () => bound);
  const server = await new Promise<ReturnType<typeof serve>>((resolve, reject) => {
    const made = serve(
      {
        fetch: app.fetch,
        hostname,
        port: bound,
        serverOptions: { headersTimeout: 10_000, requestTimeout: 20_000 },
      },
      () => resolve(made),
    );
    made.once('error', (error: NodeJS.ErrnoException) =>
      reject(
        new TocsinError(
          'E_LISTEN',
          `cannot listen on admin ${listen}: ${error.code ?? error.message}; choose another port in admin.listen`,
          { cause: error },
        ),
      ),
    );
  });
  bound = (server.address() as AddressInfo).port;
  return {
    port: bound,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        if ('closeAllConnections' in server) server.closeAllConnections();
      }),
  };
}
