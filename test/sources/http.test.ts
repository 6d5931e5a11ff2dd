import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { ServerResponse } from 'node:http';
import { connect, createServer, type Socket } from 'node:net';
import * as zlib from 'node:zlib';
import { deflateSync, gzipSync } from 'node:zlib';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Secret } from '../../src/model/config.ts';
import type { SavedPosition } from '../../src/model/seams.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { freePort } from '../support/free-port.ts';
import { httpListening, send } from '../support/http-listening.ts';
import { syslogCases } from '../support/syslog-cases.ts';
import { waitFor } from '../support/wait-for.ts';

const json = 'application/json';
const ndjson = 'application/x-ndjson';
const logplexType = 'application/logplex-1';

/** A frame as Logplex counts it. */
function frame(text: string): string {
  return `${Buffer.byteLength(text)} ${text}`;
}

function line(text: string, procid = 'web.1'): string {
  return frame(`<190>1 2026-11-21T01:00:00.123456+00:00 host app ${procid} - ${text}\n`);
}

async function rawSocket(
  port: number,
): Promise<{ readonly socket: Socket; text(): string; closed(): boolean }> {
  const socket = connect(port, '127.0.0.1');
  let text = '';
  let closed = false;
  socket.on('data', (part) => (text += part.toString()));
  socket.on('error', () => undefined);
  socket.on('close', () => {
    closed = true;
  });
  onTestFinished(() => void socket.destroy());
  await new Promise((resolve) => socket.once('connect', resolve));
  return { socket, text: () => text, closed: () => closed };
}

describe('what is in a body', () => {
  it('plain text is lines, the last one without its end too', async () => {
    const { post, port } = await httpListening({ multiline: 'none' });
    const answer = await post('one\ntwo\r\nthree');
    expect(answer?.status).toBe(200);
    expect(JSON.parse(answer?.text ?? '')).toEqual({ records: 3 });
    expect(port.messages).toEqual(['one', 'two', 'three']);
  });

  it('what curl calls a form is text', async () => {
    const { post, port } = await httpListening();
    await post('worker crashed', 'application/x-www-form-urlencoded');
    expect(port.messages).toEqual(['worker crashed']);
  });

  it('a traceback within a body is one record', async () => {
    const { post, port } = await httpListening();
    await post('Traceback (most recent call last):\n  File "a.py", line 1, in f\nValueError: no\nnext\n');
    expect(port.records.map((one) => one.trace === null)).toEqual([false, true]);
  });

  it('a body is complete with its end: the next one begins a record of its own', async () => {
    const { post, port } = await httpListening();
    await post('2026-01-05 10:00:00 ERROR failed');
    expect(port.messages).toHaveLength(1);
    await post('2026-01-05 10:00:01 ERROR failed again');
    expect(port.messages).toHaveLength(2);
  });

  it('JSON: one object, an array, one a line, objects without anything between them, one over several lines', async () => {
    const bodies: [string, string][] = [
      ['{"level":"error","msg":"a"}', json],
      ['[ {"level":"error","msg":"b"},\n {"level":"warn","msg":"c"} ]\n', json],
      ['{"msg":"d","level":"info"}\n{"msg":"e","level":"info"}', json],
      ['{"msg":"f","level":"info"}\n\n{"msg":"g","level":"info"}\n', ndjson],
      ['{"msg":"h","level":"info"}{"msg":"i","level":"info"}', ndjson],
      ['{\n  "level": "error",\n  "msg": "j"\n}', json],
      ['["k", {"level":"error","msg":"l"}]', json],
      ['{"level":"error","msg":"m"}\n{"level":"error","msg":"n"}\n', 'text/plain'],
    ];
    const { post, port } = await httpListening();
    for (const [body, type] of bodies) expect((await post(body, type))?.status, body).toBe(200);
    expect(port.messages.join('')).toBe('abcdefghijklmn');
    expect(port.records[0]?.level).toBe('error');
  });

  it('JSON keeps its numbers and nested fields as they were written', async () => {
    const { post, port } = await httpListening();
    await post('[{"level":"error","msg":"x","order":{"id":12345678901234567890,"price":1.50}}]', json);
    expect(port.records[0]?.raw).toContain('12345678901234567890');
    expect(port.records[0]?.raw).toContain('1.50');
  });

  it('what can not be parsed among JSON lines stays text, is matched, and is counted', async () => {
    const { post, port } = await httpListening();
    await post('{"level":"error","msg":"a"}\nSegmentation fault\n{"broken\n', ndjson);
    expect(port.messages).toEqual(['a', 'Segmentation fault', '{"broken']);
    expect(port.counted('unparsed')).toBe(2);
  });

  it('a body that is not what its type says is refused with a sentence', async () => {
    const { post, port } = await httpListening();
    for (const body of ['{"a":', 'hello', '"text"', '[1,', '[{"a":1} {"b":2}]', '{"a":1,}']) {
      const answer = await post(body, json);
      expect(answer?.status, body).toBe(400);
      expect(answer?.text).toMatch(/^the body is not JSON as its Content-Type says: \S/);
    }
    const broken = await post(Buffer.from([0x92, 0xcb, 1]), 'application/msgpack');
    expect(broken?.status).toBe(400);
    expect(port.records).toHaveLength(0);
    expect(port.counted('http_refused_400')).toBe(7);
  });

  it('nesting without an end is refused, not followed', async () => {
    const { post } = await httpListening();
    expect((await post('['.repeat(500_000), json))?.status).toBe(400);
    expect((await post(Buffer.alloc(500_000, 0x91), 'application/msgpack'))?.status).toBe(400);
    // A list that claims four thousand million entries.
    expect((await post(Buffer.from([0xdd, 0xff, 0xff, 0xff, 0xff]), 'application/msgpack'))?.status).toBe(
      400,
    );
  });

  it('nothing in a body is nothing, and no error', async () => {
    const { post, port } = await httpListening();
    for (const type of [json, ndjson, 'text/plain', 'application/msgpack', logplexType])
      expect((await post('', type))?.status).toBe(200);
    expect(port.takes).toBeLessThanOrEqual(5);
    expect(port.records).toHaveLength(0);
  });

  it('nobody can write facts into text', async () => {
    const { post, port } = await httpListening();
    await post('["\\u0001{\\"time\\":0,\\"level\\":\\"error\\",\\"fields\\":{}}\\u0002x\\u0003text"]', json);
    expect(port.records[0]?.level).toBeNull();
  });
});

