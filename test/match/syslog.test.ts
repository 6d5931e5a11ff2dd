import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { frameFlags, inflate, looksCompressed, SyslogFramer } from '../../src/match/syslog-framing.ts';
import { SyslogHead } from '../../src/match/syslog-head.ts';
import { levelOfSeverity, parseSyslog } from '../../src/match/syslog-parse.ts';
import { type SyslogCase, syslogCases } from '../support/syslog-cases.ts';

const cases = syslogCases();
const at = Date.parse('2026-11-21T02:00:00Z');

function read(data: Buffer, from: number, to: number, given: Partial<SyslogCase> = {}) {
  const structured = given.transport !== 'http-logplex';
  const found = parseSyslog(data, from, to, {
    tz: given.tz ?? 'UTC',
    receivedAt: given.receivedAt ?? at,
    structured,
  });
  return { ...found.envelope, message: data.toString('utf8', found.from, found.to) };
}

const one = (text: string) => read(Buffer.from(text), 0, Buffer.byteLength(text));

/** Bytes of a connection in pieces, as a source presents them: what is not consumed comes again. */
function framed(
  pieces: readonly Buffer[],
  options: { framing: SyslogCase['framing']; maxFrameBytes: number },
): { data: Buffer; flags: number }[] {
  const framer = new SyslogFramer({ ...options, inflates: true });
  const frames: { data: Buffer; flags: number }[] = [];
  let held: Buffer = Buffer.alloc(0);
  const present = (final: boolean) => {
    const consumed = framer.read(held, final);
    let last = 0;
    for (let index = 0; index < framer.count; index++) {
      expect(framer.rawFrom[index]).toBeGreaterThanOrEqual(last);
      last = framer.rawTo[index] ?? 0;
      frames.push({
        data: Buffer.from(framer.bytes(index).subarray(framer.from[index], framer.to[index])),
        flags: framer.flags[index] ?? 0,
      });
    }
    expect(last).toBeLessThanOrEqual(consumed);
    held = Buffer.from(held.subarray(consumed));
  };
  for (const piece of pieces) {
    held = Buffer.concat([held, piece]);
    present(false);
  }
  present(true);
  expect(held.length).toBe(0);
  return frames;
}

function stream(one: SyslogCase, pieces: readonly Buffer[]) {
  return framed(pieces, one).map(({ data }) => read(data, 0, data.length, one));
}

function cutInBytes(data: Buffer): Buffer[] {
  return Array.from(data, (_, index) => data.subarray(index, index + 1));
}

describe('syslog: what senders send', () => {
  it('every case is there', () => expect(cases).toHaveLength(86));

  for (const given of cases) {
    const { name, bytes, messages, transport } = given;
    if (transport === 'udp' || transport === 'unix-dgram') {
      it(`datagram ${name}`, () => {
        expect([read(bytes, 0, bytes.length, given)]).toEqual(messages);
      });
      continue;
    }
    // The head of a proxy is taken off at the socket: test/sources/syslog.test.ts.
    if (name.startsWith('proxy-')) continue;
    it(`stream ${name}: whole, byte by byte, and cut at every place`, () => {
      expect(stream(given, [bytes])).toEqual(messages);
      expect(stream(given, cutInBytes(bytes))).toEqual(messages);
      const flags = framed([bytes], given).map((frame) => frame.flags);
      for (let cut = 1; cut < bytes.length; cut++) {
        const frames = framed([bytes.subarray(0, cut), bytes.subarray(cut)], given);
        if (frames.length !== messages.length) expect([cut, frames.length]).toEqual([cut, messages.length]);
        expect(frames.map((frame) => frame.flags)).toEqual(flags);
        if (cut % 7 === 0 || bytes.length < 500)
          expect(frames.map(({ data }) => read(data, 0, data.length, given))).toEqual(messages);
      }
    });
  }
});

