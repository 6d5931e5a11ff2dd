/** Whatever a log line holds, it reaches the room as text: F4-F8 for each rendering. */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are texts as found, no templates.
// biome-ignore-all lint/suspicious/noExplicitAny: payloads are read as a stranger would.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { renderConsole } from '../../src/channels/console.ts';
import { renderMattermost, renderMattermostPlain } from '../../src/channels/mattermost.ts';
import { renderSlack, renderSlackPlain } from '../../src/channels/slack.ts';
import { renderWebhook } from '../../src/channels/webhook.ts';
import type { Notification } from '../../src/model/notification.ts';
import { hostileLines } from '../support/hostile-lines.ts';
import { readMattermost } from '../support/mattermost-reader.ts';
import { notificationKinds, notificationOf } from '../support/notifications.ts';
import { readSlack } from '../support/slack-reader.ts';

const ours = ['https://wiki.example.com/celery-failures', 'https://logs.example.com/?q=mail.send'];

/** A line in every place that a log can reach. */
function everywhere(line: string, kind: (typeof notificationKinds)[number]): Notification {
  const base = notificationOf(kind, {
    incident: {
      title: line,
      message: `${line}\nsecond ${line}`,
      description: line,
      owner: line,
      labels: { env: line, [line]: 'x' },
      fields: { task: line, [line]: line, nested: { a: [line] }, exception: `${line}${line}` },
      top: {
        task: [
          [line, 3],
          [`${line}2`, 2],
        ],
      },
      fingerprint: line,
      id: line,
      rule: line,
    },
    record: {
      message: line,
      trace: `Traceback\n${line}\n  ${line}`,
      host: line,
      path: line,
      before: [line, `x ${line}`],
      after: [line],
      time: line,
    },
  });
  const rows = base.incidents.map((row) => ({ ...row, title: line, rule: line }));
  return { ...base, incidents: rows };
}

