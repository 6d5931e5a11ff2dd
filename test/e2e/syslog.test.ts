/** The daemon as a drain: real senders deliver a marked line each, through every transport, to a webhook. */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { freePort } from '../support/free-port.ts';
import { type RunningDaemon, startDaemon, until } from '../support/program.ts';
import { call, launch, needing } from '../support/senders.ts';
import { dial, sendDatagrams, tlsFile, write } from '../support/syslog-listening.ts';
import { tempDir } from '../support/temp-dir.ts';
import { waitFor } from '../support/wait-for.ts';
import { type WebhookServer, webhookServer } from '../support/webhook-server.ts';

interface Drain {
  readonly dir: string;
  readonly server: WebhookServer;
  readonly daemon: RunningDaemon;
  /** The record of the message that told of a mark in a source. */
  told(source: string, mark: string): Promise<any>;
}

/** A daemon with these sources; one incident for each mark of each source. */
async function drain(sources: Readonly<Record<string, string>>, dir = tempDir()): Promise<Drain> {
  const server = await webhookServer();
  writeFileSync(
    join(dir, 'rules.yaml'),
    `rules:\n${Object.keys(sources)
      .map(
        (name) =>
          `  - { id: ${name}, from: ${name}, match: 'marked[ =](?<mark>[\\w-]+)', by: mark, limit: none }\n`,
      )
      .join('')}`,
  );
  const text = Object.entries(sources).map(([name, syslog]) => `  ${name}: { syslog: ${syslog} }\n`);
  writeFileSync(
    join(dir, 'tocsin.yaml'),
    `sources:\n${text.join('')}rules: [ rules.yaml ]\nchannels: { hook: { type: webhook, url: '${server.url}' } }\n`,
  );
  const daemon = await startDaemon(dir);
  const told = (source: string, mark: string) =>
    waitFor(
      `${mark} from ${source}; told: ${server.received.map(({ json }) => `${json.record?.source} ${json.record?.message}`).join(' | ')}`,
      () =>
        server.received.find(
          ({ json }) => json.record?.source === source && json.incident.fields['mark'] === mark,
        )?.json.record,
      15_000,
    );
  return { dir, server, daemon, told };
}

const tls = (port: number, more = '') =>
  `{ tls: { listen: '127.0.0.1:${port}', cert: '${tlsFile('server')}', key: '${tlsFile('key')}', ca: '${tlsFile('ca')}'${more} } }`;

describe('util-linux logger', () => {
  const { name, skip } = needing('logger', 'in all its modes');
  it.skipIf(skip)(
    name,
    async () => {
      const dir = tempDir();
      const [udp, tcp] = [await freePort(), await freePort()];
      const paths = { dgram: join(dir, 'dgram'), stream: join(dir, 'stream') };
      const { told, daemon } = await drain(
        {
          udp: `{ udp: '127.0.0.1:${udp}' }`,
          tcp: `{ tcp: '127.0.0.1:${tcp}' }`,
          unix: `{ unix: ${paths.dgram}, unix_stream: ${paths.stream} }`,
        },
        dir,
      );
      const to = (port: number) => [
        '-n',
        '127.0.0.1',
        '-P',
        String(port),
        '-t',
        'celery',
        '-p',
        'local0.err',
      ];
      call('logger', [...to(udp), '-d', 'marked udp']);
      call('logger', [...to(udp), '-d', '--rfc3164', 'marked udp-3164']);
      call('logger', [...to(udp), '-d', '--rfc5424=notime,notq,nohost', 'marked udp-bare']);
      call('logger', [...to(tcp), '-T', 'marked tcp']);
      call('logger', [...to(tcp), '-T', '--rfc3164', '-i', 'marked tcp-3164']);
      call('logger', [...to(tcp), '-T', '--octet-count', 'marked octet\nand its second line']);
      call('logger', ['-u', paths.dgram, '-t', 'celery', 'marked dgram']);
      call('logger', ['-u', paths.stream, '-t', 'celery', 'marked stream']);
      const common = { pri: 131, facility: 16, severity: 3, appname: 'celery' };
      expect((await told('udp', 'udp')).syslog).toMatchObject({
        ...common,
        version: 1,
        structured_data: { timeQuality: expect.any(Object) },
      });
      expect((await told('udp', 'udp')).level).toBe('error');
      expect((await told('udp', 'udp-3164')).syslog).toMatchObject({
        ...common,
        version: null,
        structured_data: null,
      });
      expect((await told('udp', 'udp-bare')).syslog).toMatchObject({
        ...common,
        timestamp: null,
        hostname: null,
      });
      expect((await told('tcp', 'tcp')).syslog).toMatchObject(common);
      expect((await told('tcp', 'tcp-3164')).syslog).toMatchObject({
        ...common,
        procid: expect.stringMatching(/^\d+$/),
      });
      expect((await told('tcp', 'octet')).message).toMatch(/^marked octet/);
      for (const mark of ['dgram', 'stream'])
        expect((await told('unix', mark)).syslog).toMatchObject({ appname: 'celery', hostname: null });
      await until('all records', async () => (await daemon.status()).sources['tcp']?.records === 3);
      expect((await daemon.status()).sources['tcp']).toMatchObject({ lag_bytes: 0, state: 'ok' });
    },
    60_000,
  );
});

