/** Messages of RFC 3164 and RFC 5424, damaged in fifty thousand ways: nothing throws, and what a rule looks for is still there to be found. */
import { describe, expect, it } from 'vitest';
import { parseSyslog } from '../../src/match/syslog-parse.ts';

const at = Date.parse('2026-11-21T02:00:00Z');
const found = 'Task orders.sync raised unexpected';
const runs = 50_000;

const whole = [
  '<165>1 2026-11-21T01:00:00.003Z host app 8710 ID47 [ex@32473 iut="3" src="App"][b@1 c="d"] ',
  '<34>1 2026-11-21T01:00:00+02:00 host app - - - \ufeff',
  '<13>Nov 21 01:00:00 host app[42]: ',
  '<13>2026-11-21T01:00:00Z host app: ',
  '<0>1 - - - - - - ',
] as const;
const wrong = [
  ...['<192>', '<999>', '<-1>', '<>', '<<<', '<13', '13>', '<1e9>', '<13><13>'],
  ...[
    ']',
    '[',
    '"',
    '\\',
    '\\"',
    '="',
    '[x',
    '[@',
    '- ',
    ' - ',
    '-',
    '\ufeff',
    ' ',
    '  ',
    '\t',
    '\0',
    '\x1b[0m',
  ],
  ...['9999-99-99T99:99:99Z', 'Feb 30 25:61:61', 'Dec 31 23:59:60', '0 ', '99999999999 ', 'é', '\ud800'],
] as const;

/** The same numbers each time (mulberry32), so that a failure can be seen again. */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

function read(text: string): { message: string; pri: number | null } {
  const data = Buffer.from(text);
  const { from, to, envelope } = parseSyslog(data, 0, data.length, { tz: 'UTC', receivedAt: at });
  return { message: data.toString('utf8', from, to), pri: envelope.pri };
}

describe('syslog: a damaged message', () => {
  it('G6 in any of 50,000 ways throws nothing, and its text is found', () => {
    const below = numbers(20_261_121);
    const pick = (list: readonly string[]): string => list[below(list.length)] ?? '';
    for (let run = 0; run < runs; run++) {
      let head = pick(whole);
      for (let times = 1 + below(3); times > 0; times--) {
        const place = below(head.length + 1);
        const cut = below(3) === 0 ? below(12) : 0;
        head = `${head.slice(0, place)}${below(4) === 0 ? '' : pick(wrong)}${head.slice(place + cut)}`;
      }
      // Words before it: those that a head has lost are taken from here.
      const { message } = read(`${head}a b c d e f g h ${found}`);
      if (!message.includes(found)) expect({ run, head, message }).toEqual({ found });
    }
  });

  it('G6 with a number that is no priority is text as a whole', () => {
    for (const pri of ['<192>', '<999>', '<-1>', '<>', '<<<'])
      expect(read(`${pri}1 - - - - - - ${found}`)).toEqual({
        message: `${pri}1 - - - - - - ${found}`,
        pri: null,
      });
  });

  it('G6 with ten thousand parameters, a name of 64 KiB, or a bracket without its end keeps its text, in time that grows with its length', () => {
    const many = Array.from({ length: 10_000 }, (_, index) => `p${index}="${index}"`).join(' ');
    const head = '<13>1 2026-11-21T01:00:00Z h a p m';
    const began = performance.now();
    for (const data of [
      `[x@1 ${many}]`,
      `[${'n'.repeat(65_536)} a="b"]`,
      `[x@1 ${many}`,
      '[a b="]" c="\\"]"]',
      '['.repeat(65_536),
      '[a b="'.repeat(10_000),
    ])
      expect(read(`${head} ${data} ${found}`).message).toContain(found);
    expect(performance.now() - began).toBeLessThan(2_000);
  });
});
