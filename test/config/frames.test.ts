/** What a person reads, word by word: each file of test/fixtures/problems against the text beside it. */
import { readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, it } from 'vitest';
import { diskFiles, keptFiles } from '../../src/config/files.ts';
import { countProblems, formatProblem } from '../../src/config/frame.ts';
import type { Problem } from '../../src/model/problem.ts';
import { load } from '../support/load-config.ts';

const folder = resolve(import.meta.dirname, '../fixtures/problems');

for (const name of readdirSync(folder).filter((file) => file.endsWith('.yaml'))) {
  it(`the problems of ${name}, with frames and hints`, async () => {
    const path = resolve(folder, name);
    const texts = { [path]: readFileSync(path, 'utf8') };
    const parsed = name.startsWith('config-')
      ? load(texts, { path })
      : load(texts, { path: null, extra: { rules: [path], print: true } });
    const shown = parsed.problems.map((problem) => formatProblem(problem, diskFiles)).join('\n\n');
    const text = `${shown}\n\n${countProblems(parsed.problems)}\n`
      .replaceAll(`${folder}/`, '')
      .replaceAll(folder, '.');
    await expect(text).toMatchFileSnapshot(resolve(folder, name.replace('.yaml', '.txt')));
    expect(parsed.ok).toBe(false);
    expect(text).not.toContain('secret-token');
  });
}

const problem: Problem = {
  code: 'E_VALUE',
  level: 'error',
  origin: { file: '/f', line: 2, column: 3, length: 4 },
  keyPath: 'a.b',
  message: 'wrong',
  hint: null,
  scope: null,
};
const at = (origin: Partial<Problem['origin']>, text: string): string =>
  formatProblem({ ...problem, origin: { ...problem.origin, ...origin } }, keptFiles(new Map([['/f', text]])));

it('a frame never fails on odd places', () => {
  for (const line of [-1, 0, 1, 2, 3, 99, Number.NaN, 1e12]) {
    for (const column of [-5, 0, 1, 4, 999, Number.NaN]) {
      for (const length of [-1, 0, 1, 1e9, Number.NaN]) {
        expect(at({ line, column, length }, 'one\ntwo\n')).toContain('E_VALUE');
      }
    }
  }
  expect(formatProblem(problem, keptFiles(new Map()))).toBe('/f:2:3: error E_VALUE a.b\n  wrong');
});
it('a long line is cut around the place', () => {
  const text = `x\n${'a'.repeat(500)}BAD${'b'.repeat(500)}`;
  const [, , line = '', mark = ''] = at({ column: 501, length: 3 }, text).split('\n');
  expect(line.length).toBeLessThan(130);
  expect(line.slice(mark.indexOf('^'), mark.lastIndexOf('^') + 1)).toBe('BAD');
});
it('terminal escapes and direction marks of a file are not passed on', () => {
  const text = at({}, 'x\n\u001b[2Jabc\u202e\n');
  expect(text).not.toMatch(/[\u001b\u202e]/);
});
it('secrets in the shown line are masked, and the mark still stands below its place', () => {
  const line = 'eng: { url: https://hooks.example.com/T0/B0/token, secret: hunter2, budgt: x }';
  const text = at({ line: 1, column: line.indexOf('budgt') + 1, length: 5 }, line);
  expect(text).not.toMatch(/token|hunter2|T0/);
  const [, , shown = '', mark = ''] = text.split('\n');
  expect(shown.slice(mark.indexOf('^'), mark.lastIndexOf('^') + 1)).toBe('budgt');
});