describe("Python's SysLogHandler", () => {
  const { name, skip } = needing('python3', 'over UDP, TCP and a unix socket, with a traceback');
  it.skipIf(skip)(
    name,
    async () => {
      const dir = tempDir();
      const path = join(dir, 'log');
      const [udp, tcp] = [await freePort(), await freePort()];
      const { told } = await drain(
        { udp: `{ udp: '127.0.0.1:${udp}' }`, tcp: `{ tcp: '127.0.0.1:${tcp}' }`, unix: `{ unix: ${path} }` },
        dir,
      );
      const code = `
import logging, logging.handlers, socket
def handler(address, kind=socket.SOCK_DGRAM):
    one = logging.handlers.SysLogHandler(address=address, socktype=kind)
    log = logging.getLogger(str(address) + str(kind)); log.addHandler(one)
    return log
udp = handler(('127.0.0.1', ${udp}))
tcp = handler(('127.0.0.1', ${tcp}), socket.SOCK_STREAM)
unix = handler('${path}')
udp.error('marked udp')
unix.error('marked unix')
tcp.error('marked tcp')
for log in (tcp, udp):
    try: 1 / 0
    except ZeroDivisionError: log.exception('marked trace')
tcp.error('marked last')
`;
      writeFileSync(join(dir, 'send.py'), code);
      call('python3', [join(dir, 'send.py')]);
      expect(await told('udp', 'udp')).toMatchObject({
        message: 'marked udp',
        syslog: { pri: 11, appname: null },
      });
      expect(await told('unix', 'unix')).toMatchObject({ message: 'marked unix' });
      expect(await told('tcp', 'tcp')).toMatchObject({ message: 'marked tcp' });
      for (const source of ['tcp', 'udp']) {
        const { message, trace } = await told(source, 'trace');
        expect(message).toBe('marked trace');
        expect(trace).toMatch(
          /^Traceback \(most recent call last\):\n.*ZeroDivisionError: division by zero$/s,
        );
      }
      expect(await told('tcp', 'last')).toMatchObject({ message: 'marked last', trace: null });
    },
    60_000,
  );
});

describe('nginx', () => {
  const { name, skip } = needing('nginx', 'access log and error log');
  it.skipIf(skip)(
    name,
    async () => {
      const dir = tempDir();
      const [udp, http] = [await freePort(), await freePort()];
      const { told } = await drain({ udp: `{ udp: '127.0.0.1:${udp}' }` }, dir);
      writeFileSync(
        join(dir, 'nginx.conf'),
        `daemon off; pid ${dir}/nginx.pid; master_process off; error_log syslog:server=127.0.0.1:${udp},tag=ngx error;
events {}
http {
  access_log syslog:server=127.0.0.1:${udp},facility=local7,tag=nginx,severity=info,nohostname;
  ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((one) => `${one}_temp_path ${dir}/${one};`).join(' ')}
  server { listen 127.0.0.1:${http}; root ${dir}/none; location = / { return 200 ok; } }
}`,
      );
      const nginx = launch('nginx', ['-c', join(dir, 'nginx.conf'), '-p', dir, '-e', join(dir, 'first.log')]);
      await until(`nginx: ${nginx.said()}`, () =>
        fetch(`http://127.0.0.1:${http}/?marked=access`).then(
          () => true,
          () => false,
        ),
      );
      await fetch(`http://127.0.0.1:${http}/marked=error`);
      expect((await told('udp', 'access')).syslog).toMatchObject({
        pri: 190,
        appname: 'nginx',
        hostname: null,
      });
      expect((await told('udp', 'error')).syslog).toMatchObject({ appname: 'ngx' });
    },
    60_000,
  );
});

