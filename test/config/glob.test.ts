import { expect, it } from 'vitest';
import { keptFiles } from '../../src/config/files.ts';

const files = keptFiles(
  new Map(
    [
      '/r/a.yaml',
      '/r/b.yml',
      '/r/.hidden.yaml',
      '/r/sub/c.yaml',
      '/r/sub/deep/d.yaml',
      '/r/..data/e.yaml',
      '/r/f[1].yaml',
    ].map((path) => [path, 'x']),
  ),
);

it.each([
  ['/r/*.yaml', ['/r/a.yaml', '/r/f[1].yaml']],
  ['/r/**/*.yaml', ['/r/a.yaml', '/r/f[1].yaml', '/r/sub/c.yaml', '/r/sub/deep/d.yaml']],
  ['/r/*/c.yaml', ['/r/sub/c.yaml']],
  ['/r/?.y*ml', ['/r/a.yaml', '/r/b.yml']],
  ['/r/[!a].y*ml', ['/r/b.yml']],
  ['/r/a.yaml', ['/r/a.yaml']],
  ['/nowhere/*.yaml', []],
])('the glob %s', (glob, expected) => {
  expect(files.glob(glob)).toEqual(expected);
});