describe('shippers, as they send by default', () => {
  it('Fluent Bit: MessagePack, in both of its forms, with its times', async () => {
    const { post, port } = await httpListening();
    // fixarray 2, ext 8 bytes of type 0 (seconds, nanoseconds), map of log and tag.
    const time = Buffer.from([0xd7, 0x00, 0x69, 0x20, 0x3c, 0x80, 0x1d, 0xcd, 0x65, 0x00]);
    const map = (text: string) =>
      Buffer.concat([
        Buffer.from([0x81, 0xa3]),
        Buffer.from('log'),
        Buffer.from([0xd9, text.length]),
        Buffer.from(text),
      ]);
    const log = '[2026-01-05 10:00:00,000: ERROR/ForkPoolWorker-1] Task t raised: ValueError()';
    const old = Buffer.concat([Buffer.of(0x92), time, map(log)]);
    const later = '2026-01-05 10:00:01 ERROR second';
    const now = Buffer.concat([Buffer.of(0x92, 0x92), time, Buffer.of(0x80), map(later)]);
    const answer = await post(Buffer.concat([old, now]), 'application/msgpack');
    expect(JSON.parse(answer?.text ?? '')).toEqual({ records: 2 });
    expect(port.messages).toEqual(['Task t raised: ValueError()', later]);
    expect(port.records[0]?.level).toBe('error');
    expect(port.records[1]?.time).toBe(0x69203c80 * 1000 + 500);
  });

  it('Fluent Bit: JSON, with its time and its line', async () => {
    const { post, port } = await httpListening();
    const record = { date: 1_763_710_000.25, log: 'ERROR payment failed', stream: 'stderr' };
    await post(JSON.stringify([record, { ...record, log: '{"level":"warn","msg":"inner"}' }]), json);
    expect(port.messages).toEqual(['ERROR payment failed', 'inner']);
    expect(port.records[0]?.time).toBe(1_763_710_000_250);
    expect(port.records[0]?.fields).toMatchObject({ stream: 'stderr' });
    expect(port.records[1]?.level).toBe('warning');
  });

  it('Fluent Bit: a trace that comes line by line is one record, and pods are kept apart', async () => {
    const { post, port } = await httpListening();
    const shipped = (pod: string, log: string) => ({
      date: 1_763_710_000,
      log,
      kubernetes: { pod_name: pod },
    });
    await post(
      JSON.stringify([
        shipped('a', 'Traceback (most recent call last):'),
        shipped('b', 'all is well'),
        shipped('a', '  File "a.py", line 1, in f'),
        shipped('a', 'ValueError: no'),
      ]),
      json,
    );
    expect(port.records).toHaveLength(2);
    const trace = port.records.find((one) => one.raw.includes('Traceback'));
    expect(trace?.raw).toBe(
      'Traceback (most recent call last):\n  File "a.py", line 1, in f\nValueError: no',
    );
    expect(trace?.fields).toMatchObject({ kubernetes: { pod_name: 'a' } });
  });

  it('Vector: an array of events, its lines unpacked', async () => {
    const { post, port } = await httpListening();
    const event = {
      file: '/var/log/app.log',
      host: 'web1',
      message: '[2026-01-05 10:00:00,000: WARNING/MainProcess] slow',
      source_type: 'file',
      timestamp: '2026-01-05T10:00:00.120Z',
    };
    await post(JSON.stringify([event]), json);
    expect(port.messages).toEqual(['slow']);
    expect(port.records[0]).toMatchObject({
      level: 'warning',
      fields: { file: '/var/log/app.log', host: 'web1' },
    });
  });

  it('OpenTelemetry: attributes of resource, scope and record are fields; number is level; nanoseconds are time', async () => {
    const { bound, port } = await httpListening();
    const value = (text: string) => ({ stringValue: text });
    const body = {
      resourceLogs: [
        {
          resource: { attributes: [{ key: 'service.name', value: value('shop') }] },
          scopeLogs: [
            {
              scope: { name: 'orders', attributes: [{ key: 'team', value: value('pay') }] },
              logRecords: [
                {
                  timeUnixNano: '1763710000123456789',
                  severityNumber: 17,
                  severityText: 'ERROR',
                  body: value('payment failed'),
                  traceId: '5b8efff798038103d269b633813fc60c',
                  attributes: [
                    { key: 'order', value: { intValue: '42' } },
                    {
                      key: 'exception.stacktrace',
                      value: value('Traceback (most recent call last):\nValueError: x'),
                    },
                  ],
                },
                { observedTimeUnixNano: '1763710001000000000', severityNumber: 21, body: value('down') },
                {
                  severityText: 'WARN',
                  body: { kvlistValue: { values: [{ key: 'msg', value: value('map') }] } },
                },
                'no record',
              ],
            },
          ],
        },
      ],
    };
    const answer = await send(bound(), JSON.stringify(body), {
      path: '/v1/logs',
      headers: { 'content-type': json },
    });
    expect(answer?.status).toBe(200);
    expect(answer?.headers['content-type']).toBe(json);
    expect(JSON.parse(answer?.text ?? '')).toEqual({
      partialSuccess: { rejectedLogRecords: 1, errorMessage: expect.any(String) },
    });
    expect(port.records).toHaveLength(3);
    expect(port.records[0]).toMatchObject({
      message: 'payment failed',
      trace: 'Traceback (most recent call last):\nValueError: x',
      level: 'error',
      time: 1_763_710_000_123,
      fields: { 'service.name': 'shop', team: 'pay', order: 42, logger: 'orders' },
    });
    expect(port.records[1]).toMatchObject({ level: 'critical', time: 1_763_710_001_000 });
    expect(port.records[2]).toMatchObject({ level: 'warning', message: 'map' });
  });

  it('OpenTelemetry: success is an empty object, an error has a code, traces are told what to send', async () => {
    const { bound } = await httpListening();
    const post = (path: string, type: string, body: string) =>
      send(bound(), body, { path, headers: { 'content-type': type } });
    expect((await post('/v1/logs', json, '{"resourceLogs":[]}'))?.text).toBe('{}');
    const bad = await post('/v1/logs', json, '{');
    expect([bad?.status, JSON.parse(bad?.text ?? '').code]).toEqual([400, 3]);
    expect((await post('/v1/traces', json, '{}'))?.status).toBe(404);
  });

  it('OpenTelemetry: protobuf, as collectors and SDKs send by default, and answers in kind', async () => {
    const { bound, port } = await httpListening();
    // field: bytes; a number is its wire type 0, a bigint is fixed64.
    const field = (number: number, value: string | Buffer | number | bigint): Buffer => {
      if (typeof value === 'number') return Buffer.from([number << 3, value]);
      if (typeof value === 'bigint') {
        const bytes = Buffer.alloc(9);
        bytes[0] = (number << 3) | 1;
        bytes.writeBigUInt64LE(value, 1);
        return bytes;
      }
      const data = Buffer.from(value);
      const length = data.length < 128 ? [data.length] : [(data.length & 127) | 128, data.length >> 7];
      return Buffer.concat([Buffer.from([(number << 3) | 2, ...length]), data]);
    };
    const join = (...parts: Buffer[]): Buffer => Buffer.concat(parts);
    const attribute = (name: string, value: Buffer): Buffer => join(field(1, name), field(2, value));
    const record = join(
      field(1, 1_763_710_000_123_456_789n),
      field(2, 17),
      field(3, 'ERROR'),
      field(5, field(1, 'payment failed')),
      field(6, attribute('order', field(3, 42))),
      field(6, attribute('ok', field(2, 0))),
      field(6, attribute('list', field(5, join(field(1, field(1, 'a')), field(1, field(1, 'b')))))),
      field(8, 1_763_710_000_123_456_789n),
      field(9, Buffer.from('5b8efff798038103d269b633813fc60c', 'hex')),
      field(99, 'from a later version'),
    );
    const logs = join(field(1, field(1, 'orders')), field(2, record));
    const resource = field(1, attribute('service.name', field(1, 'shop')));
    const body = field(1, join(field(1, resource), field(2, logs)));
    const post = (sent: Buffer) =>
      send(bound(), sent, { path: '/v1/logs', headers: { 'content-type': 'application/x-protobuf' } });
    const answer = await post(body);
    expect([answer?.status, answer?.headers['content-type'], answer?.text]).toEqual([
      200,
      'application/x-protobuf',
      '',
    ]);
    expect(port.records).toHaveLength(1);
    expect(port.records[0]).toMatchObject({
      message: 'payment failed',
      level: 'error',
      time: 1_763_710_000_123,
      fields: {
        'service.name': 'shop',
        logger: 'orders',
        order: 42,
        ok: false,
        list: ['a', 'b'],
        trace_id: '5b8efff798038103d269b633813fc60c',
      },
    });
    const cut = await post(body.subarray(0, body.length - 1));
    expect([cut?.status, cut?.headers['content-type']]).toEqual([400, 'application/x-protobuf']);
    expect(cut?.text).toContain('no OTLP request');
    expect((await post(Buffer.from([0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f])))?.status).toBe(400);
    expect((await post(Buffer.alloc(0)))?.status).toBe(200);
    expect(port.records).toHaveLength(1);
  });

  it('Papertrail: events of a search, and counts alone', async () => {
    const { post, port } = await httpListening();
    const saved_search = {
      name: 'Failures',
      query: 'raised unexpected',
      html_search_url: 'https://p.example/1',
    };
    const event = {
      id: 7_711_561_783_320_576,
      received_at: '2026-05-18T20:30:02-07:00',
      hostname: 'web1',
      program: 'celery',
      severity: 'Error',
      message: 'Task a raised unexpected: ValueError()',
    };
    const form = (payload: object) => `payload=${encodeURIComponent(JSON.stringify(payload))}`;
    const type = 'application/x-www-form-urlencoded';
    await post(form({ events: [event], saved_search, max_id: '1', min_id: '1' }), type);
    await post(
      form({ counts: [{ source_name: 'web1', timeseries: { 1763710000: 3, 1763710060: 2 } }], saved_search }),
      type,
    );
    expect(port.records[0]).toMatchObject({
      message: 'Task a raised unexpected: ValueError()',
      level: 'error',
      time: Date.parse('2026-05-19T03:30:02Z'),
      fields: { program: 'celery', saved_search: 'Failures' },
    });
    expect(port.messages[1]).toBe('web1: 5 events match the saved search "Failures"');
    expect(port.records[1]?.fields).toMatchObject({ count: 5 });
  });
});