describe('syslog: a head is read as it was meant, and no word is lost', () => {
  it('a PRI is from 0 to 191, else it is text', () => {
    for (const text of ['<192>x y', '<>x', '<1234>x', '<1 3>x', '<-1>x', '<13x', '<13', '<'])
      expect(one(text)).toMatchObject({ pri: null, severity: null, message: text });
    expect(one('<191>x y')).toMatchObject({ pri: 191, facility: 23, severity: 7, message: 'x y' });
    expect(one('<000>x y')).toMatchObject({ pri: 0, message: 'x y' });
  });

  it('JSON, assignments and addresses are no tags', () => {
    for (const text of [
      '{"level": "error"}',
      'a="b": c',
      'http://host/path: gone',
      '12:30:00 began',
      '45: x',
    ])
      expect(one(`<11>${text}`)).toMatchObject({ appname: null, hostname: null, message: text });
    expect(one('<13>Nov 21 01:00:00 h http://host/x: gone')).toMatchObject({
      hostname: 'h',
      appname: null,
      message: 'http://host/x: gone',
    });
  });

  it('the name of an exception is part of the text', () => {
    expect(one('<11>ValueError: boom')).toMatchObject({ appname: null, message: 'ValueError: boom' });
    expect(one('<11>django.db.utils.OperationalError: gone')).toMatchObject({ appname: null });
    expect(one('<11>worker[3]: boom')).toMatchObject({ appname: 'worker', procid: '3', message: 'boom' });
  });

  it('a level is no host', () => {
    expect(one('<11>Nov 21 01:00:00 ERROR disk full')).toMatchObject({
      hostname: null,
      message: 'ERROR disk full',
    });
    expect(one('2026-11-21T01:00:00Z WARNING app: slow')).toMatchObject({
      timestamp: null,
      message: '2026-11-21T01:00:00Z WARNING app: slow',
    });
  });

  it('without a PRI a head is whole or none', () => {
    expect(one('Nov 21 01:00:00 vm celery[7]: x')).toMatchObject({
      pri: null,
      timestamp: '2026-11-21T01:00:00.000Z',
      hostname: 'vm',
      appname: 'celery',
      procid: '7',
      message: 'x',
    });
    for (const text of ['Nov 21 01:00:00 celery: x', 'Nov 21 01:00:00 vm some text', 'Nov 41 x'])
      expect(one(text)).toMatchObject({ timestamp: null, hostname: null, appname: null, message: text });
  });

  it('hosts by address, in IPv6 too, and tags of systemd in parentheses', () => {
    expect(one('<13>Nov 21 01:00:00 2001:db8::1 (uetoothd)[4]: x')).toMatchObject({
      hostname: '2001:db8::1',
      appname: '(uetoothd)',
      procid: '4',
      message: 'x',
    });
  });

  it('times that are none, and years', () => {
    const time = (stamp: string, receivedAt = at) =>
      read(Buffer.from(`<13>${stamp} h a: x`), 0, stamp.length + 10, { receivedAt }).timestamp;
    expect(time('Feb 30 01:00:00')).toBeNull();
    expect(time('Nov 21 25:00:00')).toBeNull();
    expect(time('Feb 29 01:00:00')).toBeNull();
    expect(time('Feb 29 01:00:00', Date.parse('2029-01-05T00:00:00Z'))).toBe('2028-02-29T01:00:00.000Z');
    expect(time('Nov 22 01:00:00')).toBe('2026-11-22T01:00:00.000Z');
    expect(time('Nov 23 01:00:00')).toBe('2025-11-23T01:00:00.000Z');
    expect(time('2026-02-29T01:00:00Z')).toBeNull();
    expect(time('2026-11-21T01:00:00.1239+05:30')).toBe('2026-11-20T19:30:00.123Z');
  });

  it('structured data: escapes, names that come again, names of the language itself', () => {
    const { structured_data, message } = one(
      String.raw`<13>1 - h a p m [o@1 ip="1" ip="2" ip="3" q="a\"b\\c\]d\e"][__proto__@1 constructor="x"] text`,
    );
    expect(message).toBe('text');
    expect(JSON.parse(JSON.stringify(structured_data))).toEqual({
      'o@1': { ip: ['1', '2', '3'], q: String.raw`a"b\c]d\e` },
      '__proto__@1': { constructor: 'x' },
    });
    expect(one('<13>1 - h a p m [notice] x')).toMatchObject({ structured_data: null, message: '[notice] x' });
    expect(one('<13>1 - h a p m [a@1 b="c"]x')).toMatchObject({ structured_data: null });
  });

  it('severities are levels', () => {
    expect([0, 1, 2, 3, 4, 5, 6, 7].map(levelOfSeverity)).toEqual(
      'emergency alert critical error warning notice info debug'.split(' '),
    );
  });

  it('any bytes: nothing throws, places are in order, and all letters stand in one of them', () => {
    const parts = fc.constantFrom(
      ...[
        '<13>',
        '<191>',
        '<999>',
        '1 ',
        '0 ',
        '- ',
        '2026-11-21T01:00:00Z ',
        'Nov 21 01:00:00 ',
        'Nov  1 2026 ',
      ],
      ...[
        'host ',
        'tag: ',
        'tag[1]: ',
        '45: ',
        'r1: ',
        '*',
        '[a@1 b="c"] ',
        '[x',
        ' ',
        ': ',
        '%SYS-5-X: ',
        'UTC: ',
        '\0',
      ],
      ...['\n', 'ERROR: ', 'ä', '\x1b[1m', '"', ']', '\\', '01:00:00 '],
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(parts, fc.string()), { maxLength: 14 }), (list) => {
        const data = Buffer.from(list.join(''));
        const found = parseSyslog(data, 0, data.length, { tz: 'UTC', receivedAt: at });
        expect(found.from).toBeLessThanOrEqual(found.to);
        expect(data.subarray(found.to).every((code) => [0, 10, 13].includes(code))).toBe(true);
        if (!found.found) expect(found.from).toBe(0);
        const head = new SyslogHead();
        head.read(data, 0, data.length);
        const rest = Buffer.from(data.subarray(0, found.from));
        for (const [from, to] of [
          [head.stampFrom, head.stampTo],
          [head.hostFrom, head.hostTo],
          [head.appFrom, head.appTo],
          [head.procFrom, head.procTo],
          [head.idFrom, head.idTo],
          [head.dataFrom, head.dataTo],
        ] as const)
          if (to > from) rest.fill(' ', from, to);
        // What is in no place: the PRI, a version or a number in front of the stamp, and marks.
        expect(rest.toString()).toMatch(/^(<\d+>)?(\d\d? | ?\d+: )?[ :*.\-[\]\ufeff]*$/);
      }),
      { numRuns: 3000 },
    );
  });
});

