/**
 * Holds the plan of the house: which room may import which, the one door of each package, the one place of the clock, of the
 * process and of secrets, and the shape of a file. Who needs another wall moves it here, and says why in that commit.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { codeOnly, modulesOf } from './support/source-text.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

const allRooms = [
  'model',
  'system',
  'config',
  'match',
  'rules',
  'sources',
  'incidents',
  'notify',
  'channels',
  'state',
  'admin',
  'daemon',
  'cli',
] as const;
type Room = (typeof allRooms)[number];

/** What each room may import besides itself. */
const mayImport: Readonly<Record<Room, readonly Room[]>> = {
  model: [],
  system: ['model'],
  config: ['model'],
  match: ['model'],
  rules: ['model', 'config', 'match'],
  sources: ['model', 'system'],
  incidents: ['model', 'match'],
  notify: ['model'],
  channels: ['model', 'system', 'match'],
  state: ['model', 'system'],
  admin: ['model', 'system'],
  daemon: allRooms.filter((room) => room !== 'cli'),
  cli: allRooms,
};

/** Rooms that do no I/O, and what they may have of Node. */
const pureRooms: readonly Room[] = ['match', 'incidents', 'notify'];
// `node:zlib`: inflating bytes at hand is computing, and a compressed syslog message is a message.
const pureModules = ['node:crypto', 'node:buffer', 'node:zlib'];

/** The files of the process itself: they stand outside the rooms. */
const entries = ['main.ts', 'healthcheck.ts'];
const entryRooms: readonly string[] = ['cli', 'system'];

/** One file knows each package. To replace a package is to rewrite one file. */
const doors: Readonly<Record<string, string>> = {
  re2: 'match/regex.ts',
  liquidjs: 'match/template.ts',
  undici: 'channels/http.ts',
  chokidar: 'system/watch.ts',
  split2: 'system/ndjson.ts',
  yaml: 'config/yaml.ts',
  pino: 'system/log.ts',
  'better-sqlite3': 'state/sqlite.ts',
  hono: 'admin/admin.ts',
  '@hono/node-server': 'admin/admin.ts',
  'prom-client': 'system/metrics.ts',
  commander: 'cli/cli.ts',
  picocolors: 'system/paint.ts',
  'unix-dgram': 'sources/unix-datagram.ts',
};

const linesMax = 400;

interface SourceFile {
  /** Below src/, with slashes. */
  readonly path: string;
  readonly text: string;
  readonly code: string;
  readonly modules: readonly string[];
}

function readHouse(): SourceFile[] {
  const src = join(root, 'src');
  return readdirSync(src, { recursive: true, encoding: 'utf8' })
    .map((path) => path.replaceAll('\\', '/'))
    .filter((path) => path.endsWith('.ts'))
    .sort()
    .map((path) => sourceFile(path, readFileSync(join(src, path), 'utf8')));
}

function sourceFile(path: string, text: string): SourceFile {
  return { path, text, code: codeOnly(text), modules: modulesOf(text) };
}

function roomOf(path: string): string {
  return path.includes('/') ? (path.split('/')[0] ?? '') : '';
}

function packageOf(module: string): string {
  const parts = module.split('/');
  return module.startsWith('@') ? parts.slice(0, 2).join('/') : (parts[0] ?? '');
}

function importComplaint(file: SourceFile, module: string): string | null {
  const room = roomOf(file.path);
  if (module.startsWith('.')) {
    const target = posix.normalize(posix.join(dirname(file.path), module));
    const other = roomOf(target);
    if (!module.endsWith('.ts')) return `${file.path}: "${module}" does not end in .ts`;
    if (other === room && room !== '') return null;
    if (room === '') return entryRooms.includes(other) ? null : `${file.path}: may not import ${target}`;
    const allowed: readonly string[] = mayImport[room as Room] ?? [];
    return allowed.includes(other) ? null : `${file.path}: ${room}/ may not import ${other}/ (${module})`;
  }
  if (module.startsWith('node:')) {
    const pure = (pureRooms as readonly string[]).includes(room);
    // A door may load its package when it is first needed, which takes `createRequire`: memory, not I/O, is what it is about.
    if (module === 'node:module' && Object.values(doors).includes(file.path)) return null;
    return pure && !pureModules.includes(module) ? `${file.path}: ${room}/ is pure, found ${module}` : null;
  }
  const door = doors[packageOf(module)];
  if (door === undefined)
    return `${file.path}: the package "${module}" has no door; add one here, or do without`;
  return door === file.path ? null : `${file.path}: imports "${module}"; only ${door} may`;
}