describe('busybox syslogd', () => {
  const { name, skip } = needing(
    'busybox',
    'forwards with -R',
    existsSync('/dev/log')
      ? 'it has /dev/log alone, which is in use'
      : process.getuid?.() === 0
        ? null
        : 'it takes root',
  );
  it.skipIf(skip)(
    name,
    async () => {
      const dir = tempDir();
      const udp = await freePort();
      const { told } = await drain({ udp: `{ udp: '127.0.0.1:${udp}' }` }, dir);
      onTestFinished(() => rmSync('/dev/log', { force: true }));
      launch('busybox', ['syslogd', '-n', '-R', `127.0.0.1:${udp}`, '-O', join(dir, 'out')]);
      await waitFor('/dev/log', () => existsSync('/dev/log'));
      call('busybox', ['logger', '-t', 'celery[4711]', '-p', 'local0.err', 'marked busybox']);
      expect((await told('udp', 'busybox')).syslog).toMatchObject({
        pri: 131,
        appname: 'celery',
        procid: '4711',
        hostname: null,
      });
    },
    60_000,
  );
});

/** Sends until it is told: a daemon that was just started may not listen yet. */
async function logInto(path: string, mark: string): Promise<void> {
  await waitFor(path, () => existsSync(path), 15_000);
  call('logger', ['-u', path, '-t', 'celery', '-p', 'local0.err', `marked ${mark}`]);
}

describe('rsyslog', () => {
  const { name, skip } = needing(
    'rsyslogd',
    'forwards: traditional, RFC 5424, octet-counted, compressed, TLS with a client certificate',
  );
  it.skipIf(skip)(
    name,
    async () => {
      const dir = tempDir();
      const ports = {
        udp: await freePort(),
        tcp: await freePort(),
        proto: await freePort(),
        octet: await freePort(),
        zip: await freePort(),
        tls: await freePort(),
      };
      const { told, daemon } = await drain(
        {
          udp: `{ udp: '127.0.0.1:${ports.udp}' }`,
          tcp: `{ tcp: '127.0.0.1:${ports.tcp}' }`,
          proto: `{ tcp: '127.0.0.1:${ports.proto}' }`,
          octet: `{ tcp: '127.0.0.1:${ports.octet}' }`,
          zip: `{ tcp: '127.0.0.1:${ports.zip}' }`,
          tls: tls(ports.tls, ', allow: [ web1.example.com ]'),
        },
        dir,
      );
      const forward = (port: number, more: string) =>
        `action(type="omfwd" target="127.0.0.1" port="${port}" ${more})\n`;
      writeFileSync(
        join(dir, 'rsyslog.conf'),
        `global(workDirectory="${dir}" maxMessageSize="64k" net.enableDNS="off"
  defaultNetstreamDriverCAFile="${tlsFile('ca')}" defaultNetstreamDriverCertFile="${tlsFile('client')}" defaultNetstreamDriverKeyFile="${tlsFile('key')}")
module(load="imuxsock" SysSock.Use="off")
input(type="imuxsock" Socket="${dir}/in.sock" CreatePath="on")
${forward(ports.udp, 'protocol="udp"')}${forward(ports.tcp, 'protocol="tcp"')}${forward(ports.proto, 'protocol="tcp" template="RSYSLOG_SyslogProtocol23Format"')}${forward(ports.octet, 'protocol="tcp" TCP_Framing="octet-counted" template="RSYSLOG_SyslogProtocol23Format"')}${forward(ports.zip, 'protocol="tcp" TCP_Framing="octet-counted" ziplevel="6" compression.mode="single"')}${forward(ports.tls, 'protocol="tcp" TCP_Framing="octet-counted" template="RSYSLOG_SyslogProtocol23Format" StreamDriver="ossl" StreamDriverMode="1" StreamDriverAuthMode="x509/name" StreamDriverPermittedPeers="localhost"')}`,
      );
      const rsyslog = launch('rsyslogd', [
        '-n',
        '-f',
        join(dir, 'rsyslog.conf'),
        '-i',
        join(dir, 'rsyslog.pid'),
      ]);
      await logInto(join(dir, 'in.sock'), `here-${'z'.repeat(500)}`);
      const mark = `here-${'z'.repeat(500)}`;
      const common = { pri: 131, appname: 'celery' };
      for (const source of ['udp', 'tcp', 'proto', 'octet', 'zip', 'tls']) {
        const record = await told(source, mark).catch((error: Error) => {
          throw new Error(`${error.message}\n${rsyslog.said()}\n${daemon.stderr()}`);
        });
        expect(record.syslog).toMatchObject(common);
        expect(record.message).toBe(`marked ${mark}`);
        expect(record.syslog.version).toBe(['proto', 'octet', 'tls'].includes(source) ? 1 : null);
      }
    },
    60_000,
  );
});