describe('Heroku Logplex', () => {
  it.each(
    syslogCases()
      .filter((one) => one.transport === 'http-logplex')
      .map((one) => [one.name, one] as const),
  )('the case %s', async (_name, given) => {
    const { port, post } = await httpListening({ format: 'plain', multiline: 'none' });
    await post(given.bytes, logplexType, { 'logplex-msg-count': String(given.messages.length) });
    expect(port.records).toHaveLength(given.messages.length);
    for (const [index, { message, ...envelope }] of given.messages.entries()) {
      expect(port.records[index]?.message).toBe(message);
      expect(port.records[index]?.syslog).toEqual(envelope);
    }
    expect(port.counted('logplex_count_mismatch')).toBe(0);
  });

  it('frames may touch, text may begin with a bracket, and a header of Celery is read', async () => {
    const { port, post } = await httpListening();
    const celery = '[2026-11-21 01:00:00,123: ERROR/ForkPoolWorker-1] Task a raised unexpected: X()';
    const body = `${frame('<45>1 2026-11-21T01:00:00+00:00 host heroku web.1 - State changed')}${line(celery, 'worker.1')}`;
    const answer = await post(body, logplexType, { 'logplex-msg-count': '2' });
    expect(answer?.status).toBe(200);
    expect(port.messages).toEqual(['State changed', 'Task a raised unexpected: X()']);
    expect(port.records[1]).toMatchObject({
      level: 'error',
      syslog: { procid: 'worker.1', structured_data: null },
    });
  });

  it('a trace over several frames is one record, and dynos are kept apart', async () => {
    const { port, post } = await httpListening();
    const parts = [
      line('Traceback (most recent call last):', 'worker.1'),
      line('  File "a.py", line 1, in f', 'worker.2'),
      line('  File "b.py", line 2, in g', 'worker.1'),
      line('ValueError: no', 'worker.1'),
    ];
    await post(parts.join(''), logplexType, { 'logplex-msg-count': '4' });
    expect(port.records.find((one) => one.syslog?.procid === 'worker.1')?.raw).toBe(
      'Traceback (most recent call last):\n  File "b.py", line 2, in g\nValueError: no',
    );
  });

  it('a wrong count loses nothing and is answered 200, so that it is not dropped for ever', async () => {
    const { port, post } = await httpListening();
    const answer = await post(`${line('one')}${line('two')}`, logplexType, { 'logplex-msg-count': '3' });
    expect(answer?.status).toBe(200);
    const short = await post(`999 <190>1 2026-11-21T01:00:00+00:00 h a p - cut short`, logplexType);
    expect(short?.status).toBe(200);
    expect(port.messages).toEqual(['one', 'two', 'cut short']);
    expect(port.counted('logplex_count_mismatch')).toBe(1);
    expect(port.counted('logplex_uncounted')).toBe(1);
  });

  it('a frame that comes again is taken once, also after a restart, and for ten minutes', async () => {
    const clock = new FakeClock();
    const saved = new Map<string, SavedPosition>();
    const first = await httpListening({}, { saved, clock });
    const headers = { 'logplex-frame-id': 'F1', 'logplex-msg-count': '1' };
    const again = async (at: typeof first) => (await at.post(line('boom'), logplexType, headers))?.status;
    expect([await again(first), await again(first)]).toEqual([200, 200]);
    expect(first.port.messages).toEqual(['boom']);
    const second = await httpListening({}, { saved, clock });
    expect(await again(second)).toBe(200);
    expect(second.port.records).toHaveLength(0);
    expect(second.port.counted('http_repeated')).toBe(1);
    await clock.advance(600_001);
    expect(await again(second)).toBe(200);
    expect(second.port.messages).toEqual(['boom']);
  });

  it('what Logplex dropped itself is an alarm, once, and over after ten quiet minutes', async () => {
    const clock = new FakeClock();
    const { port, post } = await httpListening({}, { clock });
    const lost = frame(
      '<40>1 2026-11-21T01:00:00+00:00 host heroku logplex - Error L10 (output buffer overflow): 491 messages dropped since 2026-11-21T00:59:00+00:00.',
    );
    await post(lost, logplexType);
    await post(lost, logplexType);
    expect(port.troubles).toHaveLength(1);
    expect(port.troubles[0]).toContain('491 messages');
    expect(port.counted('lost_upstream')).toBe(982);
    await clock.advance(601_000);
    await waitFor('the end of it', () => port.troubles.at(-1) === 'lost upstream is over');
  });
});

