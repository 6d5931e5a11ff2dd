/** The world that files come from: real files, folders, pipes, devices and links. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { diskFiles, keptFiles } from '../../src/config/files.ts';
import type { Secret } from '../../src/model/config.ts';
import { load, loaded, type TestLoad } from '../support/load-config.ts';
import { tempDir } from '../support/temp-dir.ts';

const rule = (id: string) =>
  `rules: [{ id: ${id}, match: failed, tests: [{ lines: [failed], expect: 1 }] }]\n`;
const main = 'sources: { w: { file: a.log } }\nrules: [rules/*.yaml]\nchannels: { out: { type: console } }\n';

/** A folder with a main file and rule files. */
function folder(texts: Record<string, string | Buffer> = {}): string {
  const dir = tempDir();
  mkdirSync(join(dir, 'rules'));
  for (const [name, text] of Object.entries({ 'tocsin.yaml': main, 'rules/a.yaml': rule('a'), ...texts }))
    writeFileSync(join(dir, name), text);
  return dir;
}
const real = (dir: string, options: TestLoad = {}) =>
  load({}, { files: diskFiles, path: join(dir, 'tocsin.yaml'), ...options });
const codes = (dir: string, options: TestLoad = {}) =>
  real(dir, options).problems.map((problem) => problem.code);

it('a folder of rules is read', () => {
  const dir = folder({ 'rules/b.yaml': rule('b'), 'rules/c.yaml~': 'junk', 'rules/.d.yaml': 'junk' });
  expect(loaded(real(dir)).rules.map((one) => one.id)).toEqual(['a', 'b']);
});
it('E20 a byte order mark and CRLF are accepted', () => {
  expect(codes(folder({ 'tocsin.yaml': `\ufeff${main.replaceAll('\n', '\r\n')}` }))).toEqual([]);
});
it('E20 UTF-16, invalid UTF-8 and NUL are named with their place', () => {
  const messages = ['rules/a.yaml', 'rules/b.yaml', 'rules/c.yaml'];
  const dir = folder({
    'rules/a.yaml': Buffer.from(`\ufeff${rule('a')}`, 'utf16le'),
    'rules/b.yaml': Buffer.concat([Buffer.from('rules:\n  - id: '), Buffer.from([0xff, 0x0a])]),
    'rules/c.yaml': `${rule('c')}\0`,
  });
  const found = real(dir)
    .problems.filter((problem) => problem.code === 'E_FILE_ENCODING')
    .map(({ origin, message }) => `${origin.file.slice(dir.length + 1)}:${origin.line} ${message}`);
  expect(found.length).toBe(messages.length);
  expect(found.join('\n')).toMatch(
    /rules\/b.yaml:2 .*byte 0xff in line 2\nrules\/c.yaml:2 .*NUL character in line 2\n.*a.yaml is UTF-16/,
  );
});

describe('E11 what is no small text file is refused before it is read', () => {
  it('a file of 100 MB, a sparse one of 1 GB, a folder, a device, a pipe', () => {
    const dir = folder({ 'rules/big.yaml': 'x', 'rules/sparse.yaml': 'x' });
    truncateSync(join(dir, 'rules/big.yaml'), 100e6);
    truncateSync(join(dir, 'rules/sparse.yaml'), 1e9);
    mkdirSync(join(dir, 'rules/folder.yaml'));
    execFileSync('mkfifo', [join(dir, 'rules/pipe.yaml')]);
    symlinkSync('/dev/zero', join(dir, 'zero'));
    writeFileSync(join(dir, 'tocsin.yaml'), main.replace('rules: [', `rules: [${join(dir, 'zero')}, `));
    const before = performance.now();
    const rss = process.memoryUsage().rss;
    expect(codes(dir).sort()).toEqual([
      'E_FILE_SIZE',
      'E_FILE_SIZE',
      'E_FILE_TYPE',
      'E_FILE_TYPE',
      'E_FILE_TYPE',
    ]);
    expect(performance.now() - before).toBeLessThan(1000);
    expect(process.memoryUsage().rss - rss).toBeLessThan(30e6);
  });
  it('10,000 files, and 1 MiB in all', () => {
    const many = folder();
    for (let index = 0; index < 10_000; index++) writeFileSync(join(many, `rules/${index}.yaml`), '');
    expect(codes(many)).toEqual(['E_FILE_SIZE']);
    const large = folder();
    for (let index = 0; index < 6; index++)
      writeFileSync(join(large, `rules/${index}.yaml`), `${rule(`r${index}`)}# ${'x'.repeat(200_000)}\n`);
    expect(codes(large)).toEqual(['E_FILE_SIZE']);
  });
  it('a file one byte over 256 KiB is refused, one of exactly that is read', () => {
    const padded = (bytes: number) =>
      `${rule('a').padEnd(bytes - 1, '#')}
`;
    expect(codes(folder({ 'rules/a.yaml': padded(256 * 1024) }))).toEqual([]);
    expect(codes(folder({ 'rules/a.yaml': padded(256 * 1024 + 1) }))).toEqual(['E_FILE_SIZE']);
  });
});

