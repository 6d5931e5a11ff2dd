import { describe, expect, it } from 'vitest';
import { compileRules } from '../../src/match/compile.ts';
import { openReader } from '../../src/match/open-reader.ts';
import type { SyslogContinuation } from '../../src/model/config.ts';
import type { RecordMatch } from '../../src/model/match.ts';
import { conditions, rule, stream } from './make-rule.ts';

const sent =
  '<11>Nov 21 02:28:13 web-1 app[7]: order refused\n' +
  'because of this:\n' +
  'the card is blocked\n' +
  '<11>Nov 21 02:28:14 web-1 app[7]: next one\n';

/** What a connection gives, its bytes cut at `cuts`. */
function messagesOf(continuation: SyslogContinuation, match: string | null, cuts: number[] = []): string[] {
  const rules = compileRules([rule('one', match ?? conditions({}))]);
  const reader = openReader(
    {
      stream,
      format: 'auto',
      multiline: 'auto',
      tz: 'UTC',
      maxLineBytes: 65_536,
      syslog: { framing: 'auto', continuation, maxFrameBytes: 65_536 },
    },
    null,
  );
  const bytes = Buffer.from(sent);
  const matches: RecordMatch[] = [];
  let offset = 0;
  for (const to of [...cuts, bytes.length]) {
    const read = reader.read(rules, {
      stream,
      data: Buffer.from(bytes.subarray(offset, to)),
      offset,
      end: to === bytes.length ? 'final' : 'more',
      receivedAt: Date.UTC(2026, 10, 21),
    });
    matches.push(...read.matches);
    offset += read.consumed;
  }
  return matches.map(({ record }) => record.message);
}

describe('a line without PRI behind a message with one', () => {
  it('P11 is a message of its own where its shape says no more', () => {
    expect(messagesOf('auto', null)).toEqual([
      'order refused',
      'because of this:',
      'the card is blocked',
      'next one',
    ]);
  });

  it('P11 with `continuation: join` belongs to the message before it', () => {
    const joined = 'order refused\nbecause of this:\nthe card is blocked';
    expect(messagesOf('join', null)).toEqual([joined, 'next one']);
    const every = Array.from({ length: sent.length - 1 }, (_, index) => index + 1);
    expect(messagesOf('join', null, every)).toEqual([joined, 'next one']);
    expect(messagesOf('join', 'card is blocked')).toEqual([joined]);
    expect(messagesOf('join', 'order refused', every)).toEqual([joined]);
  });
});
