import { describe, expect, it } from 'vitest';
import { stripAnsi } from '../../src/match/ansi.ts';
import { celeryHead, headOf } from '../../src/match/celery.ts';
import { cleanText, leadingNuls, wholeCharacters } from '../../src/match/clean.ts';
import { fingerprintOf, normalise } from '../../src/match/fingerprint.ts';
import { pythonHead } from '../../src/match/formats/python-heads.ts';
import { isCardNumber, redact, redacted, redactValue } from '../../src/match/redact.ts';
import { levelOf, stampOf, zonedTime } from '../../src/match/stamps.ts';
import { parseTemplate } from '../../src/match/template.ts';
import { lookupField, testFields } from '../../src/match/where.ts';
import { matchesGlob } from '../../src/model/glob.ts';
import type { FieldOperator } from '../../src/model/rule.ts';
import { waitFor } from '../support/wait-for.ts';
import { origin } from './make-rule.ts';

describe('terminal escapes', () => {
  it('F6 colours, titles, links and lone escapes are stripped', () => {
    expect(stripAnsi('\u001b[1;31mred\u001b[0m')).toBe('red');
    expect(stripAnsi('a\u001b]0;title\u0007b')).toBe('ab');
    expect(stripAnsi('\u001b]8;;http://evil\u001b\\click\u001b]8;;\u001b\\')).toBe('click');
    expect(stripAnsi('\u001b[2Jx\u001b(By\u001b')).toBe('xy');
    expect(stripAnsi('a\u001b]0;never ended\nnext')).toBe('a\nnext');
  });
});

describe('cleaning', () => {
  it('F2 invalid UTF-8, lone surrogates, overlong forms and cut characters become U+FFFD', () => {
    for (const bytes of [[0xff], [0xed, 0xa0, 0x80], [0xc0, 0xaf], [0xf0, 0x9f]]) {
      const data = Buffer.concat([Buffer.from('a '), Buffer.from(bytes), Buffer.from(' b')]);
      expect(cleanText(data, 0, data.length)).toMatch(/^a \ufffd+ b$/);
    }
  });

  it('F3 carriage returns before a line end go, others stay', () => {
    const data = Buffer.from('10%\r20%\r\nnext\r\r\nlast\r');
    expect(cleanText(data, 0, data.length)).toBe('10%\r20%\nnext\nlast');
    const many = Buffer.from(`${'\r'.repeat(200_000)}x`);
    const begin = Date.now();
    cleanText(many, 0, many.length);
    expect(Date.now() - begin).toBeLessThan(1000);
  });

  it('counts NUL at the heads of lines', () => {
    const data = Buffer.from('\0\0a\0b\n\0\0\0c\n');
    expect(cleanText(data, 0, data.length)).toBe('a\0b\nc\n');
    expect(leadingNuls(data)).toBe(5);
  });

  it('cuts between characters', () => {
    const data = Buffer.from('aé😀');
    for (const [end, wanted] of [
      [1, 1],
      [2, 1],
      [3, 3],
      [4, 3],
      [6, 3],
      [7, 7],
    ] as const)
      expect(wholeCharacters(data, 0, end)).toBe(wanted);
  });
});

