/**
 * Holds the documentation to the program: every block of YAML is loaded as `check` would and its rules pass their own tests; every
 * error code, command, metric, key and rule is told of; and nothing is told of that is not there.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { channelKinds } from '../src/channels/channels.ts';
import { renderWebhook } from '../src/channels/webhook.ts';
import { channelKeys } from '../src/config/channel-schema.ts';
import { type LoadOptions, loadConfig } from '../src/config/config.ts';
import { mainKeys } from '../src/config/config-schema.ts';
import { diskFiles } from '../src/config/files.ts';
import { ruleKeys } from '../src/config/rule-schema.ts';
import { sourceKeys } from '../src/config/source-schema.ts';
import { runRuleTests } from '../src/daemon/rule-tests.ts';
import { problemCodes } from '../src/model/problem.ts';
import { ruleLanguage } from '../src/rules/language.ts';
import { memoryStore } from '../src/state/memory.ts';
import { FakeClock } from './support/fake-clock.ts';
import { aNotification } from './support/make.ts';
import { tempDir } from './support/temp-dir.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const readme = readFileSync(join(root, 'README.md'), 'utf8');
const pages = ['README.md', 'rules/README.md'];

interface Block {
  readonly page: string;
  readonly line: number;
  /** The word after the language: what the block is a file of. */
  readonly file: string;
  readonly text: string;
}

function blocksOf(page: string, language: string): Block[] {
  const text = readFileSync(join(root, page), 'utf8');
  const fence = new RegExp(`^\`\`\`${language}(?: (\\S+))?\\n([\\s\\S]*?)^\`\`\`$`, 'gm');
  return [...text.matchAll(fence)].map((found) => ({
    page,
    line: text.slice(0, found.index).split('\n').length,
    file: found[1] ?? '',
    text: found[2] ?? '',
  }));
}

const yamlBlocks = pages.flatMap((page) => blocksOf(page, 'yaml'));

/** The rest of a configuration for a file of rules. */
const aroundRules = `sources: { worker: { file: /var/log/*.log } }
rules: [ rules/*.yaml ]
channels: { eng: { type: console } }
`;
const ownRule = `rules:
  - { id: own, contains: panic, tests: [ { lines: panic, expect: 1 } ] }
`;

function optionsFor(block: Block): LoadOptions {
  const dir = tempDir();
  mkdirSync(join(dir, 'rules'));
  const isRules = block.file === 'rules.yaml';
  writeFileSync(join(dir, 'tocsin.yaml'), isRules ? aroundRules : block.text);
  writeFileSync(join(dir, 'rules/own.yaml'), isRules ? block.text : ownRule);
  writeFileSync(join(dir, 'webhook-url'), 'https://alerts.example.com/hook\n');
  return {
    files: {
      ...diskFiles,
      // What a container mounts.
      readSecret: () => diskFiles.readSecret(join(dir, 'webhook-url')),
    },
    configPath: join(dir, 'tocsin.yaml'),
    cwd: dir,
    packsDir: join(root, 'rules'),
    extra: { packs: [], files: [], stdin: false, to: [], print: false },
    env: { MATTERMOST_URL: 'https://chat.example.com/hooks/abc', WEBHOOK_URL: 'https://alerts.example.com' },
    channelKinds,
    language: ruleLanguage,
  };
}

describe('YAML in the documentation', () => {
  it('every block says which file it is of', () => {
    const known = ['tocsin.yaml', 'rules.yaml', 'compose.yaml', 'kubernetes.yaml'];
    expect(yamlBlocks.filter((block) => !known.includes(block.file))).toEqual([]);
    expect(yamlBlocks.filter((block) => block.file === 'tocsin.yaml').length).toBeGreaterThan(1);
    expect(yamlBlocks.filter((block) => block.file === 'rules.yaml').length).toBeGreaterThan(1);
  });

  for (const block of yamlBlocks.filter(({ file }) => file === 'tocsin.yaml' || file === 'rules.yaml')) {
    it(`${block.page}:${block.line} (${block.file}) passes check, and its rules their tests`, () => {
      const parsed = loadConfig(optionsFor(block));
      expect(parsed.problems.map(({ code, origin, message }) => `${code} ${origin.line} ${message}`)).toEqual(
        [],
      );
      if (!parsed.ok) return;
      const results = runRuleTests(parsed.value.rules, { store: memoryStore, clock: new FakeClock() });
      expect(results.filter((result) => result.failures.length > 0)).toEqual([]);
    });
  }
});