function problemsOf(notification: Notification): string[] {
  const problems: string[] = [];
  for (const [name, payload, read] of [
    ['slack', renderSlack(notification), readSlack],
    ['slack plain', renderSlackPlain(notification), readSlack],
    ['mattermost', renderMattermost(notification), readMattermost],
    ['mattermost plain', renderMattermostPlain(notification), readMattermost],
  ] as const) {
    const reading = read(JSON.parse(JSON.stringify(payload)));
    problems.push(...reading.problems.map((problem) => `${name}: ${problem}`));
    problems.push(...reading.mentions.map((mention) => `${name}: live mention ${mention}`));
    for (const link of reading.links)
      if (!ours.includes(link)) problems.push(`${name}: live ${link.slice(0, 120)}`);
  }
  const card = renderConsole(notification, { colours: false, form: 'full' });
  if (/[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/.test(card))
    problems.push('console: control character');
  if (!card.isWellFormed()) problems.push('console: lone surrogate');
  return problems;
}

describe('hostile log text', () => {
  it('F4 no mention, link, picture or markup of a log line lives, in any field of any kind of message', () => {
    for (const kind of notificationKinds) {
      for (const line of hostileLines) {
        expect({ line: line.slice(0, 60), kind, problems: problemsOf(everywhere(line, kind)) }).toMatchObject(
          { problems: [] },
        );
      }
    }
  });

  it('F4 nor do two lines together, cut anywhere', () => {
    const line = fc.oneof(
      fc.constantFrom(...hostileLines.filter((text) => text.length < 400)),
      fc.string({ unit: 'binary', maxLength: 40 }),
    );
    const text = fc
      .tuple(fc.array(line, { minLength: 1, maxLength: 6 }), fc.nat(200), fc.nat(4200))
      .map(([lines, from, padding]) => `${'x '.repeat(padding / 2)}${lines.join(' ').slice(from)}`);
    fc.assert(
      fc.property(text, fc.constantFrom(...notificationKinds), (hostile, kind) => {
        expect(problemsOf(everywhere(hostile, kind))).toEqual([]);
      }),
      { numRuns: 60 },
    );
  });

  it('F5 templates, replacement patterns and prototype names in a line appear as written', () => {
    const line =
      "{{7*7}} ${7*7} <%= x %> #{y} %s%n {{constructor.constructor('return process')()}} $& $1 $` $' __proto__";
    const notification = notificationOf('first', {
      record: { message: line, trace: null },
      incident: { fields: { ['__proto__']: line, task: line } },
    });
    expect(readSlack(renderSlack(notification)).code[0]).toBe(line);
    expect(readMattermost(renderMattermost(notification)).code).toContain(line);
    expect(renderConsole(notification, { colours: false, form: 'full' })).toContain(line);
    expect(JSON.parse(renderWebhook(notification, { plain: false, now: 0 })).record.message).toBe(line);
  });

  it('F6 terminal escapes never reach the terminal; what they hide is shown', () => {
    const message =
      '\u001b]0;owned\u0007\u001b[2J\u001b[31mred\u001b[0m \u0007\b \u001b]8;;https://evil.example\u001b\\click\u001b]8;;\u001b\\ \u001b]0;rest is kept';
    const shown = renderConsole(notificationOf('first', { record: { message, trace: null } }), {
      colours: false,
      form: 'full',
    });
    expect(shown).toContain('red \\x07\\x08 click 0;rest is kept');
    expect(shown).not.toContain('\u001b');
  });

  it('F7 a forged log line inside a record stays inside the card, behind its bar', () => {
    const message = 'x\r\n{"level":60,"msg":"forged"}\rERROR  forged card';
    const lines = renderConsole(notificationOf('first', { record: { message, trace: null } }), {
      colours: false,
      form: 'full',
    }).split('\n');
    expect(lines.filter((line) => line.includes('forged'))).toEqual([
      '  \u2502 {"level":60,"msg":"forged"}',
      '  \u2502 ERROR  forged card',
    ]);
  });

  it('F8 values that grow when escaped still fit every limit', () => {
    for (const unit of [
      '&',
      '<',
      '<!',
      '`',
      '@',
      '\\',
      '_',
      '|',
      '"',
      '\u0001',
      '\u202e',
      '\u{1f468}\u200d',
      'e\u0301',
      '\n',
      '<a|b>',
      'www.',
    ]) {
      for (const size of [150, 3001, 16_384]) {
        const notification = everywhere(unit.repeat(Math.ceil(size / unit.length)), 'first');
        expect({ unit, size, problems: problemsOf(notification) }).toMatchObject({ problems: [] });
      }
    }
  });

  it('a log line comes back unchanged from the code that carries it', () => {
    for (const line of [
      'plain',
      '``` three ```',
      '@channel <https://x.y> & "q"',
      '  indented\n\ttab',
      '# H1\n> quote\n- list',
    ]) {
      const notification = notificationOf('first', { record: { message: line, trace: null } });
      expect(readSlack(renderSlack(notification)).code[0]).toBe(line);
      expect(readMattermost(renderMattermost(notification)).code).toContain(line);
    }
  });
});

describe('any notification at all', () => {
  const text = fc.string({ unit: 'binary', maxLength: 60 });
  const value = fc.oneof(text, fc.double(), fc.boolean(), fc.constant(null), fc.jsonValue({ maxDepth: 3 }));
  it('is rendered by every channel as valid JSON within the limits, and never throws', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...notificationKinds),
        fc.record({
          title: text,
          message: text,
          description: fc.option(text),
          runbook: fc.option(fc.oneof(text, fc.webUrl())),
          owner: fc.option(text),
          count: fc.double(),
          new_count: fc.integer(),
          first_seen_at: text,
          resolved_at: fc.option(text),
          labels: fc.dictionary(text, text, { maxKeys: 5 }),
          fields: fc.dictionary(text, value as fc.Arbitrary<any>, { maxKeys: 20 }),
          links: fc.array(fc.record({ title: text, url: text }), { maxLength: 3 }),
        }),
        fc.record({
          message: text,
          trace: fc.option(text),
          time: fc.option(text),
          before: fc.array(text, { maxLength: 8 }),
        }),
        (kind, incident, record) => {
          const notification = notificationOf(kind, { incident, record });
          for (const plain of [true, false]) {
            const body = renderWebhook(notification, { plain, now: 1_767_607_201_000 });
            expect(JSON.parse(body).version).toBe('1');
          }
          const web = incident.runbook === null ? [] : readSlack(renderSlack(notification)).links;
          expect(
            problemsOf(notification).filter(
              (problem) => !web.some((link) => problem.endsWith(`live ${link.slice(0, 120)}`)),
            ),
          ).toEqual([]);
        },
      ),
      { numRuns: 150 },
    );
  });
});
