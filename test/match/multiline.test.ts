import { describe, expect, it } from 'vitest';
import { exceptionOf } from '../../src/match/exception.ts';
import type { Multiline } from '../../src/model/config.ts';
import { conditions, rule } from './make-rule.ts';
import { play } from './wrapped-streams.ts';

const every = [rule('every', conditions({}))];

function heads(lines: readonly string[], multiline: Multiline = 'auto'): string[] {
  return play(every, Buffer.from(`${lines.join('\n')}\n`), { multiline, format: 'plain' }).matches.map(
    (match) => match.record.raw.split('\n')[0] ?? '',
  );
}

const traces: Readonly<Record<string, readonly string[]>> = {
  'Python, chained': [
    'boom',
    'Traceback (most recent call last):',
    '  File "a.py", line 1, in f',
    'KeyError: 1',
    '',
    'During handling of the above exception, another exception occurred:',
    '',
    'Traceback (most recent call last):',
    '  File "b.py", line 2, in g',
    'app.errors.Bad: two',
  ],
  'Python, a syntax error': [
    'boom',
    'Traceback (most recent call last):',
    '  File "a.py", line 1, in f',
    '  File "b.py", line 3',
    '    if x',
    '        ^',
    "SyntaxError: expected ':'",
  ],
  'Python, an exception group': [
    'boom',
    '  + Exception Group Traceback (most recent call last):',
    '  |   File "a.py", line 1, in f',
    '  | ExceptionGroup: two (2 sub-exceptions)',
    '  +-+---------------- 1 ----------------',
    '    | ValueError: 1',
    '    +------------------------------------',
  ],
  'Java, with causes': [
    'java.lang.IllegalStateException: x',
    '\tat com.acme.A.b(A.java:7)',
    '\tSuppressed: java.io.IOException: y',
    '\t\tat com.acme.C.d(C.java:1)',
    'Caused by: java.io.IOException: z',
    '\tat com.acme.E.f(E.java:9)',
    '\t... 12 more',
  ],
  'Node, uncaught': [
    '/srv/app.js:12',
    "    throw new TypeError('x')",
    '    ^',
    '',
    'TypeError: x',
    '    at f (/srv/app.js:12:9)',
    '    at node:internal/main:1:1 {',
    "  code: 'E'",
    '}',
    '',
    'Node.js v20.20.2',
  ],
  'Go, a panic': [
    'panic: runtime error: index out of range [5]',
    '',
    '[signal SIGSEGV: segmentation violation]',
    '',
    'goroutine 1 [running]:',
    'main.f(...)',
    '\t/srv/main.go:12 +0x1d',
    'created by main.g',
    '\t/srv/main.go:7',
    'exit status 2',
  ],
  '.NET': [
    'Unhandled exception. System.InvalidOperationException: x',
    ' ---> System.Exception: inner',
    '   at A.B() in /srv/a.cs:line 3',
    '   --- End of inner exception stack trace ---',
    '   at A.C() in /srv/a.cs:line 9',
    '--- End of stack trace from previous location ---',
    '   at A.D()',
  ],
  PHP: [
    'PHP Fatal error:  Uncaught Exception: x in /srv/a.php:3',
    'Stack trace:',
    '#0 /srv/a.php(7): foo()',
    '#1 {main}',
    '  thrown in /srv/a.php on line 3',
  ],
  'Rust, with a backtrace': [
    "thread 'main' panicked at src/main.rs:2:5:",
    'index out of bounds',
    'stack backtrace:',
    '   0: rust_begin_unwind',
    '             at /rustc/x/library/std/src/panicking.rs:1:5',
    '   1: app::main',
    '             at ./src/main.rs:2:5',
    'note: Some details are omitted',
  ],
  Rails: [
    'ActionController::RoutingError (No route matches [GET] "/x"):',
    "app/controllers/a.rb:3:in `show'",
    "lib/b.rb:9:in 'call'",
  ],
};

