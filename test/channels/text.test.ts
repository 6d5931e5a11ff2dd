/** Cleaning and cutting, the first step of every rendering. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  borderAfter,
  borderBefore,
  clean,
  cleanLine,
  cut,
  cutBytes,
  cutMiddle,
} from '../../src/channels/text.ts';
import { cutTrace } from '../../src/channels/trace.ts';
import { hostileLines } from '../support/hostile-lines.ts';

const anyText = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom(...hostileLines),
  fc
    .array(
      fc.constantFrom(
        '\u001b',
        '[',
        ']',
        '0;',
        '\u0007',
        '\u202e',
        '\u200d',
        '\u{1f468}',
        '\ud83d',
        'e',
        '\u0301',
        '\r',
        '\n',
        '\u009b',
        'm',
      ),
    )
    .map((parts) => parts.join('')),
);

describe('clean', () => {
  it.each([
    ['plain text stays', 'a\tb\nc', 'a\tb\nc'],
    ['line ends become one kind', 'a\r\nb\rc\u2028d', 'a\nb\nc\nd'],
    [
      'colours and hyperlinks go, their text stays',
      '\u001b[1;31mred\u001b[0m \u001b]8;;https://x.example\u0007click\u001b]8;;\u0007',
      'red click',
    ],
    ['an unfinished escape hides nothing', '\u001b]0;title \u001b[12', '0;title 12'],
    ['control characters are shown', 'a\u0000b\u0007c\u007f\u0085d', 'a\u2400b\\x07c\\x7f\nd'],
    [
      'direction and zero-width characters are shown',
      '\u202eabc\u2069 @\u200bchannel',
      '\\u{202E}abc\\u{2069} @\\u{200B}channel',
    ],
    [
      'joined emoji stay joined',
      '\u{1f468}\u200d\u{1f469}\u200d\u{1f467}',
      '\u{1f468}\u200d\u{1f469}\u200d\u{1f467}',
    ],
    ['a joiner elsewhere is shown', 'a\u200db', 'a\\u{200D}b'],
    ['lone surrogates are replaced', 'a\ud83db', 'a\ufffdb'],
    [
      'accents stay, towers of them do not',
      `e\u0301 z${'\u0301'.repeat(500)}`,
      `e\u0301 z${'\u0301'.repeat(8)}`,
    ],
  ])('%s', (_what, from, to) => {
    expect(clean(from)).toBe(to);
  });

  it('nothing that acts is left of any text, and a second time changes nothing', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const cleaned = clean(text);
        expect(cleaned).not.toMatch(/[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200b\ufeff]/);
        expect(cleaned.isWellFormed()).toBe(true);
        expect(cleanLine(text)).not.toMatch(/[\n\t]/);
      }),
    );
  });

  it('a megabyte of any hostile piece is cleaned at once', () => {
    for (const piece of [
      '\u001b]',
      '\u001b[',
      '\u001bP',
      '\u009b',
      '\u0301',
      '\u200d',
      '\u{1f468}\u200d',
      '<',
      '\ud83d',
    ]) {
      const before = performance.now();
      clean(piece.repeat(300_000));
      expect(performance.now() - before).toBeLessThan(3000);
    }
  });
});

describe('cut', () => {
  it('says how much is missing', () => {
    expect(cut('x'.repeat(100), 40)).toBe(`${'x'.repeat(26)}\u2026 (+74 chars)`);
    expect(cut('short', 40)).toBe('short');
    expect(cut('no room at all', 5)).toBe('no ro');
  });

  it('falls on the border of what a reader sees as one character', () => {
    const family = '\u{1f468}\u200d\u{1f469}\u200d\u{1f467}';
    const text = family.repeat(20);
    for (let limit = 0; limit < text.length; limit++) {
      expect(borderBefore(text, limit) % family.length).toBe(0);
      expect(borderAfter(text, limit) % family.length).toBe(0);
    }
  });

  it('keeps every limit and tears no character, whatever the text', () => {
    fc.assert(
      fc.property(anyText, fc.nat(300), (text, limit) => {
        const whole = text.toWellFormed();
        for (const short of [cut(whole, limit), cutMiddle(whole, limit), cutTrace(whole, limit)]) {
          expect(short.length).toBeLessThanOrEqual(limit);
          expect(short.isWellFormed()).toBe(true);
        }
        expect(Buffer.byteLength(cutBytes(whole, limit))).toBeLessThanOrEqual(limit);
        expect(whole.startsWith(cutBytes(whole, limit))).toBe(true);
      }),
      { numRuns: 400 },
    );
  });
});

describe('cutTrace', () => {
  const frame = (path: string): string => `  File "${path}", line 3, in f\n    call()`;
  it('hides frames of libraries first, and only as far as needed', () => {
    const lines = [
      'Task failed',
      'Traceback (most recent call last):',
      ...Array(20).fill(frame('/x/site-packages/celery/app/trace.py')),
      frame('/srv/app/tasks.py'),
      'KeyError: 1',
      '',
      'During handling of the above exception, another exception occurred:',
      '',
      'Traceback (most recent call last):',
      ...Array(20).fill(frame('/usr/lib/python3.11/json/decoder.py')),
      frame('/srv/app/store.py'),
      'StoreError: 2',
    ];
    const text = lines.join('\n');
    expect(cutTrace(text, 10_000)).toBe(text);
    expect(cutTrace(text, 600)).toBe(
      [
        'Task failed',
        'Traceback (most recent call last):',
        '  \u2026 40 lines of libraries',
        frame('/srv/app/tasks.py'),
        'KeyError: 1',
        '',
        'During handling of the above exception, another exception occurred:',
        '',
        'Traceback (most recent call last):',
        '  \u2026 40 lines of libraries',
        frame('/srv/app/store.py'),
        'StoreError: 2',
      ].join('\n'),
    );
    const tight = cutTrace(text, 200);
    expect(tight).toContain('Task failed');
    expect(tight).toContain('StoreError: 2');
  });

  it('does the same for Java and Node', () => {
    const java = [
      'java.lang.IllegalStateException: x',
      '\tat com.acme.Job.run(Job.java:7)',
      ...Array(60).fill('\tat java.base/java.lang.Thread.run(Thread.java:1)'),
      'Caused by: java.io.IOException: gone',
      '\tat com.acme.Io.read(Io.java:9)',
      '\tat x',
      '\tat y',
      '\tat z',
    ].join('\n');
    expect(cutTrace(java, 600)).toContain('com.acme.Io.read');
    const node = [
      'Error: x',
      '    at run (/srv/app/job.js:1:2)',
      ...Array(60).fill('    at next (/srv/app/node_modules/koa/index.js:1:2)'),
      '    at main (/srv/app/main.js:1:2)',
      '    at node:internal/x:1',
      'a',
      'b',
      'c',
    ].join('\n');
    expect(cutTrace(node, 400)).toContain('/srv/app/main.js');
  });
});
