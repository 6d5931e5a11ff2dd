import { describe, expect, it } from 'vitest';
import { formatOf } from '../../src/match/formats/detect.ts';
import type { Format } from '../../src/model/config.ts';
import type { LogRecord } from '../../src/model/record.ts';
import { conditions, rule, text } from './make-rule.ts';
import { play } from './wrapped-streams.ts';

const every = [rule('every', conditions({}))];

function records(lines: string | readonly string[], format: Format = 'auto'): LogRecord[] {
  const data = Buffer.from(typeof lines === 'string' ? lines : `${lines.join('\n')}\n`);
  return play(every, data, { format }).matches.map((match) => match.record);
}

function one(line: string | object, format: Format = 'auto'): LogRecord {
  const found = records([typeof line === 'string' ? line : JSON.stringify(line)], format);
  expect(found).toHaveLength(1);
  return found[0]!;
}

const at = (stamp: string): number => Date.parse(stamp);
const trace =
  'Traceback (most recent call last):\n  File "/srv/app/a.py", line 3, in f\n    g()\nKeyError: 1';

describe('JSON lines of the known loggers', () => {
  const cases: readonly (readonly [string, object, Partial<LogRecord>, Record<string, unknown>])[] = [
    [
      'pino',
      {
        level: 50,
        time: 1795228093123,
        pid: 7,
        hostname: 'vm',
        msg: 'no db',
        err: { type: 'Error', message: 'x', stack: 'Error: x\n    at f (/srv/a.js:1:2)' },
      },
      { message: 'no db', level: 'error', time: 1795228093123, trace: 'Error: x\n    at f (/srv/a.js:1:2)' },
      { pid: 7, hostname: 'vm' },
    ],
    [
      'bunyan',
      { name: 'api', level: 40, msg: 'slow', time: '2026-11-21T02:28:13.123Z', v: 0 },
      { message: 'slow', level: 'warning', time: at('2026-11-21T02:28:13.123Z') },
      { logger: 'api' },
    ],
    [
      'winston',
      { level: 'warn', message: 'slow', timestamp: '2026-11-21T02:28:13.123Z', stack: 'Error: x\n    at g' },
      { message: 'slow', level: 'warning', trace: 'Error: x\n    at g' },
      {},
    ],
    [
      'zap',
      {
        level: 'dpanic',
        ts: 1795228093.5,
        logger: 'db',
        caller: 'a.go:1',
        msg: 'gone',
        stacktrace: 'main.f\n\t/srv/a.go:1',
      },
      { message: 'gone', level: 'critical', time: 1795228093500, trace: 'main.f\n\t/srv/a.go:1' },
      { logger: 'db', caller: 'a.go:1' },
    ],
    [
      'logrus',
      { level: 'fatal', msg: 'gone', time: '2026-11-21T03:28:13+01:00', error: 'EOF' },
      { message: 'gone', level: 'critical', time: at('2026-11-21T02:28:13Z'), trace: null },
      { error: 'EOF' },
    ],
    [
      'slog',
      { time: '2026-11-21T02:28:13.5Z', level: 'ERROR', msg: 'gone', user: { id: 4 } },
      { message: 'gone', level: 'error' },
      { user: { id: 4 } },
    ],
    [
      'Serilog, compact',
      {
        '@t': '2026-11-21T02:28:13.5Z',
        '@m': 'User 4 gone',
        '@mt': 'User {Id} gone',
        '@l': 'Error',
        '@x': 'System.Exception: x\n   at A.B()',
        Id: 4,
      },
      { message: 'User 4 gone', level: 'error', trace: 'System.Exception: x\n   at A.B()' },
      { Id: 4 },
    ],
    [
      'Serilog',
      {
        Timestamp: '2026-11-21T02:28:13.5Z',
        Level: 'Fatal',
        MessageTemplate: 'x {Id}',
        RenderedMessage: 'x 4',
        Properties: { SourceContext: 'A.B' },
      },
      { message: 'x 4', level: 'critical' },
      { Properties: { SourceContext: 'A.B' } },
    ],
    [
      'structlog',
      { event: 'gone', level: 'error', logger: 'app', timestamp: '2026-11-21T02:28:13.5Z', exception: trace },
      { message: 'gone', level: 'error', trace },
      { logger: 'app' },
    ],
    [
      'python-json-logger',
      {
        timestamp: '2026-11-21 02:28:13,099',
        levelname: 'ERROR',
        name: 'app.db',
        processName: 'ForkPoolWorker-3',
        process: 12,
        message: 'gone',
        exc_info: trace,
      },
      { message: 'gone', level: 'error', time: at('2026-11-21T02:28:13.099Z'), trace },
      { logger: 'app.db', process: 12 },
    ],
    [
      'Django with levelno',
      { levelno: 30, message: 'Not Found: /x', created: 1795228093.25, status_code: 404 },
      { level: 'warning', time: 1795228093250, message: 'Not Found: /x' },
      { status_code: 404 },
    ],
    [
      'log4j and ECS',
      {
        '@timestamp': '2026-11-21T02:28:13.5Z',
        'log.level': 'ERROR',
        'log.logger': 'a.B',
        message: 'gone',
        'error.stack_trace': 'a.E: x\n\tat a.B.c(B.java:1)',
      },
      { level: 'error', trace: 'a.E: x\n\tat a.B.c(B.java:1)' },
      { logger: 'a.B' },
    ],
    [
      'GELF',
      { version: '1.1', host: 'vm', short_message: 'gone', level: 3, timestamp: 1795228093.5 },
      { message: 'gone', level: 'error', time: 1795228093500 },
      { host: 'vm' },
    ],
    [
      'Cloud Logging',
      { severity: 'EMERGENCY', message: 'gone', time: '2026-11-21T02:28:13.5Z' },
      { message: 'gone', level: 'emergency' },
      {},
    ],
  ];
  for (const [name, line, wanted, fields] of cases) {
    it(`${name}: message, level, time, trace and fields`, () => {
      const found = one(line);
      expect(found).toMatchObject(wanted);
      expect(found.fields).toMatchObject(fields);
    });
  }

  it('rules see the message unescaped, the trace, and the line as it came', () => {
    const rules = [
      rule('start', conditions({ text: [text(['\\AUser "é" gone$'], { scope: 'message' })] })),
      rule('line', '^User "é" gone$'),
      rule('trace', conditions({ text: [text(['^KeyError: 1\\z'], { scope: 'trace' })] })),
      rule('raw', conditions({ text: [text([{ literal: '"code":7' }])] })),
      rule(
        'field',
        conditions({ where: [{ field: 'user.name', operators: [{ op: 'glob', patterns: ['a*'] }] }] }),
      ),
      rule('never', '^"User'),
    ];
    const line = JSON.stringify({
      msg: 'User "é" gone',
      level: 'error',
      code: 7,
      user: { name: 'ann' },
      exc_info: trace,
    }).replace('é', '\\u00e9');
    const [match] = play(rules, Buffer.from(`${line}\n`)).matches;
    expect(match?.hits.map((hit) => hit.rule.id)).toEqual(['start', 'line', 'trace', 'raw', 'field']);
  });

  it('F17 hostile JSON: depth, size, doubled keys, prototypes and rubbish are read as far as they can be, or as text', () => {
    const deep = `{"message":"deep","level":"error","x":${'['.repeat(50_000)}${']'.repeat(50_000)}}`;
    const lines = [
      deep,
      '{"message":"a","level":"info","__proto__":{"polluted":1},"constructor":{"x":1}}',
      '{"message":"twice","message":"again","level":"info"}',
      '{"message":"rubbish","level":"info"} trailing',
      '{"message":"NaN","level":NaN}',
      `{"message":"big","level":"info","x":"${'y'.repeat(200_000)}"}`,
      '{"message":"\\ud83d half \\u12 bad \\q","level":"info"}',
    ];
    const found = records(lines);
    expect(found).toHaveLength(lines.length);
    expect(found[0]?.message).toBe('deep');
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
    expect(found[3]?.message).toBe(lines[3]);
    expect(JSON.stringify(found[5]?.fields).length).toBeLessThan(20_000);
  });

  it('secrets are taken out of message and fields, escaped or not', () => {
    const found = play(
      every,
      Buffer.from(
        `${JSON.stringify({ msg: 'login "x" failed: postgres://svc:hunter2@db/x', level: 'error', password: 'a"b<c>d1', deep: { token: 'tok-1234567890' } })}\n`,
      ),
    ).matches[0]!;
    const shown = JSON.stringify([found.record.message, found.record.fields, found.hits[0]?.fields]);
    expect(shown).not.toContain('hunter2');
    expect(shown).not.toContain('b<c>d1');
    expect(shown).not.toContain('tok-1234567890');
  });

  it('a line that is no JSON stays text, is matched, and is counted', () => {
    const data = Buffer.from(
      '{"msg":"a","level":"info"}\nplain words\n{"msg":"b","level":"info"}\n{"broken": \n',
    );
    const played = play(every, data);
    expect(played.matches.map((match) => match.record.message)).toEqual([
      'a',
      'plain words',
      'b',
      '{"broken": ',
    ]);
    expect(played.counts.unparsed).toBe(2);
  });

  it('an object in the text of a trace is text', () => {
    const lines = [
      '{"msg":"a","level":"info"}',
      '[2026-11-21 02:25:25,789: ERROR/ForkPoolWorker-1] x',
      'Traceback (most recent call last):',
      '  File "a.py", line 1, in f',
      'ValueError: {',
      '{"code": 4}',
    ];
    expect(records(lines).map((record) => record.message)).toEqual(['a', 'x']);
  });
});