describe('who may send', () => {
  it('the token is taken as a bearer, a password, a user, a parameter or a header; nothing else is', async () => {
    const { bound, port, warnings } = await httpListening({ token: new Secret('s3cret') });
    const basic = (pair: string) => ({ authorization: `Basic ${Buffer.from(pair).toString('base64')}` });
    const good: [string, Record<string, string>][] = [
      ['/', { authorization: 'Bearer s3cret' }],
      ['/', { authorization: 'bearer  s3cret' }],
      ['/', basic('drain:s3cret')],
      ['/', basic('s3cret:')],
      ['/logs?token=s3cret', {}],
      ['/', { 'x-api-key': 's3cret' }],
    ];
    for (const [path, headers] of good)
      expect((await send(bound(), 'x', { path, headers }))?.status, JSON.stringify([path, headers])).toBe(
        200,
      );
    const bad: [string, Record<string, string>][] = [
      ['/', {}],
      ['/', { authorization: 'Bearer s3cre' }],
      ['/', { authorization: 'Bearer s3crets3cret' }],
      ['/', basic('drain:')],
      ['/', basic(':')],
      ['/?token=', {}],
      ['/', { authorization: 's3cret' }],
    ];
    for (const [path, headers] of bad) {
      const answer = await send(bound(), 'x', { path, headers });
      expect(answer?.status, JSON.stringify([path, headers])).toBe(401);
      expect(answer?.text).not.toContain('s3cret');
    }
    expect(port.records).toHaveLength(good.length);
    expect(port.counted('http_unauthorized')).toBe(bad.length);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain('its logs are lost');
  });

  it('addresses outside of allow_from are refused, and said', async () => {
    const { post, port, warnings } = await httpListening({ allowFrom: ['10.0.0.0/8'] });
    expect((await post('x'))?.status).toBe(403);
    expect(port.counted('http_denied')).toBe(1);
    expect(warnings[0]).toContain('127.0.0.1');
  });

  it('a look with GET says what is here; other methods are told what to use', async () => {
    const { bound } = await httpListening();
    expect((await send(bound(), '', { method: 'GET' }))?.status).toBe(200);
    const answer = await send(bound(), '', { method: 'DELETE' });
    expect([answer?.status, answer?.headers.allow]).toEqual([405, 'POST, PUT']);
  });
});

