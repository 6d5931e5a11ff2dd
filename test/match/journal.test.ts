/** Entries of the journal as records: text in all its spellings, level, time, fields, and tracebacks that came line by line. */
import { describe, expect, it } from 'vitest';
import { compileRules } from '../../src/match/compile.ts';
import { openReader } from '../../src/match/open-reader.ts';
import type { LogRecord } from '../../src/model/record.ts';
import { printed } from '../support/journal.ts';
import { aRule } from '../support/make.ts';

const origin = { file: 'rules.yaml', line: 1, column: 1, length: 1 };
const all = aRule({
  conditions: {
    text: [{ mode: 'any', tests: [{ kind: 'regex', text: '.', origin }], scope: 'record' }],
    where: [],
    except: [],
    from: null,
  },
});

function read(...entries: Readonly<Record<string, unknown>>[]): readonly LogRecord[] {
  const stream = { source: 's', key: 'k', path: null, host: null, labels: {}, envelope: 'journal' } as const;
  const reader = openReader(
    { stream, format: 'auto', multiline: 'auto', tz: 'UTC', maxLineBytes: 4_096 },
    null,
  );
  const data = Buffer.from(entries.map((entry, at) => `${printed(entry, at)}\n`).join(''));
  const result = reader.read(compileRules([all]), {
    stream,
    data,
    offset: 0,
    end: 'quiet',
    receivedAt: Date.UTC(2026, 0, 5, 12),
  });
  expect(result.consumed).toBe(data.length);
  return result.matches.map((match) => match.record);
}

describe('an entry of the journal', () => {
  it('gives message, level, time, and its fields by their own names and by short ones', () => {
    const [record] = read({
      MESSAGE: 'boom in "kitchen"',
      PRIORITY: '3',
      _PID: '42',
      _HOSTNAME: 'web1',
      _SYSTEMD_UNIT: 'shop.service',
      SYSLOG_IDENTIFIER: 'shop',
      _BOOT_ID: 'b',
      ORDER_ID: '17',
    });
    expect(record).toMatchObject({
      message: 'boom in "kitchen"',
      level: 'error',
      time: Date.UTC(2026, 0, 5, 10),
      fields: {
        unit: 'shop.service',
        identifier: 'shop',
        pid: '42',
        hostname: 'web1',
        _SYSTEMD_UNIT: 'shop.service',
        SYSLOG_IDENTIFIER: 'shop',
        _PID: '42',
        _HOSTNAME: 'web1',
        ORDER_ID: '17',
      },
    });
    expect(record?.fields).not.toHaveProperty('_BOOT_ID');
    expect(record?.fields).not.toHaveProperty('MESSAGE');
  });

  it('a message may be a list of bytes, a list of texts, several lines, nothing', () => {
    const records = read(
      { MESSAGE: [...Buffer.from('caf\u00e9 '), 0xff] },
      { MESSAGE: ['first "text"', 'second'], _PID: '2' },
      { MESSAGE: 'two\nlines', _PID: '3' },
      { MESSAGE: null, _PID: '4' },
      { MESSAGE: 'end', _PID: '5' },
    );
    expect(records.map((record) => record.message)).toEqual([
      'caf\u00e9 \ufffd',
      'first "text"',
      'two\nlines',
      'end',
    ]);
  });

  it('levels 0 to 7 are all known', () => {
    const records = read(
      ...'01234567'.split('').map((PRIORITY) => ({ MESSAGE: 'x', PRIORITY, _PID: PRIORITY })),
    );
    expect(records.map((record) => record.level)).toEqual([
      'emergency',
      'alert',
      'critical',
      'error',
      'warning',
      'notice',
      'info',
      'debug',
    ]);
  });

  it('a traceback printed line by line is one record, though another process speaks in between', () => {
    const records = read(
      { MESSAGE: 'Traceback (most recent call last):', _PID: '1' },
      { MESSAGE: 'hello', _PID: '2' },
      { MESSAGE: '  File "a.py", line 1, in f', _PID: '1' },
      { MESSAGE: '    g()', _PID: '1' },
      { MESSAGE: 'world', _PID: '2' },
      { MESSAGE: 'ValueError: no', _PID: '1' },
    );
    expect(records.map((record) => record.raw.split('\n').length).sort()).toEqual([1, 1, 4]);
  });

  it('what is inside is read as it is: a JSON line with fields of its own, a Celery header', () => {
    const [json, celery] = read(
      { MESSAGE: '{"level":"warn","msg":"slow","ms":12}', PRIORITY: '6', _PID: '1' },
      { MESSAGE: '[2026-01-05 10:00:01,000: ERROR/MainProcess] boom', PRIORITY: '6', _PID: '2' },
    );
    expect(json).toMatchObject({ message: 'slow', level: 'warning', fields: { ms: 12, pid: '1' } });
    expect(celery).toMatchObject({ message: 'boom', level: 'error', fields: { process: 'MainProcess' } });
  });
});