describe('heads', () => {
  it("Celery's header gives time, level and process", () => {
    const head = celeryHead('[2026-11-21 02:25:25,789: ERROR/ForkPoolWorker-1] Task x', 'UTC');
    expect(head).toMatchObject({
      length: 50,
      time: Date.UTC(2026, 10, 21, 2, 25, 25, 789),
      level: 'error',
      process: 'ForkPoolWorker-1',
    });
    expect(celeryHead('[2026-11-21 02:25:25,789: ERROR/]', 'UTC')).toBeNull();
    expect(celeryHead('[2026-13-21 02:25:25,789: ERROR/Main] x', 'UTC')).toBeNull();
  });

  it.each([
    ['ERROR celery.app.trace ForkPoolWorker-3 ', 'celery.app.trace', 'ForkPoolWorker-3'],
    ['ERROR:celery.app.trace:', 'celery.app.trace', null],
    ['ERROR 2026-11-21 02:25:25,789 trace 5082 140000 ', undefined, null],
    ['2026-11-21 02:25:25,789 - shop.orders - ERROR - ', 'shop.orders', null],
    ['2026-11-21 02:25:25,789 ERROR celery.app.trace: ', 'celery.app.trace', null],
    ['2026-11-21 02:25:25,789 [ERROR] celery.app.trace - ', 'celery.app.trace', null],
    ['[2026-11-21 02:25:25,789] ERROR [celery.app.trace:ForkPoolWorker-3] ', 'celery.app.trace', null],
    [
      '[2026-11-21 02:25:25,789: ERROR] [ForkPoolWorker-3] celery.worker.request | ',
      'celery.worker.request',
      'ForkPoolWorker-3',
    ],
    ['ERROR 2026-11-21 02:25:25,789 celery.app.trace 5082 ', 'celery.app.trace', null],
  ])("Python's logging wrote %j: it is taken off the message", (lead, logger, process) => {
    const head = pythonHead(`${lead}Task a.b[c] raised unexpected: OSError()`, 'UTC', 0);
    expect(head).toMatchObject({ length: lead.length, level: 'error', process });
    expect(head?.fields?.['logger']).toBe(logger);
    if (lead.includes('2026')) expect(head?.time).toBe(Date.UTC(2026, 10, 21, 2, 25, 25, 789));
  });

  it.each([
    '2026-11-21 02:25:25,789 ERROR shop.orders: paid',
    '2026-11-21 02:25:25,789 celery.app.trace failed',
    'ERROR 2026-11-21 was a bad day',
    'ERROR 2026-11-21 02:25:25,789 trace 5082 only',
    'Task a.b[c] raised unexpected: OSError()',
    'Nov 21 02:25:25 ERROR shop',
    'ERROR in MainThread there was a problem',
    'WARNING Stopping Worker-3 since it hangs',
    'ERROR:http://example.com refused',
    'ERROR:java.io.IOException: broken pipe',
    '2026-11-21 02:25:25,789 ERROR celery is not running',
    '',
  ])('%j has no head of these', (line) => {
    expect(pythonHead(line, 'UTC', 0)).toBeNull();
  });

  it.each([
    '5 tasks wait',
    '42',
    'ERROR in it',
  ])('behind `celery.worker: ` the message begins: %j', (message) => {
    const text = `2026-11-21 02:25:25,789 INFO celery.worker: ${message}`;
    expect(text.slice(pythonHead(text, 'UTC', 0)?.length)).toBe(message);
  });

  it('a level of three letters before a stamp', () => {
    expect(headOf('ERR 2026-11-21 02:25:25 full', 'auto', 'UTC', 0)).toMatchObject({
      time: Date.UTC(2026, 10, 21, 2, 25, 25),
      level: 'error',
    });
  });

  it('stamps are read in their zone', () => {
    expect(zonedTime(Date.UTC(2026, 6, 1, 12), 'Europe/Berlin')).toBe(Date.UTC(2026, 6, 1, 10));
    expect(zonedTime(Date.UTC(2026, 0, 1, 12), 'Europe/Berlin')).toBe(Date.UTC(2026, 0, 1, 11));
    // Twice that night: the first. Never that night: moved forwards.
    expect(zonedTime(Date.UTC(2026, 9, 25, 2, 30), 'Europe/Berlin')).toBe(Date.UTC(2026, 9, 25, 0, 30));
    expect(zonedTime(Date.UTC(2026, 2, 29, 2, 30), 'Europe/Berlin')).toBe(Date.UTC(2026, 2, 29, 1, 30));
    expect(zonedTime(Date.UTC(2026, 9, 4, 12), 'Australia/Lord_Howe')).toBe(Date.UTC(2026, 9, 4, 1));
  });

  it('C4 stamps of all kinds, and garbage, never throw', () => {
    const now = Date.UTC(2026, 0, 1, 0, 5);
    expect(stampOf('2026-11-21T02:25:23.5Z x', 'UTC', now)?.time).toBe(
      Date.UTC(2026, 10, 21, 2, 25, 23, 500),
    );
    expect(stampOf('2026-11-21T02:25:23+01:00 x', 'UTC', now)?.time).toBe(Date.UTC(2026, 10, 21, 1, 25, 23));
    expect(stampOf('Dec 31 23:59:59 host x', 'UTC', now)?.time).toBe(Date.UTC(2025, 11, 31, 23, 59, 59));
    expect(stampOf('Feb 29 12:00:00 host x', 'UTC', now)).not.toBeUndefined();
    expect(stampOf('WARNING  2026-11-21 02:25:23,5 x', 'UTC', now)?.time).toBe(
      Date.UTC(2026, 10, 21, 2, 25, 23, 500),
    );
    expect(stampOf('ORDER 2026-11-21 02:25:23 x', 'UTC', now)).toBeNull();
    for (const garbage of ['', '[', '2026', '9999-99-99 99:99:99', 'Xxx 99 99:99:99 ', '\0\0\0', 'NaN'])
      expect(stampOf(garbage, 'UTC', now)).toBeNull();
    expect(stampOf('2026-06-30 23:59:60 leap', 'UTC', now)?.time).toBe(Date.UTC(2026, 6, 1));
  });

  it('levels have other names', () => {
    expect(['WARN', 'fatal', 'err', 'CRITICAL', 'nonsense'].map(levelOf)).toEqual([
      'warning',
      'critical',
      'error',
      'critical',
      null,
    ]);
  });
});