describe('other lines with fields', () => {
  it('logfmt: message, level, time, fields', () => {
    const found = one(
      'time="2026-11-21T02:28:13Z" level=error msg="could not \\"reach\\" db" attempt=3 peer=10.0.0.1:5432',
    );
    expect(found).toMatchObject({
      message: 'could not "reach" db',
      level: 'error',
      time: at('2026-11-21T02:28:13Z'),
    });
    expect(found.fields).toMatchObject({ attempt: 3, peer: '10.0.0.1:5432' });
    expect(
      one('at=error code=H12 desc="Request timeout" method=GET path="/x" status=503').fields,
    ).toMatchObject({ code: 'H12', status: 503, path: '/x' });
    expect(one('level = bad, this is prose').message).toBe('level = bad, this is prose');
  });

  it('access logs of nginx and Apache', () => {
    const line =
      '203.0.113.7 - ann [21/Nov/2026:02:28:13 +0100] "GET /x?y=1 HTTP/1.1" 502 157 "https://a.example/" "curl/8.0"';
    const found = one(line);
    expect(found).toMatchObject({ message: line, time: at('2026-11-21T01:28:13Z') });
    expect(found.fields).toMatchObject({
      remote: '203.0.113.7',
      user: 'ann',
      method: 'GET',
      path: '/x?y=1',
      status: 502,
      bytes: 157,
      agent: 'curl/8.0',
    });
    expect(one('::1 - - [21/Nov/2026:02:28:13 +0000] "-" 408 -').fields).toMatchObject({
      status: 408,
      bytes: 0,
    });
  });

  it('error logs of nginx and Apache', () => {
    const nginx = one(
      '2026/11/21 01:52:18 [error] 12#13: *7 connect() failed (111: Connection refused), client: 10.0.0.9, server: x, request: "GET / HTTP/1.1", upstream: "http://127.0.0.1:1/"',
    );
    expect(nginx).toMatchObject({ level: 'error', time: at('2026-11-21T01:52:18Z') });
    expect(nginx.message).toMatch(/^connect\(\) failed/);
    expect(nginx.fields).toMatchObject({ pid: 12, client: '10.0.0.9', upstream: 'http://127.0.0.1:1/' });
    const apache = one(
      '[Sat Nov 21 06:44:10.123456 2026] [core:crit] [pid 9:tid 8] [client 10.0.0.9:5] AH00124: too many',
    );
    expect(apache).toMatchObject({
      level: 'critical',
      message: 'AH00124: too many',
      time: at('2026-11-21T06:44:10.123Z'),
    });
  });

  it('Rails and Ruby loggers', () => {
    const ruby = one(
      'E, [2026-11-21T02:28:13.973778 #1234] ERROR -- web: [0b7b22ea-71e9-4de7-b6eb-f5c575b10c84] Completed 500 Internal Server Error in 12ms (ActiveRecord: 1.0ms)',
    );
    expect(ruby).toMatchObject({ level: 'error', time: at('2026-11-21T02:28:13.973Z') });
    expect(ruby.fields).toMatchObject({
      pid: 1234,
      program: 'web',
      status: 500,
      duration_ms: 12,
      request_id: '0b7b22ea-71e9-4de7-b6eb-f5c575b10c84',
    });
    expect(one('Started GET "/x" for 10.0.0.9 at 2026-11-21 02:28:13 +0000', 'rails').fields).toMatchObject({
      method: 'GET',
      path: '/x',
      remote: '10.0.0.9',
    });
  });

  it('klog', () => {
    expect(one('E1121 02:28:13.973778    5082 reflector.go:12] cannot list')).toMatchObject({
      level: 'error',
      message: 'cannot list',
      time: at('2026-11-21T02:28:13.973Z'),
    });
  });
});