describe('limits', () => {
  it('a body over the limit is 413, announced or not, and the connection goes on', async () => {
    const { bound, post, port } = await httpListening({ maxBodyBytes: 10_000 });
    const large = 'x'.repeat(200_000);
    expect((await post(large))?.status).toBe(413);
    const chunked = await send(bound(), large, { headers: { 'transfer-encoding': 'chunked' } });
    expect(chunked?.status).toBe(413);
    expect(chunked?.text).toContain('10000 bytes');
    expect((await post('ok'))?.status).toBe(200);
    expect(port.messages).toEqual(['ok']);
    expect(port.counted('http_too_large')).toBe(2);
  });

  it('gzip, deflate and brotli are unpacked; gzip also where nobody said so', async () => {
    const { post, port } = await httpListening();
    await post(gzipSync('a'), 'text/plain', { 'content-encoding': 'gzip' });
    await post(deflateSync('b'), 'text/plain', { 'content-encoding': 'deflate' });
    await post(zlib.brotliCompressSync('c'), 'text/plain', { 'content-encoding': 'br' });
    await post(gzipSync('d'));
    await post('e', 'text/plain', { 'content-encoding': 'identity' });
    expect(port.messages.join('')).toBe('abcde');
  });

  it('zstd is unpacked where Node can, else refused with a sentence', async () => {
    const { post, port } = await httpListening();
    const compress = (zlib as { zstdCompressSync?: (data: string) => Buffer }).zstdCompressSync;
    const answer = await post(compress?.('z') ?? 'z', 'text/plain', { 'content-encoding': 'zstd' });
    expect(answer?.status).toBe(compress ? 200 : 415);
    if (compress) expect(port.messages).toEqual(['z']);
    else expect(answer?.text).toContain('send gzip');
  });

  it('D4 a bomb is refused when it passes the limit, many encodings at once, and a false one too', async () => {
    const { post, port } = await httpListening();
    const bomb = gzipSync(Buffer.alloc(64 * 1024 * 1024));
    const before = process.memoryUsage().rss;
    const answers = await Promise.all(
      Array.from({ length: 16 }, () => post(bomb, 'text/plain', { 'content-encoding': 'gzip' })),
    );
    expect(answers.map((one) => one?.status)).toEqual(Array(16).fill(413));
    expect(process.memoryUsage().rss - before).toBeLessThan(96 * 1024 * 1024);
    const many = Array(5_00).fill('gzip').join(',');
    expect((await post('x', 'text/plain', { 'content-encoding': many }))?.status).toBe(415);
    expect((await post('no gzip', 'text/plain', { 'content-encoding': 'gzip' }))?.status).toBe(400);
    expect(port.records).toHaveLength(0);
  });

  it('a head that is too long, TLS, and what is no HTTP get an answer or a log line, and nobody else is disturbed', async () => {
    const { bound, post, port, warnings } = await httpListening();
    const long = await rawSocket(bound());
    long.socket.write(`POST / HTTP/1.1\r\nHost: x\r\nX-A: ${'a'.repeat(40_000)}\r\n\r\n`);
    await waitFor('an answer', () => long.text().startsWith('HTTP/1.1 431'));
    const tls = await rawSocket(bound());
    tls.socket.write(Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00]));
    await waitFor('it to be closed', () => tls.closed());
    expect(warnings.join()).toContain('speaks TLS to the plain port');
    const noise = await rawSocket(bound());
    noise.socket.write('\0\0\0\r\n\r\n');
    await waitFor('an answer', () => noise.text().startsWith('HTTP/1.1 400'));
    expect((await post('fine'))?.status).toBe(200);
    expect(port.messages).toEqual(['fine']);
  });

  it('a request that does not come to its end in time is ended; what came of it has no effect', async () => {
    const { bound, port } = await httpListening({ requestTimeoutMs: 300 });
    const slow = await rawSocket(bound());
    slow.socket.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf');
    const mute = await rawSocket(bound());
    await waitFor('both to be closed', () => slow.closed() && mute.closed());
    expect(port.records).toHaveLength(0);
  });

  it('no more connections than allowed; each refusal is counted', async () => {
    const { bound, post, port } = await httpListening({ maxConnections: 2 });
    const first = await rawSocket(bound());
    const second = await rawSocket(bound());
    expect(await post('x')).toBeNull();
    await waitFor('the count', () => port.counted('refused_connections') === 1);
    first.socket.destroy();
    second.socket.destroy();
    await waitFor('both gone', () => first.closed() && second.closed());
  });

  it('too many bytes under way at once are 503 with Retry-After, never 4xx', async () => {
    const mebi = 1024 * 1024;
    const { bound, source, port } = await httpListening({ maxBodyBytes: 64 * mebi });
    const held = await rawSocket(bound());
    held.socket.write(`POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${60 * mebi}\r\n\r\n`);
    held.socket.write(Buffer.alloc(59 * mebi, 0x61));
    await waitFor('it to be held', () => source.lagBytes() >= 59 * mebi, 20_000);
    const answer = await send(bound(), Buffer.alloc(50 * mebi, 0x62));
    expect([answer?.status, answer?.headers['retry-after']]).toEqual([503, '1']);
    expect(port.counted('http_busy')).toBe(1);
    held.socket.destroy();
    await waitFor('it to be let go', () => source.lagBytes() === 0);
  });
});