describe('the README', () => {
  it('has a heading for each error code, in the order of the program, and no other', () => {
    const headings = [...readme.matchAll(/^### ([EW]_[A-Z_]+)$/gm)].map((found) => found[1]);
    expect([...headings].sort()).toEqual([...problemCodes].sort());
  });

  it('tells what to do for each code in a sentence at least', () => {
    for (const code of problemCodes) {
      const body = new RegExp(`^### ${code}\\n\\n([^#]+)`, 'm').exec(readme)?.[1] ?? '';
      expect(body.trim().length, code).toBeGreaterThan(40);
    }
  });

  it('shows every key of a rule, a source, a channel and the configuration, and none that is not there', () => {
    const section = (title: string): string => {
      const start = readme.indexOf(`\n${title}\n`);
      expect(start, title).toBeGreaterThan(0);
      const level = title.split(' ')[0] ?? '##';
      const rest = readme.slice(start + title.length + 2);
      const end = rest.search(new RegExp(`^#{2,${level.length}} `, 'm'));
      return end < 0 ? rest : rest.slice(0, end);
    };
    const keysOfTable = (text: string): string[] =>
      [...text.matchAll(/^\| (`[^|]+) \|/gm)].flatMap((row) =>
        [...(row[1] ?? '').matchAll(/`([a-z_]+)`/g)].map((found) => found[1] ?? ''),
      );
    const rules = keysOfTable(section('## Rules').split('\n### ')[0] ?? '');
    expect(rules.sort()).toEqual(Object.keys(ruleKeys).sort());
    expect(keysOfTable(section('### Sources')).sort()).toEqual(Object.keys(sourceKeys).sort());
    const own = channelKinds.flatMap((kind) =>
      Object.entries(kind.options).flatMap(([name, option]) =>
        option.kind === 'url' || option.kind === 'secret' ? [name, `${name}_file`] : [name],
      ),
    );
    const channels = keysOfTable(section('## Channels').split('\n### ')[0] ?? '');
    expect(channels.sort()).toEqual([...new Set([...Object.keys(channelKeys), ...own])].sort());
    for (const kind of channelKinds) expect(section('## Channels')).toContain(`\`${kind.type}\``);
    for (const name of Object.keys(mainKeys))
      expect(section('## The configuration')).toMatch(new RegExp(`^${name}:`, 'm'));
  });

  it('names every command, every metric and every rule of the packs', () => {
    const cli = readFileSync(join(root, 'src/cli/cli.ts'), 'utf8');
    const commands = [...cli.matchAll(/\b(?:command|sub)\(\s*'([a-z-]+)/g)].map((found) => found[1] ?? '');
    expect(commands).toContain('backtest');
    for (const name of commands)
      expect(readme, name).toMatch(new RegExp(`^\\| .*\`(?:silence )?${name}\\b`, 'm'));
    const metrics = readFileSync(join(root, 'src/daemon/metrics.ts'), 'utf8');
    const names = [...metrics.matchAll(/\b(?:gauge|counter|histogram)\(\s*'([a-z_]+)'/g)].map(
      (found) => `tocsin_${found[1]}`,
    );
    const told = [...readme.matchAll(/^\| `(tocsin_[a-z_]+)`/gm)].map((found) => found[1] ?? '');
    expect(told.sort()).toEqual(names.sort());
    for (const file of readdirSync(join(root, 'rules')).filter((name) => name.endsWith('.yaml'))) {
      const pack = readFileSync(join(root, 'rules', file), 'utf8');
      const ids = [...pack.matchAll(/^ {2}- id: (\S+)/gm)].map((found) => found[1] ?? '');
      for (const id of ids) expect(readme, `${file}: ${id}`).toContain(`\`${id}\``);
    }
  });

  it('shows the body that a webhook posts, key for key', () => {
    const shown = JSON.parse(blocksOf('README.md', 'json')[0]?.text ?? 'null');
    const made = aNotification();
    const real = JSON.parse(
      renderWebhook(
        {
          ...made,
          record: {
            source: 'worker',
            path: null,
            host: null,
            time: null,
            received_at: made.incident.first_seen_at,
            level: null,
            message: '',
            trace: null,
            truncated: false,
            offset: 0,
            before: [],
            after: [],
            syslog: null,
          },
        },
        { plain: false, now: 0 },
      ),
    );
    for (const part of ['notification', 'incident', 'record'])
      expect(Object.keys(shown[part]).sort(), part).toEqual(Object.keys(real[part]).sort());
    expect(Object.keys(shown)).toEqual(Object.keys(real));
  });

  it('begins with the two commands that do all the set-up', () => {
    const first = /^```sh\n([\s\S]*?)^```$/m.exec(readme)?.[1] ?? '';
    expect(first).toMatch(/^npm ci && npm start\b.*\nnpm ci && npm test\b.*\n$/);
  });
});

describe('links in the documentation', () => {
  it('lead to files and headings that are there', () => {
    for (const page of [...pages, 'src/README.md', 'test/README.md']) {
      const text = readFileSync(join(root, page), 'utf8');
      const folder = join(root, page, '..');
      for (const [, target = ''] of text.matchAll(/\]\((?!https?:)([^)]+)\)/g)) {
        const [path = '', anchor] = target.split('#');
        const other = path === '' ? text : readFileSync(join(folder, path), 'utf8');
        if (anchor === undefined) continue;
        const anchors = [...other.matchAll(/^#+ (.+)$/gm)].map((found) =>
          (found[1] ?? '')
            .toLowerCase()
            .replace(/[^\w\- ]/g, '')
            .replaceAll(' ', '-'),
        );
        expect(anchors, `${page}: ${target}`).toContain(anchor);
      }
    }
  });
});