describe('records of many lines, told without being told', () => {
  for (const [name, lines] of Object.entries(traces)) {
    it(`${name}: one record, and the lines around it are their own`, () => {
      expect(heads(['before', ...lines, 'behind'])).toEqual(
        lines[0] === 'boom' ? ['before', 'boom', 'behind'] : ['before', lines[0], 'behind'],
      );
    });
  }

  it("Ruby's own form, where the source is said to be Ruby's", () => {
    const lines = ["app.rb:3:in `f': gone (RuntimeError)", "app.rb:7:in `g'", "\tfrom app.rb:9:in `<main>'"];
    expect(heads([...lines, 'behind'], 'ruby')).toEqual([lines[0], 'behind']);
  });

  it('prose that only looks like a trace begins records of its own', () => {
    const lines = [
      'panicking is not an option',
      'path /srv/a',
      'thread pool is full',
      'note: nothing',
      '# a comment',
      'Next time',
      'a (b):',
      'end (of it)',
    ];
    expect(heads(lines)).toEqual(lines);
  });

  it("records in Django's verbose form begin with a level and a time, whatever an exception's text looks like", () => {
    const first = [
      'ERROR 2026-11-21 10:00:00,123 trace 5082 140000 Task a.b[c] raised unexpected: Odd(',
      '  rows=3)',
      'Traceback (most recent call last):',
      '  File "/srv/app/tasks.py", line 3, in run',
      '    raise Odd(3)',
      'shop.Odd: first line',
      'second line',
      'INFO of the text',
    ];
    const second =
      'WARNING 2026-11-21 10:00:01,123 request 5082 140000 Soft time limit (1s) exceeded for a.b[c]';
    expect(heads([...first, second])).toEqual([first[0], second]);
  });

  it('a word before a time begins a record only where it is a level', () => {
    const first = '[2026-11-21 10:00:00,111: ERROR/MainProcess] query failed';
    const second = '[2026-11-21 10:00:01,111: ERROR/MainProcess] next';
    const query = ['SELECT * FROM a', 'UNION 2026-11-21 10:00:00', 'BETWEEN 2026-11-21 10:00:00 AND b'];
    expect(heads([first, ...query, second])).toEqual([first, second]);
    const levels = ['ERR', 'FATAL ', 'EMERGENCY'].map((word) => `${word} 2026-11-21 10:00:00 x`);
    expect(heads(levels.flatMap((line) => [line, ...query]))).toEqual(levels);
  });

  it('a start of its own is learned: then a line without it goes on with the record before', () => {
    const stamped = Array.from({ length: 20 }, (_, n) => `10:00:${10 + n}.123 [main] INFO - line ${n}`);
    const data = [...stamped, '10:01:00.000 [main] ERROR - two', 'lines', '10:01:01.000 [main] INFO - next'];
    expect(heads(data).slice(-2)).toEqual([
      '10:01:00.000 [main] ERROR - two',
      '10:01:01.000 [main] INFO - next',
    ]);
    expect(heads([...stamped.slice(0, 5), 'a', 'b', 'c', 'd', 'e', 'f', ...stamped.slice(5), 'g'])).toContain(
      'g',
    );
  });

  it('what was learned survives a restart', () => {
    const lines = [
      ...Array.from({ length: 20 }, (_, n) => `10:00:${10 + n}.123 x ${n}`),
      '10:01:00.000 two',
      'lines',
      '10:01:01.000 next',
    ];
    const data = Buffer.from(`${lines.join('\n')}\n`);
    const cut = data.indexOf('10:01:00');
    const found = play(every, data, { cuts: [cut], kills: new Set([cut]) }).matches.map(
      (match) => match.record.raw,
    );
    expect(found.slice(-2)).toEqual(['10:01:00.000 two\nlines', '10:01:01.000 next']);
  });
});