describe('syslog: messages of a connection', () => {
  const auto = { framing: 'auto', maxFrameBytes: 64 } as const;
  const texts = (pieces: readonly (string | Buffer)[], options: Parameters<typeof framed>[1] = auto) =>
    framed(
      pieces.map((piece) => Buffer.from(piece as string)),
      options,
    ).map(({ data }) => data.toString('latin1'));

  it('S2 S3 a count without end reserves nothing, and one too long is text', () => {
    expect(texts(['999999999 <13>a'])).toEqual(['<13>a']);
    expect(texts(['99999999999999999999 <13>a\n'])).toEqual(['99999999999999999999 <13>a']);
    expect(texts(['404 not found\n2026-11-21 x\n12 5\n'])).toEqual(['404 not found', '2026-11-21 x', '12 5']);
  });

  it('a message over the limit keeps its head, and the next one is whole', () => {
    const long = 'x'.repeat(100);
    expect(
      framed([Buffer.from(`<13>${long}\n<13>b\n`)], auto).map((frame) => [frame.data.length, frame.flags]),
    ).toEqual([
      [64, frameFlags.truncated],
      [5, frameFlags.line],
    ]);
    expect(texts([`<13>${'x'.repeat(60)}\n<13>b\n`])[0]).toHaveLength(64);
    expect(texts([`104 <13>${long}5 <13>b\n<13>c\n`])).toEqual([`<13>${'x'.repeat(60)}`, '<13>b', '<13>c']);
    expect(texts([`<13>${long}\0<13>b\nc\0`])).toEqual([`<13>${'x'.repeat(60)}`, '<13>b\nc']);
  });

  it('S4 the first end mark decides: with NUL, LF is part of a message; counted ones come between', () => {
    expect(texts(['<13>a\0<13>b\nb\x006 <13>cc<13>d\0'])).toEqual(['<13>a', '<13>b\nb', '<13>cc', '<13>d']);
    expect(texts(['<13>a\n<13>b\n\0<13>c\n'])).toEqual(['<13>a', '<13>b', '<13>c']);
    expect(texts(['<13>a\n <13>b\n  indented\n'])).toEqual(['<13>a', '<13>b', '  indented']);
  });

  it('a given framing is kept', () => {
    expect(texts(['5 <13>a\n'], { ...auto, framing: 'lf' })).toEqual(['5 <13>a']);
    expect(texts(['5 abcde5 fghij'], { ...auto, framing: 'octet' })).toEqual(['abcde', 'fghij']);
    expect(texts(['a\nb\0c'], { ...auto, framing: 'nul' })).toEqual(['a\nb', 'c']);
  });

  it('a compressed message that gives too much or is broken is given as it came', () => {
    const broken = Buffer.concat([Buffer.from('z'), Buffer.from([0x78, 0x9c, 1, 2, 3, 4, 5, 6, 7])]);
    expect(looksCompressed(broken, 0, broken.length)).toBe(true);
    expect(inflate(broken, 0, broken.length, 64)).toBeNull();
    const counted = Buffer.concat([Buffer.from(`${broken.length} `), broken, Buffer.from('5 <13>a')]);
    expect(framed([counted], auto).map((frame) => frame.flags)).toEqual([frameFlags.unreadable, 0]);
    expect(looksCompressed(Buffer.from('zebra crossing'), 0, 14)).toBe(false);
  });

  it('however the bytes are cut, the messages are the same', () => {
    const piece = fc.constantFrom(
      ...[
        '<13>a',
        '<13>1 - h a p m - text',
        '\n',
        '\0',
        '\r\n',
        '5 <13>x',
        '12 <13>abcdefgh',
        '9',
        ' ',
        'z',
        '0',
        '{',
        'yy',
      ],
      'q'.repeat(80),
    );
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 20 }),
        fc.array(fc.nat(200), { maxLength: 6 }),
        fc.constantFrom('auto', 'lf', 'octet', 'nul') as fc.Arbitrary<SyslogCase['framing']>,
        (parts, cuts, framing) => {
          const data = Buffer.from(parts.join(''));
          const places = [
            0,
            ...cuts.map((cut) => cut % (data.length + 1)).sort((a, b) => a - b),
            data.length,
          ];
          const pieces = places.slice(1).map((to, index) => data.subarray(places[index], to));
          const options = { framing, maxFrameBytes: 64 };
          expect(framed(pieces, options)).toEqual(framed([data], options));
          expect(framed(cutInBytes(data), options)).toEqual(framed([data], options));
        },
      ),
      { numRuns: 1000 },
    );
  });
});