describe('redaction', () => {
  it.each([
    ['key AKIAIOSFODNN7EXAMPLE used', 'AKIAIOSFODNN7EXAMPLE'],
    ['Authorization: Bearer abc.def-123456789xyz', 'abc.def-123456789xyz'],
    ['Authorization: Basic dXNlcjpwYXNzd29yZA==', 'dXNlcjpwYXNzd29yZA=='],
    ['jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc_DEF-123 sent', 'eyJzdWIiOiIxMjM0In0'],
    ['login password=hunter2 ok', 'hunter2'],
    ["kwargs={'password': 'hun ter2', 'n': 1}", 'hun ter2'],
    ['{"api_key":"s3cr3t","x":1}', 's3cr3t'],
    ["connect(user='bob', password='p@ss', host='h')", 'p@ss'],
    ['redis://:s3cret@db.example.com:6379/0', 's3cret'],
    ['postgres://bob:s3cret@db.example.com/x', 's3cret'],
    ['GET https://x.example/cb?code=abcd1234&token=zzzz9999', 'zzzz9999'],
    ['sk_live_51HabcDEF012345', 'sk_live_51HabcDEF012345'],
    ['ghp_0123456789abcdefghijABCDEFGHIJ012345', 'ghp_0123456789abcdefghijABCDEFGHIJ012345'],
    ['xoxb-123456789012-abcdefABCDEF', 'xoxb-123456789012-abcdefABCDEF'],
    ['post https://hooks.slack.com/services/T000/B000/XXXXXXXX', 'T000/B000/XXXXXXXX'],
    ['https://discord.com/api/webhooks/123456789/abcdefghijklmnopqrstuvwxyz', 'abcdefghijklmnopqrstuvwxyz'],
    ['card 4111 1111 1111 1111 declined', '4111 1111 1111 1111'],
    ['x -----BEGIN RSA PRIVATE KEY-----\nMIIabc\n-----END RSA PRIVATE KEY----- y', 'MIIabc'],
    ['DB_PASSWORD=abc123', 'abc123'],
    ['refresh_token: 1//0abcDEFghi', '1//0abcDEFghi'],
  ])('F10 masks the secret in %s', (line, secret) => {
    const result = redact(line);
    expect(result.text).not.toContain(secret);
    expect(result.text).toContain(redacted);
    expect(result.secrets.length).toBeGreaterThan(0);
  });

  it.each([
    'password reset failed for user bob',
    'token expired',
    'token: expired',
    'Invalid token: missing',
    'secret: none',
    'the basic idea failed',
    'Basic authentication required',
    'bearer of bad news',
    'KeyError: token',
    'Task proj.tasks.token.refresh[8e2d0f3a-6f0c-4c3c-9b8e-0d6f1f7f5a11] raised unexpected: ValueError(1)',
    'order 1234567890123456 shipped',
    'at 2026-11-21 02:25:23,287 took 0.025973819000228104s',
    'https://example.com/path?page=2&sort=asc',
    'mail from bob@example.com',
  ])('leaves an ordinary line alone: %s', (line) => {
    expect(redact(line)).toEqual({ text: line, secrets: [] });
  });

  it('takes secrets out of captured values, and a part of a secret whole', () => {
    expect(redactValue('hunter2', ['hunter2'])).toBe(redacted);
    expect(redactValue('unter', ['hunter2'])).toBe(redacted);
    expect(redactValue('as hunter2 said', ['hunter2'])).toBe(`as ${redacted} said`);
    expect(redactValue('bob', ['hunter2'])).toBe('bob');
  });

  it('knows a card number by its check digit', () => {
    expect(isCardNumber('4111 1111 1111 1111')).toBe(true);
    expect(isCardNumber('4111 1111 1111 1112')).toBe(false);
  });

  it('stays linear in hostile text', () => {
    for (const piece of [
      'password=',
      '://',
      'eyJ',
      '1 ',
      "'token': '",
      'a_',
      '-----BEGIN PRIVATE KEY-----',
      '?key=',
      'Bearer ',
    ]) {
      const text = `password: ${piece.repeat(Math.ceil(65_536 / piece.length))}`;
      const begin = Date.now();
      redact(text);
      expect(Date.now() - begin, piece).toBeLessThan(2000);
    }
  });
});