describe('syslog-ng', () => {
  const { name, skip } = needing(
    'syslog-ng',
    'the drivers network() and syslog(), TLS with a client certificate',
  );
  it.skipIf(skip)(
    name,
    async () => {
      const dir = tempDir();
      const ports = {
        udp: await freePort(),
        tcp: await freePort(),
        proto: await freePort(),
        protoUdp: await freePort(),
        tls: await freePort(),
      };
      const { told, daemon } = await drain(
        {
          udp: `{ udp: '127.0.0.1:${ports.udp}' }`,
          tcp: `{ tcp: '127.0.0.1:${ports.tcp}' }`,
          proto: `{ tcp: '127.0.0.1:${ports.proto}' }`,
          protoudp: `{ udp: '127.0.0.1:${ports.protoUdp}' }`,
          tls: tls(ports.tls, ', allow: [ web1.example.com ]'),
        },
        dir,
      );
      writeFileSync(
        join(dir, 'syslog-ng.conf'),
        `@version: 3.38
options { keep-hostname(yes); use-dns(no); dns-cache(no); stats-freq(0); };
source s { unix-dgram("${dir}/in.sock"); };
destination d {
  network("127.0.0.1" port(${ports.udp}) transport("udp"));
  network("127.0.0.1" port(${ports.tcp}) transport("tcp"));
  syslog("127.0.0.1" port(${ports.proto}) transport("tcp"));
  syslog("127.0.0.1" port(${ports.protoUdp}) transport("udp"));
  syslog("127.0.0.1" port(${ports.tls}) transport("tls")
    tls(ca-file("${tlsFile('ca')}") cert-file("${tlsFile('client')}") key-file("${tlsFile('key')}") peer-verify(required-trusted)));
};
log { source(s); destination(d); };
`,
      );
      const ng = launch('syslog-ng', [
        ...['-F', '--no-caps', '-f', join(dir, 'syslog-ng.conf'), '-p', join(dir, 'ng.pid')],
        ...['-R', join(dir, 'ng.persist'), '-c', join(dir, 'ng.ctl')],
      ]);
      await logInto(join(dir, 'in.sock'), 'ng');
      for (const source of ['udp', 'tcp', 'proto', 'protoudp', 'tls']) {
        const record = await told(source, 'ng').catch((error: Error) => {
          throw new Error(`${error.message}\n${ng.said()}\n${daemon.stderr()}`);
        });
        expect(record.message).toBe('marked ng');
        expect(record.syslog).toMatchObject({ pri: 131, appname: 'celery' });
        if (source.startsWith('proto') || source === 'tls')
          expect(record.syslog.structured_data).toMatchObject({ meta: { sequenceId: '1' } });
      }
    },
    60_000,
  );
});