/** Places where a word of code stands, but for the files in which it may. */
function wordPlaces(
  files: readonly SourceFile[],
  word: RegExp,
  allowed: (path: string) => boolean,
): string[] {
  return files
    .filter((file) => !allowed(file.path))
    .flatMap((file) =>
      file.code
        .split('\n')
        .flatMap((line, index) => (word.test(line) ? [`${file.path}:${index + 1}: ${line.trim()}`] : [])),
    );
}

const house = readHouse();

describe('the rooms', () => {
  it('every folder of src/ is a room with a card, and holds no barrel and no folder for odds and ends', () => {
    const rooms = new Set(house.map((file) => roomOf(file.path)).filter((room) => room !== ''));
    expect([...rooms].filter((room) => !(allRooms as readonly string[]).includes(room))).toEqual([]);
    expect(
      house
        .map((file) => file.path)
        .filter((path) => /(^|\/)(index|utils?|helpers?|common|types)(\.ts$|\/)/.test(path)),
    ).toEqual([]);
    expect(
      house.map((file) => file.path).filter((path) => !path.includes('/') && !entries.includes(path)),
    ).toEqual([]);
    const map = readFileSync(join(root, 'src/README.md'), 'utf8');
    expect(allRooms.filter((room) => !map.includes(`\`${room}/\``))).toEqual([]);
  });

  it('imports go only where the plan lets them', () => {
    const complaints = house.flatMap((file) => file.modules.map((module) => importComplaint(file, module)));
    expect(complaints.filter((complaint) => complaint !== null)).toEqual([]);
  });

  it('every package of package.json has a door, and every door a package', () => {
    const { dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
      dependencies: Record<string, string>;
    };
    expect(Object.keys(dependencies).sort()).toEqual(Object.keys(doors).sort());
    for (const [name, door] of Object.entries(doors)) {
      const file = house.find((one) => one.path === door);
      expect(file?.modules.map(packageOf), `${door} is the door to ${name}`).toContain(name);
    }
  });
});