describe('envelopes', () => {
  it('docker: the inner line, its stream, its time; parts are one line', () => {
    const [found] = records([
      JSON.stringify({ log: 'half of ', stream: 'stderr', time: '2026-11-21T02:28:13.1Z' }),
      JSON.stringify({
        log: 'a line\r\n',
        stream: 'stderr',
        time: '2026-11-21T02:28:13.2Z',
        attrs: { tag: 'web' },
      }),
    ]);
    expect(found).toMatchObject({ message: 'half of a line', time: at('2026-11-21T02:28:13.1Z'), offset: 0 });
    expect(found?.fields).toMatchObject({ stream: 'stderr' });
  });

  it('a JSON line and a Celery line in CRI lines, and tracebacks of two streams that interleave', () => {
    const cri = (lane: string, line: string): string => `2026-11-21T02:28:13.5Z ${lane} F ${line}`;
    const head = '[2026-11-21 02:28:13,000: ERROR/ForkPoolWorker-1] ';
    const found = records([
      cri('stderr', `${head}one`),
      cri('stdout', JSON.stringify({ msg: 'two', level: 'warn' })),
      cri('stderr', 'Traceback (most recent call last):'),
      cri('stdout', 'three'),
      cri('stderr', 'KeyError: 1'),
      cri('stdout', '  more of three'),
    ]);
    expect(found.map(({ message, trace: below, level }) => [message, below, level])).toEqual([
      ['one', 'Traceback (most recent call last):\nKeyError: 1', 'error'],
      ['two', null, 'warning'],
      ['three\n  more of three', null, null],
    ]);
    expect(found[0]?.fields).toMatchObject({ process: 'ForkPoolWorker-1', stream: 'stderr' });
  });

  it('syslog in a file: both forms, octal escapes taken back, a message is a record with all its lines', () => {
    const [old, young, prose] = records([
      'Nov 21 02:28:13 vm app[12]: ERROR a.b ForkPoolWorker-3 Task x failed#012Traceback (most recent call last):#012  File "a.py", line 1, in f#012KeyError: one#012#011two',
      '<131>1 2026-11-21T02:28:13.5+00:00 vm app 12 ID7 [x@1 k="v"] gone',
      'Nov 21 02:28:14 vm app[12]: issue #012 is open',
    ]);
    expect(old).toMatchObject({ message: 'Task x failed', level: 'error', time: at('2026-11-21T02:28:13Z') });
    expect(old?.trace).toBe(
      'Traceback (most recent call last):\n  File "a.py", line 1, in f\nKeyError: one\n\ttwo',
    );
    expect(old?.fields).toMatchObject({
      hostname: 'vm',
      appname: 'app',
      procid: '12',
      logger: 'a.b',
      process: 'ForkPoolWorker-3',
    });
    expect(young).toMatchObject({
      message: 'gone',
      level: 'error',
      syslog: { pri: 131, facility: 16, severity: 3, msgid: 'ID7', structured_data: { 'x@1': { k: 'v' } } },
    });
    expect(prose?.message).toBe('issue #012 is open');
  });

  it('a stamp in UTC by its letter is a log of its own, not a syslog file', () => {
    const lines = (zone: string): Buffer =>
      Buffer.from(`2026-01-05T10:00:00.123${zone} web-1 app[7]: INFO up\n`);
    expect(formatOf(lines('Z'), true, 64)).toBe('plain');
    expect(formatOf(lines('+00:00'), true, 64)).toBe('syslog');
  });

  it('syslog lines of several processes: each one has its own tracebacks', () => {
    const line = (pid: number, message: string): string => `Nov 21 02:28:13 vm app[${pid}]: ${message}`;
    const found = records([
      line(1, 'boom'),
      line(2, 'bang'),
      line(1, 'Traceback (most recent call last):'),
      line(2, 'Traceback (most recent call last):'),
      line(1, '  File "a.py", line 1, in f'),
      line(2, '  File "b.py", line 1, in f'),
      line(1, 'KeyError: 1'),
      line(2, 'ValueError: 2'),
    ]);
    expect(found.map((record) => record.trace?.split('\n').at(-1))).toEqual(['KeyError: 1', 'ValueError: 2']);
  });

  it('syslog in a file with raw lines below a head: they go on with it', () => {
    const found = records([
      'Nov 21 02:28:13 vm app[12]: boom',
      'Traceback (most recent call last):',
      '  File "a.py", line 1, in f',
      'KeyError: 1',
      'Nov 21 02:28:14 vm app[12]: next',
    ]);
    expect(found.map((record) => [record.message, record.trace?.split('\n').at(-1)])).toEqual([
      ['boom', 'KeyError: 1'],
      ['next', undefined],
    ]);
  });

  it('prefixes of process managers; a table with bars is none', () => {
    const found = records([
      'worker (stderr)   | one',
      'worker (stderr)   |   more',
      'web (stdout)      | two',
      'worker (stderr)   | three',
    ]);
    expect(found.map((record) => [record.message, record.fields['prefix']])).toEqual([
      ['one\n  more', 'worker (stderr)'],
      ['two', 'web (stdout)'],
      ['three', 'worker (stderr)'],
    ]);
    expect(records(['a | b | c', 'bb | b | c', 'ccc | b | c']).map((record) => record.message)).toEqual([
      'a | b | c',
      'bb | b | c',
      'ccc | b | c',
    ]);
  });

  it('a stream that changes its format is noticed', () => {
    const lines = [
      ...Array.from({ length: 5 }, (_, n) => `banner ${n}`),
      ...Array.from({ length: 5 }, (_, n) => JSON.stringify({ msg: `m${n}`, level: 'info' })),
    ];
    const data = Buffer.from(`${lines.join('\n')}\n`);
    const cuts = Array.from({ length: data.length - 1 }, (_, index) => index + 1);
    const wanted = [0, 1, 2, 3, 4].flatMap((n) => [`banner ${n}`]).concat(['m0', 'm1', 'm2', 'm3', 'm4']);
    expect(play(every, data).matches.map((match) => match.record.message)).toEqual(wanted);
    expect(play(every, data, { cuts }).matches.map((match) => match.record.message)).toEqual(wanted);
  });

  it('lines around a record are those of its own producer, as messages', () => {
    const rules = [rule('x', 'boom', { context: { before: 2, after: 1 } })];
    const line = (lane: string, log: string): string =>
      JSON.stringify({ log: `${log}\n`, stream: lane, time: '2026-11-21T02:28:13.1Z' });
    const json = (msg: string): string => JSON.stringify({ msg, level: 'info' });
    const data = Buffer.from(
      `${[line('stderr', json('one')), line('stdout', 'other'), line('stderr', json('two')), line('stderr', json('boom')), line('stdout', 'other'), line('stderr', json('three'))].join('\n')}\n`,
    );
    const [match] = play(rules, data).matches;
    expect(match?.record.before).toEqual(['one', 'two']);
    expect(match?.record.after).toEqual(['three']);
  });

  it('an open record of one producer is not waited for without end while others write', () => {
    const line = (lane: string, log: string): string =>
      `${JSON.stringify({ log: `${log}\n`, stream: lane, time: '2026-11-21T02:28:13.1Z' })}\n`;
    const data = Buffer.from(line('stderr', 'alone') + line('stdout', 'y'.repeat(90)).repeat(2_000));
    const cuts = Array.from({ length: Math.floor(data.length / 4096) }, (_, index) => (index + 1) * 4096);
    const played = play([rule('alone', '^alone')], data, { cuts, format: 'docker' });
    expect(played.matches).toHaveLength(1);
  });
});