it('E13 a file that is not there, a link in a circle and a name that is too long say why', () => {
  const dir = folder();
  symlinkSync('loop.yaml', join(dir, 'loop.yaml'));
  writeFileSync(
    join(dir, 'tocsin.yaml'),
    main.replace('rules: [', `rules: [loop.yaml, gone.yaml, ${'x'.repeat(300)}.yaml, `),
  );
  const problems = real(dir).problems;
  expect(problems.map((problem) => problem.code)).toEqual([
    'E_FILE_MISSING',
    'E_FILE_MISSING',
    'E_FILE_MISSING',
  ]);
  expect(problems.map((problem) => problem.message).join()).toMatch(/circle.*no such file.*too long/);
});

describe('E21 paths stay in their folder unless they are absolute', () => {
  it('rules and lists that climb out are refused', () => {
    const dir = folder({ 'tocsin.yaml': main.replace('rules: [', 'rules: [../../etc/*.yaml, ') });
    expect(codes(dir)).toEqual(['E_PATH']);
    const list = folder({
      'rules/a.yaml':
        'rules: [{ id: a, where: { host: { in_file: ../../../etc/passwd } }, tests: [{ lines: [x], expect: 0 }] }]',
    });
    expect(codes(list)).toContain('E_PATH');
  });
  it('a link out of the folder is refused, one inside it (a mounted ConfigMap) is followed', () => {
    const outside = tempDir();
    writeFileSync(join(outside, 'x.yaml'), rule('x'));
    const dir = folder();
    symlinkSync(join(outside, 'x.yaml'), join(dir, 'rules/x.yaml'));
    expect(codes(dir)).toEqual(['E_PATH']);
    const mounted = folder();
    mkdirSync(join(mounted, 'rules/..2026'));
    writeFileSync(join(mounted, 'rules/..2026/b.yaml'), rule('b'));
    symlinkSync('..2026', join(mounted, 'rules/..data'));
    symlinkSync('..data/b.yaml', join(mounted, 'rules/b.yaml'));
    expect(loaded(real(mounted)).rules.map((one) => one.id)).toEqual(['a', 'b']);
  });
  it('an absolute path is taken', () => {
    const other = folder();
    const dir = folder({ 'tocsin.yaml': main.replace('rules/*.yaml', join(other, 'rules/*.yaml')) });
    expect(codes(dir)).toEqual([]);
  });
});

describe('lists of values', () => {
  it('in_file reads one value a line, beside the file that names it, and is kept for the last good copy', () => {
    const dir = folder({
      'rules/a.yaml':
        'rules: [{ id: a, where: { host: { in_file: hosts.txt } }, tests: [{ lines: [x], expect: 0 }] }]',
      'rules/hosts.txt': '# known\nweb1 \n\n  web2\r\n',
    });
    const config = loaded(real(dir));
    expect(config.rules[0]?.conditions.where[0]?.operators).toMatchObject([
      { op: 'in_file', path: join(dir, 'rules/hosts.txt'), values: ['web1', 'web2'] },
    ]);
    expect(config.files.has(join(dir, 'rules/hosts.txt'))).toBe(true);
  });
});

describe('E15 secrets in files', () => {
  const text = main
    .replace('out: { type: console }', 'hook: { type: webhook, url_file: secret, secret_file: /nowhere }')
    .replace(', secret_file: /nowhere', '');
  it('a line break at the end, and CRLF, are taken off; the text is kept nowhere', () => {
    for (const secret of [
      'https://h.example.com/token',
      'https://h.example.com/token\n',
      'https://h.example.com/token\r\n',
    ]) {
      const dir = folder({ 'tocsin.yaml': text, secret });
      const config = loaded(real(dir));
      expect((config.channels[0]?.options['url'] as Secret).reveal()).toBe('https://h.example.com/token');
      expect(config.secretFiles).toEqual([join(dir, 'secret')]);
      expect(config.files.has(join(dir, 'secret'))).toBe(false);
      expect(`${JSON.stringify(config)}${JSON.stringify([...config.files])}`).not.toContain('token');
    }
  });
  it.each([
    ['missing', null],
    ['empty', '\n'],
    ['two lines', 'a\nb\n'],
    ['10 MB', 'x'.repeat(10_000_000)],
  ])('%s: the channel is set aside, the rest runs', (_name, secret) => {
    const dir = folder({ 'tocsin.yaml': text, ...(secret === null ? {} : { secret }) });
    const parsed = real(dir);
    expect(parsed).toMatchObject({
      ok: true,
      problems: [{ code: 'E_SECRET_FILE', scope: { kind: 'channel', name: 'hook' } }],
    });
    expect(loaded(parsed).channels[0]?.unusable).not.toBeNull();
  });
  it('a rotated one changes the hash', () => {
    const dir = folder({ 'tocsin.yaml': text, secret: 'https://h.example.com/a' });
    const before = loaded(real(dir)).hash;
    writeFileSync(join(dir, 'secret'), 'https://h.example.com/b');
    expect(loaded(real(dir)).hash).not.toBe(before);
  });
});

it('the last good copy loads to the same configuration, from memory', () => {
  const dir = folder({ 'rules/b.yaml': rule('b') });
  const config = loaded(real(dir));
  const again = loaded(load({}, { files: keptFiles(config.files), path: join(dir, 'tocsin.yaml') }));
  expect(JSON.stringify({ ...again, files: 0 })).toBe(JSON.stringify({ ...config, files: 0 }));
});