describe('what a trace says', () => {
  const cases: readonly (readonly [string, string, string, string | null])[] = [
    ['Python, chained', 'app.errors.Bad', 'two', 'b.py:2 in g'],
    ['Java, with causes', 'java.io.IOException', 'z', 'E.java:9 in com.acme.E.f'],
    ['Node, uncaught', 'TypeError', 'x', '/srv/app.js:12 in f'],
    ['Go, a panic', 'panic', 'runtime error: index out of range [5]', '/srv/main.go:12 in main.f'],
    ['.NET', 'System.Exception', 'inner', '/srv/a.cs:3 in A.B()'],
    ['PHP', 'Exception', 'x', '/srv/a.php:7 in foo'],
    ['Rust, with a backtrace', 'panic', 'index out of bounds', './src/main.rs:2'],
    [
      'Rails',
      'ActionController::RoutingError',
      'No route matches [GET] "/x"',
      'app/controllers/a.rb:3 in show',
    ],
  ];
  for (const [name, type, message, frame] of cases) {
    it(`${name}: type, message, the frame of one's own code`, () => {
      const text = (traces[name] ?? []).join('\n');
      expect(exceptionOf(text, '')).toMatchObject({ type, message, app_frame: frame });
    });
  }

  it('library frames are passed over', () => {
    const text =
      'Traceback (most recent call last):\n  File "/srv/app/tasks.py", line 9, in run\n  File "/usr/lib/python3/dist-packages/requests/api.py", line 2, in get\nOSError: x';
    expect(exceptionOf(text, '')).toEqual({
      type: 'OSError',
      message: 'x',
      frames: ['/usr/lib/python3/dist-packages/requests/api.py:2 in get', '/srv/app/tasks.py:9 in run'],
      app_frame: '/srv/app/tasks.py:9 in run',
      cause: 'OSError: x',
    });
    const windows =
      'Traceback (most recent call last):\n  File "C:\\shop\\tasks.py", line 9, in run\n  File "C:\\Python311\\Lib\\json\\decoder.py", line 2, in decode\nValueError';
    expect(exceptionOf(windows, '')).toMatchObject({
      app_frame: 'C:\\shop\\tasks.py:9 in run',
      cause: 'ValueError',
    });
  });

  it('of chained exceptions the first one is the cause', () => {
    expect(exceptionOf((traces['Python, chained'] ?? []).join('\n'), '')?.cause).toBe('KeyError: 1');
    expect(exceptionOf((traces['Java, with causes'] ?? []).join('\n'), '')?.cause).toBe(
      'java.io.IOException: z',
    );
    // A chord names its part without a traceback.
    const chord =
      'ArithmeticError: odd\n\nThe above exception was the direct cause of the following exception:\n\nTraceback (most recent call last):\n  File "/srv/a.py", line 1, in f\nChordError: x';
    expect(exceptionOf(chord, '')).toMatchObject({ type: 'ChordError', cause: 'ArithmeticError: odd' });
  });

  it('text that is no trace says nothing; a huge one is read in part', () => {
    expect(exceptionOf('just\nlines', '')).toBeNull();
    const huge = `Traceback (most recent call last):\n${'  File "/srv/a.py", line 1, in f\n'.repeat(10_000)}KeyError: 1`;
    const found = exceptionOf(huge, '');
    expect(found).toMatchObject({ type: 'KeyError', app_frame: '/srv/a.py:1 in f' });
    expect(found?.frames).toHaveLength(20);
  });

  it('fields of a match: templates, conditions and the webhook have them', () => {
    const rules = [
      rule(
        'x',
        conditions({ where: [{ field: 'exception.type', operators: [{ op: 'glob', patterns: ['*Bad'] }] }] }),
      ),
    ];
    const data = Buffer.from(`${(traces['Python, chained'] ?? []).join('\n')}\n`);
    const [match] = play(rules, data).matches;
    expect(match?.hits[0]?.fields['exception']).toMatchObject({
      type: 'app.errors.Bad',
      app_frame: 'b.py:2 in g',
    });
  });
});