describe('loggen', () => {
  const { name, skip } = needing('loggen', 'S9 all of its modes: received is sent');
  it.skipIf(skip)(
    name,
    async () => {
      const dir = tempDir();
      const path = join(dir, 'log');
      const [port, stream] = [await freePort(), join(dir, 'stream')];
      const { daemon } = await drain(
        {
          drain: `{ udp: '127.0.0.1:${port}', tcp: '127.0.0.1:${port}', unix: ${path}, unix_stream: ${stream} }`,
        },
        dir,
      );
      let sent = 0;
      const inet = ['127.0.0.1', String(port)];
      for (const mode of [
        ['-i', '-S', ...inet],
        ['-i', '-S', '-P', ...inet],
        ['-i', '-S', '-P', '-F', ...inet],
        ['-i', '-S', '-H', ...inet],
        ['-i', '-S', '--active-connections', '4', ...inet],
        ['-i', '-D', ...inet],
        ['-x', '-D', path],
        ['-x', '-S', stream],
      ]) {
        const said = call('loggen', ['-r', '3000', '-n', '2500', '-Q', '-s', '200', ...mode]);
        sent += Number(/count=(\d+)/.exec(said)?.[1]);
        await until(`${sent} after ${mode.join(' ')}`, async () => {
          const { records = 0 } = (await daemon.status()).sources['drain'] ?? {};
          return (
            records === sent || (records > sent && Promise.reject(new Error(`${records} records of ${sent}`)))
          );
        });
      }
      expect((await daemon.status()).sources['drain']?.dropped).toEqual({ proxy_headers_not_believed: 1 });
    },
    90_000,
  );
});