describe('templates', () => {
  function render(text: string, scope: Record<string, unknown>): string {
    const parsed = parseTemplate(text);
    if (!parsed.ok) throw new Error(parsed.message);
    return parsed.template.render(scope);
  }

  it('put values in, nested ones by their path, absent ones as nothing', () => {
    expect(
      render('{{ task }} after {{collected.count}}{{ nothing.at.all }}', {
        task: 'a',
        collected: { count: 3 },
      }),
    ).toBe('a after 3');
    expect(render('{{ task | upcase }}{% if n > 1 %}s{% endif %}', { task: 'a', n: 2 })).toBe('As');
  });

  it('show objects and lists the same way, whether there is logic beside them or not', () => {
    const scope = {
      exception: { type: 'E', frames: ['a', 'b'] },
      list: ['x', 'y'],
      no: null,
      yes: true,
      n: 2.5,
    };
    const plain = '{{ exception }} {{ list }} {{ no }} {{ yes }} {{ n }}';
    expect(render(plain, scope)).toBe('{"type":"E","frames":["a","b"]} xy  true 2.5');
    expect(render(`${plain}{% if x %}{% endif %}`, scope)).toBe(render(plain, scope));
  });

  it('give for each record what its own values say, however often they are asked', () => {
    const parsed = parseTemplate(
      '{% if trace.size > 3 %}long{% else %}{{ trace | default: "none" }}{% endif %} {{ list[at] }} {{ e.type | upcase }}',
    );
    if (!parsed.ok) throw new Error(parsed.message);
    const { template } = parsed;
    const list = ['a', 'b'];
    const e = { type: 'x' };
    expect(template.render({ trace: 'ab', list, at: 0, e })).toBe('ab a X');
    expect(template.render({ trace: 'abcd', list, at: 0, e })).toBe('long a X');
    expect(template.render({ trace: 'abcd', list, at: 1, e })).toBe('long b X');
    e.type = 'y';
    list[1] = 'c';
    expect(template.render({ trace: 'abcd', list, at: 1, e })).toBe('long c Y');
    expect(template.render({ list, at: 1, e })).toBe('none c Y');

    const simple = parseTemplate('{% if trace.size > 3 %}long{% else %}{{ e.type }}{{ trace }}{% endif %}');
    if (!simple.ok) throw new Error(simple.message);
    const texts = [
      { trace: 'ab', e },
      { trace: 'ab', e: { type: 'z' } },
      { trace: 'abcd', e: { type: 'z' } },
      { e: { type: 'z' } },
      { trace: ['a', 'b', 'c', 'd'], e: 'text' },
      { trace: ['a'], e: 'text' },
    ].map((scope) => simple.template.render(scope));
    expect(texts).toEqual(['yab', 'zab', 'long', 'z', 'long', 'a']);
  });

  it('tell a text from a field of the same value', () => {
    const parsed = parseTemplate('{{ e.type | upcase }}');
    if (!parsed.ok) throw new Error(parsed.message);
    expect(parsed.template.render({ e: 'x' })).toBe('');
    expect(parsed.template.render({ e: { type: 'x' } })).toBe('X');
  });

  it('count anew each time, and count nothing in the fields', () => {
    const parsed = parseTemplate('{% increment n %}{{ a }}');
    if (!parsed.ok) throw new Error(parsed.message);
    const scope = { a: 'x' };
    expect([1, 2].map(() => parsed.template.render(scope))).toEqual(['0x', '0x']);
    expect(parsed.template.render({ a: 'x', n: 7 })).toBe('7x');
    expect(scope).toEqual({ a: 'x' });
  });

  it('a field that says now is the time of each rendering', async () => {
    const parsed = parseTemplate('{{ at | date: "%s.%N" }}');
    if (!parsed.ok) throw new Error(parsed.message);
    const first = parsed.template.render({ at: 'now' });
    await waitFor('another time', () => parsed.template.render({ at: 'now' }) !== first);
  });

  it('tell the names they need', () => {
    const plain = parseTemplate('{{ a }} {{ b.c }} {{ a }}');
    const rich = parseTemplate('{{ a | default: d }}{% for x in list.items %}{{ x }}{% endfor %}');
    expect(plain.ok && plain.template.variables).toEqual(['a', 'b.c']);
    expect(rich.ok && [...rich.template.variables].sort()).toEqual(['a', 'd', 'list.items']);
  });

  it('F5 log text is never read as a template, and prototypes are out of reach', () => {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: hostile on purpose
    const evil = '{{ 7 | times: 7 }}${7*7}<%= 1 %>$&$1{% raw %}';
    expect(render('x {{ message }} y', { message: evil })).toBe(`x ${evil} y`);
    expect(render('x {{ message | append: "!" }}', { message: evil })).toBe(`x ${evil}!`);
    expect(render('{{ a.constructor }}{{ a.__proto__ }}{{ constructor.name | upcase }}', { a: {} })).toBe('');
  });

  it('say where an error is', () => {
    const parsed = parseTemplate('one\ntwo {{ x | nosuch }}');
    expect(parsed).toMatchObject({ ok: false, line: 2 });
    expect(!parsed.ok && parsed.message).toContain('nosuch');
    expect(parseTemplate('{% if x %}')).toMatchObject({ ok: false });
  });

  it('render something when the engine gives up', () => {
    expect(render('{{ name }}: {% for i in (1..100000000) %}x{% endfor %}', { name: 'n' })).toContain('n: ');
  });
});