describe('an answer of 2xx', () => {
  it('comes after the commit, and not before', async () => {
    const { post, port } = await httpListening();
    let durable: (ok: boolean) => void = () => undefined;
    port.commit = () =>
      new Promise((resolve) => {
        durable = resolve;
      });
    let answered = false;
    const sent = post('boom').then((answer) => {
      answered = true;
      return answer;
    });
    await waitFor('it to be taken', () => port.messages.length === 1);
    await new Promise((resolve) => setImmediate(resolve));
    expect(answered).toBe(false);
    durable(true);
    expect((await sent)?.status).toBe(200);
  });

  it('does not come where nothing can be made durable: 503, and what comes again is not taken twice', async () => {
    const { post, port } = await httpListening();
    port.commit = () => Promise.resolve(false);
    const answer = await post('boom');
    expect([answer?.status, answer?.headers['retry-after']]).toEqual([503, '5']);
    expect((await post('boom'))?.status).toBe(503);
    port.commit = () => Promise.resolve(true);
    expect((await post('boom'))?.status).toBe(200);
    expect(port.messages).toEqual(['boom']);
    // Now it is another one.
    expect((await post('boom'))?.status).toBe(200);
    expect(port.messages).toEqual(['boom', 'boom']);
  });

  it('that did not reach its sender is given when it sends again', async () => {
    const { bound, post, port, source } = await httpListening();
    let durable: (ok: boolean) => void = () => undefined;
    port.commit = () =>
      new Promise((resolve) => {
        durable = resolve;
      });
    let answer: ServerResponse | null = null;
    const begun = (message: unknown): void => {
      answer = (message as { readonly response: ServerResponse }).response;
    };
    subscribe('http.server.request.start', begun);
    onTestFinished(() => void unsubscribe('http.server.request.start', begun));
    const gone = await rawSocket(bound());
    gone.socket.write(
      'POST / HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\nboom',
    );
    await waitFor('it to be taken', () => port.messages.length === 1);
    expect(source.lagBytes()).toBe(4);
    gone.socket.destroy();
    await waitFor('the source to know', () => answer?.destroyed);
    durable(true);
    port.commit = () => Promise.resolve(true);
    await waitFor('the request to be over', () => source.lagBytes() === 0);
    expect((await post('boom'))?.status).toBe(200);
    expect(port.messages).toEqual(['boom']);
  });
});