describe('the daemon as a drain', () => {
  it('P12 one that floods waits while others are heard, status counts it, a reload lifts it, and it ends while one waits', async () => {
    const port = await freePort();
    const config = (limit: string): string =>
      `{ udp: '127.0.0.1:${port}', tcp: '127.0.0.1:${port}', peer_limit: ${limit} }`;
    const { dir, told, daemon } = await drain({ drain: config('64KiB in 1m') });
    const flood = `<14>${'x'.repeat(495)}\n`.repeat(1_000);
    const loud = await dial(port);
    loud.write(`${flood}<11>marked behind\n`);
    const dropped = async () => (await daemon.status()).sources['drain']?.dropped ?? {};
    await until('the pause', async () => ((await dropped())['peer_limit_paused_ms'] ?? 0) > 0);
    const other = connect({ port, host: '127.0.0.1', localAddress: '127.0.0.2' });
    onTestFinished(() => void other.destroy());
    other.write('<11>marked other\n');
    await told('drain', 'other');
    await sendDatagrams(port, ['<14>a', '<14>b', '<14>c']);
    await until('the datagrams', async () => (await dropped())['peer_limit_dropped'] === 3);
    await until('the word', async () => /127\.0\.0\.1 sends more than peer_limit/.test(daemon.stderr()));
    const path = join(dir, 'tocsin.yaml');
    const text = readFileSync(path, 'utf8');
    writeFileSync(path, text.replace('64KiB in 1m', 'none'));
    await told('drain', 'behind');
    const paused = (await dropped())['peer_limit_paused_ms'] ?? 0;
    writeFileSync(path, text);
    await until('the limit again', async () => {
      if (loud.writableLength === 0) loud.write(flood);
      return ((await dropped())['peer_limit_paused_ms'] ?? 0) > paused;
    });
    const began = performance.now();
    expect((await daemon.end()).code).toBe(0);
    expect(performance.now() - began).toBeLessThan(5_000);
  }, 60_000);

  it('S4 senders of all framings on one port at the same time; an envelope may hold JSON or a line of Celery', async () => {
    const port = await freePort();
    const { told, daemon } = await drain({ drain: `'127.0.0.1:${port}'` });
    const [octet, lines, nul] = await Promise.all([dial(port), dial(port), dial(port)]);
    const json =
      '<11>1 2026-11-21T01:00:00Z h app 1 - - {"level":"error","msg":"marked json","time":"2026-11-21T01:02:03Z"}';
    const celery =
      '<14>Nov 21 01:00:00 h worker[7]: [2026-11-21 01:00:00,123: ERROR/ForkPoolWorker-1] marked celery';
    await write(octet, `${Buffer.byteLength(json)} ${json}`);
    await write(lines, `${celery}\n<11>marked lf\n`);
    await write(nul, '<11>marked nul\0<11>with\n  two lines\0');
    await sendDatagrams(port, ['<11>marked udp']);
    expect(await told('drain', 'json')).toMatchObject({
      message: 'marked json',
      level: 'error',
      time: '2026-11-21T01:02:03.000Z',
    });
    expect(await told('drain', 'celery')).toMatchObject({
      message: 'marked celery',
      level: 'error',
      syslog: { appname: 'worker', procid: '7' },
    });
    for (const mark of ['lf', 'nul', 'udp']) await told('drain', mark);
    await until('all records', async () => (await daemon.status()).sources['drain']?.records === 6);
  }, 30_000);

  it('a traceback that a sender cut into messages is one record, although another process speaks between', async () => {
    const port = await freePort();
    const { told } = await drain({ drain: `'127.0.0.1:${port}'` });
    const a = (text: string) => `<11>Nov 21 01:00:00 h a[1]: ${text}\n`;
    const b = (text: string) => `<14>Nov 21 01:00:00 h b[2]: ${text}\n`;
    const socket = await dial(port);
    await write(
      socket,
      `${a('marked one')}${b('hello')}${a('Traceback (most recent call last):')}${a('  File "a.py", line 1, in f')}${b('again')}${a('    1/0')}${a('ZeroDivisionError: division by zero')}${b('end')}`,
    );
    expect(await told('drain', 'one')).toMatchObject({
      message: 'marked one',
      trace:
        'Traceback (most recent call last):\n  File "a.py", line 1, in f\n    1/0\nZeroDivisionError: division by zero',
    });
  }, 30_000);

  it('a reload keeps the listener and its connections; a port in use does not stop the daemon', async () => {
    const [port, taken] = [await freePort(), await freePort()];
    const { told, daemon, dir, server } = await drain({ drain: `{ tcp: '127.0.0.1:${port}' }` });
    const socket = await dial(port);
    await write(socket, '<11>marked before\n');
    await told('drain', 'before');
    const other = connect(port, '127.0.0.1');
    onTestFinished(() => void other.destroy());
    const config = (source: string) =>
      writeFileSync(
        join(dir, 'tocsin.yaml'),
        `sources: { drain: ${source} }\nrules: [ rules.yaml ]\nchannels: { hook: { type: webhook, url: '${server.url}' } }\n`,
      );
    const blocker = (await import('node:net')).createServer();
    await new Promise<void>((resolve) => blocker.listen(taken, '127.0.0.1', resolve));
    onTestFinished(() => void blocker.close());
    config(`{ syslog: { tcp: ['127.0.0.1:${port}', '127.0.0.1:${taken}'] }, labels: { team: a } }`);
    await until('the new state', async () => (await daemon.status()).sources['drain']?.state === 'failing');
    expect((await daemon.status()).sources['drain']?.detail).toMatch(/another program has this address/);
    await write(socket, '<11>marked after\n');
    await told('drain', 'after');
    expect(socket.destroyed).toBe(false);
    config(`{ syslog: { tcp: '127.0.0.1:${port}', allow_from: [ office ] } }`);
    await until('the refusal', async () => !(await daemon.status()).config.ok);
    await write(socket, '<11>marked still\n');
    await told('drain', 'still');
  }, 40_000);

  it('S6 SIGTERM: what was sent is told, with the next run if need be', async () => {
    const port = await freePort();
    const { daemon, server, dir } = await drain({ drain: `'127.0.0.1:${port}'` });
    const socket = await dial(port);
    const marks = Array.from({ length: 200 }, (_, at) => `m${at}`);
    await write(socket, `${marks.map((mark) => `<11>marked ${mark}\n`).join('')}<11>marked unfinished`);
    const began = performance.now();
    expect((await daemon.end()).code).toBe(0);
    expect(performance.now() - began).toBeLessThan(8_000);
    const second = await startDaemon(dir);
    const told = () => new Set(server.received.map(({ json }) => json.incident.fields['mark']));
    await waitFor('all of them', () => told().size === 201, 20_000);
    await second.end();
    expect([...told()].sort()).toEqual([...marks, 'unfinished'].sort());
  }, 60_000);
});
