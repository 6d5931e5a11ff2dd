/** The door to commander: arguments -> a command -> an exit code. Each command is in a file of its own, loaded when it is asked for. */
import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { TocsinError } from '../model/problem.ts';
import { type CliIo, complain, exitCodes } from './io.ts';

/** Besides everything about the state directory: what a person can only mend by giving something else. */
const wrongInput = ['E_LISTEN', 'E_USAGE', 'E_READ', 'E_WRITE', 'E_NO_CONFIG', 'E_SILENCE', 'E_PROXY'];

/** Runs the command line. Never throws for what a person or the world did wrong: it says so and gives 1 or 2. */
export async function cli(argv: readonly string[], io: CliIo): Promise<number> {
  let code: number = exitCodes.done;
  const program = build(io, (result) => {
    code = result;
  });
  try {
    await program.parseAsync([...argv]);
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.done : exitCodes.wrong;
    if (error instanceof TocsinError) {
      complain(io, `${error.code}: ${error.message}`);
      return error.code.startsWith('E_STATE') || wrongInput.includes(error.code)
        ? exitCodes.wrong
        : exitCodes.no;
    }
    const missing = missingNative(error);
    if (missing === null) throw error;
    complain(io, missing);
    return exitCodes.wrong;
  }
}

/** npm 12 runs no install scripts unless they are allowed, and the native modules are compiled by one. */
function missingNative(error: unknown): string | null {
  const text = error instanceof Error ? error.message : String(error);
  if (!/\b(?:re2|better_sqlite3)\.node\b/.test(text)) return null;
  const first = text.split('\n', 1)[0];
  return `E_NATIVE: a native module is missing: ${first}\nrun "npm rebuild re2 better-sqlite3", or install again with --allow-scripts=re2,better-sqlite3`;
}

const many = (value: string, before: string[] = []): string[] => [...before, value];

function url(value: string, before: string[] = []): string[] {
  if (!URL.canParse(value) || !/^https?:/.test(value))
    throw new InvalidArgumentError('it is no http(s) URL.');
  return [...before, value];
}

function build(io: CliIo, done: (code: number) => void): Command {
  const program = new Command('tocsin');
  program
    .description('Watches logs and rings once, for the right thing, in the right room.')
    .version(io.version)
    .option(
      '--log-level <level>',
      'how much the daemon says of itself: silent, error, warn, info, debug, trace',
    )
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
    })
    .showHelpAfterError('(tocsin --help shows the commands)');
  const command = (name: string, description: string): Command => {
    const made = program.command(name).description(description);
    return made.option('-c, --config <file>', 'the configuration; default tocsin.yaml here');
  };
  const withRules = (made: Command): Command =>
    made.option('-p, --pack <name>', 'rules that ship with the program (may be given again)', many);

  withRules(command('run [files...]', 'the daemon; with files or a pipe it needs no configuration'))
    .option(
      '--to <url>',
      'where to post; the kind of channel is known from the URL (may be given again)',
      url,
    )
    .option('--once', 'read from the beginning to the end, tell, deliver, exit')
    .option('--strict', 'refuse to start with anything wrong in the configuration')
    .action(async (files: string[], flags) =>
      done(await (await import('./run.ts')).run(io, files, { ...program.opts(), ...flags })),
    );
  withRules(command('check', 'everything wrong with the configuration and the rules, at once'))
    .option('--send-test', 'send a test message to every channel too')
    .option('--json', 'print data')
    .action(async (flags) => done(await (await import('./check.ts')).check(io, flags)));
  withRules(command('test [files...]', "run the rules' own tests"))
    .option('--junit <file>', 'write a JUnit report too')
    .option('--json', 'print data')
    .action(async (files: string[], flags) =>
      done(await (await import('./check.ts')).test(io, files, flags)),
    );
  withRules(
    command('backtest <logs...>', 'what would have been told over old logs (also .gz); sends nothing'),
  )
    .option('--rules <file>', 'a file of rules (may be given again)', many)
    .option('--to <url>', 'pretend this channel, for its budget', url)
    .option('--json', 'print data')
    .action(async (logs: string[], flags) =>
      done(await (await import('./backtest.ts')).backtestCommand(io, logs, flags)),
    );
  command('send-test [channels...]', 'send a test message the real way and show the real answer')
    .option('--to <url>', 'an address instead of a configured channel', url)
    .option('--json', 'print data')
    .action(async (channels: string[], flags) =>
      done(await (await import('./send-test.ts')).sendTest(io, channels, flags)),
    );
  command('status', 'what the running daemon does, or what its state says')
    .option('--state <dir>', 'the state directory, instead of a configuration')
    .option('--json', 'print data')
    .action(async (flags) => done(await (await import('./talk.ts')).status(io, flags)));
  addSilence(program, io, done);
  command('dead-letters <action> [id]', 'messages that were given up: list, show, retry, drop')
    .option('--state <dir>', 'the state directory, instead of a configuration')
    .option('--json', 'print data')
    .action(async (action: string, id: string | undefined, flags) => {
      if (!['list', 'show', 'retry', 'drop'].includes(action))
        throw new TocsinError(
          'E_USAGE',
          `dead-letters ${action} is not known; write list, show, retry or drop`,
        );
      if ((action === 'retry' || action === 'drop') && id === undefined)
        throw new TocsinError(
          'E_USAGE',
          `dead-letters ${action} wants an id; "tocsin dead-letters list" shows them`,
        );
      done(await (await import('./talk.ts')).deadLetters(io, action, id, flags));
    });
  program
    .command('schema [what]')
    .description('JSON Schema for editors: rules (the default) or config')
    .action(async (what: string | undefined) => {
      if (what !== undefined && what !== 'rules' && what !== 'config')
        throw new TocsinError('E_USAGE', `schema ${what} is not known; write rules or config`);
      done((await import('./schema.ts')).schema(io, what ?? 'rules'));
    });
  program
    .command('demo')
    .description(
      'sixty seconds of it on this terminal: a real daemon, real Celery lines, a small chat room; leaves nothing behind',
    )
    .option('--fast', 'without the pauses for reading')
    .action(async (flags) => done(await (await import('./demo.ts')).demo(io, flags)));
  return program;
}

function addSilence(program: Command, io: CliIo, done: (code: number) => void): void {
  const silence = program.command('silence').description('keep quiet about something until a time');
  const sub = (name: string, description: string): Command =>
    silence
      .command(name)
      .description(description)
      .option('-c, --config <file>', 'the configuration; default tocsin.yaml here')
      .option('--state <dir>', 'the state directory, instead of a configuration')
      .option('--json', 'print data');
  sub('add', 'begin a silence')
    .option('--rule <id>', 'matches of this rule')
    .option(
      '--where <field=value>',
      'matches whose field or label is this, with * (may be given again: all must hold)',
      many,
    )
    .option('--for <duration>', 'how long: 2h, 30m')
    .option('--until <time>', 'until when: 2026-01-31T18:00:00Z')
    .option('--comment <text>', 'why')
    .action(async (flags) => done(await (await import('./talk.ts')).silenceAdd(io, flags)));
  sub('list', 'silences in force').action(async (flags) =>
    done(await (await import('./talk.ts')).silenceList(io, flags)),
  );
  sub('end <id>', 'end a silence now').action(async (id: string, flags) =>
    done(await (await import('./talk.ts')).silenceEnd(io, id, flags)),
  );
}
