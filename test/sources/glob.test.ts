/** What a pattern matches. */
import { describe, expect, it } from 'vitest';
import { compileGlob, globMatches } from '../../src/sources/glob.ts';
import { rotatedName } from '../../src/sources/rotated.ts';

describe('globs', () => {
  it.each([
    ['/var/log/*.log', '/var/log/a.log', true],
    ['/var/log/*.log', '/var/log/sub/a.log', false],
    ['/var/log/*.log', '/var/log/.hidden.log', false],
    ['/var/log/.*', '/var/log/.hidden', true],
    ['/var/log/a?.log', '/var/log/ab.log', true],
    ['/var/log/a?.log', '/var/log/aäö.log', false],
    ['/var/log/a[0-9].log', '/var/log/a7.log', true],
    ['/var/log/a[!0-9].log', '/var/log/a7.log', false],
    ['/var/log/a[]].log', '/var/log/a].log', true],
    ['/var/log/{a,b{1,2}}.log', '/var/log/b2.log', true],
    ['/var/log/{a,b{1,2}}.log', '/var/log/b.log', false],
    ['/var/{log,run/x}/a', '/var/run/x/a', true],
    ['/var/log/{a}.log', '/var/log/{a}.log', true],
    ['/var/log/[a.log', '/var/log/[a.log', true],
    ['/var/**/a.log', '/var/a.log', true],
    ['/var/**/a.log', '/var/x/y/a.log', true],
    ['/var/**', '/var/x/y', true],
    ['/var/log/a\\*.log', '/var/log/a*.log', true],
    ['/var/log/a\\*.log', '/var/log/ab.log', false],
    ['/var/log/a+(b).log', '/var/log/a+(b).log', true],
    ['/var/log/[z-a].log', '/var/log/q.log', false],
    ['*.gz', '/var/log/a.gz', true],
  ])('%s on %s: %s', (pattern, path, matches) => {
    expect(globMatches(compileGlob(pattern), path)).toBe(matches);
  });

  it('knows a plain name from a pattern', () => {
    expect(compileGlob('/var/log/a.log').magic).toBe(false);
    expect(compileGlob('/var/log/*.log').magic).toBe(true);
  });

  it('unfolds many braces only so far', () => {
    const wild = '{0,1,2,3,4,5,6,7,8,9}'.repeat(8);
    expect(compileGlob(`/${wild}`).alternatives.length).toBeLessThanOrEqual(1_000);
  });
});

describe('names of rotation', () => {
  it.each([
    ['app.log', 'app.log.1', 'exact'],
    ['app.log', 'app.log-20261121.gz', 'exact'],
    ['app.log', 'app.log.old', 'exact'],
    ['app.log', 'app.log.gz', 'exact'],
    ['app.log', 'app-2026-11-21.log', 'stem'],
    ['app.log', 'app.1.log', 'stem'],
    ['app.log', 'app.log', null],
    ['app.log', 'app.log.err', null],
    ['app.log', 'app.json.log', null],
    ['app.log', 'apple.log', null],
    ['app.log.1', 'app.log', null],
    ['w1.log', 'w2.log', null],
    ['worker-1.log', 'worker-12.log', null],
    ['worker-1.log', 'worker-1-20261121.log', 'stem'],
    ['worker-1.log', 'worker-1.log.12', 'exact'],
  ])('%s and %s: %s', (base, name, relation) => {
    expect(rotatedName(base, name)).toBe(relation);
  });
});
