/** What is remembered of streams that ended: bounded, found by name and by head, forgotten oldest first. */
import { describe, expect, it } from 'vitest';
import { EndedStreams, endedMax } from '../../src/sources/ended.ts';
import { ContentMemory, identityRecord } from '../../src/sources/identity.ts';
import { noInheritance } from '../../src/sources/inherited.ts';
import { type Saved, savedOf } from '../../src/sources/saved-streams.ts';

function memoryOf(content: string): ContentMemory {
  const memory = new ContentMemory();
  const bytes = Buffer.from(content);
  memory.growHead(bytes, 0);
  memory.advance(bytes, bytes.length, 0);
  return memory;
}

function ended(key: string, content: string, gone = true) {
  const facts = memoryOf(content).facts(content.length);
  return { key, names: new Set(['app.log']), facts, gone };
}

function saved(key: string, content: string, done: boolean, updatedAt: number): Saved {
  const id = { dev: 1n, ino: 2n, birthNs: 3n };
  const flags = { offset: content.length, done, skipLine: false, seenAt: 0, inherited: noInheritance };
  const position = {
    key,
    source: 'logs',
    path: '/var/log/app.log',
    offset: content.length,
    identity: identityRecord(id, 0, memoryOf(content), flags),
    reader: {},
    updatedAt,
  };
  const read = savedOf(position);
  if (read === null) throw new Error('not an identity');
  return read;
}

describe('streams that ended', () => {
  it('those that the state kept are known again, the ones that may go on are not among them', () => {
    const forgotten: string[] = [];
    const all = new EndedStreams(
      [saved('a', 'one\n', true, 1), saved('b', 'two\n', false, 2)],
      (key) => void forgotten.push(key),
    );
    expect([...all.named('app.log')].map(({ key }) => key)).toEqual(['a']);
    expect(all.knowsHead(Buffer.from('one\n'))).toBe(true);
    expect(all.knowsHead(Buffer.from('two\n'))).toBe(false);
    expect(forgotten).toEqual([]);
  });

  it('beyond the bound the oldest is forgotten, in the state too', () => {
    const forgotten: string[] = [];
    const all = new EndedStreams([], (key) => void forgotten.push(key));
    for (let n = 0; n < endedMax + 3; n++) all.add(ended(`key-${n}`, `line ${n}\n`));
    expect(forgotten).toEqual(['key-0', 'key-1', 'key-2']);
    expect([...all.named('app.log')]).toHaveLength(endedMax);
  });

  it('one that only pauses is not forgotten in the state', () => {
    const forgotten: string[] = [];
    const all = new EndedStreams([], (key) => void forgotten.push(key));
    all.add(ended('paused', 'line\n', false));
    for (let n = 0; n < endedMax; n++) all.add(ended(`key-${n}`, `line ${n}\n`));
    expect(forgotten).toEqual([]);
  });

  it('a stream of which nothing was read leaves nothing', () => {
    const forgotten: string[] = [];
    const all = new EndedStreams([], (key) => void forgotten.push(key));
    all.add(ended('empty', ''));
    expect(forgotten).toEqual(['empty']);
    expect([...all.named('app.log')]).toEqual([]);
  });

  it('one that runs again is no copy of itself', () => {
    const all = new EndedStreams([saved('a', 'one\n', true, 1)], () => undefined);
    all.revive('a');
    expect(all.beginningAs(Buffer.from('one\n'))).toEqual([]);
  });

  it('a short one does not stand for every archive that begins as it did', () => {
    const all = new EndedStreams([], () => undefined);
    all.add(ended('short', '=== started ===\n'));
    expect(all.knowsHead(Buffer.from('=== started ===\nmore\n'))).toBe(false);
    expect(all.knowsHead(Buffer.from('=== started ===\n'))).toBe(true);
  });

  it('candidates for a copy are those with its head, and those longer than it', () => {
    const all = new EndedStreams([], () => undefined);
    all.add(ended('same', 'one\n'));
    all.add(ended('other', 'two\n'));
    all.add(ended('longer', 'one\nand more of it\n'));
    expect(all.beginningAs(Buffer.from('one\nand')).map(({ key }) => key)).toEqual(['same', 'longer']);
  });
});