describe('tests on fields', () => {
  const fields = {
    task: 'billing.pay',
    n: 12,
    text: '7',
    level: 'error',
    list: ['a', 'b'],
    'a.b': 1,
    deep: { er: { x: null, y: 'z' } },
    empty: '',
  };
  const holds = (field: string, operator: FieldOperator): boolean =>
    testFields([{ field, operators: [operator] }], (path) => lookupField(fields, path));
  const glob = (...patterns: string[]): FieldOperator => ({ op: 'glob', patterns });

  it('globs fit the whole value and mind case', () => {
    expect(holds('task', glob('billing.*'))).toBe(true);
    expect(holds('task', glob('billing'))).toBe(false);
    expect(holds('task', glob('Billing.*'))).toBe(false);
    expect(holds('task', glob('x', '*.pay'))).toBe(true);
    expect(holds('task', { op: 'not', patterns: ['other.*'] })).toBe(true);
    expect(holds('list', glob('b'))).toBe(true);
    expect(matchesGlob('a*b*c', 'aXbYc')).toBe(true);
    expect(matchesGlob('a*a', 'a')).toBe(false);
    expect(matchesGlob('*'.repeat(50), 'x'.repeat(5000))).toBe(true);
  });

  it('an absent field is empty', () => {
    expect(holds('nothing', glob(''))).toBe(true);
    expect(holds('nothing', glob('*'))).toBe(true);
    expect(holds('nothing', { op: 'gte', value: 0 })).toBe(false);
    expect(holds('nothing', { op: 'exists', value: false })).toBe(true);
    expect(holds('task', { op: 'exists', value: true })).toBe(true);
  });

  it('numbers are compared as numbers, levels by their order', () => {
    expect(holds('n', { op: 'gt', value: 9 })).toBe(true);
    expect(holds('text', { op: 'lt', value: '10' })).toBe(true);
    expect(holds('task', { op: 'gt', value: 9 })).toBe(false);
    expect(holds('level', { op: 'gte', value: 'warn' })).toBe(true);
    expect(holds('level', { op: 'gte', value: 'FATAL' })).toBe(false);
    expect(holds('level', glob('ERROR'))).toBe(true);
  });

  it('patterns and lists from files', () => {
    expect(holds('task', { op: 'matches', pattern: '^billing\\.', origin })).toBe(true);
    expect(holds('task', { op: 'in_file', path: 'x', values: ['billing.pay'] })).toBe(true);
  });

  it('paths: the whole name first, then its steps, own properties only', () => {
    expect(lookupField(fields, 'a.b')).toBe(1);
    expect(lookupField(fields, 'deep.er.y')).toBe('z');
    expect(lookupField(fields, 'deep.er.x')).toBeNull();
    expect(lookupField(fields, 'deep.constructor')).toBeUndefined();
    expect(lookupField(fields, '__proto__.x')).toBeUndefined();
  });
});