describe('what only one place may touch', () => {
  it('the clock and chance', () => {
    const word =
      /\bDate\.now\b|\bnew Date\(\s*\)|\bperformance\.now\b|\bhrtime\b|\bset(Timeout|Interval)\b|\bMath\.random\b/;
    expect(wordPlaces(house, word, (path) => path === 'system/clock.ts')).toEqual([]);
  });

  it('the process: environment, arguments, exit, working folder, streams', () => {
    const word = /\bprocess\.(env|argv|exit|exitCode|cwd|stdin|stdout|stderr|on|once|off)\b/;
    expect(wordPlaces(house, word, (path) => entries.includes(path))).toEqual([]);
  });

  it('the text of a secret', () => {
    const allowed = (path: string) => path === 'model/config.ts' || /^(channels|admin|config)\//.test(path);
    expect(wordPlaces(house, /\breveal\(/, allowed)).toEqual([]);
  });

  it('I12 no text becomes code, and no shell is asked: no eval, no import of what is not written there, no command line', () => {
    // A thread runs the text of a function of ours; it takes no text from anywhere else.
    const thread = (path: string) => path === 'sources/udp-receiver.ts';
    expect(wordPlaces(house, /\beval\b|\bnew Worker\b/, thread)).toEqual([]);
    expect(
      wordPlaces(house, /\bFunction\s*\(|\bimport\s*\(\s*(?!'')|\brequire\s*\(\s*(?!'')/, thread),
    ).toEqual([]);
    expect(wordPlaces(house, /\bexec(File|Sync|FileSync)\b|\bshell:/, () => false)).toEqual([]);
    const modules = /^(node:)?(vm|child_process|module|cluster)$/;
    const users = house.filter((file) => file.modules.some((module) => modules.test(module)));
    const known = ['cli/demo.ts', 'sources/line-child.ts', ...Object.values(doors)];
    expect(users.map((file) => file.path).filter((path) => !known.includes(path))).toEqual([]);
  });

  it('nobody prints to the console of the process', () => {
    expect(wordPlaces(house, /\bconsole\./, () => false)).toEqual([]);
  });
});

describe('a file', () => {
  it('begins with its charter', () => {
    const lacks = house.filter((file) => !/^(#![^\n]*\n)?\/\*\*[\s\S]{20,}?\*\//.test(file.text));
    expect(lacks.map((file) => file.path)).toEqual([]);
  });

  it('has a name in kebab-case, no default export and no enum', () => {
    expect(
      house.map((file) => file.path).filter((path) => !/^([a-z0-9-]+\/)*[a-z0-9-]+\.ts$/.test(path)),
    ).toEqual([]);
    expect(
      wordPlaces(
        house,
        /\bexport default\b|^\s*(export )?(const )?enum\b|^\s*(export )?namespace\b/,
        () => false,
      ),
    ).toEqual([]);
  });

  it('is short enough to be read at one sitting', () => {
    const long = house.map((file) => ({ path: file.path, lines: file.text.trimEnd().split('\n').length }));
    expect(long.filter((file) => file.lines > linesMax)).toEqual([]);
  });
});

describe('the scanner that these rules stand on', () => {
  it('finds modules and leaves out words in strings, comments, patterns and templates', () => {
    const text = [
      "import { a } from './a.ts'; // from './b.ts'",
      "import type { C } from './c.ts';",
      "export * from './d.ts';",
      "import './e.ts';",
      "const lazy = await import('./f.ts'); const r = createRequire(import.meta.url)('g'); require('h');",
      "const text = \"import './g.ts'\"; const pattern = /[/\"]from '.h.'/g;",
      // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the text of a template.
      "const template = `from './i.ts' ${{ a: Date.now() }.a} Math.random() ${'}'} end`;",
      'const quotient = a / b / Date.now();',
    ].join('\n');
    expect(modulesOf(text)).toEqual(['./a.ts', './c.ts', './d.ts', './e.ts', './f.ts', 'g', 'h']);
    expect(codeOnly(text).match(/Date\.now/g)).toHaveLength(2);
    expect(codeOnly(text)).not.toMatch(/Math\.random/);
    expect(codeOnly(text).split('\n')).toHaveLength(8);
  });

  it('complains of a wrong direction, of a back door and of a package without one', () => {
    const complain = (path: string, text: string): (string | null)[] =>
      modulesOf(text).map((module) => importComplaint(sourceFile(path, text), module));
    expect(complain('notify/desk.ts', "import { x } from '../channels/http.ts'")).toEqual([
      'notify/desk.ts: notify/ may not import channels/ (../channels/http.ts)',
    ]);
    expect(complain('sources/tail.ts', "import { watch } from 'chokidar'")).toEqual([
      'sources/tail.ts: imports "chokidar"; only system/watch.ts may',
    ]);
    expect(complain('daemon/daemon.ts', "import _ from 'lodash/fp'")).toEqual([
      'daemon/daemon.ts: the package "lodash/fp" has no door; add one here, or do without',
    ]);
    expect(complain('match/scan.ts', "import { readFileSync } from 'node:fs'")).toEqual([
      'match/scan.ts: match/ is pure, found node:fs',
    ]);
    expect(
      complain('cli/cli.ts', "import { a } from '../model/rule.ts'; import { b } from './io.ts'"),
    ).toEqual([null, null]);
  });
});