describe('the listener', () => {
  it('G8 a port in use is failing with its name, and is taken when it is free', async () => {
    const taken = await freePort();
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(taken, '127.0.0.1', resolve));
    const clock = new FakeClock();
    const { port } = await httpListening({ listen: `127.0.0.1:${taken}` }, { clock });
    expect(port.states.at(-1)).toMatch(
      new RegExp(`^failing: cannot listen on http 127.0.0.1:${taken}: .*tried again`),
    );
    await new Promise((resolve) => other.close(resolve));
    const end = performance.now() + 5_000;
    while (!port.states.at(-1)?.startsWith('ok') && performance.now() < end) {
      await clock.advance(1_000);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect((await send(taken, 'x'))?.status).toBe(200);
  });

  it('a change that leaves the address leaves the connections; the token is the new one at once', async () => {
    const { bound, change, port } = await httpListening({ token: new Secret('old') });
    const at = bound();
    const open = await rawSocket(at);
    const say = (token: string) =>
      open.socket.write(
        `POST / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\nContent-Length: 1\r\n\r\nx`,
      );
    const answers = (status: number) => open.text().split(`HTTP/1.1 ${status}`).length - 1;
    say('old');
    await waitFor('the first answer', () => answers(200) === 1);
    await change({ token: new Secret('new'), labels: { env: 'test' } });
    expect(bound()).toBe(at);
    say('old');
    await waitFor('a refusal', () => answers(401) === 1);
    say('new');
    await waitFor('another answer', () => answers(200) === 2);
    expect(port.records.map((one) => one.stream.labels)).toEqual([{}, { env: 'test' }]);
  });

  it('another address is opened and the old one closed', async () => {
    const { bound, change } = await httpListening();
    const before = bound();
    await change({ listen: `127.0.0.1:${await freePort()}` });
    expect((await send(bound(), 'x'))?.status).toBe(200);
    expect(await send(before, 'x')).toBeNull();
  });

  it('without its token it does not listen; with one before, the old one holds', async () => {
    const none = await httpListening({ unusable: 'TOKEN is not set' });
    expect(none.port.states).toEqual([expect.stringMatching(/^failing: .*TOKEN/)]);
    await none.change({ unusable: null, token: new Secret('t') });
    expect((await none.post('x', 'text/plain', { authorization: 'Bearer t' }))?.status).toBe(200);
    await none.change({ unusable: 'gone', token: null });
    expect(none.port.states.at(-1)).toMatch(/^failing: the old token holds/);
  });

  it('a stop lets requests finish, and takes no new ones', async () => {
    const { bound, port, source } = await httpListening();
    const at = bound();
    let durable: (ok: boolean) => void = () => undefined;
    port.commit = () =>
      new Promise((resolve) => {
        durable = resolve;
      });
    const sent = send(at, 'last words');
    await waitFor('it to be taken', () => port.messages.length === 1);
    const stopped = source.stop();
    durable(true);
    expect((await sent)?.status).toBe(200);
    await stopped;
    expect(await send(at, 'x')).toBeNull();
  });

  it('a large body is taken in pieces, whole and in order', async () => {
    const { post, port } = await httpListening({ multiline: 'none' });
    const lines = Array.from({ length: 20_000 }, (_, n) => `line ${n} ${'x'.repeat(20)}`);
    expect((await post(lines.join('\n')))?.status).toBe(200);
    expect(port.takes).toBeGreaterThan(2);
    expect(port.messages).toEqual(lines);
    const objects = lines.map((text) => ({ level: 'error', msg: text }));
    expect((await post(JSON.stringify(objects.slice(0, 12_000)), json))?.status).toBe(200);
    expect(port.messages.slice(lines.length)).toEqual(lines.slice(0, 12_000));
  });
});