describe('fingerprints', () => {
  const id = '8e2d0f3a-6f0c-4c3c-9b8e-0d6f1f7f5a11';
  const other = 'c1b7a2de-1f44-4f0b-8a7d-93c2f1d0aa02';
  it.each([
    [
      `Task p.t.add[${id}] raised unexpected: ValueError(1)`,
      `Task p.t.add[${other}] raised unexpected: ValueError(22)`,
    ],
    ['connected to 10.0.0.1:80', 'connected to 192.168.0.1:8080'],
    ['batch of 4,150,908 rows', 'batch of 17 rows'],
    ['took 12ms, 3.5MB', 'took 4.2s, 17KiB'],
    ['open /var/log/a.log failed', 'open /srv/x/y failed'],
    ['get https://a.example/x?y=1 failed', 'get http://b.example failed'],
    ['mail to bob@example.com', 'mail to eve@example.org'],
    ['at 2026-11-21T02:25:23Z', 'at 2025-01-01T00:00:00Z'],
    ['lost db-primary1.internal', 'lost db-primary2.internal'],
    ["name='bob smith' failed", "name='eve' failed"],
    ['blocks blk_1 blk_22, blk_3', 'blocks blk_4'],
  ])('one problem: %s', (a, b) => {
    expect(normalise(a)).toBe(normalise(b));
  });

  it.each([
    ['Task p.t.add raised ValueError()', 'Task p.t.mul raised ValueError()'],
    ['java.io.IOException: x', 'java.io.EOFException: x'],
    ['signal 9 (SIGKILL)', 'signal 11 (SIGSEGV)'],
    ['Face::add() failed', 'Bad::cafe() failed'],
    ["'utf8' codec error", "'base64' codec error"],
    ['VM Started', 'VM Paused'],
  ])('two problems: %s', (a, b) => {
    expect(normalise(a)).not.toBe(normalise(b));
  });

  it('F13 no two lists of values give one key by where they are cut', () => {
    expect(fingerprintOf('r', ['a|b', 'c'], 'x')).not.toBe(fingerprintOf('r', ['a', 'b|c'], 'x'));
    expect(fingerprintOf('r', ['a\0', 'b'], 'x')).not.toBe(fingerprintOf('r', ['a', '\0b'], 'x'));
    expect(fingerprintOf('r', [], 'x')).toMatch(/^v1:[0-9a-f]{16}$/);
  });
});
