/** What the daemon says of itself when something happens to it: in the log, and as a message on a channel that works. */

import type { LoadOptions } from '../config/config.ts';
import { formatProblem } from '../config/frame.ts';
import type { ChannelConfig } from '../model/config.ts';
import type { CommitResult } from '../model/store.ts';
import type { Notice } from '../state/notice.ts';
import type { Logger } from '../system/log.ts';
import type { Loaded } from './keeper.ts';
import type { SelfWatch } from './self-watch.ts';

/** Frames in one message; the log has all of them. */
const framesTold = 5;

export interface WordsDeps {
  readonly log: Logger;
  readonly selfWatch: SelfWatch;
  readonly files: LoadOptions['files'];
}

/** The files were refused. `runs` says what goes on instead. */
export function sayRefused({ log, selfWatch, files }: WordsDeps, loaded: Loaded, runs: string): void {
  const errors = loaded.problems.filter((one) => one.level === 'error');
  const frames = errors.map((problem) => formatProblem(problem, files));
  for (const [index, { code, origin, message }] of errors.entries()) {
    log.error(
      { code, file: origin.file, line: origin.line, column: origin.column },
      frames[index] ?? message,
    );
  }
  log.error({ errors: errors.length }, `the configuration was refused. ${runs}`);
  selfWatch.begin({
    topic: 'config',
    title: `The configuration was refused: ${errors.length} ${errors.length === 1 ? 'error' : 'errors'}`,
    message: `${runs}\n\n${frames.slice(0, framesTold).join('\n\n')}`,
    severity: 'error',
    fields: { errors: errors.length },
    not: null,
  });
}

/** What runs while the files are refused. */
export function whatRuns(loaded: Loaded, loadedAt: number): string {
  if (loaded.origin === 'partial') return 'What is not broken runs.';
  if (loaded.origin === 'last-good')
    return `The last good configuration, of ${loaded.savedAt ?? 'before'}, runs.`;
  return `The rules loaded at ${new Date(loadedAt).toISOString()} go on.`;
}

export function sayAccepted({ selfWatch }: WordsDeps, rules: number, channels: number): void {
  selfWatch.end({
    topic: 'config',
    title: 'The configuration is accepted again',
    message: `${rules} ${rules === 1 ? 'rule' : 'rules'}, ${channels} ${channels === 1 ? 'channel' : 'channels'}`,
    severity: 'info',
    fields: {},
    not: null,
  });
}

/** The admin pages could not be opened where an edit wants them, or can be again (null). */
export function sayAdmin({ log, selfWatch }: WordsDeps, error: string | null): void {
  const word = { topic: 'admin', fields: {}, not: null } as const;
  if (error === null) {
    selfWatch.end({ ...word, title: 'The admin pages are open again', message: '', severity: 'info' });
    return;
  }
  log.error({ error }, 'the admin pages can not be opened at the new address');
  const message = `${error}\nWhere they were open before they stay open. All else of the edit runs.`;
  selfWatch.begin({ ...word, title: 'The admin pages can not be opened', message, severity: 'error' });
}

/** What was loaded, where a person would want to know: warnings, and channels that can't be used. */
export function sayLoaded(deps: WordsDeps, loaded: Loaded, channels: readonly ChannelConfig[]): void {
  for (const { code, level, origin, message, hint } of loaded.problems) {
    // Tests are for the time before production: `check` asks for them.
    if (level !== 'warning' || code === 'W_NO_TESTS') continue;
    const { file, line, column } = origin;
    deps.log.warn({ code, file, line, column, hint }, message);
  }
  saySetAside(deps, channels);
}

/** Channels that can't be used as they are written (an unset variable, no secret), and those that can again. */
function saySetAside({ log, selfWatch }: WordsDeps, channels: readonly ChannelConfig[]): void {
  for (const { name, unusable } of channels) {
    const fields = { channel: name };
    const topic = `unusable:${name}`;
    if (unusable === null) {
      selfWatch.end({
        topic,
        title: `Channel ${name} is used again`,
        message: '',
        severity: 'info',
        fields,
        not: name,
      });
      continue;
    }
    log.error({ channel: name, reason: unusable }, 'a channel is set aside; the rest runs');
    selfWatch.begin({
      topic,
      title: `Channel ${name} is set aside`,
      message: `${unusable}\nWhat is meant for it waits. The rest runs.`,
      severity: 'error',
      fields,
      not: name,
    });
  }
}

/** Something about the state: set aside, written to memory only, or well again. */
export function sayNotice({ log, selfWatch }: WordsDeps, notice: Notice): void {
  const level = notice.level === 'error' ? 'error' : notice.level === 'warning' ? 'warn' : 'info';
  log[level]({ code: notice.code, path: notice.path }, notice.message);
  if (notice.level !== 'error') return;
  selfWatch.begin({
    topic: `state:${notice.code}`,
    title: 'The state of Tocsin needs a look',
    message: notice.message,
    severity: 'error',
    fields: { code: notice.code },
    not: null,
    once: true,
  });
}

export function saySource(
  { log, selfWatch }: WordsDeps,
  name: string,
  state: string,
  detail: string | null,
): void {
  const fields = { source: name };
  const message = detail ?? '';
  if (state === 'failing') {
    log.error({ source: name, detail }, 'a source fails');
    selfWatch.begin({
      topic: `source:${name}`,
      title: `Source ${name} cannot be read`,
      message,
      severity: 'error',
      fields,
      not: null,
    });
  } else if (state === 'ok') {
    log.info({ source: name, detail }, 'a source is read');
    selfWatch.end({
      topic: `source:${name}`,
      title: `Source ${name} is read again`,
      message,
      severity: 'info',
      fields,
      not: null,
    });
  } else {
    log.info({ source: name, detail }, 'a source waits');
  }
}

/** A source works, but something of it is lost or cannot be used; null is that this is over. */
export function sayTrouble(
  { log, selfWatch }: WordsDeps,
  name: string,
  topic: string,
  text: string | null,
): void {
  const word = { topic: `source:${name}:${topic}`, fields: { source: name }, not: null } as const;
  if (text === null) {
    log.info({ source: name, about: topic }, 'a trouble of a source is over');
    selfWatch.end({
      ...word,
      title: `Source ${name}: ${topic} is well again`,
      message: '',
      severity: 'info',
    });
    return;
  }
  log.error({ source: name }, text);
  selfWatch.begin({ ...word, title: `Source ${name} needs a look`, message: text, severity: 'error' });
}

/** The state could not be written, or can be again. */
export function sayState({ log, selfWatch }: WordsDeps, result: CommitResult): void {
  if (result.ok) {
    log.info({}, 'the state is written again');
    selfWatch.end({
      topic: 'state',
      title: 'Tocsin writes its state again',
      message: 'Nothing was lost meanwhile.',
      severity: 'info',
      fields: {},
      not: null,
    });
    return;
  }
  log.error({ code: result.code }, `the state can't be written, alerts go on from memory: ${result.message}`);
  selfWatch.begin({
    topic: 'state',
    title: 'Tocsin cannot write its state',
    message: `${result.message}\nAlerts go on from memory. After a crash some may be repeated or missing.`,
    severity: 'critical',
    fields: { code: result.code },
    not: null,
  });
}
